"""Equal to scikit-learn's own estimators: networks up to rounding, messages to the letter."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network as theirs
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
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
    "plain invscaling": {"solver": "sgd", "learning_rate": "invscaling", "momentum": 0.0},
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
NUMBERS = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")


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
    """scikit-learn's estimator and ours, fitted with the same parameters."""
    options = {"max_iter": 25, "random_state": 3, "learning_rate_init": 0.01, **options}
    return [getattr(module, kind)(**options).fit(X, y, **(fit or {})) for module in (theirs, ours)]


def assert_equal_models(expected, model, rtol=1e-6, curves=1e-6):
    for name in NUMBERS:
        assert getattr(model, name) == getattr(expected, name), name
    for name in CURVES:
        assert hasattr(model, name) == hasattr(expected, name), name
        if getattr(expected, name, None) is None:
            assert getattr(model, name, None) is None
        else:
            np.testing.assert_allclose(getattr(model, name), getattr(expected, name), rtol=curves)
    for name in ("coefs_", "intercepts_"):
        for x, y in zip(getattr(model, name), getattr(expected, name), strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("options", COMMON.values(), ids=COMMON)
@pytest.mark.parametrize("problem", [classes, two_classes, labels])
def test_classifier_is_the_same_network(rng, problem, options):
    X, y = problem(rng)
    expected, model = both("MLPClassifier", X, y, **options)
    assert_equal_models(expected, model)
    np.testing.assert_array_equal(model.classes_, expected.classes_)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-5)
    np.testing.assert_allclose(model.predict_log_proba(X), expected.predict_log_proba(X), rtol=1e-4)
    assert model.predict(X).dtype == expected.predict(X).dtype


@pytest.mark.parametrize(
    ("problem", "name"),
    [(problem, name) for problem in (values, two_values) for name in COMMON
     if (problem, name) != (two_values, "lbfgs")],
)  # fmt: skip
def test_regressor_is_the_same_network(rng, problem, name):
    """But for lbfgs with several outputs: scikit-learn divides the cost and not the gradient."""
    X, y = problem(rng)
    expected, model = both("MLPRegressor", X, y, **COMMON[name])
    assert_equal_models(expected, model)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), rtol=1e-5, atol=1e-5)


def test_lbfgs_of_two_values_without_hidden_layers_is_ridge_regression(rng):
    X, y = two_values(rng)
    options = {"alpha": 3.0, "tol": 1e-9, "max_iter": 500, "random_state": 0}
    model = ours.MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", **options).fit(scale(X), y)
    expected = Ridge(3.0).fit(scale(X), y)
    np.testing.assert_allclose(model.coefs_[0], expected.coef_.T, atol=1e-3)
    np.testing.assert_allclose(model.intercepts_[0], expected.intercept_, atol=1e-3)
    squares = np.mean((expected.predict(scale(X)) - y) ** 2) / 2
    penalty = 3.0 / 2 * np.sum(expected.coef_**2) / len(X)
    assert model.loss_ == pytest.approx(squares + penalty)


def test_counts_are_the_same_network(rng):
    X = rng.normal(size=(120, 4))
    y = rng.poisson(np.exp(X[:, 0]))
    for options in ({}, {"solver": "lbfgs"}, {"early_stopping": True}):
        expected, model = both("MLPRegressor", X, y, loss="poisson", **options)
        assert_equal_models(expected, model)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_weighted_examples_give_the_same_network(rng, solver):
    X, y = values(rng)
    weight = rng.integers(0, 4, len(X)).astype(float)
    fit = {"sample_weight": weight}
    expected, model = both("MLPRegressor", X, y, fit, solver=solver, batch_size=50)
    assert_equal_models(expected, model)


def test_single_precision_is_trained_in_single_precision(rng):
    X, y = load_digits(return_X_y=True)
    X = (X[:400] / 16).astype(np.float32)
    expected, model = both("MLPClassifier", X, y[:400])
    assert model.coefs_[0].dtype == model.predict_proba(X).dtype == np.float32
    assert_equal_models(expected, model, rtol=2e-3)
    assert np.mean(model.predict(X) == expected.predict(X)) > 0.99


