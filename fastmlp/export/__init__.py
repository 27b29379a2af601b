"""Ways out of fastmlp and into it: ONNX, safetensors, PyTorch, scikit-learn, Keras.

    fastmlp.export.to_onnx(net, "net.onnx")
    module = fastmlp.export.to_torch(net)

Each needs the package that it is for, and says which extra of fastmlp brings it.
"""

from collections.abc import Callable

from .keras import from_keras
from .onnx import to_onnx
from .safetensors import from_safetensors, to_safetensors
from .sklearn import from_sklearn, to_sklearn
from .torch import from_torch, to_torch

__all__ = [
    "FORMATS",
    "from_keras",
    "from_safetensors",
    "from_sklearn",
    "from_torch",
    "to_onnx",
    "to_safetensors",
    "to_sklearn",
    "to_torch",
]

FORMATS: dict[str, Callable[..., None]] = {  # of files, by the suffix of their names
    ".onnx": to_onnx,
    ".safetensors": to_safetensors,
}
