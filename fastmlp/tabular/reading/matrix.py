"""A matrix of finite numbers from a table, and the places of the cells that are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...support.extras import imported
from .layout import SHOWN
from .numbers import COMMA, POINT, TextColumn

if TYPE_CHECKING:
    import pandas

SHOWN_CHARACTERS = 50  # of a cell in a message
NOT_NUMBERS = " is not a number", "are not numbers"  # what is wrong with a cell, with several
MISSING_VALUES = ": the cell is missing", "are missing"
INFINITE = " is not a finite number", "are not finite numbers"


def number_matrix(
    frame: pandas.DataFrame, columns: Sequence[str], name: str, remedy: str
) -> NDArray[Any]:
    """Return columns of a table as a matrix of finite numbers.

    Parameters
    ----------
    frame : pandas.DataFrame
        A table by `read_table`, whose index says where each row is in the file.
    columns : sequence of str
        The n columns of the matrix, in its order.  Of codes the digits are read as numbers.
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
    texts = {one: TextColumn(chosen[one]) for one in columns if chosen[one].dtype.kind == "O"}
    if codes := {one: text.numbers(POINT) for one, text in texts.items() if text.code}:
        chosen = imported("pandas", "tabular").DataFrame({**dict(chosen.items()), **codes})
    kinds = [getattr(dtype, "kind", "O") for dtype in chosen.dtypes]
    wrong = [j for j, kind in enumerate(kinds) if kind not in "iuf"]
    cells = [(row, j) for j in wrong for row in _text_rows(chosen.iloc[:, j]).tolist()]
    _refuse(chosen, sorted(cells), NOT_NUMBERS, name, remedy)
    matrix: NDArray[Any] = chosen.to_numpy()
    if matrix.dtype.kind == "O":  # columns of pandas' nullable dtypes
        matrix = chosen.to_numpy(np.float64, na_value=np.nan)
    if matrix.dtype.kind == "f" and not np.isfinite(matrix).all():
        _refuse(chosen, np.argwhere(np.isnan(matrix)), MISSING_VALUES, name, remedy)
        _refuse(chosen, np.argwhere(np.isinf(matrix)), INFINITE, name, remedy)
    return matrix


def refuse_missing(frame: pandas.DataFrame, column: str, name: str, remedy: str) -> None:
    """Raise ValueError with the places of a column's missing values if there are any."""
    chosen = frame[[column]]
    _refuse(chosen, np.argwhere(chosen.isna().to_numpy()), MISSING_VALUES, name, remedy)


def listed(frame: pandas.DataFrame, cells: Iterable[tuple[int, int]]) -> str:
    """Return the places of cells, given as rows and columns by position, and their contents."""
    unit = "line" if frame.index.name == "line" else "row"
    isna = imported("pandas", "tabular").isna
    found = []
    for row, j in cells:
        cell = frame.iat[row, j]
        text = str(cell)
        short = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
        contents = "" if isna(cell) else f": {short!r}"
        found.append(f"{unit} {frame.index[row]}, column {frame.columns[j]!r}{contents}")
    return "; ".join(found)


def _text_rows(column: pandas.Series) -> NDArray[np.intp]:
    """Return the rows of a column's cells that are not numbers, or all if each alone is one."""
    text = TextColumn(column) if column.dtype.kind == "O" else None
    rows = text.rows(text.others(POINT)) if text else ()
    return np.asarray(rows) if len(rows) else np.arange(len(column))


def _refuse(
    frame: pandas.DataFrame, cells: Any, problem: tuple[str, str], name: str, remedy: str
) -> None:
    """Raise ValueError with the places of cells, sorted pairs of positions, if there are any."""
    total = len(cells)
    if not total:
        return
    first = [(int(row), int(j)) for row, j in cells[:SHOWN]]
    texts = [str(frame.iat[row, j]) for row, j in first]
    if problem is NOT_NUMBERS and None not in map(COMMA.number, texts):
        remedy = "if these are numbers with a decimal comma, give the option decimal as ','"
    elif total > 1 and cells[-1][0] == 0:
        remedy = f"if the header has two lines, make it one; otherwise {remedy}"
    one, several = problem
    if total == 1:
        raise ValueError(f"{name}, {listed(frame, first)}{one}; {remedy}")
    more = f"; and {total - SHOWN:,} more" if total > SHOWN else ""
    raise ValueError(
        f"{name}: {total:,} cells {several}: {listed(frame, first)}{more}. "
        f"{remedy[:1].upper()}{remedy[1:]}"
    )
