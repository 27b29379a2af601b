"""A fit that fails leaves the estimator as it was: every attribute, the network, its optimizer."""

from __future__ import annotations

import copy

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.datasets import load_diabetes, load_iris
from sklearn.preprocessing import scale

import fastmlp
from fastmlp.model.files import pack
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::RuntimeWarning"
)


class FailingCallback(fastmlp.Callback):
    """Fails after the second epoch of a fit, or after the only one of partial_fit."""

    def on_epoch_end(self, net, history):
        net.freeze(0)
        net.metadata["epoch"] = history.epochs
        if history.epochs == 2:
            raise RuntimeError("callback")

    def on_fit_end(self, net, history):
        if history.epochs == 1:
            raise RuntimeError("callback")


def failing_scorer(estimator, X, y):
    raise RuntimeError("scorer")


FAILURES = {
    "weights that are NaN": ({}, lambda X, y: {"sample_weight": np.full(len(X), np.nan)}),
    "negative weights": ({}, lambda X, y: {"sample_weight": -np.ones(len(X))}),
    "parameter": ({"alpha": -1.0}, lambda X, y: {}),
    "layers": ({"hidden_layer_sizes": (3, -1)}, lambda X, y: {}),
    "activation": ({"activation": ["relu", "tanh"]}, lambda X, y: {}),
    "one axis": ({}, lambda X, y: {"X": X[:, 0]}),
    "no rows": ({}, lambda X, y: {"X": X[:0], "y": y[:0]}),
    "other classes": ({}, lambda X, y: {"y": np.where(y > 1, 9, y / 2.5)}),
    "validation data": ({}, lambda X, y: {"X_val": X}),
    "validation columns": ({}, lambda X, y: {"X_val": X[:, :1], "y_val": y}),
    "small validation set": (
        {"early_stopping": True, "validation_fraction": 1e-3},
        lambda X, y: {},
    ),
    "divergence": ({"learning_rate_init": 1e300, "solver": "sgd"}, lambda X, y: {}),
    "divergence of features": ({"solver": "sgd"}, lambda X, y: {"X": X * 1e200}),
    "callback": ({"callbacks": [FailingCallback()]}, lambda X, y: {}),
    "scorer": ({"early_stopping": True, "scoring": failing_scorer}, lambda X, y: {}),
    "class weights": ({"class_weight": {7: 2.0}}, lambda X, y: {}),
    "lbfgs": ({"solver": "lbfgs", "dropout": 0.5}, lambda X, y: {}),
}
VALIDATION = ("validation data", "validation columns")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def content(model):
    """All that an estimator holds but its parameters, comparable."""
    attributes = {k: v for k, v in vars(model).items() if k not in model.get_params()}
    net = attributes.pop("network_")
    header, arrays = pack(net.state, net.metadata, with_optimizer=True)
    attributes.pop("callbacks_")
    attributes.pop("_plan", None)  # which only saves time
    return (
        {name: repr(value) for name, value in attributes.items()},
        repr(header),
        {name: array.tobytes() for name, array in arrays.items()},
        net.history.cost,
    )


def assert_unchanged(model, before, X, y, fit):
    """The attributes are as before, and training goes on as if the failure had not been."""
    assert vars(model).keys() == vars(before).keys()
    assert content(model) == content(before)
    fit(model)
    fit(before)
    assert content(model) == content(before)


