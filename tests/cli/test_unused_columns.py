"""What the commands say of columns that a model does not use: nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]  # see conftest.py
DROP = ("--drop", "price,zip,height")
CODES = "read as text because of cells that are codes: line 2, column 'zip': '02139'"
MISTAKES = "read as text because of cells that are not numbers: line 9, column 'height'"


@pytest.fixture
def cluttered(mixed: Path, tmp_path: Path) -> Path:
    """The table `mixed` with a column of codes, and one of numbers with a mistake."""
    header, *lines = mixed.read_text().splitlines()
    cells = [f"{line},02139,{'tall' if i == 7 else 170 + i % 20}" for i, line in enumerate(lines)]
    path = tmp_path / "cluttered.csv"
    path.write_text("\n".join([f"{header},zip,height", *cells]) + "\n")
    return path


@pytest.fixture
def trained(fastmlp_command: Command, cluttered: Path, model: Path) -> Path:
    basis = ("train", cluttered, "--label", "bought", "--quality", "fast", "--epochs", 2,
             "--hidden", 4, "--save", model)  # fmt: skip
    code, _, err = fastmlp_command(*basis)
    assert code == 0
    assert CODES in err and MISTAKES in err
    code, _, err = fastmlp_command(*basis, *DROP, "--test", cluttered)
    assert (code, "read as text" in err) == (0, False)
    return model


def test_no_command_warns_of_cells_in_columns_that_a_model_does_not_use(
    fastmlp_command: Command, trained: Path, cluttered: Path, tmp_path: Path
) -> None:
    for command, *options in (
        ("predict", "--id", "zip"),
        ("evaluate",),
        ("explain", "--repeats", 1),
    ):
        assert fastmlp_command(command, trained, cluttered, *options)[::2] == (0, "")
    basis = ("export", trained, tmp_path / "model.c", "--quantized", "--calibration", cluttered)
    code, _, err = fastmlp_command(*basis)
    assert (code, "read as text" in err) == (0, False)


def test_codes_of_a_category_are_not_reported_again(
    fastmlp_command: Command, cluttered: Path, model: Path
) -> None:
    """Text is what the model expects; how numbers are read is reported."""
    basis = ("train", cluttered, "--label", "bought", "--quality", "fast", "--epochs", 2)
    code, _, err = fastmlp_command(*basis, "--hidden", 4, "--save", model)
    assert (code, CODES in err, MISTAKES in err) == (0, True, True)
    for command in ("predict", "evaluate", "explain"):
        assert fastmlp_command(command, model, cluttered)[::2] == (0, "")
    text = cluttered.read_text()
    cluttered.write_text(text.replace("tall", "177"))
    assert fastmlp_command(*basis, "--save", model).code == 0  # the height is a number
    cluttered.write_text(text)
    code, _, err = fastmlp_command("predict", model, cluttered)
    assert (code, MISTAKES in err, CODES in err) == (2, True, False)
    assert "column 'height': 1 cells are not numbers: 'tall' in line 9" in err


def test_a_study_does_not_warn_of_columns_that_are_left_out(
    fastmlp_command: Command, cluttered: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    options = ("--label", "bought", *DROP, "--seeds", 1, "--quality", "fast", "--drop", "person")
    study = tmp_path / "study.toml"
    study.write_text(
        "[study]\ndata = 'cluttered.csv'\nlabel = 'bought'\nseeds = 1\n"
        "drop = ['price', 'zip', 'height', 'person']\n"
        "[base]\nquality = 'fast'\nepochs = 1\n[factors]\ndropout = [0.1]\n"
    )
    code, _, err = fastmlp_command("ablate", study)
    assert (code, "read as text" in err) == (0, False)
    assert not [one for one in recwarn if "read as text" in str(one.message)]
    wrong = fastmlp_command("ablate", cluttered, *options, "--metric", "none").err
    assert "none" in wrong and "read as text" not in wrong
