"""Examples in memory, with their targets and weights, as the engine reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.state import ModelState
from ..support import checks

if TYPE_CHECKING:
    from ..kernels.engine import Data

__all__ = ["Examples"]


# numbers of X from which it takes long to check that they are finite, and times as many as
# parameters, of which a copy is made where the check is left to the first epoch
LARGE, TIMES_PARAMETERS = 1 << 20, 16


@dataclass(frozen=True)
class Examples:
    """Checked examples with targets and perhaps weights, and the engine's view of them."""

    X: checks.Rows
    y: NDArray[Any]
    weight: NDArray[Any] | None
    data: Data

    @classmethod
    def checked(
        cls,
        state: ModelState,
        X: checks.Examples,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        part: bool = False,
        finite_later: bool = False,
    ) -> Self:
        """Return examples for a network as its user passed them: all, or a `part` of all.

        With `finite_later` training may check that the numbers of X are finite while it reads them
        for the first time, if X is so large that this takes a while: see `Data.unchecked`.
        """
        spec = state.spec
        finite_later = (
            finite_later
            and spec.may_check_later(X)
            and X.size >= max(LARGE, TIMES_PARAMETERS * spec.n_parameters)
        )
        rows = spec.rows(X, finite_later=finite_later)
        m = checks.n_rows(rows)
        targets = spec.loss.targets(y, m, spec.sizes[-1], spec.dtype)
        weight = None
        if sample_weight is not None:
            weight = checks.sample_weight(sample_weight, m, spec.dtype, part)
        data = state.data(rows, targets, weight)
        data.unchecked = finite_later
        return cls(rows, targets, weight, data)

    def require_finite(self, state: ModelState) -> None:
        """Raise ValueError at the first number of X that is not finite, where that is unknown."""
        if self.data.unchecked:
            assert not isinstance(self.X, tuple)
            checks.finite("X", self.X, state.spec.dtype)

    @classmethod
    def joined(cls, state: ModelState, parts: Sequence[Self]) -> Self:
        """Return a copy of several examples of one kind, one after the other."""
        X = _join_rows([one.X for one in parts])
        y = np.concatenate([one.y for one in parts])
        weights = [one.weight for one in parts if one.weight is not None]
        weight = np.concatenate(weights) if weights else None
        return cls(X, y, weight, state.data(X, y, weight))

    def __len__(self) -> int:
        return len(self.y)

    def chunks(self) -> Iterator[Self]:
        """Yield all examples as one chunk; a `MemoryMap` has several."""
        yield self

    def require_dense(self) -> None:
        """Refuse a sparse matrix, which cannot be distorted."""
        if isinstance(self.X, tuple):
            raise TypeError("augment distorts dense images; X is a sparse matrix")

    def take(self, state: ModelState, index: NDArray[np.int64]) -> Self:
        """Return a copy of the examples with these row numbers."""
        X = _take_rows(self.X, index)
        y, weight = self.y[index], None if self.weight is None else self.weight[index]
        return type(self)(X, y, weight, state.data(X, y, weight))


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
