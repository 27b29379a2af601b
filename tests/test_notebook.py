"""The notebook of the derivation runs from top to bottom and prints what is stored in it."""

import json
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[1] / "docs" / "derivation.ipynb"
NOTEBOOK = json.loads(PATH.read_text("utf-8"))


def stored(cell: dict[str, Any]) -> str:
    return "".join(line for output in cell["outputs"] for line in output["text"])


def test_every_cell_prints_what_the_notebook_shows(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert len(cells) == 8
    for number, cell in enumerate(cells, start=1):
        exec(compile("".join(cell["source"]), f"code cell {number}", "exec"), names)
        assert capsys.readouterr().out == stored(cell)


def test_the_file_is_a_valid_notebook() -> None:
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.read(PATH, as_version=4))
