"""fastmlp predict, evaluate, info and export on models of tables."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import tabular
from fastmlp.tabular.reading import read_table

Command = Callable[..., Any]  # see conftest.py
QUICK = ("--quality", "fast", "--epochs", 12, "--hidden", 16, "--quiet")


@pytest.fixture
def classifier(fastmlp_command: Command, mixed: Path, tmp_path: Path) -> Path:
    """A model of the classes of `mixed`."""
    path = tmp_path / "classes.npz"
    basis = (mixed, "--label", "bought", "--drop", "price", "--save", path)
    assert fastmlp_command("train", *basis, *QUICK).code == 0
    return path


@pytest.fixture
def regressor(fastmlp_command: Command, mixed: Path, tmp_path: Path) -> Path:
    """A model of the numbers of `mixed`."""
    path = tmp_path / "values.npz"
    basis = (mixed, "--label", "price", "--drop", "bought", "--save", path)
    assert fastmlp_command("train", *basis, *QUICK).code == 0
    return path


def rows(out: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(out)))


def written(tmp_path: Path, lines: list[list[str]]) -> Path:
    """A CSV of these lines."""
    path = tmp_path / "new.csv"
    path.write_text("\n".join(map(",".join, lines)) + "\n")
    return path


def test_predictions_are_those_of_the_model_in_python(
    fastmlp_command: Command, classifier: Path, mixed: Path
) -> None:
    code, out, err = fastmlp_command("predict", classifier, mixed, "--proba", "--id", "person")
    assert (code, err.count("\n")) == (0, 0)
    header, *found = rows(out)
    assert header == ["person", "bought", "P(no)", "P(yes)"]
    model = tabular.load(classifier)
    X = read_table(mixed)[list(model.feature_names_in_)]
    p = model.predict_proba(X)
    assert [row[0] for row in found] == [f"p{i}" for i in range(160)]
    assert [row[1] for row in found] == model.predict(X).tolist()
    np.testing.assert_array_equal([[float(cell) for cell in row[2:]] for row in found], p)


def test_intervals_stand_beside_values(
    fastmlp_command: Command, regressor: Path, mixed: Path
) -> None:
    code, out, _ = fastmlp_command("predict", regressor, mixed, "--interval", 0.8, "--id", "age")
    assert code == 0
    header, *found = rows(out)
    assert header == ["age", "price", "price_lower", "price_upper"]
    assert found[0][0] == ""  # missing
    assert "." not in found[1][0]  # a whole number as it was
    model = tabular.load(regressor)
    X = read_table(mixed)[list(model.feature_names_in_)]
    expected = np.column_stack([model.predict(X), model.predict_interval(X, 0.8)])
    np.testing.assert_array_equal([[float(cell) for cell in row[1:]] for row in found], expected)


def test_an_id_that_is_the_label_stands_beside_the_prediction(
    fastmlp_command: Command, classifier: Path, mixed: Path
) -> None:
    out = fastmlp_command("predict", classifier, mixed, "--id", "bought").out
    assert rows(out)[0] == ["bought", "predicted bought"]


def test_columns_are_found_by_name_and_others_ignored(
    fastmlp_command: Command, classifier: Path, mixed: Path, tmp_path: Path
) -> None:
    """Columns that the model does not use may be missing."""
    expected = fastmlp_command("predict", classifier, mixed).out
    lines = rows(mixed.read_text())
    places = [lines[0].index(name) for name in ("since", "job", "age", "price")]
    new = written(tmp_path, [[line[i] for i in places] for line in lines])
    assert fastmlp_command("predict", classifier, new) == (0, expected, "")


def test_missing_columns_are_named_with_near_ones(
    fastmlp_command: Command, classifier: Path, mixed: Path, tmp_path: Path
) -> None:
    lines = rows(mixed.read_text())
    lines[0] = ["person", "Age", "work", "since", "constant", "price", "bought"]
    code, out, err = fastmlp_command("predict", classifier, written(tmp_path, lines))
    assert (code, out) == (2, "")
    assert "new.csv: 2 columns are missing: 'age' (is it 'Age'?), 'job'" in err
    lines[0][2] = "job"
    err = fastmlp_command("predict", classifier, written(tmp_path, lines)).err
    assert "new.csv: a column is missing: 'age' (is it 'Age'?)" in err


def test_unknown_categories_are_counted(
    fastmlp_command: Command, classifier: Path, mixed: Path, tmp_path: Path
) -> None:
    lines = rows(mixed.read_text())
    for i in (3, 5):
        lines[i][2] = "pilot"
    lines[7][2] = ""
    code, out, err = fastmlp_command("predict", classifier, written(tmp_path, lines))
    assert code == 0
    assert len(rows(out)) == 161
    assert (
        "new.csv: column 'job' has categories in 2 of 160 rows that the model does not know "
        "('pilot')"
    ) in err
    lines[3][2] = lines[5][2] = ""  # as if they were missing
    assert fastmlp_command("predict", classifier, written(tmp_path, lines))[:2] == (0, out)


def test_codes_are_categories_also_in_a_table_without_leading_zeros(
    fastmlp_command: Command, mixed: Path, tmp_path: Path
) -> None:
    zips = {"clerk": "02139", "nurse": "10001", "smith": "94105"}
    text = mixed.read_text()
    for job, code in zips.items():
        text = text.replace(job, code)
    table, model = tmp_path / "zips.csv", tmp_path / "zips.npz"
    table.write_text(text)
    basis = (table, "--label", "bought", "--drop", "price", "--save", model)
    code, _, err = fastmlp_command("train", *basis, *QUICK)
    assert code == 0
    assert "zips.csv: a column is read as text because of cells that are codes: line" in err
    assert set(tabular.load(model).encoder_.categories[0].levels) == {*zips.values()}
    header, *lines = rows(text)
    for others in (["10001", "94105"], ["02139"]):
        chosen = [line for line in lines if line[2] in others]
        expected = fastmlp_command("predict", model, written(tmp_path, [header, *chosen])).out
        numbers = [[*line[:2], line[2].lstrip("0"), *line[3:]] for line in chosen]
        code, out, err = fastmlp_command("predict", model, written(tmp_path, [header, *numbers]))
        assert (code, out, err) == (0, expected, "")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        (1, "old", "column 'age': 1 cells are not numbers: 'old' in line 5"),
        (3, "soon", "column 'since': 1 cells are not dates: 'soon' in line 5"),
    ],
)
def test_cells_of_another_kind_than_in_training_are_named_with_their_line(
    fastmlp_command: Command, classifier: Path, mixed: Path, tmp_path: Path, column: int,
    cell: str, message: str,
) -> None:
    lines = rows(mixed.read_text())
    lines[4][column] = cell
    code, out, err = fastmlp_command("predict", classifier, written(tmp_path, lines))
    assert (code, out) == (2, "")
    assert f"new.csv: {message}" in err


def test_numbers_in_a_column_of_categories_are_categories(
    fastmlp_command: Command, tmp_path: Path
) -> None:
    """A code such as 1 is the same category as an integer, and as a number with gaps."""
    path = tmp_path / "t.csv"
    path.write_text("code,y\n" + "a,no\n1,yes\n2,no\n" * 20)
    model = tmp_path / "model.npz"
    basis = ("train", path, "--label", "y", "--save", model, *QUICK, "--learning-rate", 0.02)
    assert fastmlp_command(*basis).code == 0
    path.write_text("code\n1\n2\n")
    assert fastmlp_command("predict", model, path)[:2] == (0, "y\nyes\nno\n")
    path.write_text("code,other\n1,0\n,0\n2,0\n")
    assert rows(fastmlp_command("predict", model, path).out)[1] == ["yes"]


@pytest.mark.parametrize(
    ("kind", "option", "message"),
    [
        ("classes", ["--interval", "0.9"], "--interval is for a regression; "),
        ("values", ["--proba"], "--proba is for a classification; "),
        ("values", ["--interval", "1"], "'1' is not a number between 0 and 1"),
        ("values", ["--id", "street"], "no column 'street'"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    fastmlp_command: Command, classifier: Path, regressor: Path, mixed: Path, kind: str,
    option: list[str], message: str,
) -> None:
    model = classifier if kind == "classes" else regressor
    code, out, err = fastmlp_command("predict", model, mixed, *option)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_network_takes_no_options_of_tables(fastmlp_command: Command, tmp_path: Path) -> None:
    import fastmlp

    fastmlp.MLP((2, 2)).save(tmp_path / "net.npz")
    err = fastmlp_command("predict", tmp_path / "net.npz", "t.csv", "--id", "a").err
    assert "--id is for models of tables; " in err
    for command in ("evaluate", "explain"):
        err = fastmlp_command(command, tmp_path / "net.npz", "t.csv").err
        assert f"holds a network, not a model of a table; fastmlp {command} is for" in err


# -------------------------------------------------------------------------------- evaluate


def test_scores_stand_beside_those_of_training(
    fastmlp_command: Command, classifier: Path, mixed: Path
) -> None:
    code, out, err = fastmlp_command("evaluate", classifier, mixed)
    assert (code, err) == (0, "")
    title, heads, *lines = out.splitlines()
    assert title == f"scores of 160 rows of {mixed}:"
    assert heads.split() == [
        "this", "table", "in", "training", "majority", "class", "logistic", "regression",
    ]  # fmt: skip
    model = tabular.load(classifier)
    frame = read_table(mixed)
    accuracy = model.score(frame[list(model.feature_names_in_)], frame["bought"])
    card = json.loads(Path(f"{classifier}.card.json").read_text())
    name, *cells = lines[0].split()
    assert name == "accuracy"
    assert [float(cell) for cell in cells] == pytest.approx(
        [accuracy, card["scores"]["accuracy"],
         *(one["accuracy"] for one in card["baselines"].values())],
        abs=1e-4,
    )  # fmt: skip


def test_rows_without_or_with_an_unknown_label_are_left_out(
    fastmlp_command: Command, classifier: Path, mixed: Path, tmp_path: Path
) -> None:
    lines = rows(mixed.read_text())
    lines[1][-1], lines[2][-1] = "", "perhaps"
    lines[0][-1] = "result"
    new = written(tmp_path, lines)
    assert "no column 'bought'" in fastmlp_command("evaluate", classifier, new).err
    code, out, err = fastmlp_command("evaluate", classifier, new, "--label", "result")
    assert code == 0
    assert out.startswith(f"scores of 158 rows of {new}:")
    assert "1 rows have no label and are left out" in err
    assert "1 rows have classes that the model does not know, such as 'perhaps'" in err
    new = written(tmp_path, [lines[0], *([*line[:-1], "3"] for line in lines[1:])])
    err = fastmlp_command("evaluate", classifier, new, "--label", "result").err
    assert "class that the model knows: the labels are 3, the classes 'no', 'yes'" in err


def test_a_model_saved_in_python_needs_its_label(
    fastmlp_command: Command, mixed: Path, tmp_path: Path
) -> None:
    frame = read_table(mixed)
    model = tabular.TabularRegressor(quality="fast", epochs=2, random_state=0)
    model.fit(frame[["age", "job"]], frame["price"]).save(tmp_path / "model.npz")
    basis = ("evaluate", tmp_path / "model.npz", mixed)
    assert "without the name of its label; give --label COLUMN" in fastmlp_command(*basis).err
    assert fastmlp_command(*basis, "--label", "price").code == 0
    out = fastmlp_command("predict", tmp_path / "model.npz", mixed).out
    assert out.startswith("prediction\n")


# --------------------------------------------------------------------------- info and export


def test_info_shows_all_of_a_model(
    fastmlp_command: Command, classifier: Path, regressor: Path
) -> None:
    code, out, _ = fastmlp_command("info", classifier)
    assert code == 0
    for line in (
        "task             classification",
        "label            bought",
        "classes          no, yes",
        "column age       number, median ",
        "column job       category: ",
        "column since     date from 2024-03-",
        "column constant  not used: it has the same value in every row",
        "seed             0",
        "scores, majority class accuracy ",
        "data, training rows 128",
    ):
        assert f"\n{line}" in f"\n{out}"
    assert ", with missing values\n" in out
    assert f"SHA-256 of file  {hashlib.sha256(classifier.read_bytes()).hexdigest()}\n" in out
    assert "range of values  " in fastmlp_command("info", regressor).out
    assert "--memory is for a network" in fastmlp_command("info", classifier, "--memory").err


def test_the_name_of_the_label_must_be_a_text(
    fastmlp_command: Command, regressor: Path, mixed: Path
) -> None:
    model = tabular.load(regressor)
    model.metadata_["label"] = 5
    model.save(regressor)
    code, out, err = fastmlp_command("predict", regressor, mixed)
    assert (code, out) == (2, "")
    assert "values.npz: 'label' of its metadata must be a name" in err


@pytest.mark.parametrize("number", ["41", "-7", "9007199254740993"])
def test_whole_numbers_of_an_id_are_written_as_they_are(
    fastmlp_command: Command, regressor: Path, tmp_path: Path, number: str
) -> None:
    path = tmp_path / "new.csv"
    path.write_text(f"age,job,since,constant,number\n30,nurse,2024-03-01,1,{number}\n")
    found = rows(fastmlp_command("predict", regressor, path, "--id", "number").out)
    assert found[0] == ["number", "price"]
    assert found[1][0] == number


@pytest.mark.parametrize(
    ("label", "message"),
    [("", "column 'bought' is empty in all rows"), ("?!", "no row has a class that the model")],
)
def test_rows_without_any_known_label_have_no_scores(
    fastmlp_command: Command, classifier: Path, mixed: Path, tmp_path: Path, label: str,
    message: str,
) -> None:
    header, *lines = rows(mixed.read_text())
    new = written(tmp_path, [header, *([*line[:-1], label] for line in lines)])
    code, out, err = fastmlp_command("evaluate", classifier, new)
    assert (code, out) == (2, "")
    assert f"{new}: {message}" in err


def test_an_error_names_the_file_once_and_only_options_that_there_are(
    fastmlp_command: Command, regressor: Path, mixed: Path, tmp_path: Path
) -> None:
    header, *lines = rows(mixed.read_text())
    price = header.index("price")
    wrong = written(tmp_path, [header, *([*x[:price], "?!", *x[price + 1 :]] for x in lines)])
    err = fastmlp_command("evaluate", regressor, wrong).err
    assert "column 'price': '?!'" in err and err.endswith("more. Correct these cells\n")
    without = tmp_path / "without.csv"
    without.write_text("job,since\nnurse,2024-03-01\n")
    err = fastmlp_command("export", regressor, tmp_path / "m.c", "--examples", without).err
    assert err.startswith(f"fastmlp export: error: {without}: no column 'age'")
