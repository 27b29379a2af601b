"""Models to plot, and the number of figures that stay open."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]


@pytest.fixture(autouse=True)
def no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn without a window."""
    matplotlib = pytest.importorskip("matplotlib")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    matplotlib.use("Agg")
    monkeypatch.setattr(pyplot, "show", lambda: pytest.fail("pyplot.show was called"))


@pytest.fixture
def n_figures() -> Any:
    """The number of figures that pyplot keeps open."""
    from matplotlib import pyplot

    return lambda: len(pyplot.get_fignums())


@pytest.fixture
def trained(net: fastmlp.MLP, classes: tuple[Array, Array]) -> fastmlp.MLP:
    """A classifier after three epochs with validation."""
    net.fit(*classes, epochs=3, batch_size=50, validation_data=0.2)
    return net


@pytest.fixture
def ensemble(classes: tuple[Array, Array]) -> fastmlp.Ensemble:
    """Two classifiers of different depths, trained."""
    both = fastmlp.Ensemble([fastmlp.MLP((6, 16, 3), seed=1), fastmlp.MLP((6, 8, 8, 3), seed=2)])
    both.fit(*classes, epochs=3)
    return both


@pytest.fixture(params=["network", "ensemble", "estimator", "without probabilities"])
def model(
    request: pytest.FixtureRequest, trained: fastmlp.MLP, ensemble: fastmlp.Ensemble
) -> Any:
    """A classifier of each kind."""
    return {
        "network": trained,
        "ensemble": ensemble,
        "estimator": Estimator(trained),
        "without probabilities": WithoutProbabilities(trained),
    }[request.param]


class WithoutProbabilities:
    """A classifier with scikit-learn's interface, without predict_proba."""

    classes_ = np.array([0, 1, 2])

    def __init__(self, net: fastmlp.MLP) -> None:
        self.net = net

    def predict(self, X: Array) -> Array:
        return self.classes_[self.net.predict(X)]


class Estimator(WithoutProbabilities):
    """A fitted classifier with scikit-learn's interface."""

    def __init__(self, net: fastmlp.MLP) -> None:
        super().__init__(net)
        self.loss_curve_ = net.history.cost
        self.validation_scores_ = net.history.validation_accuracy
        self.coefs_ = [weight.T for weight in net.weights]

    def predict_proba(self, X: Array) -> Array:
        return self.net.predict_proba(X)


@pytest.fixture
def estimator(trained: fastmlp.MLP) -> Estimator:
    """An estimator with everything that can be plotted."""
    return Estimator(trained)


@pytest.fixture
def named() -> type[WithoutProbabilities]:
    """A classifier whose classes are names."""

    class Named(WithoutProbabilities):
        classes_ = np.array(["$a", "<b>", "c & d"])

    return Named


@pytest.fixture
def digits() -> tuple[fastmlp.MLP, Array, Array]:
    """A network, and 297 images of 8 × 8 digits of which it misclassifies some."""
    X, y = fastmlp.datasets.digits()
    net = fastmlp.MLP((64, 16, 10))
    net.fit(X[:1500], y[:1500], epochs=3)
    return net, X[1500:], y[1500:]
