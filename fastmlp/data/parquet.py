"""Examples in a folder of Parquet files, read piece by piece.

What is read of a file is copied into chunks of CHUNK bytes.  Shuffled, the row groups of all files
come in a random order, and a chunk is filled from MIXED of them at a time: rows that are neighbours
in a file, perhaps all of one class, then are not neighbours in training.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..model.state import ModelState
from ..support import checks
from ..support.extras import imported
from ..support.paths import as_text
from .examples import Examples
from .parquet_files import (
    check_names,
    check_scalars,
    check_types,
    column_of,
    files_of,
    reading,
    values_of,
)

__all__ = ["ParquetFolder", "ParquetRows", "checksum"]

CHUNK = 32 << 20  # bytes of X that are in memory together
MIXED = 8  # row groups that a chunk is filled from at a time, where rows are shuffled

Array = NDArray[Any]


@dataclass(frozen=True)
class RowGroup:
    """Rows that lie together in a file."""

    path: Path
    number: int  # in the file
    first: int  # row of the file
    n_rows: int


class ParquetFolder:
    """Examples in the Parquet files of a folder, for `MLP.fit` and `fastmlp.distributed.fit`.

    The files stay on disk: 32 MiB of X are in memory at a time, and a part of a row group.  Needs
    pyarrow: ``pip install "fastmlp[parquet]"``.

    Parameters
    ----------
    path : path-like
        A folder, of which all files ``*.parquet`` are read, those of its subfolders too, in the
        order of their names; or one file.  Names that begin with ``.`` or ``_`` are left out.
    label : str or list of str
        The column of the targets, or several: then y has a column for each.  Classes are whole
        numbers from 0.
    columns : list of str, optional
        The columns of X, in this order: numbers, booleans, or vectors (lists of a fixed size), of
        which each number becomes a column of X.  Default: all but `label` and `weight`.
    weight : str, optional
        The column of the sample weights.

    Attributes
    ----------
    files : list of Path
        The files.
    columns : tuple of str
        The columns of X, by their names in the files.
    n_features : int
        The number of columns of X: the first size of the network.

    Raises
    ------
    ImportError
        If pyarrow is missing.
    ValueError
        If there is no file, a column is missing or is not of numbers, or the files differ in the
        types of these columns.

    Notes
    -----
    X is uint8 if all its columns are, float32 if float32 holds all their values, and float64
    otherwise.  ``len(folder)`` is the number of rows, which the files' footers tell.

    With ``shuffle=True`` the row groups of all files come in another order in each epoch, a chunk
    has rows of eight of them, and the rows of a chunk are shuffled.  Without, training has the bits
    of training on one array of all rows.

    An empty or non-finite entry ends training with an error that names file, column and row.

    Examples
    --------
    >>> folder = fastmlp.ParquetFolder("clicks", label="bought")  # doctest: +SKIP
    >>> net = fastmlp.MLP((folder.n_features, 64, 2))  # doctest: +SKIP
    >>> history = net.fit(folder, epochs=3)  # doctest: +SKIP
    >>> for X, y in folder:  # doctest: +SKIP
    ...     print(net.cost(X, y))
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        label: str | Sequence[str],
        *,
        columns: Sequence[str] | None = None,
        weight: str | None = None,
    ) -> None:
        labels = [label] if isinstance(label, str) else checks.columns("label", label)
        if columns is not None:
            columns = checks.columns("columns", columns)
        if weight is not None:
            checks.column("weight", weight)
        parquet = imported("pyarrow.parquet", "parquet")
        self.path = Path(as_text(path))
        self.files = files_of(self.path)
        if not labels:
            raise ValueError("label is empty; name the column of the targets")
        others = {*labels} if weight is None else {*labels, weight}
        first: dict[str, Any] = {}
        groups: list[RowGroup] = []
        for file in self.files:
            with reading(file), parquet.ParquetFile(file) as opened:
                types = {field.name: field.type for field in opened.schema_arrow}
                if not first:
                    chosen = [one for one in types if one not in others]
                    if columns is not None:
                        chosen = columns
                    needed = [*chosen, *others]
                    check_names(chosen, others, types)
                    first = {name: types[name] for name in needed}
                check_types(first, types, self.files[0])
                start = 0
                for k in range(opened.metadata.num_row_groups):
                    n = opened.metadata.row_group(k).num_rows
                    if n > 0:
                        groups.append(RowGroup(file, k, start, n))
                    start += n
        with checks.within(str(self.path)):
            self._columns = [column_of(name, first[name]) for name in chosen]
            self._labels = [column_of(name, first[name]) for name in labels]
            self._weight = None if weight is None else column_of(weight, first[weight])
            check_scalars([*self._labels, *([self._weight] if self._weight else [])])
            if not groups:
                raise ValueError("the files have no row")
        self._groups = groups
        self.columns = tuple(chosen)
        self.n_features = sum(one.width for one in self._columns)
        self._dtype = np.result_type(*(one.dtype for one in self._columns))
        if self._dtype != np.uint8:
            self._dtype = np.result_type(self._dtype, np.float32)

    def __repr__(self) -> str:
        return (
            f"ParquetFolder({str(self.path)!r}: {len(self):,} rows, {self.n_features:,} features)"
        )

    def __len__(self) -> int:
        return sum(group.n_rows for group in self._groups)

    @property
    def n_row_groups(self) -> int:
        """The number of row groups with rows, which `part` does not divide."""
        return len(self._groups)

    def part(self, number: int, n_parts: int) -> Self:
        """Return one of `n_parts` parts with about equally many rows, such as a rank's.

        Parameters
        ----------
        number : int
            The part, from 0.
        n_parts : int
            The number of parts.

        Returns
        -------
        ParquetFolder
            The same columns of a part of the row groups, which follow one another.

        Notes
        -----
        A row group is never divided: with fewer row groups than parts, the last parts have no row.
        """
        n_parts = checks.whole("n_parts", n_parts)
        number = checks.whole("number", number, least=0)
        if number >= n_parts:
            raise ValueError(f"number must be below n_parts, {n_parts}, got {number}")
        groups = self._groups
        ends = np.cumsum([group.n_rows for group in groups])
        middles = ends - np.diff(ends, prepend=0) / 2
        cuts = np.searchsorted(middles, ends[-1] * np.arange(n_parts + 1) / n_parts)
        for k in range(1, n_parts):  # no part is empty if there are enough
            cuts[k] = min(max(cuts[k], cuts[k - 1] + 1), len(groups) - n_parts + k)
        if len(groups) < n_parts:
            cuts = np.minimum(np.arange(n_parts + 1), len(groups))
        found = copy(self)
        found._groups = groups[cuts[number] : cuts[number + 1]]
        found.files = sorted({group.path for group in found._groups})
        return found

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        """Yield all rows in chunks (X, y) or (X, y, sample_weight), in order."""
        return self.chunks()

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[tuple[Array, ...]]:
        """Yield all rows in chunks, as training reads them.

        Parameters
        ----------
        rng : numpy.random.Generator, optional
            Its first child chooses the order of the row groups.  Default: the order of the files.

        Yields
        ------
        tuple of array
            X, y and, with a `weight`, the sample weights.
        """
        groups, most = self._groups, 1
        n_rows = max(1, CHUNK // (self.n_features * self._dtype.itemsize))
        if rng is not None:
            order = rng.spawn(1)[0].permutation(len(groups))
            groups, most = [groups[k] for k in order], min(MIXED, len(groups))
        waiting = (self._blocks(group, max(1, n_rows // most)) for group in groups)
        open_groups: list[Iterator[tuple[Array, ...]]] = []
        parts: list[tuple[Array, ...]] = []
        n = turn = 0
        while True:
            while len(open_groups) < most and (one := next(waiting, None)) is not None:
                open_groups.append(one)
            if not open_groups:
                break
            turn %= len(open_groups)
            block = next(open_groups[turn], None)
            if block is None:
                del open_groups[turn]
                continue
            turn += 1
            if n and n + len(block[0]) > n_rows:
                yield joined(parts)
                n = 0
            parts.append(block)
            n += len(block[0])
            del block
        if parts:
            yield joined(parts)

    def _blocks(self, group: RowGroup, n_rows: int) -> Iterator[tuple[Array, ...]]:
        """Yield the rows of a group, up to n_rows at a time."""
        needed = [*self._columns, *self._labels, *([self._weight] if self._weight else [])]
        first, parquet = group.first, imported("pyarrow.parquet", "parquet")
        with (
            reading(group.path),
            parquet.ParquetFile(group.path, buffer_size=1 << 20, pre_buffer=False) as file,
        ):
            require_unchanged(file, group)
            for batch in file.iter_batches(
                n_rows, [group.number], [one.name for one in needed], use_threads=False
            ):
                table = {one.name: values_of(batch, one, first) for one in needed}
                first += batch.num_rows
                X = np.empty((batch.num_rows, self.n_features), self._dtype)
                place = 0
                for one in self._columns:
                    X[:, place : place + one.width] = table[one.name]
                    place += one.width
                y = np.concatenate([table[one.name] for one in self._labels], axis=1)
                found = X, y[:, 0] if len(self._labels) == 1 else y
                yield found if self._weight is None else (*found, table[self._weight.name][:, 0])


def checksum(folder: ParquetFolder) -> int:
    """Return a checksum of the names and rows of the files, by their place in the folder."""
    rows = [
        (group.path.relative_to(folder.path).as_posix(), group.number, group.n_rows)
        for group in folder._groups
    ]
    return zlib.crc32(repr((rows, folder._columns, folder._labels, folder._weight)).encode())


class ParquetRows:
    """The examples of a folder as a network takes them."""

    def __init__(self, state: ModelState, folder: ParquetFolder) -> None:
        if folder.n_features != state.spec.sizes[0]:
            raise ValueError(
                f"{folder.path} has {folder.n_features} features, and the network takes "
                f"{state.spec.sizes[0]}: make it with sizes ({folder.n_features}, …), or name the "
                f"columns of X by columns=[…]"
            )
        self.state, self.folder = state, folder

    def __len__(self) -> int:
        return len(self.folder)

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[Examples]:
        """Yield all rows as the folder does, checked."""
        for chunk in self.folder.chunks(rng):
            with checks.within(str(self.folder.path)):
                examples = Examples.checked(self.state, *chunk, part=True)
            del chunk  # before the next one is read
            yield examples
            del examples


def require_unchanged(file: Any, group: RowGroup) -> None:
    """Refuse an open file that has not the rows that it had when the folder was made."""
    kept = group.number < file.metadata.num_row_groups
    if not kept or file.metadata.row_group(group.number).num_rows != group.n_rows:
        raise ValueError(
            f"row group {group.number} is not of {group.n_rows:,} rows any more: the file has been "
            f"changed; make the ParquetFolder again"
        )


def joined(parts: list[tuple[Array, ...]]) -> tuple[Array, ...]:
    """Return the rows of all parts, one after the other, and empty the list."""
    found = tuple(np.concatenate(one) for one in zip(*parts, strict=True))
    parts.clear()
    return found
