"""Predictions of a model of a table, as columns of the output."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fastmlp.experiments.table_models import TableModel
from fastmlp.experiments.table_rows import columns_given
from fastmlp.tabular import TabularClassifier, TabularRegressor

from .model_tables import as_input, features_of, name_of_prediction, open_for, warn_of_unknown

Columns = dict[str, NDArray[Any]]


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
