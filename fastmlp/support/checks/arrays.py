"""Checks of arrays of numbers, whatever they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...kernels import ready

Array = NDArray[Any]

CHUNK = 1 << 18  # numbers that are checked together: they stay in the L2 cache between two passes


def array(name: str, value: object) -> Array:
    """Return an array of real numbers, of any shape.

    An array of the user's is returned as a view: its numbers may change, its shape and dtype not.
    """
    if hasattr(value, "tocsr"):
        raise TypeError(f"{name} is sparse; give {name}.toarray()")
    if hasattr(value, "filled"):  # np.asarray would drop the mask
        raise TypeError(f"{name} is a masked array; fill in or leave out what is masked")
    try:
        found = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} is ragged: its rows have different lengths") from None
    if found is value:
        found = found.view()
    if found.dtype.kind == "O":
        raise TypeError(
            f"{name} has dtype object; expected numbers. Look for text and missing values, then "
            f"convert: np.asarray({name}, dtype=np.float32)"
        )
    if found.dtype.kind not in "buif":
        raise TypeError(
            f"{name} has dtype {found.dtype}; expected real numbers. Names of classes become "
            f"labels by np.unique(names, return_inverse=True)"
        )
    return found


def arrays(
    name: str,
    given: Sequence[ArrayLike],
    shapes: Sequence[tuple[int, ...]],
    dtype: np.dtype[Any],
) -> list[Array]:
    """Return a list of finite arrays of these shapes, in the network's dtype."""
    if not isinstance(given, (list, tuple)) or len(given) != len(shapes):
        raise ValueError(f"{name} must be a list of {len(shapes)} arrays, one for each layer")
    found = [array(f"{name}[{i}]", one) for i, one in enumerate(given)]
    for i, (one, shape) in enumerate(zip(found, shapes, strict=True)):
        if one.shape != shape:
            raise ValueError(f"{name}[{i}] has shape {one.shape}; expected {shape}")
    return [reals(f"{name}[{i}]", one, dtype) for i, one in enumerate(found)]


def reals(name: str, value: Array, dtype: np.dtype[Any]) -> Array:
    """Return finite numbers in the network's dtype and in C order."""
    finite(name, value, dtype)
    return np.ascontiguousarray(value, dtype)


def finite(
    name: str,
    value: Array,
    dtype: np.dtype[Any],
    position: Callable[[int], tuple[Any, ...]] | None = None,
) -> None:
    """Raise ValueError at the first number that is NaN, infinite or beyond the range of `dtype`.

    `position` turns a position in memory into the index that a user would write.  Of numbers that
    are not `ready`, the minimum and the maximum of a chunk, the second of them computed from cache,
    cost less than a test of each number; a NaN fails every comparison.
    """
    if value.dtype.kind != "f" or ready(value, dtype):
        return
    limit = np.finfo(dtype).max
    flat = value.reshape(-1)
    for first in range(0, flat.size, CHUNK):
        chunk = flat[first : first + CHUNK]
        if -limit <= chunk.min() and chunk.max() <= limit:
            continue
        place = first + int(np.argmin(np.abs(chunk) <= limit))
        index = position(place) if position else np.unravel_index(place, value.shape)
        found = f"{name}[{', '.join(str(i) for i in index)}] is {flat[place]}"
        if np.isfinite(flat[place]):
            raise ValueError(f"{found}, too large for a {dtype} network")
        raise ValueError(f"{name} must be finite, but {found}; fill in or leave out such examples")


def without_subnormals(value: Array, dtype: np.dtype[Any]) -> Array:
    """Return float32 numbers as float64 if a float64 network would lose some of them.

    The kernels take subnormal numbers as 0, also when they convert float32 to float64, where the
    subnormal numbers of float32 are normal numbers.
    """
    if dtype != np.float64 or value.dtype != np.float32:
        return value
    bits = value.reshape(-1).view(np.uint32)
    for first in range(0, bits.size, CHUNK):
        magnitude = bits[first : first + CHUNK] & 0x7FFFFFFF
        magnitude -= 1  # 0 becomes the largest integer; subnormal numbers have no exponent bits
        if magnitude.min() < 0x007FFFFF:
            return value.astype(np.float64)
    return value
