"""Fitting of the models of the values of a column, and of the shared model.

    rows, typed ──► rows of each value ──► models, prepared ──► networks, trained by one call
                                                                            │
        ByValue, scores, notes ◄── models with networks, values without ◄───┘

A value's model has a seed made of the shared model's seed and the value, so that it does not depend
on other values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..support import checks
from ..training.division import division
from .by_value import ByValue, rows_of, typed
from .columns import NoColumnError
from .frames import kind_of
from .given import Given
from .insight import known_column
from .levels import texts
from .members import Callbacks, Member, ModelJob
from .model_training import Trained, train_models

__all__ = ["check_per", "fit_by_value"]

Array = NDArray[Any]
RowNumbers: TypeAlias = NDArray[np.intp]

FEWEST_ROWS = 50  # of a value that has a model of its own
MEMBERS = {"fast": 1, "good": 2, "best": 4}  # networks of a value's model, by quality
SHOWN = 5  # values that a message names
PREPARING = 0.3  # of a time limit, after which no further value's model is prepared for training
AFTERWARDS = 0.5  # of the time of preparing, which models take after training
UNREACHED = "there was no time for its networks"


def check_per(model: Any, given: Given) -> None:
    """Refuse a column `per` that cannot divide the rows, and what does not go with it."""
    column = model.per
    with checks.within("per"):
        known_column(model, column, list(given.table.columns))
    cells = given.table[column]
    kind_of(cells)  # refuses cells such as lists
    if not cells.isna().any() and equal(given.y.tolist(), cells.tolist()):
        raise ValueError(f"per={column!r} is the column to predict; name one of the other columns")
    if given.groups is not None:
        raise ValueError(
            f"per and groups exclude each other: per={column!r} trains a model for each value, "
            f"whose few rows are divided between training and validation; pass one of them"
        )


def equal(some: list[Any], others: list[Any]) -> bool:
    """Return whether all entries are equal; False also where they cannot be compared."""
    try:
        return all(bool(one == other) for one, other in zip(some, others, strict=True))
    except (TypeError, ValueError, OverflowError):
        return False


def fit_by_value(
    model: Any, given: Given, callbacks: Callbacks | None, rng: np.random.RandomState
) -> tuple[ByValue, dict[str, float], list[str]]:
    """Fit the shared model and those of the values.

    Returns
    -------
    by_value : ByValue
        The models.
    scores : dict
        Metrics of rows by networks that were not trained on them, each row predicted by the model
        of its value.
    notes : list of str
        What the user should know.
    """
    started = perf_counter()
    given, rows_by_value = divided(given, model.per)
    seed = int(rng.randint(2**31 - 1))
    shared = Prepared.of(new_estimator(model, given.table, seed), given, callbacks)
    kinds = shared.estimator.encoder_.kinds
    columns = [name for name in kinds if name != model.per]
    preparation = Preparation(model, given, rows_by_value, columns, seed, callbacks)
    results = prepare_values(preparation, end_of_preparing(model.time_limit, started))

    prepared = {value: result for value, result in results.items() if isinstance(result, Prepared)}
    jobs = [shared.job, *(of_value.job for of_value in prepared.values())]
    trained = train_models(jobs, model.n_threads, seconds_of_training(model.time_limit, started))
    trained.require_first(model.time_limit)

    validated = Validated(shared, trained.members[0])
    for number, (value, of_value) in enumerate(prepared.items(), start=1):
        if trained.members[number]:
            validated.replace(of_value, trained.members[number], rows_by_value[value])
        else:
            results[value] = why_untrained(trained, number)
    by_value = ByValue(
        column=model.per,
        kinds={**kinds, model.per: "category"},
        shared=shared.estimator,
        models={v: of_v.estimator for v, of_v in results.items() if isinstance(of_v, Prepared)},
        reasons={v: reason for v, reason in results.items() if isinstance(reason, str)},
    )
    n_networks = sum(len(job.plan.networks) for job in jobs)
    notes = notes_on_fit(by_value, trained, n_networks, model.time_limit)
    return by_value, validated.scores(), notes


def end_of_preparing(time_limit: float | None, started: float) -> float:
    """Return until when the models of values are prepared."""
    return math.inf if time_limit is None else started + PREPARING * time_limit


def seconds_of_training(time_limit: float | None, started: float) -> float | None:
    """Return the seconds for the networks, now that the models are prepared."""
    if time_limit is None:
        return None
    return time_limit - (1 + AFTERWARDS) * (perf_counter() - started)


def divided(given: Given, column: str) -> tuple[Given, dict[str, RowNumbers]]:
    """Return the rows with typed columns, and which of them have each value of a column."""
    codes, values = texts(given.table[column])
    as_texts = given.table.assign(**{column: pd.Categorical.from_codes(codes, values)})
    table = typed(as_texts, {name: kind_of(cells) for name, cells in as_texts.items()})
    rows_by_value = {values[code]: rows for code, rows in rows_of(codes) if code >= 0}
    return replace(given, table=table), rows_by_value


# ------------------------------------------------------------------------------ preparation


@dataclass(frozen=True)
class Prepared:
    """An estimator that has learned all but its networks, and the job of training these."""

    estimator: Any
    job: ModelJob

    @classmethod
    def of(cls, estimator: Any, given: Given, callbacks: Callbacks | None) -> Self:
        """Return an estimator prepared by the rows that it is to be fitted to."""
        rng = check_random_state(estimator.random_state)
        return cls(estimator, estimator._prepare(given, callbacks, rng))

    def keep(self, members: list[Member]) -> tuple[RowNumbers, Array]:
        """Give the estimator its networks; return their validation rows and predictions."""
        validated: tuple[RowNumbers, Array] = self.estimator._keep(members, self.job.rows)
        return validated


@dataclass(frozen=True)
class Preparation:
    """What the models of values are prepared from.

    Attributes
    ----------
    model : TabularClassifier or TabularRegressor
        The estimator whose parameters they have.
    given : Given
        All rows.
    rows_by_value : dict
        The rows of each value.
    columns : list of str
        The columns that they use.
    seed : int
        The seed of the shared model.
    callbacks : callable or None
        As in `BaseTabular.fit`.
    """

    model: Any
    given: Given
    rows_by_value: Mapping[str, RowNumbers]
    columns: list[str]
    seed: int
    callbacks: Callbacks | None

    def why_shared(self, value: str) -> str:
        """Return why a value gets no model; empty if it does."""
        y = self.given.y[self.rows_by_value[value]]
        if len(y) < FEWEST_ROWS:
            return f"it has {len(y)} rows, fewer than {FEWEST_ROWS}"
        if not self.columns:
            return "there is no other column to predict from"
        if self.model._stratified and (y == y[0]).all():
            return f"all its rows are of the class {y[0]!s}"
        return ""

    def prepared(self, value: str) -> Prepared | str:
        """Return a value's model, or why it cannot have one."""
        given = self.given[self.rows_by_value[value]]
        given = replace(given, table=given.table[self.columns])
        changed = changed_for_value(self.model, given.y)
        estimator = new_estimator(self.model, given.table, seed_of(self.seed, value), **changed)
        try:
            return Prepared.of(estimator, given, self.callbacks)
        except NoColumnError as error:
            return str(error)


