"""From what a user passes to fit to whole batches, in the order of training.

Chunks, memory maps and Parquet files are cut into whole batches; rows left over at a chunk's end
share a batch with the first rows of the next chunk.  Without shuffling the batches are those of all
chunks in one array.  With shuffling, rows change places within a chunk, by one stream of random
numbers for the whole epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.state import ModelState
from ..support import checks
from ..support.text import shown
from . import split
from .chunks import Chunks
from .examples import Examples
from .memory_maps import MemoryMap, is_memory_map
from .parquet import ParquetFolder, ParquetRows

__all__ = [
    "Batching", "Cuts", "Piece", "RowOrder", "Source", "ValidationSource", "batches_of_chunks",
    "cuts_at", "even_cuts", "even_starts", "row_numbers", "source", "validation", "with_targets",
]  # fmt: skip

Rows = NDArray[np.int64]
# (a batch's number, a number of rows) → the numbers of rows at which this batch and the following
# ones begin, as far as the batches before these places end within so many rows
Cuts = Callable[[int, int], Rows]
Source = Examples | MemoryMap | ParquetRows | Chunks
ValidationSource = Examples | MemoryMap | ParquetRows


class Piece(NamedTuple):
    """Batches of examples: number k is the rows ``order[starts[k]:starts[k + 1]]``."""

    examples: Examples
    order: Rows
    starts: Rows

    @classmethod
    def joined(cls, state: ModelState, parts: Sequence[Examples]) -> Self:
        """Return one batch of several examples, one after the other."""
        examples = Examples.joined(state, parts)
        n = len(examples)
        return cls(examples, np.arange(n, dtype=np.int64), np.array([0, n]))


def with_targets(
    state: ModelState,
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    finite_later: bool = False,
) -> Examples | MemoryMap:
    """Return examples as their user passed them, checked: in memory or in a file."""
    if is_memory_map(X):
        return MemoryMap(state, X, y, sample_weight)
    return Examples.checked(state, X, y, sample_weight, finite_later=finite_later)


def source(
    state: ModelState,
    X: Any,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    epochs: int,
    *,
    finite_later: bool = False,
) -> Source:
    """Return what fit was passed to train on, checked as far as it is there.

    With `finite_later` the first epoch may check that X is finite: see `Examples.checked`.
    """
    if isinstance(X, (Examples, MemoryMap)):
        return X
    if isinstance(X, ParquetFolder):
        if y is not None or sample_weight is not None:
            raise TypeError(
                "y and sample_weight of a ParquetFolder are columns of its files: name them by "
                "its arguments label and weight"
            )
        if len(X) == 0:
            raise ValueError(f"{X.path}: this part of the folder has no row")
        return ParquetRows(state, X)
    if isinstance(X, (str, os.PathLike)):
        raise TypeError(
            f"X must be examples, got the path {os.fspath(X)!r}; for Parquet files pass "
            f"fastmlp.ParquetFolder(path, label=…)"
        )
    if y is not None:
        return with_targets(state, X, y, sample_weight, finite_later=finite_later)
    if sample_weight is not None:
        raise TypeError("sample_weight of chunks comes with each: (X, y, sample_weight)")
    return Chunks(state, X, epochs)


def validation(
    state: ModelState,
    source: Source,
    validation_data: (
        tuple[checks.Examples, ArrayLike] | ParquetFolder | Examples | MemoryMap | float | None
    ),
) -> tuple[Rows | None, ValidationSource | None]:
    """Return the rows of `source` to train on, None for all, and the validation data."""
    if validation_data is None:
        return None, None
    if isinstance(validation_data, (Examples, MemoryMap)):
        return None, validation_data
    if isinstance(validation_data, ParquetFolder):
        with checks.within("validation_data"):
            return None, ParquetRows(state, validation_data)
    if isinstance(validation_data, (tuple, list)):
        if len(validation_data) != 2:
            raise ValueError(
                f"validation_data must be a pair (X, y) or a fraction, got "
                f"{len(validation_data)} entries"
            )
        with checks.within("validation_data"):
            return None, with_targets(state, *validation_data)
    if not isinstance(source, Examples):
        raise ValueError(
            f"validation_data must be a pair (X, y) or a ParquetFolder where X is read in pieces, "
            f"got {shown(validation_data)}"
        )
    stream = split.validation_stream(state.spec.seed, state.spec.n_layers)
    training_rows, held_out = split.hold_out(len(source), validation_data, stream)
    if source.weight is not None:
        for part, rows in (("training", training_rows), ("validation", held_out)):
            if not source.weight[rows].any():
                raise ValueError(f"sample_weight is zero for all the {part} examples")
    return training_rows, source.take(state, held_out)


def even_starts(n_rows: int, size: int) -> Rows:
    """Return where batches of this size begin, and n_rows, where the last one ends."""
    starts = np.arange(0, n_rows + size, size, dtype=np.int64)
    starts[-1] = n_rows
    return starts


def even_cuts(size: int) -> Cuts:
    """Return the cuts between batches that all have this size."""

    def cuts(batch: int, end: int) -> Rows:
        return size * np.arange(batch, end // size + 1, dtype=np.int64)

    return cuts


def cuts_at(starts: Rows) -> Cuts:
    """Return the cuts at these places: where each batch begins, and the end of the last one."""

    def cuts(batch: int, end: int) -> Rows:
        return starts[batch : np.searchsorted(starts, end, "right")]

    return cuts


class Batching(NamedTuple):
    """How the rows of each epoch of a fit are divided into batches.

    Of a fit that several processes share, `n_rows` and `size` count the rows of all processes;
    `starts` and `cuts` are of the rows of this one.
    """

    n_rows: int | None  # to train on; None: not known, because they come in chunks
    size: int  # of each batch; the last one may be smaller
    starts: Rows  # where each batch begins, and the end of the last; empty if n_rows is None
    cuts: Cuts  # the same where rows are read in pieces

    @classmethod
    def of(cls, source: Source, rows: Rows | None, size: int) -> Self:
        """Return how this process alone divides these rows of `source`, None for all of them."""
        if isinstance(source, Chunks):
            return cls(None, size, np.empty(0, np.int64), even_cuts(size))
        n_rows = len(source if rows is None else rows)
        size = min(size, n_rows)
        return cls(n_rows, size, even_starts(n_rows, size), even_cuts(size))

    def n_batches(self, n_rows: int) -> int:
        """Return the number of batches of so many rows."""
        return -(-n_rows // self.size)


def batches_of_chunks(
    state: ModelState,
    source: Chunks | MemoryMap | ParquetRows,
    cuts: Cuts,
    rng: np.random.Generator | None,
) -> Iterator[Piece]:
    """Yield an epoch's examples cut into batches, all whole but perhaps the last.

    A chunk is not copied but for its first and last rows, which share a batch with its neighbours.
    """
    left: list[Examples] = []  # rows of a batch that is not whole yet
    batch = end = 0
    for chunk in source.chunks(rng):
        order = np.arange(len(chunk), dtype=np.int64)
        if rng is not None:
            order = rng.permutation(order)
        first, end = end, end + len(chunk)
        starts = cuts(batch, end) - first  # the first may be negative: in the chunks before
        if left and len(starts) > 1:
            left.append(chunk.take(state, order[: starts[1]]))
            yield Piece.joined(state, left)
            left, batch, starts = [], batch + 1, starts[1:]
        if len(starts) > 1:
            yield Piece(chunk, order[starts[0] : starts[-1]], starts - starts[0])
            batch += len(starts) - 1
        if starts[-1] < len(chunk):
            left.append(chunk.take(state, order[max(starts[-1], 0) :]))
        del chunk
    if left:
        yield Piece.joined(state, left)


class RowOrder:
    """Base of functions for ``fit(shuffle=)`` whose orders need no check: permutations in int64."""

    def __call__(self, n_rows: int) -> Rows:
        """Return the order of n_rows examples in the coming epoch."""
        raise NotImplementedError

    def of_epochs(self, n_rows: int, n_epochs: int) -> Rows:
        """Return the orders of the coming epochs, one after the other."""
        raise NotImplementedError


def _range_of(order: NDArray[Any]) -> str:
    """What is wrong with an order: shape, dtype, least and greatest number."""
    if order.ndim != 1 or order.dtype.kind not in "iu" or not order.size:
        return f"{order.dtype} of shape {order.shape}"
    return f"{len(order)} from {order.min()} to {order.max()}"


def row_numbers(shuffle: Callable[[int], ArrayLike], n_rows: int) -> Rows:
    """Return the order of a user's shuffle: a row number for each of n_rows examples."""
    if isinstance(shuffle, RowOrder):
        return shuffle(n_rows)
    order = np.array(shuffle(n_rows))  # a copy, which nobody changes after it was checked
    if (
        order.shape != (n_rows,)
        or order.dtype.kind not in "iu"
        or not 0 <= order.min() <= order.max() < n_rows
    ):
        raise ValueError(
            f"shuffle must return {n_rows} row numbers from 0 to {n_rows - 1}, got "
            f"{_range_of(order)}"
        )
    return np.ascontiguousarray(order, np.int64)
