"""The estimators of tables as experiments use them: their parameters, and metrics on rows."""

from __future__ import annotations

from .. import activations
from ..support import checks
from ..tabular import TabularClassifier, TabularRegressor
from ..tabular.columns import ENCODINGS
from ..tabular.members import Callbacks
from ..tabular.metrics import CLASSIFICATION, REGRESSION
from .keys import Key, number, whole, widths
from .table_rows import TableRows

__all__ = [
    "DEFAULT_METRIC", "ESTIMATORS", "METRICS", "PARAMETERS", "TableModel", "fit_on", "metric_on",
    "task_of",
]  # fmt: skip

TableModel = TabularClassifier | TabularRegressor

ESTIMATORS: dict[str, type[TabularClassifier] | type[TabularRegressor]] = {
    "classification": TabularClassifier,
    "regression": TabularRegressor,
}
METRICS = {"classification": CLASSIFICATION, "regression": REGRESSION}
DEFAULT_METRIC = {"classification": "log_loss", "regression": "rmse"}

# The parameters that describe a network and its training.
PARAMETERS = {
    "hidden_layer_sizes": Key(widths),
    "activation": Key(lambda name, value: checks.known(name, value, activations.TABLE)),
    "dropout": Key(number("[0, 1)"), "real"),
    "learning_rate": Key(number("(0, inf)"), "real"),
    "weight_decay": Key(number("[0, inf)"), "real"),
    "label_smoothing": Key(number("[0, 1)"), "real"),
    "batch_size": Key(whole(1), "whole"),
    "epochs": Key(whole(1), "whole"),
    "encoding": Key(lambda name, value: checks.known(name, value, ENCODINGS)),
}


def task_of(model: TableModel) -> str:
    """Return the task of an estimator."""
    return "classification" if isinstance(model, TabularClassifier) else "regression"


def fit_on(rows: TableRows, model: TableModel, callbacks: Callbacks | None = None) -> None:
    """Fit an estimator to rows."""
    model.fit(rows.X, rows.y, groups=rows.groups, time=rows.time, callbacks=callbacks)


def metric_on(rows: TableRows, model: TableModel, metric: str) -> float:
    """Return a metric of a fitted estimator on some rows; NaN where it does not exist.

    Raises
    ------
    ValueError
        If the rows have labels that are not among the classes of the training set.
    """
    predicted = model._predictions(rows.X)
    return model._metric_by_name(metric).measure(model._known_targets(rows.y), predicted, None)
