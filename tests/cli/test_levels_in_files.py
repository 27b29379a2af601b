"""Cells of a file are levels of the model, whatever the other cells make of their column."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp import tabular

Command = Callable[..., Any]  # see conftest.py
QUICK = ("--quality", "fast", "--epochs", 4, "--members", 1, "--hidden", 16, "--quiet")
LEVELS = {
    "price": ("$5", "$10", "free"),
    "size": ("1.50", "2.0", "XL"),
    "flag": ("TRUE", "FALSE", "maybe"),
    "factor": ("1e3", "2E3", "unknown"),
    "share": ("5%", "10%", "n.v."),
    "count": ("1,234", "2,345", "many"),
}


@pytest.fixture
def table(tmp_path: Path, rng: np.random.Generator) -> pd.DataFrame:
    """Rows whose class is that of the price and size, in the file all.csv."""
    table = pd.DataFrame({name: rng.choice(levels, 240) for name, levels in LEVELS.items()})
    table["rating"] = np.where(table["price"] == "$5", "1.0", table["size"])
    table.to_csv(tmp_path / "all.csv", index=False)
    return table


@pytest.fixture
def numeric(table: pd.DataFrame, tmp_path: Path) -> Path:
    """The rows without the last level of any column: each column is numbers or truth values."""
    rows = ~table.isin([levels[-1] for levels in LEVELS.values()]).any(axis=1)
    table[rows].to_csv(tmp_path / "some.csv", index=False)
    return tmp_path / "some.csv"


@pytest.mark.parametrize("per", [(), ("--per", "price")], ids=["one model", "per"])
def test_predictions_of_rows_do_not_depend_on_other_rows_of_the_file(
    fastmlp_command: Command, tmp_path: Path, table: pd.DataFrame, numeric: Path, per: Any
) -> None:
    basis = (tmp_path / "all.csv", "--label", "rating", "--save", tmp_path / "m.npz")
    assert fastmlp_command("train", *basis, *QUICK, *per).code == 0
    code, out, err = fastmlp_command("predict", tmp_path / "m.npz", numeric, "--proba")
    assert (code, "that the model does not know" in err) == (0, False)
    rows = pd.read_csv(numeric, dtype=str)
    model = tabular.load(tmp_path / "m.npz")
    expected = model.predict_proba(rows[list(LEVELS)])
    found = [row[1:] for row in csv.reader(io.StringIO(out))][1:]
    np.testing.assert_allclose(np.array(found, float), expected, rtol=1e-12)


def test_rows_are_evaluated_whose_classes_are_numbers_alone(
    fastmlp_command: Command, tmp_path: Path, table: pd.DataFrame, numeric: Path
) -> None:
    basis = (tmp_path / "all.csv", "--label", "rating", "--save", tmp_path / "m.npz")
    assert fastmlp_command("train", *basis, *QUICK).code == 0
    code, out, err = fastmlp_command("evaluate", tmp_path / "m.npz", numeric)
    assert (code, err) == (0, "")
    assert f"scores of {len(pd.read_csv(numeric))} rows" in out


def test_a_test_file_of_numbers_alone_has_the_levels_and_classes_of_the_training_set(
    fastmlp_command: Command, tmp_path: Path, table: pd.DataFrame, numeric: Path
) -> None:
    code, _, err = fastmlp_command(
        "train", tmp_path / "all.csv", "--label", "rating", "--test", numeric, *QUICK
    )
    assert code == 0
    n = len(pd.read_csv(numeric))
    assert f"{n} of the {n} test rows are rows of the training set" in err


def test_levels_of_a_parquet_file_are_known_in_text_though_they_are_names_of_missing_values(
    fastmlp_command: Command, tmp_path: Path, rng: np.random.Generator
) -> None:
    pytest.importorskip("pyarrow")
    types = rng.choice(["None", "Brick", "NA"], 90)
    table = pd.DataFrame({"type": types, "x": rng.normal(size=90)})
    table["value"] = table["x"] + (table["type"] == "None")
    table.to_parquet(tmp_path / "t.parquet")
    table.to_csv(tmp_path / "t.csv", index=False)
    basis = (tmp_path / "t.parquet", "--label", "value", "--save", tmp_path / "m.npz")
    assert fastmlp_command("train", *basis, *QUICK).code == 0
    outputs = [
        fastmlp_command("predict", tmp_path / "m.npz", tmp_path / name)
        for name in ("t.parquet", "t.csv")
    ]
    assert outputs[0] == outputs[1]


def test_columns_of_id_are_copied_as_they_are_written(
    fastmlp_command: Command, tmp_path: Path
) -> None:
    ids = ["1.50", "12E4", "007", "NA", "TRUE", "$5", "", "1,000", " x "]
    path = tmp_path / "t.csv"
    lines = [f'"{one}",{i % 5},{i},{i % 5 + 0.5}' for i, one in enumerate(ids * 6)]
    path.write_text("code,x,n,y\n" + "\n".join(lines) + "\n")
    basis = (path, "--label", "y", "--drop", "code,n", "--save", tmp_path / "m.npz")
    assert fastmlp_command("train", *basis, *QUICK).code == 0
    for k in range(len(ids)):  # a file of a single row, too
        path.write_text("code,x,n,y\n" + lines[k] + "\n")
        model = tmp_path / "m.npz"
        code, out, _ = fastmlp_command("predict", model, path, "--id", "code, x")
        header, row = csv.reader(io.StringIO(out))
        assert (code, header, row[:2]) == (0, ["code", "x", "y"], [ids[k].strip(), str(k % 5)])
