"""ONNX files of models of tables: from the raw columns to what the model predicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp.export import to_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from fastmlp.tabular import TabularClassifier, TabularRegressor, load  # noqa: E402
from fastmlp.tabular.digest import table_digest  # noqa: E402


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def inputs(path: Path, table: Any) -> dict[str, np.ndarray]:
    """The columns of a table as the graph takes them."""
    model = onnx.load(path)
    properties = {one.key: one.value for one in model.metadata_props}
    feed = {}
    for value, name, kind in zip(
        model.graph.input,
        json.loads(properties["columns"]),
        json.loads(properties["kinds"]),
        strict=True,
    ):
        column = table[name]
        if kind == "category":
            column = column.astype(object).where(column.notna(), "").astype(str).to_numpy(object)
        elif kind == "date":
            column = (pd.to_datetime(column) - pd.Timestamp("1970-01-01")) / pd.Timedelta(seconds=1)
        real = float if value.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE else np.float32
        feed[value.name] = np.asarray(column if kind == "category" else column.astype(real))
        feed[value.name] = feed[value.name][:, np.newaxis]
    return feed


def outputs(path: Path, table: Any) -> dict[str, np.ndarray]:
    """What ONNX Runtime gives, by the outputs' names."""
    run = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in run.get_outputs()]
    return dict(zip(names, run.run(None, inputs(path, table)), strict=True))


def test_onnx_runtime_predicts_what_the_model_predicts(of_table, path):
    model, some = of_table
    to_onnx(model, path)
    onnx.checker.check_model(path, full_check=True)
    for table in some:
        found = outputs(path, table)
        if isinstance(model, TabularClassifier):
            expected = model.predict_proba(table)
            np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(found["label"], model.predict(table))
            assert found["label"].dtype.kind == {"U": "O"}.get(
                model.classes_.dtype.kind, model.classes_.dtype.kind
            )
        else:
            deviation = model.target_deviation_
            np.testing.assert_allclose(
                found["variable"][:, 0] / deviation, model.predict(table) / deviation,
                rtol=1e-5, atol=2e-6,
            )  # fmt: skip
        assert found[min(set(found) - {"label"})].dtype == np.float64


@pytest.mark.parametrize("encoding", ["piecewise_linear", "raw", "quantile", "periodic"])
@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_numbers_and_predictions_in_float32(kind, encoding, tables, path):
    table, new = (one[["age", "income", "const or missing", "city"]] for one in tables)
    score = np.log(table["income"]) + 2 * (table["city"] == "Oslo")
    y = score > score.median() if kind is TabularClassifier else 100 * score
    model = kind(random_state=0, epochs=4, n_members=2, encoding=encoding).fit(table, y)
    to_onnx(model, path, dtype="float32")
    onnx.checker.check_model(path, full_check=True)
    types = {one.type.tensor_type.elem_type for one in onnx.load(path).graph.input}
    assert types == {onnx.TensorProto.FLOAT, onnx.TensorProto.STRING}
    for rows in (table, new):
        found = outputs(path, rows)
        values = found.get("probabilities", found.get("variable"))
        assert values.dtype == np.float32
        if kind is TabularClassifier:
            np.testing.assert_allclose(values, model.predict_proba(rows), atol=1e-4)
        else:
            error = (values[:, 0] - model.predict(rows)) / model.target_deviation_
            np.testing.assert_allclose(error, 0, atol=1e-4)


def test_dates_and_values_that_float32_cannot_hold_are_refused(tables, path):
    table = tables[0][["since"]]
    model = TabularRegressor(random_state=0, epochs=1, n_members=1).fit(table, np.arange(300.0))
    with pytest.raises(ValueError, match="'since' is a date.*dtype must be 'float64'"):
        to_onnx(model, path, dtype="float32")
    close = pd.DataFrame({"x": 1e9 + np.arange(300) / 10})
    model = TabularRegressor(random_state=0, epochs=1, n_members=1, encoding="quantile")
    model.fit(close, np.arange(300.0))
    with pytest.raises(ValueError, match="'x' has values that are equal in float32"):
        to_onnx(model, path, dtype="float32")
    assert not path.exists()


