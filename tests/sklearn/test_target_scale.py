"""A warning for targets of a regression that the network has not reached, and for no others."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, make_friedman1, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler, scale

from fastmlp.sklearn import MLPRegressor

OPTIONS = {"random_state": 0}


@pytest.fixture(scope="module")
def friedman():
    X, y = make_friedman1(n_samples=300, random_state=0)
    return scale(X), scale(y)


def fitted(model, *data, **keywords):
    """The model, fitted, and the warnings but those of convergence."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(*data, **keywords)
    return model, caught


@pytest.mark.parametrize(
    "targets",
    [
        lambda y: 1e5 * y,
        lambda y: 1e5 * (3 + y),
        lambda y: 3e5 + 1e5 * y,
        lambda y: 2000 + 5 * y,
        lambda y: 1e-5 * y,
        lambda y: np.column_stack([y, 1e5 * y]),
    ],
    ids=["around 0", "positive", "large", "years", "small", "one of two columns"],
)
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_targets_out_of_reach_are_warned_of(friedman, targets, loss):
    X, y = friedman[0], targets(friedman[1])
    _, (warning,) = fitted(MLPRegressor(loss=loss, max_iter=60, **OPTIONS), X, y)
    assert warning.category is UserWarning and warning.filename == __file__
    assert warning.lineno in {line for *_, line in fitted.__code__.co_lines()}  # the call of fit
    assert "TransformedTargetRegressor" in str(warning.message)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_the_remedy_for_positive_losses_keeps_targets_positive(friedman, loss):
    X, y = friedman[0], 1e6 * np.exp(friedman[1])
    _, (warning,) = fitted(MLPRegressor(loss=loss, max_iter=3, **OPTIONS), X, y)
    assert "Divide them by their mean" in str(warning.message)
    _, caught = fitted(MLPRegressor(loss=loss, **OPTIONS), X, y / y.mean())
    assert not caught


@pytest.mark.parametrize(
    ("root_mean_square", "n_warnings"), [(0.0099, 1), (0.0101, 0), (99.5, 0), (100.5, 1)]
)
def test_targets_are_out_of_reach_below_a_hundredth_and_above_a_hundred(
    friedman, root_mean_square, n_warnings
):
    X, y = friedman
    y = y * root_mean_square / np.sqrt(np.mean(y**2))
    _, caught = fitted(MLPRegressor(max_iter=1, **OPTIONS), X, y)
    assert len(caught) == n_warnings


def test_outputs_that_are_not_finite_are_warned_of(friedman):
    X, y = friedman[0], 1e6 * np.exp(friedman[1])
    one_step = {"solver": "sgd", "learning_rate_init": 1.0, "batch_size": len(X), "max_iter": 1}
    model = MLPRegressor(loss="poisson", **one_step, **OPTIONS)
    _, (warning,) = fitted(model, X, np.column_stack([y, y]))
    assert "R² = -inf" in str(warning.message)
    with pytest.raises(FloatingPointError):
        model.predict(X)


def test_the_remedy_helps(friedman):
    X, y = friedman[0], 3e5 + 1e5 * friedman[1]
    regressor = TransformedTargetRegressor(
        MLPRegressor(max_iter=300, **OPTIONS), transformer=StandardScaler()
    )
    model, caught = fitted(regressor, X, y)
    assert not caught and model.score(X, y) > 0.9


HEALTHY = {
    "standardized": lambda y: (y, {}),
    "hardly trained": lambda y: (y, {"max_iter": 1}),
    "unscaled": lambda y: (14.4 + 5 * y, {}),
    "noise": lambda y: (np.random.default_rng(0).normal(size=len(y)), {}),
    "large, by lbfgs": lambda y: (3e5 + 1e5 * y, {"solver": "lbfgs", "max_iter": 500}),
    "hundreds, trained": lambda y: (150 + 70 * y, {"learning_rate_init": 0.03, "max_iter": 300}),
    "large and learned, beside noise": lambda y: (
        np.column_stack([3e5 + 1e5 * y, 0.1 * np.random.default_rng(0).normal(size=len(y))]),
        {"solver": "lbfgs", "max_iter": 100},
    ),
    "constant": lambda y: (np.full(len(y), 1e6), {}),
    "zeros": lambda y: (np.zeros(len(y)), {}),
    "a column of zeros": lambda y: (np.column_stack([y, 0 * y]), {}),
}


@pytest.mark.parametrize("case", HEALTHY.values(), ids=HEALTHY)
def test_other_targets_raise_no_warning(friedman, case):
    y, options = case(friedman[1])
    _, caught = fitted(MLPRegressor(**{**OPTIONS, **options}), friedman[0], y)
    assert not caught


def test_data_of_scikit_learns_examples_raise_no_warning():
    X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    model, caught = fitted(MLPRegressor(random_state=1, max_iter=2000, tol=0.1), X, y)
    assert not caught and model.score(X, y) > 0.9
    X, y = load_diabetes(return_X_y=True)
    assert not fitted(MLPRegressor(**OPTIONS), scale(X), scale(y))[1]


def test_samples_of_zero_weight_do_not_count(friedman):
    X, y = friedman[0], friedman[1].copy()
    y[::10] = 1e6
    weight = (np.arange(len(y)) % 10 > 0).astype(float)
    _, caught = fitted(MLPRegressor(max_iter=1, **OPTIONS), X, y, sample_weight=weight)
    assert not caught


def test_a_stream_and_a_loss_of_ones_own_raise_no_warning(friedman):
    """A stream has no whole training set; targets of another loss may mean anything."""
    X, y = friedman[0], 1e5 * friedman[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPRegressor(**OPTIONS).partial_fit(X, y)
    own = (lambda h, y: np.abs(h - y).sum(axis=1), lambda h, y: np.sign(h - y))
    assert not fitted(MLPRegressor(loss=own, max_iter=2, **OPTIONS), X, y)[1]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(("of_X", "of_y"), [(1, 1e300), (1e150, 1), (1e300, 1e-30), (1e300, 1e300)])
def test_numbers_whose_squares_are_infinite_give_no_warnings_of_numpy(friedman, solver, of_X, of_y):
    X, y = friedman
    model = MLPRegressor(solver=solver, early_stopping=True, max_iter=2, **OPTIONS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", module="sklearn.metrics")
        try:
            model.fit(of_X * X, of_y * y)
        except ValueError as error:
            assert "Solver produced non-finite" in str(error) or "not finite" in str(error)
    assert not [str(one.message) for one in caught if one.category is RuntimeWarning]
