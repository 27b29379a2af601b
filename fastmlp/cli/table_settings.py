"""The parameters of the estimators of tables that commands take: options and ``--config FILE``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.experiments import toml
from fastmlp.experiments.table_models import (
    DEFAULT_METRIC,
    ESTIMATORS,
    METRICS,
    TableModel,
    task_of,
)
from fastmlp.support import checks
from fastmlp.tabular.levels import text

# parameters of the estimators, by the names of the options
PARAMETERS = {
    "metric": "metric",
    "quality": "quality",
    "members": "n_members",
    "time_limit": "time_limit",
    "class_weight": "class_weight",
    "per": "per",
    "hidden": "hidden_layer_sizes",
    "activation": "activation",
    "epochs": "epochs",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "weight_decay": "weight_decay",
    "patience": "early_stopping",
}
OF_THE_COMMAND = ("random_state", "n_threads")  # parameters that --seed and --threads give


def estimator(args: argparse.Namespace, task: str, labels: NDArray[Any]) -> TableModel:
    """Return the estimator for a task, and labels, with the parameters that the user chose."""
    chosen: dict[str, Any] = {}
    if args.config is not None:
        chosen = toml.read(args.config, lambda given: checked(given, task))
    for option, parameter in PARAMETERS.items():
        value = getattr(args, option)
        if value is not None:
            chosen[parameter] = value
    if "class_weight" in chosen and task == "regression":
        raise ValueError("--class-weight is for classification")
    checked_metric(chosen.get("metric"), task)
    weights = chosen.get("class_weight")
    if isinstance(weights, Mapping):  # whose keys are texts in TOML, whatever the labels are
        classes = {text(label): label for label in np.unique(labels).tolist()}
        with toml.located(str(args.config)), toml.located("class_weight"):
            toml.check_keys(weights, classes)
        chosen["class_weight"] = {classes[key]: weight for key, weight in weights.items()}
    found = ESTIMATORS[task](**chosen, random_state=args.seed, n_threads=args.threads)
    found._check_parameters()  # here, where a message does not begin with the name of the table
    return found


def checked(given: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return the parameters in a file, all of which the estimator has."""
    known = [name for name in ESTIMATORS[task]().get_params() if name not in OF_THE_COMMAND]
    toml.check_keys(given, known)
    if "metric" in given:
        checks.known("metric", given["metric"], METRICS[task])
    chosen: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in given.items()
    }
    ESTIMATORS[task](**chosen)._check_parameters()
    return chosen


def checked_metric(metric: str | None, task: str) -> str | None:
    """Return a metric that is one of the task, or None."""
    if metric is not None and metric not in METRICS[task]:
        raise ValueError(
            f"--metric {metric}: the metrics of a {task} are {', '.join(METRICS[task])}"
        )
    return metric


def metric_name(model: TableModel) -> str:
    """Return the metric by which a model is compared with the baselines."""
    return str(model.metric or DEFAULT_METRIC[task_of(model)])