@pytest.mark.parametrize("dtype", ["M8[D]", "M8[ns]", "m8[h]", "longdouble"])
def test_labels_that_onnx_has_no_type_of_are_texts_or_float64(dtype, path, rng):
    table = pd.DataFrame({"x": rng.normal(size=40)})
    labels = (table["x"] > 0).to_numpy().astype(int).astype(dtype)
    model = TabularClassifier(quality="fast", epochs=2, random_state=0).fit(table, labels)
    to_onnx(model, path)
    predicted = model.predict(table)
    texts = [str(one) for one in predicted] if predicted.dtype.kind in "mM" else predicted
    np.testing.assert_array_equal(outputs(path, table)["label"], texts)


def test_no_rows_give_no_outputs(of_table, path):
    model, (table, _) = of_table
    to_onnx(model, path)
    assert {len(one) for one in outputs(path, table[:0]).values()} == {0}


def test_a_model_from_a_file_gives_the_same_graph(of_table, path, tmp_path):
    model, _ = of_table
    to_onnx(model, path)
    model.save(tmp_path / "model.npz")
    to_onnx(load(tmp_path / "model.npz"), tmp_path / "again.onnx")
    assert onnx.load(path).graph == onnx.load(tmp_path / "again.onnx").graph


@pytest.mark.parametrize("first", ["1969-12-31", "1582-10-14", "2000-02-28", "2100-02-27"])
def test_parts_of_dates_are_those_of_the_calendar(first, path):
    """Every day around turns of years, of centuries and of 1970, some time in each."""
    moments = pd.date_range(first, periods=800, unit="s") + pd.to_timedelta(
        np.arange(800) * 977 % 86_400, "s"
    )
    table = pd.DataFrame({"when": moments})
    for y in (moments.year % 4, moments.month, moments.day_of_week, moments.day, moments.hour):
        model = TabularRegressor(
            n_members=1, epochs=2, hidden_layer_sizes=(8,), random_state=0, encoding="raw"
        ).fit(table, np.asarray(y, float))
        to_onnx(model, path)
        np.testing.assert_allclose(
            outputs(path, table)["variable"][:, 0], model.predict(table), rtol=1e-5, atol=1e-5
        )


def test_columns_named_like_parts_of_the_graph_are_other_inputs(path, rng):
    names = ["label", "label_", "probabilities", "variable", "/", "/gemm_1", "weight_1", "X"]
    table = pd.DataFrame(rng.normal(size=(60, len(names))), columns=names)
    model = TabularClassifier(n_members=1, epochs=2, random_state=0).fit(table, table["X"] > 0)
    to_onnx(model, path)
    graph = onnx.load(path).graph
    assert [one.name for one in graph.input] == [
        "label__", "label_", "probabilities_", "variable_", "/", "/gemm_1", "weight_1", "X",
    ]  # fmt: skip
    np.testing.assert_array_equal(outputs(path, table)["label"], model.predict(table))


def test_the_model_describes_itself(path, tables):
    table, _ = tables
    with pytest.warns(UserWarning, match="row"):
        model = TabularClassifier(n_members=2, epochs=1).fit(table, table["row"] > 9)
    model.metadata_["note"] = "ü"
    to_onnx(model, path)
    properties = {one.key: one.value for one in onnx.load(path).metadata_props}
    kinds = dict(zip(*(json.loads(properties[key]) for key in ("columns", "kinds")), strict=True))
    assert kinds == dict(model.encoder_.kinds)
    assert "row" not in kinds
    assert json.loads(properties["classes"]) == [False, True]
    assert (properties["task"], properties["digest"]) == ("classification", table_digest(model))
    assert (properties["estimator"], properties["note"]) == ("TabularClassifier", "ü")
    assert json.loads(properties["versions"])["pandas"] == pd.__version__
    model.metadata_["kinds"] = "ü"
    with pytest.raises(ValueError, match="an entry 'kinds', 'ü'"):
        to_onnx(model, path)


def test_a_model_that_is_not_fitted_is_refused(path):
    with pytest.raises(ValueError, match="this TabularRegressor is not fitted: call its fit first"):
        to_onnx(TabularRegressor(), path)
    assert not path.exists()
