"""minimize: its result, how trials end, and errors."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

import fastmlp
from fastmlp.losses import Quantile
from fastmlp.search import loop
from fastmlp.search.studies import SAMPLERS
from fastmlp.search.trials import Outcome, Plan, measure
from fastmlp.training import Stop

Array = NDArray[Any]
Search = Callable[..., fastmlp.search.Result]  # see conftest.py


def test_the_best_is_the_trial_with_the_lowest_value(search: Search) -> None:
    result = search()
    assert [row["number"] for row in result.trials] == list(range(6))
    rows = [row for row in result.trials if row["state"] == "complete"]
    assert result.best_value == min(row["value"] for row in rows)
    (best,) = (row for row in rows if result.best_parameters.items() <= row.items())
    assert best["value"] == result.best_value
    assert list(result.best_parameters) == ["hidden", "activation", "learning_rate", "batch_size"]
    assert result.stopped_by == "n_trials"
    assert result.study.best_value == result.best_value


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_refit_on_the_trials_examples_is_the_best_trial_s_network_again(
    search: Search, classes: tuple[Array, Array], schedule: str
) -> None:
    X, y = classes
    space = {
        "depth": (1, 2),
        "width": (4, 16),
        "batch_norm": [False, True],
        "dropout": (0.0, 0.5),
        "optimizer": ["gradient_descent", "adamw"],
        "momentum": 0.9,
        "weight_decay": (1e-3, 1e-1, "log"),
        "learning_rate": (3e-3, 3e-2, "log"),
        "schedule": schedule,
        "label_smoothing": (0.0, 0.1),
        "max_norm": [None, 2.0],
        "ema": [None, 0.9],
    }
    split = {"examples": (X[:150], y[:150]), "validation_data": (X[150:], y[150:])}
    result = search(space, n_trials=12, epochs=6, objective="validation_cost", **split)
    net = result.refit(X[:150], y[:150])
    assert net.cost(X[150:], y[150:]) == result.best_value
    assert net.epochs == result.best_epoch
    assert result.network().epochs == 0
    assert result.refit(X, y, epochs=2).epochs == 2


def test_the_error_is_the_fraction_of_the_validation_set_that_is_predicted_incorrectly(
    search: Search, classes: tuple[Array, Array]
) -> None:
    X, y = classes
    result = search(examples=(X[:150], y[:150]), validation_data=(X[150:], y[150:]))
    wrong = np.mean(result.refit(X[:150], y[:150]).predict(X[150:]) != y[150:])
    assert result.best_value == pytest.approx(wrong)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_gives_the_same_trials(search: Search, sampler: str) -> None:
    def values(seed: int) -> list[float]:
        return [
            row["learning_rate"]
            for row in search(n_trials=13, epochs=2, sampler=sampler, seed=seed).trials
        ]

    assert values(3) == values(3) != values(4)


def test_samplers_agree_on_the_first_trials_and_then_no_more(search: Search) -> None:
    tables = [
        search(n_trials=12, epochs=1, sampler=sampler, pruning=False).trials
        for sampler in SAMPLERS
    ]
    rates = np.array([[row["learning_rate"] for row in table] for table in tables])
    assert (rates[:, :10] == rates[0, :10]).all()
    assert len(np.unique(rates[:, 10:])) == 6


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_several_jobs_make_as_many_trials_as_wanted(search: Search, sampler: str) -> None:
    result = search(n_trials=15, epochs=2, n_jobs=3, sampler=sampler)
    assert [row["number"] for row in result.trials] == list(range(15))
    parameters = [tuple(one.params.values()) for one in result.study.trials]
    assert len(set(parameters)) == len(parameters) == 15


def test_a_trial_that_does_worse_than_most_is_pruned(search: Search) -> None:
    space = {"hidden": (8,), "learning_rate": [1e-6, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1]}
    options = {"n_trials": 30, "epochs": 8, "sampler": "random", "objective": "validation_cost"}
    rows = search(space, **options).trials
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert any(row["learning_rate"] == 1e-6 for row in pruned)
    assert all(2 <= row["epochs"] for row in pruned)
    assert min(row["epochs"] for row in pruned) < 8
    rows = search(space, pruning=False, **options).trials
    assert {(row["state"], row["epochs"]) for row in rows} == {("complete", 8)}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("pruning", [True, False])
def test_a_trial_that_diverges_is_finished_and_the_search_goes_on(
    search: Search, sampler: str, pruning: bool
) -> None:
    space = {
        "hidden": (8,),
        "activation": "identity",
        "optimizer": "gradient_descent",
        "learning_rate": [1e-2, 2e-2, 1e30],
    }
    result = search(space, n_trials=16, sampler=sampler, pruning=pruning)
    states = {(row["state"] == "diverged", row["learning_rate"] == 1e30) for row in result.trials}
    assert states == {(True, True), (False, False)}
    assert result.best_parameters["learning_rate"] < 1


def test_a_search_in_which_all_trials_diverge_is_an_error(search: Search) -> None:
    space = {"hidden": (8,), "optimizer": "gradient_descent", "learning_rate": 1e30}
    with pytest.raises(fastmlp.TrainingDiverged, match="in all 3 trials; give lower learning"):
        search(space, n_trials=3)


def test_a_time_limit_for_trials_stops_them_and_they_are_complete(search: Search) -> None:
    """No trial has a whole epoch; the parameters within the first one are measured."""
    result = search(max_seconds_per_trial=1e-9)
    assert {(row["state"], row["epochs"]) for row in result.trials} == {("complete", 0)}
    assert 0 <= result.best_value <= 1
    assert result.best_epoch == 1


def test_no_trial_begins_when_the_time_is_up(search: Search) -> None:
    with pytest.raises(ValueError, match="max_seconds passed before the first trial"):
        search(max_seconds=1e-9)


def test_regression_goes_by_the_cost(search: Search, curve: tuple[Array, Array]) -> None:
    result = search(examples=curve, loss="squared_error")
    X, y = curve
    net = result.refit(X, y)
    assert net.sizes[0] == 2
    assert net.sizes[-1] == 1
    with pytest.raises(ValueError, match="'validation_error' is for classification, not squared"):
        search(examples=curve, loss="squared_error", objective="validation_error")


def test_a_target_has_as_many_outputs_as_quantiles(
    search: Search, curve: tuple[Array, Array]
) -> None:
    result = search(examples=curve, loss=Quantile((0.1, 0.9)))
    assert result.network().sizes[-1] == 2 and result.network().loss == Quantile((0.1, 0.9))


def test_a_missing_target_is_named_with_its_row(
    search: Search, classes: tuple[Array, Array]
) -> None:
    X, y = classes
    wrong = np.where(np.arange(len(y)) == 7, np.nan, y)
    with pytest.raises(ValueError, match=r"^y must be finite, but y\[7\] is nan"):
        search(examples=(X, wrong))
    with pytest.raises(ValueError, match=r"^validation_data: y must be finite, but y\[7\] is nan"):
        search(validation_data=(X, wrong))


def test_yes_or_no_may_have_one_output_or_several(
    search: Search, classes: tuple[Array, Array]
) -> None:
    X, y = classes
    one = search(examples=(X, y == 1), loss="binary_cross_entropy")
    assert one.network().sizes[-1] == 1
    several = search(examples=(X, np.eye(3)[y]), loss="binary_cross_entropy")
    assert several.network().sizes[-1] == 3


def test_probabilities_and_bytes_and_sparse_examples_are_taken(
    search: Search, classes: tuple[Array, Array]
) -> None:
    X, y = classes
    X = np.where(X > 1, X, 0)
    dense = search(examples=(X, y))
    sparse = search(examples=(scipy.sparse.csr_array(X), np.eye(3)[y]))
    assert sparse.best_value == dense.best_value
    assert search(examples=((60 * X).clip(0, 255).astype(np.uint8), y)).best_value < 0.5


def test_bytes_count_as_multiples_of_the_scale(
    search: Search, classes: tuple[Array, Array]
) -> None:
    X, y = (60 * classes[0]).clip(0, 255).astype(np.uint8), classes[1]
    scaled = search(examples=(X, y), uint8_scale=1 / 64)
    reals = search(examples=(X.astype(np.float32) / 64, y))
    for key in ("value", "learning_rate"):
        assert [row[key] for row in scaled.trials] == [row[key] for row in reals.trials]
    assert scaled.network().uint8_scale == 1 / 64
    assert scaled.refit(X, y).uint8_scale == 1 / 64


def test_all_trials_are_measured_by_the_same_examples(search: Search) -> None:
    """The rows that fit itself would set aside depend on the number of layers."""
    values = [
        search({"hidden": hidden, "learning_rate": 1e-12}, n_trials=1, epochs=1).study.user_attrs
        for hidden in [(4,), (4, 4)]
    ]
    assert values[0]["fastmlp"]["examples"] == values[1]["fastmlp"]["examples"]


def test_no_batch_of_one_example_comes_to_batch_norm(
    search: Search, classes: tuple[Array, Array]
) -> None:
    X, y = classes
    space = {"hidden": (4,), "batch_norm": True, "batch_size": 50}
    result = search(space, examples=(X[:201], y[:201]), validation_data=(X[201:], y[201:]))
    assert result.best_parameters["batch_size"] == 50


def test_a_line_is_printed_for_each_trial(
    search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    search(verbose=True, n_trials=3)
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["trial", "validation", "error", "best"]
    assert [line.split()[0] for line in lines] == ["0", "1", "2"]
    assert all("learning_rate 0.0" in line for line in lines)
    search(n_trials=1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("by_fit", [False, True])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_ends_the_search_and_keeps_finished_trials(
    search: Search, monkeypatch: pytest.MonkeyPatch, by_fit: bool, n_jobs: int
) -> None:
    """KeyboardInterrupt in the main thread, and a fit that Ctrl-C has ended."""
    measure = loop.measure
    done: list[object] = []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        done.append(None)
        if len(done) < 3:
            return measure(*arguments, **options)
        if by_fit:
            return Outcome("interrupted", 0.0, 0.0, 0, 0, 0.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "measure", interrupted)
    with pytest.warns(UserWarning, match=r"Search interrupted, finished trials: \d"):
        result = search(n_jobs=n_jobs)
    assert result.stopped_by == "interrupt"
    assert 1 <= len(result.trials) <= 2  # another thread may still run the second one
    with pytest.raises(KeyboardInterrupt):
        search(n_jobs=n_jobs)


def test_an_error_in_a_trial_ends_the_search(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(loop, "measure", broken)
    for n_jobs in (1, 2):
        with pytest.raises(RuntimeError, match="broken"):
            search(n_jobs=n_jobs)


def test_an_error_in_one_thread_stops_the_other_one(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second thread's trial is complete when it is stopped, and it begins no other."""
    begun: list[object] = []
    both = threading.Barrier(2, timeout=60)

    def broken(plan: Plan, parameters: Any, report: Any, stop: Stop, **options: Any) -> Outcome:
        begun.append(None)
        if len(begun) <= 2 and both.wait() == 0:
            raise RuntimeError("broken")
        assert stop.wait(60)
        return Outcome("complete", 0.5, 1.0, 1, 5, 0.1)

    monkeypatch.setattr(loop, "measure", broken)
    with pytest.raises(RuntimeError, match="broken"):
        search(n_jobs=2)
    assert len(begun) == 2


