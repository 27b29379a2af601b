"""fastmlp train --recipe: training on MNIST by a recipe, its figures and the model card."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import recipes
from fastmlp.training.loop import Run

Command = Callable[..., Any]  # see conftest.py

RECIPE = """\
name = "small"
description = "For tests."
[network]
hidden = [16]
[training]
epochs = 4
batch_size = 50
optimizer = { name = "adam", learning_rate = 0.01 }
schedule = "one_cycle"
"""


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The digits in place of MNIST."""
    X, y = fastmlp.datasets.digits()
    found = X[:600], y[:600], X[600:800], y[600:800]
    monkeypatch.setattr("fastmlp.datasets.mnist", lambda data: found)
    return found


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(RECIPE)
    return file


@pytest.fixture
def ensemble(tmp_path: Path) -> Path:
    file = tmp_path / "ensemble.toml"
    file.write_text(f"{RECIPE}[ensemble]\nsize = 2\n")
    return file


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "model.npz"


def accuracy(out: str) -> float:
    return float(re.search(r"^Accuracy: ([01]\.\d{4})$", out, re.M)[1])


def test_recipes_are_listed_with_a_line_for_each(fastmlp_command: Command) -> None:
    code, out, err = fastmlp_command("train", "--list-recipes")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == recipes.names()
    assert recipes.read("strong").description in out


def test_the_accuracy_on_the_test_images_is_printed(
    fastmlp_command: Command, images: Any, small: Path
) -> None:
    X, y, X_test, y_test = images
    code, out, err = fastmlp_command("train", "--recipe", small, "--seed", 3)
    assert (code, err) == (0, "")
    net, _ = recipes.train(small, X, y, seed=3)
    assert accuracy(out) == round(np.mean(net.predict(X_test) == y_test), 4)
    assert "Tested on: 200 test images\n" in out
    assert [line.split("  ")[0] for line in out.splitlines()[:4]] == [
        f"epoch {number}/4" for number in (1, 2, 3, 4)
    ]


def test_seconds_of_training_are_part_of_those_of_the_process(
    fastmlp_command: Command, images: Any, small: Path
) -> None:
    out = fastmlp_command("train", "--recipe", small, "--quiet").out
    training = float(re.search(r"^Seconds of training: (\d+\.\d{3})$", out, re.M)[1])
    since = r"^Seconds since (the process started|fastmlp was imported): (\d+\.\d{3})$"
    assert 0 < training < float(re.search(since, out, re.M)[2])
    assert "epoch" not in out


def test_validation_images_are_the_first_and_replace_the_test_images(
    fastmlp_command: Command, images: Any, small: Path
) -> None:
    X, y, *_ = images
    out = fastmlp_command("train", "--recipe", small, "--validation-images", 100).out
    net, _ = recipes.train(small, X[100:], y[100:])
    assert accuracy(out) == round(np.mean(net.predict(X[:100]) == y[:100]), 4)
    assert "Tested on: 100 validation images\n" in out
    assert out.count("Accuracy") == 1


