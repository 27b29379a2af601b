"""The rows of a table that have a label, and their division into two parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..support.user_warnings import warn_user
from ..tabular.frames import kind_of
from ..tabular.odd_cells import about_odd_cells
from .fingerprint import fingerprint
from .splits import group_values, test_rows, time_values
from .tables import Table
from .targets import Target, read_target

__all__ = ["TEST_FRACTION", "TableRows", "all_but", "columns_given", "divided", "labelled"]

Array = NDArray[Any]

TEST_FRACTION = 0.2  # of the rows, by default
MOST_COLUMNS = 10_000
MOST_REPORTED = 8  # columns with odd cells
REAL = "biuf"  # kinds of dtypes


@dataclass(frozen=True)
class TableRows:
    """Rows of a table with their labels, and what keeps them together."""

    X: pd.DataFrame  # (m, n), whose index are the numbers of the rows in the file
    y: Array  # (m,)
    groups: Array | None = None  # (m,)
    time: Array | None = None  # (m,)

    def __getitem__(self, rows: Any) -> TableRows:
        return TableRows(
            self.X.iloc[rows],
            self.y[rows],
            None if self.groups is None else self.groups[rows],
            None if self.time is None else self.time[rows],
        )

    def __len__(self) -> int:
        return len(self.y)

    def fingerprint(self) -> str:
        """Return a hash of the contents of the rows."""
        cells = pd.util.hash_pandas_object(self.X, index=False).to_numpy()
        labels = pd.util.hash_array(np.asarray(self.y))
        extra = [
            one if one.dtype.kind in REAL else pd.util.hash_array(one)  # such as dates
            for one in (self.groups, self.time)
            if one is not None
        ]
        return fingerprint(cells, labels, *extra)


def labelled(
    table: Table,
    label: str,
    *,
    task: str | None = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
) -> tuple[TableRows, Target]:
    """Return the rows that have a label, and what there is to predict of them.

    Parameters
    ----------
    table : Table
        The table.
    label : str
        The column to predict.
    task : {"classification", "regression"}, optional
        The task.  Default: inferred from the column.
    drop : sequence of str, default ()
        Columns to leave out; ``a,b`` are two unless a column is named so.
    group : str, optional
        The column whose equal entries keep rows together; it is not used to predict.
    time : str, optional
        The column by which rows are ordered in time.

    Raises
    ------
    ValueError
        If both `group` and `time` are given, a column is missing or the table has no use for one.
    """
    if group is not None and time is not None:
        raise ValueError("group and time exclude each other: give one of them")
    for use, name in (("group", group), ("time", time)):
        if name == label:
            raise ValueError(f"{use} {name!r} is the label; name another column")
    columns = input_columns(table, label, drop, group)
    target = read_target(table, label, task)
    groups = None if group is None else group_values(table, group, target.rows)
    moments = None if time is None else time_values(table, time, target.rows)
    X = table.frame[columns].iloc[target.rows]
    for about in list(filter(None, (about_odd_cells(X[name]) for name in X)))[:MOST_REPORTED]:
        warn_user(f"{table.name}: {about}")
    X = with_kinds(X)
    return TableRows(X, target.y, groups, moments), target


def divided(
    rows: TableRows, fraction: float, seed: int, task: str
) -> tuple[TableRows, TableRows]:
    """Return rows for training and rows for a test; see `test_rows`."""
    chosen = test_rows(
        rows.y,
        fraction,
        seed,
        stratify=task == "classification",
        groups=rows.groups,
        time=rows.time,
    )
    return rows[np.setdiff1d(np.arange(len(rows)), chosen)], rows[chosen]


def input_columns(
    table: Table, label: str, drop: Sequence[str], group: str | None
) -> list[str]:
    """Return the names of the features: all columns but the label, the group and `drop`."""
    left_out = {label, *columns_given(table, drop)}
    if group is not None:
        left_out.add(group)
    columns = [name for name in table.names if name not in left_out]
    if "" in columns:
        raise ValueError(f"{table.name}: a column has no name; name it, or leave it out: --drop ''")
    if not columns:
        raise ValueError(f"{table.name}: there is no column but the label")
    if len(columns) > MOST_COLUMNS:
        raise ValueError(
            f"{table.name} has {len(columns):,} columns to predict from, more than "
            f"{MOST_COLUMNS:,}; leave some out by --drop, or train fastmlp.sklearn's estimators, "
            f"which take a sparse matrix of any width"
        )
    return columns


def columns_given(table: Table, given: Sequence[str]) -> list[str]:
    """Return the columns that are given by name: ``a,b`` are two unless a column is named so."""
    found: list[str] = []
    for text in given:
        names = named(table.names, [text])
        for name in names:
            table.require(name)
        found += names
    return found


def named(names: Sequence[str], given: Sequence[str]) -> list[str]:
    """Return the columns that are given: ``a,b`` are two unless one of the `names` is so."""
    return [
        one
        for text in given
        for one in ([text] if text in names else [part.strip() for part in text.split(",")])
    ]


def all_but(drop: Sequence[str]) -> Callable[[Sequence[str]], set[str]]:
    """Return the function from the names of all columns to those that are not left out."""
    return lambda names: {*names} - {*named(names, drop)}


def with_kinds(X: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose categories are marked as such.

    A column of numbers with a single text is a category of the whole table, and would be one of
    numbers in a training set without that row.
    """
    texts = [name for name in X if X[name].dtype == object or X[name].dtype == "str"]
    return X.astype({name: "category" for name in texts if kind_of(X[name]) == "category"})
