"""fastmlp ablate: what it prints, what it refuses, and that a kill loses no finished run."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]  # see conftest.py

STUDY = """\
[study]
data = "digits"
seeds = 3
[base]
hidden = [64]
epochs = 300
[factors]
activation = ["tanh", "sigmoid"]
dropout = [0.3]
"""
N_RUNS = 12
BASE = r"\d+/{}  base, seed 0: MAE [\d.e+]+, \d+\.\d s"  # of a table, of so many runs


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


@contextmanager
def started(study: Path) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, which is not let run for ever."""
    command = [sys.executable, "-m", "fastmlp", "ablate", str(study), "--jobs", "2"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        limit = threading.Timer(120, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()


def whole_lines(study: Path) -> list[str]:
    """Of the file of finished runs, those that are not cut off."""
    text = (study.with_suffix("") / "runs.jsonl").read_text()
    return text[: text.rfind("\n") + 1].splitlines()


def identities(lines: list[str]) -> Counter[tuple[str, int]]:
    runs = [json.loads(line) for line in lines]
    return Counter((json.dumps(run["settings"], sort_keys=True), run["seed"]) for run in runs)


def test_each_run_is_announced_and_the_files_are_named(
    fastmlp_command: Command, study: Path
) -> None:
    study.write_text(STUDY.replace("epochs = 300", "epochs = 1"))
    code, out, err = fastmlp_command("ablate", study)
    assert (code, err) == (0, "")
    *runs, total, picture = out.splitlines()
    assert len(runs) == N_RUNS
    assert any("activation: sigmoid, seed 2: accuracy 0." in line for line in runs)
    assert total.startswith(f"{N_RUNS} runs in ")
    assert total.endswith(str(study.with_suffix("") / "table.md"))
    assert "picture" in picture
    again = fastmlp_command("ablate", study).out.splitlines()
    assert again[0] == f"{N_RUNS} of {N_RUNS} runs are there already"
    assert len(again) == 3


def test_without_matplotlib_there_is_no_picture(
    fastmlp_command: Command, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    study.write_text(STUDY.replace("epochs = 300", "epochs = 1"))
    code, out, _ = fastmlp_command("ablate", study)
    assert code == 0
    assert out.endswith(
        "no picture: matplotlib is not installed; pip install 'fastmlp[plot]'\n"
    )
    assert (study.with_suffix("") / "table.md").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_kill_loses_no_finished_run(fastmlp_command: Command, study: Path) -> None:
    before: list[str] = []
    for n_new in (2, 3):
        with started(study) as process:
            if before:
                assert process.stdout.readline().startswith(f"{len(before)} of {N_RUNS} runs are")
            for _ in range(n_new):  # a run is announced when it is on disk
                assert "accuracy" in process.stdout.readline()
            process.kill()
        assert process.returncode == -signal.SIGKILL
        found = whole_lines(study)
        assert found[: len(before)] == before
        assert len(before) + n_new <= len(found) < N_RUNS
        before = found

    code, out, err = fastmlp_command("ablate", study, "--jobs", 2)
    assert (code, err) == (0, "")
    assert out.startswith(f"{len(before)} of {N_RUNS} runs are there already\n")
    after = whole_lines(study)
    assert after[: len(before)] == before
    assert len(identities(after)) == N_RUNS
    assert set(identities(after).values()) == {1}
    assert (study.with_suffix("") / "table.md").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_with_130_and_keeps_finished_runs(study: Path) -> None:
    with started(study) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err == "fastmlp ablate: error: interrupted\n"
    assert 1 <= len(whole_lines(study)) < N_RUNS


@pytest.mark.parametrize(("old", "new", "message"), [
    ("hidden = [64]", "hiden = [64]", "study.toml: base: unknown key 'hiden'; did you mean"),
    ("hidden = [64]", "hidden = [0]", "study.toml: base: hidden[0] must be at least 1, got 0"),
    ("hidden = [64]", "hidden = [-1]", "study.toml: base: hidden[0] must be at least 1, got -1"),
    ("hidden = [64]", 'hidden = ["abc"]', "hidden[0] must be a whole number, got 'abc'"),
    ('"tanh"', '"tahn"', "factors.activation, tahn: unknown activation 'tahn'; did you mean"),
    ("[base]", "[base", "study.toml: not TOML"),
])
def test_a_wrong_study_is_one_line(
    fastmlp_command: Command, study: Path, old: str, new: str, message: str
) -> None:
    study.write_text(STUDY.replace(old, new))
    code, out, err = fastmlp_command("ablate", study)
    assert (code, out) == (2, "")
    assert err.startswith("fastmlp ablate: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not study.with_suffix("").exists()


def test_a_study_that_is_not_there_is_one_line(fastmlp_command: Command, tmp_path: Path) -> None:
    code, _, err = fastmlp_command("ablate", tmp_path / "none.toml")
    assert code == 2
    assert err == f"fastmlp ablate: error: {tmp_path / 'none.toml'}: No such file or directory\n"


def test_a_table_needs_no_study(fastmlp_command: Command, houses: Path) -> None:
    pytest.importorskip("pandas")
    from fastmlp.ablation.tables import FACTORS

    command = ("ablate", houses, "--label", "price", "--quality", "fast", "--seeds", 1)
    code, out, err = fastmlp_command(*command, "--metric", "mae", "--jobs", 2)
    assert (code, err) == (0, "")
    folder = houses.with_name("houses-ablation")
    *runs, total, _ = out.splitlines()
    n = 1 + sum(map(len, FACTORS.values()))
    assert len(runs) == n
    assert sum(bool(re.fullmatch(BASE.format(n), line)) for line in runs) == 1
    assert total.startswith(f"{n} runs in ") and total.endswith(str(folder / "table.md"))
    table = (folder / "table.md").read_text("utf-8")
    assert table.startswith("# Parts of the model of price in houses.csv\n\nBase: quality fast.\n")
    assert "houses.csv: regression of price, 160 rows." in table
    again = fastmlp_command(*command, "--metric", "mae").out.splitlines()
    assert again[0] == f"{n} of {n} runs are there already"


def test_options_say_how_a_table_is_read(
    fastmlp_command: Command, mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pandas")
    monkeypatch.setattr("fastmlp.ablation.tables.FACTORS", {"n_members": [1]})
    text = mixed.read_text().replace(",", ";")
    mixed.write_text(text.replace("bought", "class"))
    code, out, _ = fastmlp_command(
        "ablate", mixed, "--label", "class", "--separator", ";", "--drop", "price,since",
        "--group", "person", "--task", "classification", "--metric", "error", "--seeds", 2,
        "--quality", "fast", "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0
    assert re.search(r"n_members: 1, seed 1: error 0\.\d{4}, ", out)
    table = (tmp_path / "out" / "table.md").read_text("utf-8")
    assert "| test error, % |" in table and "whole groups of person" in table


@pytest.mark.parametrize(("arguments", "message"), [
    (["houses.csv"], "houses.csv: not TOML"),
    (["houses.csv"], "; for a table give --label COLUMN"),
    (["study.toml", "--metric", "mae"], "--metric is for a table: give --label COLUMN"),
    (["study.toml", "--separator", ";"], "--separator is for a table"),
    (["houses.csv", "--label", "prize"], "houses.csv: no column 'prize'"),
    (["houses.csv", "--label", "price", "--data", "."], "--data is the folder of MNIST"),
    (["-", "--label", "price"], "needs a folder for the results, --out"),
])
def test_what_a_table_does_not_fit_is_one_line(
    fastmlp_command: Command, houses: Path, study: Path, arguments: list[str], message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(houses.parent)
    code, out, err = fastmlp_command("ablate", *arguments)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1
    assert {one.name for one in houses.parent.iterdir()} == {houses.name, study.name}
