"""Reading of tables from files: text such as CSV, Parquet, and NPZ archives of arrays.

    files        the kind of file, its bytes decompressed, its text in UTF-8
    other_files  what a file is that is no table
    layout       separator, header and lines of a text
    text         the values of a text, by pandas
    numbers      columns that pandas takes for text: numbers in another notation, booleans, codes
    arrays       NPZ archives and Parquet files
    matrix       a matrix of finite numbers from a table

What cannot be read is refused with the name of the file, the line, the column and the remedy.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING
from unicodedata import normalize

from ...support import checks
from ...support.extras import imported
from .arrays import npz_frame, parquet_frame
from .files import contents, display_name
from .layout import WHITESPACE
from .text import text_frame

if TYPE_CHECKING:
    import pandas

__all__ = ["in_question", "near_column", "read_columns", "read_table", "require_column"]

TAB = ("tab", "\\t")  # other ways to write this separator, which a shell needs
SEPARATOR = re.compile(r'[^\0\r\n "0-9A-Za-z\x80-\U0010ffff]')  # that may be given


def read_table(
    path: str | os.PathLike[str],
    *,
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    columns: Sequence[str] | None = None,
) -> pandas.DataFrame:
    """Read a table from a file.

    The kind of file is recognized by its contents: text with a header line (CSV and the like), also
    compressed by gzip, bzip2, xz or zip; Parquet (extra ``parquet``); or an NPZ archive of arrays
    with m rows each, where a matrix X has the columns ``X[0]`` to ``X[n-1]``. The last four
    arguments but `columns` are for text.

    Parameters
    ----------
    path : path-like
        The file; "-" is the standard input.
    separator : str, optional
        The character between cells, "tab", or "whitespace" for one or several spaces or tabs.
        Default: comma, semicolon, tab, vertical bar or whitespace, whichever divides most of the
        first 500 lines into the same number of cells.
    encoding : str, optional
        Name of the encoding.  Default: that of the byte order mark; without one UTF-8, and if the
        file is not UTF-8, Windows-1252 with a warning.
    decimal : {".", ","}, optional
        The decimal separator.  Default: a comma if cells are separated by semicolons, tabs, bars
        or whitespace and numbers of a column can only be read so; otherwise a point.
    thousands : str, optional
        The character between groups of three digits.  Default: point, comma, apostrophe or space,
        where all numbers of a column can be read so.
    columns : sequence of str, optional
        Names of the columns to return, in this order.  Default: all of the file.  Their values do
        not depend on which are chosen, and warnings are of these alone.

    Returns
    -------
    frame : pandas.DataFrame (m, n)
        Columns are numbers (int64, uint64, float64; an NPZ archive's and a Parquet file's keep
        their dtype), booleans, or text. Empty cells, "NA", "?", "-" and other names of missing
        values are missing. Numbers may have the sign of percent or of a currency if all numbers of
        the column have it: "12.5%" is 12.5, and `attrs["signs"]` of a text has the signs by
        columns. A column that is not all numbers is text; so is a column of codes: digits alone, of
        which some have a leading zero ("02139"), more than 15 digits, or a plus and at least 8
        digits (telephone numbers). Dates are text. The index,
        named "line", has the line of the file in which each row begins, the header being line 1;
        for Parquet and NPZ it is named "row" and counts from 0.

    Raises
    ------
    ValueError
        If the file is not a table, or an option is not valid. The message has the place and the
        remedy.
    OSError
        If the file cannot be read.
    ImportError
        If pandas is not installed, or pyarrow for Parquet.

    Warns
    -----
    UserWarning
        If the encoding or the decimal separator is a guess, or if a column is text because of a
        few cells that are not numbers, or because it holds codes.

    Examples
    --------
    >>> from fastmlp.tabular.reading import read_table
    >>> frame = read_table("flowers.csv")  # doctest: +SKIP
    """
    if columns is not None:
        columns = checks.columns("columns", columns)
    frame = read_columns(
        path, separator, encoding, decimal, thousands, columns=columns, used=columns
    )
    if columns is None:
        return frame
    for column in columns:
        require_column(column, frame.columns, display_name(path))
    return frame[list(columns)]


def read_columns(
    path: str | os.PathLike[str],
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    used: Collection[str] | Callable[[Sequence[str]], Collection[str]] | None = None,
    levels: Mapping[str, Collection[str] | None] | None = None,
    label: str | None = None,
    likely_decimal: str | None = None,
) -> pandas.DataFrame:
    """Return at least the columns that `read_table` returns if all of them exist, otherwise all.

    Warnings are of the columns `used`, by default all: their names, or a function that returns them
    for the names of all columns of the file.  A cell of text that is one of the `levels` of its
    column is that text, whatever the other cells make of the column: "$5", where all of them are
    numbers with the sign, or "None", which is missing otherwise.  Levels that are None stand for
    all texts.  A warning tells which names of missing values are in the column `label`, if it is of
    text, of which one may be a class.  Where the numbers of a text without commas between cells
    allow a decimal comma or a point, they have the `likely_decimal`; `attrs["decimal"]` of the
    table is what was given, or a comma that was recognized.  `attrs["signs"]` of a text has the
    signs of percent and currencies that were left out, by columns.
    """
    imported("pandas", "tabular")
    separator = "\t" if separator in TAB else separator
    _check_options(separator, decimal, thousands)
    name = display_name(path)
    kind, data = contents(path)
    if kind == "text":
        return text_frame(
            data, name, separator, encoding, decimal, thousands, columns, used, levels or {},
            label, likely_decimal,
        )  # fmt: skip
    frame = npz_frame(data, name) if kind == "npz" else parquet_frame(data, name, columns)
    if frame.empty:
        raise ValueError(f"{name}: the table is empty")
    frame.index = frame.index.rename("row")
    return frame


def require_column(column: str, names: Sequence[str], name: str) -> None:
    """Raise ValueError unless a column is among the names of the table in the file `name`."""
    if column in names:
        return
    texts = [one for one in names if isinstance(one, str)]
    if (near := near_column(column, texts)) is not None:
        raise ValueError(f"{name}: no column {column!r}; did you mean {in_question(near, column)}?")
    some = ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")
    remedy = "" if len(texts) == len(names) else f"; names must be text: {checks.NAMING}"
    raise ValueError(f"{name}: no column {column!r}; there are {some}{remedy}")


def near_column(column: str, names: Sequence[str]) -> str | None:
    """Return the name that is nearest to that of a column, whatever its case; None if none is."""
    lower = {other.lower(): other for other in names}
    close = difflib.get_close_matches(column.lower(), lower, n=1)
    return lower[close[0]] if close else None


def in_question(near: str, column: str) -> str:
    """Return how a message asks whether the column of this near name is meant.

    Names that look alike, such as "é" in one character and in two, are shown by their characters.
    """
    if normalize("NFC", near) != normalize("NFC", column):
        return repr(near)
    return f"{near!r}, in which the same letters are other characters of Unicode, {ascii(near)}"


def _check_options(separator: str | None, decimal: str | None, thousands: str | None) -> None:
    if separator not in (None, WHITESPACE) and not SEPARATOR.fullmatch(str(separator)):
        raise ValueError(
            f"separator must be one ASCII character, no letter, digit, quote or space, or 'tab' or "
            f"'whitespace'; got {separator!r}"
        )
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal must be '.' or ','; got {decimal!r}")
    if thousands is not None and (len(thousands) != 1 or thousands.isalnum() or thousands in "+-"):
        raise ValueError(
            f"thousands must be one character, not a letter or digit; got {thousands!r}"
        )
    if thousands is not None and thousands == (decimal or "."):
        raise ValueError(
            f"thousands and decimal are both {thousands!r}; give the option decimal as "
            f"{',' if thousands == '.' else '.'!r}"
        )
