"""Tables from files: CSV (or TSV) with a header line, and NPZ.

A table has m rows of named columns. Training and prediction read a matrix of numbers, by the names
of its columns, and at most one column of class labels. The message of an error (a missing column, a
cell that is not a number, a row of another length) names the place in the file.
"""

import csv
import difflib
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from fastmlp.model import npz

CHUNK = 4_096  # rows that are read at a time
HEADERS: dict[tuple[int, int], Callable[..., Any]] = {  # readers by version of NumPy's format
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

Numbers = NDArray[Any]  # (m, n), of any real dtype, all finite
Labels = NDArray[Any]  # (m,), integers, or strings as objects


class Table(ABC):
    """A file of named columns."""

    path: Path
    names: tuple[str, ...]

    def read(self, numbers: Sequence[str], labels: str | None = None) -> tuple[Numbers, Labels]:
        """Read columns.

        Parameters
        ----------
        numbers : sequence of str
            Names of the n columns of the matrix, in its order.
        labels : str, optional
            Name of the column of class labels. Default: none; then the second result is empty.

        Returns
        -------
        numbers : ndarray (m, n)
        labels : ndarray (m,)
            Integers if all labels are written as integers, otherwise strings as objects.

        Raises
        ------
        ValueError
            If a column is missing, a number is not one or not finite, or a label is empty.
        """
        for name in numbers if labels is None else (*numbers, labels):
            self.require(name)
        return self._read(numbers, labels)

    def require(self, name: str) -> None:
        """Raise ValueError if there is no such column."""
        if name in self.names:
            return
        if close := difflib.get_close_matches(name, self.names, n=1):
            raise ValueError(f"{self.path}: no column {name!r}; did you mean {close[0]!r}?")
        some = ", ".join(map(repr, self.names[:8])) + (", …" if len(self.names) > 8 else "")
        raise ValueError(f"{self.path}: no column {name!r}; there are {some}")

    @abstractmethod
    def row_numbers(self) -> NDArray[np.int64]:
        """Return the number of each row in the file.

        In a CSV file it is the number of the line where the row ends, the header being line 1; in
        an NPZ file the index, from 0.
        """

    @abstractmethod
    def _read(self, numbers: Sequence[str], labels: str | None) -> tuple[Numbers, Labels]: ...


def open_table(path: Path) -> Table:
    """Open a table, by the file's ending: .csv, .tsv (tabs between the cells) or .npz."""
    match path.suffix.lower():
        case ".csv":
            return CsvTable(path, ",")
        case ".tsv":
            return CsvTable(path, "\t")
        case ".npz":
            return NpzTable(path)
    raise ValueError(f"{path}: a table is a .csv, .tsv or .npz file")


class CsvTable(Table):
    """A text file in UTF-8: a header line of names, then one line for each row.

    Cells in quotes may contain delimiters and line ends. A number is written as Python's `float`
    takes it, without underscores. A cell has at most 131,072 characters, the limit of `csv`.
    """

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path = path
        self.delimiter = delimiter
        rows = self._rows()
        _, header = next(rows, (0, []))
        self.names = tuple(name.strip() for name in header)
        if next(rows, None) is None:
            raise ValueError(f"{path}: the table is empty; it needs a header line and rows")
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise ValueError(f"{path}: two columns are named {twice[0]!r}")

    def row_numbers(self) -> NDArray[np.int64]:
        rows = self._rows()
        next(rows)
        return np.array([line for line, _ in rows])

    def _read(self, numbers: Sequence[str], labels: str | None) -> tuple[Numbers, Labels]:
        where = [self.names.index(name) for name in numbers]
        label = None if labels is None else self.names.index(labels)
        parts: list[NDArray[np.float64]] = []
        text: list[str] = []
        rows = self._rows()
        next(rows)
        while chunk := list(islice(rows, CHUNK)):
            try:
                columns = list(zip(*(cells for _, cells in chunk), strict=True))
                if len(columns) != len(self.names):
                    raise ValueError("rows of another length than the header")
                part = np.empty((len(chunk), len(where)))
                for j, column in enumerate(where):
                    part[:, j] = _numbers(columns[column])
            except ValueError:
                raise ValueError(self._explain(chunk, where, label)) from None
            parts.append(part)
            if label is not None:
                text += map(str.strip, columns[label])
                if not all(text[-len(chunk) :]):
                    raise ValueError(self._explain(chunk, where, label))
        return np.concatenate(parts), _integers_if_all_are(text)

    def _explain(
        self, chunk: Sequence[tuple[int, list[str]]], where: Sequence[int], label: int | None
    ) -> str:
        """Return a description of the first invalid cell of some rows."""
        for line, cells in chunk:
            here = f"{self.path}, line {line}"
            if len(cells) != len(self.names):
                return f"{here}: {len(cells)} cells, but the header has {len(self.names)}"
            for j in where:
                if problem := _problem(cells[j]):
                    return f"{here}, column {self.names[j]!r}: {problem}"
            if label is not None and not cells[label].strip():
                return f"{here}, column {self.names[label]!r}: the cell is empty"
        raise AssertionError("all cells are valid")

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the line where a row ends, and its cells, without blank lines.

        The first row is the header.
        """
        with self.path.open(newline="", encoding="utf-8-sig") as file:
            lines = _Lines(file)
            reader = csv.reader(lines, delimiter=self.delimiter)
            begins = 1  # the line where the next row begins
            try:
                for cells in reader:
                    if lines.ended:
                        break
                    if cells:
                        yield reader.line_num, cells
                    begins = reader.line_num + 1
            except csv.Error as error:
                raise ValueError(f"{self.path}, line {reader.line_num}: {error}") from None
            except UnicodeDecodeError:
                raise ValueError(self._explain_encoding()) from None
        if cells != [_Lines.END]:  # it was taken for a part of the last cell
            raise ValueError(f"{self.path}, line {begins}: a quote is opened and not closed")

    def _explain_encoding(self) -> str:
        """Return a description of the first bytes that are not UTF-8."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    return f"{self.path}, line {number}: {error}; save the table as UTF-8"
        raise AssertionError("all bytes are UTF-8")


class _Lines:
    """The lines of a file, and one more, which shows whether a quote is open at the end."""

    END = "end of the table"

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        yield from self._file
        self.ended = True
        yield self.END


class NpzTable(Table):
    """A NumPy archive of arrays with m rows each.

    An array (m,) is the column of its name; an array X of shape (m, n) has the columns ``X[0]`` to
    ``X[n-1]``. Numbers keep their dtype.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file, npz.archive_in(file) as archive:
                self.arrays: dict[str, NDArray[Any]] = {
                    info.filename.removesuffix(".npy"): _member(archive, info)
                    for info in archive.infolist()
                }
        except (*npz.DAMAGE, RuntimeError, TypeError) as error:
            raise ValueError(f"{path}: not an NPZ file of plain arrays ({error})") from error
        for key, array in self.arrays.items():
            if array.ndim not in (1, 2):
                raise ValueError(f"{path}: {key!r} has {array.ndim} axes; a table needs 1 or 2")
        rows = {key: len(array) for key, array in self.arrays.items()}
        if len(set(rows.values())) > 1:
            raise ValueError(f"{path}: the arrays differ in their number of rows: {rows}")
        if not any(rows.values()):
            raise ValueError(f"{path}: the table is empty")
        self.columns = {
            name: column
            for key, array in self.arrays.items()
            for name, column in _split(key, array)
        }
        self.names = tuple(self.columns)

    def row_numbers(self) -> NDArray[np.int64]:
        return np.arange(len(next(iter(self.arrays.values()))))

    def _read(self, numbers: Sequence[str], labels: str | None) -> tuple[Numbers, Labels]:
        matrix = self._matrix(numbers)
        if matrix.dtype.kind not in "biuf":
            texts = (name for name in numbers if self.columns[name].dtype.kind not in "biuf")
            name = next(texts)
            raise ValueError(f"{self.path}: column {name!r} holds {self.columns[name].dtype}")
        if matrix.dtype.kind == "f" and not np.isfinite(matrix).all():
            row, j = np.argwhere(~np.isfinite(matrix))[0]
            raise ValueError(
                f"{self.path}, row {row} (counted from 0), column {numbers[j]!r}: "
                f"{matrix[row, j]} is not a finite number"
            )
        if labels is None:
            return matrix, np.empty(0)
        column = self.columns[labels]
        if column.dtype.kind in "biu":
            return matrix, column if column.dtype == np.uint64 else column.astype(np.int64)
        if column.dtype.kind == "U":
            return matrix, column.astype(object)
        raise ValueError(
            f"{self.path}: class labels are integers or strings, {labels!r} holds {column.dtype}"
        )

    def _matrix(self, names: Sequence[str]) -> Numbers:
        """Return the columns as a matrix, without a copy if an array has just these columns."""
        for key, array in self.arrays.items():
            if array.ndim == 2 and [name for name, _ in _split(key, array)] == list(names):
                return array
        return np.column_stack([self.columns[name] for name in names])


def _split(key: str, array: NDArray[Any]) -> list[tuple[str, NDArray[Any]]]:
    if array.ndim == 1:
        return [(key, array)]
    return [(f"{key}[{j}]", array[:, j]) for j in range(array.shape[1])]


def _member(archive: ZipFile, info: ZipInfo) -> NDArray[Any]:
    """Return an array of an archive, after a check of what its header announces."""
    name = info.filename.removesuffix(".npy")
    if info.header_offset < 0 or info.header_offset >= archive.start_dir:
        raise ValueError("its directory points outside it")
    if info.file_size > max(npz.MOST_INFLATED, npz.MOST_RATIO * info.compress_size):
        raise ValueError(f"{name!r} is compressed more than {npz.MOST_RATIO} times")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"{name!r} has NumPy's format {version}")
        shape, _, dtype = HEADERS[version](file, max_header_size=10_000)
        if dtype.hasobject:
            raise ValueError(f"{name!r} holds pickled objects")
        size = file.tell() + dtype.itemsize * math.prod(shape)
        if size != info.file_size:
            raise ValueError(f"{name!r} is {dtype} of shape {shape}, which takes {size:,} bytes, "
                             f"but has {info.file_size:,}")
    with archive.open(info) as file:
        array: NDArray[Any] = np.lib.format.read_array(
            file, allow_pickle=False, max_header_size=10_000
        )
        file.read(1)  # the end, where the checksum of the archive is compared
    return array


def _numbers(cells: Sequence[str]) -> NDArray[np.float64]:
    """Return cells as numbers; raise ValueError if one is not a finite number."""
    column = np.fromiter(map(float, cells), np.float64, len(cells))
    if not np.isfinite(column).all() or any("_" in cell for cell in cells):
        raise ValueError("a cell is not a finite number")
    return column


def _problem(cell: str) -> str:
    """Return why a cell is not a finite number, or "" if it is one."""
    shown = shorten(cell)
    if not cell.strip():
        return "the cell is empty"
    try:
        if "_" in cell:
            raise ValueError
        return "" if math.isfinite(float(cell)) else f"{shown} is not a finite number"
    except ValueError:
        return f"{shown!r} is not a number"


def shorten(cell: str) -> str:
    """Return the beginning of a cell, for a message."""
    text = cell.strip()
    return text if len(text) <= 50 else f"{text[:50]}…"


def _integers_if_all_are(text: list[str]) -> Labels:
    """Return labels as int64 if all are written as such, otherwise as objects.

    An array of NumPy's text would give each label the length of the longest.
    """
    try:
        integers = np.array(list(map(int, text)), np.int64)
    except (ValueError, OverflowError):
        return np.array(text, object)
    same = all(map(str.__eq__, text, map(str, integers.tolist())))
    return integers if same else np.array(text, object)
