"""Search of parameters of the estimators of tables.

The trials are estimators of `fastmlp.tabular` with different parameters, each measured on the same
validation rows.  The machinery of studies is that of `minimize`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from os import PathLike
from time import perf_counter
from typing import Any, Self

from sklearn.base import clone

from ..experiments import toml
from ..experiments.table_models import METRICS, PARAMETERS, TableModel, fit_on, metric_on, task_of
from ..experiments.table_rows import TableRows
from ..history import TrainingDiverged
from ..support import checks
from ..tabular.columns import ENCODINGS
from ..training import Stop, StopWhenSet
from . import studies
from .loop import Search
from .space import Space, parsed
from .trials import Outcome

__all__ = ["SPACE", "TableResult", "TableSpace", "minimize_table"]

SPACE: dict[str, Any] = {
    "hidden_layer_sizes": [(64, 64), (128, 128), (256, 256), (128, 128, 128), (256, 256, 256)],
    "activation": ["silu", "relu", "mish", "selu"],
    "dropout": (0.0, 0.4),
    "learning_rate": (5e-4, 1e-2, "log"),
    "weight_decay": (1e-3, 0.3, "log"),
    "label_smoothing": (0.0, 0.2),
    "epochs": (16, 96, "log"),
    "encoding": list(ENCODINGS),
}


@dataclass(frozen=True)
class TableSpace(Space):
    """A checked space of the parameters of an estimator of tables."""

    @classmethod
    def of(cls, given: object) -> Self:
        """Check a space as users write it."""
        if not isinstance(given, Mapping):
            raise TypeError(f"must be a dict such as {{'dropout': (0.0, 0.5)}}, got {given!r}")
        toml.check_keys({str(key): value for key, value in given.items()}, PARAMETERS)
        if not given:
            raise ValueError("is empty; give at least one parameter to search")
        return cls(
            {key: parsed(key, given[key], kind) for key, kind in PARAMETERS.items() if key in given}
        )

    def parameters(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a trial, fixed ones included."""
        return self.values(chosen)


@dataclass(frozen=True)
class TableResult:
    """The result of a search.

    Attributes
    ----------
    best_parameters : dict
        Of the estimator.
    best_value : float
        The metric on the validation rows; 1 minus the metric if greater is better.
    trials : list of dict
        A row for each finished trial.
    stopped_by : {"n_trials", "max_seconds", "interrupt"}
        The reason for which the search ended.
    """

    best_parameters: dict[str, Any]
    best_value: float
    trials: list[dict[str, Any]]
    stopped_by: str


def minimize_table(
    estimator: TableModel,
    training: TableRows,
    validation: TableRows,
    space: Mapping[str, Any] | None = None,
    *,
    metric: str,
    n_trials: int = 30,
    sampler: str = "tpe",
    storage: str | PathLike[str] | None = None,
    n_jobs: int = 1,
    max_seconds: float | None = None,
    seed: int = 0,
    verbose: bool = False,
) -> TableResult:
    """Search for the parameters with which an estimator does best on validation rows.

    Parameters
    ----------
    estimator : TabularClassifier or TabularRegressor
        Its parameters are those of all trials, but for those of the space.
    training, validation : TableRows
        What trials are trained on, and measured on.
    space : dict, optional
        As for `minimize`, with keys of `PARAMETERS`.  Default: `SPACE`, for a regression without
        label smoothing.
    metric : str
        Name of the metric to be best by, as for the estimator.
    n_trials, sampler, storage, n_jobs, max_seconds, seed, verbose
        As for `minimize`.

    Returns
    -------
    TableResult

    Raises
    ------
    ImportError
        If Optuna is not installed.
    TrainingDiverged
        If all trials diverged.
    """
    studies.require(checks.known("sampler", sampler, studies.SAMPLERS))
    if space is None:
        known = estimator.get_params()
        space = {name: one for name, one in SPACE.items() if name in known}
    with checks.within("space"):
        checked = TableSpace.of(space)
        toml.check_keys(checked.keys, estimator.get_params())
    estimator = clone(estimator).set_params(n_threads=1 if n_jobs > 1 else estimator.n_threads)

    def run_trial(
        parameters: dict[str, Any], report: Callable[[int, float], bool], stop: Stop
    ) -> Outcome:
        model = clone(estimator).set_params(**parameters)
        return measure(model, training, validation, metric, stop, alone=n_jobs == 1)

    settings = {
        "space": checked.to_json(),
        "examples": training.fingerprint() + validation.fingerprint(),
        "estimator": type(estimator).__name__,
        **{
            name: value
            for name, value in estimator.get_params().items()
            if name not in checked.keys and name != "n_threads"
        },
        "metric": metric,
        "seed": seed,
    }
    with studies.opened(storage, "fastmlp", sampler, seed, False) as (study, lock):
        studies.check_settings(study, settings)
        search = Search(
            study=study,
            shared_lock=lock,
            space=checked,
            measure=run_trial,
            objective=objective_name(estimator, metric),
            pruning=False,
            n_trials=n_trials,
            n_jobs=n_jobs,
            deadline=perf_counter() + (inf if max_seconds is None else max_seconds),
            verbose=verbose,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*columns are not used")
            stopped_by = search.run()
        best = search.best()
        return TableResult(
            checked.parameters(best.params), studies.value(best), search.rows(), stopped_by
        )


def measure(
    model: TableModel,
    training: TableRows,
    validation: TableRows,
    metric: str,
    stop: Stop,
    alone: bool,
) -> Outcome:
    """Fit an estimator and return how well it does on the validation rows.

    With `alone` no other thread fits at the same time, so that warnings can be caught here.
    """
    started = perf_counter()
    state, value, epoch, epochs = "complete", inf, 0, 0
    try:
        interrupted = fit(model, training, stop, alone)
    except TrainingDiverged:
        state = "diverged"
    else:
        state = "interrupted" if interrupted else "complete"
        found = metric_on(validation, model, metric)
        if isfinite(found):
            value = 1 - found if model._metric_by_name(metric).greater_is_better else found
        epoch, epochs = max(model.best_epochs_), max(model.n_epochs_)
    return Outcome(state, value, value, epoch, epochs, round(perf_counter() - started, 4))


def fit(model: TableModel, rows: TableRows, stop: Stop, alone: bool) -> bool:
    """Fit an estimator; return whether Ctrl-C, or the end of the search, ended it."""
    if not alone:
        fit_on(rows, model, lambda net: [StopWhenSet(stop)])
        return stop.is_set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_on(rows, model)
    return any("Training was interrupted" in str(one.message) for one in caught)


def objective_name(estimator: TableModel, metric: str) -> str:
    """Return the name of what is minimized."""
    table = METRICS[task_of(estimator)]
    known = table[checks.known("metric", metric, table)]
    return f"1 - {metric}" if known.greater_is_better else metric
