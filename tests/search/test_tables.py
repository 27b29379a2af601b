"""minimize_table: parameters of an estimator of tables."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import numpy as np
import pytest

import fastmlp.cli.search

pytest.importorskip("optuna")
pd = pytest.importorskip("pandas")

from fastmlp import tabular  # noqa: E402
from fastmlp.experiments.table_rows import TableRows  # noqa: E402
from fastmlp.search.tables import SPACE, TableSpace, minimize_table  # noqa: E402

FEW = {"hidden_layer_sizes": [(4,), ()], "epochs": 3, "dropout": (0.0, 0.5)}


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[TableRows, TableRows]:
    """Training and validation rows of a class that depends on a number and a category."""
    X = pd.DataFrame({"x": rng.normal(size=90), "c": rng.choice(["a", "b"], 90)})
    y = np.where(X["x"] + (X["c"] == "a") > 0.5, "yes", "no").astype(object)
    return TableRows(X[:60], y[:60]), TableRows(X[60:], y[60:])


def search(rows: Any, space: Any = None, estimator: Any = None, **options: Any) -> Any:
    if estimator is None:
        estimator = tabular.TabularClassifier(n_members=1, random_state=0)
    options = {"metric": "log_loss", "n_trials": 3, **options}
    return minimize_table(estimator, *rows, FEW if space is None else space, **options)


def test_the_best_value_is_that_of_an_estimator_with_the_best_parameters(rows: Any) -> None:
    found = search(rows, metric="accuracy")
    model = tabular.TabularClassifier(n_members=1, random_state=0, **found.best_parameters)
    training, validation = rows
    model.fit(training.X, training.y)
    assert found.best_value == pytest.approx(1 - model.score(validation.X, validation.y))
    assert found.best_value == min(row["value"] for row in found.trials)
    assert found.stopped_by == "n_trials"


def test_trials_have_parameters_of_the_space_and_epochs_of_their_own(rows: Any) -> None:
    found = search(rows)
    assert len(found.trials) == 3
    for row in found.trials:
        assert row["hidden_layer_sizes"] in ((4,), ())
        assert 0 <= row["dropout"] <= 0.5
        assert row["epochs"] == 3


def test_the_estimator_is_left_as_it_was(rows: Any) -> None:
    estimator = tabular.TabularClassifier(n_members=1, random_state=0)
    search(rows, estimator=estimator)
    assert estimator.get_params() == tabular.TabularClassifier(
        n_members=1, random_state=0
    ).get_params()
    assert not hasattr(estimator, "networks_")


@pytest.mark.parametrize(
    ("space", "options", "error", "message"),
    [
        ({}, {}, ValueError, "empty"),
        ([], {}, TypeError, "must be a dict"),
        ({"depth": 2}, {}, ValueError, "unknown key 'depth'"),
        ({"encoding": ["log"]}, {}, ValueError, "encoding"),
        ({"dropout": (0.5, 0.1)}, {}, ValueError, "from a smaller to a larger"),
        (FEW, {"metric": "rmse"}, ValueError, "metric"),
        (FEW, {"sampler": "grid"}, ValueError, "sampler"),
    ],
)
def test_what_does_not_fit_is_an_error(
    rows: Any, space: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        search(rows, space, **options)


def test_a_regression_has_no_label_smoothing(rows: Any) -> None:
    values = [TableRows(one.X, one.X["x"].to_numpy()) for one in rows]
    estimator = tabular.TabularRegressor(n_members=1, random_state=0)
    with pytest.raises(ValueError, match="unknown key 'label_smoothing'"):
        search(values, {"label_smoothing": 0.1}, estimator, metric="rmse")
    found = search(values, {"epochs": 2}, estimator, metric="rmse", n_trials=1)
    assert np.isfinite(found.best_value)


def test_the_default_space_is_valid() -> None:
    assert list(TableSpace.of(SPACE).keys) == list(SPACE)
    assert set(SPACE) <= set(tabular.TabularClassifier().get_params())


def test_the_space_that_the_command_s_help_shows_is_the_default() -> None:
    shown = "\n".join(re.findall(r"^    (\w+ = .*)$", fastmlp.cli.search.__doc__ or "", re.M))
    assert TableSpace.of(tomllib.loads(shown)) == TableSpace.of(SPACE)


def test_without_a_space_it_is_the_default_of_the_estimator_s_parameters(rows: Any) -> None:
    values = [TableRows(one.X, one.X["x"].to_numpy()) for one in rows]
    known = tabular.TabularRegressor().get_params()
    estimator = tabular.TabularRegressor(n_members=1, random_state=0, time_limit=1.0)
    found = minimize_table(estimator, *values, metric="rmse", n_trials=1)
    assert set(found.best_parameters) == {name for name in SPACE if name in known}
