"""Categories that may be meant as numbers or dates, and unknown cells of categories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..support.text import quoted
from .frames import about_cells, factorized, is_blank, is_number, iso_moments, parsed
from .levels import texts
from .reading.numbers import COMMA, MOSTLY, POINT, TextColumn

__all__ = ["about_odd_cells", "about_unknown_cells"]

Array = NDArray[Any]

FIRST_ROWS = 100  # that are read before all rows of a column
MOST_UNKNOWN = 10  # cells of a category, all of them unknown, from which they are reported
LEVELS = 'if they are levels, a column of pandas\' dtype "category" says so'
REMEDY = f"correct them, or leave them empty if they are unknown; {LEVELS}"
NUMERIC = f"take out the signs and separators and convert it by pandas.to_numeric; {LEVELS}"


def about_odd_cells(column: pd.Series) -> str:
    """Return a message about a category that may be meant as numbers or dates, or "".

    It would be without a few of its cells, or all its numbers are in another notation, such as
    "12%".

    A column of pandas' categories, or of truth values, is meant as it is.  Of a file of text, whose
    index is named "line", the reader reports the cells that are not numbers.
    """
    if column.dtype != object and not pd.api.types.is_string_dtype(column.dtype):
        return ""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return ""
    codes, uniques = factorized(column)
    cells = list(uniques)
    empty = np.array([is_blank(cell) for cell in cells], bool)
    counts = np.bincount(codes[codes >= 0], minlength=len(cells))
    n_present = counts[~empty].sum()
    for kind, fitting in (("numbers", _are_numbers), ("dates", _are_dates)):
        if kind == "numbers" and column.index.name == "line":
            continue
        odd = ~fitting(cells) & ~empty
        if 0 < counts[odd].sum() < (1 - MOSTLY) * n_present:
            rows = np.flatnonzero(np.append(odd, False)[codes])
            return about_cells(column, rows, f"are not {kind}, which makes it a category", REMEDY)
    if column.index.name == "line" or not all(isinstance(cell, str) for cell in cells):
        return ""
    return _about_notation(column)


def _about_notation(column: pd.Series) -> str:
    """Return a message about a column of numbers that are written in another way, or ""."""
    if not _in_one_notation(TextColumn(column.iloc[:FIRST_ROWS])):  # as of most columns of text
        return ""
    texts = TextColumn(column)
    if texts.code is not None or not np.isnan(parsed(texts.present)).any():
        return ""
    if not _in_one_notation(texts):
        return ""
    return (
        f"column {column.name!r} is read as text, because its numbers are in another notation, "
        f"such as {quoted(texts.present[0])}; {NUMERIC}"
    )


def _in_one_notation(texts: TextColumn) -> bool:
    """Return whether all cells are numbers, with a decimal point or with a decimal comma."""
    return any(
        all(notation.number(text) is not None for text in texts.without_sign)
        for notation in (POINT, COMMA)
    )


def _are_numbers(cells: list[Any]) -> NDArray[np.bool_]:
    texts = [cell if isinstance(cell, str) else "" for cell in cells]
    numeric = np.array([is_number(cell) for cell in cells], bool)
    found: NDArray[np.bool_] = numeric | ~np.isnan(parsed(texts))
    return found


def _are_dates(cells: list[Any]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = iso_moments(cells).notna().to_numpy(bool)
    return found


def about_unknown_cells(
    table: pd.DataFrame, categories: Iterable[tuple[str, Array, Sequence[str]]]
) -> list[str]:
    """Return messages about categories of which no cell is known, as if they had other names.

    Parameters
    ----------
    table : DataFrame (m, n)
        The rows.
    categories : iterable of tuple
        The name of each category, the codes (m,) of its cells, and the levels that are known.
    """
    found = []
    for name, codes, known in categories:
        if (codes >= 0).any() or len(known) == 0:  # the column `per` may have been empty
            continue
        places, levels = texts(table[name])
        if (n := int((places >= 0).sum())) >= MOST_UNKNOWN:
            found.append(
                f"column {name!r}: none of its {n:,} cells is a level of the training set: they "
                f"are {quoted(levels[0])}, …, and levels {quoted(known[0])}, …; they count as "
                f"missing"
            )
    return found
