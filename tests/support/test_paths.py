"""Paths that users pass: what is none is refused before the system sees it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fastmlp
from fastmlp import export
from fastmlp.support.paths import as_text

pd = pytest.importorskip("pandas")

from fastmlp import tabular  # noqa: E402

DOORS: dict[str, Callable[[Any], Any]] = {
    "load": fastmlp.load,
    "MLP.load": fastmlp.MLP.load,
    "Ensemble.load": fastmlp.Ensemble.load,
    "save": lambda path: fastmlp.MLP((1, 2)).save(path),
    "Checkpoint": fastmlp.Checkpoint,
    "ParquetFolder": lambda path: fastmlp.ParquetFolder(path, "y"),
    "read_idx": fastmlp.datasets.read_idx,
    "tabular.load": tabular.load,
    "read_table": tabular.read_table,
    "Quantized.load": export.Quantized.load,
    "QuantizedTable.load": export.QuantizedTable.load,
    "to_c": lambda path: export.to_c(fastmlp.MLP((1, 2)), path),
    "to_safetensors": lambda path: export.to_safetensors(fastmlp.MLP((1, 2)), path),
    "from_safetensors": export.from_safetensors,
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_what_is_no_path_is_refused(door: Callable[[Any], Any], tmp_path: Path) -> None:
    """A number would be a file of the process that is open, 0 the standard input."""
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    try:
        for path in (opened, None, ["a.npz"]):
            with pytest.raises(TypeError, match="path must be text or an object such as Path, got"):
                door(path)
        os.fstat(opened)  # it was not closed
    finally:
        os.close(opened)
    with pytest.raises(ValueError, match="path must be the name of a file or folder, got ''"):
        door("")


def test_arguments_of_other_names_are_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="^data must be text or an object such as Path, got 3"):
        fastmlp.datasets.mnist(3)
    with pytest.raises(TypeError, match="^study must be text or an object such as Path, got 3"):
        fastmlp.ablation.run(3, tmp_path)
    with pytest.raises(TypeError, match="^out must be text or an object such as Path, got 3"):
        fastmlp.ablation.run({}, 3)


def test_paths_are_text_bytes_or_objects(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    for one in (path, str(path), os.fsencode(path)):
        assert as_text(one) == str(path)
        fastmlp.MLP((1, 2)).save(one)
        assert fastmlp.load(one).sizes == (1, 2)
