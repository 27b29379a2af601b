"""Studies of a table: what is trained on which rows, and what is measured."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_absolute_error

pd = pytest.importorskip("pandas")

import fastmlp  # noqa: E402
from fastmlp.ablation import reporting  # noqa: E402
from fastmlp.ablation.tables import METRICS, SHOWN, TableData, TableSettings  # noqa: E402
from fastmlp.experiments.splits import test_rows as rows_of_test  # noqa: E402
from fastmlp.tabular import TabularClassifier, TabularRegressor  # noqa: E402
from fastmlp.training import Stop  # noqa: E402

Given = dict[str, Any]
SMALL = {"n_members": 2, "hidden_layer_sizes": [4], "epochs": 3}
COLUMNS = ["age", "job"]
REST: Given = {"metric": None, "task": None, "drop": (), "group": None, "time": None}


@pytest.fixture
def frame(rng: np.random.Generator) -> Any:
    """Rows of a person each two, with a number and a class that depend on age and job."""
    m = 100
    table = pd.DataFrame({
        "person": np.arange(m) // 2, "age": rng.uniform(20, 80, m),
        "job": rng.choice(["clerk", "nurse"], m), "constant": 1, "day": rng.permutation(m),
    })
    table["price"] = table["age"] / 10 + 3 * (table["job"] == "nurse") + 0.1
    table["bought"] = np.where(table["price"] > 6, "yes", "no")
    return table


@pytest.fixture
def given() -> Given:
    drop = ["person", "constant", "day", "bought"]
    return {
        "study": {"label": "price", "metric": "mae", "drop": drop, "seeds": 2},
        "base": dict(SMALL),
        "factors": {"dropout": [0.3], "activation": ["tanh"]},
    }


@pytest.fixture(autouse=True)
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "find_spec", lambda name: None)


def load(frame: Any, **options: Any) -> TableData:
    return TableData.load("t.csv", frame, **{**REST, **options})


def parts(y: np.ndarray, seed: int, stratify: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for testing with a seed, by their places in the table."""
    rows = np.setdiff1d(np.arange(len(y)), rows_of_test(y, 0.2, 0, stratify=stratify))
    test = rows_of_test(y[rows], 0.2, seed, stratify=stratify)
    return np.delete(rows, test), rows[test]


def test_a_regression_s_run_is_remade_by_the_estimator(
    given: Given, frame: Any, tmp_path: Path
) -> None:
    results = fastmlp.ablation.run(given, tmp_path, data=frame, n_jobs=2)
    run = results.rows[1].runs[1]
    training, test = parts(frame["price"].to_numpy(), 1, stratify=False)
    model = TabularRegressor("mae", dropout=0.3, random_state=1, **SMALL)
    model.fit(frame[COLUMNS].iloc[training], frame["price"].iloc[training])
    predicted = model.predict(frame[COLUMNS].iloc[test])
    assert run.score == pytest.approx(mean_absolute_error(frame["price"].iloc[test], predicted))
    assert run.validation_score == model.validation_scores_["mae"]
    assert run.cost == np.mean([net.history.cost[-1] for net in model.networks_])
    assert (run.epochs, run.diverged, results.metric.name) == (3, None, "mae")


def test_a_classification_s_run_is_remade_by_the_estimator(
    given: Given, frame: Any, tmp_path: Path
) -> None:
    given["study"] |= {"label": "bought", "drop": ["person", "constant", "day", "price"]}
    del given["study"]["metric"]
    results = fastmlp.ablation.run(given, tmp_path, data=frame, n_jobs=1)
    training, test = parts(frame["bought"].to_numpy(object), 0, stratify=True)
    model = TabularClassifier(random_state=0, **SMALL)
    model.fit(frame[COLUMNS].iloc[training], frame["bought"].iloc[training])
    expected = log_loss(frame["bought"].iloc[test], model.predict_proba(frame[COLUMNS].iloc[test]))
    assert results.metric.name == "log_loss"
    assert results.rows[0].runs[0].score == pytest.approx(expected)


