"""Write a network that recognizes digits as one HTML page to draw on.

The page is assembled from the files in page/: page.html with styles and scripts inside, and the
network as JSON.  Row i of W(l) is stored as 16-bit integers times one float32, max_j |w_ij| /
32767, so the error of a weight is at most 1/65,534 of the largest weight of its row.
"""

from __future__ import annotations

import base64
import html
import json
import os
import string
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import CrossEntropy
from ..network import MLP
from ..support import checks
from ..support.atomic_files import whole_text
from ..version import __version__
from .inference import require_mlp, require_plain_input

__all__ = ["to_html"]

FOLDER = Path(__file__).parent / "page"
STYLES = ("page.css", "parts.css", "details.css")
SCRIPTS = (  # in order of dependence
    "activations.js",
    "network.js",
    "ink.js",
    "pen.js",
    "colours.js",
    "pictures.js",
    "page.js",
)
N_IN, N_OUT = 784, 10
MAX_PARAMETERS = 16_000_000  # a page of 43 MB, and the limit of a phone's largest canvas

# The page names a digit if its probability is at least this, otherwise it says that it is unsure.
# This is optimal if a wrong answer, of probability 1 − p, costs five times as much as no answer
# (Chow 1970, "On optimum recognition error and reject tradeoff").
MIN_PROBABILITY = 0.8


def to_html(
    net: MLP,
    path: str | os.PathLike[str],
    *,
    title: str = "Draw a digit",
    ink: float | None = None,
) -> None:
    """Write a network for 28 × 28 digits as one HTML page to draw on.

    The page needs no internet connection and no server.  It scales and centres a drawing as MNIST
    does, and shows the ten probabilities, the hidden activations, the first layer's weights, and
    the changes that would lead to another answer.  Batch norm is folded into the weights, which
    are stored in 16 bits each: probabilities differ from ``net.forward`` by less than 0.001.

    Parameters
    ----------
    net : MLP
        A network with loss "cross_entropy", 10 outputs, the digits, and 784 inputs, the rows of a
        28 × 28 image that are 0 for paper.
    path : path-like
        The file, which appears as a whole or not at all.
    title : str, default "Draw a digit"
        The page's title and heading.
    ink : float, optional
        The value of black ink in the images that the network was trained on, such as 1.0 for floats
        from 0 to 1.  Default: 255 · `net.uint8_scale`, that of uint8 images.

    Raises
    ------
    TypeError
        If `net` is not an MLP (export a network of an ensemble by itself), or `title` not text.
    ValueError
        If the network is of another kind, or has more than 16 million parameters.
    OSError
        If the file cannot be written.
    """
    text = page(net, title, ink)
    with whole_text(path) as file:
        file.write(text)


def page(net: MLP, title: str, ink: float | None = None) -> str:
    """Return the page that `to_html` writes."""
    net = require_mlp(net)
    if not isinstance(title, str):
        raise TypeError(f"title must be text, got {title!r}")
    if (net.n_in, net.n_out) != (N_IN, N_OUT):
        raise ValueError(
            f"a page to draw on needs a network with {N_IN} inputs and {N_OUT} outputs, got sizes "
            f"{net.sizes}"
        )
    require_plain_input(net)
    if net.loss != CrossEntropy():
        got = repr(net.loss.name) if net.loss.name != "cross_entropy" else net.loss
        raise ValueError(
            f"a page to draw on needs the probabilities of ten digits, from loss 'cross_entropy', "
            f"got {got}"
        )
    if net.n_parameters > MAX_PARAMETERS:
        raise ValueError(
            f"a page to draw on takes up to {MAX_PARAMETERS:,} parameters, got "
            f"{net.n_parameters:,}"
        )
    # "<" as \u003c: nothing in the data can end the script element that contains it
    data = json.dumps(contents(net, ink), ensure_ascii=True).replace("<", "\\u003c")
    return string.Template(_read("page.html")).substitute(
        title=html.escape(title),
        css=_read(*STYLES),
        script=_read(*SCRIPTS),
        network=data,
    )


def contents(net: MLP, ink: float | None = None) -> dict[str, Any]:
    """Return the description of the network for the page's scripts, in JSON's types."""
    ink = 255 * net.uint8_scale if ink is None else checks.number("ink", ink)
    layers = []
    single = np.dtype(np.float32)
    for l, (weight, bias) in enumerate(zip(*net.folded, strict=True)):
        integers, scales = in_16_bits(checks.reals(f"net.weights[{l}]", weight, single))
        bias = checks.reals(f"net.biases[{l}]", bias, single)
        layers.append(
            {
                "weights": _base64(integers, "<i2"),
                "scales": _base64(scales, "<f4"),
                "bias": _base64(bias, "<f4"),
            }
        )
    names = sorted({f.name.replace("_", " ") for f in net.activation})
    sizes = " – ".join(map(str, net.sizes))
    return {
        "sizes": net.sizes,
        "activations": [{"name": f.name, "parameter": f.parameter} for f in net.activation],
        "layers": layers,
        "inputScale": ink,
        "sure": MIN_PROBABILITY,
        "about": f"{sizes}, {', '.join(names) or 'linear'}, {net.n_parameters:,} parameters, made "
        f"with fastmlp {__version__}.",
    }


def in_16_bits(weight: NDArray[Any]) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Return integers (n_out, n_in) and a scale for each row, whose product is the weight."""
    smallest = np.finfo(np.float32).tiny  # the scale of a row of zeros
    scales = np.maximum(np.abs(weight).max(axis=1) / 32767, smallest).astype(np.float32)
    return np.rint(weight / scales[:, np.newaxis]).astype(np.int16), scales


def _base64(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()


def _read(*names: str) -> str:
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)
