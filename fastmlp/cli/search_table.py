"""A search of the parameters of an estimator of tables, and the model of the best."""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastmlp.experiments.table_models import DEFAULT_METRIC, ESTIMATORS
from fastmlp.experiments.table_rows import divided
from fastmlp.search.studies import describe
from fastmlp.search.tables import SPACE, TableSpace, minimize_table
from fastmlp.support.atomic_files import whole_text
from fastmlp.support.text import printable

from .table_data import read_data
from .table_settings import checked_metric
from .train_table import about_data, fit, judge_and_save


def search_table(args: argparse.Namespace, card: Path | None) -> None:
    """Search, and train with the best parameters if the model is to be saved."""
    space = space_of(args)
    data = read_data(args)
    metric = checked_metric(args.metric, data.task) or DEFAULT_METRIC[data.task]
    if "label_smoothing" in space and data.task == "regression":
        if args.space is not None:
            raise ValueError(f"{args.space}: label_smoothing is for classification")
        del space["label_smoothing"]
    if args.class_weight is not None and data.task == "regression":
        raise ValueError("--class-weight is for classification")
    for line in about_data(data):
        print(printable(line))
    training, validation = divided(data.training, args.validation, args.seed, data.task)
    fixed: dict[str, Any] = {"metric": args.metric}
    if args.quality is not None:
        fixed["quality"] = args.quality
    if args.class_weight is not None:
        fixed["class_weight"] = args.class_weight
    estimator = ESTIMATORS[data.task](
        **fixed,
        n_members=args.members,
        time_limit=args.trial_seconds,
        random_state=args.seed,
        n_threads=args.threads,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Search interrupted")
        result = minimize_table(
            estimator,
            training,
            validation,
            space,
            metric=metric,
            n_trials=args.trials,
            sampler=args.sampler,
            storage=args.storage,
            n_jobs=args.jobs,
            max_seconds=args.seconds,
            seed=args.seed,
            verbose=True,
        )
    if result.stopped_by == "interrupt":
        raise KeyboardInterrupt
    print(f"best of {len(result.trials)} trials: {result.best_value:.6g} with "
          f"{describe(result.best_parameters)}")
    best = {name: value for name, value in {**fixed, **result.best_parameters}.items()
            if value is not None}
    if args.save_config is not None:
        with whole_text(args.save_config) as file:
            file.write(as_toml(best))
        print(f"saved {args.save_config}")
    if args.save is not None:
        model = ESTIMATORS[data.task](**best, random_state=args.seed, n_threads=args.threads)
        fit(model, data, None)
        judge_and_save(args, data, model, card)


def space_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the space of ``--space``, with the epochs of ``--epochs``."""
    space = dict(SPACE) if args.space is None else TableSpace.read(args.space)
    if args.epochs is not None:
        space["epochs"] = args.epochs
    return space


def as_toml(parameters: Mapping[str, Any]) -> str:
    """Return parameters as lines of TOML."""
    return "".join(
        f"{name} = {json.dumps(list(value) if isinstance(value, tuple) else value)}\n"
        for name, value in parameters.items()
    )
