"""The page "Into production": its firmware runs in an emulator, and its tables are as recorded."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "into_production.md"
RESULTS = ROOT / "benchmarks" / "results" / "production.csv"
FILES = {"c": "main.c", "text": "board.ld"}


def blocks(language: str) -> list[str]:
    """The code blocks of the page in a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert found
    return found


def test_the_firmware_predicts_what_python_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for program in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: the firmware of the page was not run")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks("python"):
        exec(compile(code, PAGE, "exec"), names)
    answer, refusal, _ = capsys.readouterr().out.splitlines()
    assert f"# {answer}\n" in PAGE.read_text("utf-8")
    assert refusal.startswith("400 {'error': 'X has 2 columns")
    for language, file in FILES.items():
        (tmp_path / file).write_text("".join(blocks(language)))
    compiling, sizing, running = "".join(blocks("sh")).splitlines()
    subprocess.run(compiling.split(), check=True)
    flash = int(subprocess.check_output(sizing.split(), text=True).splitlines()[1].split()[0])
    assert flash < 10_000
    done = subprocess.run(running.split(), capture_output=True, text=True, check=True, timeout=60)
    labels = names["integers"].predict(names["X_test"][:3])  # type: ignore[attr-defined, index]
    assert [int(one) for one in (done.stdout + done.stderr).split()] == labels.tolist()


def test_the_tables_are_those_that_were_recorded() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    with RESULTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cells = [row["form"], f"{int(row['size']):,}", row["one_row"], row["per_row"]]
            cells += [f"{float(row[key]):.2f} %" for key in ("accuracy", "same")]
            assert f"| {' | '.join(cells)} |" in lines
