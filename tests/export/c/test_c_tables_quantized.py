"""Models of tables in 8-bit integers, as C and in Python."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp.export import QuantizedTable, quantize, quantize_table, to_c

pd = pytest.importorskip("pandas")
datasets = pytest.importorskip("sklearn.datasets")
tabular = pytest.importorskip("fastmlp.tabular")

Array = NDArray[Any]
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"]
MAIN = """\
#include <stdio.h>
#include "model.h"
int main(void)
{{
    static const model_row rows[{m}] = {{
{rows}
    }};
    int i;

    for (i = 0; i < {m}; i++) {{
        {statements}
    }}
    return 0;
}}
"""
CLASSES = """float p[{n}];
        int j;
        model_predict_proba(&rows[i], p);
        for (j = 0; j < {n}; j++)
            printf("%.9g ", (double)p[j]);
        printf("%d\\n", model_predict(&rows[i]));"""
VALUE = 'printf("%.17g\\n", model_predict(&rows[i]));'


def cell(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return "(double)NAN" if value != value else repr(float(value))


@pytest.fixture
def run(compiler: list[str], tmp_path: Path) -> Callable[..., Array]:
    """Write a model in 8 bits as C, compile it, and return what it prints for rows."""

    def run(model: QuantizedTable, table: Any, flags: tuple[str, ...] = ("-O1",)) -> Array:
        to_c(model, tmp_path / "model.c", header=True, weights_file=True)
        classes = getattr(model.model, "classes_", None)
        statements = VALUE if classes is None else CLASSES.format(n=len(classes))
        rows = ",\n".join(
            "        {" + ", ".join(map(cell, row)) + "}" for row in table.to_numpy().tolist()
        )
        (tmp_path / "main.c").write_text(
            MAIN.format(m=len(table), rows=rows, statements=statements)
        )
        build = [*compiler, *STRICT, *flags, "main.c", "model.c", "-lm", "-o", "program"]
        subprocess.run(build, cwd=tmp_path, check=True)
        said = subprocess.check_output([tmp_path / "program"], text=True)
        return np.array([line.split() for line in said.splitlines()], float)

    return run


def table_of(rng: np.random.Generator, m: int = 400) -> Any:
    """Numbers with gaps and of different units, categories, two levels and several."""
    table = pd.DataFrame(
        {
            "income": np.exp(rng.normal(10, 1, m)),
            "year": rng.integers(1950, 2010, m).astype(float),
            "ward": rng.choice(["north", "south", "west"], m),
            "new": rng.choice(["no", "yes"], m),
        }
    )
    table.loc[rng.random(m) < 0.1, "income"] = np.nan
    return table


@pytest.mark.parametrize("encoding", ["raw", "piecewise_linear", "quantile", "periodic"])
def test_c_has_the_labels_and_probabilities_of_python(
    run: Callable[..., Array], rng: np.random.Generator, encoding: str
) -> None:
    table = table_of(rng)
    y = np.where((table["year"] > 1980) ^ (table["ward"] == "west"), "a", "b")
    model = tabular.TabularClassifier(
        "log_loss", "fast", encoding=encoding, hidden_layer_sizes=(40, 20), epochs=6,
        random_state=0,
    ).fit(table, y)  # fmt: skip
    twin = quantize_table(model, table)
    found = run(twin, table)
    p = twin.predict_proba(table)
    # the encodings are rounded as C does up to a few units, which may change a byte by one
    different = np.abs(found[:, :-1] - p).max(axis=1) > 1e-5
    assert different.mean() < 0.05
    np.testing.assert_allclose(found[:, :-1], p, atol=0.02)
    same = model.classes_[found[:, -1].astype(int)] == twin.predict(table)
    assert same[~different].all()
    assert twin.agreement == np.mean(twin.predict(table) == model.predict(table)) > 0.97


def test_c_has_the_values_of_python(run: Callable[..., Array], rng: np.random.Generator) -> None:
    table = table_of(rng)
    y = np.nan_to_num(np.log(table["income"]), nan=9) + 0.02 * table["year"]
    model = tabular.TabularRegressor("rmse", "fast", epochs=8, random_state=0).fit(table, y)
    twin = quantize_table(model, table)
    found = run(twin, table, ("-O2",))[:, 0]
    expected = twin.predict(table)
    assert np.mean(np.abs(found - expected) > 1e-5 * y.std()) < 0.05
    np.testing.assert_allclose(found, expected, atol=0.02 * y.std())
    residual = np.mean((expected - model.predict(table)) ** 2) / np.var(model.predict(table))
    assert twin.agreement == pytest.approx(1 - residual)
    assert twin.agreement > 0.99
    with pytest.raises(TypeError, match="has no probabilities"):
        twin.predict_proba(table)


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_real_tables_lose_less_than_a_point(name: str, rng: np.random.Generator) -> None:
    table, y = getattr(datasets, f"load_{name}")(return_X_y=True, as_frame=True)
    order = rng.permutation(len(table))
    first, second = np.split(order, [round(0.7 * len(table))])
    model = tabular.TabularClassifier("log_loss", "fast", epochs=15, random_state=0)
    model.fit(table.iloc[first], y.iloc[first])
    twin = quantize_table(model, table.iloc[first])
    correct = [np.mean(one.predict(table.iloc[second]) == y.iloc[second]) for one in (model, twin)]
    assert abs(correct[1] - correct[0]) <= max(0.01, 1.01 / len(second))  # a row at most
    assert correct[0] > 0.9


def test_the_file_is_a_quarter_and_says_how_well_it_agrees(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    table = table_of(rng)
    y = (table["year"] > 1980).to_numpy()
    model = tabular.TabularClassifier("log_loss", "fast", epochs=2, random_state=0).fit(table, y)
    twin = quantize_table(model, table)
    to_c(model, tmp_path / "float.c")
    to_c(twin, tmp_path / "a.c", name="net")
    to_c(model, tmp_path / "b.c", name="net", quantized=True, calibration=table)
    text = (tmp_path / "a.c").read_text().replace("a.c", "b.c")
    assert (tmp_path / "b.c").read_text() == text
    assert len(text) < 0.4 * len((tmp_path / "float.c").read_text())
    assert twin.summary() in " ".join(text.replace("\n *", " ").split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"integer_only": True}, "encoded in floating point; leave out integer_only"),
        ({"quantized": True}, "quantized=True needs calibration"),
        ({"calibration": np.zeros((2, 2))}, "calibration needs quantized=True"),
        ({"ranges": "kl"}, "ranges='kl' needs quantized=True and calibration"),
        ({"quantized": True, "calibration": np.zeros((2, 3))}, "3"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, rng: np.random.Generator, options: dict[str, Any], message: str
) -> None:
    X = rng.normal(size=(60, 2))
    model = tabular.TabularClassifier("log_loss", "fast", epochs=1, random_state=0)
    model.fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match=message):
        to_c(model, tmp_path / "net.c", **options)
    with pytest.raises(TypeError, match="model must be a TabularClassifier"):
        quantize_table("model.npz", X)
    with pytest.raises(TypeError, match="net must be an MLP"):
        quantize(model, X)
    with pytest.raises(ValueError, match="this TabularClassifier is not fitted"):
        quantize_table(tabular.TabularClassifier(), X)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_a_value_that_does_not_vary_agrees_within_the_precision_of_float32(
    rng: np.random.Generator, bias: float
) -> None:
    X = rng.normal(size=(200, 2))
    model = tabular.TabularRegressor("rmse", "fast", n_members=1, epochs=2, random_state=0)
    model.fit(X, 1000 + X[:, 0])
    with pytest.warns(UserWarning, match="200 calibration rows R² of the values is -"):
        twin = quantize_table(model, np.repeat(X[:1], 200, axis=0))
    (value,), (exact,) = (one.predict(X[:1]) for one in (twin, model))
    error, scale = value - exact, exact - model.target_mean_
    assert twin.agreement == pytest.approx(1 - (error / (1e-6 * scale)) ** 2)
    net = model.networks_[0]
    zeros = [0 * b for b in net.biases[:-1]]
    net.set_parameters([0 * W for W in net.weights], [*zeros, [bias]])
    assert quantize_table(model, X).agreement == 1


def test_few_calibration_rows_and_low_agreement_are_warned_about(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    X = rng.normal(size=(120, 2))
    model = tabular.TabularRegressor("rmse", "fast", epochs=4, random_state=0).fit(X, X[:, 0])
    with pytest.warns(UserWarning, match="^99 calibration rows are few: the ranges of later"):
        quantize_table(model, X[:99])
    assert quantize_table(model, X[:100]).n_calibration == 100

    def written(name: str) -> Callable[..., None]:
        write = getattr(fastmlp.export, f"to_{name}")
        return lambda *given: write(
            given[0], tmp_path / "net", quantized=True, calibration=given[1]
        )

    exports = [written("c"), *[written("onnx")] * bool(find_spec("onnx"))]
    for export in (quantize_table, *exports):
        with pytest.warns(UserWarning) as found:
            export(model, np.repeat(X[:1], 99, axis=0))
        assert [one.filename for one in found] == [__file__] * 2
        assert "99 calibration rows are few" in str(found[0].message)
        assert "the 8-bit model differs from the float model: on 99" in str(found[1].message)


def test_a_summary_has_figures_of_classes_or_values(rng: np.random.Generator) -> None:
    X = rng.normal(size=(100, 2))
    for kind, y, text in (
        ("TabularClassifier", X[:, 0] > 0, "on 1,234 calibration rows 98.77 % of the labels are"),
        ("TabularRegressor", X[:, 0], "on 1,234 calibration rows R² of the values is 0.98765 with"),
    ):
        model = getattr(tabular, kind)(None, "fast", epochs=3, random_state=0).fit(X, y)
        quantized = dataclasses.replace(
            quantize_table(model, X), n_calibration=1234, agreement=0.987654
        )
        assert quantized.summary().startswith(text)
