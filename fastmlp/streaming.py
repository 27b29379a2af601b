"""Examples larger than memory: chunks from an iterable, and arrays that lie in a file.

Both are series of chunks, which `parts` cuts into whole batches; rows left over at a chunk's end go
before the next chunk's.  Without shuffling the batches are those of all chunks in one array.
With it the rows change places within a chunk, by one stream of draws for the whole epoch.

A `numpy.memmap` is read BLOCK by BLOCK, CHUNK bytes at a time, and copied, so that neither disk
nor memory sees single rows.  Shuffled, a chunk is made of blocks from all over the file; one that
fits into a chunk is trained on as if it lay in memory, with the same bits.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks
from .examples import Examples, hold_out

if TYPE_CHECKING:
    from .network import MLP

__all__ = [
    "Chunks",
    "Given",
    "Mapped",
    "Source",
    "by_chunk",
    "given",
    "parts",
    "source",
    "validation",
]

CHUNK = 32 << 20  # bytes of a map that are in memory together
BLOCK = 1 << 20  # bytes of neighbouring rows, which are read together

Array = NDArray[Any]
Rows = NDArray[np.int64]
Given = Iterable[Sequence[Any]] | Callable[[], Iterable[Sequence[Any]]]


class Chunks:
    """Chunks (X, y) or (X, y, sample_weight) of an iterable, or of what a function returns."""

    def __init__(self, net: MLP, X: object, epochs: int) -> None:
        self.net = net
        if not callable(X) and (
            hasattr(X, "__array__") or hasattr(X, "tocsr") or not isinstance(X, Iterable)
        ):
            raise TypeError(
                f"y is missing: give fit(X, y); alone, X is an iterable of chunks (X, y), or a "
                f"function that returns one, got {type(X).__name__}"
            )
        if isinstance(X, Iterator) and epochs > 1:
            raise ValueError(
                f"X is an iterator, good for one epoch, and epochs is {epochs}: give a list or "
                f"other iterable that begins anew each time, or a function that returns a new "
                f"iterator, as in fit(lambda: read_chunks(path))"
            )
        self.given: Given = X

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[Examples]:
        """All chunks, checked, in the order in which they come."""
        first, number = "", 0
        for chunk in self.given() if callable(self.given) else self.given:
            number += 1  # not by enumerate, which holds on to the chunk
            with checks.within(f"chunk {number}"):
                if not isinstance(chunk, (tuple, list)) or len(chunk) not in (2, 3):
                    raise TypeError(
                        f"expected (X, y) or (X, y, sample_weight), got {_described(chunk)}"
                    )
                examples = Examples.checked(self.net, *chunk, part=True)
                kind = _kind(examples)
                if kind != (first := first or kind):
                    raise ValueError(f"has {kind}, the first chunk {first}; give them alike")
            yield examples
            del chunk, examples  # before the next one is read
        if not first:
            raise ValueError(
                "no chunk came; if X is used up after an epoch, give a function that returns a "
                "new iterator"
            )


class Mapped:
    """Examples X that lie in a file, (m, n_in), with their targets and weights."""

    def __init__(
        self, net: MLP, X: np.memmap[Any, Any], y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        checks.shape(checks.array("X", X), net.sizes[0])
        self.net, self.X = net, X
        if isinstance(y, np.memmap):  # in pieces too
            self.y: Array = y
            checks.length("y", y, len(X))
        else:
            self.y = net.loss.targets(y, len(X), net.sizes[-1], net.dtype)
        self.weight: Array | None = None
        if sample_weight is not None:
            self.weight = checks.sample_weight(sample_weight, len(X), net.dtype)

    def __len__(self) -> int:
        return len(self.X)

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[Examples]:
        """All rows, copied and checked; with `rng` from blocks in an order of its first child's."""
        net = self.net
        for spans in _spans(self.X, rng):
            blocks = [self._block(*span) for span in spans]
            X, y = (np.concatenate(one) for one in list(zip(*blocks, strict=True))[:2])
            weight = None if self.weight is None else np.concatenate([one[2] for one in blocks])
            del blocks
            _release(self.X)
            _release(self.y)
            yield Examples(X, y, weight, net._data(net._engine, X, y, weight))
            del X, y, weight  # before the next ones are read

    def _block(self, first: int, end: int) -> tuple[Array, Array, Array | None]:
        net, y = self.net, self.y[first:end]
        with _rows(first, end):
            X = checks.rows(self.X[first:end], net.sizes[0], net.dtype)
            if isinstance(self.y, np.memmap):
                y = net.loss.targets(y, end - first, net.sizes[-1], net.dtype)
        assert not isinstance(X, tuple)
        return X, y, None if self.weight is None else self.weight[first:end]


