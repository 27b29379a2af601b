"""Ways out of fastmlp and into it: ONNX, safetensors, C, PyTorch, scikit-learn, Keras.

    fastmlp.export.to_onnx(net, "digits.onnx")
    fastmlp.export.to_c(net, "digits.c")        a self-contained C99 file
    module = fastmlp.export.to_torch(net)

Each needs the package that it is for, C none, and says which extra of fastmlp brings it.  `FORMATS`
names the writer of each kind of file by its ending.
"""

from collections.abc import Callable

from .c import to_c
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
    "to_onnx",
    "to_safetensors",
    "to_sklearn",
    "to_torch",
]

FORMATS: dict[str, Callable[..., None]] = {
    ".c": to_c,
    ".onnx": to_onnx,
    ".safetensors": to_safetensors,
}
