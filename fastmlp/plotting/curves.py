"""Curves and histograms: of training, of probabilities, of activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..history import History
from ..network import MLP
from ..support import checks, extras
from . import canvas, reading
from .reading import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["activations", "calibration", "history"]

Array = NDArray[Any]
Histories = History | Sequence[History] | Model

# What a panel is labelled with, and what of a history it shows, beside its factor.
PANELS: tuple[tuple[str, dict[str, str], float], ...] = (
    ("cost J", {"cost": "training", "validation_cost": "validation"}, 1.0),
    ("validation\naccuracy, %", {"validation_accuracy": "validation"}, 100.0),
    ("learning rate", {"learning_rate": "of the last step"}, 1.0),
)
FEW = 20  # epochs: their points are marked
WIDE = 10.0  # greatest over least value, from which an axis is logarithmic


def history(history: Histories, *, figure: Figure | SubFigure | None = None) -> Any:
    """Draw the figures of a training, epoch by epoch.

    The cost, over the training and the validation data; below it the accuracy on the validation
    data and the learning rate, where the history has them.

    Parameters
    ----------
    history : History, list of History, MLP, Ensemble or fitted estimator with `loss_curve_`
        What `fit` returned, or the model, for that of its latest fit.  Several are drawn together.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw.  Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        One Axes for each panel, whose lines are the histories'.
    """
    found = reading.histories(history)
    panels = [
        (label, lines, factor)
        for label, lines, factor in PANELS
        if any(getattr(one, name) for one in found for name in lines)
    ]
    figure = canvas.figure(figure, (5, 1.2 + 1.35 * len(panels)))
    heights = [2] + [1] * (len(panels) - 1)
    every = figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for ax, (label, lines, factor) in zip(every, panels, strict=True):
        for (name, title), color, style in zip(
            lines.items(), canvas.COLORS, ("-", "--"), strict=False
        ):
            values = [factor * np.array(getattr(one, name)) for one in found]
            _lines(ax, values, title, color, style)
        ax.set_ylabel(label)
        ax.grid(alpha=0.3)
        if len(lines) > 1 and len(ax.lines) > len(found):
            ax.legend(fontsize=8)
        if label == "learning rate":
            ax.set_ylim(0)  # or a constant one would look like noise
    _logarithmic(every[0])
    every[-1].set_xlabel("epoch")
    canvas.whole_numbers(every[-1].xaxis)
    every[0].set_title(_summary(found), fontsize=9)
    return figure


def calibration(
    model: Model,
    X: Any,
    y: ArrayLike,
    *,
    bins: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often a classifier is right against how sure it says it is.

    Examples are put into bins by the probability p of the class that is predicted; a point is a
    bin's mean p and the part of it that is right, with its 95 % interval (Wilson 1927).  Points
    below the diagonal are overconfident.  Bars show how many examples each bin has.  The title has
    the expected calibration error, Σ n_b/m ``|right_b − p_b|`` (Naeini et al. 2015).

    Parameters
    ----------
    model : MLP, Ensemble or fitted classifier with `predict`, `predict_proba` and `classes_`
        Whose probabilities are compared with how often they come true.
    X : array-like or SciPy sparse matrix, (m, n_in)
        Examples, one a row.
    y : array-like, (m,)
        Their true classes.
    bins : int, default 10
        Of equal width, from probability 0 to 1.
    ax : matplotlib.axes.Axes, optional
        Where to draw.  Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The points with their intervals, over bars of the counts.
    """
    bins = checks.whole("bins", bins)
    found = reading.answers(model, X, y)
    p = found.confidence
    if p is None:
        raise TypeError(f"expected a model with predict_proba, got {model!r}")
    right = found.y == found.predicted
    place = np.minimum((p * bins).astype(np.intp), bins - 1)
    counts = np.bincount(place, minlength=bins)
    there = counts > 0
    n = counts[there]
    sure = np.bincount(place, p, bins)[there] / n
    hit = np.bincount(place, right, bins)[there] / n
    error = float(np.sum(n * np.abs(hit - sure)) / len(p))

    ax = canvas.axes(ax, (5, 4))
    left = 100 * np.arange(bins) / bins
    ax.bar(
        left, 100 * counts / len(p), 100 / bins, align="edge", color="#999999", alpha=0.35,
        label="share of the examples",
    )
    ax.plot([0, 100], [0, 100], color="#999999", linestyle="--", linewidth=1, label="calibrated")
    low, high = _wilson(hit, n)
    ax.errorbar(
        100 * sure, 100 * hit, [100 * (hit - low), 100 * (high - hit)], color=canvas.COLORS[0],
        marker="o", markersize=4, linewidth=1.2, capsize=2, label="right, with 95 % interval",
    )
    ax.set(
        xlabel="probability of the predicted class, %", ylabel="examples, %", xlim=(0, 100),
        ylim=(0, 102),
    )
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, loc="upper left")
    ax.set_title(
        f"expected calibration error {100 * error:.2f} %\n"
        f"mean probability {100 * p.mean():.2f} %, right {100 * right.mean():.2f} %",
        fontsize=9,
    )
    return ax


