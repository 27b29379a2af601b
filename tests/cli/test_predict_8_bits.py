"""fastmlp predict, evaluate and explain with models in 8-bit integers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.export import Quantized, QuantizedTable, quantize
from fastmlp.tabular.reading import read_table

Command = Callable[..., Any]  # see conftest.py

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)


@pytest.fixture
def table(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A CSV with two columns of numbers."""
    path = tmp_path / "numbers.csv"
    lines = [f"{a:.4f},{b:.4f}" for a, b in rng.normal(size=(200, 2))]
    path.write_text("\n".join(["b,a", *lines]) + "\n")
    return path


def written(found: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of an output."""
    header, *rows = csv.reader(io.StringIO(found))
    return header, rows


@pytest.mark.parametrize("integer_only", [False, True])
@pytest.mark.parametrize("n_out", [1, 3])
def test_a_network_predicts_as_in_python(
    fastmlp_command: Command, table: Path, model: Path, integer_only: bool, n_out: int
) -> None:
    loss = "binary_cross_entropy" if n_out == 1 else "cross_entropy"
    net = fastmlp.MLP((2, 6, n_out), loss=loss, seed=1)
    names = ["no", "yes", "perhaps"][: max(n_out, 2)]
    net.metadata = {"columns": ["a", "b"], "label": "answer", "classes": names}
    X = read_table(table)[["a", "b"]].to_numpy()
    quantize(net, X, integer_only=integer_only).save(model)
    code, out, err = fastmlp_command("predict", model, table, "--proba")
    header, rows = written(out)
    assert (code, err) == (0, "")
    assert header == ["answer", *(f"P({name})" for name in names)]
    in_8_bits = Quantized.load(model)
    labels = np.array(names)[in_8_bits.predict(X)]
    assert [row[0] for row in rows] == labels.tolist()
    assert len({*labels}) > 1
    p = in_8_bits.predict_proba(X)
    found = np.array([row[1:] for row in rows], np.float32)
    np.testing.assert_array_equal(found, np.hstack([1 - p, p]) if n_out == 1 else p)


def test_a_network_of_a_regression_has_no_probabilities(
    fastmlp_command: Command, table: Path, model: Path
) -> None:
    net = fastmlp.MLP((2, 6, 1), loss="squared_error", seed=1)
    net.metadata = {"columns": ["a", "b"]}
    X = read_table(table)[["a", "b"]].to_numpy()
    quantize(net, X).save(model)
    _, rows = written(fastmlp_command("predict", model, table).out)
    np.testing.assert_array_equal(
        np.array([row[0] for row in rows], np.float32), Quantized.load(model).predict(X)
    )
    code, out, err = fastmlp_command("predict", model, table, "--proba")
    assert (code, out) == (2, "")
    assert "a network trained by squared_error gives values, not probabilities" in err
    for command in ("evaluate", "explain"):
        err = fastmlp_command(command, model, table).err
        assert f"holds a network, not a model of a table; fastmlp {command} is for" in err


def test_a_model_of_a_table_predicts_and_is_judged(
    fastmlp_command: Command, classify: Command, mixed: Path, model: Path, tmp_path: Path
) -> None:
    assert classify("--quiet").code == 0
    small = tmp_path / "model8.npz"
    basis = ("export", model, small, "--quantized", "--calibration", mixed)
    assert fastmlp_command(*basis).code == 0
    code, out, err = fastmlp_command("predict", small, mixed, "--proba", "--id", "person")
    header, rows = written(out)
    assert (code, err, header) == (0, "", ["person", "bought", "P(no)", "P(yes)"])
    in_8_bits = QuantizedTable.load(small)
    frame = read_table(mixed)
    X = frame[list(in_8_bits.model.feature_names_in_)]
    np.testing.assert_array_equal(
        [[float(cell) for cell in row[2:]] for row in rows], in_8_bits.predict_proba(X)
    )
    code, out, _ = fastmlp_command("evaluate", small, mixed)
    accuracy = np.mean(in_8_bits.predict(X) == frame["bought"])
    assert code == 0
    assert f"{accuracy:.4f}" in out.splitlines()[2]
    code, out, _ = fastmlp_command("explain", small, mixed, "--repeats", 1)
    importances = in_8_bits.model.feature_importances(X, frame["bought"], n_repeats=1)
    assert code == 0
    assert importances["column"][0] == out.splitlines()[2].split()[0]
