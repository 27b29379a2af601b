"""How much a compressed file may hold, so that a small one cannot fill the memory.

gzip stores MNIST's images in a fifth of their size, and equal bytes in a thousandth.
"""

from __future__ import annotations

__all__ = ["MOST_RATIO", "most_inflated"]

MOST_INFLATED = 64 << 20  # bytes that every compressed file may hold, and beyond that
MOST_RATIO = 200  # times as many as it takes


def most_inflated(compressed: int, ratio: int = MOST_RATIO) -> int:
    """Return the number of bytes that what takes so many, compressed, may hold."""
    return max(MOST_INFLATED, ratio * compressed)
