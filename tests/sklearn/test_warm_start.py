"""Parameters that change between warm starts or calls of partial_fit: heeded or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network
from sklearn.datasets import load_diabetes, load_iris
from sklearn.preprocessing import scale

from fastmlp.model.files import pack
from fastmlp.sklearn import MLPClassifier, MLPRegressor
from fastmlp.sklearn.warm_start import continued

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0, "warm_start": True}


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), scale(y)


@pytest.mark.parametrize(
    "change",
    [
        {"activation": "tanh"},
        {"activation": ["gelu"]},
        {"dropout": 0.5},
        {"alpha": 1.0},
        {"label_smoothing": 0.3},
        {"class_weight": {0: 5.0}},
        {"batch_size": 10},
        {"ema": 0.9},
        {"solver": "sgd"},
        {"solver": "lbfgs"},
        {"learning_rate_init": 0.1},
    ],
    ids=str,
)
def test_a_changed_parameter_takes_effect(iris, change):
    changed, unchanged = (MLPClassifier(**OPTIONS).fit(*iris) for _ in "ab")
    changed.set_params(**change).fit(*iris)
    unchanged.fit(*iris)
    assert not np.array_equal(changed.predict_proba(iris[0]), unchanged.predict_proba(iris[0]))


@pytest.mark.parametrize("activation", ["tanh", "logistic", "identity"])
def test_another_activation_continues_as_in_scikit_learn(iris, activation):
    kinds = neural_network.MLPClassifier, MLPClassifier
    pair = [kind(**OPTIONS).fit(*iris) for kind in kinds]
    for model in pair:
        model.set_params(activation=activation).fit(*iris)
    expected, model = pair
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-6)
    assert model.loss_curve_ == pytest.approx(expected.loss_curve_, rel=1e-6)


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_layer_sizes": (8, 8)}, r"hidden_layer_sizes was \(8,\); it cannot become \(8, 8"),
        ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes was \(8,\); it cannot become \(\)"),
        ({"hidden_layer_sizes": 9}, r"hidden_layer_sizes was \(8,\); it cannot become \(9,\)"),
        ({"batch_norm": True}, r"batch_norm was \(False,\); it cannot become \(True,\)"),
    ],
    ids=str,
)
def test_parameters_that_do_not_fit_the_weights_are_refused(iris, call, change, message):
    model = MLPClassifier(**OPTIONS).fit(*iris)
    before = model.predict_proba(iris[0])
    remedy = "Fit a new estimator, or this one without warm_start"
    if call == "partial_fit":
        remedy = "Fit a new estimator"
    with pytest.raises(ValueError, match=rf"{message}.*\. {remedy}$"):
        getattr(model.set_params(**change), call)(*iris)
    np.testing.assert_array_equal(model.predict_proba(iris[0]), before)
    model.set_params(warm_start=False).fit(*iris)  # a new network


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "poisson"])
def test_a_changed_loss_takes_effect(diabetes, loss):
    X, y = diabetes[0], np.abs(diabetes[1])
    model = MLPRegressor(**OPTIONS).fit(X, y)
    model.set_params(loss=loss).fit(X, y)
    assert model.network_.loss.name == loss
    assert model.out_activation_ == ("exp" if loss == "poisson" else "identity")
    assert (model.predict(X) > 0).all() == (loss == "poisson")


def test_a_loss_or_targets_with_other_outputs_are_refused(diabetes):
    X, y = diabetes
    model = MLPRegressor(**OPTIONS).fit(X, y)
    with pytest.raises(ValueError, match="the number of outputs"):
        model.fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="the number of outputs"):
        model.set_params(loss="quantile").fit(X, y)


@pytest.mark.parametrize(("first", "then"), [("f4", "f8"), ("f8", "f4")])
def test_the_dtype_of_X_becomes_the_networks(iris, first, then):
    X, y = iris
    model = MLPClassifier(**OPTIONS).fit(X.astype(first), y)
    before = model.coefs_[0]
    assert model.set_params(learning_rate_init=1e-300).fit(X.astype(then), y).network_.dtype == then
    assert model.predict_proba(X.astype(then)).dtype == then
    np.testing.assert_allclose(model.coefs_[0], before, rtol=1e-6)


def test_a_stream_keeps_the_dtype_that_it_began_with(iris):
    X, y = iris
    model = MLPClassifier(**OPTIONS).partial_fit(X.astype("f4"), y, classes=[0, 1, 2])
    assert model.partial_fit(X, y).network_.dtype == "f4"


def test_lbfgs_continues_in_double_precision_from_what_adam_has_learned(iris):
    X, y = iris[0].astype("f4"), iris[1]
    model = MLPClassifier(**{**OPTIONS, "max_iter": 100}, ema=0.9).fit(X, y)
    loss = model.loss_
    model.set_params(solver="lbfgs", ema=None, max_iter=5).fit(X, y)
    assert model.network_.dtype == np.float64 and not model.network_.use_average
    assert model.loss_ < loss
    assert not hasattr(model, "loss_curve_")  # L-BFGS has none, and adam's is not its own
    model.set_params(solver="adam", max_iter=2).fit(X, y)
    assert len(model.loss_curve_) == 2 and model.network_.dtype == np.float32


def test_validation_data_may_lack_a_class(iris):
    X, y = iris
    model = MLPClassifier(**OPTIONS).fit(X, y)
    model.fit(X, y, X_val=X[:100], y_val=y[:100])
    assert len(model.validation_loss_curve_) == model.n_iter_


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_early_stopping_may_be_switched_on_and_off(iris, solver):
    model = MLPClassifier(**OPTIONS, solver=solver).fit(*iris)
    assert model.validation_scores_ is None and np.isfinite(model.best_loss_)
    model.set_params(early_stopping=True).fit(*iris)
    assert len(model.validation_scores_) == model.n_iter_ == 3
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is None
    model.set_params(early_stopping=False).fit(*iris)
    assert model.validation_scores_ is None and model.best_validation_score_ is None
    assert model.best_loss_ == min(model.loss_curve_[-3:])
    assert len(model.loss_curve_) == 9


def test_early_stopping_after_lbfgs(iris):
    model = MLPClassifier(**OPTIONS, solver="lbfgs").fit(*iris)
    model.set_params(solver="adam", early_stopping=True).fit(*iris)
    assert len(model.validation_scores_) == len(model.loss_curve_) == 3


def test_the_learning_rate_of_a_stream_may_change(iris):
    X, y = iris
    one, other = (MLPClassifier(random_state=0).partial_fit(X, y, classes=[0, 1, 2]) for _ in "ab")
    other.set_params(learning_rate_init=0.1)
    assert one.partial_fit(X, y).loss_ == other.partial_fit(X, y).loss_  # before the update
    assert np.abs(other.coefs_[0] - one.coefs_[0]).max() > 0.05


def test_a_stream_keeps_the_optimizers_state_when_the_activation_changes(iris):
    """And does as scikit-learn, whose estimator reads its activation in every step."""
    X, y = iris
    pair = [neural_network.MLPClassifier(random_state=0), MLPClassifier(random_state=0)]
    for model in pair:
        model.partial_fit(X, y, classes=[0, 1, 2])
        model.partial_fit(X, y)
        model.set_params(activation="tanh").partial_fit(X, y)
    np.testing.assert_allclose(pair[1].coefs_[0], pair[0].coefs_[0], rtol=1e-9)


def test_averages_and_frozen_layers_stay_when_dropout_changes(iris):
    model = MLPClassifier(**OPTIONS, ema=0.99).fit(*iris)
    model.network_.freeze(0)
    before = model.coefs_[0], model.network_.weights[0]
    model.set_params(dropout=0.5).fit(*iris)
    assert model.network_.dropout == (0.5,) and model.network_.frozen == (0,)
    np.testing.assert_array_equal(model.network_.weights[0], before[1])
    assert not np.array_equal(model.coefs_[0], model.network_.weights[0])  # still the average


def test_dropout_that_begins_later_is_seeded_by_random_state(iris):
    def fitted(seed):
        model = MLPClassifier(**{**OPTIONS, "random_state": 0}).fit(*iris)
        return model.set_params(dropout=0.5, random_state=seed, shuffle=False).fit(*iris)

    same, again, other = fitted(1), fitted(1), fitted(2)
    np.testing.assert_array_equal(same.coefs_[0], again.coefs_[0])
    assert not np.array_equal(same.coefs_[0], other.coefs_[0])


def test_dropout_that_goes_on_keeps_its_seed(iris):
    model = MLPClassifier(**OPTIONS, dropout=0.2).fit(*iris)
    seed = model.network_.seed
    for dropout in (0.2, 0.5):
        assert model.set_params(dropout=dropout).fit(*iris).network_.seed == seed


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_network_with_another_dropout_has_learned_the_same(iris, solver, ema):
    """Parameters, running statistics, averages, optimizer, epochs and frozen layers."""
    model = MLPClassifier(**OPTIONS, solver=solver, ema=ema, batch_norm=True).fit(*iris)
    net = model.network_
    net.freeze(0)
    spec = replace(net.state.spec, dropout=(0.5,))
    changed = continued(net, spec, np.random.RandomState(0), "warm_start=True")
    headers, arrays = zip(
        *(pack(one.state, one.metadata, with_optimizer=True) for one in (net, changed)), strict=True
    )
    assert headers[1] == {**headers[0], "dropout": (0.5,), "seed": changed.seed}
    assert arrays[0].keys() == arrays[1].keys()
    for name, array in arrays[0].items():
        np.testing.assert_array_equal(array, arrays[1][name])
    assert changed.history == net.history
