"""fastmlp predict: the model's word on each row, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp

Command = Callable[..., Any]  # see conftest.py


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A classifier of two columns into "no" and "yes": yes where b > a."""
    net = fastmlp.MLP((2, 2), dtype="float64")
    net.set_parameters([[[0, 0], [-1, 1]]], [[0, 0]])
    net.metadata = {
        "task": "classification", "label": "answer", "columns": ["a", "b"], "classes": ["no", "yes"]
    }  # fmt: skip
    net.save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Its columns in another order, and one that the model does not know."""
    (tmp_path / "table.csv").write_text("note,b,a\nx,3,1\ny,1,3\nz,5,4\n")
    return tmp_path / "table.csv"


def test_columns_are_found_by_name(fastmlp_command: Command, model: Path, table: Path) -> None:
    assert fastmlp_command("predict", model, table) == (0, "answer\nyes\nno\nyes\n", "")


def test_probabilities_stand_beside_the_label(
    fastmlp_command: Command, model: Path, table: Path
) -> None:
    rows = list(csv.reader(io.StringIO(fastmlp_command("predict", model, table, "--proba").out)))
    assert rows[0] == ["answer", "P(no)", "P(yes)"]
    yes = 1 / (1 + np.exp([-2.0, 2.0, -1.0]))
    found = np.array([row[1:] for row in rows[1:]], float)
    np.testing.assert_allclose(found, np.column_stack([1 - yes, yes]), rtol=1e-8)


def test_output_goes_to_a_file(
    fastmlp_command: Command, model: Path, table: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    assert fastmlp_command("predict", model, table, "--output", output) == (0, "", "")
    assert output.read_bytes() == b"answer\nyes\nno\nyes\n"


def test_output_is_whole_or_what_it_was(
    fastmlp_command: Command,
    model: Path,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    output = tmp_path / "out.csv"
    output.write_text("before")
    monkeypatch.setattr("fastmlp.cli.predict.write", interrupted)
    assert fastmlp_command("predict", model, table, "--output", output).code == 130
    assert output.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.npz", "out.csv", "table.csv"]


def test_cells_that_need_quotes_get_them(
    fastmlp_command: Command, model: Path, table: Path
) -> None:
    net = fastmlp.load(model)
    net.metadata["classes"] = ["no, never", 'the "yes"']
    net.save(model)
    rows = csv.reader(io.StringIO(fastmlp_command("predict", model, table).out))
    assert [row[0] for row in rows] == ["answer", 'the "yes"', "no, never", 'the "yes"']


@pytest.mark.parametrize(
    ("dtype", "third", "fourths"),
    [
        ("float32", "0.33333334", "1.3333334"),
        ("float64", "0.3333333333333333", "1.3333333333333333"),
    ],
)
def test_values_are_printed_with_the_digits_of_their_dtype(
    fastmlp_command: Command, table: Path, tmp_path: Path, dtype: str, third: str, fourths: str
) -> None:
    net = fastmlp.MLP((2, 2), loss="squared_error", dtype=dtype)
    net.set_parameters([[[1 / 3, 0], [0, 1e6]]], [[0, 0.5]])
    net.metadata = {"columns": ["a", "b"]}
    net.save(tmp_path / "net.npz")
    assert fastmlp_command("predict", tmp_path / "net.npz", table).out == (
        f"prediction[0],prediction[1]\n{third},3000000.5\n1,1000000.5\n{fourths},5000000.5\n"
    )


def test_a_model_without_column_names_takes_all_columns(
    fastmlp_command: Command, tmp_path: Path
) -> None:
    X = np.array([[0, 255], [255, 0]], np.uint8)
    net = fastmlp.MLP((2, 3), seed=4)
    net.save(tmp_path / "net.npz")
    np.savez(tmp_path / "images.npz", X=X)
    out = fastmlp_command("predict", tmp_path / "net.npz", tmp_path / "images.npz", "--proba").out
    rows = list(csv.reader(io.StringIO(out)))
    assert rows[0] == ["prediction", "P(0)", "P(1)", "P(2)"]
    np.testing.assert_array_equal([int(row[0]) for row in rows[1:]], net.predict(X))
    np.testing.assert_allclose(
        np.array([row[1:] for row in rows[1:]], float), net.predict_proba(X), rtol=1e-7
    )


def test_bad_input_is_one_line(
    fastmlp_command: Command, model: Path, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "short.csv").write_text("a\n1\n")
    fastmlp.MLP((2, 1), loss="squared_error").save(tmp_path / "values.npz")
    fastmlp.MLP((4, 2)).save(tmp_path / "wide.npz")
    (tmp_path / "ab.csv").write_text("a,b\n1,2\n")
    cases = [
        ((model, tmp_path / "short.csv"), "no column 'b'"),
        ((model, tmp_path / "missing.csv"), "missing.csv: No such file or directory"),
        ((tmp_path / "missing.npz", table), "missing.npz: No such file or directory"),
        ((table, table), "is no model file of fastmlp but a text file"),
        ((tmp_path / "wide.npz", tmp_path / "ab.csv"), "has 2 columns, but "),
        ((tmp_path / "values.npz", tmp_path / "ab.csv", "--proba"), "values, not probabilities"),
    ]
    for arguments, message in cases:
        code, out, err = fastmlp_command("predict", *arguments)
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"columns": 5}, "'columns' of its metadata must be a list of names"),
        ({"columns": "ab"}, "'columns' of its metadata must be a list of names"),
        ({"columns": [1, 2]}, "'columns' of its metadata must be a list of names"),
        ({"label": ["a"]}, "'label' of its metadata must be a name"),
        ({"label": None}, "'label' of its metadata must be a name"),
    ],
)
def test_metadata_of_the_wrong_kind_is_named(
    fastmlp_command: Command, table: Path, tmp_path: Path, metadata: Any, message: str
) -> None:
    net = fastmlp.MLP((2, 3))
    net.metadata = metadata
    net.save(tmp_path / "net.npz")
    code, out, err = fastmlp_command("predict", tmp_path / "net.npz", table, "--proba")
    assert (code, out) == (2, "")
    assert err == f"fastmlp predict: error: {tmp_path / 'net.npz'}: {message}\n"


@pytest.mark.parametrize("classes", [5, ["a", "b"], [["a"], ["b"], ["c"]], ["a", 2, None], {}])
def test_classes_that_are_none_of_the_model_are_numbers(
    fastmlp_command: Command, table: Path, tmp_path: Path, classes: Any
) -> None:
    net = fastmlp.MLP((2, 3), seed=1)
    net.metadata = {"columns": ["a", "b"], "classes": classes}
    net.save(tmp_path / "net.npz")
    out = fastmlp_command("predict", tmp_path / "net.npz", table).out
    assert out.split() == ["prediction", *map(str, net.predict([[1, 3], [3, 1], [4, 5]]))]


@pytest.mark.parametrize("terminal", [True, False])
def test_labels_do_not_control_a_terminal(
    fastmlp_command: Command,
    table: Path,
    tmp_path: Path,
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = fastmlp.MLP((2, 2))
    net.metadata = {"columns": ["a", "b"], "label": "\x1b[2J", "classes": ["\x07", "\x1bc"]}
    net.save(tmp_path / "net.npz")
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    out = fastmlp_command("predict", tmp_path / "net.npz", table, "--proba").out
    assert ("\x1b" in out) == (not terminal)
    assert out.startswith(r"\x1b[2J,P(\x07),P(\x1bc)" if terminal else "\x1b[2J,P(\x07),")


@pytest.mark.parametrize("classes", [None, [["no", "yes"], ["a", "b", "c"]], [["no"], [1, 2, 3]]])
def test_each_group_of_classes_is_a_column(
    fastmlp_command: Command, table: Path, tmp_path: Path, classes: Any
) -> None:
    loss = fastmlp.losses.CrossEntropy(groups=(2, 3))
    net = fastmlp.MLP((2, 5), loss=loss, dtype="float64")
    net.set_parameters([[[0, 0], [-1, 1], [1, 0], [0, 0], [0, 1]]], [np.zeros(5)])
    net.metadata = {"label": "answer", "columns": ["a", "b"]}
    if classes is not None:
        net.metadata["classes"] = classes
    net.save(tmp_path / "groups.npz")
    done = fastmlp_command("predict", tmp_path / "groups.npz", table, "--proba")
    header, *rows = csv.reader(io.StringIO(done.out))
    names = [range(2), range(3)] if classes is None else classes
    assert header == ["answer[0]", "answer[1]"] + [
        f"P(answer[{k}]={name})" for k, group in enumerate(names) for name in group
    ]
    only = len(names[0]) == 1  # class, which is certain
    if only:
        names = [names[0] * 2, names[1]]
    X = np.array([[1, 3], [3, 1], [4, 5]])
    expected = [[str(names[k][j]) for k, j in enumerate(row)] for row in net.predict(X).tolist()]
    assert [row[:2] for row in rows] == expected
    found = np.array([row[2:] for row in rows], float)
    p = net.predict_proba(X)
    p = np.hstack([np.ones((3, 1)), p[:, 2:]]) if only else p
    np.testing.assert_allclose(found, p, rtol=1e-15)


@pytest.mark.parametrize(
    "labels",
    [[False, True], [0.1, 1e300], [1, 2**64 - 1], [-(2**63), 5], ["no", "yes"], [7], ["only"]],
    ids=str,
)
def test_labels_keep_their_type(
    fastmlp_command: Command, table: Path, tmp_path: Path, labels: list[Any]
) -> None:
    net = fastmlp.MLP((2, 1), loss="binary_cross_entropy", dtype="float64")
    net.set_parameters([[[1, -1]]], [[0]])
    net.metadata = {"columns": ["a", "b"], "classes": labels}
    net.save(tmp_path / "net.npz")
    done = fastmlp_command("predict", tmp_path / "net.npz", table, "--proba")
    header, *rows = csv.reader(io.StringIO(done.out))
    X = np.array([[1, 3], [3, 1], [4, 5]])
    expected = [str(labels[min(k, len(labels) - 1)]) for k in net.predict(X)]
    assert [row[0] for row in rows] == expected
    assert header == ["prediction", *(f"P({label})" for label in labels)]
    p = net.predict_proba(X)
    p = np.hstack([1 - p, p]) if len(labels) == 2 else np.ones((3, 1))
    np.testing.assert_allclose([[float(cell) for cell in row[1:]] for row in rows], p, rtol=1e-15)


def test_outputs_that_do_not_exclude_each_other_have_probabilities_by_number(
    fastmlp_command: Command, table: Path, tmp_path: Path
) -> None:
    net = fastmlp.MLP((2, 3), loss="binary_cross_entropy", dtype="float64", seed=1)
    net.metadata = {"columns": ["a", "b"]}
    net.save(tmp_path / "net.npz")
    rows = list(csv.reader(io.StringIO(
        fastmlp_command("predict", tmp_path / "net.npz", table, "--proba").out
    )))  # fmt: skip
    assert rows[0][-3:] == ["P(0)", "P(1)", "P(2)"]
    found = np.array([row[-3:] for row in rows[1:]], float)
    X = np.array([[1, 3], [3, 1], [4, 5]], np.float64)
    np.testing.assert_allclose(found, net.predict_proba(X), rtol=1e-12)
