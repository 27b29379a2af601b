"""Models of the values of a column, the parameter `per`, and one shared model for other rows.

    table ── typed ──┬── rows of a value with enough of them ── a model of its own
                     └── all rows ── the shared model, for rare, missing and unknown values

A value's model is an estimator like any other: the one that is fitted to the rows of that value
alone, on the columns that the shared model uses.  Its seed is made of the shared model's seed and
the value, so that it does not depend on other values.  All networks are trained by one call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..network import MLP
from ..support import checks
from ..training.division import division
from .columns import NoColumnError
from .frames import Kind, dates, factorized, kind_of, numbers
from .given import Given
from .insight import known_column
from .levels import known_codes, texts
from .members import Callbacks, ModelJob, Rows
from .model_training import Trained, train_models
from .parameters import restored

__all__ = ["ByValue", "check_per", "fit_by_value"]

Array = NDArray[Any]

FEWEST_ROWS = 50  # of a value that has a model of its own
MEMBERS = {"fast": 1, "good": 2, "best": 4}  # networks of a value's model, by quality
SHOWN = 5  # values that a message names
PREPARING = 0.3  # of a time limit, after which no further value's model is prepared for training
AFTERWARDS = 0.5  # of the time of preparing, which models take after training
UNREACHED = "there was no time for its networks"


@dataclass(frozen=True)
class ByValue:
    """The models of a column's values.

    Attributes
    ----------
    column : str
        The column.
    kinds : dict
        The kinds of the columns that the models use.
    shared : TabularClassifier or TabularRegressor
        The model of the whole training set, for rows of all other values.
    models : dict
        The model of each value that has one, by the value as text.
    reasons : dict
        The values of the training set without a model of their own, and why.
    """

    column: str
    kinds: Mapping[str, Kind]
    shared: Any
    models: Mapping[str, Any]
    reasons: Mapping[str, str]

    def read(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with typed columns, of which many small parts are read quickly."""
        values = pd.Categorical.from_codes(self._codes(table), [*self.models, *self.reasons])
        others = {name: kind for name, kind in self.kinds.items() if name != self.column}
        return typed(table, others).assign(**{self.column: values})

    def shared_rows(self, table: pd.DataFrame) -> int:
        """Return how many rows of a table the shared model predicts."""
        codes = self._codes(table)
        return int(((codes < 0) | (codes >= len(self.models))).sum())

    def _codes(self, table: pd.DataFrame) -> NDArray[np.intp]:
        """Return the places of the rows' values among those with a model and those without one."""
        return known_codes(table[self.column], (*self.models, *self.reasons))

    def assembled(
        self, table: pd.DataFrame, predict: Callable[[Any, pd.DataFrame], Array]
    ) -> Array:
        """Return what the models predict, each for its own rows of a table that `read` returned.

        Parameters
        ----------
        table : DataFrame (m, n)
            The rows.
        predict : callable
            Returns the predictions of a model, its first argument, for some rows.
        """
        codes = table[self.column].cat.codes.to_numpy()
        codes = np.where(codes < len(self.models), codes, -1)
        models = [self.shared, *self.models.values()]
        result: Array | None = None
        for code, rows in rows_of(codes):
            found = predict(models[code + 1], table.iloc[rows])
            if result is None:
                result = np.empty((len(table), *found.shape[1:]), found.dtype)
            result[rows] = found
        assert result is not None  # a table has rows
        return result

    def to_json(self) -> dict[str, Any]:
        """Return everything beside the networks in JSON's types."""
        return {
            "by_value": {
                "column": self.column,
                "kinds": dict(self.kinds),
                "shared": self.shared._to_json(),
                "models": {value: model._to_json() for value, model in self.models.items()},
                "reasons": dict(self.reasons),
            }
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], networks: list[MLP], kind: type) -> Self:
        """Return the models, of class `kind`, that `to_json` described, with their networks."""
        coming = iter(networks)

        def model_of(own: dict[str, Any]) -> Any:
            model = kind(**{name: restored(value) for name, value in own["parameters"].items()})
            model._restore(own, [next(coming) for _ in own["encodings"]])
            return model

        entry = entry["by_value"]
        shared = model_of(entry["shared"])
        models = {str(value): model_of(own) for value, own in entry["models"].items()}
        if next(coming, None) is not None:
            raise ValueError("there are more networks than the models have")
        return cls(str(entry["column"]), entry["kinds"], shared, models, entry["reasons"])


