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
from itertools import islice

import numpy as np
from numpy.typing import NDArray

SEPARATORS = (",", ";", "\t", "|")  # in order of preference where several are equally likely
WHITESPACE = "whitespace"  # the separator of columns that are aligned by spaces or tabs
SAMPLE_LINES = 500  # lines by which the separator is recognized
SAMPLE_SIZE = 4 << 20  # characters after which the sample ends
SHOWN = 5  # places that a message lists
NUMERIC = re.compile(r"[+-]?[\d.,]+(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Layout:
    """Where the values of a table in text are.

    Attributes
    ----------
    separator : str
        One character, or "whitespace".
    names : tuple of str
        The header.
    header_lines : int
        Number of lines up to the end of the header.
    lines : ndarray of int64, shape (m,)
        The line of the file in which each row begins, counted from 1.
    """

    separator: str
    names: tuple[str, ...]
    header_lines: int
    lines: NDArray[np.int64]


def text_stream(data: bytes) -> io.TextIOWrapper:
    """Return a stream of text in UTF-8 that leaves line ends as they are."""
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")


def without_padding(data: bytes) -> bytes:
    """Return text whose columns are separated by single spaces or runs of them, and by no tabs."""
    lines = (line.replace("\t", " ").rstrip(" \r\n") for line in text_stream(data))
    return "\n".join(lines).encode() + b"\n"


def recognized_separator(data: bytes) -> str:
    """Return the separator of a table: the one that gives most rows the same number of cells."""
    lines = _sample(data)
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        counts = [len(cells) for cells in _cells(lines, separator)]
        if (score := _agreement(counts)) > best_score:
            best, best_score = separator, score
    if best_score[0] < 0.5:
        aligned = [" ".join(line.split()) + "\n" for line in lines]
        rows = _cells(aligned, " ")
        numeric = any(NUMERIC.fullmatch(cell) for cells in rows[1:] for cell in cells)
        if numeric and _agreement([len(cells) for cells in rows]) > (0.9, 1):
            return WHITESPACE
    return best


def _sample(data: bytes) -> list[str]:
    """Return the first lines, without blank ones."""
    lines = []
    size = 0
    for line in islice(text_stream(data), SAMPLE_LINES):
        if not _is_blank(line):
            lines.append(line)
        size += len(line)
        if size > SAMPLE_SIZE:
            break
    return lines


def _cells(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Return the cells of complete rows; none if the separator cannot be that of the file."""
    try:
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error:  # a cell is too long
        return []
    return rows[:-1] if len(lines) >= SAMPLE_LINES else rows  # the last may be a part of a row


def _agreement(counts: Sequence[int]) -> tuple[float, int]:
    """Return the share of rows with the most common number of cells, and that number.

    The header must have more than one cell; otherwise the share is 0.
    """
    if not counts or counts[0] < 2:
        return 0.0, 0
    number, rows = Counter(counts).most_common(1)[0]
    return (rows / len(counts), number) if number > 1 else (0.0, 0)


class _Lines:
    """The lines of a file, and an end mark, which shows whether a quote is open at the end."""

    END = "end"

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self.line = ""
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(text_stream(self._data), start=1):
            if "\0" in line:
                raise ValueError(f"{self._name}, line {number}: a NUL character; this is not text")
            self.line = line
            yield line
        self.ended = True
        yield self.END


def layout(data: bytes, separator: str, name: str) -> Layout:
    """Return the layout of a table in UTF-8.

    Raises
    ------
    ValueError
        If there is no row, two columns have the same name, rows have another number of cells than
        the header, a quote is not closed, or a cell has more than 131,072 characters.
    """
    source = _Lines(data, name)
    delimiter = " " if separator == WHITESPACE else separator
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True)
    names: tuple[str, ...] = ()
    header_lines = width = n_uneven = 0
    lines = array("q")
    uneven: list[str] = []
    begin = 1  # the line in which the next row begins
    try:
        for cells in reader:
            if source.ended:
                break
            line, begin = begin, reader.line_num + 1
            if len(cells) < 2 and _is_blank(source.line):
                continue
            if not width:
                names = tuple(cell.strip() for cell in cells)
                width, header_lines = len(cells), reader.line_num
                continue
            lines.append(line)
            if len(cells) != width:
                n_uneven += 1
                if len(uneven) < SHOWN:
                    uneven.append(f"line {line} has {len(cells)}")
    except csv.Error as error:
        if "field larger" in str(error):
            raise ValueError(
                f"{name}, line {begin}: a cell has more than {csv.field_size_limit():,} "
                f"characters; is a quote not closed, or the separator not {separator!r}?"
            ) from None
        raise ValueError(f"{name}, line {reader.line_num}: {error}") from None
    if reader.line_num > begin:  # the end mark has become a part of the last cell
        raise ValueError(f"{name}, line {begin}: a quote is opened and not closed")
    if not width:
        raise ValueError(f"{name}: the table is empty; it needs a header line and rows")
    if n_uneven:
        _refuse_uneven(name, separator, width, len(lines), n_uneven, uneven)
    if not lines:
        raise ValueError(f"{name}: the table has a header line and no rows")
    refuse_twins(names, name)
    return Layout(separator, names, header_lines, np.frombuffer(lines, np.int64))


def _refuse_uneven(
    name: str, separator: str, width: int, n_rows: int, n_uneven: int, uneven: list[str]
) -> None:
    more = f", and {n_uneven - len(uneven):,} more rows" if n_uneven > len(uneven) else ""
    remedy = (
        f"name every column in the header, or give the separator if it is not {separator!r}"
        if n_uneven == n_rows
        else f"put cells that contain {separator!r} in double quotes"
    )
    raise ValueError(
        f"{name}: the header has {width} cells, but {', '.join(uneven)}{more}; {remedy}"
    )


def refuse_twins(names: Sequence[str], name: str) -> None:
    """Raise ValueError if columns have the same name."""
    twice = [one for one, count in Counter(names).items() if count > 1]
    if twice:
        shown = ", ".join(map(repr, twice[:SHOWN]))
        more = f" and {len(twice) - SHOWN:,} more names" if len(twice) > SHOWN else ""
        raise ValueError(f"{name}: several columns are named {shown}{more}; give each its own name")


def _is_blank(line: str) -> bool:
    return not line.strip(" \t\r\n")
