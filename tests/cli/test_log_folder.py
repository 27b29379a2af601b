"""fastmlp train --log-dir: a log for TensorBoard of each network."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fastmlp

event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")

Command = Callable[..., Any]  # see conftest.py
RECIPE = """\
name = "small"
description = "For tests."
[network]
hidden = [16]
[training]
epochs = 3
batch_size = 50
[ensemble]
size = 2
"""


def names(folder: Path) -> set[str]:
    """The names of the figures in the one event file of a folder, found as text."""
    (file,) = folder.iterdir()
    content = file.read_bytes()
    known = ("cost", "learning_rate", "validation_auc", "validation_rmse")
    return {name for name in known if f"\n{chr(len(name))}{name}".encode() in content}


@pytest.mark.parametrize(
    ("label", "drop", "metric"), [("bought", "price", "auc"), ("price", "bought", "rmse")]
)
def test_each_network_of_a_table_has_a_log(
    fastmlp_command: Command, mixed: Path, tmp_path: Path, label: str, drop: str, metric: str
) -> None:
    code, _, err = fastmlp_command(
        "train", mixed, "--label", label, "--drop", drop, "--quality", "fast", "--epochs", 3,
        "--metric", metric, "--log-dir", tmp_path / "logs",
    )  # fmt: skip
    assert code == 0, err
    assert {one.name for one in (tmp_path / "logs").iterdir()} == {"network-1", "network-2"}
    for folder in (tmp_path / "logs").iterdir():
        assert names(folder) == {"cost", "learning_rate", f"validation_{metric}"}


def test_each_network_of_a_recipe_has_a_log(
    fastmlp_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = fastmlp.datasets.digits()
    monkeypatch.setattr("fastmlp.datasets.mnist", lambda data: (X[:99], y[:99], X[:50], y[:50]))
    (tmp_path / "small.toml").write_text(RECIPE)
    code, _, err = fastmlp_command(
        "train", "--recipe", tmp_path / "small.toml", "--log-dir", tmp_path / "logs"
    )
    assert code == 0, err
    for number in (1, 2):
        assert names(tmp_path / "logs" / f"network-{number}") == {"cost", "learning_rate"}


def test_a_file_is_no_folder_for_logs(fastmlp_command: Command, mixed: Path) -> None:
    code, _, err = fastmlp_command("train", mixed, "--label", "bought", "--log-dir", mixed)
    assert code == 2
    assert f"argument --log-dir: {mixed} is a file; give a folder" in err


def test_without_tensorboardx_the_extra_is_named(
    fastmlp_command: Command, mixed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "fastmlp.cli.options.find_spec",
        lambda name: None if name == "tensorboardX" else find(name),
    )
    code, _, err = fastmlp_command("train", mixed, "--label", "bought", "--log-dir", tmp_path)
    assert code == 2
    assert "need tensorboardX: pip install 'fastmlp[tensorboard]'" in err