Source = Examples | Mapped | Chunks


def given(
    net: MLP, X: checks.Examples, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> Examples | Mapped:
    """Return examples as their user gave them, checked: in memory or in a file."""
    if isinstance(X, np.memmap):
        return Mapped(net, X, y, sample_weight)
    return Examples.checked(net, X, y, sample_weight)


def source(
    net: MLP, X: Any, y: ArrayLike | None, sample_weight: ArrayLike | None, epochs: int
) -> Source:
    """Return what fit was given to train on, checked as far as it is there."""
    if y is not None:
        return given(net, X, y, sample_weight)
    if sample_weight is not None:
        raise TypeError("sample_weight of chunks comes with each: (X, y, sample_weight)")
    return Chunks(net, X, epochs)


def validation(
    net: MLP,
    source: Source,
    validation_data: tuple[checks.Examples, ArrayLike] | float | None,
) -> tuple[Rows | None, Examples | Mapped | None]:
    """Return the rows of `source` to train on, None for all, and the validation data."""
    if validation_data is None:
        return None, None
    if isinstance(validation_data, (tuple, list)):
        if len(validation_data) != 2:
            raise ValueError(
                f"validation_data must be a pair (X, y) or a fraction, got "
                f"{len(validation_data)} things"
            )
        with checks.within("validation_data"):
            return None, given(net, *validation_data)
    if not isinstance(source, Examples):
        raise ValueError(
            f"validation_data must be a pair (X, y) where X is read in pieces, got "
            f"{validation_data!r}"
        )
    return hold_out(net, source, validation_data)


def parts(
    net: MLP, source: Chunks | Mapped, batch_size: int, rng: np.random.Generator | None
) -> Iterator[tuple[Examples, Rows]]:
    """Cut an epoch into examples with the rows to train on, in order: whole batches but the last.

    A chunk is not copied but for its first and last rows, which share a batch with its neighbours'.
    """
    left: list[Examples] = []
    missing = batch_size  # examples, to make a batch of what is left
    for chunk in source.chunks(rng):
        order = np.arange(len(chunk), dtype=np.int64)
        if rng is not None:
            order = rng.permutation(order)
        if left:
            left.append(chunk.take(net, order[:missing]))
            order = order[missing:]
            missing -= len(left[-1])
            if missing == 0:
                yield Examples.joined(net, left), np.arange(batch_size, dtype=np.int64)
                left = []
        whole = len(order) // batch_size * batch_size
        if whole > 0:
            yield chunk, order[:whole]
        if whole < len(order):
            left = [chunk.take(net, order[whole:])]
            missing = batch_size - len(left[0])
        del chunk
    if left:
        yield Examples.joined(net, left), np.arange(batch_size - missing, dtype=np.int64)


def by_chunk(function: Callable[[Array], Array], X: np.memmap[Any, Any], n_in: int) -> Array:
    """Return what a function of (m, n_in) examples says of those in a file, row by row."""
    checks.shape(checks.array("X", X), n_in)
    found = []
    for spans in _spans(X):
        first, end = spans[0][0], spans[-1][1]
        with _rows(first, end):
            found.append(function(np.array(X[first:end])))
        _release(X)
    return np.concatenate(found)


def _spans(
    X: np.memmap[Any, Any], rng: np.random.Generator | None = None
) -> Iterator[list[tuple[int, int]]]:
    """The blocks of each chunk, first row and the one behind the last, ascending in a chunk."""
    n_rows = max(1, BLOCK // X[0].nbytes)
    starts = np.arange(0, len(X), n_rows)
    if rng is not None:
        starts = rng.spawn(1)[0].permutation(starts)
    for k in range(0, len(starts), CHUNK // BLOCK):
        blocks = np.sort(starts[k : k + CHUNK // BLOCK])
        yield [(first, min(first + n_rows, len(X))) for first in blocks.tolist()]


def _rows(first: int, end: int) -> Any:
    return checks.within(f"rows {first} to {end - 1}")


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


def _kind(examples: Examples) -> str:
    """What chunks must have in common, for rows of two to make a batch."""
    X = examples.X
    values = X[0] if isinstance(X, tuple) else X
    return (
        f"{'sparse' if isinstance(X, tuple) else 'dense'} X of "
        f"{'uint8' if values.dtype == np.uint8 else 'real numbers'}, y of {examples.y.ndim} "
        f"{'axis' if examples.y.ndim == 1 else 'axes'} and "
        f"{'no' if examples.weight is None else 'a'} sample_weight"
    )


def _described(chunk: object) -> str:
    if isinstance(chunk, (tuple, list)):
        return f"{len(chunk)} things"
    return type(chunk).__name__
