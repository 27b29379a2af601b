"""fastmlp report: the report's classifier on the real MNIST, in the report's form."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.cli import main

Command = Callable[..., Any]  # see conftest.py


@pytest.fixture(scope="module")
def whole(mnist_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the whole report prints, and the model that it saves."""
    model = tmp_path_factory.mktemp("report") / "model.npz"
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(["report", "--data", str(mnist_folder), "--save", str(model)]) == 0
    return out.getvalue(), model


def test_each_epoch_has_a_line_and_nothing_else_is_printed(whole: tuple[str, Path]) -> None:
    *epochs, finished, accuracy = whole[0].splitlines()
    assert len(epochs) == 15
    for number, line in enumerate(epochs, start=1):
        assert re.fullmatch(rf"Epoch: {number:04d} cost= \d+\.\d{{9}}", line)
    assert finished == "Optimization Finished!"
    assert re.fullmatch(r"Accuracy: 0\.\d{4}", accuracy)


def test_the_accuracy_is_the_report_s(whole: tuple[str, Path]) -> None:
    assert 0.935 <= float(whole[0].split("Accuracy: ")[1]) <= 0.955


def test_the_saved_model_has_the_printed_accuracy(
    whole: tuple[str, Path], mnist_folder: Path
) -> None:
    out, model = whole
    _, _, X_test, y_test = fastmlp.datasets.mnist(mnist_folder)
    accuracy = np.mean(fastmlp.load(model).predict(X_test) == y_test)
    assert out.endswith(f"Accuracy: {accuracy:.4f}\n")


def test_the_pixels_count_as_numbers_from_0_to_1(whole: tuple[str, Path]) -> None:
    assert fastmlp.load(whole[1]).uint8_scale == 1 / 255


def test_the_cost_is_the_mean_over_the_batches_of_an_epoch(
    fastmlp_command: Command, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """Where nothing is learned, the cost of each batch can be computed afterwards."""
    X = rng.integers(0, 256, (5_300, 784), dtype=np.uint8)
    y = rng.integers(0, 10, 5_300, dtype=np.int32)
    nets = []

    class Untrained(fastmlp.MLP):
        def fit(self, X: Any, y: Any, **options: Any) -> Any:
            nets.append(self)
            return super().fit(X, y, **options | {"optimizer": fastmlp.Adam(0.0)})

    monkeypatch.setattr("fastmlp.datasets.mnist", lambda data: (X, y, X[:10], y[:10]))
    monkeypatch.setattr("fastmlp.cli.report.MLP", Untrained)
    out = fastmlp_command("report", "--epochs", 1).out
    kept = slice(5_000, None)
    np.testing.assert_allclose(
        float(re.search(r"cost= (\S+)", out)[1]), nets[0].cost(X[kept], y[kept]), rtol=1e-5
    )


def test_another_seed_gives_another_network(
    whole: tuple[str, Path], fastmlp_command: Command, mnist_folder: Path
) -> None:
    first = whole[0].splitlines()[0]
    for seed, same in ((0, True), (1, False)):
        arguments = ("report", "--data", mnist_folder, "--epochs", 1, "--seed", seed)
        assert (fastmlp_command(*arguments).out.splitlines()[0] == first) is same, seed


def test_a_folder_without_mnist_is_one_line(fastmlp_command: Command, tmp_path: Path) -> None:
    code, out, err = fastmlp_command("report", "--data", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("fastmlp report: error: ")
    assert str(tmp_path) in err
    assert err.count("\n") == 1
