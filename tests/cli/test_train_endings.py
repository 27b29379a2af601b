"""fastmlp train: what ends it, and tables and options that it refuses in one line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import tabular

Command = Callable[..., Any]  # see conftest.py
QUICK = ("--quality", "fast", "--epochs", 12, "--hidden", 16)


def test_a_model_that_did_not_beat_a_baseline_has_a_warning(
    fastmlp_command: Command, tmp_path: Path, rng: np.random.Generator
) -> None:
    x = rng.normal(size=120)
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{a:.5f},{3 * a:.5f}\n" for a in x))
    code, _, err = fastmlp_command(
        "train", tmp_path / "t.csv", "--label", "y", *QUICK, "--epochs", 1
    )
    assert code == 0
    assert "did not beat the baseline: ridge regression has rmse " in err


def test_a_time_limit_that_cut_training_has_a_warning(
    classify: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "fastmlp.tabular.trials.within_time", lambda plans, *_: [*map(shortened, plans)]
    )
    _, _, err = classify("--time-limit", 1000)
    assert "--time-limit 1000 allowed 2 of 2 networks, of 2 of 12 epochs" in err


def shortened(plan: Any) -> Any:
    from dataclasses import replace

    return replace(plan, networks=tuple(replace(one, epochs=2) for one in plan.networks))


def test_ctrl_c_saves_the_best_so_far_with_a_warning(
    classify: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = tabular.TabularClassifier.fit

    def interrupted(self: Any, *args: Any, **options: Any) -> Any:
        fit(self, *args, **options)
        warnings.warn("Training was interrupted: 1 of 1 networks are kept", stacklevel=2)
        return self

    monkeypatch.setattr(tabular.TabularClassifier, "fit", interrupted)
    code, _, err = classify()
    assert code == 0
    assert "fastmlp train: warning: Training was interrupted" in err
    assert model.exists()


def test_ctrl_c_before_the_first_epoch_is_130_and_no_model(
    classify: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(tabular.TabularClassifier, "fit", interrupted)
    code, _, err = classify()
    assert (code, err) == (130, "fastmlp train: error: interrupted\n")
    assert not model.exists()


@pytest.mark.parametrize("rate", ["1e30", "1e4"])
def test_training_that_diverges_fails_and_leaves_no_model(
    regress: Command, model: Path, rate: str
) -> None:
    code, _, err = regress("--learning-rate", rate, "--activation", "relu")
    assert code == 1
    assert err.startswith("fastmlp train: error: training di")
    assert "nothing was saved" in err
    assert not model.exists()
    assert not Path(f"{model}.card.json").exists()


def test_a_cost_that_falls_from_a_diverged_one_is_no_convergence(
    classify: Command, model: Path
) -> None:
    code, _, err = classify("--learning-rate", 30, "--activation", "relu", "--epochs", 2)
    assert code == 1
    assert "training did not converge, and nothing was saved: the cost of network 1 is" in err
    assert "that of the same prediction for every row 0.6931; give a lower --learning-rate" in err
    assert not model.exists()


def test_an_early_epoch_that_was_kept_is_a_model_whatever_came_after_it(
    regress: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = tabular.TabularRegressor.fit

    def diverged_later(self: Any, *args: Any, **options: Any) -> Any:
        fit(self, *args, **options)
        for net in self.networks_:
            net.history.cost[-1] = 1e9
        self.best_epochs_ = [1] * len(self.networks_)
        return self

    monkeypatch.setattr(tabular.TabularRegressor, "fit", diverged_later)
    assert regress().code == 0
    assert model.exists()


def table(text: str) -> str:
    return text.replace(" ", "\n")


BAD = {
    "no such label": ("a,b 1,2 3,4", "y", "no column 'y'; there are 'a', 'b'"),
    "one class": ("a,y 1,x 2,x 3,x 4,x 5,x", "y", "column 'y' is x in all rows"),
    "one value": ("a,y 1,2.5 2,2.5 3,2.5 4,2.5 5,2.5", "y", "column 'y' is 2.5 in all rows"),
    "no labels": ("a,y 1, 2,NA 3,", "y", "column 'y' is empty in all rows; give each row a"),
    "two rows": ("a,y 1,x 2,z", "y", "2 rows with a label are too few"),
    "constant columns": (
        "a,b,y " + "1,2,x 1,2,z " * 9, "y", "no column that can help to predict: 'a': it has the",
    ),
    "a class in each row": (
        "a,y 1,k 2,l 3,m 4,n 5,o", "y", "has a class of its own in each row; such names of rows",
    ),
    "label alone": ("y x x z z x", "y", "there is no column but the label"),
    "empty file": ("", "y", "the file is empty"),
    "header only": ("a,y ", "y", "the table has a header line and no rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_table_that_poses_no_task_is_one_line_and_no_model(
    fastmlp_command: Command, tmp_path: Path, model: Path, name: str
) -> None:
    text, label, message = BAD[name]
    (tmp_path / "t.csv").write_text(table(text))
    code, _, err = fastmlp_command(
        "train", tmp_path / "t.csv", "--label", label, "--save", model, *QUICK
    )
    assert code == 2
    assert err.startswith("fastmlp train: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not model.exists()


def test_two_rows_train_without_a_test_set(
    fastmlp_command: Command, tmp_path: Path, model: Path
) -> None:
    (tmp_path / "t.csv").write_text("a,y\n1,x\n2,z\n")
    basis = ("train", tmp_path / "t.csv", "--label", "y", "--save", model, *QUICK)
    code, out, _ = fastmlp_command(*basis, "--test-fraction", 0)
    assert code == 0
    assert "the table is too small for scores" in out


def test_a_hundred_thousand_columns_are_refused_at_once(
    fastmlp_command: Command, tmp_path: Path
) -> None:
    np.savez(tmp_path / "t.npz", X=np.zeros((6, 100_000), np.uint8), y=np.arange(6) % 2)
    code, _, err = fastmlp_command("train", tmp_path / "t.npz", "--label", "y")
    assert code == 2
    assert "has 100,000 columns to predict from, more than 10,000; leave some out by --drop" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--drop", "Age"], "no column 'Age'; did you mean 'age'?"),
        (["--drop", "person,age,job,since,constant,price"], "there is no column but the label"),
        (["--metric", "rmse"], "--metric rmse: the metrics of a classification are log_loss"),
        (["--task", "regression"], "160 cells are not numbers"),
        (["--task", "regression", "--class-weight", "balanced"], "--task"),
        (["--group", "person", "--time", "since"], "exclude each other"),
        (["--group", "age"], "group: column 'age' is missing in 15 rows, first in line 2"),
        (["--group", "constant"], "group: all rows have the same entry"),
        (["--time", "job"], "time: column 'job' holds text"),
        (["--weight-decay", "-1"], "argument --weight-decay: '-1' is not a number, 0 or more"),
        (["--time-limit", "0.000001"], "seconds are too few for an epoch"),
    ],
)
def test_options_that_do_not_fit_are_one_line_and_no_model(
    classify: Command, model: Path, options: list[str], message: str
) -> None:
    code, _, err = classify(*options)
    assert code == 2
    assert err.startswith("fastmlp train: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not model.exists()


def test_a_column_without_name_must_be_named_or_dropped(classify: Command, mixed: Path) -> None:
    header, *rows = mixed.read_text().splitlines()
    mixed.write_text("\n".join(["," + header, *(f"{i},{row}" for i, row in enumerate(rows))]))
    code, _, err = classify()
    assert code == 2
    assert "a column has no name; name it, or leave it out: --drop ''" in err
    assert classify("--drop", "").code == 0


def test_the_table_is_never_overwritten(
    fastmlp_command: Command, tmp_path: Path, rng: np.random.Generator
) -> None:
    path = tmp_path / "table.npz"
    np.savez(path, a=rng.normal(size=9), y=np.arange(9) % 2)
    content = path.read_bytes()
    code, _, err = fastmlp_command("train", path, "--label", "y", "--save", path)
    assert code == 2
    assert "is the same file as TABLE" in err
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_refused_before_training(
    fastmlp_command: Command, flowers: Path, tmp_path: Path
) -> None:
    for path in (tmp_path / "nowhere" / "model.npz", tmp_path):
        code, out, err = fastmlp_command("train", flowers, "--label", "species", "--save", path)
        assert (code, out) == (2, "")
        assert err.startswith("fastmlp train: error: argument --save: ")


def test_the_other_loader_names_the_right_one(classify: Command, model: Path) -> None:
    classify("--epochs", 1)
    with pytest.raises(ValueError, match=r"model\.npz holds a model of a table: fastmlp\.tabular"):
        fastmlp.load(model)


def test_a_column_of_numbers_with_one_text_is_a_category(
    fastmlp_command: Command, tmp_path: Path
) -> None:
    """Wherever the row with the text lies: here at the end, in the test set."""
    lines = [f"{i % 3 + 4},{i},{i % 3 + i / 90}" for i in range(89)] + ["rotary,89,0.9"]
    (tmp_path / "cars.csv").write_text("cylinders,day,weight\n" + "\n".join(lines) + "\n")
    options = ["--time", "day", "--quality", "fast", "--epochs", "20"]
    code, _, err = fastmlp_command("train", tmp_path / "cars.csv", "--label", "weight", *options)
    assert code == 0, err
