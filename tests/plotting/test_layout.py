"""Nothing of a plot is cut off, whatever is in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]
Digits = tuple[fastmlp.MLP, Array, Array]

LONG = [f"a rather long name of class {k}" for k in range(10)]
plotting = fastmlp.plotting


def plane(net: fastmlp.MLP, X: Array, y: Array) -> Any:
    points, classes = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 3
    small = fastmlp.MLP((2, 8, 3))
    return plotting.decision_boundary(small, points, classes, class_names=LONG[:3])


def predicted(net: fastmlp.MLP, X: Array, y: Array) -> Any:
    regression = fastmlp.MLP((64, 8, 1), loss="squared_error")
    return plotting.predicted_vs_actual(regression, X, 1e7 * y, target_names=[LONG[0]])


PLOTS: dict[str, Callable[[fastmlp.MLP, Array, Array], Any]] = {
    "history": lambda net, X, y: plotting.history(net),
    "history of many digits": lambda net, X, y: plotting.history(
        fastmlp.History(cost=[123456.7, 123456.8], learning_rate=[1e-7, 2e-7])
    ),
    "confusion": plotting.confusion,
    "confusion of long names": lambda net, X, y: plotting.confusion(net, X, y, class_names=LONG),
    "errors": lambda net, X, y: plotting.errors(net, X, y, most=16),
    "one error": lambda net, X, y: plotting.errors(net, X, y, most=1),
    "errors of long names": lambda net, X, y: plotting.errors(net, X, y, class_names=LONG),
    "no errors": lambda net, X, y: plotting.errors(net, X, net.predict(X)),
    "weights": lambda net, X, y: plotting.weights(net),
    "a matrix of weights": lambda net, X, y: plotting.weights(net, layer=1),
    "weights of long names": lambda net, X, y: plotting.weights(
        fastmlp.MLP((10, 8, 2)), column_names=LONG, column_scales=np.ones(10)
    ),
    "images": lambda net, X, y: plotting.images(X[:24], titles=y[:24]),
    "calibration": plotting.calibration,
    "activations": lambda net, X, y: plotting.activations(net, X),
    "decision boundary": plane,
    "predicted against actual": predicted,
}


@pytest.mark.parametrize("name", PLOTS)
def test_everything_is_within_the_figure(name: str, digits: Digits) -> None:
    plot = PLOTS[name](*digits)
    figure = getattr(plot, "figure", plot)
    figure.canvas.draw()
    box = figure.get_tightbbox(figure.canvas.get_renderer())  # inches
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.01 and box.y0 >= -0.01
    assert box.x1 <= width + 0.01 and box.y1 <= height + 0.01
