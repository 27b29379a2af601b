"""The tables of the commands: their options, a matrix of numbers, and a column of class labels."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas

Numbers = NDArray[Any]  # (m, n), of any real dtype, all finite
Labels = NDArray[Any]  # (m,), integers, other numbers, or strings as objects

TABLE_HELP = ".csv and other text with a header line, compressed or not, .parquet or .npz; -: stdin"
FORMAT = ("separator", "encoding", "decimal", "thousands")  # the options of text files
REMEDY = "write numbers there, or leave such columns and rows out of the table"


def add_format_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a table in text is written."""
    group = parser.add_argument_group("format of TABLE, where it is not recognized")
    add = group.add_argument
    add("--separator", metavar="C", help="the character between cells, or 'whitespace'")
    add("--encoding", metavar="NAME", help="encoding of the text, such as cp1252")
    add("--decimal", choices=(".", ","), help="the decimal separator")
    add("--thousands", metavar="C", help="the character between groups of three digits")


def format_options(args: argparse.Namespace) -> dict[str, str | None]:
    """Return the arguments of `read_table` that the options of `add_format_options` give."""
    return {name: getattr(args, name) for name in FORMAT}


@dataclass(frozen=True)
class Table:
    """A file of named columns.

    Attributes
    ----------
    name : str
        Name of the file, for messages.
    frame : pandas.DataFrame
        The table, whose index is the number of each row in the file: of the line in which the row
        begins, the header being line 1, or in Parquet and NPZ files the index from 0.
    """

    name: str
    frame: "pandas.DataFrame"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.frame.columns)

    @property
    def row_numbers(self) -> NDArray[np.int64]:
        """The number of each row in the file."""
        numbers: NDArray[np.int64] = self.frame.index.to_numpy()
        return numbers

    def require(self, name: str) -> None:
        """Raise ValueError if there is no such column."""
        from fastmlp.tabular.reading import require_column

        require_column(name, self.names, self.name)

    def numbers(self, columns: Sequence[str]) -> Numbers:
        """Return columns, by their names, as a matrix.

        Raises
        ------
        ValueError
            If a column is missing, or cells are not finite numbers; the message has their places.
        """
        from fastmlp.tabular.reading.matrix import number_matrix

        known = {*self.names}
        for column in columns:
            if column not in known:
                self.require(column)
        return number_matrix(self.frame, columns, self.name, REMEDY)

    def labels(self, column: str) -> Labels:
        """Return the class labels of a column: integers, or strings as objects.

        Raises
        ------
        ValueError
            If there is no such column, or a row has no label.
        """
        from fastmlp.tabular.reading.matrix import refuse_missing

        self.require(column)
        refuse_missing(self.frame, column, self.name, "give each row a label, or leave it out")
        labels = self.frame[column]
        if labels.dtype.kind in "iu":
            integers: Labels = labels.to_numpy()
            return integers if integers.dtype == np.uint64 else integers.astype(np.int64)
        if labels.dtype.kind == "f":
            values: Labels = labels.to_numpy(np.float64)
            whole = (np.abs(values) < 2**53) & (values == np.rint(values))
            return values.astype(np.int64) if whole.all() else values
        texts: Labels = labels.astype(str).to_numpy(object)
        return texts


def open_table(path: Path, **options: str | None) -> Table:
    """Read a table; `options` are those of `read_table`. Warnings are printed, a line for each."""
    from fastmlp.tabular.reading import read_table
    from fastmlp.tabular.reading.files import display_name

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        frame = read_table(path, **options)
    for warning in caught:
        print(f"fastmlp: warning: {warning.message}", file=sys.stderr)
    return Table(display_name(path), frame)
