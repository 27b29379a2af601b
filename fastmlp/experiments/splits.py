"""Which rows of a table are its test set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.split import hold_out
from ..support import checks
from ..support.text import quoted
from ..tabular.folds import free_rows
from ..tabular.precision import sortable
from .tables import Table
from .targets import present

__all__ = ["group_values", "test_rows", "time_values"]

Array = NDArray[Any]
Rows = NDArray[np.intp]

FEWEST_ROWS = 5  # of a table that is divided


def test_rows(
    y: Array, fraction: float, seed: int, *, stratify: bool, groups: Array | None = None,
    time: Array | None = None,
) -> Rows:
    """Return the rows of the test set, in ascending order.

    Parameters
    ----------
    y : ndarray (m,)
        Labels or values.
    fraction : float
        Fraction of the rows, in (0, 1).
    seed : int
        Seed of the choice.
    stratify : bool
        Whether each class of y has the same fraction in the test set.  A class keeps at least one
        row in the training set.
    groups : ndarray (m,), optional
        Rows with equal entries stay together; a group with more than half of the rows is not in
        the test set.
    time : ndarray (m,), optional
        The latest rows are the test set.

    Raises
    ------
    ValueError
        If there are too few rows or groups.
    """
    m = len(y)
    if m < FEWEST_ROWS:
        raise ValueError(
            f"{m} rows with a label are too few to set some aside for the test: give more rows, "
            f"or train on all of them by --test-fraction 0"
        )
    rng = np.random.default_rng(seed)
    if time is not None:
        n = min(max(1, round(fraction * m)), m - 2)
        return np.sort(np.argsort(time, kind="stable")[-n:])
    if groups is not None:
        return _of_groups(groups, fraction, rng)
    if stratify:
        return _of_classes(y, fraction, rng)
    return np.sort(hold_out(m, fraction, rng)[1])


def _of_classes(y: Array, fraction: float, rng: np.random.Generator) -> Rows:
    """Return a random part of each class; rounding errors cancel out over the classes."""
    chosen = []
    carried = 0.5
    _, codes = np.unique(y, return_inverse=True)
    for k in rng.permutation(codes.max() + 1):
        rows = rng.permutation(np.flatnonzero(codes == k))
        wanted = fraction * len(rows) + carried
        n = min(int(wanted), len(rows) - 1)
        carried = min(wanted - n, 1.0)
        chosen.append(rows[:n])
    found: Rows = np.sort(np.concatenate(chosen))
    if len(found) == 0:  # a row of the largest class
        largest = np.flatnonzero(codes == np.bincount(codes).argmax())
        found = largest[:1]
    return found


def _of_groups(groups: Array, fraction: float, rng: np.random.Generator) -> Rows:
    """Return the rows of random groups that together come closest to the fraction."""
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        raise ValueError("group: all rows have the same entry; the test set needs its own groups")
    free, share = free_rows(groups, fraction)
    wanted = share * free.sum()
    order = rng.permutation(len(counts))
    order = order[np.argsort(np.maximum(counts[order], wanted), kind="stable")]  # large ones last
    sums = np.cumsum(counts[order])[:-1]  # at least one group is left for training
    n = int(np.argmin(np.abs(sums - wanted))) + 1
    return np.flatnonzero(np.isin(codes, order[:n]))


def group_values(table: Table, name: str, rows: Rows) -> Array:
    """Return an entry for each of some rows by which they stay together."""
    column = _whole(table, name, "group", rows)
    codes, _ = pd.factorize(column)
    result: Array = codes
    return result


def time_values(table: Table, name: str, rows: Rows) -> Array:
    """Return the moments of some rows, as numbers or dates."""
    column = _whole(table, name, "time", rows)
    with checks.within(f"{table.name}: time"):
        moments = sortable(column)
    if moments is None:
        raise ValueError(
            f"{table.name}: time: column {name!r} holds text, such as "
            f"{quoted(column.iloc[0])}; it needs numbers, or dates such as 2024-12-31"
        )
    return moments


def _whole(table: Table, name: str, use: str, rows: Rows) -> pd.Series:
    """Return some rows of a column, which has no missing cells there."""
    table.require(name)
    column = table.frame[name].iloc[rows]
    missing = np.flatnonzero(~present(column))
    if len(missing):
        unit = "line" if table.frame.index.name == "line" else "row"
        raise ValueError(
            f"{table.name}: {use}: column {name!r} is missing in {len(missing):,} rows, first "
            f"in {unit} {column.index[missing[0]]}; fill it in, or leave out these rows"
        )
    return column
