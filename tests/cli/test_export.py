"""fastmlp export: a model file in another format."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp

Command = Callable[..., Any]  # see conftest.py


@pytest.fixture
def model(tmp_path: Path) -> Path:
    fastmlp.MLP((4, 8, 3)).save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


@pytest.mark.parametrize(
    ("suffix", "package"), [(".onnx", "onnx"), (".safetensors", "safetensors")]
)
def test_the_ending_says_the_format(
    suffix: str, package: str, fastmlp_command: Command, model: Path, tmp_path: Path
) -> None:
    pytest.importorskip(package)
    out, expected = tmp_path / f"out{suffix}", tmp_path / f"expected{suffix}"
    assert fastmlp_command("export", model, out).code == 0
    fastmlp.export.FORMATS[suffix](fastmlp.load(model), expected)
    assert out.read_bytes() == expected.read_bytes()


def test_an_ensemble_comes_along(fastmlp_command: Command, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    nets = [fastmlp.MLP((4, 3), seed=seed) for seed in (1, 2)]
    fastmlp.Ensemble(nets).save(tmp_path / "model.npz")
    out = tmp_path / "out.safetensors"
    assert fastmlp_command("export", tmp_path / "model.npz", out).code == 0
    X = np.ones((2, 4))
    back = fastmlp.export.from_safetensors(out)
    np.testing.assert_array_equal(back.forward(X), fastmlp.Ensemble(nets).forward(X))


def test_another_ending_is_refused(fastmlp_command: Command, model: Path, tmp_path: Path) -> None:
    outcome = fastmlp_command("export", model, tmp_path / "out.pt")
    assert outcome.code == 2
    assert "the ending must be .c or .onnx or .safetensors" in outcome.err
    assert not (tmp_path / "out.pt").exists()


def test_options_of_c_are_for_c(fastmlp_command: Command, model: Path, tmp_path: Path) -> None:
    outcome = fastmlp_command("export", model, tmp_path / "out.onnx", "--name", "net")
    assert outcome.code == 2
    assert "--name and --quantized are for C alone" in outcome.err


def test_a_missing_package_is_told(
    fastmlp_command: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    outcome = fastmlp_command("export", model, tmp_path / "out.onnx")
    assert outcome.code == 2
    assert 'pip install "fastmlp[onnx]"' in outcome.err
