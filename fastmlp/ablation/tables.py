"""Studies of a table of one's own: estimators of `fastmlp.tabular`, compared by a metric.

Of the rows with a label, those that `fastmlp train` sets aside as its test set by default are left
out, so that a choice by the study does not spoil that test.  With each seed, a fifth of the other
rows tests models that are trained on the rest; the seed is also their `random_state`.  With the
same seed all variants have the same division.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import Any

import numpy as np

from ..experiments import toml
from ..experiments.keys import Key, whole
from ..experiments.table_models import (
    DEFAULT_METRIC,
    ESTIMATORS,
    METRICS,
    PARAMETERS,
    TableModel,
    fit_on,
    metric_on,
)
from ..experiments.table_rows import TEST_FRACTION, TableRows, divided, labelled
from ..experiments.tables import Table
from ..experiments.toml import located
from ..support import checks
from ..tabular.input_tables import frame_of
from ..tabular.plan import MOST_MEMBERS, QUALITIES
from ..training import Stop, StopWhenSet
from .data import Figures, Metric

__all__ = ["FACTORS", "KEYS", "TableData", "TableSettings"]

FEWEST_ROWS = 20  # with a label

# The keys of a configuration: the parameters of the estimators, but for those that the study itself
# gives and the time limit, with which a result would depend on the speed of the machine.
KEYS = {
    "quality": Key(lambda name, value: checks.known(name, value, QUALITIES)),
    "n_members": Key(whole(1, MOST_MEMBERS)),
    **PARAMETERS,
    "early_stopping": Key(whole(1)),
    "class_weight": Key(lambda name, value: checks.known(name, value, ("balanced",))),
}
OF_CLASSES = ("label_smoothing", "class_weight")  # keys for classification alone

# The study of a table whose file has no factors: the parts of the default, in other strengths.
FACTORS: dict[str, Any] = {
    "n_members": [1],
    "encoding": ["raw", "piecewise_linear", "quantile", "periodic"],
    "hidden_layer_sizes": [[128, 128], [64, 64, 64], [256, 256, 256]],
    "activation": ["relu", "mish"],
    "dropout": [0.0, 0.3],
    "weight_decay": [0.0, 0.2],
    "learning_rate": [0.002, 0.01],
}

# name in files: name in sentences, unit
SHOWN = {
    "log_loss": ("log-loss", ""),
    "error": ("error", "%"),
    "accuracy": ("accuracy", "%"),
    "balanced_accuracy": ("balanced accuracy", "%"),
    "auc": ("AUC", ""),
    "f1": ("F1", ""),
    "rmse": ("RMSE", ""),
    "mae": ("MAE", ""),
    "r2": ("R²", ""),
}


@dataclass(frozen=True)
class TableSettings:
    """A checked configuration: parameters of an estimator, by the names of `KEYS`."""

    parameters: dict[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> TableSettings:
        """Check a configuration; a parameter that is missing has the estimator's default."""
        toml.check_keys(given, KEYS)
        return cls({key: kind.check(key, given[key]) for key, kind in KEYS.items() if key in given})

    def to_json(self) -> dict[str, Any]:
        """Return the parameters in JSON's types."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in self.parameters.items()
        }


@dataclass(frozen=True)
class TableData:
    """The rows of a study, and what there is to predict; the methods are those of `StudyData`."""

    rows: TableRows
    task: str
    metric: Metric
    description: dict[str, Any]
    about: str

    @classmethod
    def load(
        cls,
        name: str,
        frame: Any,
        *,
        label: str,
        metric: str | None,
        task: str | None,
        drop: Sequence[str],
        group: str | None,
        time: str | None,
    ) -> TableData:
        """Return the data of a table.

        Parameters
        ----------
        name : str
            The name of the table, for messages and results.
        frame : DataFrame of pandas or polars
            The table.
        label, metric, task, drop, group, time
            As in the file of a study.
        """
        whole_rows, target = labelled(
            Table(name, frame_of(frame)), label, task=task, drop=drop, group=group, time=time
        )
        metrics = METRICS[target.task]
        if metric is None:
            metric = DEFAULT_METRIC[target.task]
        chosen = metrics[checks.known(f"metric of a {target.task}", metric, metrics)]
        if len(whole_rows) < FEWEST_ROWS:
            raise ValueError(
                f"{name} has {len(whole_rows)} rows with a label, too few to compare models "
                f"on; a study needs at least {FEWEST_ROWS}"
            )
        rows, unused = divided(whole_rows, TEST_FRACTION, 0, target.task)
        title, unit = SHOWN[metric]
        return cls(
            rows,
            target.task,
            Metric(metric, title, chosen.greater_is_better, unit),
            {
                "name": name,
                "label": label,
                "task": target.task,
                "metric": metric,
                "group": group,
                "time": time,
                "rows": len(rows),
                "fingerprint": rows.fingerprint(),
            },
            f"{target.task} of {label}, {len(rows):,} rows. {_division(group, time)} The test set "
            f"of `fastmlp train`, {len(unused):,} rows, is not used",
        )

    def check(self, settings: TableSettings) -> None:
        """Raise ValueError for parameters that are not of the task."""
        for key in OF_CLASSES:
            if key in settings.parameters and self.task == "regression":
                raise ValueError(f"{key} is for classification, and {self.description['label']!r} "
                                 f"holds numbers to predict")

    def train(self, settings: TableSettings, seed: int, stop: Stop) -> TableModel | None:
        """Return a fitted estimator, or None if `stop` ended its training."""
        rows, _ = self._divided(seed)
        model = ESTIMATORS[self.task](
            self.metric.name, random_state=seed, n_threads=1, **settings.parameters
        )
        with located(self.description["name"]):
            fit_on(rows, model, lambda net: [StopWhenSet(stop)])
        return None if stop.is_set() else model

    def figures(self, model: TableModel, seed: int) -> Figures:
        """Return the metric on the test rows, and on the rows that each network left out."""
        _, rows = self._divided(seed)
        with located(self.description["name"]):
            score = metric_on(rows, model, self.metric.name)
        if not isfinite(score):
            raise ValueError(
                f"{self.description['name']}: the test rows of seed {seed} have no "
                f"{self.metric.title}, because they are of one class; choose another metric"
            )
        validation = model.validation_scores_.get(self.metric.name, np.nan)
        return Figures(
            score,
            validation if isfinite(validation) else None,
            fmean(net.history.cost[-1] for net in model.networks_),
            max(model.n_epochs_),
        )

    def _divided(self, seed: int) -> tuple[TableRows, TableRows]:
        """Return the rows for training and for testing.

        A class whose rows are all for testing, because of groups or time, is left out.
        """
        training, test = divided(self.rows, TEST_FRACTION, seed, self.task)
        if self.task == "classification":
            test = test[np.isin(test.y, training.y)]
        return training, test


def _division(group: str | None, time: str | None) -> str:
    """Return how the rows are divided, and what follows for the intervals."""
    if time is not None:
        return (
            f"The latest {TEST_FRACTION:.0%} by {time} test what is trained on the others, with "
            f"every seed: the intervals say nothing of other test rows."
        )
    whole_groups = f", whole groups of {group}," if group is not None else ""
    return (
        f"With each seed another {TEST_FRACTION:.0%} of them{whole_groups} test what is trained on "
        f"the others. These divisions overlap: the intervals are narrower than those of "
        f"independent divisions would be."
    )
