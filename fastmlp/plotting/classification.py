"""Plots of a classifier's predictions: by class, by probability, and over the plane of inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..support import checks
from . import canvas, model_data
from .model_data import Model, Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["calibration", "confusion", "confusion_size", "decision_boundary"]

Array = NDArray[Any]

SMALLEST_CELL, LARGEST_CELL = 0.05, 1.2  # inches, of a confusion matrix in a new figure
SMALLEST_COUNT, LARGEST_COUNT = 5.0, 9.0  # points, of the numbers in its cells


def confusion(
    model: Model,
    X: Any,
    y: ArrayLike,
    *,
    class_names: Iterable[object] | None = None,
    ax: Axes | None = None,
) -> Any:
    """Plot the confusion matrix: how often each class (row) is predicted as each class (column).

    Colors show percentages of the true class, on a scale on which a few in a thousand are visible;
    cells without an example are empty.  The cells contain their counts if these are legible;
    otherwise the title states the most frequent confusion.  A new figure grows with the number of
    classes.

    Parameters
    ----------
    model : MLP, Ensemble or fitted classifier with `predict` and `classes_`
        The classifier.
    X : array-like or SciPy sparse matrix, (m, n_in)
        Examples, one per row.
    y : array-like, (m,)
        Their true classes.
    class_names : iterable, optional
        A name for each class.  Default: the model's own, or numbers.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.  Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its only image is the matrix in percent of each row, masked where there is no example.

    See Also
    --------
    errors : Plot misclassified images.
    calibration : Plot accuracy against predicted probability.
    """
    predictions = model_data.predictions(model, X, y, class_names)
    counts, n = predictions.counts, len(predictions.names)
    percent = np.ma.masked_equal(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), 0)

    ax = canvas.axes(ax, confusion_size(predictions.names))
    from matplotlib.colors import PowerNorm

    ax.imshow(percent, cmap="Blues", norm=PowerNorm(0.35, 0, 100), interpolation="none")
    box = ax.get_window_extent()
    pitch = 72 / ax.figure.dpi * min(box.width, box.height) / n  # points from class to class
    size = min(LARGEST_COUNT, 0.9 * pitch / (canvas.GLYPH * len(str(counts.max()))))
    if size >= SMALLEST_COUNT:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                color = "white" if percent[i, j] > 25 else "black"
                ax.text(j, i, f"{count}", ha="center", va="center", fontsize=size, color=color)
    for axis in (ax.xaxis, ax.yaxis):
        canvas.tick_labels(axis, predictions.names, pitch)
    ax.set(xlabel="predicted as", ylabel="true class")
    title = _confusion_title(predictions, counted=size >= SMALLEST_COUNT)
    canvas.literal([ax.set_title(title, fontsize=9)])
    bar = canvas.color_bar(ax, "% of the true class")
    bar.set_ticks([0.1, 1, 10, 50, 100], labels=["0.1", "1", "10", "50", "100"])
    bar.minorticks_off()
    return ax


def confusion_size(names: Sequence[str]) -> tuple[float, float]:
    """Return the size in inches of a figure in which the confusion matrix is legible."""
    n = len(names)
    # cells that hold a count of three digits up to 30 classes, narrower ones beyond
    cell = np.clip(3.6 / n, 0.3, LARGEST_CELL) if n <= 30 else max(9.0 / n, SMALLEST_CELL)
    side = n * float(cell)
    longest = max(len(canvas.shortened(name)) for name in names)
    label = canvas.GLYPH * canvas.LABEL * longest / 72
    return (side + label + 1.6) / 0.97, (side + label + 0.9) / 0.97


def _confusion_title(predictions: Predictions, counted: bool) -> str:
    accuracy, n_wrong = predictions.accuracy, len(predictions.wrong)
    title = f"accuracy {100 * accuracy:.2f} %, {n_wrong:,} of {len(predictions.y):,} wrong"
    if counted or not n_wrong:
        return title
    true, predicted, count = predictions.confusions()[0]
    pair = f"{canvas.shortened(true)} predicted as {canvas.shortened(predicted)}"
    return f"{title}\nmost often {pair}: {count:,} times"


def calibration(
    model: Model,
    X: Any,
    y: ArrayLike,
    *,
    bins: int = 10,
    ax: Axes | None = None,
) -> Any:
    """Plot the accuracy of a classifier against the probabilities that it predicts.

    Examples are binned by the probability p of the predicted class.  A point shows a bin's mean p
    and its accuracy with a 95 % interval (Wilson 1927); points below the diagonal are
    overconfident.  Bars show the percentage of examples in each bin.  The title states the
    expected calibration error, Σ n_b/m ``|accuracy_b − p_b|`` (Naeini et al. 2015).

    Parameters
    ----------
    model : MLP, Ensemble or fitted classifier with `predict`, `predict_proba` and `classes_`
        The classifier.
    X : array-like or SciPy sparse matrix, (m, n_in)
        Examples, one per row.
    y : array-like, (m,)
        Their true classes.
    bins : int, default 10
        Number of bins of equal width, from probability 0 to 1.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.  Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The points with their intervals, over the bars.

    See Also
    --------
    confusion : Plot which classes are confused.
    """
    bins = checks.whole("bins", bins)
    predictions = model_data.predictions(model, X, y)
    p = predictions.confidence
    if p is None:
        raise TypeError(f"expected a model with predict_proba, got {model!r}")
    correct = predictions.y == predictions.predicted
    place = np.minimum((p * bins).astype(np.intp), bins - 1)
    counts = np.bincount(place, minlength=bins)
    occupied = counts > 0
    n = counts[occupied]
    mean_p = np.bincount(place, p, bins)[occupied] / n
    accuracy = np.bincount(place, correct, bins)[occupied] / n
    error = float(np.sum(n * np.abs(accuracy - mean_p)) / len(p))

    ax = canvas.axes(ax, (5, 4))
    left = 100 * np.arange(bins) / bins
    ax.bar(
        left, 100 * counts / len(p), 100 / bins, align="edge", color="#999999", alpha=0.35,
        label="examples in the bin",
    )
    ax.plot([0, 100], [0, 100], color="#999999", linestyle="--", linewidth=1, label="calibrated")
    low, high = _wilson(accuracy, n)
    ax.errorbar(
        100 * mean_p, 100 * accuracy, [100 * (accuracy - low), 100 * (high - accuracy)],
        color=canvas.COLORS[0], marker="o", markersize=4, linewidth=1.2, capsize=2,
        label="accuracy, 95 % interval",
    )
    ax.set(
        xlabel="probability of the predicted class, %", ylabel="accuracy, %", xlim=(0, 100),
        ylim=(0, 102),
    )
    ax.grid(alpha=0.3)
    ax.legend(
        fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False
    )
    ax.set_title(
        f"expected calibration error {100 * error:.2f} %\n"
        f"mean probability {100 * p.mean():.2f} %, accuracy {100 * correct.mean():.2f} %",
        fontsize=9,
    )
    return ax


def decision_boundary(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    *,
    class_names: Iterable[object] | None = None,
    column_names: Iterable[object] | None = None,
    resolution: int = 200,
    ax: Axes | None = None,
) -> Any:
    """Plot the decision regions of a classifier of two inputs, with examples over them.

    The color of a point of the plane mixes the colors of the classes by their probabilities.
    Lines separate regions of different predicted classes.

    Parameters
    ----------
    model : MLP, Ensemble or fitted classifier with `predict` and `classes_`
        A classifier of two inputs.
    X : array-like, (m, 2)
        Examples, one per row, which also determine the part of the plane that is plotted.
    y : array-like, (m,)
        Their true classes, shown by color and marker.
    class_names : iterable, optional
        A name for each class.  Default: the model's own, or numbers.
    column_names : iterable, optional
        A name for each input.  Default: the model's own, or "input 1" and "input 2".
    resolution : int, default 200
        Number of points along each axis at which the model predicts.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.  Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The regions, with the examples over them.

    See Also
    --------
    confusion : Plot which classes are confused.
    """
    resolution = checks.whole("resolution", resolution, least=2)
    points = checks.array("X", X)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"X has shape {points.shape}; expected (m, 2): the plot is for models of two inputs"
        )
    if points.dtype == np.uint8 and model_data.networks(model):
        points = points * model.uint8_scale
    predictions = model_data.predictions(model, points, y, class_names)
    labels = model_data.column_names(model, 2, column_names) or ["input 1", "input 2"]
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.08 * (high - low) + (high == low)
    # the centers of the image's pixels
    steps = (np.arange(resolution) + 0.5) / resolution
    along = (low - margin)[:, np.newaxis] + (high - low + 2 * margin)[:, np.newaxis] * steps
    grid = np.stack(np.meshgrid(*along), axis=-1).reshape(-1, 2)
    predicted, mixed = _regions(model, grid, len(predictions.names))

    ax = canvas.axes(ax, (5, 4))
    from matplotlib.colors import to_rgb

    palette = [canvas.COLORS[k % len(canvas.COLORS)] for k in range(len(predictions.names))]
    colors = 0.45 * (mixed @ np.array([to_rgb(one) for one in palette])) + 0.55
    square = (resolution, resolution)
    ax.imshow(
        colors.reshape(*square, 3).clip(0, 1),
        origin="lower",
        extent=(low[0] - margin[0], high[0] + margin[0], low[1] - margin[1], high[1] + margin[1]),
        aspect="auto",
        interpolation="nearest",
    )
    for k in np.unique(predicted)[1:]:  # two regions have one boundary
        ax.contour(
            *along, (predicted == k).reshape(square), levels=[0.5], colors="#555555", linewidths=0.8
        )
    for k, color in enumerate(palette):
        own = predictions.y == k
        ax.scatter(
            points[own, 0], points[own, 1], s=16, color=color, edgecolors="white", linewidths=0.5,
            marker=canvas.MARKERS[k % len(canvas.MARKERS)], label=predictions.names[k],
        )
    canvas.literal([ax.set_xlabel(labels[0]), ax.set_ylabel(labels[1])])
    ax.set_title(
        f"accuracy {100 * predictions.accuracy:.1f} % on {len(predictions.y):,} examples",
        fontsize=9,
    )
    canvas.literal(ax.legend(fontsize=8).get_texts())
    return ax


def _regions(model: Model, grid: Array, n_classes: int) -> tuple[NDArray[np.intp], Array]:
    """Return the predicted class of each point, and the fraction of each class in its color."""
    if model_data.networks(model) or hasattr(model, "predict_proba"):
        mixed = model_data.probabilities(model, grid)
        return np.argmax(mixed, axis=1), mixed
    index = {label: k for k, label in enumerate(np.asarray(model.classes_).tolist())}
    predicted = np.array([index[label] for label in np.asarray(model.predict(grid)).tolist()])
    return predicted, np.eye(n_classes)[predicted]


def _wilson(share: Array, n: Array, z: float = 1.96) -> tuple[Array, Array]:
    """Return the 95 % interval of a probability, observed as a share of n trials (Wilson 1927)."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # at 0 and 1 rounding could move an end past the share itself
    return np.minimum(middle - half, share), np.maximum(middle + half, share)
