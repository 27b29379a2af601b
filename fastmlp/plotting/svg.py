"""Figures as SVG elements of an HTML page, which take the color of its text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from ..support import extras
from . import canvas

__all__ = ["inline", "page_style"]

# replaced by CSS's currentColor, which is black on light pages and white on dark ones
INK = "#010203"
STYLE = {
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color",
         "xtick.labelcolor", "ytick.labelcolor", "axes.edgecolor", "legend.labelcolor"),
        INK,
    ),
    **dict.fromkeys(
        ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor"), "none"
    ),
    "legend.frameon": False,
    "font.size": 8.0,
    "svg.fonttype": "none",  # text remains text, for screen readers, search and copying
    "svg.hashsalt": "fastmlp",  # the same bytes for the same figure
}  # fmt: skip
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@contextmanager
def page_style() -> Iterator[None]:
    """Use matplotlib's defaults with `STYLE` instead of the user's settings."""
    matplotlib = extras.imported("matplotlib", "plot")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def inline(
    name: str, title: str, draw: Callable[[Any], object], size: tuple[float, float]
) -> str:
    """Return what `draw` draws on a new Figure of this size (inches) as an element of HTML.

    The element's ids begin with `name`, so that they differ from those of the page's other figures.
    """
    # not a figure of pyplot's, which would keep it open
    module = extras.imported("matplotlib.figure", "plot")
    figure = module.Figure(figsize=size, layout=canvas.LAYOUT)
    draw(figure)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=NO_METADATA)
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    # namespaces, which HTML does not need
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
