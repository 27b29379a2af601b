"""The same as scikit-learn's own estimators: networks to rounding, words to the letter."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network as theirs
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from fastmlp import sklearn as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

COMMON = {
    "adam": {},
    "adam, few in the last batch": {"batch_size": 90},
    "large epsilon": {"epsilon": 1e-3, "beta_1": 0.8, "beta_2": 0.99},
    "strong penalty": {"alpha": 3.0, "batch_size": 64},
    "sgd": {"solver": "sgd"},
    "plain sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 2},
    "stops early": {"early_stopping": True, "n_iter_no_change": 3, "tol": 0.01},
    "converges": {"tol": 0.05, "n_iter_no_change": 2, "max_iter": 60},
    "in order": {"shuffle": False},
    "two hidden layers": {"hidden_layer_sizes": (20, 7), "activation": "tanh"},
    "sigmoids": {"activation": "logistic"},
    "linear": {"hidden_layer_sizes": ()},
    "lbfgs": {"solver": "lbfgs", "max_iter": 15},
}
CURVES = ("loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_")
PLAIN = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")


def classes(rng):
    X, y = load_iris(return_X_y=True)
    return scale(X), np.array(["setosa", "versicolor", "virginica"])[y]


def two_classes(rng):
    X, y = load_iris(return_X_y=True)
    return scale(X), y == 1


def labels(rng):
    return make_multilabel_classification(n_samples=130, n_features=6, random_state=0)


def values(rng):
    X, y = load_diabetes(return_X_y=True)
    return X[:170], scale(y[:170])


def two_values(rng):
    X, y = load_diabetes(return_X_y=True)
    return X[:170], scale(np.column_stack([y, y**2])[:170])


def both(kind, X, y, fit=None, **options):
    """scikit-learn's estimator and ours, fitted alike."""
    options = {"max_iter": 25, "random_state": 3, "learning_rate_init": 0.01, **options}
    return [getattr(room, kind)(**options).fit(X, y, **(fit or {})) for room in (theirs, ours)]


def assert_alike(expected, got, rtol=1e-6, curves=1e-2):
    for name in PLAIN:
        assert getattr(got, name) == getattr(expected, name), name
    for name in CURVES:
        assert hasattr(got, name) == hasattr(expected, name), name
        if getattr(expected, name, None) is None:
            assert getattr(got, name, None) is None
        else:
            np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=curves)
    for name in ("coefs_", "intercepts_"):
        for x, y in zip(getattr(got, name), getattr(expected, name), strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("options", COMMON.values(), ids=COMMON)
@pytest.mark.parametrize("problem", [classes, two_classes, labels])
def test_classifier_is_the_same_network(rng, problem, options):
    X, y = problem(rng)
    expected, got = both("MLPClassifier", X, y, **options)
    assert_alike(expected, got)
    np.testing.assert_array_equal(got.classes_, expected.classes_)
    np.testing.assert_array_equal(got.predict(X), expected.predict(X))
    np.testing.assert_allclose(got.predict_proba(X), expected.predict_proba(X), rtol=1e-5)
    np.testing.assert_allclose(got.predict_log_proba(X), expected.predict_log_proba(X), rtol=1e-4)
    assert got.predict(X).dtype == expected.predict(X).dtype


@pytest.mark.parametrize("options", COMMON.values(), ids=COMMON)
@pytest.mark.parametrize("problem", [values, two_values])
def test_regressor_is_the_same_network(rng, problem, options):
    """But for lbfgs with several outputs, whose cost scikit-learn divides and gradient not."""
    X, y = problem(rng)
    if y.ndim == 2 and options.get("solver") == "lbfgs":
        options = {**options, "max_iter": 500}
        expected, got = both("MLPRegressor", X, y, **options)
        assert got.loss_ == pytest.approx(expected.loss_, rel=0.2)
        return
    expected, got = both("MLPRegressor", X, y, **options)
    assert_alike(expected, got)
    np.testing.assert_allclose(got.predict(X), expected.predict(X), rtol=1e-5, atol=1e-5)


def test_counts_are_the_same_network(rng):
    X = rng.normal(size=(120, 4))
    y = rng.poisson(np.exp(X[:, 0]))
    for options in ({}, {"solver": "lbfgs"}, {"early_stopping": True}):
        expected, got = both("MLPRegressor", X, y, loss="poisson", **options)
        assert_alike(expected, got)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_weighted_examples_give_the_same_network(rng, solver):
    X, y = values(rng)
    weight = rng.integers(0, 4, len(X)).astype(float)
    fit = {"sample_weight": weight}
    expected, got = both("MLPRegressor", X, y, fit, solver=solver, batch_size=50)
    assert_alike(expected, got, curves=0.1)  # their batches count by length, ours by weight


def test_single_precision_stays_single(rng):
    X, y = load_digits(return_X_y=True)
    X = (X[:400] / 16).astype(np.float32)
    expected, got = both("MLPClassifier", X, y[:400])
    assert got.coefs_[0].dtype == got.predict_proba(X).dtype == np.float32
    assert_alike(expected, got, rtol=2e-3)
    assert np.mean(got.predict(X) == expected.predict(X)) > 0.99


def test_chunks_are_the_same_network(rng):
    X, y = classes(rng)
    pair = [room.MLPClassifier(random_state=1) for room in (theirs, ours)]
    for rows in np.array_split(rng.permutation(len(X)), 7):
        for estimator in pair:
            estimator.partial_fit(X[rows], y[rows], classes=np.unique(y))
    assert_alike(*pair)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_warm_start_goes_on_alike(rng, solver):
    X, y = classes(rng)
    pair = both("MLPClassifier", X, y, solver=solver, warm_start=True, max_iter=5)
    for estimator in pair:
        estimator.fit(X, y)
    assert_alike(*pair, rtol=1e-4 if solver == "lbfgs" else 1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"tol": 0.5, "n_iter_no_change": 1},
        {"early_stopping": True, "n_iter_no_change": 1, "tol": 0.5},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 10, "n_iter_no_change": 1},
    ],
    ids=str,
)
def test_it_says_the_same(rng, capsys, options):
    X, y = classes(rng)
    told = []
    for room in (theirs, ours):
        room.MLPClassifier(random_state=0, max_iter=30, verbose=True, **options).fit(X, y)
        lines = capsys.readouterr().out.splitlines()
        told.append([line.split("loss =")[0] for line in lines])
    assert told[0] == told[1] != []


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_it_warns_the_same(rng, solver):
    X, y = classes(rng)
    told = []
    for room in (theirs, ours):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            room.MLPClassifier(random_state=0, max_iter=2, batch_size=1000, solver=solver).fit(X, y)
        told.append({(one.category, str(one.message)) for one in caught})
    assert told[0] == told[1]
    assert any(category is ConvergenceWarning for category, _ in told[1])


