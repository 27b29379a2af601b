"""fastmlp search: the best model for a table, and a study that continues after a kill."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sklearn.metrics import log_loss

import fastmlp
from fastmlp import tabular
from fastmlp.experiments.splits import test_rows as rows_of_test
from fastmlp.tabular.reading import read_table

Command = Callable[..., Any]  # see conftest.py
SPACE = """\
hidden_layer_sizes = [[4], [8, 4]]
activation = ["relu", "silu"]
learning_rate = { low = 0.01, high = 0.1, log = true }
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    return path


@pytest.fixture
def search(fastmlp_command: Command, mixed: Path, space: Path) -> Command:
    """Searches on `mixed` for a few trials, with more arguments."""

    def command(*more: object) -> Any:
        basis = (mixed, "--label", "bought", "--drop", "price", "--space", space)
        return fastmlp_command("search", *basis, "--epochs", 4, "--trials", 4, *more)

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
    code, out, err = search("--metric", "auc")
    assert (code, err) == (0, "")
    header, *lines, best = out.splitlines()[2:]
    assert header.split()[:5] == ["trial", "1", "-", "auc", "best"]
    assert [line.split()[0] for line in lines] == ["0", "1", "2", "3"]
    values = [float(line.split()[1]) for line in lines]
    assert best.startswith("best of 4 trials: ")
    assert float(best.split()[4]) == pytest.approx(min(values), abs=1e-5)
    assert ", epochs 4" not in best  # printed as a column
    assert "hidden_layer_sizes " in best


def test_training_takes_the_winner(
    search: Command, fastmlp_command: Command, mixed: Path, tmp_path: Path
) -> None:
    """It is the model that the search itself saves."""
    config, model, other = (tmp_path / name for name in ("best.toml", "a.npz", "b.npz"))
    code, out, _ = search("--save-config", config, "--save", model)
    assert code == 0
    assert f"saved {config}\n" in out
    chosen = tomllib.loads(config.read_text())
    assert set(chosen) == {"hidden_layer_sizes", "activation", "learning_rate", "epochs"}
    assert chosen["epochs"] == 4
    basis = ("train", mixed, "--label", "bought", "--drop", "price", "--config", config)
    assert fastmlp_command(*basis, "--save", other).code == 0
    found = [tabular.load(path) for path in (model, other)]
    X = read_table(mixed)[list(found[0].feature_names_in_)]
    np.testing.assert_array_equal(*(one.predict_proba(X) for one in found))
    assert list(found[0].get_params()["hidden_layer_sizes"]) == chosen["hidden_layer_sizes"]


def test_a_regression_is_searched_without_label_smoothing(
    fastmlp_command: Command, mixed: Path
) -> None:
    basis = ("search", mixed, "--label", "price", "--drop", "bought", "--epochs", 3, "--trials", 2)
    code, out, _ = fastmlp_command(*basis)
    assert code == 0
    assert out.splitlines()[2].split()[:2] == ["trial", "rmse"]
    assert "encoding " in out and "label_smoothing" not in out


def test_the_best_trial_is_measured_on_rows_that_it_was_not_trained_on(
    search: Command, mixed: Path, space: Path
) -> None:
    """The log-loss of the only trial, remade with the estimator and the same divisions."""
    space.write_text("hidden_layer_sizes = [[4]]\nactivation = \"relu\"\n")
    out = search("--trials", 1).out
    frame = read_table(mixed)
    y = frame["bought"].to_numpy(object)
    training = np.setdiff1d(np.arange(160), rows_of_test(y, 0.2, 0, stratify=True))
    part = rows_of_test(y[training], 0.2, 0, stratify=True)
    X = frame.drop(columns=["bought", "price"])
    fitted = np.setdiff1d(training, training[part])
    model = tabular.TabularClassifier(
        n_members=1, hidden_layer_sizes=(4,), activation="relu", epochs=4, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X.iloc[fitted], y[fitted])
    p = model.predict_proba(X.iloc[training[part]])
    expected = log_loss(y[training[part]], p)
    assert float(out.split("best of 1 trials: ")[1].split()[0]) == pytest.approx(expected, rel=1e-4)


