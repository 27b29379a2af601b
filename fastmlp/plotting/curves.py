"""Plots of the training history and of the distribution of activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..history import History, best_epoch
from ..network import MLP
from ..support import checks, extras
from . import canvas, model_data
from .model_data import Model, TrainingCurves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["activations", "history"]

Array = NDArray[Any]
Histories: TypeAlias = History | Sequence[History] | Model

FEW = 20  # epochs: up to so many have a marker each
DECADE = 10.0  # ratio of the greatest to the least value from which an axis is logarithmic


def history(history: Histories, *, figure: Figure | SubFigure | None = None) -> Any:
    """Plot the course of training: cost, validation score and learning rate of each epoch.

    The score is the validation accuracy, or the score that an estimator has computed on its
    validation data.  A star marks the best epoch on the validation data.  A score or a learning
    rate that is the same in all epochs is stated in the title instead of plotted.

    Parameters
    ----------
    history : History, list of History, MLP, Ensemble or fitted estimator
        What `fit` returned, or the model, for the history of its latest fit.  Several histories
        are plotted together.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Figure to draw on.  Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure: one Axes for the cost, and one each for score and learning rate where these
        vary, with one line for each history.

    See Also
    --------
    History : The figures themselves.

    Examples
    --------
    >>> figure = fastmlp.plotting.history(net)
    """
    curves = model_data.training_curves(history)
    in_percent = curves[0].score_name == "accuracy"
    scores = [np.multiply(one.score, 100.0 if in_percent else 1.0) for one in curves]
    score_name = f"validation {curves[0].score_name}"
    rates = [np.array(one.learning_rate) for one in curves]

    panels, constants = ["cost"], []
    for name, values, unit in (
        (score_name, scores, " %" if in_percent else ""), ("learning rate", rates, "")
    ):  # fmt: skip
        different = np.unique(np.concatenate(values))
        if len(different) > 1:
            panels.append(name)
        elif len(different):
            constants.append(f"{name} {different[0]:.4g}{unit}")

    figure = canvas.figure(figure, (5, 1.2 + 1.35 * len(panels)))
    heights = [2] + [1] * (len(panels) - 1)
    all_axes = figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for ax, name in zip(all_axes, panels, strict=True):
        ax.grid(alpha=0.3)
        if name == "cost":
            _plot_costs(ax, curves)
        elif name == score_name:
            _lines(ax, scores, "validation", canvas.COLORS[0], "-")
            _mark_best(ax, scores, True, canvas.COLORS[0])
            ax.set_ylabel(f"validation\n{curves[0].score_name}" + (", %" if in_percent else ""))
            ax.legend(fontsize=8)
        else:
            _lines(ax, rates, name, canvas.COLORS[0], "-")
            ax.set_ylabel(name)
            ax.set_ylim(0)
    all_axes[-1].set_xlabel("epoch")
    canvas.whole_numbers(all_axes[-1].xaxis)
    all_axes[0].set_title("\n".join([_summary(curves), *constants]), fontsize=9)
    return figure


def activations(
    model: Model, X: Any, *, bins: int = 40, figure: Figure | SubFigure | None = None
) -> Any:
    """Plot the distribution of each layer's activations over examples and units.

    The title of a layer states the fraction of activations that are zero, and the number of units
    that are zero for all examples.  With ReLU such units are no longer trained.

    Parameters
    ----------
    model : MLP or Ensemble
        The model.  Each network of an ensemble has a column of plots.
    X : array-like or SciPy sparse matrix, (m, n_in)
        Examples, one per row; a thousand are enough.
    bins : int, default 40
        Number of bins of each histogram.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Figure to draw on.  Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure: one Axes for each layer, whose bars are percentages of the layer's activations.

    See Also
    --------
    MLP.activations : Return the activations.
    weights : Plot the weights of a layer.
    """
    bins = checks.whole("bins", bins)
    nets = model_data.networks(model)
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
    figure.supylabel("activations of the layer, %", fontsize=9)
    return figure


def _plot_costs(ax: Axes, curves: list[TrainingCurves]) -> None:
    """Plot the costs over the training and the validation data."""
    training = [np.array(one.cost) for one in curves]
    validation = [np.array(one.validation_cost) for one in curves]
    _lines(ax, training, "training", canvas.COLORS[0], "-")
    _lines(ax, validation, "validation", canvas.COLORS[1], "--")
    _mark_best(ax, validation, False, canvas.COLORS[1])
    ax.set_ylabel("cost J")
    if any(map(len, validation)):
        ax.legend(fontsize=8)
    _make_logarithmic(ax)


def _lines(ax: Axes, curves: list[Array], label: str, color: str, style: str) -> None:
    """Plot the curves that are not empty over their epochs."""
    for k, curve in enumerate([one for one in curves if len(one)]):
        ax.plot(
            np.arange(1, len(curve) + 1), curve, style, color=color,
            marker="o" if len(curve) <= FEW else None, markersize=3,
            linewidth=1.5 if len(curves) == 1 else 0.9, label="_" if k else label,
        )


def _mark_best(ax: Axes, curves: list[Array], greatest: bool, color: str) -> None:
    """Mark the best epoch of each curve by a star."""
    best = [(best_epoch(one.tolist(), greatest), one) for one in curves if len(one)]
    if best:
        label = f"best: epoch {best[0][0]}" if len(best) == 1 else "best epochs"
        ax.scatter(
            [epoch for epoch, _ in best], [values[epoch - 1] for epoch, values in best],
            marker="*", s=90, color=color, edgecolors=ax.spines["left"].get_edgecolor(),
            linewidths=0.6, zorder=3, label=label, clip_on=False,
        )


def _make_logarithmic(ax: Axes) -> None:
    """Make the axis of y logarithmic where values differ by an order of magnitude."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.lines])
    if values.min() <= 0 or values.max() <= DECADE * values.min():
        return
    ax.set_yscale("log")
    decades = np.log10(values.max() / values.min())
    ticker = extras.imported("matplotlib.ticker", "plot")
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if decades < 3 else (1,)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")


def _summary(curves: list[TrainingCurves]) -> str:
    """State how long training was."""
    epochs = [len(one.cost) for one in curves]
    low, high, seconds = min(epochs), max(epochs), sum(one.seconds for one in curves)
    text = f"{len(curves)} networks, " if len(curves) > 1 else ""
    text += f"{low}" if low == high else f"{low} to {high}"
    text += " epoch" + ("s" if high > 1 else "")
    return text + (f", {seconds:.3g} s of training" if seconds else "")


def _histogram(ax: Axes, values: Array, bins: int) -> None:
    """Draw a layer's activations as bars, on a logarithmic axis because most may be zero."""
    counts, edges = np.histogram(values, bins)
    ax.bar(
        edges[:-1], 100 * counts / values.size, np.diff(edges), align="edge",
        color=canvas.COLORS[0],
    )
    ax.set_yscale("log")
    ax.yaxis.set_minor_formatter("")
    ax.set_ylim(50 / values.size, 150)  # from half an activation to all
    ax.grid(axis="y", alpha=0.3)
    ax.tick_params(labelsize=8)


def _about(net: MLP, layer: int, values: Array) -> str:
    """Describe a layer by its activation function, its size and its zeros."""
    name = (*net.activation, net.output_activation)[layer].name
    units = values.shape[1]
    text = f"{name}, {units:,} unit" + ("s" if units > 1 else "")
    zero = values == 0
    if not zero.any():
        return text
    always = zero.all(axis=0).sum()
    return f"{text}\n{100 * zero.mean():.0f} % zero, {always:,} units always"