BAD = {
    "nan": lambda room, X, y: room.MLPClassifier().fit(np.where(X > 1, np.nan, X), y),
    "one axis": lambda room, X, y: room.MLPClassifier().fit(X[:, 0], y),
    "no rows": lambda room, X, y: room.MLPClassifier().fit(X[:0], y[:0]),
    "lengths": lambda room, X, y: room.MLPClassifier().fit(X, y[1:]),
    "real targets": lambda room, X, y: room.MLPClassifier().fit(X, X[:, 0]),
    "not fitted": lambda room, X, y: room.MLPClassifier().predict(X),
    "not fitted values": lambda room, X, y: room.MLPRegressor().predict(X),
    "columns": lambda room, X, y: room.MLPClassifier(max_iter=1).fit(X, y).predict(X[:, :2]),
    "one row": lambda room, X, y: room.MLPClassifier(max_iter=1).fit(X, y).predict(X[0]),
    "nan row": lambda room, X, y: room.MLPClassifier(max_iter=1).fit(X, y).predict(X * np.nan),
    "alpha": lambda room, X, y: room.MLPClassifier(alpha=-1).fit(X, y),
    "max_iter": lambda room, X, y: room.MLPRegressor(max_iter=0).fit(X, X[:, 0]),
    "momentum": lambda room, X, y: room.MLPClassifier(momentum=2).fit(X, y),
    "layer": lambda room, X, y: room.MLPClassifier(hidden_layer_sizes=(3, -1)).fit(X, y),
    "random_state": lambda room, X, y: room.MLPClassifier(random_state="one").fit(X, y),
    "partial_fit": lambda room, X, y: room.MLPClassifier(solver="lbfgs").partial_fit(X, y),
    "no classes": lambda room, X, y: room.MLPClassifier().partial_fit(X, y),
    "other classes": lambda room, X, y: room.MLPClassifier().partial_fit(X, y, classes=["a", "b"]),
    "stop in part": lambda room, X, y: room.MLPRegressor(early_stopping=True).partial_fit(X, X),
    "warm": lambda room, X, y: (
        room.MLPClassifier(warm_start=True, max_iter=1).fit(X, y).fit(X[:100], y[:100])
    ),
    "small set": lambda room, X, y: (
        room.MLPRegressor(early_stopping=True, validation_fraction=0.005).fit(X, X[:, 0])
    ),
    "huge": lambda room, X, y: room.MLPRegressor(solver="sgd").fit(X * 1e200, X[:, 0]),
    "weights": lambda room, X, y: room.MLPClassifier().fit(X, y, sample_weight=np.ones(3)),
    "no weight": lambda room, X, y: room.MLPClassifier().fit(X, y, sample_weight=0 * X[:, 0]),
}


@pytest.mark.parametrize("mistake", BAD.values(), ids=BAD)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_mistakes_are_told_in_the_same_words(rng, mistake):
    X, y = classes(rng)
    told = []
    for room in (theirs, ours):
        with pytest.raises(Exception) as caught:
            mistake(room, X, y)
        told.append((caught.type.__mro__[-4:-1], str(caught.value).splitlines()[0]))
    assert told[0] == told[1]


def test_every_parameter_of_theirs_is_there_with_its_default():
    for kind in ("MLPClassifier", "MLPRegressor"):
        expected = getattr(theirs, kind)().get_params()
        got = getattr(ours, kind)().get_params()
        assert {name: got[name] for name in expected} == expected


def test_every_fitted_attribute_of_theirs_is_there(rng):
    X, y = classes(rng)
    expected, got = both("MLPClassifier", X, y, early_stopping=True)
    names = {name for name in vars(expected) if name.endswith("_") and name[0] != "_"}
    assert {name for name in names if not hasattr(got, name)} == set()
