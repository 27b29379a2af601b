"""The README's examples run as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

README = Path(__file__).parents[2] / "README.md"
Blocks = Callable[[Path, str], list[str]]


def test_the_python_examples_run_one_after_the_other(
    blocks: Blocks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    for package in ("onnx", "safetensors", "sklearn"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks(README, "python"):
        exec(block, names)
    assert re.fullmatch(r"\d+ epochs, accuracy 0\.9\d\d\n", capsys.readouterr().out)
    assert names["probabilities"].shape == (297, 10)
    assert len(names["a"]) == 3
    assert Path("confusion.png").read_bytes().startswith(b"\x89PNG")


def test_the_commands_run_one_after_the_other(
    blocks: Blocks,
    fastmlp_command: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rng: np.random.Generator,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("iris.csv").write_text(
        "sepal_length,sepal_width,petal_length,petal_width,species\n"
        + "".join(
            ",".join(f"{length:.1f}" for length in rng.normal(mean, 0.3, 4)) + f",{species}\n"
            for species, mean in [("setosa", 2.0), ("versicolor", 4.0), ("virginica", 6.0)] * 20
        )
    )
    commands = re.findall(r"^\$ fastmlp (.*)$", "".join(blocks(README, "console")), re.MULTILINE)
    for command in commands:
        assert fastmlp_command(*shlex.split(command)).code == 0
    assert len(Path("predicted.csv").read_text().splitlines()) == 61
