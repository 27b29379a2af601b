"""Rows in blocks, so that the memory of quantized predictions and of their ranges stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

__all__ = ["ROWS_AT_ONCE", "row_blocks"]

Array = NDArray[Any]
ROWS_AT_ONCE = 4096  # so that memory stays bounded for any number of rows


def row_blocks(rows: Array) -> Iterator[Array]:
    """Yield rows in blocks."""
    ends = [*range(0, len(rows), ROWS_AT_ONCE), len(rows)]
    return (rows[first:last] for first, last in pairwise(ends))
