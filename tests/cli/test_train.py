"""fastmlp train: a model from a table, or one line that says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.cli.tables import open_table

Command = Callable[..., Any]  # see conftest.py
QUICK = ("--epochs", 60, "--hidden", 8, "--learning-rate", 0.02, "--quiet")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "model.npz"


@pytest.fixture
def classify(fastmlp_command: Command, flowers: Path, model: Path) -> Command:
    """Trains on `flowers` to `model`, with more arguments."""

    def command(*more: object) -> Any:
        basis = (flowers, "--label", "species", "--save", model, "--drop", "note")
        return fastmlp_command("train", *basis, *QUICK, *more)

    return command


@pytest.fixture
def regress(fastmlp_command: Command, houses: Path, model: Path) -> Command:
    """Trains on `houses` to `model`, with more arguments."""

    def command(*more: object) -> Any:
        basis = (houses, "--label", "price", "--save", model, "--task", "regression")
        return fastmlp_command("train", *basis, *QUICK, *more)

    return command


def test_the_model_takes_the_columns_as_they_are_in_the_table(
    classify: Command, flowers: Path, model: Path
) -> None:
    assert classify().code == 0
    net = fastmlp.load(model)
    columns = ["year", "moment", "kind"]
    table = open_table(flowers)
    X, labels = table.numbers(columns), table.labels("species")
    assert net.metadata == {
        "task": "classification",
        "label": "species",
        "columns": columns,
        "classes": ["rose", "tulip"],
    }
    np.testing.assert_array_equal(np.take(net.metadata["classes"], net.predict(X)), labels)


def test_a_regression_predicts_in_the_units_of_the_table(
    regress: Command, houses: Path, model: Path
) -> None:
    assert regress().code == 0
    X = open_table(houses).numbers(["area", "rooms", "price"])
    error = fastmlp.load(model).predict(X[:, :2]) - X[:, 2]
    assert np.abs(error).max() < 0.05 * np.ptp(X[:, 2])


def test_a_constant_column_has_no_effect(classify: Command, flowers: Path, model: Path) -> None:
    classify()
    X = open_table(flowers).numbers(["year", "moment", "kind"])
    net = fastmlp.load(model)
    np.testing.assert_array_equal(net.forward(X + [0, 0, 1000]), net.forward(X))


def test_it_prints_how_good_the_model_is(classify: Command, regress: Command, model: Path) -> None:
    assert classify().out == (
        "training: accuracy 1.0000 (48 rows)\n"
        "validation: accuracy 1.0000 (12 rows)\n"
        f"saved {model}\n"
    )
    training, validation, _ = regress().out.splitlines()
    assert training.startswith("training: RMSE ")
    assert validation.endswith("(40 rows)")
    assert 0.99 < float(validation.split("R2 ")[1].split()[0]) <= 1


def test_without_quiet_it_prints_a_line_for_each_epoch(
    fastmlp_command: Command, flowers: Path, model: Path
) -> None:
    arguments = ("--label", "species", "--save", model, "--drop", "note", "--epochs", 3)
    lines = fastmlp_command("train", flowers, *arguments).out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["epoch", f"{i}/3"] for i in (1, 2, 3)]


def test_the_same_seed_gives_the_same_model_on_any_number_of_threads(
    classify: Command, model: Path
) -> None:
    before = fastmlp.get_num_threads()
    weights = []
    for options in ([], ["--threads", 1], ["--threads", 2], ["--seed", 1]):
        assert classify(*options).code == 0
        weights.append(np.concatenate([W.ravel() for W in fastmlp.load(model).weights]))
    fastmlp.set_num_threads(before)
    np.testing.assert_array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[0], weights[2])
    assert (weights[0] != weights[3]).any()


def test_without_validation_all_rows_train(classify: Command) -> None:
    outcome = classify("--validation", 0)
    assert outcome.out.startswith("training: accuracy 1.0000 (60 rows)\nsaved")


def test_no_hidden_layer_is_a_linear_model(
    regress: Command, houses: Path, model: Path, fastmlp_command: Command
) -> None:
    regress("--hidden", 0, "--epochs", 1000, "--patience", 1000)
    net = fastmlp.load(model)
    assert net.sizes == (2, 1)
    np.testing.assert_allclose(net.weights[0], [[2000, 9000]], rtol=1e-3)
    np.testing.assert_allclose(net.biases[0], [50_000], rtol=1e-2)


@pytest.mark.parametrize("optimizer", fastmlp.optimizers.TABLE)
@pytest.mark.parametrize("activation", ["tanh", "selu"])
def test_any_optimizer_and_activation_can_be_named(
    classify: Command, model: Path, optimizer: str, activation: str
) -> None:
    assert classify("--optimizer", optimizer, "--activation", activation, "--l2", 1e-3).code == 0
    assert fastmlp.load(model).activation[0].name == activation


def test_bytes_in_an_npz_count_as_the_numbers_they_are(
    fastmlp_command: Command, tmp_path: Path, model: Path, rng: np.random.Generator
) -> None:
    y = np.repeat([3, 8], 40)
    X = (60 * (y == 8)[:, np.newaxis] + rng.integers(0, 100, (80, 5))).astype(np.uint8)
    np.savez(tmp_path / "table.npz", X=X, y=y)
    arguments = (tmp_path / "table.npz", "--label", "y", "--save", model)
    assert fastmlp_command("train", *arguments, *QUICK).code == 0
    net = fastmlp.load(model)
    assert net.metadata["classes"] == [3, 8]
    np.testing.assert_array_equal(net.forward(X), net.forward(X.astype(float)))
    assert np.mean(np.take([3, 8], net.predict(X)) == y) > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "colour"], "flowers.csv: no column 'colour'; there are 'year'"),
        (["--drop", "Kind"], "flowers.csv: no column 'Kind'; did you mean 'kind'?"),
        (["--drop", "year", "--drop", "moment", "--drop", "kind"], "no column but the label"),
        (["--label", "kind", "--drop", "species"], "column 'kind' is 7 in all rows"),
        (["--label", "moment", "--drop", "species"], "has a class of its own in each row"),
        (["--l2", "-1"], "l2 must be in [0, inf), got -1"),
        (["--validation", "1"], "'1' is not a number from 0 to below 1"),
        (["--learning-rate", "-1"], "learning_rate must be in [0, inf)"),
    ],
)
def test_bad_input_is_one_line_and_no_model(
    classify: Command, model: Path, options: list[str], message: str
) -> None:
    code, out, err = classify(*options)
    assert code == 2
    assert out == ""
    assert err.startswith("fastmlp train: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not model.exists()


def test_text_in_a_column_to_predict_from_is_an_error(
    fastmlp_command: Command, flowers: Path, model: Path
) -> None:
    code, _, err = fastmlp_command("train", flowers, "--label", "species", "--save", model)
    assert code == 2
    assert "flowers.csv: 60 cells are not numbers: line 2, column 'note': 'a, " in err
    assert "; and 55 more" in err


@pytest.mark.parametrize("other", [5, 6])
def test_a_target_that_is_constant_in_training_is_an_error(
    regress: Command, houses: Path, other: int
) -> None:
    """The only other value, if any, is in the validation set."""
    validation = np.random.default_rng(0).permutation(3)[0]
    prices = np.where(np.arange(3) == validation, other, 5)
    houses.write_text("area,price\n" + "".join(f"{i},{price}\n" for i, price in enumerate(prices)))
    code, _, err = regress()
    assert code == 2
    assert "column 'price' is 5 in all training rows" in err


def test_a_validation_set_of_one_row_has_no_r2(regress: Command, houses: Path) -> None:
    houses.write_text("area,price\n1,10\n2,20\n3,30\n")
    assert re.search(r"^validation: RMSE \S+ \(1 rows\)$", regress().out, re.MULTILINE)


def test_a_column_without_name_must_be_named_or_dropped(classify: Command, flowers: Path) -> None:
    lines = flowers.read_text().splitlines()
    flowers.write_text(
        "\n".join(["," + lines[0], *(f"{i},{line}" for i, line in enumerate(lines[1:]))])
    )
    code, _, err = classify()
    assert code == 2
    assert "a column has no name; name it, or leave it out: --drop ''" in err
    assert classify("--drop", "").code == 0


def test_the_table_is_never_overwritten(
    fastmlp_command: Command, tmp_path: Path, rng: np.random.Generator
) -> None:
    table = tmp_path / "table.npz"
    np.savez(table, a=rng.normal(size=9), y=np.arange(9) % 2)
    content = table.read_bytes()
    code, _, err = fastmlp_command("train", table, "--label", "y", "--save", table)
    assert code == 2
    assert "is the same file as TABLE" in err
    assert table.read_bytes() == content


def test_a_place_that_cannot_be_written_is_refused_before_training(
    fastmlp_command: Command, flowers: Path, tmp_path: Path
) -> None:
    for path in (tmp_path / "nowhere" / "model.npz", tmp_path):
        code, out, err = fastmlp_command("train", flowers, "--label", "species", "--save", path)
        assert (code, out) == (2, "")
        assert err.startswith("fastmlp train: error: argument --save: ")


def test_training_that_diverges_fails_and_leaves_no_model(regress: Command, model: Path) -> None:
    code, _, err = regress("--optimizer", "gradient_descent", "--learning-rate", 1e6)
    assert code == 1
    assert err.startswith("fastmlp train: error: ")
    assert "epoch 1" in err
    assert not model.exists()