def test_no_bit_depends_on_the_number_of_threads(
    fastmlp_command: Command, images: Any, small: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fastmlp.support.threads._chosen", None)  # restored after the test
    weights = []
    for n_threads in (1, 2):
        file = tmp_path / f"{n_threads}.npz"
        fastmlp_command("train", "--recipe", small, "--threads", n_threads, "--save", file)
        weights.append(fastmlp.load(file).weights)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_card_describes_the_training(
    fastmlp_command: Command, images: Any, small: Path, model: Path
) -> None:
    X, y, X_test, y_test = images
    out = fastmlp_command("train", "--recipe", small, "--seed", 5, "--save", model).out
    card = json.loads(Path(f"{model}.card.json").read_text())
    net, history = recipes.train(small, X, y, seed=5)
    predicted = net.predict(X_test)
    np.testing.assert_array_equal(fastmlp.load(model).predict(X_test), predicted)
    assert fastmlp.load(model).metadata == {"recipe": "small", "seed": 5}
    assert card["recipe"]["name"] == "small"
    assert card["recipe"]["settings"]["hidden"] == [16]
    assert card["seed"] == 5
    assert card["histories"][0]["cost"] == history.cost
    assert card["seconds"]["training"] > 0
    assert card["accuracy"] == np.mean(predicted == y_test)
    assert card["wrong"] == np.sum(predicted != y_test)
    matrix = card["confusion matrix, rows the true digit"]
    for true in range(10):
        for digit in range(10):
            assert matrix[true][digit] == np.sum((y_test == true) & (predicted == digit))
    assert out.endswith(f"saved {model} and {model}.card.json\n")


def test_an_ensemble_is_saved_as_one_file(
    fastmlp_command: Command, images: Any, ensemble: Path, model: Path
) -> None:
    X, y, X_test, y_test = images
    out = fastmlp_command("train", "--recipe", ensemble, "--save", model).out
    loaded = fastmlp.load(model)
    together, histories = recipes.train(ensemble, X, y)
    np.testing.assert_array_equal(loaded.forward(X_test), together.forward(X_test))
    assert accuracy(out) == round(np.mean(together.predict(X_test) == y_test), 4)
    card = json.loads(Path(f"{model}.card.json").read_text())
    assert [one["cost"] for one in card["histories"]] == [one.cost for one in histories]
    assert [one["seed"] for one in card["histories"]] == [0, 1]
    assert "network 2/2  epoch 4/4  cost " in out


def test_info_and_predict_take_an_ensemble(
    fastmlp_command: Command, images: Any, ensemble: Path, model: Path, tmp_path: Path
) -> None:
    fastmlp_command("train", "--recipe", ensemble, "--save", model)
    out = fastmlp_command("info", model).out
    assert "network 2        64-16-10\n" in out
    assert re.search(r"^recipe +small$", out, re.M)
    assert "holds several" in fastmlp_command("info", model, "--memory").err
    table = tmp_path / "images.npz"
    np.savez(table, X=images[2].astype(np.float64))
    lines = fastmlp_command("predict", model, table).out.splitlines()
    expected = fastmlp.load(model).predict(images[2].astype(np.float64))
    assert [int(line) for line in lines[1:]] == expected.tolist()


def test_an_interrupted_run_continues_from_its_checkpoint(
    fastmlp_command: Command, images: Any, small: Path, tmp_path: Path, model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_epoch = Run.run_epoch

    def interrupted(self: Any, *arguments: Any) -> Any:
        cost = run_epoch(self, *arguments)
        if self.net.epochs == 3:
            raise KeyboardInterrupt
        return cost

    arguments = ("train", "--recipe", small, "--checkpoint", tmp_path / "run.npz")
    with monkeypatch.context() as patch:
        patch.setattr(Run, "run_epoch", interrupted)
        code, out, err = fastmlp_command(*arguments)
    assert (code, err) == (130, "fastmlp train: error: interrupted\n")
    assert "Accuracy" not in out
    out = fastmlp_command(*arguments, "--save", model).out
    assert "resumed after epoch 2\n" in out
    assert "Resumed after epochs: 2\n" in out
    net, _ = recipes.train(small, *images[:2])
    np.testing.assert_array_equal(fastmlp.load(model).forward(images[2]), net.forward(images[2]))
    assert "seed is 0, not 1" in fastmlp_command(*arguments, "--seed", 1).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["t.csv", "--recipe", "fast"], "give TABLE or --recipe, not both"),
        (["--recipe", "fast", "--hidden", "9"], "--hidden is for a TABLE; a recipe has its own"),
        (["--recipe", "fast", "--epochs", "200"], "--epochs is for a TABLE"),
        (["--recipe", "fast", "--label", "y"], "--label is for a TABLE"),
        (["--recipe", "fsat"], "unknown recipe 'fsat'; did you mean 'fast'?"),
        (["--recipe", "fast", "--validation-images", "600"], "leaves none of the 600 to train on"),
        (["--recipe", "fast", "--validation-images", "0"], "'0' is not a whole number, 1 or more"),
        (["--data", "mnist"], "--data needs --recipe"),
        (["t.csv", "--label", "y", "--validation-images", "3"], "images needs --recipe"),
        ([], "required: TABLE, --label"),
    ],
)
def test_wrong_usage_is_one_line(
    fastmlp_command: Command, images: Any, arguments: list[str], message: str
) -> None:
    code, out, err = fastmlp_command("train", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_model_and_checkpoint_are_two_files(
    fastmlp_command: Command, images: Any, small: Path, model: Path
) -> None:
    outcome = fastmlp_command("train", "--recipe", small, "--save", model, "--checkpoint", model)
    assert outcome.code == 2
    assert f"--checkpoint {model} is the same file as --save {model}" in outcome.err


def test_a_card_that_cannot_be_written_is_an_error_before_training(
    fastmlp_command: Command, images: Any, small: Path, model: Path
) -> None:
    Path(f"{model}.card.json").mkdir()
    code, out, err = fastmlp_command("train", "--recipe", small, "--save", model)
    assert (code, out) == (2, "")
    assert "card.json cannot be written" in err
