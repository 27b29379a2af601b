"""The rows that an estimator of tables is fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Number
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight

from ..support import checks
from .folds import row_values
from .targets import target_column, without_mask

__all__ = ["Given"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Given:
    """The arguments of a fit, checked; rows of weight 0 are as if they were not there."""

    table: pd.DataFrame  # (m, n)
    y: Array  # (m,)
    weights: Array | None  # (m,)
    groups: Array | None  # (m,)
    time: Array | None  # (m,)

    @classmethod
    def checked(
        cls, table: pd.DataFrame, y: Any, sample_weight: Any, groups: Any, time: Any
    ) -> Self:
        """Return the rows of the arguments of `fit`."""
        m = len(table)
        y = target_column(y, m)
        groups = None if groups is None else row_values("groups", groups, m)
        time = None if time is None else row_values("time", time, m)
        weights = None
        if sample_weight is not None:
            if not isinstance(sample_weight, Number):  # one for all rows
                sample_weight = checks.array("sample_weight", without_mask(sample_weight))
            weights = _check_sample_weight(sample_weight, y, ensure_non_negative=True)
        given = cls(table, y, weights, groups, time)
        if weights is not None:
            given = given[np.flatnonzero(weights > 0)]
        if len(given) < 2:
            raise ValueError(f"n_samples={len(given)}: a model needs at least two rows")
        if groups is not None and time is not None:
            raise ValueError("groups and time exclude each other: pass one of them")
        return given

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: NDArray[np.intp]) -> Self:
        optional = (self.weights, self.groups, self.time)
        return type(self)(
            self.table.iloc[rows],
            self.y[rows],
            *(None if values is None else values[rows] for values in optional),
        )
