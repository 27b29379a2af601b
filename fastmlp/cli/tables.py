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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]  # (m, n), of any real dtype, all finite
Labels = NDArray[Any]  # (m,), integers or strings


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
            Integers if all labels are written as integers, otherwise strings.

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
    """A text file: a header line of names, then one line for each row.

    It is read by pandas if that is installed, otherwise by NumPy, with the same result.
    """

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path = path
        self.delimiter = delimiter
        with self._open() as file:
            lines = self._lines(file)
            self.header_ends, header = next(lines, (0, []))
            self.names = tuple(name.strip() for name in header)
            if next(lines, None) is None:
                raise ValueError(f"{path}: the table is empty; it needs a header line and rows")
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise ValueError(f"{path}: two columns are named {twice[0]!r}")

    def row_numbers(self) -> NDArray[np.int64]:
        with self._open() as file:
            lines = self._lines(file)
            next(lines)
            return np.array([line for line, _ in lines])

    def _read(self, numbers: Sequence[str], labels: str | None) -> tuple[Numbers, Labels]:
        try:
            columns = self._parse(set(numbers))
        except ValueError as error:
            raise ValueError(self._explain(numbers) or f"{self.path}: {error}") from error
        matrix = np.empty((len(columns[0]), len(numbers)))
        for j, name in enumerate(numbers):
            matrix[:, j] = columns[self.names.index(name)]
        if not np.isfinite(matrix).all():
            raise ValueError(self._explain(numbers))
        if labels is None:
            return matrix, np.empty(0)
        text = np.char.strip(np.asarray(columns[self.names.index(labels)], dtype=str))
        if (text == "").any():
            raise ValueError(self._explain((), labels))
        return matrix, _integers_if_all_are(text)

    def _parse(self, numbers: set[str]) -> list[NDArray[Any]]:
        """Read all columns, as float64 or as text.

        Unused columns are read too, so that a row with too many commas is noticed.
        """
        try:
            import pandas
        except ImportError:
            kinds = [(str(j), "f8" if name in numbers else "O") for j, name in self._numbered()]
            rows = np.loadtxt(
                self.path,
                dtype=kinds,
                delimiter=self.delimiter,
                quotechar='"',
                comments=None,
                skiprows=self.header_ends,
                encoding="utf-8-sig",
                ndmin=1,
            )
            return [rows[field] for field, _ in kinds]
        version = tuple(map(int, pandas.__version__.split(".")[:2]))
        frame = pandas.read_csv(
            self.path,
            dtype={j: "float64" if name in numbers else "str" for j, name in self._numbered()},
            sep=self.delimiter,
            header=None,
            skiprows=self.header_ends,
            encoding="utf-8-sig",
            na_filter=False,
            # needed for all digits before 3.1, and deprecated since then
            **({} if version >= (3, 1) else {"float_precision": "round_trip"}),
        )
        if frame.shape[1] != len(self.names):
            raise ValueError(f"rows have {frame.shape[1]} cells, the header {len(self.names)}")
        return [frame[j].to_numpy() for j, _ in self._numbered()]

    def _numbered(self) -> Iterator[tuple[int, str]]:
        return enumerate(self.names)

    def _explain(self, numbers: Sequence[str], labels: str | None = None) -> str:
        """Return a description of the first invalid cell; slow, so only after a failure."""
        where = [(self.names.index(name), name) for name in numbers]
        with self._open() as file:
            lines = self._lines(file)
            next(lines)
            for line, cells in lines:
                here = f"{self.path}, line {line}"
                if len(cells) != len(self.names):
                    return f"{here}: {len(cells)} cells, but the header has {len(self.names)}"
                for j, name in where:
                    if problem := _problem(cells[j]):
                        return f"{here}, column {name!r}: {problem}"
                if labels is not None and not cells[self.names.index(labels)].strip():
                    return f"{here}, column {labels!r}: the cell is empty"
        return ""

    def _open(self) -> TextIO:
        return self.path.open(newline="", encoding="utf-8-sig", errors="replace")

    def _lines(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the line where a row ends, and its cells, skipping blank lines."""
        reader = csv.reader(file, delimiter=self.delimiter)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error as error:
            raise ValueError(f"{self.path}, line {reader.line_num}: {error}") from error


class NpzTable(Table):
    """A NumPy archive of arrays with m rows each.

    An array (m,) is the column of its name; an array X of shape (m, n) has the columns ``X[0]`` to
    ``X[n-1]``. Numbers keep their dtype.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file, np.load(file) as archive:
                self.arrays: dict[str, NDArray[Any]] = {key: archive[key] for key in archive}
        except (BadZipFile, EOFError, ValueError, AttributeError, TypeError) as error:
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
            return matrix, column.astype(np.int64)
        if column.dtype.kind == "U":
            return matrix, column
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


def _problem(cell: str) -> str:
    """Return why a cell is not a finite number, or "" if it is one."""
    if not cell.strip():
        return "the cell is empty"
    try:
        return "" if math.isfinite(float(cell)) else f"{cell.strip()} is not a finite number"
    except ValueError:
        return f"{cell.strip()!r} is not a number"


def _integers_if_all_are(text: NDArray[np.str_]) -> Labels:
    try:
        integers = text.astype(np.int64)
    except (ValueError, OverflowError):
        return text
    return integers if (integers.astype(str) == text).all() else text
