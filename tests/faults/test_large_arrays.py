"""Arrays of more than 2³¹ elements: no index is one of 32 bits.

With the environment variable FASTMLP_LARGE=1.  Most of the memory is one page of zeros, or one
period of a matrix, that is mapped again and again, so that a gigabyte is enough.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastmlp

scipy_sparse = pytest.importorskip("scipy.sparse")

pytestmark = pytest.mark.skipif(
    os.environ.get("FASTMLP_LARGE", "0") in {"", "0"} or sys.platform != "linux",
    reason="takes minutes: on Linux with FASTMLP_LARGE=1",
)

N_ROWS, N_IN = 60_000, 40_000
PERIOD, N_IN_CSR, A_ROW = 256, 4101, 4096  # rows after which the sparse matrix repeats; non-zeros
BATCH, CHUNK = 1024, 8192


class Large(NamedTuple):
    """X with more than 2³¹ elements, and a function that returns a small copy of some rows."""

    X: Any
    rows: Callable[[int, int], Any]


def dense(X: np.ndarray) -> Large:
    """Fill the last rows of an array of zeros, whose elements have the largest places."""
    rng = np.random.default_rng(0)
    for i in range(N_ROWS - 100, N_ROWS):
        X[i] = rng.integers(0, 256, N_IN)
    return Large(X, lambda first, last: np.array(X[first:last]))


def repeated(period: np.ndarray, n: int) -> np.ndarray:
    """n times the numbers of `period`, all in the same memory."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
    ]  # fmt: skip
    map_fixed, size = 0x10, period.nbytes
    file = os.memfd_create("period")
    os.write(file, period.tobytes())
    whole = mmap.mmap(-1, n * size, mmap.MAP_PRIVATE | 0x4000)  # MAP_NORESERVE
    array = np.frombuffer(whole, period.dtype)
    for i in range(n):
        place = array.ctypes.data + i * size
        flags = mmap.MAP_SHARED | map_fixed
        assert library.mmap(place, size, mmap.PROT_READ, flags, file, 0) == place
    os.close(file)
    return array


def sparse() -> Large:
    """A CSR matrix of which every 256 rows are the same."""
    rng = np.random.default_rng(0)
    n = 2**31 // (PERIOD * A_ROW) + 1
    indices = np.sort(rng.permuted(np.tile(np.arange(N_IN_CSR), (PERIOD, 1)), axis=1)[:, :A_ROW])
    period = indices.astype(np.int32).ravel()
    numbers = rng.normal(size=len(period)).astype(np.float32)
    X = scipy_sparse.csr_matrix((n * PERIOD, N_IN_CSR), dtype=np.float32)
    X.indices, X.data = repeated(period, n), repeated(numbers, n)
    X.indptr = np.arange(n * PERIOD + 1, dtype=np.int64) * A_ROW

    def rows(first: int, last: int) -> Any:
        taken = np.arange(first, last) % PERIOD
        parts = (np.concatenate([one.reshape(PERIOD, -1)[taken[k : k + PERIOD]].ravel()
                                 for k in range(0, len(taken), PERIOD)])
                 for one in (numbers, period))  # fmt: skip
        return scipy_sparse.csr_matrix(
            (*parts, np.arange(last - first + 1) * A_ROW), (last - first, N_IN_CSR)
        )

    return Large(X, rows)


@pytest.fixture(params=["uint8", "float32", "map", "csr"])
def large(request: pytest.FixtureRequest, tmp_path: Path) -> Large:
    if request.param == "csr":
        return sparse()
    if request.param == "map":
        shape = (N_ROWS, N_IN)
        return dense(np.memmap(tmp_path / "X", np.uint8, mode="w+", shape=shape))
    return dense(np.zeros((N_ROWS, N_IN), request.param))


def test_more_elements_than_32_bits_count_are_read_where_they_lie(
    large: Large, tmp_path: Path
) -> None:
    X, rows = large
    n, n_in = X.shape
    assert getattr(X, "nnz", n * n_in) > 2**31
    y = np.random.default_rng(1).integers(3, size=n)

    def chunks():
        for first in range(0, n, CHUNK):
            yield rows(first, min(n, first + CHUNK)), y[first : first + CHUNK]

    nets = [fastmlp.MLP((n_in, 2, 3), activation="tanh", uint8_scale=1 / 255) for _ in range(2)]
    options = {"epochs": 1, "batch_size": BATCH, "shuffle": False}
    nets[0].fit(X, y, **options)
    nets[1].fit(chunks, **options)
    for one, two in zip(nets[0].weights, nets[1].weights, strict=True):
        assert np.array_equal(one, two)

    nets[0].save(tmp_path / "net.npz")
    loaded = fastmlp.load(tmp_path / "net.npz")
    outputs = loaded.predict_proba(X)
    assert outputs.shape == (n, 3)
    for first in (0, n - 100):
        assert np.array_equal(outputs[first : first + 100], nets[1].predict_proba(
            rows(first, first + 100)))  # fmt: skip
