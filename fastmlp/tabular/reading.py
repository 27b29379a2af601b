"""Reading of tables from files: text such as CSV, Parquet, and NPZ archives of arrays.

    file → bytes, decompressed → text in UTF-8 → layout: separator, header, lines → values

Values that pandas takes for text are looked at once more, for thousands separators and a decimal
comma. What cannot be read is refused with the name of the file, the line and the remedy.
"""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..support.extras import imported
from .reading_arrays import npz_frame, parquet_frame
from .reading_files import as_utf8, contents, display_name
from .reading_layout import (
    SHOWN,
    WHITESPACE,
    Layout,
    layout,
    recognized_separator,
    text_stream,
    without_padding,
)
from .reading_matrix import listed
from .reading_numbers import MISSING, THOUSANDS, Notation, TextColumn

if TYPE_CHECKING:
    import pandas

__all__ = ["read_table", "require_column"]

Path = str | os.PathLike[str]


def read_table(
    path: Path,
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
        The character between cells, or "whitespace" for one or several spaces or tabs.  Default:
        comma, semicolon, tab, vertical bar or whitespace, whichever divides most of the first 500
        lines into the same number of cells.
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
        Names of the columns to return, in this order.  Default: all of the file.

    Returns
    -------
    frame : pandas.DataFrame (m, n)
        Columns are numbers (int64, uint64, float64; an NPZ archive's and a Parquet file's keep
        their dtype), booleans, or text. Empty cells, "NA", "?", "-" and other names of missing
        values are missing. A column that is not all numbers is text. Dates are text. The index,
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
        few cells that are not numbers.

    Examples
    --------
    >>> from fastmlp.tabular.reading import read_table
    >>> frame = read_table("flowers.csv")  # doctest: +SKIP
    """
    imported("pandas", "tabular")
    _check_options(separator, decimal, thousands)
    name = display_name(path)
    kind, data = contents(path)
    if kind == "text":
        return _read_text(data, name, separator, encoding, decimal, thousands, columns)
    frame = npz_frame(data, name) if kind == "npz" else parquet_frame(data, name, columns)
    if len(frame) == 0 or len(frame.columns) == 0:
        raise ValueError(f"{name}: the table is empty")
    frame.index = frame.index.rename("row")
    return frame if columns is None else frame[_known(columns, frame.columns, name)]


def require_column(column: str, names: Sequence[str], name: str) -> None:
    """Raise ValueError unless a table has a column of this name.

    Parameters
    ----------
    column : str
        The column.
    names : sequence of str
        The names of the table's columns.
    name : str
        Name of the file, for the message.
    """
    if column in names:
        return
    if close := difflib.get_close_matches(column, names, n=1):
        raise ValueError(f"{name}: no column {column!r}; did you mean {close[0]!r}?")
    some = ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")
    raise ValueError(f"{name}: no column {column!r}; there are {some}")


def _known(columns: Sequence[str], names: Sequence[str], name: str) -> list[str]:
    known = {*names}
    for column in columns:
        if column not in known:
            require_column(column, list(names), name)
    return list(columns)


def _check_options(separator: str | None, decimal: str | None, thousands: str | None) -> None:
    if separator is not None and separator != WHITESPACE and (
        len(separator) != 1 or not separator.isascii() or separator.isalnum()
        or separator in '"\r\n\0 '
    ):  # fmt: skip
        raise ValueError(
            f"separator must be one ASCII character, no letter, digit, quote or space, or "
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


def _read_text(
    data: bytes,
    name: str,
    separator: str | None,
    encoding: str | None,
    decimal: str | None,
    thousands: str | None,
    columns: Sequence[str] | None,
) -> pandas.DataFrame:
    data = as_utf8(data, encoding, name)
    if separator is None:
        separator = recognized_separator(data)
    if separator == WHITESPACE:
        data = without_padding(data)
    found = layout(data, separator, name)
    chosen = found.names if columns is None else _known(columns, found.names, name)
    places = {one: j for j, one in enumerate(found.names)}
    positions = [places[one] for one in chosen]
    frame = _values(data, found, positions, decimal or ".", name)
    texts = _text_columns(frame)
    if decimal is None and separator != ",":
        decimal = _recognized_decimal(texts, separator, list(chosen), name)
        if decimal == ",":
            frame = _values(data, found, positions, decimal, name)
            texts = _text_columns(frame)
    notation = Notation(decimal or ".", THOUSANDS if thousands is None else thousands)
    frame = _converted(frame, texts, notation, list(chosen), name)
    if columns is None and "" in places and frame[""].isna().all():
        frame = frame.drop(columns="")  # the rows end in a separator
    return frame


def _values(
    data: bytes, found: Layout, positions: Sequence[int], decimal: str, name: str
) -> pandas.DataFrame:
    """Return the columns at some positions, named by their place among these positions."""
    pandas = imported("pandas", "tabular")
    stream = text_stream(data)
    for _ in range(found.header_lines):
        stream.readline()
    try:
        frame = pandas.read_csv(
            stream,
            sep=r"\s+" if found.separator == WHITESPACE else found.separator,
            header=None,
            names=range(len(found.names)),
            usecols=sorted(positions),
            index_col=False,
            na_values=sorted(MISSING),
            keep_default_na=False,
            skipinitialspace=True,
            decimal=decimal,
            low_memory=False,
        )
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from None
    if len(frame) != len(found.lines):
        raise ValueError(
            f"{name}: pandas finds {len(frame):,} rows and csv {len(found.lines):,}; put cells "
            f"that contain quotes, separators or line ends in double quotes"
        )
    frame.index = pandas.Index(found.lines, name="line")
    frame = frame[list(positions)]
    frame.columns = range(len(positions))
    return frame


def _text_columns(frame: pandas.DataFrame) -> dict[int, TextColumn]:
    """Return the columns that pandas has not read as numbers or booleans, by position."""
    return {j: TextColumn(column) for j, column in frame.items() if column.dtype.kind == "O"}


def _recognized_decimal(
    texts: dict[int, TextColumn], separator: str, names: list[str], name: str
) -> str:
    """Return the decimal separator that the columns of text speak for."""
    verdicts = {j: text.has_decimal_comma() for j, text in texts.items()}
    if True in verdicts.values():
        return ","
    unclear = [names[j] for j, verdict in verdicts.items() if verdict is None]
    if not unclear:
        return "."
    decimal, meaning = (",", "decimal") if separator == ";" else (".", "thousands")
    warnings.warn(
        f"{name}: the commas in the numbers of column {unclear[0]!r} are read as {meaning} "
        f"separators; if they are not, give the option decimal as {'.,'.replace(decimal, '')!r}",
        stacklevel=4,
    )
    return decimal


def _converted(
    frame: pandas.DataFrame,
    texts: dict[int, TextColumn],
    notation: Notation,
    names: list[str],
    name: str,
) -> pandas.DataFrame:
    """Return the table with its names, and with columns of text as numbers where all values are."""
    suspects: list[tuple[int, Any]] = []
    n_suspects = 0
    if texts:
        columns = dict(frame.items())
        for j, text in texts.items():
            columns[j], rows = text.converted(notation)
            suspects += [(row, j) for row in rows[:SHOWN].tolist()]
            n_suspects += len(rows)
        frame = imported("pandas", "tabular").DataFrame(columns, copy=False)
    frame.columns = names
    if suspects:
        shown = sorted(suspects)[:SHOWN]
        more = f"; and {n_suspects - len(shown):,} more" if n_suspects > len(shown) else ""
        n_columns = len({j for _, j in suspects})
        what = "a column is" if n_columns == 1 else f"{n_columns} columns are"
        warnings.warn(
            f"{name}: {what} read as text because of cells that are not numbers: "
            f"{listed(frame, shown)}{more}. Correct these cells, or write NA for missing values",
            stacklevel=4,
        )
    return frame
