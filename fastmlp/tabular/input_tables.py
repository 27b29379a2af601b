"""Tables as users pass them, made pandas DataFrames."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .frames import UNITS, no_cells
from .reading.arrays import in_microseconds

__all__ = ["frame_of", "numbered", "remedy_of_names"]

Array = NDArray[Any]


def frame_of(X: Any) -> pd.DataFrame:
    """Return a table as a DataFrame, whose index is ignored.

    Parameters
    ----------
    X : DataFrame of pandas or polars, Table of PyArrow, or array-like, (m, n)
        The table.  The columns of an array are named x0, x1, ….

    Raises
    ------
    ValueError
        If the table is not two-dimensional, or two columns have the same name.
    TypeError
        If X is a sparse matrix, or holds columns in another way than these types.
    """
    if hasattr(X, "tocsr"):
        raise TypeError(
            f"X is a sparse matrix ({type(X).__name__}), whose columns have no kinds; pass "
            f"X.toarray(), or use fastmlp.sklearn, which trains on sparse matrices"
        )
    if type(X).__module__.startswith("polars") and hasattr(X, "get_columns"):
        X = pd.DataFrame({column.name: _from_polars(column) for column in X.get_columns()})
    elif type(X).__module__.startswith("pyarrow") and hasattr(X, "to_pandas"):
        X = in_microseconds(X).to_pandas()
    if not isinstance(X, pd.DataFrame):
        if remedy := _as_table(X):
            raise TypeError(f"X is no table but a {type(X).__name__}; pass {remedy}")
        array = X if hasattr(X, "dtype") and hasattr(X, "ndim") else _array_of(X)
        if array.ndim != 2:
            raise ValueError(
                f"Expected 2D array, got {array.ndim}D array instead: X has shape "
                f"{tuple(array.shape)}.  Reshape your data: X.reshape(-1, 1) for one column, "
                f"X.reshape(1, -1) for one row"
            )
        if np.iscomplexobj(array):
            raise ValueError("Complex data not supported: X has complex numbers")
        X = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])], copy=False)
    twice = X.columns[X.columns.duplicated()]
    if len(twice):
        raise ValueError(f"X has two columns named {twice[0]!r}; rename one of them")
    return X


def numbered(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose index has the places of its rows, which a part of it keeps."""
    if table.index.name in UNITS:  # of a file
        return table
    return table.set_axis(pd.RangeIndex(len(table), name="row"), axis=0)


def remedy_of_names(expected: Collection[str], columns: pd.Index) -> str:
    """Return how a table gets the names of columns that are expected; empty if it lacks some."""
    if len(expected) == 0:
        return ""
    if not (missing := {*expected} - {*columns}):
        return "Pass the columns of fit in its order: X[list(model.feature_names_in_)]"
    alike = {normalize("NFC", name) for name in missing}
    if alike <= {normalize("NFC", name) for name in columns if isinstance(name, str)}:
        return (
            "Names that look alike are written in different characters of Unicode; write them "
            'alike in both tables: X.columns = X.columns.str.normalize("NFC")'
        )
    return ""


def _as_table(X: Any) -> str:
    """Return how something with names, which is no table, becomes one; empty for an array-like."""
    if isinstance(X, Mapping):
        return "pandas.DataFrame([X]) if it is a row, pandas.DataFrame(X) if it has columns"
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], Mapping):
        return "pandas.DataFrame(X), of which each dict is a row"
    if isinstance(X, pd.Series):
        return "X.to_frame().T if it is a row, X.to_frame() if it is a column"
    if getattr(getattr(X, "dtype", None), "names", None):
        return "pandas.DataFrame(X), as it is an array of records"
    if hasattr(X, "to_native"):  # of narwhals
        return "X.to_native()"
    if hasattr(X, "collect_schema"):
        return "X.collect()"
    if not isinstance(X, pd.DataFrame) and hasattr(X, "columns"):  # names that an array loses
        return "X.compute()" if hasattr(X, "compute") else "a pandas.DataFrame made of it"
    return ""


def _from_polars(column: Any) -> Array:
    """Return a polars Series as an array that pandas reads without PyArrow."""
    kind = str(column.dtype)
    if column.dtype.is_nested():
        raise no_cells(column.name, kind)
    if kind.startswith(("Categorical", "Enum")):
        column = column.cast(str)
    if kind.startswith("Decimal") or kind.endswith("Int128"):
        column = column.cast(float)
    return np.asarray(column.to_numpy())


def _array_of(X: Any) -> Array:
    """Return lists of rows as an array: of numbers if all cells are, else of objects."""
    try:
        array = np.asarray(X)
    except ValueError:
        raise ValueError("X must be a table: its rows have different lengths") from None
    return np.asarray(X, object) if array.dtype.kind in "US" else array
