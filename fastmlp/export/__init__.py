"""Trained networks for other places.

For example::

    fastmlp.export.to_c(net, "digits.c")        a self-contained C99 file

`FORMATS` names the writer of each kind of file by its ending.
"""

from __future__ import annotations

from collections.abc import Callable

from .c import to_c
from .quantization import Quantized, quantize

__all__ = ["FORMATS", "Quantized", "quantize", "to_c"]

FORMATS: dict[str, Callable[..., None]] = {".c": to_c}
