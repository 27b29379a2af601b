"""Tables as pandas DataFrames: what users pass, and the kind of each of its columns.

    number      numbers, time differences (in seconds), text in which every cell is a number
    category    text, codes in text such as "02139", booleans, pandas' categories
    date        dates and times, text in which every cell is an ISO 8601 date

A missing value is None, NaN, NaT or an empty text.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..support.text import quoted
from .reading.numbers import MINUS, code_in

__all__ = [
    "Kind", "are_local_dates", "codes_in", "dates", "frame_of", "is_number", "is_span",
    "iso_moments", "kind_of", "numbered", "numbers", "text", "texts", "without_arrow",
]  # fmt: skip

Kind = Literal["number", "category", "date"]
Array = NDArray[Any]

SHOWN = 5  # cells that a message quotes
UNITS = ("line", "row")  # names of an index that has the places of the rows, for messages
DATES = (datetime.date, np.datetime64, pd.Period)
LOCAL_DATE = re.compile(  # 31.12.2024, 12/31/24, 31-12-24, 2024/12/31, perhaps with a time
    r"(\d{1,2}([./-])\d{1,2}\2\d{4}|\d{1,2}/\d{1,2}/\d\d|\d\d([.-])\d\d\3\d\d"
    r"|\d{4}([./])\d{1,2}\4\d{1,2})(\D.*)?"
)


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
        X = X.to_pandas()
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
        raise _no_cells(column.name, kind)
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


def kind_of(column: pd.Series) -> Kind:
    """Return the kind of a column.

    Raises
    ------
    TypeError
        If cells are neither numbers nor text nor dates, such as lists.
    """
    column = without_arrow(column)
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(dtype):
        return "category"
    _refuse_complex(column)
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "number"
    if isinstance(dtype, pd.PeriodDtype) or pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    cells = _uniques(column)
    if all(map(is_number, cells)) or all(map(is_span, cells)):
        return "number"
    if all(isinstance(cell, DATES) for cell in cells):
        return "date"
    if all(isinstance(cell, str) for cell in cells):
        codes = code_in([cell.strip() for cell in cells])
        if codes is None and not np.isnan(_parsed(cells)).any():
            return "number"
        if not iso_moments(cells).isna().any():
            return "date"
    return "category"


def _refuse_complex(column: pd.Series) -> None:
    if pd.api.types.is_complex_dtype(column.dtype):
        raise ValueError(f"Complex data not supported: column {column.name!r} has complex numbers")


def is_number(cell: Any) -> bool:
    """Return whether a cell is a number; a truth value and a time difference are none."""
    return isinstance(cell, (Real, Decimal)) and not isinstance(cell, (bool, np.timedelta64))


def is_span(cell: Any) -> bool:
    """Return whether a cell is a time difference."""
    return isinstance(cell, (datetime.timedelta, np.timedelta64))


def without_arrow(column: pd.Series) -> pd.Series:
    """Return a column without the types of PyArrow that pandas treats unlike its own."""
    if not isinstance(column.dtype, pd.ArrowDtype):
        return column
    kind = column.dtype.kind
    if kind == "m" or column.dtype.type is datetime.date:
        return column.astype("timedelta64[ns]" if kind == "m" else "datetime64[s]")
    return column.astype(object) if kind == "O" else column


def _uniques(column: pd.Series) -> list[Any]:
    """Return the different cells of a column that are not missing."""
    try:
        _, uniques = pd.factorize(column)
    except TypeError:
        cell = next((cell for cell in column if not _is_hashable(cell)), None)
        raise _no_cells(column.name, type(cell).__name__) from None
    return [cell for cell in uniques if not (isinstance(cell, str) and not cell.strip())]


def _is_hashable(cell: Any) -> bool:
    try:
        hash(cell)
    except TypeError:
        return False
    return True


def _no_cells(name: Any, kind: str) -> TypeError:
    return TypeError(
        f"column {name!r} has cells of type {kind}; argument must be a string, a number, a boolean "
        f"or a date in each cell"
    )


def _parsed(cells: list[str]) -> Array:
    """Return the numbers that texts hold; NaN for a text that is not a number."""
    numbers = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        try:
            if "_" not in cell:
                numbers[i] = float(cell.replace(MINUS, "-"))
        except ValueError:
            pass
    return numbers


def iso_moments(cells: list[Any]) -> pd.Series:
    """Return the moments that texts in ISO 8601 name; NaT for a cell that is not a date."""
    # Digits alone, as text or as a number, are a number or a code, which pandas would take for a
    # year or for the time since 1970.
    texts = [cell if _is_date(cell) else None for cell in cells]
    texts = [cell.to_timestamp() if isinstance(cell, pd.Period) else cell for cell in texts]
    moments = pd.to_datetime(pd.Series(texts, dtype=object), format="ISO8601", errors="coerce",
                             utc=True)
    return moments.dt.tz_localize(None)


def _is_date(cell: Any) -> bool:
    """Return whether a cell is a date, or a text that may be one in ISO 8601."""
    if isinstance(cell, str):
        return "-" in cell and len(cell) >= 8
    return isinstance(cell, DATES)


def are_local_dates(levels: Sequence[str]) -> bool:
    """Return whether all texts are dates in the order of a country, which is not guessed."""
    return len(levels) > 0 and all(map(_is_local_date, levels))


def _is_local_date(level: str) -> bool:
    if not LOCAL_DATE.fullmatch(level):
        return False
    parts = re.findall(r"\d+", level)[:3]
    low, high = sorted(map(int, parts[1:] if len(parts[0]) == 4 else parts[:2]))
    return 1 <= low <= 12 and high <= 31  # a month and a day


def numbers(column: pd.Series) -> NDArray[np.float64]:
    """Return a column of numbers, NaN where a value is missing.

    Raises
    ------
    ValueError
        If cells are not numbers, or infinite; the message quotes them with their rows.
    """
    column = without_arrow(column)
    _refuse_complex(column)
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        result: Array = column.dt.total_seconds().to_numpy(np.float64)
    elif pd.api.types.is_numeric_dtype(column.dtype):
        result = column.to_numpy(np.float64, na_value=np.nan)
    else:
        codes, uniques = pd.factorize(column)
        cells = [cell.strip() if isinstance(cell, str) else cell for cell in uniques]
        values = np.full(len(cells) + 1, np.nan)
        for i, cell in enumerate(cells):
            if isinstance(cell, str):
                values[i] = np.nan if cell == "" else _parsed([cell])[0]
            elif is_span(cell):
                values[i] = pd.Timedelta(cell).total_seconds()
            elif isinstance(cell, (Real, Decimal)):
                values[i] = _float(cell)
        wrong = np.isnan(values[:-1]) & np.array([cell != "" for cell in cells], bool)
        if wrong.any():
            rows = np.flatnonzero(wrong[codes] & (codes >= 0))
            raise ValueError(_refusal(column, rows, "are not numbers", "correct them, or leave "
                                      "them empty if they are unknown"))
        result = values[codes]
    if np.isinf(result).any():
        raise ValueError(_refusal(column, np.flatnonzero(np.isinf(result)), "are infinite (inf)",
                                  "correct them, or leave them empty if they are unknown"))
    return result


def _float(cell: Any) -> float:
    """Return a number as a float; infinite if it is beyond the range of float64."""
    try:
        return float(cell)
    except OverflowError:
        return float("inf")


def _refusal(column: pd.Series, rows: Any, fault: str, remedy: str) -> str:
    """Return a message that quotes cells with their places: lines of a file where known."""
    unit = column.index.name if column.index.name in UNITS else "row"
    places = column.index if column.index.name in UNITS else range(len(column))
    some = ", ".join(
        f"{quoted(column.iloc[row])} in {unit} {places[row]}" for row in rows[:SHOWN]
    )
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    counted = "" if unit == "line" else " (rows counted from 0)"
    return f"column {column.name!r}: {len(rows):,} cells {fault}: {some}{more}{counted}; {remedy}"


def texts(column: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    """Return a column of categories as codes of its levels, −1 where a value is missing.

    Returns
    -------
    codes : ndarray (m,)
    levels : list of str
        A whole number is written without a decimal point, whatever its type.
    """
    codes, uniques = pd.factorize(column)
    names = [text(cell) for cell in uniques]
    levels = list(dict.fromkeys(name for name in names if name))
    places = {level: place for place, level in enumerate(levels)}
    table = np.array([places.get(name, -1) for name in names] + [-1], np.intp)
    return table[codes], levels


def text(cell: Any) -> str:
    """Return the text of a category's cell, the same for 1, 1.0, np.int8(1), " 1 " and b"1"."""
    if isinstance(cell, (bool, np.bool_)):
        return str(bool(cell))
    if is_span(cell):
        return str(pd.Timedelta(cell))
    if isinstance(cell, Integral):
        return str(int(cell))
    if isinstance(cell, Real):
        number = float(cell)
        return str(int(number)) if number.is_integer() else repr(number)
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "backslashreplace")
    name = str(cell).strip()  # without surrogates, which are no characters that can be written
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()


