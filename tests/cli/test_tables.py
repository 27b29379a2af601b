"""The tables of the commands: matrices of numbers, and refusals with their places."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")

from fastmlp.cli.tables import open_table  # noqa: E402

Command = Callable[..., Any]  # see conftest.py


def csv(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def npz(folder: Path, **arrays: object) -> Path:
    path = folder / "table.npz"
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


def test_columns_are_taken_by_name_in_the_requested_order(tmp_path: Path) -> None:
    table = open_table(csv(tmp_path, "a,b,label\n1,2,x\n3,4,y\n"))
    np.testing.assert_array_equal(table.numbers(["b", "a"]), [[2, 1], [4, 3]])
    assert table.row_numbers.tolist() == [2, 3]


def test_one_array_alone_keeps_its_dtype(tmp_path: Path) -> None:
    X = np.arange(6, dtype=np.uint8).reshape(3, 2)
    table = open_table(npz(tmp_path, X=X, y=np.array([1, 0, 1], np.uint8)))
    numbers = table.numbers(["X[0]", "X[1]"])
    assert numbers.dtype == np.uint8
    np.testing.assert_array_equal(numbers, X)


def test_a_bad_cell_in_an_unused_column_does_not_matter(tmp_path: Path) -> None:
    numbers = open_table(csv(tmp_path, "a,b\n1,red\n2,\n")).numbers(["a"])
    np.testing.assert_array_equal(numbers, [[1], [2]])


def test_an_unknown_column_brings_the_nearest_known_one(tmp_path: Path) -> None:
    table = open_table(csv(tmp_path, "length,width\n1,2\n"))
    with pytest.raises(ValueError, match="no column 'lenght'; did you mean 'length'"):
        table.numbers(["lenght"])
    with pytest.raises(ValueError, match="no column 'x'; there are 'length', 'width'"):
        table.numbers(["x"])


def test_without_pandas_the_command_says_how_to_install_it(
    fastmlp_command: Command, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    code, out, err = fastmlp_command(
        "train", flowers, "--label", "species", "--save", tmp_path / "model.npz"
    )
    assert (code, out) == (2, "")
    assert 'pip install "fastmlp[tabular]"' in err


def test_a_guess_about_the_table_is_printed(
    fastmlp_command: Command, flowers: Path, tmp_path: Path
) -> None:
    flowers.write_bytes(flowers.read_text("utf-8").replace("rose", "röse").encode("cp1252"))
    arguments = (
        "train", flowers, "--label", "species", "--drop", "note", "--epochs", 1, "--quiet",
        "--quality", "fast", "--save", tmp_path / "model.npz",
    )  # fmt: skip
    code, _, err = fastmlp_command(*arguments)
    assert code == 0
    assert err.startswith(f"fastmlp train: warning: {flowers}, line ")
    assert "the file is read as cp1252" in err
    code, _, err = fastmlp_command(*arguments, "--encoding", "cp1252")
    assert code == 0
    assert "cp1252" not in err


@pytest.mark.parametrize("command", ["train", "search", "predict", "evaluate", "explain", "export"])
def test_each_command_on_tables_takes_the_options_of_their_format(
    fastmlp_command: Command, command: str
) -> None:
    shown = fastmlp_command(command, "--help").out
    for option in ("--separator", "--encoding", "--decimal", "--thousands"):
        assert option in shown


def test_the_options_reach_the_reader(
    fastmlp_command: Command, houses: Path, tmp_path: Path
) -> None:
    """Quoted decimal commas between commas are only numbers if the option says so."""
    header, *rows = houses.read_text("utf-8").splitlines()
    quoted = [
        ",".join(f'"{cell}"'.replace(".", ",") for cell in row.split(",")) for row in rows
    ]
    path = csv(tmp_path, "\n".join([header, *quoted]), "quoted.csv")
    arguments = (
        "train", path, "--label", "price", "--task", "regression", "--epochs", 1, "--quiet",
        "--quality", "fast", "--save", tmp_path / "model.npz",
    )  # fmt: skip
    code, _, err = fastmlp_command(*arguments)
    assert code == 2
    assert "200 cells are not numbers" in err
    assert "give the option decimal" in err
    assert fastmlp_command(*arguments, "--decimal", ",").code == 0
