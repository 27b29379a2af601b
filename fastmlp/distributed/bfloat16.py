"""Numbers in bfloat16: the upper half of a float32, with 8 bits of exponent and 7 of fraction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["rounded", "widened"]

BLOCK = 16_384  # numbers whose intermediate results stay in the cache
NAN = 0x7FC0


def rounded(numbers: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
    """Return the bits of the nearest bfloat16 of each number; of two, the one that is even.

    Numbers in float64 are rounded to float32 first.  NaN stays NaN.
    """
    found = np.empty(len(numbers), np.uint16)
    for first in range(0, len(numbers), BLOCK):
        with np.errstate(over="ignore"):  # infinite in float32
            block = numbers[first : first + BLOCK].astype(np.float32)
        bits = block.view(np.uint32)
        is_nan = np.isnan(block)
        bits += 0x7FFF + (bits >> 16 & 1)  # carries into the upper half if that is to be rounded up
        codes = found[first : first + BLOCK]
        codes[:] = bits >> 16
        codes[is_nan] = NAN
    return found


def widened(codes: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the numbers of bfloat16 bits."""
    wide = codes.astype(np.uint32)
    wide <<= 16
    numbers: NDArray[np.float32] = wide.view(np.float32)
    return numbers