def test_partial_fit_gives_the_same_network(rng):
    X, y = classes(rng)
    pair = [module.MLPClassifier(random_state=1) for module in (theirs, ours)]
    for rows in np.array_split(rng.permutation(len(X)), 7):
        for estimator in pair:
            estimator.partial_fit(X[rows], y[rows], classes=np.unique(y))
    assert_equal_models(*pair)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_warm_start_continues_as_in_scikit_learn(rng, solver):
    X, y = classes(rng)
    pair = both("MLPClassifier", X, y, solver=solver, warm_start=True, max_iter=5)
    for estimator in pair:
        estimator.fit(X, y)
    assert_equal_models(*pair, rtol=1e-4 if solver == "lbfgs" else 1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"tol": 0.5, "n_iter_no_change": 1},
        {"early_stopping": True, "n_iter_no_change": 1, "tol": 0.5},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 10, "n_iter_no_change": 1},
    ],
    ids=str,
)
def test_verbose_output_is_scikit_learns(rng, capsys, options):
    X, y = classes(rng)
    outputs = []
    for module in (theirs, ours):
        module.MLPClassifier(random_state=0, max_iter=30, verbose=True, **options).fit(X, y)
        lines = capsys.readouterr().out.splitlines()
        outputs.append([line.split("loss =")[0] for line in lines])
    assert outputs[0] == outputs[1] != []


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_warnings_are_scikit_learns(rng, solver):
    X, y = classes(rng)
    outputs = []
    for module in (theirs, ours):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = module.MLPClassifier(random_state=0, max_iter=2, batch_size=1000, solver=solver)
            model.fit(X, y)
        outputs.append({(one.category, str(one.message)) for one in caught})
    assert outputs[0] == outputs[1]
    assert any(category is ConvergenceWarning for category, _ in outputs[1])


MISTAKES = {
    "nan": lambda module, X, y: module.MLPClassifier().fit(np.where(X > 1, np.nan, X), y),
    "one axis": lambda module, X, y: module.MLPClassifier().fit(X[:, 0], y),
    "no rows": lambda module, X, y: module.MLPClassifier().fit(X[:0], y[:0]),
    "lengths": lambda module, X, y: module.MLPClassifier().fit(X, y[1:]),
    "real targets": lambda module, X, y: module.MLPClassifier().fit(X, X[:, 0]),
    "not fitted": lambda module, X, y: module.MLPClassifier().predict(X),
    "not fitted values": lambda module, X, y: module.MLPRegressor().predict(X),
    "columns": lambda module, X, y: module.MLPClassifier(max_iter=1).fit(X, y).predict(X[:, :2]),
    "square": lambda module, X, y: module.MLPClassifier(max_iter=1).fit(X, y).predict(X[:4, :2]),
    "one row": lambda module, X, y: module.MLPClassifier(max_iter=1).fit(X, y).predict(X[0]),
    "no row": lambda module, X, y: module.MLPClassifier(max_iter=1).fit(X, y).predict(X[:0]),
    "nan row": lambda module, X, y: module.MLPClassifier(max_iter=1).fit(X, y).predict(X * np.nan),
    "alpha": lambda module, X, y: module.MLPClassifier(alpha=-1).fit(X, y),
    "max_iter": lambda module, X, y: module.MLPRegressor(max_iter=0).fit(X, X[:, 0]),
    "momentum": lambda module, X, y: module.MLPClassifier(momentum=2).fit(X, y),
    "layer": lambda module, X, y: module.MLPClassifier(hidden_layer_sizes=(3, -1)).fit(X, y),
    "random_state": lambda module, X, y: module.MLPClassifier(random_state="one").fit(X, y),
    "partial_fit": lambda module, X, y: module.MLPClassifier(solver="lbfgs").partial_fit(X, y),
    "no classes": lambda module, X, y: module.MLPClassifier().partial_fit(X, y),
    "other classes": lambda module, X, y: (
        module.MLPClassifier().partial_fit(X, y, classes=["a", "b"])
    ),
    "stop in part": lambda module, X, y: module.MLPRegressor(early_stopping=True).partial_fit(X, X),
    "warm": lambda module, X, y: (
        module.MLPClassifier(warm_start=True, max_iter=1).fit(X, y).fit(X[:100], y[:100])
    ),
    "small set": lambda module, X, y: (
        module.MLPRegressor(early_stopping=True, validation_fraction=0.005).fit(X, X[:, 0])
    ),
    "huge": lambda module, X, y: module.MLPRegressor(solver="sgd").fit(X * 1e200, X[:, 0]),
    "weights": lambda module, X, y: module.MLPClassifier().fit(X, y, sample_weight=np.ones(3)),
    "no weight": lambda module, X, y: module.MLPClassifier().fit(X, y, sample_weight=0 * X[:, 0]),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_error_messages_are_scikit_learns(rng, mistake):
    X, y = classes(rng)
    errors = []
    for module in (theirs, ours):
        with pytest.raises(Exception) as caught:
            mistake(module, X, y)
        errors.append((caught.type.__mro__[-4:-1], str(caught.value).splitlines()[0]))
    assert errors[0] == errors[1]


def test_every_parameter_of_scikit_learn_is_there_with_its_default():
    for kind in ("MLPClassifier", "MLPRegressor"):
        expected = getattr(theirs, kind)().get_params()
        model = getattr(ours, kind)().get_params()
        assert {name: model[name] for name in expected} == expected


def test_every_fitted_attribute_of_scikit_learn_is_there(rng):
    X, y = classes(rng)
    expected, model = both("MLPClassifier", X, y, early_stopping=True)
    names = {name for name in vars(expected) if name.endswith("_") and name[0] != "_"}
    assert {name for name in names if not hasattr(model, name)} == set()
