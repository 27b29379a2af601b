"""fastmlp search: the best model for a table, and a study that continues after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

import fastmlp
from fastmlp.cli.tables import open_table

Command = Callable[..., Any]  # see conftest.py
SPACE = """\
hidden = [[4], [8, 4]]
activation = ["relu", "tanh"]
batch_norm = [false, true]
learning_rate = { low = 0.01, high = 0.1, log = true }
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    return path


@pytest.fixture
def search(fastmlp_command: Command, flowers: Path, space: Path) -> Command:
    """Searches on `flowers` for a few trials, with more arguments."""

    def command(*more: object) -> Any:
        basis = (flowers, "--label", "species", "--drop", "note", "--space", space)
        return fastmlp_command("search", *basis, "--trials", 4, *more)

    return command


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    X, y = fastmlp.datasets.digits()
    path = tmp_path / "digits.npz"
    np.savez(path, X=X, y=y)
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "study.journal"


def test_it_prints_a_line_for_each_trial_and_the_best(search: Command) -> None:
    code, out, err = search()
    assert (code, err) == (0, "")
    header, *lines, best = out.splitlines()
    assert header.startswith("trial  validation error")
    assert [line.split()[0] for line in lines] == ["0", "1", "2", "3"]
    assert best.startswith("best of 4 trials: ")
    assert ", batch_norm " in best


def test_the_saved_model_takes_the_columns_as_they_are_in_the_table(
    search: Command, flowers: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.npz"
    out = search("--save", model).out
    assert out.endswith(f"trained on all rows: accuracy 1.0000 (60 rows)\nsaved {model}\n")
    net = fastmlp.load(model)
    columns = ["year", "moment", "kind"]
    table = open_table(flowers)
    X, labels = table.numbers(columns), table.labels("species")
    assert net.metadata == {
        "task": "classification",
        "label": "species",
        "columns": columns,
        "classes": ["rose", "tulip"],
    }
    np.testing.assert_array_equal(np.take(net.metadata["classes"], net.predict(X)), labels)


def test_a_regression_predicts_in_the_units_of_the_table(
    fastmlp_command: Command, houses: Path, space: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.npz"
    basis = ("search", houses, "--label", "price", "--task", "regression", "--space", space)
    code, out, _ = fastmlp_command(*basis, "--trials", 6, "--epochs", 30, "--save", model)
    assert code == 0
    assert out.startswith("trial   validation cost")
    X = open_table(houses).numbers(["area", "rooms", "price"])
    error = fastmlp.load(model).predict(X[:, :2]) - X[:, 2]
    assert np.abs(error).max() < 0.2 * np.ptp(X[:, 2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "colour"], "flowers.csv: no column 'colour'"),
        (["--space", "nowhere.toml"], "nowhere.toml: No such file or directory"),
        (["--validation", "0"], "--validation must be above 0"),
        (["--seconds", "0"], "argument --seconds: '0' is not a number above 0"),
        (["--jobs", "0"], "argument --jobs: '0' is not a whole number, 1 or more"),
        (["--sampler", "grid"], "argument --sampler: invalid choice: 'grid'"),
    ],
)
def test_bad_input_is_one_line(search: Command, options: list[str], message: str) -> None:
    code, out, err = search(*options)
    assert (code, out) == (2, "")
    assert err.startswith("fastmlp search: error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hidden = [[4]]\nlerning_rate = 0.1\n", "'lerning_rate'; did you mean 'learning_rate'?"),
        ("hidden = [[4], [0]]\n", "hidden[0] must be at least 1, got 0"),
        ("depth = 2\nwidth = 1000000\n", "hidden layers of 1000000-1000000 units make"),
        ("hidden = [[4]]\nl2 = { low = 1 }\n", "l2 needs low and high"),
    ],
)
def test_an_invalid_space_is_one_line(
    search: Command, space: Path, text: str, message: str
) -> None:
    space.write_text(text)
    code, out, err = search()
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_neither_table_nor_another_file_is_overwritten(
    search: Command, flowers: Path, space: Path, tmp_path: Path
) -> None:
    content = flowers.read_bytes()
    for option in ("--save", "--storage"):
        code, _, err = search(option, flowers)
        assert code == 2
        assert "is the same file as TABLE" in err
    assert flowers.read_bytes() == content
    assert "is the same file as --space" in search("--storage", space).err
    other = tmp_path / "other"
    other.write_text("some text")
    assert "exists and is not a journal of Optuna" in search("--storage", other).err
    assert other.read_text() == "some text"
    assert space.read_text() == SPACE


def test_without_optuna_it_says_what_to_install(
    search: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = search()
    assert code == 2
    assert err == (
        "fastmlp search: error: fastmlp.search needs optuna: pip install \"fastmlp[search]\"\n"
    )


def test_it_continues_a_study_in_a_file(search: Command, journal: Path) -> None:
    assert "\n" in search("--storage", journal).out
    code, out, _ = search("--storage", journal)
    assert code == 0
    assert out.startswith("4 of 4 trials are there already\n")
    assert len(out.splitlines()) == 3
    code, _, err = search("--storage", journal, "--epochs", 3)
    assert code == 2
    assert "epochs was 20, now 3" in err


# ----------------------------------------------------------------------------- killed and shared


def started(digits: Path, journal: Path, *more: object) -> subprocess.Popen[str]:
    """A process that makes 9 trials on the digits."""
    arguments = [digits, "--label", "y", "--trials", 9, "--epochs", 40, "--storage", journal, *more]
    return subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "search", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def after_trials(count: int, process: subprocess.Popen[str]) -> None:
    """Wait until a process has printed the lines of so many trials."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.split()[0].isdecimal() and " of " not in line:
            count -= 1
        if count == 0:
            return
    raise AssertionError(f"it ended early: {process.communicate()[1]}")


def finished(journal: Path) -> dict[int, FrozenTrial]:
    """The finished trials in a journal."""
    study = optuna.load_study(
        study_name="fastmlp", storage=JournalStorage(JournalFileBackend(str(journal)))
    )
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return {one.number: one for one in study.get_trials(states=states)}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_process_loses_at_most_its_running_trials(
    digits: Path, journal: Path, jobs: int
) -> None:
    known: dict[int, FrozenTrial] = {}
    for _ in range(3):
        with started(digits, journal, "--jobs", jobs) as process:
            after_trials(2, process)
            process.kill()
        before, known = known, finished(journal)
        assert before.items() <= known.items()
        assert len(known) >= len(before) + 2
    with started(digits, journal, "--jobs", jobs) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.startswith(f"{len(known)} of 9 trials are there already\n")
    assert known.items() <= finished(journal).items()
    assert len(finished(journal)) == 9
    begun = [json.loads(line) for line in journal.read_text().splitlines()]
    created = sum(entry["op_code"] == 4 for entry in begun)  # Optuna's CREATE_TRIAL
    assert created <= 9 + 3 * jobs


def test_processes_share_the_work_of_a_killed_one_too(digits: Path, journal: Path) -> None:
    with started(digits, journal) as one, started(digits, journal) as other:
        after_trials(1, one)
        one.kill()
        out, err = other.communicate()
    assert (other.returncode, err) == (0, "")
    assert len(finished(journal)) == 9
    with started(digits, journal) as one, started(digits, journal) as other:
        for process in (one, other):
            out, err = process.communicate()
            assert (process.returncode, err) == (0, "")
            assert "best of 9 trials: " in out
    assert len(finished(journal)) == 9
