"""The rows of a table that a model is trained and tested on."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fastmlp.tabular.frames import kind_of

from .splits import group_values, test_rows, time_values
from .tables import Table, format_options, open_table
from .targets import Target, as_classes, as_values, like_training, present, read_target

Array = NDArray[Any]

TEST_FRACTION = 0.2
FAR = 0.5  # of the fraction: a test set of groups that misses it by more is reported
MOST_COLUMNS = 10_000
MOST_SHOWN = 8  # names in a message


@dataclass(frozen=True)
class Part:
    """Rows of a table: the training set or the test set."""

    X: pd.DataFrame  # (m, n), whose index are the numbers of the rows in the file
    y: Array  # (m,)
    groups: Array | None = None  # (m,)
    time: Array | None = None  # (m,)

    def __getitem__(self, rows: Any) -> Part:
        return Part(
            self.X.iloc[rows],
            self.y[rows],
            None if self.groups is None else self.groups[rows],
            None if self.time is None else self.time[rows],
        )

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class TableData:
    """A table with a label, divided into training set and test set."""

    name: str  # of the file, for messages
    label: str
    task: str
    reason: str  # why this is the task
    training: Part
    test: Part | None
    n_rows: int  # of the table
    n_unlabelled: int  # rows without a label, which are left out
    split: str  # how the test set was chosen, for the user
    notes: tuple[str, ...]  # what the user should know of the test set


def read_data(args: argparse.Namespace) -> TableData:
    """Return the data of a command: its table, label, task, columns and test set.

    Raises
    ------
    ValueError
        If options contradict each other, or the table does not fit them.
    """
    if args.group is not None and args.time is not None:
        raise ValueError("--group and --time exclude each other: give one of them")
    if args.test is not None and args.test_fraction is not None:
        raise ValueError("--test-fraction is for tables without --test FILE; give one of them")
    table = open_table(args.table, **format_options(args))
    columns = input_columns(table, args)
    target = read_target(table, args.label, args.task)
    groups = None if args.group is None else group_values(table, args.group)[target.rows]
    time = None if args.time is None else time_values(table, args.time)[target.rows]
    X = with_kinds(table.frame[columns].iloc[target.rows])
    whole = Part(X, target.y, groups, time)
    notes: list[str] = []
    test: Part | None
    if args.test is not None:
        training, test = whole, _test_table(args, columns, target, notes)
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
    return TableData(
        table.name, args.label, target.task, target.reason, training, test, len(table.frame),
        len(table.frame) - len(whole), split, tuple(notes),
    )  # fmt: skip


def _divided(
    args: argparse.Namespace, whole: Part, task: str, fraction: float, notes: list[str]
) -> tuple[Part, Part | None, str]:
    if fraction == 0:
        return whole, None, "--test-fraction 0"
    chosen = test_rows(
        whole.y,
        fraction,
        args.seed,
        stratify=task == "classification",
        groups=whole.groups,
        time=whole.time,
    )
    if whole.time is not None:
        split = f"the latest by {args.time}"
    elif whole.groups is not None:
        split = f"whole groups of {args.group}, chosen at random"
        if abs(len(chosen) - fraction * len(whole)) > FAR * fraction * len(whole):
            notes.append(
                f"the groups of {args.group!r} do not allow {fraction:.0%} of the rows for the "
                f"test: it has {len(chosen) / len(whole):.0%}"
            )
    else:
        split = "chosen at random" + (", stratified" if task == "classification" else "")
    return whole[np.setdiff1d(np.arange(len(whole)), chosen)], whole[chosen], split


def _test_table(
    args: argparse.Namespace, columns: Sequence[str], target: Target, notes: list[str]
) -> Part:
    """Return the rows of ``--test FILE`` that have a label."""
    table = open_table(args.test, **format_options(args))
    require_all(table, [*columns, args.label])
    found = read_target_of_test(table, args.label, target.task)
    missing = len(table.frame) - len(found.y)
    if missing:
        notes.append(f"{missing:,} rows of {args.test} have no label and are left out")
    return Part(table.frame[list(columns)].iloc[found.rows], found.y)


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


def _of_known_classes(test: Part, classes: Array, notes: list[str]) -> Part | None:
    """Return the rows whose class is in the training set, with its labels."""
    labels, known = like_training(test.y, classes)
    if not known.all():
        notes.append(
            f"{np.sum(~known):,} test rows have classes that the training set lacks, such as "
            f"{test.y[~known][0]!r}; they are left out of the scores"
        )
    if not known.any():
        raise ValueError("no row of the test set has a class of the training set")
    return Part(test.X, labels, test.groups, test.time)[np.flatnonzero(known)]


def input_columns(table: Table, args: argparse.Namespace) -> list[str]:
    """Return the names of the features: all columns but the label, the group and ``--drop``."""
    left_out = {args.label, *dropped(table, args.drop or [])}
    if args.group is not None:
        left_out.add(args.group)
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


def dropped(table: Table, given: Sequence[str]) -> list[str]:
    """Return the columns that ``--drop`` names: ``a,b`` are two unless a column is named so."""
    found: list[str] = []
    for text in given:
        names = [text] if text in table.names else [part.strip() for part in text.split(",")]
        for name in names:
            table.require(name)
        found += names
    return found


def require_all(table: Table, columns: Sequence[str]) -> None:
    """Raise ValueError that names all columns which a table lacks, with near names."""
    known = {*table.names}
    missing = [name for name in columns if name not in known]
    if not missing:
        return
    if len(missing) == 1 and not _near(missing[0], table.names):
        table.require(missing[0])
    shown = [repr(name) + _near(name, table.names) for name in missing[:MOST_SHOWN]]
    more = f", and {len(missing) - len(shown):,} more" if len(missing) > len(shown) else ""
    what = "a column is" if len(missing) == 1 else f"{len(missing):,} columns are"
    raise ValueError(f"{table.name}: {what} missing: {', '.join(shown)}{more}")


def _near(name: str, names: Sequence[str]) -> str:
    """Return a question for the column that may be meant, whatever its case; empty if none is."""
    lower = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    return f" (is it {lower[close[0]]!r}?)" if close else ""


def features_of(table: Table, model: Any) -> pd.DataFrame:
    """Return the columns of a model in its order, by name.

    A column that the model does not use may be missing.
    """
    names = [str(name) for name in getattr(model, "feature_names_in_", [])]
    if not names:  # trained on an array
        names = [f"x{i}" for i in range(model.n_features_in_)]
    used = [name for name in names if name in model.encoder_.kinds]
    require_all(table, used)
    known = {*table.names}
    if all(name in known for name in names):
        return table.frame[names]
    frame: pd.DataFrame = table.frame.reindex(columns=names)
    return frame


def with_kinds(X: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose categories are marked as such.

    A column of numbers with a single text is a category of the whole table, and would be one of
    numbers in a training set without that row.
    """
    texts = [name for name in X if X[name].dtype == object or X[name].dtype == "str"]
    return X.astype({name: "category" for name in texts if kind_of(X[name]) == "category"})
