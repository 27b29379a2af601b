"""Examples in a `numpy.memmap`: larger than memory, perhaps.

A map is read BLOCK by BLOCK, CHUNK bytes at a time, and copied, so that neither disk nor memory
sees single rows.  Shuffled, a chunk is made of blocks from all over the file; a map that fits into
one chunk is trained on as if it lay in memory, with the same bits.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.state import ModelState
from ..support import checks
from .examples import Examples

__all__ = ["MemoryMap", "by_chunk", "is_memory_map"]

CHUNK = 32 << 20  # bytes of a map that are in memory together
BLOCK = 1 << 20  # bytes of neighbouring rows, which are read together

JOBLIB = "joblib_memmapping_folder_"  # how the names of joblib's own folders begin

Array = NDArray[Any]


def is_memory_map(X: object) -> TypeGuard[np.memmap[Any, Any]]:
    """Return whether X is a memory map of its user's.

    joblib passes large arrays to its worker processes as maps of temporary files: these were
    arrays in memory, and they are treated as such.
    """
    if not isinstance(X, np.memmap):
        return False
    folder = os.path.basename(os.path.dirname(str(X.filename or "")))
    return not folder.startswith(JOBLIB)


class MemoryMap:
    """Examples X that lie in a file, (m, n_in), with their targets and weights."""

    def __init__(
        self,
        state: ModelState,
        X: np.memmap[Any, Any],
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> None:
        spec = state.spec
        checks.shape(checks.array("X", X), spec.sizes[0])
        self.state, self.X = state, X
        if is_memory_map(y):  # in pieces too
            self.y: Array = y
            checks.length("y", y, len(X))
        else:
            self.y = spec.loss.targets(y, len(X), spec.sizes[-1], spec.dtype)
        self.weight: Array | None = None
        if sample_weight is not None:
            self.weight = checks.sample_weight(sample_weight, len(X), spec.dtype)

    def __len__(self) -> int:
        return len(self.X)

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[Examples]:
        """Yield all rows, copied and checked; with `rng` blocks in an order of its first child."""
        for spans in _spans(self.X, rng):
            blocks = [self._block(*span) for span in spans]
            X, y = (np.concatenate(one) for one in list(zip(*blocks, strict=True))[:2])
            weight = None if self.weight is None else np.concatenate([one[2] for one in blocks])
            del blocks
            _release(self.X)
            _release(self.y)
            yield Examples(X, y, weight, self.state.data(X, y, weight))
            del X, y, weight  # before the next ones are read

    def _block(self, first: int, end: int) -> tuple[Array, Array, Array | None]:
        spec, y = self.state.spec, self.y[first:end]
        with _within_rows(first, end):
            X = spec.rows(self.X[first:end])
            if is_memory_map(self.y):
                y = spec.loss.targets(y, end - first, spec.sizes[-1], spec.dtype)
        assert not isinstance(X, tuple)
        return X, y, None if self.weight is None else self.weight[first:end]


def by_chunk(function: Callable[[Array], Array], X: np.memmap[Any, Any], n_in: int) -> Array:
    """Return what a function of examples (m, n_in) returns for those in a file, row by row."""
    checks.shape(checks.array("X", X), n_in)
    results = []
    for spans in _spans(X):
        first, end = spans[0][0], spans[-1][1]
        with _within_rows(first, end):
            results.append(function(np.array(X[first:end])))
        _release(X)
    return np.concatenate(results)


def _spans(
    X: np.memmap[Any, Any], rng: np.random.Generator | None = None
) -> Iterator[list[tuple[int, int]]]:
    """The blocks of each chunk, first row and the row after the last, ascending in a chunk."""
    n_rows = max(1, BLOCK // X[0].nbytes)
    starts = np.arange(0, len(X), n_rows)
    if rng is not None:
        starts = rng.spawn(1)[0].permutation(starts)
    for k in range(0, len(starts), CHUNK // BLOCK):
        blocks = np.sort(starts[k : k + CHUNK // BLOCK])
        yield [(first, min(first + n_rows, len(X))) for first in blocks.tolist()]


def _within_rows(first: int, end: int) -> Any:
    return checks.within(f"rows {first} to {end - 1}, here numbered from 0")


def _release(X: Array) -> None:
    """Let the system take back the pages of a map that were read; its cache may keep them.

    Not those of mode "c", whose changes are nowhere else.
    """
    base: Any = X
    while isinstance(base, np.ndarray):
        base = base.base
    shared = getattr(X, "mode", None) in ("r", "r+", "w+")
    if shared and isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
