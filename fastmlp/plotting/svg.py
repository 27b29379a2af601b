"""Pictures as SVG that stands inside an HTML page and takes the colour of its text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from ..support import extras

__all__ = ["inline", "page_style"]

# What is drawn in this colour becomes CSS's currentColor, black on light and white on dark pages.
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
    "font.size": 9.0,
    "svg.fonttype": "none",  # text stays text: to be read aloud, searched and copied
    "svg.hashsalt": "fastmlp",  # the same picture, the same bytes
}  # fmt: skip
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@contextmanager
def page_style() -> Iterator[None]:
    """Draw as for a page: matplotlib's own defaults, whatever the user's are, and `STYLE`."""
    matplotlib = extras.imported("matplotlib", "plot")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def inline(name: str, title: str, draw: Callable[[Any], object], size: tuple[float, float]) -> str:
    """Return what `draw` draws on a new Figure of this size (inches) as an element of HTML.

    Its ids begin with `name`, so that no two pictures of a page have the same.
    """
    # not one of pyplot's, which would keep it
    figure = extras.imported("matplotlib.figure", "plot").Figure(figsize=size, layout="constrained")
    draw(figure)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=NO_METADATA)
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    # names of formats, which HTML knows without
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
