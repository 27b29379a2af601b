"""Examples with their targets as the engine reads them, and those held out for validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks

if TYPE_CHECKING:
    from .kernels.engine import Data
    from .network import MLP

__all__ = ["Examples", "hold_out", "row_numbers"]


@dataclass(frozen=True)
class Examples:
    """Checked examples with targets and perhaps weights, and the engine's hold on them."""

    X: checks.Rows
    y: NDArray[Any]
    weight: NDArray[Any] | None
    data: Data

    @classmethod
    def checked(
        cls,
        net: MLP,
        X: checks.Examples,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        part: bool = False,
    ) -> Self:
        """Return examples for a network as its user gave them, all or a part of all."""
        rows = checks.rows(X, net.sizes[0], net.dtype)
        m = checks.n_rows(rows)
        targets = net.loss.targets(y, m, net.sizes[-1], net.dtype)
        weight = None
        if sample_weight is not None:
            weight = checks.sample_weight(sample_weight, m, net.dtype, part)
        return cls(rows, targets, weight, net._data(net._engine, rows, targets, weight))

    @classmethod
    def joined(cls, net: MLP, parts: Sequence[Self]) -> Self:
        """Return a copy of several examples of one kind, one after the other."""
        X = _join_rows([one.X for one in parts])
        y = np.concatenate([one.y for one in parts])
        weights = [one.weight for one in parts if one.weight is not None]
        weight = np.concatenate(weights) if weights else None
        return cls(X, y, weight, net._data(net._engine, X, y, weight))

    def __len__(self) -> int:
        return len(self.y)

    def chunks(self) -> Iterator[Self]:
        """All of them, as one chunk; others come in several (streaming.Mapped)."""
        yield self

    def require_dense(self) -> None:
        """Refuse a sparse matrix, which cannot be distorted."""
        if isinstance(self.X, tuple):
            raise TypeError("augment distorts dense images; X is a sparse matrix")

    def take(self, net: MLP, index: NDArray[np.int64]) -> Self:
        """Return a copy of the examples with these row numbers."""
        X = _take_rows(self.X, index)
        y, weight = self.y[index], None if self.weight is None else self.weight[index]
        return type(self)(X, y, weight, net._data(net._engine, X, y, weight))


def _take_rows(X: checks.Rows, index: NDArray[np.int64]) -> checks.Rows:
    if not isinstance(X, tuple):
        return X[index]
    data, indices, pointers = X
    counts = np.diff(pointers)[index]
    new_pointers = np.concatenate([[0], np.cumsum(counts)])
    # stored number k of the new row r was at pointers[index[r]] + k
    places = np.arange(new_pointers[-1]) + np.repeat(pointers[index] - new_pointers[:-1], counts)
    return data[places], indices[places], new_pointers.astype(np.int64)


def _join_rows(parts: Sequence[checks.Rows]) -> checks.Rows:
    dense = [one for one in parts if not isinstance(one, tuple)]
    if dense:
        return np.concatenate(dense)
    data, indices, pointers = zip(*parts, strict=True)
    counts = np.concatenate([np.diff(one) for one in pointers])
    return np.concatenate(data), np.concatenate(indices), np.append(0, np.cumsum(counts))


def hold_out(
    net: MLP, examples: Examples, validation_data: float
) -> tuple[NDArray[np.int64], Examples]:
    """Return the rows of `examples` to train on, ascending, and the others, a fraction of all.

    Drawn from SeedSequence(seed, spawn_key=(n_layers,)), the key after those of the layers' first
    parameters.
    """
    m = len(examples)
    fraction = checks.number("validation_data", validation_data, "(0, 1)", " or a pair (X, y)")
    if m < 2:
        raise ValueError(f"validation_data={fraction} needs at least 2 examples, got {m}")
    count = min(max(round(fraction * m), 1), m - 1)
    stream = np.random.SeedSequence(net.seed, spawn_key=(len(net.sizes) - 1,))
    order = np.random.default_rng(stream).permutation(np.arange(m, dtype=np.int64))
    kept, held_out = np.sort(order[count:]), np.sort(order[:count])
    if examples.weight is not None:
        for part, rows in (("training", kept), ("validation", held_out)):
            if not examples.weight[rows].any():
                raise ValueError(f"sample_weight is zero for all the {part} examples")
    return kept, examples.take(net, held_out)


def row_numbers(found: ArrayLike, n_rows: int) -> NDArray[np.int64]:
    """Check what a user's shuffle returned: a row number for each of n_rows examples."""
    found = np.asarray(found)
    if (
        found.shape != (n_rows,)
        or found.dtype.kind not in "iu"
        or not 0 <= found.min() <= found.max() < n_rows
    ):
        raise ValueError(
            f"shuffle must return {n_rows} row numbers from 0 to {n_rows - 1}, got {found!r}"
        )
    return np.ascontiguousarray(found, np.int64)
