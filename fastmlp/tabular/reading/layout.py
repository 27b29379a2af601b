"""The layout of a table in text: separator, names of the columns, and the line of each row.

`csv` of the standard library goes through the file once, before pandas reads its values: this finds
rows of another length than the header and quotes that are not closed, which pandas would fill or
report without their lines, and gives each row the number of its line.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...support.text import some_of

Lines: TypeAlias = NDArray[np.int64]

SEPARATORS = (",", ";", "\t", "|")  # in order of preference where several are equally likely
WHITESPACE = "whitespace"  # the separator of columns that are aligned by spaces or tabs
SAMPLE_LINES = 500  # lines by which the separator is recognized
SAMPLE_SIZE = 4 << 20  # characters after which the sample ends
SHOWN = 5  # places that a message lists
NUMERIC = re.compile(r"[+-]?[\d.,]+(?:[eE][+-]?\d+)?")
BLANK = " \t\r\n"
# the first line by which spreadsheets name the separator: sep=;
SEPARATOR_LINE = re.compile(rb'"?[sS][eE][pP]=([^\0\r\n "0-9A-Za-z\x80-\xff])"?[ \t]*[\r\n]')


@dataclass(frozen=True)
class Layout:
    """Where the values of a table in text are."""

    data: bytes  # the text, in UTF-8; columns aligned by whitespace are separated by spaces
    separator: str  # one character, or "whitespace"
    names: tuple[str, ...]  # the header
    header_lines: int  # lines up to the end of the header
    lines: Lines  # (m,), in which each row begins, counted from 1


def line_of(data: bytes, position: int) -> int:
    """Return the number of the line in which a byte is."""
    return len(data[: position + 1].splitlines())


def text_stream(data: bytes) -> io.TextIOWrapper:
    """Return a stream of text in UTF-8 that leaves line ends as they are."""
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")


def layout(data: bytes, separator: str | None, name: str) -> Layout:
    """Return the layout of a table in UTF-8; without a separator it is recognized.

    Raises
    ------
    ValueError
        If there is no row, two columns have the same name, rows have another number of cells than
        the header, a quote is not closed, or a cell has more than 131,072 characters.
    """
    if (position := data.find(b"\0")) >= 0:
        raise ValueError(
            f"{name}, line {line_of(data, position)}: a NUL character; this is not text"
        )
    told = SEPARATOR_LINE.match(data)
    if separator is None:
        separator = told[1].decode() if told else _recognized_separator(data)
    if separator == WHITESPACE:
        rows = (line.replace("\t", " ").rstrip(BLANK) for line in text_stream(data))
        data = "\n".join(rows).encode() + b"\n"
    names, header_lines, lines, counts = _scanned(data, separator, 1 if told else 0, name)
    if not header_lines:
        raise ValueError(f"{name}: the table is empty; it needs a header line and rows")
    if not len(lines):
        raise ValueError(f"{name}: the table has a header line and no rows")
    uneven = np.flatnonzero(counts != len(names))
    if len(uneven):
        places = [f"line {lines[i]} has {counts[i]}" for i in uneven[:SHOWN]]
        remedy = _remedy_of_uneven(data, separator, names, counts[uneven], len(lines))
        raise ValueError(
            f"{name}: the header has {len(names)} cells, but "
            f"{some_of(places, len(uneven), more='more rows')}; {remedy}"
        )
    refuse_twins(names, name)
    return Layout(data, separator, names, header_lines, lines)


def _scanned(
    data: bytes, separator: str, n_skipped: int, name: str
) -> tuple[tuple[str, ...], int, Lines, Lines]:
    """Return what a pass over the rows finds, after some first lines.

    Returns
    -------
    names : tuple of str
        The cells of the header.
    header_lines : int
        The number of lines before the first row; 0 if there is no header.
    lines, counts : array of int64, (m,)
        The line in which each row begins, and the number of its cells.
    """
    line, ended = "", False

    def source() -> Iterator[str]:
        nonlocal line, ended
        for line in text_stream(data):  # noqa: UP028 (the loop sets the outer variable)
            yield line
        ended = True
        yield "end"  # a row of its own unless a quote is open

    delimiter = " " if separator == WHITESPACE else separator
    reader = csv.reader(source(), delimiter=delimiter, skipinitialspace=True)
    names: tuple[str, ...] = ()
    header_lines = 0
    lines, counts = array("q"), array("q")
    begin = 1  # the line in which the next row begins
    try:
        for cells in reader:
            if ended:
                break
            first, begin = begin, reader.line_num + 1
            if len(cells) < 2 and not line.strip(BLANK):
                continue
            if reader.line_num <= n_skipped:
                continue
            if not header_lines:
                names, header_lines = tuple(cell.strip() for cell in cells), reader.line_num
                continue
            lines.append(first)
            counts.append(len(cells))
    except csv.Error as error:
        if "field larger" in str(error):
            raise ValueError(
                f"{name}, line {begin}: a cell has more than {csv.field_size_limit():,} "
                f"characters; is a quote not closed, or the separator not {separator!r}?"
            ) from None
        raise ValueError(f"{name}, line {reader.line_num}: {error}") from None
    if reader.line_num > begin:  # the end mark has become a part of the last cell
        raise ValueError(f"{name}, line {begin}: a quote is opened and not closed")
    return names, header_lines, np.array(lines, np.int64), np.array(counts, np.int64)


def _remedy_of_uneven(
    data: bytes, separator: str, names: tuple[str, ...], counts: Lines, n_rows: int
) -> str:
    """Return what to do about rows with other numbers of cells than the header."""
    if names[0].startswith("#"):
        return "remove the lines of comments before the header"
    if len(counts) == n_rows:
        return f"name every column in the header, or give the separator if it is not {separator!r}"
    if (counts < len(names)).all():
        return "give each row a cell for each column, empty if unknown; leave out notes"
    if b'\\"' in data:
        return 'write a double quote within a cell twice, "", without a backslash'
    return f"put cells that contain {separator!r} in double quotes"


def _recognized_separator(data: bytes) -> str:
    """Return the separator of a table: the one that gives most rows the same number of cells."""
    sample = text_stream(data).readlines(SAMPLE_SIZE)[:SAMPLE_LINES]
    lines = [line for line in sample if line.strip(BLANK)]
    scores = {one: _agreement(lines, one) for one in SEPARATORS}
    best = max(SEPARATORS, key=lambda one: scores[one])
    if scores[best][0] < 0.5:
        rows = [line.split() for line in lines]
        numeric = any(NUMERIC.fullmatch(cell.strip('"')) for cells in rows[1:] for cell in cells)
        if numeric and _agreement([" ".join(cells) + "\n" for cells in rows], " ") > (0.9, 1):
            return WHITESPACE
    return best


def _agreement(lines: Sequence[str], separator: str) -> tuple[float, int]:
    """Return the share of rows with the most common number of cells, and that number.

    If the header has one cell, or the separator cannot be that of the file, the share is 0.
    """
    try:
        rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        counts = [len(cells) for cells in rows]
    except csv.Error:  # a cell is too long
        return 0.0, 0
    if len(lines) >= SAMPLE_LINES:
        counts.pop()  # may be a part of a row
    number, n_rows = Counter(counts).most_common(1)[0] if counts else (0, 0)
    return (n_rows / len(counts), number) if number > 1 and counts[0] > 1 else (0.0, 0)


def refuse_twins(names: Sequence[str], name: str) -> None:
    """Raise ValueError if columns have the same name."""
    twice = [one for one, count in Counter(names).items() if count > 1]
    if twice:
        shown = some_of(map(repr, twice[:SHOWN]), len(twice), more="more names")
        remedy = "give each its own name"
        if "" in twice:
            remedy += ", and leave out lines before the header"
        elif any(map(NUMERIC.fullmatch, twice)):
            remedy += ", in a header above the rows"
        raise ValueError(f"{name}: several columns are named {shown}; {remedy}")


def may_hold_codes(data: bytes, separator: str) -> bool:
    """Return whether a cell begins with a zero or a plus before another digit, as "02139" does."""
    cell = rb'[\s"%b][0+]\d' % re.escape(separator.encode())
    return re.search(cell, data) is not None
