"""What is drawn, and a look at what stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]


@pytest.fixture(autouse=True)
def no_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pictures go nowhere; each test ends without a figure."""
    matplotlib = pytest.importorskip("matplotlib")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    matplotlib.use("Agg")
    monkeypatch.setattr(pyplot, "show", lambda: pytest.fail("pyplot.show was called"))
    yield
    pyplot.close("all")


@pytest.fixture
def n_figures() -> Any:
    """The number of figures that pyplot keeps."""
    from matplotlib import pyplot

    return lambda: len(pyplot.get_fignums())


@pytest.fixture
def trained(net: fastmlp.MLP, classes: tuple[Array, Array]) -> fastmlp.MLP:
    """A classifier that has learned part of what there is, with a whole history."""
    net.fit(*classes, epochs=3, batch_size=50, validation_data=0.2)
    return net


@pytest.fixture
def committee(classes: tuple[Array, Array]) -> fastmlp.Ensemble:
    """Two classifiers of different depths, trained."""
    ensemble = fastmlp.Ensemble(
        [fastmlp.MLP((6, 16, 3), seed=1), fastmlp.MLP((6, 8, 8, 3), seed=2)]
    )
    ensemble.fit(*classes, epochs=3)
    return ensemble


@pytest.fixture(params=["network", "ensemble", "estimator", "undecided"])
def model(
    request: pytest.FixtureRequest, trained: fastmlp.MLP, committee: fastmlp.Ensemble
) -> Any:
    """Whatever classifies: the last without probabilities."""
    return {
        "network": trained,
        "ensemble": committee,
        "estimator": Estimator(trained),
        "undecided": Undecided(trained),
    }[request.param]


class Undecided:
    """A classifier in scikit-learn's manner without predict_proba."""

    classes_ = np.array([0, 1, 2])

    def __init__(self, net: fastmlp.MLP) -> None:
        self.net = net

    def predict(self, X: Array) -> Array:
        return self.classes_[self.net.predict(X)]


class Estimator(Undecided):
    """A fitted estimator in scikit-learn's manner."""

    def __init__(self, net: fastmlp.MLP) -> None:
        super().__init__(net)
        self.loss_curve_ = net.history.cost
        self.validation_scores_ = net.history.validation_accuracy
        self.coefs_ = [weight.T for weight in net.weights]

    def predict_proba(self, X: Array) -> Array:
        return self.net.predict_proba(X)


@pytest.fixture
def estimator(trained: fastmlp.MLP) -> Estimator:
    """A fitted estimator that has all that is drawn."""
    return Estimator(trained)


@pytest.fixture
def named() -> type[Undecided]:
    """Its classes are names."""

    class Named(Undecided):
        classes_ = np.array(["$a", "<b>", "c & d"])

    return Named


@pytest.fixture
def digits() -> tuple[fastmlp.MLP, Array, Array]:
    """A network that reads some of 297 digits of 8 × 8 wrong, and those."""
    X, y = fastmlp.datasets.digits()
    net = fastmlp.MLP((64, 16, 10))
    net.fit(X[:1500], y[:1500], epochs=3)
    return net, X[1500:], y[1500:]