def test_differences_are_between_runs_on_the_same_division(
    given: Given, frame: Any, tmp_path: Path
) -> None:
    base, *others = fastmlp.ablation.run(given, tmp_path, data=frame).rows
    for row in others:
        expected = [run.score - other.score
                    for run, other in zip(row.runs, base.runs, strict=True)]
        assert row.differences == tuple(expected)
        assert row.difference == pytest.approx(np.mean(expected))


def test_the_table_is_read_from_a_file_beside_the_study(
    frame: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame.to_csv(tmp_path / "t.csv", index=False)
    study = tmp_path / "study.toml"
    study.write_text(
        '[study]\ndata = "t.csv"\nlabel = "price"\ndrop = ["bought"]\nseeds = 1\n'
        "[base]\nn_members = 1\nhidden_layer_sizes = [4]\nepochs = 2\n"
        "[factors]\ndropout = [0.5]\n"
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # also that of the constant column
        results = fastmlp.ablation.run(study)
    assert results.data["name"] == "t.csv"
    assert (tmp_path / "study" / "runs.jsonl").is_file()
    assert fastmlp.ablation.run(study).rows == results.rows  # nothing is run again


def test_the_files_have_the_metric_in_its_unit_and_direction(
    given: Given, frame: Any, tmp_path: Path
) -> None:
    results = fastmlp.ablation.run(given, tmp_path, data=frame)
    text = (tmp_path / "table.md").read_text("utf-8")
    assert "| factor | value | test MAE | difference from base | cost | seconds |" in text
    assert "MAE: mean ± standard deviation over the seeds; less is better." in text
    assert "percentage points" not in text
    assert "table: regression of price, 80 rows. With each seed another 20%" in text
    assert f"| dropout | 0.3 | {results.rows[1].mean:.3f} ± " in text
    assert re.search(r"^6 runs: ", text, re.MULTILINE)
    header = (tmp_path / "runs.csv").read_text().splitlines()[0]
    assert header == "factor,value,seed,mae,validation_mae,cost,epochs,seconds,diverged"


def test_another_metric_or_label_makes_other_runs(
    given: Given, frame: Any, tmp_path: Path
) -> None:
    for study in ({}, {"metric": "rmse"}, {"label": "age"}):
        given["study"] |= study
        fastmlp.ablation.run(given, tmp_path, data=frame)
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 18


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_groups_are_not_divided(frame: Any, seed: int) -> None:
    data = load(frame, label="price", group="person")
    training, test = data._divided(seed)
    assert "person" not in training.X
    assert not set(training.groups) & set(test.groups)
    assert len(training) + len(test) == len(data.rows)


def test_by_time_the_latest_rows_test(frame: Any) -> None:
    data = load(frame, label="price", time="day")
    training, test = data._divided(3)
    assert data.rows.X["day"].max() == 79  # the latest 20 are the test set of fastmlp train
    assert sorted(test.X["day"]) == list(range(64, 80))
    assert training.X["day"].max() == 63


def test_the_times_of_a_study_may_be_dates(frame: Any) -> None:
    pd = pytest.importorskip("pandas")
    day = frame["day"]
    of_dates = load(frame.assign(day=pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D")),
                    label="price", time="day")
    found, expected = of_dates._divided(3)[1], load(frame, label="price", time="day")._divided(3)[1]
    assert found.X.index.tolist() == expected.X.index.tolist()


def test_a_class_that_is_only_in_the_test_rows_is_left_out(frame: Any) -> None:
    frame["class"] = np.where(frame["day"] < 70, frame["bought"], "new")
    data = load(frame, label="class", time="day")
    training, test = data._divided(0)
    assert "new" not in training.y and "new" in data.rows.y
    assert set(test.y) <= set(training.y)


def test_a_run_that_was_stopped_has_no_model(frame: Any) -> None:
    stop = Stop()
    stop.set()
    data = load(frame[[*COLUMNS, "price"]], label="price")
    assert data.train(TableSettings.of(SMALL), 0, stop) is None


def test_divergence_is_a_result(given: Given, frame: Any, tmp_path: Path) -> None:
    given["factors"] = {"learning_rate": [1e30]}
    row = fastmlp.ablation.run(given, tmp_path, data=frame).rows[1]
    assert (row.diverged, row.mean, row.difference) == (2, None, None)
    assert "| learning_rate | 1e+30 | diverged |" in (tmp_path / "table.md").read_text("utf-8")


def test_equal_parameters_are_the_same_settings_however_they_are_written() -> None:
    one = TableSettings.of({"dropout": 0, "hidden_layer_sizes": (8, 8)})
    other = TableSettings.of({"hidden_layer_sizes": [8, 8], "dropout": 0.0})
    assert one.to_json() == other.to_json() == {"hidden_layer_sizes": [8, 8], "dropout": 0.0}


def test_every_metric_of_the_estimators_can_be_shown() -> None:
    assert {*METRICS["classification"], *METRICS["regression"]} == set(SHOWN)


@pytest.mark.parametrize(("changes", "message"), [
    ({"study": {"label": "prize"}}, "table: no column 'prize'"),
    ({"study": {"metric": "auc"}}, "unknown metric of a regression 'auc'"),
    ({"study": {"group": "person", "time": "day"}}, "group and time exclude each other"),
    ({"base": {"class_weight": "balanced"}}, "base: class_weight is for classification"),
    ({"factors": {"label_smoothing": [0.1]}},
     "label_smoothing: 0.1: label_smoothing is for classification"),
])
def test_what_does_not_fit_the_table_is_refused_before_anything_is_written(
    given: Given, frame: Any, tmp_path: Path, changes: Given, message: str
) -> None:
    for key, change in changes.items():
        given[key] |= change
    with pytest.raises(ValueError, match=re.escape(message)):
        fastmlp.ablation.run(given, tmp_path / "out", data=frame)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("key", ["label", "group"])
def test_columns_without_names_of_text_are_named_in_the_error(
    given: Given, frame: Any, tmp_path: Path, key: str
) -> None:
    given["study"] = {"label": "price", "seeds": 1} | {key: "x"}
    unnamed = frame.rename(columns={name: i for i, name in enumerate(frame) if name != "price"})
    with pytest.raises(ValueError, match=r"no column 'x'; there are 0, 1, .*columns\.map\(str\)"):
        fastmlp.ablation.run(given, tmp_path, data=unnamed)


def test_too_few_rows_are_refused(given: Given, frame: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="19 rows with a label, too few"):
        fastmlp.ablation.run(given, tmp_path, data=frame.iloc[:19])


def test_data_of_another_kind_than_the_study_are_refused(
    given: Given, frame: Any, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="data is missing: the table's file"):
        fastmlp.ablation.run(given, tmp_path)
    with pytest.raises(ValueError, match="a folder is for data = 'mnist'"):
        fastmlp.ablation.run(given, tmp_path, data=tmp_path)
    images = {"study": {"data": "digits"}, "base": {"hidden": [4]}, "factors": {"dropout": [0.5]}}
    for study in (images, {}, {"study": {"seeds": 1}}):
        with pytest.raises(ValueError, match="study: the study is of images; .* the key label"):
            fastmlp.ablation.run(study, tmp_path, data=frame)


def test_a_metric_that_does_not_exist_for_the_test_rows_is_an_error(
    given: Given, frame: Any, tmp_path: Path
) -> None:
    frame["late"] = np.where(frame["day"] < 50, frame["bought"], "no")
    given["study"] |= {"label": "late", "time": "day", "metric": "auc", "drop": ["price"]}
    with pytest.raises(ValueError, match="test rows of seed 0 have no AUC"):
        fastmlp.ablation.run(given, tmp_path, data=frame)
