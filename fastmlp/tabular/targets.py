"""Targets, and other arguments with an entry for each row, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

from .frames import missing_in

__all__ = ["target_column", "without_mask"]

Array = NDArray[Any]

OF_PYTHON = ("boolean", "integer", "floating")  # objects that NumPy has a dtype for


def without_mask(values: Any) -> Any:
    """Return what is masked in an array as missing; `np.asarray` would take what is behind it."""
    if not np.ma.isMaskedArray(values):
        return values
    if not np.ma.is_masked(values):
        return values.data
    found = np.array(values.data, object)
    found[np.ma.getmaskarray(values)] = None
    return found


def target_column(y: Any, m: int) -> Array:
    """Return y as a one-dimensional array without missing values."""
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None: pass the labels or "
            "the values to predict"
        )
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:  # scikit-learn makes floats of Int64
        y = y.iloc[:, 0].to_numpy()[:, np.newaxis]
    of_polars = type(y).__module__.startswith("polars")
    if of_polars and not hasattr(y, "to_numpy"):  # a LazyFrame or an expression
        raise TypeError(
            f"y is a {type(y).__name__} of polars, which has no values yet; pass a Series, such as "
            f'frame.collect()["y"]'
        )
    if of_polars or isinstance(
        getattr(y, "dtype", None), pd.api.extensions.ExtensionDtype
    ):
        y = y.to_numpy()
    if getattr(getattr(y, "dtype", None), "kind", "") == "T":  # NumPy's strings of any length
        y = y.astype(object)
    column = column_or_1d(without_mask(y), warn=True)
    if len(column) != m:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {m} rows, y "
            f"{len(column)}"
        )
    missing = np.flatnonzero(missing_in("y", column))
    if len(missing):
        raise ValueError(
            f"y contains NaN or None in {len(missing):,} of {m:,} rows, first in row "
            f"{missing[0]} (counted from 0); leave out these rows"
        )
    if column.dtype == object and pd.api.types.infer_dtype(column) in OF_PYTHON:
        found = np.array(column.tolist())
        if found.dtype.kind != "f" or all(isinstance(one, float) for one in column):
            return found
    return np.asarray(column)
