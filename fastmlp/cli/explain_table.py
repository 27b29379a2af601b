"""Importances and partial dependence of a model of a table."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from fastmlp.experiments.table_models import METRICS, TableModel, task_of
from fastmlp.experiments.table_rows import columns_given
from fastmlp.experiments.tables import Table
from fastmlp.support.atomic_files import whole_text
from fastmlp.support.text import printable

from .baselines import model_scores
from .model_tables import as_input, labelled_rows, name_of_prediction, open_for
from .table_settings import checked_metric, metric_name

MOST_COLUMNS = 20  # importances that are printed; the CSV file has all
MOST_CURVES = 3


def explain(model: TableModel, args: argparse.Namespace) -> None:
    """Print and write importances and partial dependence."""
    metric = checked_metric(args.metric, task_of(model)) or metric_name(model)
    table = open_for(model, args, args.table)
    chosen = columns_of(model, table, args)
    X, y = labelled_rows(model, table, args)
    with as_input(table):
        importances = model.feature_importances(
            X, y, metric=metric, n_repeats=args.repeats, random_state=args.seed
        )
        if not chosen:
            chosen = importances["column"].head(MOST_CURVES).tolist()
        curves = [model.partial_dependence(X, name) for name in chosen]

    worse = "decrease" if METRICS[task_of(model)][metric].greater_is_better else "increase"
    print(f"importance: {worse} of {metric} when a column is shuffled, over {len(y):,} rows")
    print(printable_frame(importances.head(MOST_COLUMNS)))
    if len(importances) > MOST_COLUMNS:
        print(f"and {len(importances) - MOST_COLUMNS:,} columns more")
    for curve in curves:
        print(f"\npartial dependence on {printable(curve.columns[0])}")
        print(printable_frame(curve))
    if args.importances is not None:
        write_frame(args.importances, importances)
    if args.dependence is not None:
        write_frame(args.dependence, pd.concat(map(long_form, curves), ignore_index=True))
    if args.html is not None:
        from .table_page import write_table_page

        write_table_page(
            args.html, model, X, y, {"model": model_scores(model, X, y)},
            f"{name_of_prediction(model, args.model)}, by {table.name}", importances, curves,
        )  # fmt: skip
        print(f"saved {args.html}")


def columns_of(model: TableModel, table: Table, args: argparse.Namespace) -> list[str]:
    """Return the columns of ``--columns``, all of them in use by the model."""
    chosen = columns_given(table, args.columns or [])
    for name in chosen:
        if name not in model.encoder_.kinds:
            reason = model.encoder_.dropped.get(name, "it was not in the training set")
            raise ValueError(f"--columns: the model does not use {name!r}: {reason}")
    return chosen


def long_form(curve: pd.DataFrame) -> pd.DataFrame:
    """Return partial dependence with a row for each value and output."""
    values, outputs = curve.iloc[:, 0], curve.columns[1:]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "column": curve.columns[0],
                    "value": values.astype(str),
                    "output": output,
                    "prediction": curve.iloc[:, 1 + k],
                }
            )
            for k, output in enumerate(outputs)
        ],
        ignore_index=True,
    )


def printable_frame(frame: pd.DataFrame) -> str:
    """Return a table as text that is safe to print."""
    text = frame.to_string(index=False, float_format=lambda value: f"{value:.4g}")
    return "\n".join(printable(line) for line in text.splitlines())


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV."""
    with whole_text(path) as file:
        frame.to_csv(file, index=False, lineterminator="\n")
    print(f"saved {path}")
