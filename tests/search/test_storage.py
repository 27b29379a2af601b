"""A study in a file: it continues, it is shared, and a killed process cannot damage it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import fastmlp
from fastmlp.search import trials as search_trials
from fastmlp.search.locks import SharedLock
from fastmlp.search.storage import opened

Search = Callable[..., fastmlp.search.Result]  # see conftest.py


def leave_a_trial_running(path: Path) -> None:
    """Begin a trial as a process does that is then killed."""
    with opened(path) as (storage, _):
        study = optuna.load_study(study_name="fastmlp", storage=storage)
        study.ask().suggest_float("learning_rate", 1e-3, 1e-1, log=True)


def states(path: Path) -> list[TrialState]:
    """The states of the trials in a file."""
    with opened(path) as (storage, _):
        study = optuna.load_study(study_name="fastmlp", storage=storage)
        return [one.state for one in study.trials]


def test_a_second_call_continues_where_the_first_ended(search: Search, path: Path) -> None:
    first = search(n_trials=4, storage=path)
    second = search(n_trials=9, storage=path)
    assert second.trials[:4] == first.trials
    assert len(second.trials) == 9
    whole = search(n_trials=9)
    for key in ("value", "learning_rate", "hidden"):
        assert [row[key] for row in second.trials] == [row[key] for row in whole.trials]


def test_a_study_with_enough_trials_gets_no_more(search: Search, path: Path) -> None:
    first = search(n_trials=5, storage=path)
    again = search(n_trials=5, storage=path)
    assert again == fastmlp.search.Result(**{**vars(first), "study": again.study})
    assert len(states(path)) == 5


def test_a_trial_of_a_killed_process_is_replaced_by_a_new_one(
    search: Search, path: Path
) -> None:
    first = search(n_trials=3, storage=path)
    leave_a_trial_running(path)
    second = search(n_trials=6, storage=path)
    assert second.trials[:3] == first.trials
    assert [row["number"] for row in second.trials] == [0, 1, 2, 4, 5, 6]
    assert states(path).count(TrialState.FAIL) == 1
    assert states(path)[3] == TrialState.FAIL


def figures(result: fastmlp.search.Result) -> list[dict[str, Any]]:
    """The trials without what differs from search to search: numbers and seconds."""
    without = ("number", "seconds")
    return [{key: one for key, one in row.items() if key not in without} for row in result.trials]


WHOLE: dict[str, fastmlp.search.Result] = {}  # by sampler: searches that nothing interrupted


@pytest.mark.parametrize(
    ("path", "sampler", "ends"),
    [
        *product(["study.journal"], ["tpe", "gp", "random"], [(0,), (3,), (3, 3, 11)]),
        # what samplers read of a study is the same, and a database takes ten times as long
        ("study.db", "tpe", (0,)),
        ("study.db", "gp", (3, 3, 11)),
    ],
    ids=str,
    indirect=["path"],
)
def test_a_search_that_was_killed_and_continued_has_the_trials_of_one_that_was_not(
    search: Search, path: Path, sampler: str, ends: tuple[int, ...]
) -> None:
    """The searches end in their trial `ends`; past the tenth trial samplers learn from others."""
    for end in ends:
        if end:
            search(n_trials=end, storage=path, sampler=sampler)
        else:
            with opened(path) as (storage, _):
                optuna.create_study(study_name="fastmlp", storage=storage)
        leave_a_trial_running(path)
    continued = search(n_trials=13, storage=path, sampler=sampler)
    if sampler not in WHOLE:
        WHOLE[sampler] = search(n_trials=13, sampler=sampler)
    whole = WHOLE[sampler]
    assert figures(continued) == figures(whole)
    assert continued.best_parameters == whole.best_parameters
    assert states(path).count(TrialState.FAIL) == len(ends)


def test_ctrl_c_and_a_second_call_make_the_same_trials(
    search: Search, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit_task = search_trials.fit_task
    calls = iter(range(100))

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return fit_task(*arguments, **options)

    monkeypatch.setattr(search_trials, "fit_task", interrupted)
    with pytest.warns(UserWarning, match="Search interrupted, finished trials: 2"):
        search(storage=path)
    assert figures(search(storage=path)) == figures(search())


def test_a_trial_lost_beside_later_ones_is_made_anew(search: Search, path: Path) -> None:
    """Its process was killed, while another one went on."""
    search(n_trials=2, storage=path, sampler="random")
    leave_a_trial_running(path)
    other = SharedLock.of_file(path)
    other.share()
    search(n_trials=5, storage=path, sampler="random")
    other.release()
    result = search(n_trials=6, storage=path, sampler="random")
    assert [row["number"] for row in result.trials] == [0, 1, 3, 4, 5, 6]
    places = sorted(one.user_attrs["place"] for one in result.study.trials if one.values)
    assert places == list(range(6))
    rates = {row["learning_rate"] for row in result.trials}
    assert rates == {row["learning_rate"] for row in search(sampler="random").trials}


def test_processes_that_share_a_study_count_to_the_same_number(
    path: Path, classes: Any, tmp_path: Path
) -> None:
    np.savez(tmp_path / "examples.npz", X=classes[0], y=classes[1])
    program = textwrap.dedent("""\
        import sys
        import numpy as np
        import fastmlp
        examples = np.load(sys.argv[1])
        space = {"hidden": (4,), "learning_rate": (1e-3, 1e-1, "log")}
        fastmlp.search.minimize(
            examples["X"], examples["y"], space, n_trials=8, epochs=2, sampler="random",
            storage=sys.argv[2], pruning=False,
        )
    """)
    command = [sys.executable, "-c", program, str(tmp_path / "examples.npz"), str(path)]
    environment = os.environ | {"PYTHONPATH": str(Path(fastmlp.__file__).parents[1])}
    running = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [one.wait() for one in running] == [0, 0]
    with opened(path) as (storage, _):
        trials = optuna.load_study(study_name="fastmlp", storage=storage).trials
    assert [one.state for one in trials] == [TrialState.COMPLETE] * 8
    assert sorted(one.user_attrs["place"] for one in trials) == list(range(8))
    assert len({one.params["learning_rate"] for one in trials}) == 8


def test_running_trials_of_other_processes_count_and_are_not_changed(
    search: Search, path: Path
) -> None:
    search(n_trials=3, storage=path)
    leave_a_trial_running(path)
    lock = SharedLock.of_file(path)
    lock.share()  # as if the process were alive
    result = search(n_trials=6, storage=path)
    assert [row["number"] for row in result.trials] == [0, 1, 2, 4, 5]
    assert states(path)[3] == TrialState.RUNNING
    lock.release()
    assert len(search(n_trials=6, storage=path).trials) == 6


def test_the_last_process_replaces_trials_of_processes_killed_meanwhile(
    search: Search, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process works at the beginning, and is killed before the end."""
    search(n_trials=2, storage=path)
    leave_a_trial_running(path)
    other = SharedLock.of_file(path)
    other.share()
    fit_task = search_trials.fit_task

    def killing(*arguments: Any, **options: Any) -> Any:
        other.release()
        return fit_task(*arguments, **options)

    monkeypatch.setattr(search_trials, "fit_task", killing)
    assert len(search(n_trials=5, storage=path).trials) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 4}, "epochs was 5, now 4"),
        ({"seed": 7}, "seed was 0, now 7"),
        ({"space": {"hidden": (8,)}}, "another space"),
        ({"objective": "validation_cost"}, "objective was 'validation_error', now 'validation_c"),
        ({"validation_data": 0.2}, "examples was"),
        ({"uint8_scale": 0.5}, "uint8_scale was 1.0, now 0.5"),
        ({"max_seconds_per_trial": 5}, "max_seconds_per_trial was None, now 5"),
    ],
)
def test_a_study_is_not_mixed_with_another_one_s_trials(
    search: Search, journal: Path, options: dict[str, Any], message: str
) -> None:
    search(n_trials=1, storage=journal)
    with pytest.raises(ValueError, match="was begun with other settings: .*") as caught:
        search(n_trials=2, storage=journal, **options)
    assert message in str(caught.value)
    search(n_trials=2, storage=journal, study_name="other", **options)


