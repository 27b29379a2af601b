"""Baselines: what a model has to be better than, and the scores of all of them.

    constant    the shares of the classes in the training set, or the mean of its values
    linear      logistic or ridge regression on what the networks read, without
                piecewise-linear codes
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from fastmlp import steps
from fastmlp.experiments.table_models import METRICS, TableModel, task_of
from fastmlp.sklearn.class_weights import label_weights
from fastmlp.tabular import TabularClassifier, TabularRegressor

Array = NDArray[Any]
Scores = dict[str, float]

MOST_CELLS = 50_000_000  # of the linear baseline's inputs; of more, the first rows are taken
ITERATIONS = 300
SHOWN = {  # the metrics of each task, by the names that are printed
    "classification": {
        "accuracy": "accuracy", "balanced accuracy": "balanced_accuracy", "log-loss": "log_loss",
        "AUC": "auc", "F1": "f1",
    },
    "regression": {"RMSE": "rmse", "MAE": "mae", "R2": "r2"},
}  # fmt: skip
GREATER_IS_BETTER = {
    name: metric.greater_is_better for table in METRICS.values() for name, metric in table.items()
}
COVERAGE = 0.9


def outputs_of(model: TableModel, X: pd.DataFrame) -> Array:
    """Return probabilities (m, n_classes), or values (m,)."""
    return model.predict_proba(X) if isinstance(model, TabularClassifier) else model.predict(X)


def scores_of(model: TableModel, outputs: Array, y: Array) -> Scores:
    """Return the scores of outputs for labels or values; those that do not exist are left out."""
    task = task_of(model)
    known = np.searchsorted(model.classes_, y) if task == "classification" else y
    found = {
        name: METRICS[task][name].measure(known, outputs, None) for name in SHOWN[task].values()
    }
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def model_scores(model: TableModel, X: pd.DataFrame, y: Array) -> Scores:
    """Return the scores of a model, with the coverage of its 90 % interval."""
    scores = scores_of(model, outputs_of(model, X), y)
    if isinstance(model, TabularRegressor) and model.residuals_ is not None:
        low, high = model.predict_interval(X, COVERAGE).T
        scores["coverage_90"] = float(np.mean((low <= y) & (y <= high)))
    return scores


def baseline_scores(
    model: TableModel, X: pd.DataFrame, y: Array, X_test: pd.DataFrame, y_test: Array
) -> dict[str, Scores]:
    """Return the scores of the baselines of a fitted model by their names."""
    encoder = model.encoder_
    encodings = encoder.encodings("raw")
    n_rows = MOST_CELLS // sum(encoding.n_outputs for encoding in encodings)
    X, y = X[:n_rows], y[:n_rows]
    inputs, tests = (
        steps.encode(encoder.inputs(encoder.read(table), "raw"), encodings)
        for table in (X, X_test)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: the result is a baseline all the same
        if isinstance(model, TabularClassifier):
            constant, linear = _of_classes(model, inputs, y, tests)
            names = "majority class", "logistic regression"
        else:
            constant = np.full(len(tests), y.mean())
            linear = Ridge().fit(inputs, y).predict(tests)
            names = "mean", "ridge regression"
    return {
        name: scores_of(model, outputs, y_test)
        for name, outputs in zip(names, (constant, linear), strict=True)
    }


def _of_classes(
    model: TabularClassifier, inputs: Array, y: Array, tests: Array
) -> tuple[Array, Array]:
    """Return the probabilities of the shares of the classes, and of logistic regression."""
    known, targets, counts = np.unique(y, return_inverse=True, return_counts=True)
    places = np.searchsorted(model.classes_, known)
    shares = np.zeros((len(tests), len(model.classes_)))
    shares[:, places] = counts / len(y)
    linear = np.zeros_like(shares)
    if len(known) < 2:
        return shares, shares
    weights = label_weights(model.class_weight, model.classes_, y)
    logistic = LogisticRegression(max_iter=ITERATIONS).fit(inputs, targets, weights)
    linear[:, places] = logistic.predict_proba(tests)
    return shares, linear


def better_baselines(
    metric: str, scores: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Return the names of the baselines that are at least as good by a metric."""
    sign = -1 if GREATER_IS_BETTER[metric] else 1
    return [
        name
        for name, own in baselines.items()
        if metric in own and metric in scores and sign * own[metric] <= sign * scores[metric]
    ]


def score_lines(task: str, columns: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a table of scores: a line for each metric, a column for each of `columns`."""
    widths = [max(len(name), 8) for name in columns]
    first = 19
    heads = [name.rjust(width) for name, width in zip(columns, widths, strict=True)]
    lines = ["  ".join([" " * first, *heads])]
    names = dict(SHOWN[task])
    if task == "regression":
        names["90 % intervals hold"] = "coverage_90"
    for shown, name in names.items():
        if not any(name in scores for scores in columns.values()):
            continue
        cells = [
            written(name, scores.get(name)).rjust(width)
            for scores, width in zip(columns.values(), widths, strict=True)
        ]
        lines.append("  ".join([shown.ljust(first), *cells]).rstrip())
    return lines


def written(name: str, value: float | None) -> str:
    """Return a score as it is printed."""
    if value is None:
        return ""
    return f"{value:.6g}" if name in ("rmse", "mae") else f"{value:.4f}"
