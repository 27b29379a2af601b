"""A matrix of finite numbers from a table, and the places of the cells that are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..support.extras import imported
from .reading_layout import SHOWN
from .reading_numbers import COMMA, MISSING, POINT, TextColumn

if TYPE_CHECKING:
    import pandas

SHOWN_CHARACTERS = 50  # of a cell in a message


class Problem(NamedTuple):
    """What can be wrong with cells: how their rows are found, and the words for one and several."""

    rows: Callable[[pandas.Series], NDArray[np.intp]]
    one: str
    several: str


def number_matrix(
    frame: pandas.DataFrame, columns: Sequence[str], name: str, remedy: str
) -> NDArray[Any]:
    """Return columns of a table as a matrix of finite numbers.

    Parameters
    ----------
    frame : pandas.DataFrame
        A table by `read_table`, whose index says where each row is in the file.
    columns : sequence of str
        The n columns of the matrix, in its order.
    name : str
        Name of the file, for messages.
    remedy : str
        What to do about cells that are not numbers: the end of the message.

    Returns
    -------
    matrix : ndarray (m, n)
        Of the dtype that holds all columns.

    Raises
    ------
    ValueError
        If cells are not numbers, are missing or not finite. The message has the places of the
        first five and how many there are.
    """
    chosen = frame[list(columns)]
    _refuse(chosen, np.flatnonzero([not _holds_numbers(one) for one in chosen.dtypes]),
            NOT_NUMBERS, name, remedy)
    matrix: NDArray[Any] = chosen.to_numpy()
    if matrix.dtype.kind == "O":  # columns of pandas' nullable dtypes
        matrix = chosen.to_numpy(np.float64, na_value=np.nan)
    if matrix.dtype.kind == "f" and not np.isfinite(matrix).all():
        _refuse(chosen, np.flatnonzero(np.isnan(matrix).any(axis=0)), MISSING_VALUES, name, remedy)
        _refuse(chosen, np.flatnonzero(np.isinf(matrix).any(axis=0)), INFINITE, name, remedy)
    return matrix


def refuse_missing(frame: pandas.DataFrame, column: str, name: str, remedy: str) -> None:
    """Raise ValueError with the places of a column's missing values if there are any."""
    chosen = frame[[column]]
    missing = np.flatnonzero(chosen.isna().to_numpy().any(axis=0))
    _refuse(chosen, missing, MISSING_VALUES, name, remedy)


def listed(frame: pandas.DataFrame, cells: Sequence[tuple[int, Any]]) -> str:
    """Return the places of cells, given as rows and columns by position, and their contents."""
    unit = "line" if frame.index.name == "line" else "row"
    isna = imported("pandas", "tabular").isna
    found = []
    for row, j in cells:
        cell = frame.iat[row, j]
        text = "" if isna(cell) else f": {_shorten(cell)!r}"
        found.append(f"{unit} {frame.index[row]}, column {frame.columns[j]!r}{text}")
    return "; ".join(found)


def _shorten(cell: object) -> str:
    text = str(cell)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _holds_numbers(dtype: Any) -> bool:
    return getattr(dtype, "kind", "O") in "iuf"


def _text_rows(column: pandas.Series) -> NDArray[np.intp]:
    """Return the rows of a column's cells that are not numbers, or all if each alone is one."""
    if column.dtype.kind == "O":
        text = TextColumn(column)
        others = [POINT.number(cell) is None and cell not in MISSING for cell in text.texts]
        if any(others):
            return np.flatnonzero(np.array([*others, False])[text.codes])
    return np.arange(len(column))


NOT_NUMBERS = Problem(_text_rows, " is not a number", "are not numbers")
MISSING_VALUES = Problem(
    lambda column: np.flatnonzero(column.isna()), ": the cell is missing", "are missing"
)
INFINITE = Problem(
    lambda column: np.flatnonzero(np.isinf(column.to_numpy(np.float64, na_value=np.nan))),
    " is not a finite number",
    "are not finite numbers",
)


def _refuse(
    frame: pandas.DataFrame,
    columns: Sequence[int] | NDArray[np.intp],
    problem: Problem,
    name: str,
    remedy: str,
) -> None:
    """Raise ValueError with the places of the cells of some columns, if there are any."""
    rows = [problem.rows(frame.iloc[:, j]) for j in columns]
    total = sum(map(len, rows))
    if not total:
        return
    first = sorted(
        (row, j) for j, some in zip(columns, rows, strict=True) for row in some[:SHOWN].tolist()
    )[:SHOWN]
    cells = [frame.iat[row, j] for row, j in first]
    if problem is NOT_NUMBERS and all(COMMA.number(str(cell)) is not None for cell in cells):
        remedy = "if these are numbers with a decimal comma, give the option decimal as ','"
    elif total > 1 and total == len(columns) and {row for row, _ in first} == {0}:
        remedy = f"if the header has two lines, make it one; otherwise {remedy}"
    if total == 1:
        raise ValueError(f"{name}, {listed(frame, first)}{problem.one}; {remedy}")
    more = f"; and {total - len(first):,} more" if total > len(first) else ""
    raise ValueError(
        f"{name}: {total:,} cells {problem.several}: {listed(frame, first)}{more}. "
        f"{remedy[:1].upper()}{remedy[1:]}"
    )
