"""fastmlp ablate: what it prints, what it refuses, and that a kill loses no finished run."""

from __future__ import annotations

import json
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
seeds = 4
[base]
hidden = [64]
epochs = 500
[factors]
activation = ["tanh", "sigmoid"]
dropout = [0.3]
"""
N_RUNS = 16


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
    study.write_text(STUDY.replace("epochs = 500", "epochs = 1"))
    code, out, err = fastmlp_command("ablate", study)
    assert (code, err) == (0, "")
    *runs, total, picture = out.splitlines()
    assert len(runs) == N_RUNS
    assert any("activation: sigmoid, seed 3: accuracy 0." in line for line in runs)
    assert total.startswith("16 runs in ")
    assert total.endswith(str(study.with_suffix("") / "table.md"))
    assert "picture" in picture
    again = fastmlp_command("ablate", study).out.splitlines()
    assert again[0] == "16 of 16 runs are there already"
    assert len(again) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("n_before", [2, 3, 5])
def test_a_kill_loses_no_finished_run(study: Path, n_before: int) -> None:
    with started(study) as process:
        for _ in range(n_before):  # a run is announced when it is on disk
            assert "accuracy" in process.stdout.readline()
        process.kill()
    assert process.returncode == -signal.SIGKILL
    before = whole_lines(study)
    assert n_before <= len(before) < N_RUNS

    with started(study) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
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
