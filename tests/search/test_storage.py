"""A study in a file: it goes on, it is shared, and no kill breaks it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

import fastmlp
from fastmlp.search.storage import Company, opened

Search = Callable[..., fastmlp.search.Result]  # see conftest.py


@pytest.fixture(params=["study.journal", "study.db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / request.param


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "study.journal"


def leave_a_trial_running(path: Path) -> None:
    """As a process does that is killed."""
    with opened(path) as (storage, _):
        study = optuna.load_study(study_name="fastmlp", storage=storage)
        study.ask().suggest_float("learning_rate", 1e-3, 1e-1, log=True)


def states(path: Path) -> list[TrialState]:
    """How the trials in a file are."""
    with opened(path) as (storage, _):
        study = optuna.load_study(study_name="fastmlp", storage=storage)
        return [one.state for one in study.trials]


def test_a_second_call_goes_on_where_the_first_ended(search: Search, path: Path) -> None:
    first = search(n_trials=4, storage=path)
    second = search(n_trials=9, storage=path)
    assert second.trials[:4] == first.trials
    assert len(second.trials) == 9
    whole = search(n_trials=9)
    for key in ("value", "learning_rate", "hidden"):
        assert [row[key] for row in second.trials] == [row[key] for row in whole.trials]


def test_nothing_is_left_to_do_when_there_are_enough(search: Search, path: Path) -> None:
    first = search(n_trials=5, storage=path)
    again = search(n_trials=5, storage=path)
    assert again == fastmlp.search.Result(**{**vars(first), "study": again.study})
    assert len(states(path)) == 5


def test_a_trial_that_a_killed_process_left_is_lost_and_made_up_for(
    search: Search, path: Path
) -> None:
    first = search(n_trials=3, storage=path)
    leave_a_trial_running(path)
    second = search(n_trials=6, storage=path)
    assert second.trials[:3] == first.trials
    assert [row["number"] for row in second.trials] == [0, 1, 2, 4, 5, 6]
    assert states(path).count(TrialState.FAIL) == 1
    assert states(path)[3] == TrialState.FAIL


def test_trials_of_processes_at_work_are_left_alone_and_count(search: Search, path: Path) -> None:
    search(n_trials=3, storage=path)
    leave_a_trial_running(path)
    company = Company(path)
    company.join()  # as if the process were alive
    result = search(n_trials=6, storage=path)
    assert [row["number"] for row in result.trials] == [0, 1, 2, 4, 5]
    assert states(path)[3] == TrialState.RUNNING
    company.leave()
    assert len(search(n_trials=6, storage=path).trials) == 6


def test_the_last_process_makes_up_for_those_killed_beside_it(
    search: Search, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is there at the beginning, and gone without its trial at the end."""
    search(n_trials=2, storage=path)
    leave_a_trial_running(path)
    other = Company(path)
    other.join()
    fit = fastmlp.MLP.fit

    def killing(net: fastmlp.MLP, *arguments: Any, **options: Any) -> Any:
        other.leave()
        return fit(net, *arguments, **options)

    monkeypatch.setattr(fastmlp.MLP, "fit", killing)
    assert len(search(n_trials=5, storage=path).trials) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 4}, "epochs was 5, now 4"),
        ({"seed": 7}, "seed was 0, now 7"),
        ({"space": {"hidden": (8,)}}, "another space"),
        ({"objective": "validation_cost"}, "objective was 'validation_error', now 'validation_c"),
        ({"validation_data": 0.2}, "examples was"),
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


def test_half_a_line_at_the_end_of_a_journal_is_cut_off(search: Search, journal: Path) -> None:
    first = search(n_trials=3, storage=journal)
    content = journal.read_bytes()
    journal.write_bytes(content + content.splitlines()[-1][:9])
    assert search(n_trials=4, storage=journal).trials[:3] == first.trials


def test_half_a_first_line_is_no_study(search: Search, journal: Path) -> None:
    journal.write_bytes(b'{"op_')
    assert len(search(n_trials=2, storage=journal).trials) == 2


def test_a_file_that_is_something_else_is_left_as_it_is(search: Search, path: Path) -> None:
    path.write_text("a,b\n1,2")
    with pytest.raises(ValueError, match=rf"{path.name} is (there already|not a database)"):
        search(storage=path)
    assert path.read_text() == "a,b\n1,2"


def test_a_database_may_be_a_url(search: Search, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/study.db"
    search(n_trials=2, storage=place)
    assert len(search(n_trials=3, storage=tmp_path / "study.db").trials) == 3


def test_a_place_that_is_not_there_is_named(search: Search, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        search(storage=tmp_path / "nowhere" / "study.journal")


def test_one_is_alone_until_another_joins(tmp_path: Path) -> None:
    first, second, third = (Company(tmp_path / "study") for _ in range(3))
    assert first.alone()
    assert not second.alone()
    first.join()
    second.join()
    assert not third.alone()
    assert not first.alone()
    second.leave()
    assert first.alone()
    first.leave()
    assert third.alone()
    third.leave()
    assert os.listdir(tmp_path) == ["study.workers"]
    assert (tmp_path / "study.workers").stat().st_size == 0
