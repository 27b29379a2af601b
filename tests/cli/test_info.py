"""fastmlp info: this machine, and what is in a model file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.model.digest import model_digest

Command = Callable[..., Any]  # see conftest.py


@pytest.fixture
def model(tmp_path: Path) -> Path:
    net = fastmlp.MLP((4, 8, 3), activation="tanh")
    net.metadata = {"label": "species", "classes": ["rose", "tulip", "daisy"]}
    net.save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


def fields(out: str) -> dict[str, str]:
    return {line[:16].strip(): line[16:].strip() for line in out.splitlines()}


def test_the_machine_is_described(fastmlp_command: Command) -> None:
    found = fields(fastmlp_command("info").out)
    assert found["fastmlp"] == fastmlp.__version__
    assert found["instruction set"].startswith(fastmlp.kernels.isa)
    assert found["threads"] == str(fastmlp.get_num_threads())


def test_a_model_is_described(fastmlp_command: Command, model: Path) -> None:
    assert fields(fastmlp_command("info", model).out) == {
        "layers": "4-8-3",
        "activations": "tanh, softmax",
        "loss": "cross_entropy",
        "parameters": "67 of float32",
        "epochs trained": "0",
        "digest": model_digest(fastmlp.load(model).state),
        "label": "species",
        "classes": "rose, tulip, daisy",
    }


def test_metadata_does_not_control_the_terminal(
    fastmlp_command: Command, tmp_path: Path
) -> None:
    net = fastmlp.MLP((2, 2))
    net.metadata = {"\x1b[2J": "\x07", "lines": "a\nepochs trained 9", "list": ["\x1bc"]}
    net.save(tmp_path / "net.npz")
    out = fastmlp_command("info", tmp_path / "net.npz").out
    assert out.replace("\n", "").isprintable()
    assert out.splitlines()[-3:] == [
        r"\x1b[2J          \x07",
        r"lines            a\nepochs trained 9",
        r"list             \x1bc",
    ]


def test_memory_grows_with_the_batch(fastmlp_command: Command, model: Path) -> None:
    found = [
        fields(fastmlp_command("info", model, "--memory", "--batch-size", size).out)
        for size in (1, 100)
    ]
    assert found[0]["parameters"] == found[1]["parameters"] == "268 bytes"
    small, large = (int(one["workspace"].split()[0].replace(",", "")) for one in found)
    assert small < large


def test_memory_needs_a_model(fastmlp_command: Command) -> None:
    assert fastmlp_command("info", "--memory") == (
        2,
        "",
        "fastmlp info: error: --memory needs a MODEL\n",
    )


def test_a_model_cut_short_is_one_line(fastmlp_command: Command, model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-200])
    code, out, err = fastmlp_command("info", model)
    assert (code, out) == (2, "")
    assert "model.npz is not a whole fastmlp model file" in err
    assert err.count("\n") == 1


def test_a_network_in_8_bits_is_described(fastmlp_command: Command, tmp_path: Path) -> None:
    encodings = [fastmlp.encodings.OneHot(3), fastmlp.encodings.Numeric()]
    net = fastmlp.MLP((2, 4, 2), encodings=encodings, activation="tanh")
    X = np.column_stack([np.arange(300) % 3, np.linspace(-1, 1, 300)])
    fastmlp.export.quantize(net, X).save(tmp_path / "bytes.npz")
    found = fields(fastmlp_command("info", tmp_path / "bytes.npz").out)
    assert found["activations"] == "tanh, softmax"
    assert found["encodings"] == "0 one_hot, 1 numeric"
    assert found["arithmetic"] == "8-bit integers"
    code, out, err = fastmlp_command("info", tmp_path / "bytes.npz", "--memory")
    assert (code, out) == (2, "")
    assert "--memory is for a network in floating point; " in err