def prepare_values(preparation: Preparation, end: float) -> dict[str, Prepared | str]:
    """Return the model of each value, or why it has none.  The largest are prepared first."""
    rows_by_value = preparation.rows_by_value
    reasons = {value: preparation.why_shared(value) for value in rows_by_value}
    candidates = [value for value in rows_by_value if not reasons[value]]
    candidates.sort(key=lambda value: -len(rows_by_value[value]))
    results = prepare_until(end, candidates, preparation.prepared)
    return {
        value: reason or results.get(value, UNREACHED) for value, reason in reasons.items()
    }


def prepare_until(
    end: float, values: Sequence[str], prepare: Callable[[str], Prepared | str]
) -> dict[str, Prepared | str]:
    """Prepare the models of the first values, until a time.

    Where processes divide the training, these are the values that the first process had time for.
    """
    results: dict[str, Prepared | str] = {}
    while len(results) < len(values) and perf_counter() < end:
        value = values[len(results)]
        results[value] = prepare(value)
    n = division().of_first(len(results))
    return {
        value: results[value] if value in results else prepare(value) for value in values[:n]
    }


def new_estimator(model: Any, table: pd.DataFrame, seed: int, **changed: Any) -> Any:
    """Return an estimator for the columns of a table, not fitted.

    It has the parameters of `model`, but for `per`, the seed, and those that are changed.
    """
    parameters = {**model.get_params(deep=False), "per": None, "random_state": seed, **changed}
    estimator = type(model)(**parameters)
    estimator._table(table, reset=True)  # which learns the names of the columns
    return estimator


