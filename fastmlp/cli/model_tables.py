"""Tables whose rows a fitted model predicts: columns that it uses, labels, and unknown values."""

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

from fastmlp.experiments.table_models import TableModel, task_of
from fastmlp.experiments.tables import Table
from fastmlp.experiments.targets import like_training
from fastmlp.support.text import quoted
from fastmlp.support.user_warnings import warn_user
from fastmlp.tabular import TabularClassifier
from fastmlp.tabular.columns import TableEncoder
from fastmlp.tabular.levels import known_codes, texts

from .table_data import no_class, read_target_of_test, require_all, text_levels
from .tables import format_options, open_table

MOST_SHOWN = 3  # levels that a line quotes


def open_for(model: Any, args: argparse.Namespace, path: Path) -> Table:
    """Return a table to predict from, and report how numbers are read that the model uses.

    Cells that are levels of the model are text, as in training, and columns of ``--id`` that it
    does not use are as they are written.
    """
    kinds = model._reader().kinds
    used = [name for name, kind in kinds.items() if kind == "number"]
    levels: dict[str, set[str] | None] = {**levels_of(model)}
    label = getattr(args, "label", None) or model.metadata_.get("label")
    if isinstance(label, str):
        levels[label] = text_levels(getattr(model, "classes_", ()))
    for text in getattr(args, "id", None) or ():
        for name in (text, *map(str.strip, text.split(","))):  # of which some are columns
            if name not in kinds:
                levels[name] = None
    likely = model.metadata_.get("decimal")
    if likely not in (None, ".", ","):
        raise ValueError(f"{args.model}: 'decimal' of its metadata must be a point or a comma")
    return open_table(path, format_options(args), used, levels, likely_decimal=likely)


def features_of(table: Table, model: Any) -> pd.DataFrame:
    """Return the columns of a model in its order, by name.

    A column that the model does not use may be missing.
    """
    names = [str(name) for name in getattr(model, "feature_names_in_", [])]
    if not names:  # trained on an array
        names = [f"x{i}" for i in range(model.n_features_in_)]
    require_all(table, list(model._reader().kinds))
    known = {*table.names}
    if all(name in known for name in names):
        return table.frame[names]
    frame: pd.DataFrame = table.frame.reindex(columns=names)
    return frame


def levels_of(model: Any) -> dict[str, set[str]]:
    """Return the levels of the categories that a model knows, by columns."""
    by_value = model.by_value_
    models = [model]
    levels: dict[str, set[str]] = {}
    if by_value is not None:
        models = [by_value.shared, *by_value.models.values()]
        levels[by_value.column] = {*by_value.models, *by_value.reasons}
    for encoder in (model.encoder_ for model in models):
        for category in encoder.categories:
            if not category.part:  # a part is one of a date
                levels.setdefault(category.source, set()).update(category.levels)
    return levels


def name_of_prediction(model: TableModel, path: Path) -> str:
    """Return the name of what a model predicts."""
    label = model.metadata_.get("label", "prediction")
    if not isinstance(label, str):
        raise ValueError(f"{path}: 'label' of its metadata must be a name")
    return label


def labelled_rows(
    model: TableModel, table: Table, args: argparse.Namespace
) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Return the rows of a table that have a label which the model knows, and these labels."""
    label = name_of_prediction(model, args.model) if args.label is None else args.label
    if args.label is None and "label" not in model.metadata_:
        raise ValueError(f"{args.model} was saved from Python, without the name of its label; "
                         f"give --label COLUMN")
    target = read_target_of_test(table, label, task_of(model))
    X, y = features_of(table, model).iloc[target.rows], target.y
    notes = []
    if len(y) < len(table.frame):
        notes.append(f"{len(table.frame) - len(y):,} rows have no label and are left out")
    if isinstance(model, TabularClassifier):
        y, known = like_training(y, model.classes_)
        if not known.all():
            unknown = target.y[~known]
            notes.append(f"{len(unknown):,} rows have classes that the model does not know, such "
                         f"as {quoted(unknown[0])}; they are left out")
            if not known.any():
                raise ValueError(f"{table.name}: no row has a class that the model knows: "
                                 f"{no_class(unknown, model.classes_)}")
            X, y = X.iloc[np.flatnonzero(known)], y[known]
    for note in notes:
        warn_user(f"{table.name}: {note}")
    warn_of_unknown(table, model, X)
    return X, y


@contextmanager
def as_input(table: Table) -> Iterator[None]:
    """Let errors about cells begin with the name of the file; `warn_of_unknown` tells of levels."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is a level of the training set")
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{table.name}: {error}") from None


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
