"""A file of named columns: a matrix of numbers, and places for messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas

__all__ = ["Table"]

Numbers = NDArray[Any]  # (m, n), of any real dtype, all finite

REMEDY = "write numbers there, or leave such columns and rows out of the table"


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
    frame: pandas.DataFrame

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
        from ..tabular.reading import require_column

        require_column(name, self.names, self.name)

    def numbers(self, columns: Sequence[str]) -> Numbers:
        """Return columns, by their names, as a matrix.

        Raises
        ------
        ValueError
            If a column is missing, or cells are not finite numbers; the message has their places.
        """
        from ..tabular.reading.matrix import number_matrix

        known = {*self.names}
        for column in columns:
            if column not in known:
                self.require(column)
        return number_matrix(self.frame, columns, self.name, REMEDY)