def activations(
    model: Model, X: Any, *, bins: int = 40, figure: Figure | SubFigure | None = None
) -> Any:
    """Draw how the activations of each layer are distributed over examples and units.

    The title of a layer tells how many of its values are zero and how many of its units are so for
    all examples: of ReLU, those that learn nothing any more.

    Parameters
    ----------
    model : MLP or Ensemble
        Of an ensemble each network has a column.
    X : array-like or SciPy sparse matrix, (m, n_in)
        Examples, one a row; a thousand will do.
    bins : int, default 40
        Of a layer's histogram.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw.  Default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        One Axes for each layer, whose bars are shares of its values in percent.
    """
    bins = checks.whole("bins", bins)
    nets = reading.networks(model)
    if not nets:
        raise TypeError(f"expected an MLP or an Ensemble, got {model!r}")
    each = [net.activations(X) for net in nets]
    rows = max(map(len, each))

    figure = canvas.figure(figure, (max(5, 3 * len(nets)), 0.4 + 1.5 * rows))
    every = figure.subplots(rows, len(nets), squeeze=False)
    for j, (net, layers) in enumerate(zip(nets, each, strict=True)):
        for i, ax in enumerate(every[:, j]):
            if i >= len(layers):
                ax.remove()
                continue
            _histogram(ax, layers[i], bins)
            ax.set_title(f"layer {i + 1}: {_about(net, i, layers[i])}", fontsize=8)
        every[len(layers) - 1, j].set_xlabel("activation")
    figure.supylabel("share of the layer's values, %", fontsize=9)
    return figure


def _lines(ax: Axes, curves: list[Array], label: str, color: str, style: str) -> None:
    """One curve for each history that has it, over its epochs."""
    drawn = 0
    for curve in curves:
        if len(curve):
            ax.plot(
                np.arange(1, len(curve) + 1), curve, style, color=color,
                marker="o" if len(curve) <= FEW else None, markersize=3,
                linewidth=1.5 if len(curves) == 1 else 0.9, label="_" if drawn else label,
            )
            drawn += 1


def _logarithmic(ax: Axes) -> None:
    """Make the axis of y logarithmic where values differ by an order of magnitude."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.lines])
    if values.min() <= 0 or values.max() <= WIDE * values.min():
        return
    ax.set_yscale("log")
    decades = np.log10(values.max() / values.min())
    ticker = extras.imported("matplotlib.ticker", "plot")
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if decades < 3 else (1,)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")


def _summary(found: list[History]) -> str:
    """How much training it was."""
    epochs = [one.epochs for one in found]
    seconds = [sum(one.seconds) for one in found]
    about = f"{len(found)} networks, " if len(found) > 1 else ""
    low, high = min(epochs), max(epochs)
    about += f"{low}" if low == high else f"{low} to {high}"
    about += " epoch" + ("s" if high > 1 else "")
    return about + (f", {sum(seconds):.3g} s of training" if any(seconds) else "")


def _histogram(ax: Axes, values: Array, bins: int) -> None:
    """Bars of a layer's values, on a logarithmic axis: zeros would hide the rest."""
    counts, edges = np.histogram(values, bins)
    ax.bar(
        edges[:-1], 100 * counts / values.size, np.diff(edges), align="edge",
        color=canvas.COLORS[0],
    )
    ax.set_yscale("log")
    ax.yaxis.set_minor_formatter("")
    ax.set_ylim(50 / values.size, 150)  # from half a value to all of them
    ax.grid(axis="y", alpha=0.3)
    ax.tick_params(labelsize=8)


def _about(net: MLP, layer: int, values: Array) -> str:
    """A layer's function and size, and its zeros."""
    name = (*net.activation, net.output_activation)[layer].name
    units = values.shape[1]
    text = f"{name}, {units:,} unit" + ("s" if units > 1 else "")
    zero = values == 0
    if not zero.any():
        return text
    return f"{text}\n{100 * zero.mean():.0f} % zero, {zero.all(axis=0).sum():,} units always"


def _wilson(share: Array, n: Array, z: float = 1.96) -> tuple[Array, Array]:
    """The 95 % interval of a probability that showed as `share` of n trials (Wilson 1927)."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # at the ends rounding alone would put it past the share itself
    return np.minimum(middle - half, share), np.maximum(middle + half, share)
