"""Predictions of a model of a table, and what a table lacks for them."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fastmlp.experiments.table_models import TableModel
from fastmlp.experiments.table_rows import columns_given
from fastmlp.experiments.tables import Table
from fastmlp.support.user_warnings import warn_user
from fastmlp.tabular import TabularClassifier, TabularRegressor
from fastmlp.tabular.columns import TableEncoder
from fastmlp.tabular.levels import known_codes, texts

from .table_data import features_of, open_for

Columns = dict[str, NDArray[Any]]

MOST_SHOWN = 3  # levels that a line quotes


def table_predictions(model: TableModel, args: argparse.Namespace) -> Columns:
    """Return the columns of the output of fastmlp predict."""
    if args.proba and not isinstance(model, TabularClassifier):
        raise ValueError(f"--proba is for a classification; {args.model} predicts numbers")
    if args.interval is not None and not isinstance(model, TabularRegressor):
        raise ValueError(f"--interval is for a regression; {args.model} predicts classes")
    table = open_for(model, args, args.table)
    found: Columns = {}
    for name in columns_given(table, args.id or ()):
        found[name] = written_cells(table.frame[name])
    X = features_of(table, model)
    warn_of_unknown(table, model, X)
    label = name_of_prediction(model, args.model)
    if label in found:
        label = f"predicted {label}"
    with as_input(table):
        if isinstance(model, TabularClassifier):
            p = model.predict_proba(X)
            found[label] = model.classes_[p.argmax(axis=1)]
            if args.proba:
                for one, column in zip(model.classes_, p.T, strict=True):
                    found[f"P({one})"] = column
        else:
            found[label] = model.predict(X)
            if args.interval is not None:
                low, high = model.predict_interval(X, args.interval).T
                found |= {f"{label}_lower": low, f"{label}_upper": high}
    return found


@contextmanager
def as_input(table: Table) -> Iterator[None]:
    """Let errors about cells begin with the name of the file; `warn_of_unknown` tells of levels."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is a level of the training set")
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{table.name}: {error}") from None


def name_of_prediction(model: TableModel, path: Path) -> str:
    """Return the name of what a model predicts."""
    label = model.metadata_.get("label", "prediction")
    if not isinstance(label, str):
        raise ValueError(f"{path}: 'label' of its metadata must be a name")
    return label


def written_cells(column: pd.Series) -> NDArray[Any]:
    """Return a column as it is written to the output; missing cells are empty."""
    if column.dtype.kind in "iub":
        cells: NDArray[Any] = column.to_numpy()
        return cells
    values = column.astype(object).where(column.notna(), "")
    if column.dtype.kind == "f":
        whole = column.dropna()
        if (whole == np.rint(whole)).all() and (whole.abs() < 2**53).all():
            values = values.map(lambda cell: cell if cell == "" else int(cell))
    result: NDArray[Any] = values.to_numpy(object)
    return result


def unknown_levels(encoder: TableEncoder, X: pd.DataFrame) -> dict[str, tuple[int, list[str]]]:
    """Return the categories with levels that the model does not know.

    Returns
    -------
    dict
        For each such column the number of rows, and the levels.
    """
    found = {}
    for category in encoder.categories:
        if category.part:  # of a date
            continue
        column = X[category.source]
        codes, levels = texts(column)
        unknown = codes[known_codes(column, category.levels) < 0]
        unknown = unknown[unknown >= 0]
        if len(unknown):
            found[category.source] = (len(unknown), [levels[i] for i in np.unique(unknown)])
    return found


def warn_of_unknown(table: Table, model: TableModel, X: pd.DataFrame) -> None:
    """Warn of each column with categories that the model does not know."""
    by_value = model.by_value_
    if by_value is not None:
        rows = by_value.shared_rows(X)
        if rows:
            warn_user(
                f"{table.name}: {rows:,} of {len(X):,} rows are predicted by the shared model: "
                f"their values of {by_value.column!r} have no model of their own"
            )
    for name, (n, levels) in unknown_levels(model.encoder_, X).items():
        if by_value is not None and name == by_value.column:
            continue
        shown = ", ".join(map(repr, levels[:MOST_SHOWN])) + (", …" * (len(levels) > MOST_SHOWN))
        warn_user(
            f"{table.name}: column {name!r} has categories in {n:,} of {len(X):,} rows that the "
            f"model does not know ({shown}); they count as missing"
        )
