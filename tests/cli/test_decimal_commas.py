"""A file to predict from has the decimal comma of the training set, if its numbers allow it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp import tabular

Command = Callable[..., Any]  # see conftest.py
QUICK = ("--quality", "fast", "--epochs", 4, "--members", 1, "--hidden", 16, "--quiet")
SAME = {  # a row in notations that other files have
    "points of thousands": "sales;share\n1.234;0,5\n",
    "of whole numbers": "sales;share\n1.234;1\n",
    "a comma that may separate thousands": "sales|share\n1234|0,500\n",
    "decimal points": "sales;share\n1234.0;0.5\n",
    "commas between cells": "sales,share\n1234,0.5\n",
}


@pytest.fixture
def model(fastmlp_command: Command, tmp_path: Path, rng: np.random.Generator) -> Path:
    """A model of a table with decimal commas and points between thousands."""
    lines = ["sales;share;value"]
    for sales, share in zip(rng.integers(500, 5000, 80), rng.random(80), strict=True):
        lines.append(f"{sales:,};{share:.3f};{sales * share:.2f}".translate({44: ".", 46: ","}))
    (tmp_path / "t.csv").write_text("\n".join(lines))
    basis = (tmp_path / "t.csv", "--label", "value", "--save", tmp_path / "m.npz")
    assert fastmlp_command("train", *basis, *QUICK).code == 0
    return tmp_path / "m.npz"


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_a_row_has_the_same_prediction_in_any_notation(
    fastmlp_command: Command, tmp_path: Path, model: Path, text: str
) -> None:
    (tmp_path / "new.csv").write_text(text)
    code, out, err = fastmlp_command("predict", model, tmp_path / "new.csv")
    share = 1.0 if text.endswith(";1\n") else 0.5
    row = pd.DataFrame({"sales": [1234.0], "share": [share]})
    expected = tabular.load(model).predict(row)
    assert (code, err) == (0, "")
    np.testing.assert_allclose(float(out.split()[1]), expected[0], rtol=1e-12)


def test_a_test_file_has_the_decimal_comma_too(
    fastmlp_command: Command, tmp_path: Path, model: Path
) -> None:
    (tmp_path / "few.csv").write_text("sales;share;value\n1.234;1;1.234\n2.000;1;2.000\n")
    basis = (tmp_path / "t.csv", "--label", "value", "--test", tmp_path / "few.csv")
    out = fastmlp_command("train", *basis, *QUICK).out
    mean = next(line for line in out.splitlines() if line.startswith("MAE")).split()[2]
    assert float(mean) < 1000  # their error would be more, if they were 1.234 and 2


def test_a_decimal_separator_that_is_none_is_refused(
    fastmlp_command: Command, tmp_path: Path, model: Path
) -> None:
    loaded = tabular.load(model)
    loaded.metadata_["decimal"] = ["."]
    loaded.save(model)
    code, _, err = fastmlp_command("predict", model, tmp_path / "t.csv")
    assert (code, "'decimal' of its metadata must be a point or a comma" in err) == (2, True)
