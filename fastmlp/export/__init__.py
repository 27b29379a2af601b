"""Export networks for other programs, and import networks of other libraries.

For example::

    fastmlp.export.to_onnx(net, "net.onnx")
    module = fastmlp.export.to_torch(net)
    fastmlp.export.to_c(net, "net.c")
    fastmlp.export.to_html(net, "digits.html")  # a web page to draw digits on

`to_c`, `quantize` and `to_html` need nothing but NumPy.  Each other function needs the package of
its format and says which extra of fastmlp installs it.  `FORMATS` has the writer of each file
format by its extension.
"""

from __future__ import annotations

from collections.abc import Callable

from .c import to_c
from .calibration import quantize
from .html import to_html
from .integers import IntegerOnly
from .keras import from_keras
from .onnx import to_onnx
from .quantization import Quantized
from .safetensors import from_safetensors, to_safetensors
from .skl2onnx import register_skl2onnx
from .sklearn import from_sklearn, to_sklearn
from .table_quantization import QuantizedTable, quantize_table
from .torch import from_torch, to_torch

__all__ = [
    "FORMATS",
    "IntegerOnly",
    "Quantized",
    "QuantizedTable",
    "from_keras",
    "from_safetensors",
    "from_sklearn",
    "from_torch",
    "quantize",
    "quantize_table",
    "register_skl2onnx",
    "to_c",
    "to_html",
    "to_onnx",
    "to_safetensors",
    "to_sklearn",
    "to_torch",
]

FORMATS: dict[str, Callable[..., object]] = {  # by the extension of the file
    ".c": to_c,
    ".html": to_html,
    ".onnx": to_onnx,
    ".safetensors": to_safetensors,
}
