"""--html of report and train: a page about what was trained."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp.cli import options
from fastmlp.cli.tables import open_table

Command = Callable[..., Any]  # see conftest.py


@pytest.fixture(autouse=True)
def matplotlib() -> None:
    pytest.importorskip("matplotlib")


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """MNIST of 300 images in place of the whole."""
    X = rng.integers(0, 256, (300, 784), dtype=np.uint8)
    y = rng.integers(0, 10, 300, dtype=np.int32)
    monkeypatch.setattr("fastmlp.datasets.mnist", lambda data: (X[:200], y[:200], X[200:], y[200:]))


def shown(path: Path) -> dict[str, str]:
    """The page's figures, and its tables' values by their names."""
    text = path.read_text("utf-8")
    figures = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text)
    return dict(figures + re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", text))


@pytest.mark.usefixtures("few_digits")
def test_report_writes_a_page_of_the_accuracy_it_prints(
    fastmlp_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastmlp.cli.report.VALIDATION_IMAGES", 20)
    page = tmp_path / "out.html"
    code, out, err = fastmlp_command("report", "--epochs", 2, "--seed", 3, "--html", page)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"(Epoch: .*\n){2}Optimization Finished!\nAccuracy: .*\n", out)
    found = shown(page)
    assert float(found["accuracy"].split()[0]) == pytest.approx(
        100 * float(out.split("Accuracy: ")[1])
    )
    assert found["layers"] == "784-256-256-10"
    assert (found["seed"], found["epochs"]) == ("3", "2")
    assert found["trained on"] == "the last 180 training images"
    assert float(found["since the process started"].split()[0]) > 0


@pytest.mark.usefixtures("few_digits")
def test_a_recipe_writes_a_page(fastmlp_command: Command, tmp_path: Path) -> None:
    page, model = tmp_path / "out.html", tmp_path / "model.npz"
    code, out, err = fastmlp_command(
        "train", "--recipe", "fast", "--quiet", "--save", model, "--html", page
    )
    assert (code, err) == (0, "")
    assert out.endswith(f"saved {page}\n")
    found = shown(page)
    assert found["wrong"] == f"{round(100 - 100 * float(out.split('Accuracy: ')[1][:6]))} of 100"
    assert found["recipe"].startswith("fast: ")
    assert found["tested on"] == "100 test images"
    assert found["hidden"] == "[512]"


def test_rows_of_an_npz_table_are_numbered_from_0(tmp_path: Path) -> None:
    np.savez(tmp_path / "table.npz", a=np.ones(4), b=np.ones(4))
    assert open_table(tmp_path / "table.npz").row_numbers.tolist() == [0, 1, 2, 3]


def test_a_page_that_cannot_be_is_refused_before_training(
    fastmlp_command: Command, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.npz"
    command = ("train", flowers, "--label", "species", "--save", model, "--html")
    assert "there is no folder" in fastmlp_command(*command, tmp_path / "no" / "a.html").err
    same = f"--html {model} is the same file as --save {model}, which would be overwritten"
    assert same in fastmlp_command(*command, model).err
    assert f"--html {flowers} is the same file as TABLE" in fastmlp_command(*command, flowers).err
    report = fastmlp_command("report", "--data", tmp_path, "--save", model, "--html", model)
    assert same in report.err
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    err = fastmlp_command(*command, tmp_path / "a.html").err
    assert "need matplotlib: pip install 'fastmlp[plot]'" in err
    assert not model.exists()
