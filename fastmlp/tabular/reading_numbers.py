"""Columns of text that are numbers in another notation.

pandas reads a column as text as soon as one cell is not a number in its notation. Here the distinct
cells of such a column are looked at once more: spaces around them, thousands separators, a decimal
comma, and the names of missing values.
"""

from __future__ import annotations

import math
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..support.extras import imported

if TYPE_CHECKING:
    import pandas

MISSING = frozenset((
    "", "?", "-", "--", ".", "NA", "N/A", "n/a", "na", "N.A.", "<NA>", "#N/A", "#N/A N/A", "#NA",
    "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None", "NaT", "1.#IND", "-1.#IND", "1.#QNAN",
    "-1.#QNAN",
))  # fmt: skip
BOOLEANS = {
    **dict.fromkeys(("True", "TRUE", "true"), True),
    **dict.fromkeys(("False", "FALSE", "false"), False),
}
THOUSANDS = ",.'’ \u00a0\u2009\u202f"  # thousands separators that are recognized
MOSTLY = 0.9  # share of numbers from which other cells are reported as probable mistakes
LONG = re.compile(r"[+-]?\d{19,}")  # an identifier, whose digits a number would not keep


class Notation:
    """How numbers are written: the decimal separator and the thousands separators.

    Parameters
    ----------
    decimal : str
        "." or ",".
    thousands : str
        The characters that may separate thousands; the same one within a number. Thousands are
        groups of three digits after one to three digits of which the first is not 0.
    """

    def __init__(self, decimal: str, thousands: str = THOUSANDS) -> None:
        point = re.escape(decimal)
        self.decimal = decimal
        self.separators = thousands.replace(decimal, "")
        exponent = r"(?:[eE][+-]?\d+)?"
        plain = rf"(?:\d+(?:{point}\d*)?|{point}\d+){exponent}"
        grouped = (
            rf"[1-9]\d{{0,2}}([{re.escape(self.separators)}])\d{{3}}(?:\1\d{{3}})*(?:{point}\d*)?"
            if self.separators
            else r"(?!)"
        )
        self._pattern = re.compile(rf"[+-]?(?:{plain}|{grouped})")

    def number(self, text: str) -> float | None:
        """Return a cell as a number; None if it is not a finite number in this notation."""
        match = self._pattern.fullmatch(text)
        if match is None:
            return None
        if match[1]:
            text = text.replace(match[1], "")
        value = float(text.replace(self.decimal, "."))
        return value if math.isfinite(value) else None


POINT, COMMA = Notation("."), Notation(",")


class TextColumn:
    """A column that pandas read as text, by its distinct cells.

    Parameters
    ----------
    column : pandas.Series
        Strings and missing values.

    Attributes
    ----------
    codes : ndarray of int, shape (m,)
        The position of each row's cell in `texts`; -1 where pandas found it missing.
    texts : list of str
        The distinct cells without spaces around them.
    """

    def __init__(self, column: pandas.Series) -> None:
        self.column = column
        self.codes, cells = column.array.factorize()
        self.texts = [str(cell).strip() for cell in cells]
        self._unchanged = self.texts == list(cells)

    @cached_property
    def present(self) -> list[str]:
        """The distinct cells that have a value."""
        return [text for text in self.texts if text not in MISSING]

    def has_decimal_comma(self) -> bool | None:
        """Return whether the numbers of this column have a decimal comma; None if it may be."""
        if not any("," in text for text in self.present):
            return False
        if any(COMMA.number(text) is None for text in self.present):
            return False
        return None if all(POINT.number(text) is not None for text in self.present) else True

    def converted(self, notation: Notation) -> tuple[pandas.Series, NDArray[np.intp]]:
        """Return the column as numbers if all its values are, otherwise as text.

        The second result are the rows of probable mistakes: if a column is numbers but for a few
        cells, the rows of these cells; otherwise none.
        """
        missing = np.array([text in MISSING for text in self.texts] + [True])
        found = [notation.number(text) for text in self.texts]
        numbers = np.array([math.nan if one is None else one for one in found] + [math.nan])
        others = np.isnan(numbers) & ~missing
        if not others.any() and not any(map(LONG.fullmatch, self.texts)):
            return self._series(_whole_if_all_are(numbers[self.codes])), self._no_rows
        rows = np.flatnonzero(others[self.codes])
        if len(rows) >= (1 - MOSTLY) * np.count_nonzero(~missing[self.codes]):
            rows = self._no_rows
        if set(self.texts) - MISSING <= BOOLEANS.keys():
            return self._booleans(missing), self._no_rows
        if self._unchanged and not missing[:-1].any():
            return self.column, rows
        cells = np.array([*self.texts, math.nan], object)
        cells[missing] = math.nan
        return self._series(cells[self.codes]), rows

    def _booleans(self, missing: NDArray[np.bool_]) -> pandas.Series:
        values = np.array([BOOLEANS.get(text, False) for text in self.texts] + [False])
        column = self._series(values[self.codes])
        if not missing[self.codes].any():
            return column
        return column.astype("boolean").mask(missing[self.codes])

    @property
    def _no_rows(self) -> NDArray[np.intp]:
        return np.empty(0, np.intp)

    def _series(self, values: NDArray[Any]) -> pandas.Series:
        return imported("pandas", "tabular").Series(values, index=self.column.index)


def _whole_if_all_are(numbers: NDArray[np.float64]) -> NDArray[Any]:
    whole = (np.abs(numbers) < 2**53) & (numbers == np.rint(numbers))
    return numbers.astype(np.int64) if whole.all() else numbers
