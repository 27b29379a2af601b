"""Ways out of fastmlp and into it: ONNX, safetensors, PyTorch, scikit-learn, Keras, C, HTML.

For example::

    fastmlp.export.to_onnx(net, "net.onnx")
    module = fastmlp.export.to_torch(net)
    fastmlp.export.to_c(net, "net.c")
    fastmlp.export.to_html(net, "digits.html")  # a page to draw digits on

Each but the last two needs the package that it is for, and says which extra of fastmlp brings it.
`FORMATS` names the writer of each kind of file by its ending.
"""

from __future__ import annotations

from collections.abc import Callable

from .c import to_c
from .html import to_html
from .keras import from_keras
from .onnx import to_onnx
from .quantization import Quantized, quantize
from .safetensors import from_safetensors, to_safetensors
from .sklearn import from_sklearn, to_sklearn
from .torch import from_torch, to_torch

__all__ = [
    "FORMATS",
    "Quantized",
    "from_keras",
    "from_safetensors",
    "from_sklearn",
    "from_torch",
    "quantize",
    "to_c",
    "to_html",
    "to_onnx",
    "to_safetensors",
    "to_sklearn",
    "to_torch",
]

FORMATS: dict[str, Callable[..., None]] = {  # of files, by the suffix of their names
    ".c": to_c,
    ".onnx": to_onnx,
    ".safetensors": to_safetensors,
}
