"""fastmlp explain: importances and partial dependence; pages about models of tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import tabular
from fastmlp.tabular.reading import read_table

Command = Callable[..., Any]  # see conftest.py


@pytest.fixture
def train(fastmlp_command: Command, mixed: Path, tmp_path: Path) -> Command:
    """Trains on a label of `mixed`, and returns the file of the model."""

    def command(label: str, *more: object) -> Path:
        other = {"bought": "price", "price": "bought"}[label]
        path = tmp_path / "model.npz"
        basis = (mixed, "--label", label, "--drop", other, "--save", path)
        quick = ("--quality", "fast", "--epochs", 12, "--hidden", 16, "--learning-rate", 0.01)
        assert fastmlp_command("train", *basis, *quick, *more).code == 0
        return path

    return command


def test_importances_and_dependence_are_those_of_the_estimator(
    train: Command, fastmlp_command: Command, mixed: Path, tmp_path: Path
) -> None:
    path = train("price")
    files = ("--importances", tmp_path / "i.csv", "--dependence", tmp_path / "d.csv")
    code, out, err = fastmlp_command("explain", path, mixed, "--repeats", 2, "--columns", "age",
                                     *files)  # fmt: skip
    assert (code, err) == (0, "")
    assert "importance: increase of rmse when a column is shuffled, over 160 rows" in out
    assert "partial dependence on age\n" in out
    model = tabular.load(path)
    frame = read_table(mixed)
    X = frame[list(model.feature_names_in_)]
    expected = model.feature_importances(X, frame["price"], n_repeats=2)
    with (tmp_path / "i.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [row["column"] for row in found] == expected["column"].tolist()
    assert {row["column"] for row in found[:2]} == {"age", "job"}
    np.testing.assert_allclose(
        [float(row["importance"]) for row in found], expected["importance"], rtol=1e-12
    )
    curve = model.partial_dependence(X, "age")
    with (tmp_path / "d.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {(row["column"], row["output"]) for row in lines} == {("age", "prediction")}
    np.testing.assert_allclose(
        [float(row["prediction"]) for row in lines], curve["prediction"], rtol=1e-12
    )


def test_the_metric_can_be_chosen(train: Command, fastmlp_command: Command, mixed: Path) -> None:
    path = train("bought")
    out = fastmlp_command("explain", path, mixed, "--metric", "auc", "--repeats", 1).out
    assert out.startswith("importance: decrease of auc when a column is shuffled")
    assert out.count("partial dependence on ") == 3
    code, _, err = fastmlp_command("explain", path, mixed, "--metric", "rmse")
    assert code == 2
    assert "--metric rmse: the metrics of a classification are log_loss" in err


def test_the_first_importances_are_printed_and_the_others_counted(
    train: Command, fastmlp_command: Command, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = train("bought")
    monkeypatch.setattr("fastmlp.cli.explain_table.MOST_COLUMNS", 1)
    out = fastmlp_command("explain", path, mixed, "--repeats", 1).out
    assert "\nand 2 columns more\n" in out


def test_a_column_that_is_not_used_is_an_error(
    train: Command, fastmlp_command: Command, mixed: Path
) -> None:
    path = train("bought")
    code, _, err = fastmlp_command("explain", path, mixed, "--columns", "constant")
    assert code == 2
    assert "does not use 'constant': it has the same value in every row" in err
    err = fastmlp_command("explain", path, mixed, "--columns", "price").err
    assert "does not use 'price': it was not in the training set" in err


@pytest.mark.parametrize(
    ("label", "sections"),
    [
        ("bought", ["Scores", "Confusion matrix", "Mistakes", "Calibration", "Importances"]),
        ("price", ["Scores", "Predicted against actual values", "Largest errors", "Importances"]),
    ],
)
def test_pages_show_scores_plots_and_settings(
    train: Command, fastmlp_command: Command, mixed: Path, tmp_path: Path, label: str,
    sections: list[str],
) -> None:
    pytest.importorskip("matplotlib")
    for page, make in {
        "train.html": lambda page: train(label, "--html", page),
        "explain.html": lambda page: fastmlp_command(
            "explain", tmp_path / "model.npz", mixed, "--html", page
        ),
    }.items():
        make(tmp_path / page)
        text = (tmp_path / page).read_text("utf-8")
        found = re.findall(r"<h2>(.*?)</h2>", text)
        curves = [f"Partial dependence on {name}" for name in ("age", "job", "since")]
        assert found[: len(sections)] == sections
        assert sorted(found[len(sections) : -2]) == curves
        assert found[-2:] == ["Configuration", "Environment"]
        assert f"<title>{label}, by {mixed}</title>" in text
        assert text.count("<svg") == len(sections) - 2 + 3
        listed = text[text.index(f"<h2>{sections[-3 if label == 'bought' else -2]}</h2>") :]
        rows = re.findall(r"<tr><td>(\d+)</td><td>([\w.]+)</td>", listed)
        assert rows
        lines = mixed.read_text().splitlines()
        for line, actual in rows:
            shown = lines[int(line) - 1].split(",")[-1 if label == "bought" else -2]
            assert shown == actual or float(shown) == pytest.approx(float(actual), rel=1e-5)
        assert "<th>quality</th><td>fast</td>" in text
