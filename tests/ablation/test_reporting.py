"""The files of a finished study have the figures of its runs."""

from __future__ import annotations

import csv
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import fastmlp
from fastmlp.ablation import reporting

Given = dict[str, Any]


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "find_spec", lambda name: None)


@pytest.mark.usefixtures("without_matplotlib")
def test_the_csv_has_a_line_for_each_run(given: Given, tmp_path: Path) -> None:
    results = fastmlp.ablation.run(given, tmp_path)
    with (tmp_path / "runs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["factor"], row["value"], row["seed"]) for row in rows[2:5]] == [
        ("base", "", "2"), ("activation", "sigmoid", "0"), ("activation", "sigmoid", "1"),
    ]
    expected = [run.score for row in results.rows for run in row.runs]
    assert [float(row["accuracy"]) for row in rows] == pytest.approx(expected)


@pytest.mark.usefixtures("without_matplotlib")
def test_the_table_has_a_line_for_each_variant(given: Given, tmp_path: Path) -> None:
    given["factors"]["depth"] = {"a|b": {"hidden": [8, 8]}}
    results = fastmlp.ablation.run(given, tmp_path)
    text = (tmp_path / "table.md").read_text("utf-8")
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    assert [line.split(" | ")[:2] for line in lines[1:]] == [
        ["base", ""], ["activation", "sigmoid"], ["activation", "tanh"], ["depth", r"a\|b"],
    ]
    row = results.rows[2]
    number = r"[+−]\d+\.\d\d"
    mean, difference = lines[3].split(" | ")[2:4]
    assert mean == f"{100 * row.mean:.2f} ± {100 * row.deviation:.2f}"
    assert re.fullmatch(rf"{number} \[{number}, {number}\]", difference)
    assert float(difference.split()[0].replace("−", "-")) == pytest.approx(
        100 * row.difference, abs=0.006
    )
    assert text.startswith("# Small\n")
    assert "1,400 images for training, the 100 before them for validation, 297 for testing." in text
    assert "12 runs" in text
    assert str(tmp_path) not in text


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_there_is_no_picture(given: Given, tmp_path: Path) -> None:
    assert fastmlp.ablation.run(given, tmp_path).picture is None
    assert not (tmp_path / "accuracy.png").exists()
    assert "![" not in (tmp_path / "table.md").read_text("utf-8")


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
def test_with_matplotlib_there_is_a_picture(given: Given, tmp_path: Path) -> None:
    given["factors"]["optimizer"] = [{"name": "gradient_descent", "learning_rate": 1e30}]
    results = fastmlp.ablation.run(given, tmp_path)
    assert results.picture == tmp_path / "accuracy.png"
    assert results.picture.read_bytes().startswith(b"\x89PNG")
    assert "(accuracy.png)" in (tmp_path / "table.md").read_text("utf-8")


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
def test_dollars_in_names_are_no_formulas(given: Given, tmp_path: Path) -> None:
    given["study"] |= {"title": r"$\frac{ for $5", "seeds": 1}
    given["factors"] = {"depth": {r"$\x$": {"hidden": [4]}}}
    assert fastmlp.ablation.run(given, tmp_path).picture.read_bytes().startswith(b"\x89PNG")
