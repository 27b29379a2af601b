"""The columns of a table: their kinds, and their cells as numbers, dates and texts.

    number      numbers, time differences and times of day (in seconds), text in which every cell is
                a number
    category    text, codes in text such as "02139", booleans, pandas' categories
    date        dates and times, text in which every cell is an ISO 8601 date

A missing value is None, NaN, NaT or an empty text.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from numbers import Complex, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..support.text import quoted, some_of
from .reading.numbers import MINUS, code_in

__all__ = [
    "UNITS", "Kind", "about_cells", "are_local_dates", "as_float", "dates", "factorized",
    "is_blank", "is_number", "is_span", "is_truth", "iso_moments", "kind_of", "missing_in",
    "no_cells", "numbers", "parsed", "series_of", "uniques_of", "without_arrow",
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
NAMED_DATE = re.compile(  # 5 Jan 2024, 05-Jan-24, January 5th, 2024, Fri, 5 Jan 2024, Jan 2024
    r"((mon|tue|wed|thu|fri|sat|sun)[a-z]*[., ]+)?(\d{1,2}(st|nd|rd|th)?[ ./-]*)?"
    r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ ./-]*"
    r"(\d{1,2}(st|nd|rd|th)?[, ]+)?(\d\d|\d{4})(\D.*)?",
    re.IGNORECASE,
)
MONTH = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])")  # of a year, in ISO 8601


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
    cells = uniques_of(column)
    if any(isinstance(cell, Complex) and not isinstance(cell, (Real, Decimal)) for cell in cells):
        raise complex_numbers(column.name)
    if any(all(map(are_alike, cells)) for are_alike in (is_number, is_span, is_time)):
        return "number"
    if all(isinstance(cell, DATES) for cell in cells):
        return "date"
    if all(isinstance(cell, str) for cell in cells):
        codes = code_in([cell.strip() for cell in cells])
        if codes is None and not np.isnan(parsed(cells)).any():
            return "number"
        if not iso_moments(cells).isna().any():
            return "date"
    if (wrong := next(filter(_has_no_text, cells), None)) is not None:
        raise no_cells(column.name, type(wrong).__name__)
    return "category"


def _has_no_text(cell: Any) -> bool:
    """Return whether the text of a cell would be its address in memory."""
    own = vars(object)
    return all(getattr(type(cell), name) is own[name] for name in ("__str__", "__repr__"))


def _refuse_complex(column: pd.Series) -> None:
    if pd.api.types.is_complex_dtype(column.dtype):
        raise complex_numbers(column.name)


def complex_numbers(name: Any) -> ValueError:
    return ValueError(f"Complex data not supported: column {name!r} has complex numbers")


def is_number(cell: Any) -> bool:
    """Return whether a cell is a number; a truth value and a time difference are none."""
    return isinstance(cell, (Real, Decimal)) and not isinstance(cell, (bool, np.timedelta64))


def is_truth(cell: Any) -> bool:
    """Return whether a cell is a truth value."""
    return isinstance(cell, (bool, np.bool_))


def is_span(cell: Any) -> bool:
    """Return whether a cell is a time difference."""
    return isinstance(cell, (datetime.timedelta, np.timedelta64))


def is_time(cell: Any) -> bool:
    """Return whether a cell is a time of day."""
    return isinstance(cell, datetime.time)


def without_arrow(column: pd.Series) -> pd.Series:
    """Return a column without the types of PyArrow that pandas treats unlike its own."""
    if not isinstance(column.dtype, pd.ArrowDtype):
        return column
    try:
        kind, of_cells = column.dtype.kind, column.dtype.type
    except NotImplementedError:  # such as text as views
        kind, of_cells = "", None
    dtype = column.dtype.pyarrow_dtype
    if not kind or hasattr(dtype, "index_type") or hasattr(dtype, "storage_type"):
        # it has levels, or is an extension of PyArrow
        cells = column.array.__arrow_array__().to_pandas().array
        return pd.Series(cells, column.index, name=column.name)
    if kind == "m" or of_cells is datetime.date:
        return column.astype("timedelta64[ns]" if kind == "m" else "datetime64[s]")
    return column.astype(object) if kind == "O" else column


def uniques_of(column: pd.Series) -> list[Any]:
    """Return the different cells of a column that are not missing."""
    _, uniques = factorized(column)
    return [cell for cell in uniques if not is_blank(cell)]


def is_blank(cell: Any) -> bool:
    """Return whether a cell is a text of nothing but spaces, which counts as missing."""
    return isinstance(cell, str) and not cell.strip()


def factorized(column: pd.Series) -> tuple[NDArray[np.intp], Any]:
    """Return a column as codes of its different cells, −1 where a value is missing, and these.

    Raises
    ------
    TypeError
        If cells cannot be told apart, such as lists.
    ValueError
        If a cell is a signaling NaN.
    """
    try:
        column = without_arrow(column)
        codes, uniques = pd.factorize(column)
    except TypeError:
        cell = next((cell for cell in column if not _is_hashable(cell)), None)
        if isinstance(cell, Decimal):
            raise signaling(f"column {column.name!r}") from None
        raise no_cells(column.name, type(cell).__name__) from None
    if column.dtype == object:
        return _truths_apart(column, codes, uniques)
    return codes, uniques


def _truths_apart(column: pd.Series, codes: NDArray[np.intp], uniques: Any) -> tuple[Array, Any]:
    """Return codes and cells of a factorized column in which True is another cell than 1.

    pandas takes them for equal, as Python does, so that the first of both would stand for all.
    """
    if pd.api.types.infer_dtype(uniques) == "string":
        return codes, uniques
    codes, cells = codes.copy(), list(uniques)
    for code, cell in enumerate(uniques):
        if not (is_truth(cell) or (is_number(cell) and cell in (0, 1))):
            continue
        rows = np.flatnonzero(codes == code)
        others = rows[[is_truth(other) != is_truth(cell) for other in column.array[rows]]]
        if len(others):
            codes[others] = len(cells)
            cells.append(column.array[others[0]])
    if len(cells) == len(uniques):
        return codes, uniques
    present, first = np.unique(codes, return_index=True)
    order = present[np.argsort(first)]
    order = order[order >= 0]  # of the first rows of the cells
    places = np.append(np.argsort(order), -1)  # the last for a missing value
    return places[codes], [cells[code] for code in order]


def signaling(what: str) -> ValueError:
    """Return the error of a signaling NaN, of which not even a comparison is possible."""
    return ValueError(
        f"{what} has a signaling NaN, Decimal('sNaN'); write Decimal('NaN') or None for what is "
        f"missing"
    )


def missing_in(what: str, values: Any) -> NDArray[np.bool_]:
    """Return which entries of a column or array are missing."""
    try:
        found: NDArray[np.bool_] = np.asarray(pd.isna(values))
    except InvalidOperation:
        raise signaling(what) from None
    return found


def series_of(values: Any, **options: Any) -> pd.Series:
    """Return values as a column; as objects if they have text with lone surrogates.

    PyArrow, in which some versions of pandas keep text, cannot hold these.
    """
    try:
        return pd.Series(values, **options)
    except UnicodeEncodeError:
        return pd.Series(values, **options, dtype=object)


def _is_hashable(cell: Any) -> bool:
    try:
        hash(cell)
    except TypeError:
        return False
    return True


def no_cells(name: Any, kind: str) -> TypeError:
    return TypeError(
        f"column {name!r} has cells of type {kind}; argument must be a string, a number, a boolean "
        f"or a date in each cell"
    )


def parsed(cells: list[str]) -> Array:
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
    cells = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    texts = [cell if _is_date(cell) else None for cell in cells]
    texts = [cell.to_timestamp() if isinstance(cell, pd.Period) else cell for cell in texts]
    moments = pd.to_datetime(pd.Series(texts, dtype=object), format="ISO8601", errors="coerce",
                             utc=True)
    return moments.dt.tz_localize(None)


def _is_date(cell: Any) -> bool:
    """Return whether a cell is a date, or a text that may be one in ISO 8601."""
    if isinstance(cell, str):
        return ("-" in cell and len(cell) >= 8) or MONTH.fullmatch(cell) is not None
    return isinstance(cell, DATES)


def are_local_dates(levels: Sequence[str]) -> bool:
    """Return whether all texts are dates in the order of a country, which is not guessed."""
    return len(levels) > 0 and all(map(_is_local_date, levels))


def _is_local_date(level: str) -> bool:
    if NAMED_DATE.fullmatch(level):
        return True
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
        codes, uniques = factorized(column)
        cells = [cell.strip() if isinstance(cell, str) else cell for cell in uniques]
        values = np.full(len(cells) + 1, np.nan)
        for i, cell in enumerate(cells):
            if isinstance(cell, str):
                values[i] = np.nan if cell == "" else parsed([cell])[0]
            elif is_span(cell):
                values[i] = pd.Timedelta(cell).total_seconds()
            elif is_time(cell):
                values[i] = _seconds(cell)
            elif isinstance(cell, (Real, Decimal)):
                values[i] = as_float(cell)
        wrong = np.isnan(values[:-1]) & np.array([cell != "" for cell in cells], bool)
        if wrong.any():
            rows = np.flatnonzero(wrong[codes] & (codes >= 0))
            raise ValueError(about_cells(column, rows, "are not numbers", "correct them, or leave "
                                      "them empty if they are unknown"))
        result = values[codes]
    if np.isinf(result).any():
        raise ValueError(about_cells(column, np.flatnonzero(np.isinf(result)), "are infinite (inf)",
                                  "correct them, or leave them empty if they are unknown"))
    return result


def _seconds(time: datetime.time) -> float:
    """Return the seconds of the day at a time, in its own time zone."""
    return 3600 * time.hour + 60 * time.minute + time.second + time.microsecond / 1e6


def as_float(cell: Any) -> float:
    """Return a number as a float; infinite if it is beyond the range of float64."""
    try:
        return float(cell)
    except OverflowError:
        return float("inf")


def about_cells(column: pd.Series, rows: Any, fault: str, remedy: str) -> str:
    """Return a message that quotes cells with their places: lines of a file where known."""
    unit = column.index.name if column.index.name in UNITS else "row"
    places = column.index if column.index.name in UNITS else range(len(column))
    quotes = (f"{quoted(column.iloc[row])} in {unit} {places[row]}" for row in rows[:SHOWN])
    some = some_of(quotes, len(rows))
    counted = "" if unit == "line" else " (rows counted from 0)"
    return f"column {column.name!r}: {len(rows):,} cells {fault}: {some}{counted}; {remedy}"


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
    codes, uniques = factorized(column)
    moments = iso_moments(list(uniques))
    empty = np.array([is_blank(cell) for cell in uniques], bool)
    wrong = moments.isna().to_numpy() & ~empty
    if wrong.any():
        rows = np.flatnonzero(np.append(wrong, False)[codes])
        raise ValueError(about_cells(column, rows, "are not dates", "write them as 2024-12-31, or "
                                  "leave them empty if they are unknown"))
    moments = pd.concat([moments, pd.Series([pd.NaT])], ignore_index=True)
    return _without_nanoseconds(moments.iloc[codes]).reset_index(drop=True)


def _without_nanoseconds(moments: pd.Series) -> pd.Series:
    return moments.dt.as_unit("us") if moments.dt.unit == "ns" else moments
