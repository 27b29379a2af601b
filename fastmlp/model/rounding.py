"""Weights of a model file in a smaller dtype than their network's, for smaller files.

Only matrices are rounded: biases, and the scales and statistics of batch norm, which may be beyond
the range of float16, take little space.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["KEY", "checked_dtype", "dtype_of", "rounded", "with_weights_in"]

KEY = "weights_dtype"  # of a header; absent where weights are in the network's dtype
NAMES = ("float16", "float32")

Array = NDArray[Any]


def checked_dtype(value: DTypeLike | None, with_optimizer: bool) -> np.dtype[Any] | None:
    """Return the dtype of weights in a file that was given to `save`; None for the network's.

    An optimizer's state is for training that goes on with the same bits, which rounded weights
    do not have.
    """
    if value is None:
        return None
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.name not in NAMES:
        raise ValueError(
            f"dtype must be {' or '.join(map(repr, NAMES))}, in which the file holds the weights, "
            f"got {value!r}"
        )
    if with_optimizer:
        raise ValueError(
            "dtype rounds the weights, and with_optimizer=True is for training that goes on with "
            "the same bits; leave out one of them"
        )
    return dtype


def rounded(
    arrays: dict[str, Array], dtype: np.dtype[Any], of_network: np.dtype[Any]
) -> dict[str, Array] | None:
    """Return the arrays with weights in `dtype`; None if it is not smaller than the network's."""
    if dtype.itemsize >= of_network.itemsize:
        return None
    limit = np.finfo(dtype).max
    for name, array in arrays.items():
        if array.ndim == 2 and np.abs(array).max() > limit:
            raise ValueError(
                f"{name} has a weight of {np.abs(array).max():g}, beyond the range of {dtype}, "
                f"{limit:g}; save the network without dtype={dtype.name!r}"
            )
    return with_weights_in(dtype, arrays)


def with_weights_in(dtype: np.dtype[Any], arrays: dict[str, Array]) -> dict[str, Array]:
    """Return the arrays with weights in a dtype."""
    return {
        name: array.astype(dtype) if array.ndim == 2 else array for name, array in arrays.items()
    }


def dtype_of(header: dict[str, Any], of_network: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of weights in a file with this header."""
    name = header.get(KEY, of_network.name)
    if name not in (*NAMES, of_network.name):
        raise ValueError(f"{KEY} of its header is {name!r}; expected one of {', '.join(NAMES)}")
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype
