"""Checks of examples: dense or sparse rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import kernels
from .arrays import CHUNK, Array, array, finite, without_subnormals

CSR = tuple[Array, NDArray[np.int32], NDArray[np.int64]]  # data, indices, indptr
Rows = Array | CSR


class Sparse(Protocol):
    """A SciPy sparse matrix or array of any format."""

    def tocsr(self) -> Any:
        """Return the matrix in CSR format."""


Examples = ArrayLike | Sparse


def rows(X: object, n_in: int, dtype: np.dtype[Any], *, finite_later: bool = False) -> Rows:
    """Return examples as the kernels read them: (m, n_in) in C order, or CSR.

    Arrays of float32, float64 and uint8 keep their dtype and are not copied if they are in C
    order; other numbers are converted to the network's dtype.  An exception are subnormal numbers
    of float32 for a float64 network, which are converted to float64.  With `finite_later` the
    caller has an array that `is_read_as_it_lies`, and checks later that its numbers are finite.
    """
    if type(X) is np.ndarray and X.ndim == 2 and not finite_later:
        own = X.view()  # whose shape no other thread changes
        if own.shape[1] == n_in and len(own) > 0 and kernels.ready(own, dtype):
            return own  # the usual case, first: a single row waits for its checks
    if hasattr(X, "tocsr"):
        return sparse_rows(X, n_in, dtype)
    X = array("X", X)
    shape(X, n_in)
    if X.dtype not in (np.float32, np.float64, np.uint8) or not X.dtype.isnative:
        X = X.astype(dtype)
    X = np.ascontiguousarray(X)
    if finite_later:
        return X
    finite("X", X, dtype)
    return without_subnormals(X, dtype)


def is_read_as_it_lies(X: object, dtype: np.dtype[Any]) -> TypeGuard[Array]:
    """Return whether X is an array of floats, no number of which has to be converted before."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.dtype.isnative
        and X.flags.c_contiguous
        and X.itemsize >= dtype.itemsize
    )


def codes(name: str, X: Array, n_levels: Mapping[int, int]) -> None:
    """Raise ValueError unless these columns hold codes of categories: −1 … n_levels − 1."""
    columns = sorted(n_levels)
    if not columns:
        return
    most = np.array([n_levels[j] for j in columns])
    for first in range(0, len(X), max(1, CHUNK // len(columns))):
        part = X[first : first + max(1, CHUNK // len(columns)), columns]
        wrong = (part != np.floor(part)) | (part < -1) | (part >= most)
        if wrong.any():
            i, k = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            raise ValueError(
                f"{name}[{first + i}, {columns[k]}] is {part[i, k]:g}; column {columns[k]} must "
                f"hold codes of its {most[k]} levels, 0 … {most[k] - 1}, or −1 for a missing or "
                f"unknown one; give the column's encoding more levels, or code what it does not "
                f"know as −1"
            )


def reshaping(X: Array, n_in: int) -> str:
    """Return the end of a message about X whose number of axes is not 2."""
    if X.ndim == 1 and X.size == n_in:
        return "; for one example give X.reshape(1, -1)"
    if X.ndim == 1 and n_in == 1:
        return "; give X.reshape(-1, 1)"
    if X.ndim > 2 and math.prod(X.shape[1:]) == n_in:
        return "; give X.reshape(len(X), -1)"
    return ""


def shape(X: Any, n_in: int) -> None:
    """Raise ValueError unless X has at least one row, and a column for each input."""
    if len(X.shape) != 2:
        raise ValueError(
            f"X has shape {X.shape}; expected (m, {n_in}), one example a row{reshaping(X, n_in)}"
        )
    if X.shape[1] != n_in:
        raise ValueError(f"X has {X.shape[1]} columns; this network has {n_in} inputs")
    if X.shape[0] == 0:
        raise ValueError("X is empty; expected at least one example")


def sparse_rows(X: Any, n_in: int, dtype: np.dtype[Any]) -> CSR:
    """Return the data, indices and indptr of a SciPy matrix or array in CSR format.

    Only attributes are used, so that SciPy need not be installed, and no flag that SciPy may have
    cached.  indptr is a copy; the kernels check each index where they use it.
    """
    csr = X.tocsr()
    shape(csr, n_in)
    data, indices, pointers, fault = _csr_parts(csr, n_in)
    if fault == "order":
        data, indices, pointers = _canonical(data, indices, pointers)
    elif fault:
        raise ValueError(
            "X is a damaged sparse matrix: its indices or indptr do not fit its shape; make it "
            "anew from its entries, for example scipy.sparse.csr_array(X.tocoo())"
        )
    if data.dtype not in (np.float32, np.float64, np.uint8) or not data.dtype.isnative:
        data = data.astype(dtype)
    finite(
        "X",
        data,
        dtype,
        lambda place: (np.searchsorted(pointers, place, side="right") - 1, indices[place]),
    )
    return without_subnormals(np.ascontiguousarray(data), dtype), indices, pointers


def _canonical(data: Array, indices: Array, pointers: Array) -> CSR:
    """Return rows with ascending columns and without duplicates.

    Numbers of the same row and column are summed in the order in which they are stored, as SciPy's
    `toarray` does.
    """
    n_stored = int(pointers[-1])
    rows = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    order = np.lexsort((indices[:n_stored], rows))  # stable
    rows, columns = rows[order], indices[:n_stored][order]
    new = np.append(True, (np.diff(rows) != 0) | (np.diff(columns) != 0))
    sums = np.zeros(int(new.sum()), data.dtype)
    np.add.at(sums, np.cumsum(new) - 1, data[:n_stored][order])
    counts = np.bincount(rows[new], minlength=len(pointers) - 1)
    return sums, columns[new], np.append(0, np.cumsum(counts)).astype(np.int64)


def _csr_parts(csr: Any, n_in: int) -> tuple[Array, NDArray[np.int32], NDArray[np.int64], str]:
    """Return data, indices and indptr in the kernels' dtypes, and a fault, or ""."""
    data, indices = array("X.data", csr.data), array("X.indices", csr.indices)
    pointers = np.array(array("X.indptr", csr.indptr), np.int64)
    fits = data.ndim == indices.ndim == pointers.ndim == 1 and len(pointers) == csr.shape[0] + 1
    if not fits or (indices.dtype != np.int32 and np.any((indices < 0) | (indices >= n_in))):
        return data, indices, pointers, "range"
    indices = np.ascontiguousarray(indices, np.int32)
    fault = kernels.csr_fault(indices, pointers, n_in)
    if not fault and pointers[-1] > len(data):
        fault = "indptr"
    return data, indices, pointers, fault


def finite_outputs(h: Array) -> None:
    """Raise FloatingPointError if an output of a network is infinite or NaN."""
    wrong = ~np.isfinite(h).all(axis=1)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise FloatingPointError(
            f"the network's output for X[{i}] is not finite, got {h[i].tolist()}: the example is "
            f"too large for the network's parameters and dtype; scale X so that its columns are "
            f"about 1 in size"
        )


def n_rows(X: Rows) -> int:
    """Return the number of examples in checked rows."""
    return len(X[2]) - 1 if isinstance(X, tuple) else len(X)