@pytest.mark.parametrize(("change", "arguments"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("warm_start", [True, False])
def test_a_failed_fit_leaves_the_model_whole(iris, change, arguments, warm_start):
    X, y = iris
    options = {"max_iter": 4, "random_state": 0, "warm_start": warm_start, "ema": None}
    model = MLPClassifier((5,), **options).fit(X, y)
    before, parameters = copy.deepcopy(model), model.get_params()
    network = model.network_
    model.set_params(**change)
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        model.fit(**{"X": X, "y": y, **arguments(X, y)})
    assert model.network_ is network
    model.set_params(**parameters)
    assert_unchanged(model, before, X, y, lambda one: one.partial_fit(X, y))


@pytest.mark.parametrize(
    "name", sorted(FAILURES.keys() - {*VALIDATION, "scorer", "small validation set"})
)
def test_a_failed_partial_fit_leaves_the_stream_whole(iris, name):
    X, y = iris
    change, arguments = FAILURES[name]
    model = MLPClassifier((5,), random_state=0, batch_size=20, dropout=0.1)
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
    before, parameters = copy.deepcopy(model), model.get_params()
    model.set_params(**change)
    with pytest.raises((ValueError, TypeError, RuntimeError, AttributeError)):
        model.partial_fit(**{"X": X, "y": y, **arguments(X, y)})
    model.set_params(**parameters)
    assert_unchanged(model, before, X, y, lambda one: one.partial_fit(X, y))


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_a_first_fit_that_fails_leaves_nothing(iris, call):
    X, y = iris
    model = MLPClassifier()
    before = dict(vars(model))
    classes = {"classes": [0, 1, 2]} if call == "partial_fit" else {}
    with pytest.raises(ValueError, match="sample_weight must be ≥ 0"):
        getattr(model, call)(X, y, sample_weight=-np.ones(150), **classes)
    assert vars(model) == before


def test_a_failed_fit_of_a_regressor_leaves_the_model_whole():
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(max_iter=3, random_state=0, warm_start=True, ema=0.9).fit(X, scale(y))
    before = copy.deepcopy(model)
    model.set_params(loss="poisson")
    with pytest.raises(ValueError, match="y must be"):
        model.fit(X, scale(y))
    model.set_params(loss="squared_error")
    assert_unchanged(model, before, X, y, lambda one: one.fit(X, scale(y)))


class FailingTask:
    """A callback of scikit-learn's own kind that fails after the second epoch."""

    def __init__(self):
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.calls.append("end")
        if self.calls.count("end") == 2:
            raise RuntimeError("task")


@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_scikit_learns_callbacks_are_torn_down_and_the_model_stays_whole(iris, solver):
    callback = FailingTask()
    model = MLPClassifier((5,), max_iter=4, random_state=0, warm_start=True, solver=solver)
    before = copy.deepcopy(model.fit(*iris).set_callbacks(callback))
    with pytest.raises(RuntimeError, match="task"):
        model.fit(*iris)
    assert callback.calls == ["setup", "end", "end", "teardown"]
    for one in (model, before):
        one.set_callbacks()
    assert_unchanged(model, before, *iris, lambda one: one.fit(*iris))


def test_an_interrupt_that_ends_the_fit_leaves_the_model_whole(iris):
    """As Ctrl-C does between the epochs: in an epoch it ends training with what was learned."""
    model = MLPClassifier((5,), max_iter=3, random_state=0, warm_start=True).fit(*iris)
    before = copy.deepcopy(model)

    def interrupting(estimator, X, y):
        raise SystemExit

    model.set_params(early_stopping=True, scoring=interrupting)
    with pytest.raises(SystemExit):
        model.fit(*iris)
    model.set_params(early_stopping=False, scoring=None)
    assert_unchanged(model, before, *iris, lambda one: one.fit(*iris))


@pytest.mark.parametrize("end", ["epochs", "failure", "time"])
def test_nothing_of_a_fit_stays_in_the_network(iris, end):
    """Penalty by weight, dropout by row, limits of costs, batch sums: a later fit has none."""
    X, y = iris
    options = {"random_state": 0, "dropout": 0.3, "alpha": 5.0, "label_smoothing": 0.2}
    model = MLPClassifier((5,), max_iter=2, **options).fit(X, y)
    if end == "failure":
        with pytest.raises(RuntimeError):
            model.set_params(warm_start=True, callbacks=[FailingCallback()]).fit(X, y)
    elif end == "time":
        model.set_params(warm_start=True, max_seconds=1e-9).fit(X, y)
    net = model.network_
    fresh = fastmlp.MLP(
        (4, 5, 3), dtype="float64", dropout=0.3, seed=net.seed, init=(net.weights, net.biases)
    )
    fresh.epochs = net.epochs
    for one in (net, fresh):
        one.fit(X, y, epochs=2, batch_size=50, l2=0.1, reset_optimizer=True)
    for one, other in zip(net.weights, fresh.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert net.history.cost == fresh.history.cost


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_learning_rate_that_is_infinite_in_the_networks_dtype_is_named(solver):
    X, y = load_iris(return_X_y=True)
    estimator = MLPClassifier(solver=solver, learning_rate_init=1e39, max_iter=2)
    with pytest.raises(ValueError, match=r"learning_rate_init is 1e\+39.* in a float32 network"):
        estimator.fit(X.astype(np.float32), y)
    assert estimator.fit(X, y).n_iter_ == 2  # float64 can hold it
