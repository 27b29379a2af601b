"""Checks of targets and of sample weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, array, finite, reals


def length(name: str, value: Array, n_rows: int) -> None:
    """Raise ValueError unless there is an entry for each example."""
    if value.ndim == 0 or len(value) != n_rows:
        found, across = len(value) if value.ndim else "no", value.shape[1:] == (n_rows,)
        raise ValueError(
            f"{name} has {found} {'entry' if found == 1 else 'entries'} for {n_rows} examples in X"
            + (f"; give {name}.{'ravel()' if found == 1 else 'T'}" if across else "")
        )


def labels(name: str, y: Array, n_rows: int, n_out: int) -> NDArray[np.int32]:
    """Return class labels 0 … n_out − 1, one for each example."""
    length(name, y, n_rows)
    if y.ndim != 1:
        raise ValueError(
            f"{name} has shape {y.shape}; expected labels ({n_rows},) or probabilities "
            f"({n_rows}, {n_out})" + (f"; give {name}.ravel()" if y.size == n_rows else "")
        )
    if y.dtype.kind == "f":
        finite(name, y, np.dtype(np.float64))
        fractional = y != np.floor(y)
        if fractional.any():
            i = int(np.argmax(fractional))
            raise ValueError(f"{name} must hold whole labels, but {name}[{i}] is {y[i]}")
    if y.size and (y.min() < 0 or y.max() >= n_out):
        i = int(np.argmax((y < 0) | (y >= n_out)))
        raise ValueError(
            f"{name} must hold labels from 0 to {n_out - 1}, one for each output, but {name}[{i}] "
            f"is {y[i]}" + (f"; give {name} - 1" if y.min() == 1 and y.max() == n_out else "")
        )
    return np.ascontiguousarray(y, np.int32)


def values(
    name: str,
    y: object,
    n_rows: int,
    n_out: int,
    dtype: np.dtype[Any],
    interval: tuple[float, float] | None = None,
) -> Array:
    """Return a target for each output of each example, (n_rows, n_out), perhaps in an interval."""
    y = array(name, y)
    length(name, y, n_rows)
    if y.ndim == 1 and n_out == 1:
        y = y[:, np.newaxis]
    if y.shape != (n_rows, n_out):
        of_classes = y.ndim == 1 and y.dtype.kind in "iu"
        raise ValueError(
            f"{name} has shape {y.shape}; expected ({n_rows}, {n_out}), a value for each output"
            + ("; for labels of classes take loss='cross_entropy'" if of_classes else "")
        )
    y = reals(name, y, dtype)
    if interval is not None and y.size and (y.min() < interval[0] or y.max() > interval[1]):
        low, high = interval
        i, j = np.unravel_index(np.argmax((y < low) | (y > high)), y.shape)
        raise ValueError(f"{name} must be from {low} to {high}, but {name}[{i}, {j}] is {y[i, j]}")
    return y


def distributions(name: str, y: Array, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
    """Return rows of probabilities of the classes."""
    y = values(name, y, n_rows, n_out, dtype, (0, 1))
    wrong = np.abs(y.sum(axis=1) - 1) > 1e-3  # so that rows rounded to float16 are accepted
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"{name} must hold probabilities, each row with sum 1, but {name}[{i}] has sum "
            f"{y[i].sum():g}"
        )
    return y


def sample_weight(value: object, n_rows: int, dtype: np.dtype[Any], part: bool = False) -> Array:
    """Return sample weights ≥ 0; with `part`, for examples that are not all, all may be zero."""
    given = array("sample_weight", value)
    length("sample_weight", given, n_rows)
    if given.ndim != 1:
        raise ValueError(f"sample_weight has shape {given.shape}; expected ({n_rows},)")
    found = reals("sample_weight", given, dtype)
    if found.min() < 0:
        i = int(np.argmin(found))
        raise ValueError(f"sample_weight must be ≥ 0, but sample_weight[{i}] is {found[i]}")
    vanished = (found < np.finfo(dtype).smallest_normal) & (given != 0)  # 0 in the kernels
    if vanished.any():
        i = int(np.argmax(vanished))
        raise ValueError(
            f"sample_weight[{i}] is {given[i]}, which is 0 in a {dtype} network; multiply all "
            f"weights by the same number, or set this one to 0"
        )
    largest, limits = found.max(), np.finfo(dtype)
    if largest == 0 and not part:
        raise ValueError("sample_weight is zero for every example")
    least = limits.smallest_normal / limits.eps  # products with smaller weights lose digits
    if largest > 0 and not (least <= largest and found.sum(dtype=np.float64) <= 1 / least):
        raise ValueError(
            f"sample_weight goes up to {largest:g}, too {'small' if largest < 1 else 'large'} for "
            f"the products of a {dtype} network; divide all weights by their mean"
        )
    return found