def test_samplers_may_share_a_study(search: Search, path: Path) -> None:
    for n_trials, sampler in ((4, "random"), (12, "tpe"), (14, "gp")):
        assert len(search(n_trials=n_trials, storage=path, sampler=sampler).trials) == n_trials


def test_a_database_may_be_a_url(search: Search, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/study.db"
    search(n_trials=2, storage=place)
    assert len(search(n_trials=3, storage=tmp_path / "study.db").trials) == 3


def test_a_lock_is_exclusive_until_it_is_shared(tmp_path: Path) -> None:
    first, second, third = (SharedLock.of_file(tmp_path / "study") for _ in range(3))
    assert first.try_exclusive()
    assert not second.try_exclusive()
    first.share()
    second.share()
    assert not third.try_exclusive()
    assert not first.try_exclusive()
    second.release()
    assert first.try_exclusive()
    first.release()
    assert third.try_exclusive()
    third.release()
    assert os.listdir(tmp_path) == ["study.workers"]
    assert (tmp_path / "study.workers").stat().st_size == 0


# ------------------------------------------------------------------- trials that are one too many


def begin_elsewhere(monkeypatch: pytest.MonkeyPatch, before: bool) -> list[int]:
    """Let another process begin a trial whenever this one begins one, before or after it.

    The other process does so after this one has counted the trials.
    """
    ask = optuna.Study.ask
    elsewhere: list[int] = []

    def both(study: optuna.Study, *arguments: Any, **options: Any) -> optuna.Trial:
        if before:
            elsewhere.append(ask(study).number)
        trial = ask(study, *arguments, **options)
        if not before:
            elsewhere.append(ask(study).number)
        return trial

    monkeypatch.setattr(optuna.Study, "ask", both)
    return elsewhere


@pytest.mark.parametrize(("before", "numbers"), [(True, [0, 1]), (False, [0, 1, 2])])
def test_of_processes_that_begin_the_last_trial_at_once_the_later_one_gives_it_up(
    search: Search, path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, numbers: list[int]
) -> None:
    """Trial 2 is the last of three: the other process has it, or has a fourth one too many."""
    search(n_trials=2, storage=path)
    other = SharedLock.of_file(path)
    other.share()
    elsewhere = begin_elsewhere(monkeypatch, before)
    result = search(n_trials=3, storage=path)
    other.release()
    assert [row["number"] for row in result.trials] == numbers
    assert elsewhere == [2 if before else 3]
    mine = 3 if before else 2
    assert states(path)[mine] == (TrialState.FAIL if before else TrialState.COMPLETE)


def test_samplers_take_a_trial_that_diverged_for_the_worst(search: Search, path: Path) -> None:
    """TPE orders pruned trials by the last value that was reported, which here is infinite."""
    space = {"hidden": (8,), "optimizer": "gradient_descent", "learning_rate": [0.01, 1e30]}
    search(space, n_trials=8, storage=path, sampler="random")
    with opened(path) as (storage, _):
        trials = optuna.load_study(study_name="fastmlp", storage=storage).trials
    diverged = [one for one in trials if one.params["learning_rate"] == 1e30]
    assert 0 < len(diverged) < len(trials)
    for one in diverged:
        assert one.state == TrialState.PRUNED
        assert one.user_attrs["outcome"]["state"] == "diverged"
        assert one.intermediate_values[one.last_step] == float("inf")
        assert one.last_step == one.user_attrs["outcome"]["epochs"] + 1
