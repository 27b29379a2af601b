"""A study that several processes share: by a journal, or by a database on another machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

import fastmlp
from fastmlp.search.locks import DatabaseLock, SharedLock, scalar
from fastmlp.search.storage import DRIVERS, opened

from .conftest import Search

if TYPE_CHECKING:
    from sqlalchemy import Engine

N_TRIALS = 6


@pytest.fixture(params=["journal", "postgresql", "mysql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new study is stored."""
    if request.param == "journal":
        return str(tmp_path / "study.journal")
    url: str = request.getfixturevalue(request.param)
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


def test_a_search_continues_in_a_database(search: Search, database: str) -> None:
    name = f"study-{uuid.uuid4()}"
    options: dict[str, Any] = {"storage": database, "study_name": name}
    search(n_trials=2, **options)
    continued = search(n_trials=5, **options)
    whole = search(n_trials=5)
    assert [row["learning_rate"] for row in continued.trials] == [
        row["learning_rate"] for row in whole.trials
    ]
    assert continued.best_parameters == whole.best_parameters
    assert len(trials_of(database, name)) == 5
    with pytest.raises(ValueError, match="was begun with other settings: epochs was 5, now 2"):
        search(epochs=2, **options)


@pytest.fixture
def engine(database: str) -> Engine:
    """Makes a connection for each lock."""
    from sqlalchemy import NullPool, create_engine

    scheme = database.partition(":")[0]
    return create_engine(
        database.replace(scheme, f"{scheme}+{DRIVERS[scheme]}", 1), poolclass=NullPool
    )


def test_locks_of_a_database_exclude_and_are_shared(engine: Engine) -> None:
    name = str(uuid.uuid4())
    one, two, three, other = (DatabaseLock(engine, key) for key in (name, name, name, name + "'"))
    assert one.try_exclusive() and other.try_exclusive()
    assert not two.try_shared() and not two.try_exclusive(0.05)
    one.release()
    assert two.try_shared() and one.try_shared() and three.try_shared()
    assert not one.try_exclusive()  # which gives up its own share
    two.release()
    assert not one.try_exclusive()
    three.release()
    assert one.try_exclusive()
    shared = SharedLock.of_database(engine, name)
    with shared.turn():
        assert shared.try_exclusive()
    for lock in (one, two, three, other, shared):
        lock.release()


KILLS = {  # an expression for the number of a connection, and the statement that ends it
    "postgresql": ("pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    "mysql": ("connection_id()", "KILL {}"),
}


def test_a_lock_ends_with_its_connection(engine: Engine) -> None:
    """As when the process is killed.  Releasing the lock is then no error."""
    from sqlalchemy import text

    one, two = (DatabaseLock(engine, "a lock that ends") for _ in range(2))
    number, kill = KILLS[engine.dialect.name]
    for attempt in (one.try_exclusive, one.try_shared):
        assert attempt()
        assert not two.try_exclusive()
        assert one._connection is not None
        own = scalar(one._connection, number)
        with engine.connect() as connection:
            connection.execute(text(kill.format(own)))
        assert two.try_exclusive(wait=60)
        two.release()
    one.release()


def test_more_sharers_than_a_lock_of_mysql_allows_wait(
    mysql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import NullPool, create_engine

    monkeypatch.setattr("fastmlp.search.locks.SHARERS", 2)
    engine = create_engine(mysql.replace("mysql", "mysql+pymysql", 1), poolclass=NullPool)
    one, two, three = (DatabaseLock(engine, "a lock of two") for _ in range(3))
    assert one.try_shared() and two.try_shared() and not three.try_shared()
    one.release()
    assert three.try_shared(wait=60)
    two.release()
    three.release()


@pytest.mark.parametrize("server", DRIVERS)
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("me:secret@localhost:1/none", r"://me:\*\*\*@localhost:1/none: "),
        ("me@localhost:x/none", "storage must be a URL such as {server}://USER@HOST/NAME"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    search: Search, server: str, place: str, message: str
) -> None:
    pytest.importorskip(DRIVERS[server])
    with pytest.raises((OSError, ValueError), match=message.format(server=server)) as caught:
        search(storage=f"{server}://{place}")
    assert "secret" not in str(caught.value) and DRIVERS[server] + ":" not in str(caught.value)


@pytest.mark.parametrize(("server", "driver"), DRIVERS.items())
def test_a_missing_driver_is_named(
    search: Search, monkeypatch: pytest.MonkeyPatch, server: str, driver: str
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    message = f'a study in {server} needs {driver}: pip install "fastmlp[{server}]"'
    with pytest.raises(ImportError, match=re.escape(message)):
        search(storage=f"{server}://me@localhost/none")
