"""The file of finished runs: whole lines are safe, an incomplete last line is removed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fastmlp.ablation.journal import Journal, Run

RUN = Run({"name": "digits"}, {"hidden": [8]}, 0, 0.9, None, 0.1, 2, 1e9, 0.5, None)
NO_NUMBER = json.dumps({**RUN.to_json(), "seed": [0]})
NO_FIGURE = json.dumps({**RUN.to_json(), "accuracy": "high"})
OTHERS = (replace(RUN, seed=1), replace(RUN, settings={"hidden": [9]}, diverged="nan"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with RUN and OTHERS."""
    path = tmp_path / "runs.jsonl"
    with Journal(path) as journal:
        for run in (RUN, *OTHERS):
            journal.add(run)
    return path


def recorded(path: Path) -> list[Run]:
    with Journal(path) as journal:
        return list(journal.runs.values())


def test_a_file_gives_back_what_was_added(path: Path) -> None:
    assert recorded(path) == [RUN, *OTHERS]
    assert path.read_text().count("\n") == 3


@pytest.mark.parametrize("part", [1, 30, -1])
def test_an_incomplete_last_line_is_removed(path: Path, part: int) -> None:
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    path.write_bytes(whole + last[:part])
    with Journal(path) as journal:
        assert path.read_bytes() == whole
        journal.add(replace(RUN, seed=9))
    assert [run.seed for run in recorded(path)] == [0, 1, 0, 9]


@pytest.mark.parametrize("line", ["{", "[]", "7", '{"seed": 1}', NO_NUMBER, NO_FIGURE, "[" * 9999])
def test_a_line_that_is_no_run_is_an_error_that_names_it(path: Path, line: str) -> None:
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(ValueError, match=r"runs\.jsonl, line 4: not a run of an ablation study"):
        Journal(path)


def test_a_file_has_a_greatest_length(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastmlp.ablation.journal.MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(ValueError, match=r"runs\.jsonl: a journal of more than .* bytes"):
        Journal(path)


def test_unknown_entries_of_a_run_are_ignored(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace('"seed": 1', '"seed": 1, "mood": "good"'))
    assert recorded(path) == [RUN, *OTHERS]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
def test_two_processes_do_not_share_a_file(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fastmlp.ablation.journal import Journal\n"
        "try: Journal(Path(sys.argv[1]))\n"
        "except ValueError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(path)]
    with Journal(path):
        beside = subprocess.run(command, capture_output=True, text=True, check=True)
    after = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "another process is writing to it" in beside.stdout
    assert after.stdout == ""


def test_after_a_failed_write_nothing_more_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next line would begin in the middle of one."""
    whole = path.read_bytes()
    with Journal(path) as journal:
        file = journal._file

        class Full:
            fileno = file.fileno
            close = file.close

            def write(self, line: bytes) -> int:
                return file.write(line[:20])

        monkeypatch.setattr(journal, "_file", Full())
        for seed in (5, 6):
            with pytest.raises(OSError, match=r"runs\.jsonl"):
                journal.add(replace(RUN, seed=seed))
    assert path.read_bytes()[: len(whole) + 20] == path.read_bytes()
    assert recorded(path) == [RUN, *OTHERS]


def test_settings_data_and_seed_identify_a_run() -> None:
    assert RUN.key == Run(**asdict(RUN)).key
    assert RUN.key == replace(RUN, score=0.5, seconds=3.0).key
    changed = [replace(RUN, data={"name": "mnist"}), *OTHERS]
    assert len({run.key for run in (RUN, *changed)}) == 4


def test_a_line_has_the_metric_by_its_name() -> None:
    """Lines of images are as they were before there were other metrics."""
    line = RUN.to_json()
    assert (line["accuracy"], line["validation_accuracy"]) == (0.9, None)
    data = {"name": "t.csv", "metric": "rmse"}
    other = replace(RUN, data=data, score=3.5, validation_score=4.0)
    line = other.to_json()
    assert (line["rmse"], line["validation_rmse"]) == (3.5, 4.0)
    assert not {"accuracy", "score", "validation_score"} & set(line)
    assert Run.from_json(line) == other


def test_a_line_of_an_earlier_version_is_read(path: Path) -> None:
    path.write_text(
        '{"data": {"name": "digits", "training": 1400, "validation": 0, "test": 297, '
        '"fingerprint": "e86d6e4bb39c7738"}, "settings": {"hidden": [8]}, "seed": 2, '
        '"accuracy": 0.25, "validation_accuracy": null, "cost": 2.5, "epochs": 2, '
        '"began": 1795905513.31, "seconds": 0.0008, "diverged": null}\n'
    )
    (run,) = recorded(path)
    assert (run.score, run.validation_score, run.cost, run.seed) == (0.25, None, 2.5, 2)


def test_a_line_that_may_not_be_on_the_disk_is_the_last(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with Journal(path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", fail)
            with pytest.raises(OSError, match="Input/output error"):
                journal.add(replace(RUN, seed=8))
        assert (RUN.key in journal.runs, len(journal.runs)) == (True, 3)
        with pytest.raises(OSError, match="an earlier line could not be written"):
            journal.add(replace(RUN, seed=9))
