"""A network that reads digits as one HTML page to draw on.

The page is put together from the files in page/: page.html with styles and scripts inside,
and the network as JSON.  Row i of W(l) is 16-bit whole numbers times one float32, max_j |w_ij| /
32767, so that no weight is off by more than a 65,534th of its row's greatest.
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

import fastmlp
from fastmlp import MLP
from fastmlp.losses import CrossEntropy
from fastmlp.support import atomic_files, checks

__all__ = ["to_html"]

FOLDER = Path(__file__).parent / "page"
STYLES = ("page.css", "parts.css")
SCRIPTS = ("network.js", "ink.js", "pen.js", "pictures.js", "page.js")  # each needs those before it
N_IN, N_OUT = 784, 10
MOST_PARAMETERS = 16_000_000  # 43 MB of page, and what a phone's largest canvas holds

# The page answers where the probability is at least this, else it says that it is unsure: worth it
# where a wrong answer, 1 − p, is held five times as bad as none (Chow 1970, "On optimum recognition
# error and reject tradeoff").
SURE = 0.8


def to_html(net: MLP, path: str | os.PathLike[str], *, title: str = "Draw a digit") -> None:
    """Write a network for 28 × 28 digits as one HTML page to draw on.

    The page needs no network and no server.  It scales and centres what is drawn as MNIST was, and
    shows the ten probabilities, the hidden activations, the first layer's weights, and what would
    have to change for another answer.  Batch norm is folded into the weights, which are kept in 16
    bits each: probabilities differ from ``net.forward`` by less than 0.001.

    Parameters
    ----------
    net : MLP
        With 784 inputs, rows of a 28 × 28 picture that are 0 for paper and 255 · `uint8_scale` for
        ink, and 10 outputs, the digits; loss "cross_entropy".
    path : path-like
        The file, used as it stands.  It appears whole or not at all.
    title : str, default "Draw a digit"
        The page's title and heading.

    Raises
    ------
    TypeError
        If `net` is no MLP (one network of an ensemble is) or `title` no text.
    ValueError
        If the network is not of that kind, or has more than 16 million parameters.
    OSError
        If the file cannot be written.
    """
    text = page(net, title)
    with atomic_files.whole(path) as file:
        file.write(text.encode())


def page(net: MLP, title: str) -> str:
    """Return the page that `to_html` writes."""
    if not isinstance(net, MLP):
        raise TypeError(f"net must be an MLP, got {net!r}")
    if not isinstance(title, str):
        raise TypeError(f"title must be a text, got {title!r}")
    if (net.n_in, net.n_out) != (N_IN, N_OUT):
        raise ValueError(
            f"a page to draw on needs a network of {N_IN} inputs and {N_OUT} outputs, got sizes "
            f"{net.sizes}"
        )
    if net.loss != CrossEntropy():
        got = repr(net.loss.name) if net.loss.name != "cross_entropy" else net.loss
        raise ValueError(
            f"a page to draw on needs the probabilities of one digit of ten, so loss "
            f"'cross_entropy', got {got}"
        )
    if net.n_parameters > MOST_PARAMETERS:
        raise ValueError(
            f"a page to draw on takes up to {MOST_PARAMETERS:,} parameters, got "
            f"{net.n_parameters:,}"
        )
    # "<" as \u003c: nothing in the data can end the script that holds it.
    data = json.dumps(contents(net), ensure_ascii=True).replace("<", "\\u003c")
    return string.Template(_read("page.html")).substitute(
        title=html.escape(title),
        css=_read(*STYLES),
        script=_read(*SCRIPTS),
        network=data,
    )


def contents(net: MLP) -> dict[str, Any]:
    """Return what the page's scripts know of the network, of JSON's types."""
    layers = []
    single = np.dtype(np.float32)
    for l, (weight, bias) in enumerate(zip(*net.folded, strict=True)):
        whole, scales = in_16_bits(checks.reals(f"net.weights[{l}]", weight, single))
        bias = checks.reals(f"net.biases[{l}]", bias, single)
        layers.append(
            {
                "weights": _base64(whole, "<i2"),
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
        "inputScale": 255 * net.uint8_scale,
        "sure": SURE,
        "about": f"{sizes}, {', '.join(names) or 'linear'}, {net.n_parameters:,} parameters, made "
        f"with fastmlp {fastmlp.__version__}.",
    }


def in_16_bits(weight: NDArray[Any]) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Return whole numbers (n_out, n_in) and a scale for each row, whose product is the weight."""
    least = np.finfo(np.float32).tiny  # of a scale: rows of zeros have one too
    scales = np.maximum(np.abs(weight).max(axis=1) / 32767, least).astype(np.float32)
    return np.rint(weight / scales[:, np.newaxis]).clip(-32767, 32767).astype(np.int16), scales


def _base64(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()


def _read(*names: str) -> str:
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)
