"""Examples that come in chunks, from an iterable or from what a function returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..model.state import ModelState
from ..support import checks
from ..support.text import shown
from .examples import Examples

__all__ = ["ChunkSource", "Chunks"]

ChunkSource: TypeAlias = Iterable[Sequence[Any]] | Callable[[], Iterable[Sequence[Any]]]


class Chunks:
    """Chunks (X, y) or (X, y, sample_weight), each checked as it comes."""

    def __init__(self, state: ModelState, X: object, epochs: int) -> None:
        self.state = state
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
        self.source: ChunkSource = X

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[Examples]:
        """Yield all chunks, in the order in which they come."""
        first, number = "", 0
        for chunk in self._iterator():
            number += 1  # not by enumerate, which holds on to the chunk
            with checks.within(f"chunk {number}"):
                if not isinstance(chunk, (tuple, list)) or len(chunk) not in (2, 3):
                    raise TypeError(
                        f"expected (X, y) or (X, y, sample_weight), got {_described(chunk)}; X "
                        f"without y is an iterable of chunks: give fit(X, y), or a single chunk as "
                        f"fit([(X, y)])"
                    )
                examples = Examples.checked(self.state, *chunk, part=True)
                kind = _kind(examples)
                if kind != (first := first or kind):
                    raise ValueError(f"has {kind}, the first chunk {first}; give one kind")
            yield examples
            del chunk, examples  # before the next one is read
        if not first:
            raise ValueError(
                "no chunk came; if X is used up after an epoch, give a function that returns a "
                "new iterator"
            )

    def _iterator(self) -> Iterator[Sequence[Any]]:
        """Return an iterator over the chunks of an epoch."""
        if not callable(self.source):
            return iter(self.source)
        found = self.source()
        try:
            return iter(found)
        except TypeError:
            raise TypeError(
                f"the function X must return an iterable of chunks (X, y), got {shown(found)}"
            ) from None


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
        return f"{len(chunk)} entries"
    return type(chunk).__name__