def dates(column: pd.Series) -> pd.Series:
    """Return a column of dates as datetime64 in UTC without a zone, NaT where one is missing.

    Nanoseconds become microseconds, which hold the years 1 and 9999 too.

    Raises
    ------
    ValueError
        If cells are not dates; the message quotes them with their rows.
    """
    column = without_arrow(column)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        moments = column.dt.tz_convert(None) if column.dt.tz is not None else column
        return _without_nanoseconds(moments).reset_index(drop=True)
    codes, uniques = pd.factorize(column)
    moments = iso_moments(list(uniques))
    empty = np.array([isinstance(cell, str) and not cell.strip() for cell in uniques], bool)
    wrong = moments.isna().to_numpy() & ~empty
    if wrong.any():
        rows = np.flatnonzero(np.append(wrong, False)[codes])
        raise ValueError(_refusal(column, rows, "are not dates", "write them as 2024-12-31, or "
                                  "leave them empty if they are unknown"))
    moments = pd.concat([moments, pd.Series([pd.NaT])], ignore_index=True)
    return _without_nanoseconds(moments.iloc[codes]).reset_index(drop=True)


def _without_nanoseconds(moments: pd.Series) -> pd.Series:
    return moments.dt.as_unit("us") if moments.dt.unit == "ns" else moments


def codes_in(column: pd.Series) -> bool:
    """Return whether a category is codes of digits."""
    return code_in([str(cell).strip() for cell in _uniques(column)]) is not None