def typed(table: pd.DataFrame, kinds: Mapping[str, Kind]) -> pd.DataFrame:
    """Return a table in which numbers, dates and text are stored as such.

    A part of it has the kinds of the whole: a column of codes such as "A1" and "17" remains one of
    categories in rows that have "17" alone.
    """
    columns: dict[str, Any] = {}
    for name, kind in kinds.items():
        column = table[name]
        if kind == "number":
            columns[name] = numbers(column)
        elif kind == "date":
            columns[name] = dates(column).to_numpy()
        elif column.dtype == object or column.dtype == "str":
            codes, cells = factorized(column)
            columns[name] = pd.Categorical.from_codes(codes, pd.Index(cells, dtype=object))
        else:
            columns[name] = column.array
    return pd.DataFrame(columns, index=table.index)


def rows_of(codes: NDArray[np.integer[Any]]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each different code with the rows, in ascending order, that have it."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    for rows in np.split(order, np.flatnonzero(np.diff(ordered)) + 1):
        yield int(codes[rows[0]]), rows


# -------------------------------------------------------------------------------- fitting


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
    time_limit = math.inf if model.time_limit is None else model.time_limit
    codes, values = texts(given.table[model.per])
    given_as_text = given.table.assign(**{model.per: pd.Categorical.from_codes(codes, values)})
    table = typed(given_as_text, {name: kind_of(one) for name, one in given_as_text.items()})
    given = replace(given, table=table)

    seed = int(rng.randint(2**31 - 1))
    shared = part_of(model, table, seed)
    trainings = [shared._prepare(given, callbacks, check_random_state(seed))]
    columns = [name for name in shared.encoder_.kinds if name != model.per]
    rows_by = {values[code]: rows for code, rows in rows_of(codes) if code >= 0}
    reasons = {value: why_shared(model, given.y[rows], columns) for value, rows in rows_by.items()}
    prepared: dict[str, tuple[Any, ModelJob]] = {}

    def prepare(value: str) -> None:
        own = given[rows_by[value]]
        own = replace(own, table=own.table[columns])
        part = part_of(model, own.table, seed_of(seed, value), own.y)
        try:
            training = part._prepare(own, callbacks, check_random_state(part.random_state))
        except NoColumnError as error:
            reasons[value] = str(error)
        else:
            prepared[value] = part, training

    candidates = [value for value in rows_by if not reasons[value]]
    candidates.sort(key=lambda value: -len(rows_by[value]))
    n_reached = for_each(candidates, prepare, started + PREPARING * time_limit)
    for value in candidates[n_reached:]:
        prepared.pop(value, None)  # of a process that was faster than the first
        reasons[value] = UNREACHED
    models = {value: prepared[value][0] for value in rows_by if value in prepared}
    trainings += [prepared[value][1] for value in models]

    left = None
    if model.time_limit is not None:
        left = time_limit - (1 + AFTERWARDS) * (perf_counter() - started)
    trained = train_models(trainings, model.n_threads, left)
    trained.require_first(model.time_limit)
    rows = trainings[0].rows
    validated = Validated(shared, shared._keep(trained.members[0], rows), len(given))
    for number, value in enumerate(list(models), start=1):
        if number in trained.diverged:
            reasons[value] = f"its training diverged: {trained.diverged[number]}"
        elif not trained.members[number]:
            interrupted = "training was interrupted before its first epoch"
            reasons[value] = interrupted if trained.interrupted else UNREACHED
        if reasons[value]:
            del models[value]
            continue
        part, training = models[value], trainings[number]
        kept = part._keep(trained.members[number], training.rows)
        validated.replace(part, kept, rows_by[value])
    reasons = {value: reason for value, reason in reasons.items() if reason}
    kinds = {**shared.encoder_.kinds, model.per: "category"}
    by_value = ByValue(model.per, kinds, shared, models, reasons)
    n_networks = sum(len(training.plan.networks) for training in trainings)
    found = notes(by_value, trained, n_networks, model.time_limit)
    return by_value, validated.scores(rows), found


def for_each(values: list[str], prepare: Callable[[str], None], end: float) -> int:
    """Prepare the models of values until a time; return of how many.

    Where processes divide the training, it is the number that the first one had time for.
    """
    n = 0
    while n < len(values) and perf_counter() < end:
        prepare(values[n])
        n += 1
    n_of_first = division().of_first(n)
    for value in values[n:n_of_first]:
        prepare(value)
    return n_of_first


def why_shared(model: Any, y: Array, columns: list[str]) -> str:
    """Return why a value whose rows have the labels y gets no model; empty if it does."""
    if len(y) < FEWEST_ROWS:
        return f"it has {len(y)} rows, fewer than {FEWEST_ROWS}"
    if not columns:
        return "there is no other column to predict from"
    if model._stratified and (y == y[0]).all():
        return f"all its rows are of the class {y[0]!s}"
    return ""


def part_of(model: Any, table: pd.DataFrame, seed: int, y: Array | None = None) -> Any:
    """Return an estimator for the columns of a table, not fitted, with the parameters of `model`.

    With y, the labels of its rows, it is that of a value.
    """
    parameters = {**model.get_params(deep=False), "per": None, "random_state": seed}
    if y is not None:
        if model.n_members is None:
            parameters["n_members"] = MEMBERS[model.quality]
        weights = parameters.get("class_weight")
        if isinstance(weights, Mapping):  # some of its classes may be missing in y
            parameters["class_weight"] = {
                label: weights.get(label, 1.0) for label in np.unique(y).tolist()
            }
    part = type(model)(**parameters)
    part._table(table, reset=True)
    return part


def seed_of(seed: int, value: str) -> int:
    """Return the seed of a value's model."""
    mixed = np.random.SeedSequence([seed, *value.encode()]).generate_state(1)[0]
    return int(mixed >> 1)


class Validated:
    """Predictions of rows by networks that were not trained on them."""

    def __init__(self, shared: Any, kept: tuple[NDArray[np.intp], Array], m: int) -> None:
        rows, predicted = kept
        self.shared = shared
        self.known = np.zeros(m, bool)
        self.known[rows] = True
        self.predicted = np.zeros((m, *predicted.shape[1:]))
        self.predicted[rows] = predicted

    def replace(
        self, model: Any, kept: tuple[NDArray[np.intp], Array], rows: NDArray[np.intp]
    ) -> None:
        """Put the predictions of a value's model in the place of those of the shared one."""
        own, predicted = kept
        self.known[rows] = False
        self.known[rows[own]] = True
        self.predicted[rows[own]] = self.shared._aligned(model, predicted)

    def scores(self, rows: Rows) -> dict[str, float]:
        """Return the metrics of the predictions; none for a very small table."""
        if not self.known.any():
            return {}
        weights = None if rows.weights is None else rows.weights[self.known]
        scores: dict[str, float] = self.shared._scores(
            self.predicted[self.known], self.shared._true(rows.targets[self.known]), weights
        )
        return scores


def notes(
    by_value: ByValue, trained: Trained, n_networks: int, time_limit: float | None
) -> list[str]:
    """Return what the user should know of a fit."""
    found = []
    if trained.interrupted:
        found.append(
            f"Training was interrupted: {sum(map(len, trained.members))} of {n_networks} networks "
            f"are kept, each with its best epoch so far"
        )
    column, reasons = by_value.column, by_value.reasons
    diverged = [value for value, reason in reasons.items() if "diverged" in reason]
    if diverged:
        found.append(
            f"training diverged for {len(diverged)} values of {column!r}, which the shared model "
            f"predicts: {shown(diverged)}; a lower learning_rate may help"
        )
    unreached = [value for value, reason in reasons.items() if reason == UNREACHED]
    if unreached:
        found.append(
            f"time_limit={time_limit:g} seconds were too few for a model of {len(unreached)} "
            f"values of {column!r}, which the shared model predicts: {shown(unreached)}; allow "
            f"more, or choose quality, n_members or epochs for shorter training"
        )
    elif not by_value.models:
        some = "; ".join(f"{value!r}: {reason}" for value, reason in [*reasons.items()][:SHOWN])
        found.append(
            f"no value of {column!r} has a model of its own; the shared model predicts all rows "
            f"({some or 'the column is empty'})"
        )
    return found


def shown(values: list[str]) -> str:
    """Return the first of some values, for a message."""
    return ", ".join(map(repr, values[:SHOWN])) + ", …" * (len(values) > SHOWN)
