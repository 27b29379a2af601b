"""Parameters of the estimators as a network takes them, and those that a solver cannot use."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn.neural_network  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402

from fastmlp.activations import ELU  # noqa: E402
from fastmlp.optimizers import Adam, GradientDescent  # noqa: E402
from fastmlp.schedules import Constant  # noqa: E402
from fastmlp.sklearn import MLPClassifier  # noqa: E402
from fastmlp.sklearn.options import (  # noqa: E402
    CLASSIFIER_CONSTRAINTS,
    check_lbfgs,
    hidden_sizes,
    layer_activations,
    optimizer,
)

SHARED = sorted(sklearn.neural_network.MLPClassifier._parameter_constraints)


@pytest.mark.parametrize("name", SHARED)
def test_numbers_may_be_those_that_scikit_learn_allows(name):
    theirs = sklearn.neural_network.MLPClassifier._parameter_constraints[name]
    intervals = [
        sorted(str(one) for one in constraints if "in the range" in str(one))
        for constraints in (theirs, CLASSIFIER_CONSTRAINTS[name])
    ]
    assert intervals[0] == intervals[1]


def test_any_number_of_iterations_may_be_allowed():
    model = MLPClassifier((2,), max_iter=10**20, tol=1.0, n_iter_no_change=1).fit(np.eye(2), [0, 1])
    assert model.n_iter_ < 10


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [("dropout", 1.0, 0.0), ("ema", 1.0, 0.5), ("ema", 0.0, None), ("n_threads", 0, 1),
     ("max_seconds", 0.0, 1e9), ("label_smoothing", 1.0, 0.0), ("label_smoothing", -0.1, 0.5)],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_parameters_that_scikit_learn_has_not_have_their_range(name, wrong, right):
    X, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises(ValueError, match=f"The '{name}' parameter of MLPClassifier must be"):
        MLPClassifier((2,), max_iter=1, **{name: wrong}).fit(X, y)
    MLPClassifier((2,), max_iter=1, **{name: right}).fit(X, y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dropout", 0.1), ("dropout", [0.0, 0.1]), ("batch_norm", True),
     ("batch_norm", [False, True]), ("label_smoothing", 0.1), ("ema", 0.9), ("callbacks", [3]),
     ("max_seconds", 1)],
)  # fmt: skip
def test_what_lbfgs_cannot_use_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}=.* needs solver='sgd' or solver='adam'"):
        check_lbfgs(SimpleNamespace(**{name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [("dropout", 0), ("dropout", 0.0), ("dropout", [0, 0.0]), ("batch_norm", [False, False]),
     ("ema", None), ("callbacks", None), ("alpha", 3)],
)  # fmt: skip
def test_values_without_effect_are_allowed(name, value):
    assert check_lbfgs(SimpleNamespace(**{name: value})) is None


@pytest.mark.parametrize(
    ("parameter", "sizes"), [(5, [5]), ((3, 4), [3, 4]), (np.array([7]), [7]), ([], [])]
)
def test_sizes_of_layers_are_one_number_or_several(parameter, sizes):
    assert hidden_sizes(parameter) == sizes


@pytest.mark.parametrize("parameter", [0, -1, (3, 0), [-2]])
def test_sizes_of_layers_are_positive(parameter):
    with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0, got"):
        hidden_sizes(parameter)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [((3, 1.5), r"hidden_layer_sizes\[1\] must be a whole number, got 1.5"),
     ([(3, 4)], r"hidden_layer_sizes\[0\] must be a whole number, got \(3, 4\)"),
     (["a"], r"hidden_layer_sizes\[0\] must be a whole number, got 'a'"),
     (True, "hidden_layer_sizes must be a whole number, got True")],
)  # fmt: skip
def test_a_size_is_whole(parameter, message):
    with pytest.raises(TypeError, match=message):
        hidden_sizes(parameter)


NUMBERS = {
    "alpha": 0.125, "tol": 2.0**-12, "momentum": 0.5, "beta_1": 0.5, "beta_2": 0.75,
    "epsilon": 2.0**-14, "learning_rate_init": 2.0**-6, "power_t": 0.25,
    "validation_fraction": 0.25,
}  # fmt: skip


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble])
@pytest.mark.parametrize(
    "options",
    [{"solver": "adam"}, {"solver": "adam", "early_stopping": True}, {"solver": "lbfgs"},
     {"solver": "sgd", "learning_rate": "invscaling"},
     {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 2}],
    ids=str,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_numpy_train_as_the_same_numbers_of_python(kind, options, dtype):
    X, y = load_iris(return_X_y=True)
    X = X.astype(dtype)
    options = {"hidden_layer_sizes": (4,), "max_iter": 30, "random_state": 0, **options}
    models = [
        MLPClassifier(**options, **{name: of(value) for name, value in NUMBERS.items()}).fit(X, y)
        for of in (float, kind)
    ]
    results = [[one.n_iter_, one.loss_, *map(np.ndarray.tolist, one.coefs_)] for one in models]
    assert results[0] == results[1]
    assert type(models[1].loss_) is float


@pytest.mark.parametrize(
    ("name", "value", "same"),
    [("learning_rate_init", 1, 1.0), ("learning_rate_init", np.int64(1), 1.0),
     ("learning_rate_init", True, 1.0), ("alpha", True, 1.0), ("momentum", True, 1.0),
     ("momentum", False, 0.0), ("batch_size", True, 1), ("max_iter", True, 1),
     ("batch_size", np.uint8(50), 50), ("max_iter", np.uint8(2), 2), ("tol", 0, 0.0),
     ("n_iter_no_change", np.uint8(1), 1), ("power_t", np.int8(1), 1.0)],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_integers_and_truth_values_are_numbers_as_in_scikit_learn(name, value, same, solver):
    X, y = load_iris(return_X_y=True)
    options = {"solver": solver, "max_iter": 3, "random_state": 0, "learning_rate": "invscaling"}
    one, other = (MLPClassifier((4,), **{**options, name: v}).fit(X, y) for v in (value, same))
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])
    assert one.loss_curve_ == other.loss_curve_


def test_activations_have_scikit_learn_s_names_or_those_of_fastmlp():
    f = ELU(0.5)
    assert layer_activations("logistic") == "sigmoid"
    assert layer_activations("silu") == "silu"
    assert layer_activations(f) is f
    assert layer_activations(("logistic", "tanh", f)) == ["sigmoid", "tanh", f]


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.9, True), (0.9, False), (0.0, True)])
def test_the_optimizer_is_that_of_the_solver(momentum, nesterov):
    estimator = SimpleNamespace(
        solver="sgd", momentum=momentum, nesterovs_momentum=nesterov,
        beta_1=0.8, beta_2=0.99, epsilon=1e-6,
    )  # fmt: skip
    rate = Constant(0.1)
    expected = GradientDescent(rate, momentum, nesterov and momentum > 0)
    assert optimizer(estimator, rate) == expected
    estimator.solver = "adam"
    assert optimizer(estimator, rate) == Adam(rate, 0.8, 0.99, 1e-6, epsilon_hat=True)