def changed_for_value(model: Any, y: Array) -> dict[str, Any]:
    """Return the parameters by which the model of a value, with the labels y, differs."""
    changed: dict[str, Any] = {}
    if model.n_members is None:
        changed["n_members"] = MEMBERS[model.quality]
    weights = getattr(model, "class_weight", None)
    if isinstance(weights, Mapping):  # some of its classes may be missing in y
        changed["class_weight"] = {
            label: weights.get(label, 1.0) for label in np.unique(y).tolist()
        }
    return changed


def seed_of(seed: int, value: str) -> int:
    """Return the seed of a value's model."""
    mixed = np.random.SeedSequence([seed, *value.encode()]).generate_state(1)[0]
    return int(mixed >> 1)


# --------------------------------------------------------------------------- after training


def why_untrained(trained: Trained, number: int) -> str:
    """Return why a model, known by its number, has no networks."""
    if number in trained.diverged:
        return f"its training diverged: {trained.diverged[number]}"
    return "training was interrupted before its first epoch" if trained.interrupted else UNREACHED


class Validated:
    """Predictions of rows by networks that were not trained on them."""

    def __init__(self, shared: Prepared, members: list[Member]) -> None:
        self.shared, self.rows = shared.estimator, shared.job.rows
        rows, predictions = shared.keep(members)
        self.known = np.zeros(len(self.rows), bool)
        self.known[rows] = True
        self.predictions = np.zeros((len(self.rows), *predictions.shape[1:]))
        self.predictions[rows] = predictions

    def replace(self, of_value: Prepared, members: list[Member], rows: RowNumbers) -> None:
        """Put the predictions of a value's model in the place of those of the shared one."""
        validation_rows, predictions = of_value.keep(members)
        known = rows[validation_rows]
        self.known[rows] = False
        self.known[known] = True
        self.predictions[known] = self.shared._aligned(of_value.estimator, predictions)

    def scores(self) -> dict[str, float]:
        """Return the metrics of the predictions; none for a very small table."""
        if not self.known.any():
            return {}
        weights = None if self.rows.weights is None else self.rows.weights[self.known]
        targets = self.shared._true(self.rows.targets[self.known])
        scores: dict[str, float] = self.shared._scores(
            self.predictions[self.known], targets, weights
        )
        return scores


def notes_on_fit(
    by_value: ByValue, trained: Trained, n_networks: int, time_limit: float | None
) -> list[str]:
    """Return what the user should know of a fit."""
    notes = []
    if trained.interrupted:
        notes.append(
            f"Training was interrupted: {sum(map(len, trained.members))} of {n_networks} networks "
            f"are kept, each with its best epoch so far"
        )
    column, reasons = by_value.column, by_value.reasons
    diverged = [value for value, reason in reasons.items() if "diverged" in reason]
    if diverged:
        notes.append(
            f"training diverged for {len(diverged)} values of {column!r}, which the shared model "
            f"predicts: {shown(diverged)}; a lower learning_rate may help"
        )
    unreached = [value for value, reason in reasons.items() if reason == UNREACHED]
    if unreached:
        notes.append(
            f"time_limit={time_limit:g} seconds were too few for a model of {len(unreached)} "
            f"values of {column!r}, which the shared model predicts: {shown(unreached)}; allow "
            f"more, or choose quality, n_members or epochs for shorter training"
        )
    elif not by_value.models:
        some = "; ".join(f"{value!r}: {reason}" for value, reason in [*reasons.items()][:SHOWN])
        notes.append(
            f"no value of {column!r} has a model of its own; the shared model predicts all rows "
            f"({some or 'the column is empty'})"
        )
    return notes


def shown(values: list[str]) -> str:
    """Return the first of some values, for a message."""
    return ", ".join(map(repr, values[:SHOWN])) + ", …" * (len(values) > SHOWN)
