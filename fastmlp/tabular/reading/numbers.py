"""Columns of text that are numbers in another notation, booleans, or codes.

pandas reads a column as text as soon as one cell is not a number in its notation. Here the distinct
cells of such a column are looked at once more: spaces around them, thousands separators, a decimal
comma, signs of percent and currencies, and the names of missing values.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...support.extras import imported

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
MINUS = "\u2212"  # the sign of typesetting and of some spreadsheets
SIGNS = "%$€£¥₹"  # that stand before or after a number
SIGNED = {
    sign: re.compile(rf"([+\-{MINUS}]?){re.escape(sign)}\s*(.*)|(.*?)\s*{re.escape(sign)}")
    for sign in SIGNS
}
MOSTLY = 0.9  # share of numbers from which other cells are reported as probable mistakes
MOST_DIGITS = 15  # that float64 always keeps; a number of more is an identifier
WHOLE = re.compile(r"\+?\d+(?: \d+)*")
CODE = re.compile(rf"\+?0\d[\d ]*|\+?\d{{{MOST_DIGITS + 1},}}|\+(?: ?\d){{8,}}")


def code_in(cells: Sequence[str]) -> str | None:
    """Return the first of a column's distinct cells that makes it codes; None if it holds none.

    Codes are digits that name something: postal codes and product codes with leading zeros,
    identifiers of more than 15 digits, telephone numbers with a plus. One such cell makes a column
    of digits one of codes; numbers with a sign or a decimal point are quantities.
    """
    code = next(filter(CODE.fullmatch, cells), None)
    return code if code and all(map(WHOLE.fullmatch, cells)) else None


class Notation:
    """How numbers are written: the decimal separator, and the characters between thousands.

    Thousands are groups of three digits after one to three digits of which the first is not 0, all
    with the same character between them.
    """

    def __init__(self, decimal: str, thousands: str = THOUSANDS) -> None:
        point = re.escape(decimal)
        self.decimal = decimal
        separators = re.escape(thousands.replace(decimal, ""))
        plain = rf"(?:\d+(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
        grouped = rf"[1-9]\d{{0,2}}([{separators}])\d{{3}}(?:\1\d{{3}})*(?:{point}\d*)?"
        self._pattern = re.compile(rf"[+-]?(?:{plain}|{grouped if separators else '(?!)()'})")

    def number(self, text: str) -> float | None:
        """Return a cell as a number; None if it is not a finite number in this notation."""
        text = text.replace(MINUS, "-")
        match = self._pattern.fullmatch(text)
        if match is None:
            return None
        if match[1]:
            text = text.replace(match[1], "")
        value = float(text.replace(self.decimal, "."))
        return value if math.isfinite(value) else None


POINT, COMMA = Notation("."), Notation(",")


class TextColumn:
    """A column that pandas read as text, by its distinct cells."""

    def __init__(self, column: pandas.Series) -> None:
        self.index = column.index
        self.codes, cells = column.factorize()  # −1 where pandas found a cell missing
        self.texts = [str(cell).strip() for cell in cells]
        self.present = [text for text in self.texts if text not in MISSING]

    @cached_property
    def code(self) -> str | None:
        """A cell that makes this a column of codes; None if it is not."""
        return code_in(self.present)

    @cached_property
    def sign(self) -> str:
        """The sign of percent or a currency that is in all but a few cells; "" if there is none."""
        for sign in SIGNS:
            if self._mostly([sign in text for text in self.present]) and self._mostly(
                [SIGNED[sign].fullmatch(text) is not None for text in self.present]
            ):
                return sign
        return ""

    @cached_property
    def without_sign(self) -> list[str]:
        """`present` without the `sign`.

        In place of a cell without the sign, which is no number of the column, is an empty text.
        """
        if not self.sign:
            return self.present
        matches = map(SIGNED[self.sign].fullmatch, self.present)
        return ["" if match is None else "".join(match.groups("")) for match in matches]

    def _mostly(self, which: Sequence[bool]) -> bool:
        """Return whether all but a few cells of the column are some of `present`."""
        cells = [text for text, one in zip(self.present, which, strict=True) if one]
        return bool(cells) and (
            len(cells) == len(which) or self._count(cells) > MOSTLY * self._count(self.present)
        )

    def _count(self, cells: Sequence[str]) -> int:
        """Return the number of rows that have one of some distinct cells."""
        return sum(self._counts[text] for text in {*cells})

    @cached_property
    def _counts(self) -> Counter[str]:
        """The number of rows of each text."""
        counts: Counter[str] = Counter()
        rows = np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))
        for text, n in zip(self.texts, rows.tolist(), strict=True):
            counts[text] += n
        return counts

    def has_decimal_comma(self) -> bool | None:
        """Return whether the numbers of this column have a decimal comma; None if it may be.

        A few cells may be no numbers at all.
        """
        by_comma = [COMMA.number(text) is not None for text in self.without_sign]
        by_point = [POINT.number(text) is not None for text in self.without_sign]
        either = [one or other for one, other in zip(by_comma, by_point, strict=True)]
        numbers = [text for text, one in zip(self.without_sign, either, strict=True) if one]
        if by_comma != either or not self._mostly(either):
            return False
        if not any("," in text for text in numbers):
            return any(text.count(".") > 1 for text in numbers)  # points between thousands
        return None if by_point == either else True

    def rows(self, cells: Sequence[str]) -> NDArray[np.intp]:
        """Return the rows that have one of some distinct cells."""
        return np.flatnonzero(self._series(dict.fromkeys(cells, True)).notna())

    def numbers(self, notation: Notation) -> tuple[pandas.Series, NDArray[np.intp]]:
        """Return the column as numbers, and the rows of the values that are none."""
        found = dict(zip(self.present, map(notation.number, self.without_sign), strict=True))
        column = self._series(found).astype(np.float64)
        if ((column % 1 == 0) & (column.abs() < 2**53)).all():
            column = column.astype(np.int64)
        return column, self.rows([text for text, number in found.items() if number is None])

    def converted(self, notation: Notation) -> tuple[pandas.Series, NDArray[np.intp]]:
        """Return the column as numbers if all its values are, otherwise as booleans or text.

        The second result are the rows of probable mistakes: if a column is numbers but for a few
        cells, the rows of these cells; otherwise none.
        """
        column, others = self.numbers(notation)
        if self.code is None and len(others) == 0:
            return column, others
        if {*self.present} <= BOOLEANS.keys():
            column = self._series(BOOLEANS)
            return column.astype("boolean" if column.hasnans else bool), others[:0]
        few = len(others) < (1 - MOSTLY) * self._count(self.present)
        return self._series({text: text for text in self.present}), others if few else others[:0]

    def _series(self, values: Mapping[str, Any]) -> pandas.Series:
        """Return the column with a value for each text; where a text has none it is missing."""
        pandas = imported("pandas", "tabular")
        distinct = pandas.Series([values.get(text, math.nan) for text in self.texts])
        return distinct.reindex(self.codes).set_axis(self.index)
