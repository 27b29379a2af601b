"""The label column of a table: which task it poses, and what there is to predict."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..tabular.frames import factorized, is_blank
from ..tabular.levels import known_codes, text, written_alike
from ..tabular.precision import ADVICE, blurred
from ..tabular.reading.matrix import number_matrix
from .tables import Table

__all__ = [
    "OF_TEXT", "Target", "as_classes", "as_values", "like_training", "present", "read_target",
]  # fmt: skip

Array = NDArray[Any]

OF_TIME = (datetime.date, datetime.time, datetime.timedelta)
OF_TEXT = "it holds text"  # reason for a classification, which no other task can replace
MOST_CLASSES = 20  # whole numbers that are taken for classes
LARGEST = 1e150  # value to predict
FEWEST_ROWS = 5  # of a class, on average, where whole numbers are taken for classes


class Target(NamedTuple):
    """What there is to predict."""

    task: str  # "classification" or "regression"
    reason: str  # why, for the user
    y: Array  # (n,) labels or values of the rows that have one
    rows: NDArray[np.intp]  # (n,) positions of these rows in the table


def read_target(table: Table, label: str, task: str | None) -> Target:
    """Return what the column `label` has to predict.

    Parameters
    ----------
    table : Table
        The table.
    label : str
        Name of the column.
    task : {"classification", "regression"} or None
        The task; None: inferred from the column.

    Raises
    ------
    ValueError
        If there is no such column, or it poses no task: a single class or value, a class of its
        own in each row, or a value to predict that is not a finite number.
    """
    table.require(label)
    column = table.frame[label]
    place = f"{table.name}: column {label!r}"
    rows = np.flatnonzero(present(column))
    if len(rows) == 0:
        raise ValueError(f"{place} is empty in all rows; give each row a label")
    column = column.iloc[rows]
    if column.dtype.kind in "mM" or all(isinstance(cell, OF_TIME) for cell in column):
        raise ValueError(
            f"{place} holds dates or times; to predict them, write them as numbers, such as days"
        )
    reason = "as --task says"
    if task is None:
        task, reason = inferred(column)
    if task == "classification":
        y = as_classes(column)
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(
                f"{place} is {classes[0]} in all rows; a classifier needs at least two classes"
            )
        if len(classes) == len(y) > 2:
            remedy = (
                "to predict numbers give --task regression"
                if _are_numbers(table, label, rows)
                else "such names of rows cannot be predicted, so give another column"
            )
            raise ValueError(f"{place} has a class of its own in each row; {remedy}")
    else:
        remedy = "correct these cells"
        if column.nunique() < len(column):
            remedy += ", or to predict classes give --task classification"
        y = as_values(table, label, rows, remedy)
        if blurred(column):
            raise ValueError(f"{place} has numbers that are too close to each other: {ADVICE}")
        if np.ptp(y) == 0 and len(y) > 1:
            raise ValueError(f"{place} is {y[0]:g} in all rows; there is nothing to predict")
        if (greatest := np.abs(y).max()) > LARGEST:
            raise ValueError(
                f"{place} has values up to {greatest:.3g}, whose squares float64 cannot hold; "
                f"divide them by a common factor"
            )
    return Target(task, reason, y, rows)


def present(column: pd.Series) -> NDArray[np.bool_]:
    """Return which cells are not missing; a text of spaces alone is missing."""
    if not holds_texts(column):
        known: NDArray[np.bool_] = column.notna().to_numpy()
        return known
    codes, cells = factorized(column)
    return ~np.array([*map(is_blank, cells), True], bool)[codes]  # the last where a cell is missing


def holds_texts(column: pd.Series) -> bool:
    """Whether a column is of text, of categories or of objects."""
    dtype = column.dtype
    return (
        isinstance(dtype, pd.CategoricalDtype)
        or pd.api.types.is_object_dtype(dtype)
        or pd.api.types.is_string_dtype(dtype)
    )


def inferred(column: pd.Series) -> tuple[str, str]:
    """Return the task of a column without missing cells, and the reason."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return "classification", "it holds True and False"
    if holds_texts(column):
        return "classification", OF_TEXT
    values = column.to_numpy(np.float64)
    n = column.nunique()
    if not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        return "regression", "it holds numbers with fractions"
    if n == 2 or (n <= MOST_CLASSES and len(values) >= FEWEST_ROWS * n):
        return "classification", f"it holds {n} different whole numbers"
    return "regression", f"it holds {n:,} different numbers in {len(values):,} rows"


def as_classes(column: pd.Series) -> Array:
    """Return the labels of a column without missing cells: booleans, integers or text."""
    dtype = column.dtype
    if pd.api.types.infer_dtype(column) == "boolean":  # perhaps as objects, beside missing cells
        labels: Array = column.to_numpy(np.bool_)
        return labels
    if pd.api.types.is_integer_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        whole: Array = column.to_numpy(np.uint64 if str(dtype).lower() == "uint64" else np.int64)
        return whole
    if pd.api.types.is_float_dtype(dtype):
        values = column.to_numpy(np.float64)
        if (np.abs(values) < 2**53).all() and (values == np.rint(values)).all():
            integers: Array = values.astype(np.int64)
            return integers
    codes, levels = pd.factorize(column)
    texts = np.empty(len(levels), object)
    texts[:] = written_alike(map(text, levels))
    result: Array = texts[codes]
    return result


def as_values(
    table: Table, label: str, rows: NDArray[np.intp], remedy: str = "correct these cells"
) -> NDArray[np.float64]:
    """Return the values of some rows of the column `label`; an error tells the remedy."""
    chosen = table.frame[[label]].iloc[rows]
    return number_matrix(chosen, [label], table.name, remedy)[:, 0].astype(np.float64)


def _are_numbers(table: Table, label: str, rows: NDArray[np.intp]) -> bool:
    """Return whether the column `label` holds values of a regression in some rows."""
    try:
        as_values(table, label, rows)
    except ValueError:
        return False
    return True


def like_training(labels: Array, classes: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return labels as the classes of a model, and which of them are one, whatever their form.

    Labels of a class that the model does not know are its first class.
    """
    found = known_codes(pd.Series(labels), tuple(map(text, classes)))
    return classes[np.maximum(found, 0)], found >= 0
