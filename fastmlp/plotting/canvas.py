"""Axes and figures to draw on, and what all plots have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..support import extras

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = [
    "COLORS", "GLYPH", "LABEL", "LAYOUT", "MARKERS", "axes", "color_bar", "figure", "literal",
    "shortened", "tick_labels", "whole_numbers",
]  # fmt: skip

# Okabe and Ito (2008): distinguishable with any kind of colour blindness.  Their yellow and black,
# which vanish on a light and on a dark background, come last or are grey.
COLORS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#F0E442",
)
MARKERS = "os^Dv*PX<>"
LABEL, SMALLEST_LABEL = 8.0, 6.0  # points, of tick labels that are names
LONGEST = 24  # characters of a name
GLYPH = 0.62  # mean width of a character, in units of the font size
LAYOUT = "compressed"  # fits axes of fixed proportions, as those of an image, into a figure too
INLINE = ("inline", "module://matplotlib_inline.backend_inline")  # backends of notebooks

Size = tuple[float, float]  # inches


def axes(ax: Axes | None, size: Size) -> Axes:
    """Return the Axes that was passed, or those of a new figure of this size."""
    if ax is not None:
        checked: Axes = _checked("ax", ax, "matplotlib.axes", "Axes")
        return checked
    plot: Axes = figure(None, size).add_subplot()
    _set_display(plot, partial(_display_axes, plot.figure))
    return plot


def figure(existing: Figure | SubFigure | None, size: Size) -> Any:
    """Return the Figure or SubFigure that was passed, or a new one of pyplot's of this size."""
    if existing is not None:
        return _checked("figure", existing, "matplotlib.figure", "FigureBase")
    pyplot = extras.imported("matplotlib.pyplot", "plot")
    plot = pyplot.figure(figsize=size, layout=LAYOUT)
    _set_display(plot, partial(_display_figure, plot))
    return plot


def _checked(name: str, value: Any, module: str, kind: str) -> Any:
    """Return the value if it is of this class of matplotlib's."""
    if not isinstance(value, getattr(extras.imported(module, "plot"), kind)):
        raise TypeError(f"{name} must be a matplotlib {kind.removesuffix('Base')}, got {value!r}")
    return value


def _set_display(plot: Any, display: Callable[[], None]) -> None:
    """Let IPython show a plot by a function, which raises NotImplementedError for its usual way."""
    plot._ipython_display_ = display


def _display_figure(figure: Figure) -> None:
    """Let a notebook show a figure once, also where it is the value of its cell.

    A notebook shows the value of a cell, and then all figures that pyplot has open.
    """
    if _inline():
        from matplotlib import pyplot

        pyplot.close(figure)
    raise NotImplementedError  # so that IPython shows the figure in its usual way


def _display_axes(figure: Figure | SubFigure) -> None:
    """Let a notebook show the figure of Axes that are the value of a cell, instead of a text."""
    if not _inline():
        raise NotImplementedError
    extras.imported("IPython.display", "plot").display(figure)


def _inline() -> bool:
    """Whether a notebook shows pyplot's figures below the cell that drew them."""
    import matplotlib

    return matplotlib.get_backend().lower() in INLINE


def color_bar(ax: Axes, label: str, **options: Any) -> Any:
    """Draw the color bar of the Axes' image, as high as the image."""
    place = ax.inset_axes((1.03, 0, 0.035, 1))
    return ax.figure.colorbar(ax.images[-1], cax=place, label=label, **options)


def whole_numbers(axis: Any) -> None:
    """Put the ticks of an Axis at whole numbers only."""
    axis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def literal(texts: Sequence[Any]) -> None:
    """Draw texts as they are: a dollar sign in a name begins no formula."""
    for text in texts:
        text.set_parse_math(False)


def shortened(name: str, longest: int = LONGEST) -> str:
    """Return a name of at most so many characters."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def tick_labels(axis: Any, names: Sequence[str], pitch: float) -> None:
    """Label positions 0, 1, 2, … of an Axis by names, as many as can be read.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Of x or y.
    names : sequence of str
        A name for each position.
    pitch : float
        Points from one position to the next.
    """
    texts = [shortened(name) for name in names]
    size = float(np.clip(pitch / 1.2, SMALLEST_LABEL, LABEL))
    across = GLYPH * size * (max(map(len, texts)) + 1)
    upright = axis.axis_name == "x" and across > pitch
    step = max(1, int(np.ceil(1.15 * size / pitch))) if upright or axis.axis_name == "y" else 1
    places = range(0, len(texts), step)
    axis.set_ticks(places, [texts[k] for k in places], fontsize=size, rotation=90 * upright)
    literal(axis.get_ticklabels())
