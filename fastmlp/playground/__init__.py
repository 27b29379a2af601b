"""A web page on which a small network trains, one of the seven steps at a time if wanted.

The page is assembled from the files in page/ and the styles, activation functions and colours of
the page to draw on (fastmlp/export/page).  It computes in float64 what `fastmlp.steps` computes.
"""

from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np

from .. import datasets
from ..export import html
from ..version import __version__

__all__ = ["page"]

FOLDER = Path(__file__).parent / "page"
STYLES = (html.FOLDER / "page.css", FOLDER / "playground.css")
SCRIPTS = (  # in order of dependence
    html.FOLDER / "activations.js",
    html.FOLDER / "colours.js",
    FOLDER / "random.js",
    FOLDER / "sets.js",
    FOLDER / "steps.js",
    FOLDER / "trainer.js",
    FOLDER / "numbers.js",
    FOLDER / "plane.js",
    FOLDER / "diagram.js",
    FOLDER / "curves.js",
    FOLDER / "show.js",
    FOLDER / "playground.js",
)


def page() -> str:
    """Return the page as HTML, which needs neither a network connection nor a server."""
    return string.Template(_read(FOLDER / "playground.html")).substitute(
        css=_read(*STYLES),
        script=_read(*SCRIPTS),
        digits=json.dumps(digits()),
        version=__version__,
    )


def digits() -> dict[str, str]:
    """Return the UCI digits as text: a letter from A (0) to Q (16) a pixel, and a digit a label."""
    X, y = datasets.digits()
    letters = np.rint(16 * X).astype(np.uint8) + ord("A")
    return {"pixels": letters.tobytes().decode("ascii"), "labels": "".join(map(str, y))}


def _read(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
