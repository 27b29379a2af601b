"""Where a classifier is right: by class, and by place in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..support import checks
from . import canvas, reading
from .reading import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["confusion", "decision_boundary"]

Array = NDArray[Any]

MOST_COUNTED = 25  # classes with which a count still fits into each cell


def confusion(
    model: Model,
    X: Any,
    y: ArrayLike,
    *,
    class_names: Sequence[object] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often each class (row) is read as each class (column).

    Colours stand for a row's shares, on a scale that shows a few mistakes in a thousand; the counts
    stand in the cells, and cells without an example are empty.

    Parameters
    ----------
    model : MLP, Ensemble or fitted classifier with `predict` and `classes_`
        Whose answers are counted.
    X : array-like or SciPy sparse matrix, (m, n_in)
        Examples, one a row.
    y : array-like, (m,)
        Their true classes.
    class_names : sequence, optional
        One for each class.  Default: the model's own, or numbers.
    ax : matplotlib.axes.Axes, optional
        Where to draw.  Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its only image is the matrix of shares in percent, masked where there is no example.
    """
    found = reading.answers(model, X, y, class_names)
    n = len(found.names)
    counts = np.zeros((n, n), np.int64)
    np.add.at(counts, (found.y, found.predicted), 1)
    share = np.ma.masked_equal(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), 0)

    ax = canvas.axes(ax, (5, 4.6))
    from matplotlib.colors import PowerNorm

    ax.imshow(share, cmap="Blues", norm=PowerNorm(0.35, 0, 100), interpolation="none")
    if n <= MOST_COUNTED:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                dark = share[i, j] > 25
                ax.text(
                    j, i, f"{count}", ha="center", va="center", fontsize=min(8, 80 / n),
                    color="white" if dark else "black",
                )
        upright = sum(map(len, found.names)) > 30
        ax.set_xticks(range(n), found.names, rotation=90 if upright else 0)
        ax.set_yticks(range(n), found.names)
        canvas.literal([*ax.get_xticklabels(), *ax.get_yticklabels()])
    ax.set(xlabel="read as", ylabel="true class")
    ax.set_title(
        f"{100 * (1 - len(found.wrong) / len(found.y)):.2f} % right, {len(found.wrong):,} of "
        f"{len(found.y):,} wrong",
        fontsize=9,
    )
    bar = canvas.scale(ax, "share of the true class, %")
    bar.set_ticks([0.1, 1, 10, 50, 100], labels=["0.1", "1", "10", "50", "100"])
    bar.minorticks_off()
    return ax


def decision_boundary(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    *,
    class_names: Sequence[object] | None = None,
    resolution: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """Draw the plane as a classifier of two inputs divides it, with examples on it.

    Each point has the colours of the classes mixed by their probabilities; lines part the regions
    of different answers.

    Parameters
    ----------
    model : MLP, Ensemble or fitted classifier with `predict` and `classes_`
        Of two inputs.
    X : array-like, (m, 2)
        Examples, which also say what part of the plane is drawn.
    y : array-like, (m,)
        Their true classes, which give the points colour and shape.
    class_names : sequence, optional
        One for each class.  Default: the model's own, or numbers.
    resolution : int, default 200
        Points along each axis at which the model is asked.
    ax : matplotlib.axes.Axes, optional
        Where to draw.  Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The regions, with the examples over them.
    """
    resolution = checks.whole("resolution", resolution, least=2)
    points = checks.array("X", X)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"X has shape {points.shape}; expected (m, 2): the picture is of a model of two inputs"
        )
    if points.dtype == np.uint8 and reading.networks(model):
        points = points * model.uint8_scale  # as they count
    found = reading.answers(model, points, y, class_names)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.08 * (high - low) + (high == low)
    # the middles of the picture's pixels
    steps = (np.arange(resolution) + 0.5) / resolution
    along = (low - margin)[:, np.newaxis] + (high - low + 2 * margin)[:, np.newaxis] * steps
    grid = np.stack(np.meshgrid(*along), axis=-1).reshape(-1, 2)
    answer, mixed = _regions(model, grid, len(found.names))

    ax = canvas.axes(ax, (5, 4))
    from matplotlib.colors import to_rgb

    palette = [canvas.COLORS[k % len(canvas.COLORS)] for k in range(len(found.names))]
    colors = 0.45 * (mixed @ np.array([to_rgb(one) for one in palette])) + 0.55
    square = (resolution, resolution)
    ax.imshow(
        colors.reshape(*square, 3).clip(0, 1),
        origin="lower",
        extent=(low[0] - margin[0], high[0] + margin[0], low[1] - margin[1], high[1] + margin[1]),
        aspect="auto",
        interpolation="nearest",
    )
    for k in np.unique(answer)[1:]:  # one region needs no line, two need one
        ax.contour(
            *along, (answer == k).reshape(square), levels=[0.5], colors="#555555", linewidths=0.8
        )
    for k, color in enumerate(palette):
        own = found.y == k
        ax.scatter(
            points[own, 0], points[own, 1], s=16, color=color, edgecolors="white", linewidths=0.5,
            marker=canvas.MARKERS[k % len(canvas.MARKERS)], label=found.names[k],
        )
    ax.set(xlabel="first input", ylabel="second input")
    ax.set_title(
        f"{100 * (1 - len(found.wrong) / len(found.y)):.1f} % of {len(found.y):,} examples right",
        fontsize=9,
    )
    canvas.literal(ax.legend(fontsize=8).get_texts())
    return ax


def _regions(model: Model, grid: Array, n_classes: int) -> tuple[NDArray[np.intp], Array]:
    """For each point the class that is answered, and how much of each class's colour it has."""
    if reading.networks(model) or hasattr(model, "predict_proba"):
        mixed = reading.probabilities(model, grid)
        return np.argmax(mixed, axis=1), mixed
    index = {label: k for k, label in enumerate(np.asarray(model.classes_).tolist())}
    answer = np.array([index[label] for label in np.asarray(model.predict(grid)).tolist()])
    return answer, np.eye(n_classes)[answer]
