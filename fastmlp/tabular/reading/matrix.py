"""A matrix of finite numbers from a table, and the places of the cells that are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...support.extras import imported
from ...support.text import some_of
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
    chosen = frame[list(columns)].copy(deep=False)
    cells = []
    for j, dtype in enumerate(chosen.dtypes):
        text = TextColumn(chosen.iloc[:, j]) if dtype.kind == "O" else None
        numbers, others = text.numbers(POINT) if text else (None, ())
        if text and text.code:
            chosen.isetitem(j, numbers)
        elif dtype.kind not in "iuf":
            rows = others if len(others) else range(len(chosen))  # all if each alone is a number
            cells += [(row, j) for row in rows]
    _refuse(chosen, sorted(cells), NOT_NUMBERS, name, remedy)
    matrix: NDArray[Any] = chosen.to_numpy()
    if matrix.dtype.kind == "O":  # columns of pandas' nullable dtypes
        matrix = chosen.to_numpy(np.float64, na_value=np.nan)
    if matrix.dtype.kind == "f" and not np.isfinite(matrix).all():
        _refuse(chosen, np.argwhere(np.isnan(matrix)), MISSING_VALUES, name, remedy)
        _refuse(chosen, np.argwhere(np.isinf(matrix)), INFINITE, name, remedy)
    return matrix


def listed(frame: pandas.DataFrame, cells: Any, total: int, more: str = "more") -> str:
    """Return the places and the contents of the first of `total` cells, and how many follow.

    Cells are sorted pairs of a row and a column by position.
    """
    unit = "line" if frame.index.name == "line" else "row"
    isna = imported("pandas", "tabular").isna
    found = []
    for row, j in cells[:SHOWN]:
        cell = frame.iat[row, j]
        text = str(cell)
        short = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
        contents = "" if isna(cell) else f": {short!r}"
        found.append(f"{unit} {frame.index[row]}, column {frame.columns[j]!r}{contents}")
    return some_of(found, total, "; ", more)


def _refuse(
    frame: pandas.DataFrame, cells: Any, problem: tuple[str, str], name: str, remedy: str
) -> None:
    """Raise ValueError with the places of cells, sorted pairs of positions, if there are any."""
    if not len(cells):
        return
    texts = [str(frame.iat[row, j]) for row, j in cells[:SHOWN]]
    if problem is NOT_NUMBERS and None not in map(COMMA.number, texts):
        remedy = "if these are numbers with a decimal comma, give the option decimal as ','"
    elif len(cells) > 1 and cells[-1][0] == 0:
        remedy = f"if the header has two lines, make it one; otherwise {remedy}"
    one, several = problem
    places = listed(frame, cells, len(cells))
    if len(cells) == 1:
        raise ValueError(f"{name}, {places}{one}; {remedy}")
    raise ValueError(
        f"{name}: {len(cells):,} cells {several}: {places}. {remedy[:1].upper()}{remedy[1:]}"
    )
