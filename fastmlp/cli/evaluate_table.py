"""Scores of a model of a table on other rows."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fastmlp.experiments.table_models import TableModel, task_of
from fastmlp.experiments.tables import Table
from fastmlp.experiments.targets import like_training
from fastmlp.support.text import printable, quoted
from fastmlp.support.user_warnings import warn_user
from fastmlp.tabular import TabularClassifier

from .baselines import Scores, model_scores, score_lines
from .predict_table import as_input, name_of_prediction, warn_of_unknown
from .table_data import features_of, no_class, open_for, read_target_of_test


def evaluate(model: TableModel, args: argparse.Namespace) -> None:
    """Print the scores of a model on a table."""
    table = open_for(model, args, args.table)
    X, y = labelled_rows(model, table, args)
    with as_input(table):
        scores = model_scores(model, X, y)
    known = dict(model.metadata_.get("card") or {})
    columns: dict[str, Scores] = {"this table": scores}
    if known.get("scores"):
        columns["in training"] = known["scores"]
    columns |= known.get("baselines") or {}
    print(f"scores of {len(y):,} rows of {printable(table.name)}:")
    for line in score_lines(task_of(model), columns):
        print(line)
    if len(columns) > 1:
        n = (known.get("data") or {}).get("test rows")
        print(f"in training and the baselines: of the {n:,} test rows of training"
              if n else "in training: of rows that networks were not trained on")


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
