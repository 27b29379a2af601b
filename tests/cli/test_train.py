"""fastmlp train: a model from a table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

import fastmlp
from fastmlp import tabular
from fastmlp.experiments.splits import test_rows as rows_of_test
from fastmlp.tabular.reading import read_table

Command = Callable[..., Any]  # see conftest.py
QUICK = ("--quality", "fast", "--epochs", 12, "--hidden", 16)


METRICS = ("accuracy", "balanced accuracy", "log-loss", "AUC", "F1",
           "RMSE", "MAE", "R2", "90 % intervals hold")  # fmt: skip


def scores(out: str) -> dict[str, list[float]]:
    """The printed table of scores, by metric."""
    return {
        name: [float(cell) for cell in line.removeprefix(name).split()]
        for line in out.splitlines()
        for name in METRICS
        if line.startswith(f"{name} ")
    }


def test_it_says_how_it_understood_the_table(classify: Command, model: Path) -> None:
    code, out, _ = classify()
    assert code == 0
    assert "classification: 'bought' is to be predicted; it holds text\n" in out
    assert "128 rows for training, 32 for the test (chosen at random, stratified)" in out
    assert "columns in use: 1 number, 1 category, 1 date" in out
    assert "'person', it identifies the rows" in out
    assert "'constant', it has the same value in every row" in out
    assert re.search(r"^2 networks; epoch kept: \d+ of 12, \d+ of 12$", out, re.MULTILINE)
    assert out.endswith(f"saved {model} and {model}.card.json\n")


def test_the_scores_of_a_classifier_are_those_of_the_saved_model(
    classify: Command, mixed: Path, model: Path
) -> None:
    found = scores(classify().out)
    assert list(found) == ["accuracy", "balanced accuracy", "log-loss", "AUC", "F1"]
    card = json.loads(Path(f"{model}.card.json").read_text())
    net = tabular.load(model)
    frame = read_table(mixed)
    labels = frame.pop("bought")
    test = frame.index[rows_of_test(labels.to_numpy(), 0.2, 0, stratify=True)]
    p = net.predict_proba(frame.loc[test, list(net.feature_names_in_)])
    assert found["log-loss"][0] == pytest.approx(log_loss(labels[test], p), abs=1e-4)
    assert card["scores"]["log_loss"] == pytest.approx(log_loss(labels[test], p))
    shares = labels.drop(test).value_counts(normalize=True)
    expected = -np.log(shares[labels[test]]).mean()
    assert found["log-loss"][1] == pytest.approx(expected, abs=1e-4)
    assert found["accuracy"][1] == pytest.approx(
        (labels[test] == shares.idxmax()).mean(), abs=1e-4
    )


def test_a_regression_has_its_own_scores_and_the_coverage(regress: Command, model: Path) -> None:
    code, out, _ = regress("--epochs", 40)
    assert code == 0
    assert "regression: 'price' is to be predicted; it holds numbers with fractions" in out
    found = scores(out)
    assert list(found) == ["RMSE", "MAE", "R2", "90 % intervals hold"]
    assert found["RMSE"][0] < found["RMSE"][1]  # the mean of the training rows
    assert abs(found["R2"][1]) < 0.2
    assert 0 <= found["90 % intervals hold"][0] <= 1
    assert isinstance(tabular.load(model), tabular.TabularRegressor)


def test_the_card_has_what_is_needed_to_repeat_the_training(
    classify: Command, mixed: Path, model: Path
) -> None:
    classify("--seed", 3, "--metric", "auc")
    card = json.loads(Path(f"{model}.card.json").read_text())
    assert card["command"].startswith(f"fastmlp train {mixed} --label bought --drop price")
    assert card["command"].endswith("--seed 3 --metric auc")
    assert card["data"]["rows"] == 160
    assert (card["seed"], card["parameters"]["metric"]) == (3, "auc")
    assert card["columns"] == {"age": "number", "job": "category", "since": "date"}
    assert set(card["columns not used"]) == {"person", "constant"}
    assert set(card["baselines"]) == {"majority class", "logistic regression"}
    assert card["versions"]["fastmlp"] == fastmlp.__version__
    assert tabular.load(model).metadata_["card"] == card


def test_the_same_seed_gives_the_same_model_on_any_number_of_threads(
    classify: Command, mixed: Path, model: Path
) -> None:
    frame = read_table(mixed).drop(columns=["bought", "price"])
    found = []
    for options in (["--threads", 1], ["--threads", 2], ["--seed", 1]):
        assert classify("--members", 2, *options).code == 0
        found.append(tabular.load(model).predict_proba(frame))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_rows_without_a_label_are_left_out_and_counted(
    classify: Command, mixed: Path
) -> None:
    lines = mixed.read_text().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ","
    lines[9] = lines[9].rpartition(",")[0] + ",?"
    mixed.write_text("\n".join(lines))
    out = classify().out
    assert "2 of 160 rows have no label: left out" in out
    assert "126 rows for training, 32 for the test" in out


@pytest.mark.parametrize(
    ("option", "parameter", "value"),
    [
        (("--hidden", "8,4"), "hidden_layer_sizes", [8, 4]),
        (("--hidden", "0"), "hidden_layer_sizes", []),
        (("--activation", "tanh"), "activation", "tanh"),
        (("--epochs", 2), "epochs", 2),
        (("--batch-size", 40), "batch_size", 40),
        (("--learning-rate", 0.01), "learning_rate", 0.01),
        (("--weight-decay", 0.1), "weight_decay", 0.1),
        (("--patience", 3), "early_stopping", 3),
        (("--members", 2), "n_members", 2),
        (("--class-weight", "balanced"), "class_weight", "balanced"),
        (("--metric", "f1"), "metric", "f1"),
        (("--time-limit", 1000), "time_limit", 1000.0),
        (("--seed", 5), "random_state", 5),
    ],
)
def test_options_are_parameters_of_the_estimator(
    classify: Command, model: Path, option: tuple[object, ...], parameter: str, value: object
) -> None:
    assert classify("--epochs", 1, *option).code == 0
    card = json.loads(Path(f"{model}.card.json").read_text())
    assert card["parameters"][parameter] == value
    if parameter == "hidden_layer_sizes":
        assert card["networks"][0]["layers"][1:-1] == value


def test_an_option_that_the_networks_cannot_have_is_no_fault_of_the_table(
    classify: Command,
) -> None:
    code, out, err = classify("--learning-rate", "1e-50")
    assert (code, out) == (2, "")
    assert err.startswith("fastmlp train: error: learning_rate is 1e-50, which is 0 in a float32")


@pytest.mark.parametrize(
    ("option", "instead"),
    [("--l2", "--weight-decay"), ("--optimizer", "AdamW"), ("--validation", "--test-fraction")],
)
def test_an_option_that_is_gone_names_what_took_its_place(
    classify: Command, option: str, instead: str
) -> None:
    code, _, err = classify(option, "1")
    assert code == 2
    assert f"there is no {option} any more" in err
    assert instead in err


def test_a_file_of_parameters_is_taken_and_options_have_precedence(
    classify: Command, model: Path, tmp_path: Path
) -> None:
    config = tmp_path / "best.toml"
    config.write_text('hidden_layer_sizes = [8]\ndropout = 0.2\nencoding = "raw"\nepochs = 9\n')
    assert classify("--config", config).code == 0
    found = tabular.load(model).get_params()
    assert (found["dropout"], found["encoding"]) == (0.2, "raw")
    assert (found["epochs"], list(found["hidden_layer_sizes"])) == (12, [16])
    config.write_text("dropuot = 0.2\n")
    err = classify("--config", config).err
    assert "best.toml: unknown key 'dropuot'; did you mean 'dropout'?" in err


def test_groups_are_not_divided_and_their_column_is_not_used(
    fastmlp_command: Command, tmp_path: Path, model: Path, rng: np.random.Generator
) -> None:
    x = rng.normal(size=90)
    rows = [f"{i // 9},{a:.4f},{a + x[-i]:.4f}" for i, a in enumerate(x)]
    (tmp_path / "t.csv").write_text("\n".join(["patient,x,y", *rows]))
    out = fastmlp_command(
        "train", tmp_path / "t.csv", "--label", "y", "--group", "patient", "--save", model, *QUICK
    ).out
    assert "72 rows for training, 18 for the test (whole groups of patient" in out
    assert list(tabular.load(model).feature_names_in_) == ["x"]


def test_a_group_with_most_of_the_rows_is_trained_on_with_a_warning(
    fastmlp_command: Command, tmp_path: Path, model: Path, rng: np.random.Generator
) -> None:
    x = rng.normal(size=120)
    rows = [f"{max(0, i - 89) // 5},{a:.4f},{a + x[-i]:.4f}" for i, a in enumerate(x)]
    (tmp_path / "t.csv").write_text("\n".join(["patient,x,y", *rows]))
    basis = (tmp_path / "t.csv", "--label", "y", "--group", "patient", "--save", model)
    code, out, err = fastmlp_command("train", *basis, *QUICK, "--test-fraction", 0.4)
    assert code == 0
    assert "105 rows for training, 15 for the test (whole groups of patient" in out
    assert "the groups of 'patient' do not allow 40% of the rows for the test: it has 12%" in err
    assert "one entry of groups has 90% of the rows: every network is trained on these" in err
    assert model.exists()


def test_the_latest_rows_are_the_test_set_and_time_remains_a_column(
    fastmlp_command: Command, tmp_path: Path, model: Path, rng: np.random.Generator
) -> None:
    """The mean of the latest values is that of the scores."""
    day = rng.permutation(60)
    rows = [f"2024-{1 + d // 28:02d}-{1 + d % 28:02d},{d % 7},{d}.5" for d in day]
    (tmp_path / "t.csv").write_text("\n".join(["day,x,y", *rows]))
    out = fastmlp_command(
        "train", tmp_path / "t.csv", "--label", "y", "--time", "day", "--save", model, *QUICK
    ).out
    assert "48 rows for training, 12 for the test (the latest by day)" in out
    assert list(tabular.load(model).feature_names_in_) == ["day", "x"]
    latest, before = np.arange(48, 60) + 0.5, np.arange(48) + 0.5
    expected = np.sqrt(np.mean((latest - before.mean()) ** 2))
    assert scores(out)["RMSE"][1] == pytest.approx(expected, rel=1e-5)


def test_the_test_set_may_be_a_file(classify: Command, mixed: Path, tmp_path: Path) -> None:
    header, *rows = mixed.read_text().splitlines()
    other = tmp_path / "test.csv"
    other.write_text("\n".join([header, *rows[:50], rows[50].replace("yes", "no") + "x"]))
    code, out, err = classify("--test", other)
    assert code == 0
    assert f"160 rows for training, 50 for the test (the rows of {other})" in out
    assert "1 test rows have classes that the training set lacks" in err
    other.write_text("\n".join([header, *(row[: row.rindex(",")] + ",7" for row in rows[:2])]))
    err = classify("--test", other).err
    assert "has a class of the training set: the labels are 7, the classes 'no', 'yes'" in err
    other.write_text("\n".join(",".join(line.split(",")[2:]) for line in [header, *rows]))
    assert "2 columns are missing: 'person', 'age'" in classify("--test", other).err
    assert "give one of them" in classify("--test", other, "--test-fraction", 0.5).err


def test_rows_of_the_training_set_in_a_test_file_are_reported(
    classify: Command, mixed: Path, tmp_path: Path
) -> None:
    header, *rows = mixed.read_text().splitlines()
    other = tmp_path / "test.csv"
    new = [f"new {row}" for row in rows[:40]]
    other.write_text("\n".join([header, *new]))
    assert "of the training set too" not in classify("--test", other).err
    other.write_text("\n".join([header, *new, *rows[:10]]))
    code, _, err = classify("--test", other)
    assert code == 0
    assert "10 of the 50 test rows are rows of the training set too" in err
    assert "160 of the 160 test rows are rows of the training set" in classify("--test", mixed).err


def test_rows_that_repeat_in_any_table_of_few_values_are_no_sign_of_a_wrong_test_file(
    fastmlp_command: Command, tmp_path: Path, model: Path, rng: np.random.Generator
) -> None:
    for name in ("t.csv", "test.csv"):
        rows = rng.integers(0, 2, (80, 3))
        np.savetxt(tmp_path / name, rows, "%d", delimiter=",", header="a,b,y", comments="")
    basis = ("train", tmp_path / "t.csv", "--label", "y", "--save", model, *QUICK)
    code, _, err = fastmlp_command(*basis, "--test", tmp_path / "test.csv")
    assert code == 0
    assert "of the training set too" not in err


def test_without_a_test_set_the_scores_are_those_of_validation_rows(classify: Command) -> None:
    out = classify("--test-fraction", 0).out
    assert "160 rows for training, no test rows (--test-fraction 0)" in out
    assert "scores of the rows that their networks were not trained on" in out
    assert len(scores(out)["accuracy"]) == 1


def test_whole_numbers_may_be_classes_or_values(
    fastmlp_command: Command, tmp_path: Path, model: Path, rng: np.random.Generator
) -> None:
    x = rng.integers(0, 3, 60)
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{a},{a + 3}\n" for a in x))
    basis = ("train", tmp_path / "t.csv", "--label", "y", "--save", model, *QUICK)
    assert "it holds 3 different whole numbers (--task overrides)" in fastmlp_command(*basis).out
    assert tabular.load(model).classes_.tolist() == [3, 4, 5]
    out = fastmlp_command(*basis, "--task", "regression").out
    assert "regression: 'y' is to be predicted, as --task says" in out
    assert isinstance(tabular.load(model), tabular.TabularRegressor)


def test_rows_of_a_test_file_need_a_known_label(
    classify: Command, mixed: Path, tmp_path: Path
) -> None:
    header, *rows = mixed.read_text().splitlines()
    other = tmp_path / "test.csv"
    unlabelled = rows[10].rpartition(",")[0] + ","
    other.write_text("\n".join([header, *rows[:10], unlabelled]))
    code, out, err = classify("--test", other)
    assert code == 0
    assert "10 for the test" in out
    assert f"1 rows of {other} have no label and are left out" in err
    other.write_text("\n".join([header, *(row + "x" for row in rows[:10])]))
    code, _, err = classify("--test", other)
    assert code == 2
    assert "no row of the test set has a class of the training set" in err


def test_one_row_with_a_label_is_too_few(
    regress: Command, mixed: Path, tmp_path: Path
) -> None:
    header, *rows = mixed.read_text().splitlines()
    mixed.write_text("\n".join([header, rows[0]]))
    code, _, err = regress("--test-fraction", 0, "--task", "regression")
    assert code == 2
    assert f"{mixed}: 1 rows with a label are too few; a model needs at least 2" in err


def test_weights_of_classes_are_not_for_a_regression(regress: Command, model: Path) -> None:
    code, _, err = regress("--class-weight", "balanced")
    assert code == 2
    assert "--class-weight is for classification" in err
    assert not model.exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dropout = 'x'", "dropout must be a number, got 'x'"),
        ("hidden_layer_sizes = [0]", "hidden_layer_sizes[0] must be at least 1, got 0"),
        ("per = 3", "per must be the name of a column, a text, got 3"),
        ("metric = ['auc']", "metric must be one of 'log_loss', "),
        ("metric = 'rmse'", "unknown metric 'rmse'"),
        ("class_weight = {yess = 2}", "class_weight: unknown key 'yess'; did you mean 'yes'?"),
    ],
)
def test_a_wrong_value_in_a_file_of_parameters_is_an_error_that_names_it(
    classify: Command, tmp_path: Path, line: str, message: str
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(line)
    code, out, err = classify("--config", config)
    assert (code, out if "yess" not in line else "") == (2, "")
    assert f"fastmlp train: error: {config}: {message}" in err


@pytest.mark.parametrize(("labels", "weighted"), [("03", 3), (("00", "03"), "03")])
def test_class_weights_in_a_file_are_by_the_text_of_the_label(
    fastmlp_command: Command, tmp_path: Path, model: Path, labels: Sequence[str], weighted: Any
) -> None:
    table, config = tmp_path / "t.csv", tmp_path / "c.toml"
    table.write_text("a,y\n" + "".join(f"{i % 7},{labels[i % 7 > 4]}\n" for i in range(100)))
    config.write_text(f"class_weight = {{{weighted} = 2.5}}")
    basis = ("train", table, "--label", "y", "--save", model, "--epochs", 1, "--quality", "fast")
    assert fastmlp_command(*basis, "--config", config).code == 0
    assert tabular.load(model).class_weight == {weighted: 2.5}


def test_a_learning_rate_with_which_outputs_are_not_finite_is_divergence(classify: Command) -> None:
    code, out, err = classify("--learning-rate", 1e25, "--batch-size", 1000)
    assert (code, "scores" in out) == (1, False)
    assert "error: training diverged, and nothing was saved: the outputs for the validation" in err
