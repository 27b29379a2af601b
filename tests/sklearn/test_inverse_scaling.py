"""Learning rates that learning_rate="invscaling" makes very small; the velocity still moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network  # noqa: E402

from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402
from fastmlp.sklearn.stochastic import MARGIN, inverse_scaling, least_rate  # noqa: E402

M = 300
X = np.random.default_rng(0).normal(size=(M, 4))
y = X[:, 0] + X[:, 1] ** 2
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


def parameters(model: Any) -> np.ndarray:
    return np.concatenate([one.ravel() for one in (*model.coefs_, *model.intercepts_)])


def options(power_t: float, **others: Any) -> dict[str, Any]:
    return {
        "hidden_layer_sizes": (6,), "solver": "sgd", "learning_rate": "invscaling",
        "power_t": power_t, "max_iter": 12, "batch_size": 30, "random_state": 0, **others,
    }  # fmt: skip


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("power_t", [0.5, 3, 15.5, 40.0, 80.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_small_rates_are_those_of_scikit_learn(
    name: str, dtype: type, power_t: float, nesterov: bool
) -> None:
    """Their gradients no longer matter, but the velocity of the first epoch does."""
    own = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name]
    targets = y > 1 if own is MLPClassifier else y.astype(dtype)
    given = options(power_t, nesterovs_momentum=nesterov)
    model = own(**given).fit(X.astype(dtype), targets)
    theirs = getattr(neural_network, name)(**given).fit(X, targets)
    start = own(**{**given, "max_iter": 1}).fit(X.astype(dtype), targets)
    moved = np.abs(parameters(model) - parameters(start)).max()
    assert moved > 1e-3
    error = np.abs(parameters(model) - parameters(theirs)).max()
    assert error < (1e-12 if dtype is np.float64 else 2e-6)
    assert model.n_iter_ == theirs.n_iter_


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("power_t", [1e3, 10**9])
def test_rates_below_all_floats_train_too(power_t: float, momentum: float) -> None:
    expected = MLPRegressor(**options(100.0, momentum=momentum)).fit(X, y)
    model = MLPRegressor(**options(power_t, momentum=momentum)).fit(X, y)
    assert np.allclose(parameters(model), parameters(expected), rtol=1e-12, atol=0)


def test_a_stream_goes_on_with_a_small_rate() -> None:
    model = MLPRegressor(**options(20.0)).partial_fit(X.astype(np.float32), y)
    theirs = neural_network.MLPRegressor(**options(20.0)).partial_fit(X, y)
    for _ in range(5):
        model.partial_fit(X.astype(np.float32), y)
        theirs.partial_fit(X, y)
    assert np.abs(parameters(model) - parameters(theirs)).max() < 2e-6


@pytest.mark.parametrize("rate", [1e-3, 1e-37, 1e-44])
def test_a_first_rate_near_the_end_of_float32_trains(rate: float) -> None:
    model = MLPRegressor(**options(15.0, learning_rate_init=rate)).fit(X.astype(np.float32), y)
    assert np.isfinite(parameters(model)).all()


def test_the_formula_of_the_rate() -> None:
    assert inverse_scaling(0.1, 99, 0.5) == 0.01
    assert inverse_scaling(0.1, 99, 10**6) == 0.0


def test_the_least_rate_keeps_velocity_and_rate_within_the_range() -> None:
    numbers = np.finfo(np.float32)
    slots = [[(np.float32([[-8.0]]), np.float32([2.0]))]]
    rate = least_rate(0.5, slots, np.dtype(np.float32))
    assert 0.5 / rate * 8 == pytest.approx(float(numbers.max) / MARGIN)
    assert least_rate(1e-30, slots, np.dtype(np.float32)) == MARGIN * float(numbers.tiny)
