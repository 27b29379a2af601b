"""A study that several processes share: by a journal, or by a database on another machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

import fastmlp
from fastmlp.search.locks import DatabaseLock, SharedLock
from fastmlp.search.storage import opened

from .conftest import Search

N_TRIALS = 8


@pytest.fixture(params=["journal", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new study is stored."""
    if request.param == "journal":
        return str(tmp_path / "study.journal")
    url: str = request.getfixturevalue("postgresql")
    with opened(url) as (storage, _):
        assert storage is not None
        for study in storage.get_all_studies():
            storage.delete_study(study._study_id)
    return url


def trials_of(place: str, study: str = "fastmlp") -> list[optuna.trial.FrozenTrial]:
    with opened(place, study) as (storage, _):
        return optuna.load_study(study_name=study, storage=storage).trials


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A table of 120 rows with a class."""
    rng = np.random.default_rng(0)
    kind = rng.choice(["rose", "tulip"], 120)
    width = np.where(kind == "rose", 1.0, 2.0) + rng.normal(0, 0.5, 120)
    path = tmp_path / "flowers.csv"
    pd.DataFrame({"width": width, "height": rng.normal(size=120), "kind": kind}).to_csv(
        path, index=False
    )
    return path


def worker(flowers: Path, place: str, *options: object) -> subprocess.Popen[str]:
    """Start the command of a worker."""
    command = [
        sys.executable, "-m", "fastmlp", "search", flowers, "--label", "kind", "--epochs", 2,
        "--storage", place, "--threads", 1, *options,
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(fastmlp.__file__).parents[1])}
    return subprocess.Popen(
        [str(one) for one in command], env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_two_commands_at_once_make_the_trials_that_were_asked_for(
    place: str, flowers: Path
) -> None:
    """A worker ends when there is no trial left to begin: the other may have one under way."""
    workers = [worker(flowers, place, "--trials", N_TRIALS) for _ in range(2)]
    outputs = [one.communicate()[0] for one in workers]
    assert [one.returncode for one in workers] == [0, 0], outputs
    trials = trials_of(place)
    assert [one.state for one in trials] == [TrialState.COMPLETE] * N_TRIALS
    assert sorted(one.user_attrs["place"] for one in trials) == list(range(N_TRIALS))
    counts = [int(n) for output in outputs for n in re.findall(r"best of (\d+) trials", output)]
    assert len(counts) == 2 and max(counts) == N_TRIALS


def test_a_trial_of_a_killed_worker_is_given_up(place: str, flowers: Path) -> None:
    """It was killed in the middle of a long trial; its lock is free then, and the trial failed."""
    killed = worker(flowers, place, "--trials", 2, "--members", 500)
    assert killed.stdout is not None
    while not killed.stdout.readline().startswith("trial "):
        pass  # the header, after which the first trial begins
    while not any(one.state == TrialState.RUNNING for one in trials_of(place)):
        pass
    killed.kill()
    killed.wait()
    killed.stdout.close()
    with opened(place) as (storage, lock):  # nobody else works on it
        assert lock is not None and lock.try_exclusive()
        study = optuna.load_study(study_name="fastmlp", storage=storage)
        assert fastmlp.search.studies.fail_running(study) == 1


def test_a_search_continues_in_a_database(search: Search, postgresql: str) -> None:
    name = f"study-{uuid.uuid4()}"
    options: dict[str, Any] = {"storage": postgresql, "study_name": name}
    search(n_trials=2, **options)
    continued = search(n_trials=5, **options)
    whole = search(n_trials=5)
    assert [row["learning_rate"] for row in continued.trials] == [
        row["learning_rate"] for row in whole.trials
    ]
    assert continued.best_parameters == whole.best_parameters
    assert len(trials_of(postgresql, name)) == 5
    with pytest.raises(ValueError, match="was begun with other settings: epochs was 5, now 2"):
        search(epochs=2, **options)


def test_locks_of_a_database_exclude_and_are_shared(postgresql: str) -> None:
    from sqlalchemy import NullPool, create_engine

    engine = create_engine(
        postgresql.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool
    )
    name = str(uuid.uuid4())
    one, two, other = (DatabaseLock(engine, key) for key in (name, name, name + "'"))
    assert one.try_exclusive() and other.try_exclusive()
    assert not two.try_shared() and not two.try_exclusive(0.05)
    one.release()
    assert two.try_shared() and one.try_shared()
    assert not one.try_exclusive()  # which gives up its own share
    two.release()
    assert one.try_exclusive()
    shared = SharedLock.of_database(engine, name)
    with shared.turn():
        assert shared.try_exclusive()
    for lock in (one, two, other, shared):
        lock.release()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:secret@localhost:1/none", r"postgresql://me:\*\*\*@localhost:1/none: "),
        ("postgresql://me@localhost:x/none", "storage must be a URL such as postgresql://USER"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    search: Search, url: str, message: str
) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises((OSError, ValueError), match=message) as caught:
        search(storage=url)
    assert "secret" not in str(caught.value)


def test_a_missing_driver_is_named(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ImportError, match=r'needs psycopg: pip install "fastmlp\[postgresql\]"'):
        search(storage="postgresql://me@localhost/none")
