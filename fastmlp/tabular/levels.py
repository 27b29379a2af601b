"""Categories: their cells as texts, the levels, and the codes of the levels."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .frames import (
    as_float,
    factorized,
    is_number,
    is_span,
    is_truth,
    iso_moments,
    parsed,
    uniques_of,
)
from .reading.numbers import BOOLEANS, code_in

__all__ = ["codes_in", "known_codes", "text", "texts", "written_alike"]

Array = NDArray[Any]

TRUTHS = {**BOOLEANS, "1": True, "0": False}  # truth values as text


def texts(column: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    """Return a column of categories as codes of its levels, −1 where a value is missing.

    Returns
    -------
    codes : ndarray (m,)
    levels : list of str
        A whole number is written without a decimal point, whatever its type.  If all are names of
        truth values, and some of the same, such as "true" and "TRUE", they are True and False.
        Texts of the same letters are one level, see `written_alike`.
    """
    codes, uniques = factorized(column)
    names = written_alike(map(text, uniques))
    levels = list(dict.fromkeys(name for name in names if name))
    if BOOLEANS.keys() >= {*levels} and len({BOOLEANS[level] for level in levels}) < len(levels):
        names = [str(BOOLEANS[name]) if name else "" for name in names]
        levels = list(dict.fromkeys(name for name in names if name))
    places = {level: place for place, level in enumerate(levels)}
    table = np.array([places.get(name, -1) for name in names] + [-1], np.intp)
    return table[codes], levels


def text(cell: Any) -> str:
    """Return the text of a category's cell, the same for 1, 1.0, np.int8(1), " 1 " and b"1"."""
    if is_truth(cell):
        return str(bool(cell))
    if is_span(cell):
        return str(pd.Timedelta(cell))
    if isinstance(cell, Integral):
        return _digits(int(cell))
    if isinstance(cell, Real):
        number = as_float(cell)
        if math.isinf(number) and not isinstance(cell, (float, np.floating)):
            return _digits(int(math.floor(cell)))  # of a fraction beyond float64
        return str(int(number)) if number.is_integer() else repr(number)
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "backslashreplace")
    name = str(cell).strip()  # without surrogates, which are no characters that can be written
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()


def written_alike(texts: Iterable[str]) -> list[str]:
    """Return texts, each as the first of them that has the same letters.

    Unicode writes "é" as one character or as two, the letter and its accent.
    """
    first: dict[str, str] = {}
    return [first.setdefault(_letters(text), text) for text in texts]


def _letters(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _digits(number: int) -> str:
    """Return a whole number as text; Python's `str` writes 4,300 digits at most."""
    return str(number) if number.bit_length() < 10_000 else str(Decimal(number))


def known_codes(column: pd.Series, known: tuple[str, ...]) -> Array:
    """Return a column of categories as codes of the levels of the training set, −1 for others.

    A number is also the level of its digits after leading zeros, 2139 is "02139", and the level
    that is the same number in another notation, 1.5 is "1.50".  A text is the level of the same
    letters, in whatever characters of Unicode they are written.  Where all levels are truth values,
    a cell is the level of its truth value: 1 and "true" are "True".  Where all are dates in
    ISO 8601, it is that of its moment, in UTC if it has a time zone.
    """
    codes, uniques = factorized(column)
    places = {level: place for place, level in enumerate(known)}
    of_letters = {_letters(level): place for level, place in places.items()}
    of_digits: dict[str, int] = {}
    of_number: dict[float, int] = {}
    for (level, place), number in zip(places.items(), parsed([*places]), strict=True):
        if level.isdigit():
            of_digits.setdefault(level.lstrip("0") or "0", place)
        elif not math.isnan(number):
            of_number.setdefault(number, place)
    truths = [TRUTHS.get(level) for level in known]
    distinct = None not in truths and len({*truths}) == len(truths)
    of_truth = dict(zip(truths, range(len(truths)), strict=True)) if distinct else {}

    def place_of(cell: Any) -> int:
        name = text(cell)
        if name in places:
            return places[name]
        if (place := of_letters.get(_letters(name))) is not None:
            return place
        if name in TRUTHS and of_truth:
            return of_truth.get(TRUTHS[name], -1)
        if not is_number(cell):
            return -1
        return of_digits[name] if name in of_digits else of_number.get(as_float(cell), -1)

    table = np.array([place_of(cell) for cell in uniques] + [-1], np.intp)
    unknown = np.flatnonzero(table[:-1] < 0)
    if len(unknown):
        of_moment = {moment: place for place, moment in enumerate(iso_moments(list(known)))}
        if pd.NaT not in of_moment and len(of_moment) == len(known):
            cells = iso_moments([uniques[i] for i in unknown])
            table[unknown] = [of_moment.get(moment, -1) for moment in cells]
    places_of_rows: Array = table[codes]
    return places_of_rows


def codes_in(column: pd.Series) -> bool:
    """Return whether a category is codes of digits."""
    texts = [
        _digits(cell) if isinstance(cell, int) and not isinstance(cell, bool) else str(cell).strip()
        for cell in uniques_of(column)
    ]
    return code_in(texts) is not None
