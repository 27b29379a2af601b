"""From what a user passes to fit to whole batches, in the order of training.

Chunks and memory maps are cut into whole batches; rows left over at a chunk's end share a batch
with the first rows of the next chunk.  Without shuffling the batches are those of all chunks in
one array.  With shuffling, rows change places within a chunk, by one stream of random numbers for
the whole epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.state import ModelState
from ..support import checks
from . import split
from .chunks import Chunks
from .examples import Examples
from .memory_maps import MemoryMap, is_memory_map

__all__ = [
    "RowOrder", "Source", "batches_of_chunks", "row_numbers", "source", "validation",
    "with_targets",
]  # fmt: skip

Rows = NDArray[np.int64]
Source = Examples | MemoryMap | Chunks


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
    if isinstance(X, Examples):
        return X
    if y is not None:
        return with_targets(state, X, y, sample_weight, finite_later=finite_later)
    if sample_weight is not None:
        raise TypeError("sample_weight of chunks comes with each: (X, y, sample_weight)")
    return Chunks(state, X, epochs)


def validation(
    state: ModelState,
    source: Source,
    validation_data: tuple[checks.Examples, ArrayLike] | Examples | MemoryMap | float | None,
) -> tuple[Rows | None, Examples | MemoryMap | None]:
    """Return the rows of `source` to train on, None for all, and the validation data."""
    if validation_data is None:
        return None, None
    if isinstance(validation_data, (Examples, MemoryMap)):
        return None, validation_data
    if isinstance(validation_data, (tuple, list)):
        if len(validation_data) != 2:
            raise ValueError(
                f"validation_data must be a pair (X, y) or a fraction, got "
                f"{len(validation_data)} things"
            )
        with checks.within("validation_data"):
            return None, with_targets(state, *validation_data)
    if not isinstance(source, Examples):
        raise ValueError(
            f"validation_data must be a pair (X, y) where X is read in pieces, got "
            f"{validation_data!r}"
        )
    stream = split.validation_stream(state.spec.seed, state.spec.n_layers)
    training_rows, held_out = split.hold_out(len(source), validation_data, stream)
    if source.weight is not None:
        for part, rows in (("training", training_rows), ("validation", held_out)):
            if not source.weight[rows].any():
                raise ValueError(f"sample_weight is zero for all the {part} examples")
    return training_rows, source.take(state, held_out)


def batches_of_chunks(
    state: ModelState,
    source: Chunks | MemoryMap,
    batch_size: int,
    rng: np.random.Generator | None,
) -> Iterator[tuple[Examples, Rows]]:
    """Yield an epoch's examples with the rows to train on, in order: whole batches but the last.

    A chunk is not copied but for its first and last rows, which share a batch with its neighbours.
    """
    left: list[Examples] = []
    missing = batch_size  # examples, to make a batch of what is left
    for chunk in source.chunks(rng):
        order = np.arange(len(chunk), dtype=np.int64)
        if rng is not None:
            order = rng.permutation(order)
        if left:
            left.append(chunk.take(state, order[:missing]))
            order = order[missing:]
            missing -= len(left[-1])
            if missing == 0:
                yield Examples.joined(state, left), np.arange(batch_size, dtype=np.int64)
                left = []
        whole = len(order) // batch_size * batch_size
        if whole > 0:
            yield chunk, order[:whole]
        if whole < len(order):
            left = [chunk.take(state, order[whole:])]
            missing = batch_size - len(left[0])
        del chunk
    if left:
        yield Examples.joined(state, left), np.arange(batch_size - missing, dtype=np.int64)


class RowOrder:
    """Base of functions for ``fit(shuffle=)`` whose orders need no check: permutations in int64."""

    def __call__(self, n_rows: int) -> Rows:
        """Return the order of n_rows examples in the coming epoch."""
        raise NotImplementedError

    def of_epochs(self, n_rows: int, n_epochs: int) -> Rows:
        """Return the orders of the coming epochs, one after the other."""
        raise NotImplementedError


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
            f"shuffle must return {n_rows} row numbers from 0 to {n_rows - 1}, got {order!r}"
        )
    return np.ascontiguousarray(order, np.int64)
