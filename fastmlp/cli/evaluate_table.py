"""Scores of a model of a table on other rows."""

from __future__ import annotations

import argparse

from fastmlp.experiments.table_models import TableModel, task_of
from fastmlp.support.text import printable

from .baselines import Scores, model_scores, score_lines
from .model_tables import as_input, labelled_rows, open_for


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