def test_a_trial_that_is_stopped_ends_at_once(classes: tuple[Array, Array]) -> None:
    plan = Plan(6, 3, fastmlp.losses.CrossEntropy(), "float32", 1.0, seed=0, epochs=5)
    stop = Stop()

    def outcome() -> Outcome:
        return measure(
            plan,
            {"hidden": (4,)},
            lambda epoch, figure: False,
            stop,
            training=classes,
            validation=classes,
            objective="validation_cost",
            max_seconds=None,
            n_threads=1,
        )

    assert (outcome().state, outcome().epochs) == ("complete", 5)
    stop.set()
    assert (outcome().state, outcome().epochs) == ("interrupted", 0)


def test_callbacks_of_a_refit_are_a_list(search: Search, classes: tuple[Array, Array]) -> None:
    result = search(n_trials=1, epochs=1)
    with pytest.raises(TypeError, match="callbacks must be a sequence, got"):
        result.refit(*classes, callbacks=fastmlp.EarlyStopping(monitor="cost"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trials": 0}, "n_trials must be at least 1, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"n_jobs": 1.5}, "n_jobs must be a whole number, got 1.5"),
        ({"sampler": "gaussian"}, "unknown sampler 'gaussian'. Known: tpe, gp, random"),
        ({"objective": "validation_eror"}, "did you mean 'validation_error'?"),
        ({"loss": "hinge"}, "unknown loss 'hinge'"),
        ({"validation_data": 1.0}, "validation_data must be in (0, 1) or a pair (X, y), got 1.0"),
        ({"validation_data": (1, 2, 3)}, "validation_data must be a pair (X, y) or a fraction"),
        ({"validation_data": ([[1.0]], [0])}, "validation_data: X has 1 columns; this network has"),
        ({"max_seconds": 0}, "max_seconds must be in (0, inf), got 0"),
        ({"max_seconds_per_trial": -1}, "max_seconds_per_trial must be in (0, inf), got -1"),
        ({"uint8_scale": 0}, "uint8_scale must be in (0, inf), got 0"),
        ({"pruning": 1}, "pruning must be True or False, got 1"),
        ({"space": {"hidden": (8,), "lr": 1}}, "space: unknown key 'lr'"),
        ({"space": {"hidden": [(10**6, 10**6)]}}, "space: hidden layers of 1000000-1000000 units"),
        ({"examples": ([[1.0], [2.0]], [0, -1])}, "y must hold labels from 0 to"),
        ({"examples": ([[1.0], [2.0]], [0])}, "y has 1 entry for 2 examples in X"),
        ({"examples": ([1.0, 2.0], [0, 1])}, "X has shape (2,); expected (m, n_in)"),
        ({"examples": ([[1.0]], [0])}, "validation_data=0.3 needs at least 2 examples, got 1"),
        ({"examples": ([[np.nan]] * 4, [0, 1] * 2)}, "X must be finite"),
        ({"storage": 5}, "storage must be text or an object such as Path, got 5"),
        ({"study_name": 5}, "study_name must be text, got 5"),
        ({"storage": "redis://localhost"}, "unknown kind of storage 'redis'. Known: sqlite, "),
        ({"storage": "sqlite:///study"}, "storage must end in .db, .sqlite, .sqlite3"),
    ],
)
def test_bad_arguments_are_named(search: Search, options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        search(**options)


@pytest.mark.parametrize(
    ("missing", "sampler"), [("optuna", "tpe"), ("scipy", "gp"), ("threadpoolctl", "gp")]
)
def test_a_missing_package_is_named_with_its_installation(
    search: Search, monkeypatch: pytest.MonkeyPatch, missing: str, sampler: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    message = rf'fastmlp.search needs {missing}: pip install "fastmlp\[search\]"'
    with pytest.raises(ImportError, match=message):
        search(sampler=sampler)


def test_neither_import_nor_help_needs_optuna() -> None:
    code = (
        "import sys; sys.modules['optuna'] = None; import fastmlp; fastmlp.search.SPACE; "
        "from fastmlp.cli import main; main(['search', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--trials N" in done.stdout