def test_trials_that_all_diverge_are_an_error(search: Command, space: Path) -> None:
    space.write_text("learning_rate = 1e30\nactivation = \"relu\"\n")
    code, out, err = search("--trials", 2)
    assert code == 1
    assert out.count(" diverged ") == 2
    assert "became infinite or NaN in all 2 trials" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "colour"], "mixed.csv: no column 'colour'"),
        (["--space", "nowhere.toml"], "nowhere.toml: No such file or directory"),
        (["--validation", "0"], "'0' is not a number between 0 and 1"),
        (["--metric", "rmse"], "the metrics of a classification are log_loss"),
        (["--no-pruning"], "there is no --no-pruning any more"),
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
        ("lerning_rate = 0.1\n", "'lerning_rate'; did you mean 'learning_rate'?"),
        ("hidden_layer_sizes = [[4], [0]]\n", "hidden_layer_sizes[0] must be at least 1, got 0"),
        ("dropout = { low = 0.1 }\n", "dropout needs low and high"),
        ("dropout = 1\n", "dropout must be in [0, 1), got 1"),
        ('encoding = ["log"]\n', "Known: raw, piecewise_linear, quantile"),
        ("", "is empty"),
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
    search: Command, mixed: Path, space: Path, tmp_path: Path
) -> None:
    content = mixed.read_bytes()
    for option in ("--save", "--save-config", "--storage"):
        code, _, err = search(option, mixed)
        assert code == 2
        assert "is the same file as TABLE" in err
    assert mixed.read_bytes() == content
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
    assert "\n4 of 4 trials are there already\n" in out
    assert len(out.splitlines()) == 5
    code, _, err = search("--storage", journal, "--metric", "auc")
    assert code == 2
    assert "metric was 'log_loss', now 'auc'" in err
    assert "another space" in search("--storage", journal, "--epochs", 5).err


def test_the_latest_rows_by_a_date_are_the_test_set(search: Command, journal: Path) -> None:
    for n_there in range(2):
        code, out, _ = search("--time", "since", "--storage", journal)
        assert code == 0
        assert "(the latest by since)" in out
        assert ("4 of 4 trials are there already" in out) == n_there


def test_what_is_for_classes_is_refused_or_left_out_of_a_regression(
    fastmlp_command: Command, houses: Path, space: Path
) -> None:
    basis = ("search", houses, "--label", "price", "--epochs", 1, "--trials", 1)
    code, _, err = fastmlp_command(*basis, "--class-weight", "balanced")
    assert code == 2
    assert "--class-weight is for classification" in err
    space.write_text("label_smoothing = { low = 0.0, high = 0.1 }\n")
    code, _, err = fastmlp_command(*basis, "--space", space)
    assert code == 2
    assert f"{space}: label_smoothing is for classification" in err
    code, out, _ = fastmlp_command(*basis)
    assert code == 0
    assert "label_smoothing" not in out


def test_quality_and_class_weights_hold_for_every_trial(
    search: Command, model: Path
) -> None:
    assert search("--quality", "fast", "--class-weight", "balanced", "--save", model).code == 0
    found = tabular.load(model)
    assert (found.quality, found.class_weight) == ("fast", "balanced")


# ----------------------------------------------------------------------------- killed and shared


def arguments(digits: Path, journal: Path, *more: object) -> list[str]:
    """A search of 9 trials on the digits."""
    options = ["--label", "y", "--trials", 9, "--epochs", 6, "--storage", journal, *more]
    return ["search", str(digits), *map(str, options)]


def started(digits: Path, journal: Path, *more: object) -> subprocess.Popen[str]:
    """A process that makes 9 trials on the digits."""
    return subprocess.Popen(
        [sys.executable, "-m", "fastmlp", *arguments(digits, journal, *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def after_trials(count: int, process: subprocess.Popen[str]) -> None:
    """Wait until a process has printed the lines of so many trials."""
    assert process.stdout is not None
    for line in process.stdout:
        if re.match(r" +\d+  ", line):
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


def test_a_killed_process_loses_at_most_its_running_trials(
    digits: Path, journal: Path, fastmlp_command: Command
) -> None:
    known: dict[int, FrozenTrial] = {}
    for jobs in (1, 2):
        with started(digits, journal, "--jobs", jobs) as process:
            after_trials(2, process)
            process.kill()
        before, known = known, finished(journal)
        assert before.items() <= known.items()
        assert len(known) >= len(before) + 2
    code, out, err = fastmlp_command(*arguments(digits, journal, "--jobs", 2))
    assert (code, err) == (0, "")
    assert f"\n{len(known)} of 9 trials are there already\n" in out
    assert known.items() <= finished(journal).items()
    assert len(finished(journal)) == 9
    begun = [json.loads(line) for line in journal.read_text().splitlines()]
    created = sum(entry["op_code"] == 4 for entry in begun)  # Optuna's CREATE_TRIAL
    assert created <= 9 + 1 + 2  # those that were running


def test_processes_share_the_work_of_a_killed_one_too(
    digits: Path, journal: Path, fastmlp_command: Command
) -> None:
    with started(digits, journal) as one, started(digits, journal) as other:
        after_trials(1, one)
        one.kill()
        out, err = other.communicate()
    assert (other.returncode, err) == (0, "")
    assert len(finished(journal)) == 9
    with started(digits, journal) as process:
        here = fastmlp_command(*arguments(digits, journal))
        out, err = process.communicate()
    for outcome in (here, (process.returncode, out, err)):
        assert (outcome[0], outcome[2]) == (0, "")
        assert "best of 9 trials: " in outcome[1]
    assert len(finished(journal)) == 9
