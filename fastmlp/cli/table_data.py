"""The rows of a table that a model is trained and tested on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fastmlp.experiments.table_rows import (
    TEST_FRACTION,
    TableRows,
    all_but,
    divided,
    labelled,
)
from fastmlp.experiments.tables import Table
from fastmlp.experiments.targets import Target, as_classes, as_values, like_training, present
from fastmlp.support.text import quoted, some_of
from fastmlp.tabular.reading import in_question, near_column

from .tables import Levels, format_options, open_table

Array = NDArray[Any]

FAR = 0.5  # of the fraction: a test set of groups that misses it by more is reported
MOST_KNOWN = 0.1  # of a test set: rows of the training set, beyond chance, that are not reported
MOST_SHOWN = 8  # names in a message


@dataclass(frozen=True)
class TableData:
    """A table with a label, divided into training set and test set."""

    name: str  # of the file, for messages
    label: str
    task: str
    reason: str  # why this is the task
    training: TableRows
    test: TableRows | None
    n_rows: int  # of the table
    n_unlabelled: int  # rows without a label, which are left out
    split: str  # how the test set was chosen, for the user
    notes: tuple[str, ...]  # what the user should know of the test set
    decimal: str | None  # the decimal separator of a text, if it is known


def read_data(args: argparse.Namespace) -> TableData:
    """Return the data of a command: its table, label, task, columns and test set.

    Raises
    ------
    ValueError
        If options contradict each other, or the table does not fit them.
    """
    if args.test is not None and args.test_fraction is not None:
        raise ValueError("--test-fraction is for tables without --test FILE; give one of them")
    used = all_but(args.drop or ())
    table = open_table(args.table, format_options(args), used, label=args.label)
    whole, target = labelled(
        table,
        args.label,
        task=args.task,
        drop=args.drop or (),
        group=args.group,
        time=args.time,
    )
    notes: list[str] = []
    test: TableRows | None
    if args.test is not None:
        training, test = whole, _test_table(args, whole, target, notes)
        split = f"the rows of {args.test}"
    else:
        fraction = TEST_FRACTION if args.test_fraction is None else args.test_fraction
        training, test, split = _divided(args, whole, target.task, fraction, notes)
    if len(training) < 2:
        raise ValueError(
            f"{table.name}: {len(training)} rows with a label are too few; a model needs at least 2"
        )
    if test is not None and target.task == "classification":
        test = _of_known_classes(test, np.unique(training.y), notes)
    if test is not None and args.test is not None:
        _note_known_rows(training, test, notes)
    return TableData(
        table.name, args.label, target.task, target.reason, training, test, len(table.frame),
        len(table.frame) - len(whole), split, tuple(notes), table.frame.attrs.get("decimal"),
    )  # fmt: skip


def _divided(
    args: argparse.Namespace, whole: TableRows, task: str, fraction: float, notes: list[str]
) -> tuple[TableRows, TableRows | None, str]:
    if fraction == 0:
        return whole, None, "--test-fraction 0"
    training, test = divided(whole, fraction, args.seed, task)
    if whole.time is not None:
        split = f"the latest by {args.time}"
    elif whole.groups is not None:
        split = f"whole groups of {args.group}, chosen at random"
        if abs(len(test) - fraction * len(whole)) > FAR * fraction * len(whole):
            notes.append(
                f"the groups of {args.group!r} do not allow {fraction:.0%} of the rows for the "
                f"test: it has {len(test) / len(whole):.0%}"
            )
    else:
        split = "chosen at random" + (", stratified" if task == "classification" else "")
    return training, test, split


def _test_table(
    args: argparse.Namespace, whole: TableRows, target: Target, notes: list[str]
) -> TableRows:
    """Return the rows of ``--test FILE`` that have a label."""
    levels: Levels = {name: text_levels(column) for name, column in whole.X.items()} | {
        args.label: text_levels(whole.y)
    }
    likely = whole.X.attrs.get("decimal")
    table = open_table(
        args.test, format_options(args), [*whole.X, args.label], levels, likely_decimal=likely
    )
    columns = list(whole.X)
    require_all(table, [*columns, args.label])
    found = read_target_of_test(table, args.label, target.task)
    missing = len(table.frame) - len(found.y)
    if missing:
        notes.append(f"{missing:,} rows of {args.test} have no label and are left out")
    return TableRows(table.frame[columns].iloc[found.rows], found.y)


def text_levels(cells: Any) -> set[str]:
    """Return the different texts in a column or an array."""
    cells = pd.Series(cells)
    if cells.dtype == "category":
        cells = cells.cat.categories.to_series()
    return {cell for cell in cells.unique() if isinstance(cell, str)}


def read_target_of_test(table: Table, label: str, task: str) -> Target:
    """Return labels or values of rows to evaluate a model on, of which one is enough."""
    table.require(label)
    column = table.frame[label]
    rows = np.flatnonzero(present(column))
    if len(rows) == 0:
        raise ValueError(f"{table.name}: column {label!r} is empty in all rows")
    if task == "classification":
        return Target(task, "", as_classes(column.iloc[rows]), rows)
    return Target(task, "", as_values(table, label, rows), rows)


def _of_known_classes(test: TableRows, classes: Array, notes: list[str]) -> TableRows | None:
    """Return the rows whose class is in the training set, with its labels."""
    labels, known = like_training(test.y, classes)
    if not known.all():
        notes.append(
            f"{np.sum(~known):,} test rows have classes that the training set lacks, such as "
            f"{quoted(test.y[~known][0])}; they are left out of the scores"
        )
    if not known.any():
        raise ValueError(
            f"no row of the test set has a class of the training set: {no_class(test.y, classes)}"
        )
    return TableRows(test.X, labels, test.groups, test.time)[np.flatnonzero(known)]


def _note_known_rows(training: TableRows, test: TableRows, notes: list[str]) -> None:
    """Note that rows of a test set are rows of the training set too.

    In a table of few different rows, such as of three booleans, new rows also equal known ones, as
    often as rows of the training set equal each other; more of them were taken from it.
    """
    both = pd.concat([training.X, test.X], ignore_index=True)
    both.columns = pd.RangeIndex(both.shape[1])
    both[both.shape[1]] = np.concatenate([training.y, test.y])
    rows = pd.util.hash_pandas_object(both, index=False).to_numpy()
    own, others = rows[: len(training)], rows[len(training) :]
    known = np.isin(others, own)
    _, place, counts = np.unique(own, return_inverse=True, return_counts=True)
    if known.mean() > (counts[place] > 1).mean() + MOST_KNOWN:
        notes.append(
            f"{known.sum():,} of the {len(test):,} test rows are rows of the training set too: the "
            f"scores say little about new rows"
        )


def no_class(labels: Array, classes: Array) -> str:
    """Return labels of which none is a class, beside the classes."""
    found, known = (
        ", ".join([*map(quoted, some[:MOST_SHOWN]), *["…"] * (len(some) > MOST_SHOWN)])
        for some in (pd.unique(labels), classes)
    )
    return f"the labels are {found}, the classes {known}"


def require_all(table: Table, columns: Sequence[str]) -> None:
    """Raise ValueError that names all columns which a table lacks, with near names."""
    known = {*table.names}
    missing = [name for name in columns if name not in known]
    if not missing:
        return
    near = {name: near_column(name, table.names) for name in missing[:MOST_SHOWN]}
    if len(missing) == 1 and near[missing[0]] is None:
        table.require(missing[0])
    shown = [
        repr(name) + ("" if other is None else f" (is it {in_question(other, name)}?)")
        for name, other in near.items()
    ]
    what = "a column is" if len(missing) == 1 else f"{len(missing):,} columns are"
    raise ValueError(f"{table.name}: {what} missing: {some_of(shown, len(missing))}")
