"""Where pictures are drawn: on what the caller gave, or on a new figure of pyplot's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..support import extras

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["COLORS", "MARKERS", "axes", "figure", "literal", "scale", "whole_numbers"]

# Okabe and Ito (2008): told apart with any kind of colour blindness.  Their yellow and black, which
# vanish on a light and on a dark ground, come last or are grey.
COLORS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#F0E442",
)
MARKERS = "os^Dv*PX<>"

Size = tuple[float, float]  # inches


def axes(ax: Axes | None, size: Size) -> Axes:
    """The Axes that was given, else those of a new figure of this size."""
    found: Axes = (
        figure(None, size).add_subplot()
        if ax is None
        else _wanted("ax", ax, "matplotlib.axes", "Axes")
    )
    return found


def figure(given: Figure | SubFigure | None, size: Size) -> Any:
    """The Figure or SubFigure that was given, else a new one of this size."""
    if given is None:
        pyplot = extras.imported("matplotlib.pyplot", "plot")
        return pyplot.figure(figsize=size, layout="constrained")
    return _wanted("figure", given, "matplotlib.figure", "FigureBase")


def _wanted(name: str, value: Any, module: str, kind: str) -> Any:
    """The value, if it is of one of matplotlib's kinds."""
    if not isinstance(value, getattr(extras.imported(module, "plot"), kind)):
        raise TypeError(f"{name} must be a matplotlib {kind.removesuffix('Base')}, got {value!r}")
    return value


def scale(ax: Axes, label: str, **options: Any) -> Any:
    """Draw the colours of the Axes' image and what they mean, as high as the image."""
    beside = ax.inset_axes((1.03, 0, 0.035, 1))
    return ax.figure.colorbar(ax.images[-1], cax=beside, label=label, **options)


def whole_numbers(axis: Any) -> None:
    """Let an Axis have its ticks at whole numbers alone."""
    axis.get_major_locator().set_params(integer=True)


def literal(texts: Sequence[Any]) -> None:
    """Draw texts as they stand: a dollar sign in a name begins no formula."""
    for text in texts:
        text.set_parse_math(False)
