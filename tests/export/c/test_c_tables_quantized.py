"""Models of tables in 8-bit integers, as C and in Python."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

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
    correct = [
        np.mean(one.predict(table.iloc[second]) == y.iloc[second]) for one in (model, twin)
    ]
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


def test_few_calibration_rows_are_reported(rng: np.random.Generator) -> None:
    X = rng.normal(size=(120, 2))
    model = tabular.TabularRegressor("rmse", "fast", epochs=4, random_state=0).fit(X, X[:, 0])
    with pytest.warns(UserWarning, match="^99 calibration rows are few: the ranges of later"):
        quantize_table(model, X[:99])
    assert quantize_table(model, X[:100]).n_calibration == 100
