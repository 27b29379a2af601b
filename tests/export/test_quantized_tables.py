"""Models of tables in 8-bit integers: their files, and ONNX."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.export import Quantized, QuantizedTable, quantize, quantize_table, to_c, to_onnx
from fastmlp.model import npz

pd = pytest.importorskip("pandas")
tabular = pytest.importorskip("fastmlp.tabular")

from .test_onnx_tables import inputs  # noqa: E402

ENCODINGS = ["raw", "piecewise_linear", "quantile", "periodic"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.npz"


@pytest.fixture(scope="module")
def table() -> Any:
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "income": np.exp(rng.normal(10, 1, 300)),
            "year": rng.integers(1950, 2010, 300).astype(float),
            "ward": rng.choice(["north", "south", "west"], 300),
            "new": rng.choice(["no", "yes"], 300),
        }
    )
    table.loc[:30, "income"] = np.nan
    return table


@pytest.fixture(scope="module")
def fitted(table: Any) -> Callable[..., QuantizedTable]:
    """A model in 8 bits of numbers and categories, the same one for all tests."""

    @cache
    def fitted(kind: str = "TabularClassifier", encoding: str = "raw") -> QuantizedTable:
        y = np.nan_to_num(np.log(table["income"]), nan=9) + (table["ward"] == "west")
        if kind == "TabularClassifier":
            y = np.where(y > y.median(), "a", "b")
        model = getattr(tabular, kind)(
            None, "fast", n_members=2, encoding=encoding, epochs=4, random_state=0
        ).fit(table, y)
        model.metadata_["note"] = "ü"
        return quantize_table(model, table, ranges="percentile")

    return fitted


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", ["TabularClassifier", "TabularRegressor"])
def test_what_comes_back_predicts_the_same_bits(
    fitted: Any, table: Any, path: Path, tmp_path: Path, kind: str, encoding: str
) -> None:
    saved = fitted(kind, encoding)
    saved.save(path, compress=encoding == "raw")
    loaded = QuantizedTable.load(path)
    np.testing.assert_array_equal(loaded.predict(table), saved.predict(table))
    if kind == "TabularClassifier":
        np.testing.assert_array_equal(loaded.predict_proba(table), saved.predict_proba(table))
    assert (loaded.digest, loaded.ranges) == (saved.digest, "percentile")
    assert loaded.summary() == saved.summary()
    assert loaded.model.metadata_ == {"note": "ü"}
    texts = []
    for one in (saved, loaded):
        to_c(one, tmp_path / "net.c", name="net", examples=table[:3])
        texts.append((tmp_path / "net.c").read_text())
    assert texts[0] == texts[1]


def test_a_file_is_smaller_than_that_of_the_float_model(table: Any, tmp_path: Path) -> None:
    model = tabular.TabularClassifier(
        None, "fast", epochs=1, hidden_layer_sizes=(256, 256), random_state=0
    ).fit(table, table["new"])
    model.save(tmp_path / "float.npz")
    twin = quantize_table(model, table)
    twin.save(tmp_path / "bytes.npz")
    twin.save(tmp_path / "compressed.npz", compress=True)
    files = [tmp_path / f"{name}.npz" for name in ("bytes", "float", "compressed")]
    sizes = [file.stat().st_size for file in files]
    assert sizes[2] < sizes[0] < 0.4 * sizes[1]


def test_a_model_equals_itself_alone(fitted: Any) -> None:
    twin = fitted()
    assert dataclasses.replace(twin) != twin


def test_what_takes_a_network_names_what_takes_a_model_of_a_table(fitted: Any, path: Path) -> None:
    model = fitted().model
    with pytest.raises(TypeError, match="net must be an MLP, got Tabular.*quantize_table take"):
        quantize(model, np.zeros((9, 3)))
    with pytest.raises(TypeError, match="net must be an MLP, got Tabular.*to_onnx, to_c and"):
        fastmlp.export.to_html(model, path)


def test_other_files_are_refused_by_name(fitted: Any, table: Any, path: Path) -> None:
    fitted().save(path)
    message = "model.npz holds a model of a table in 8-bit integers: fastmlp.export.QuantizedTable"
    for load in (fastmlp.load, fastmlp.MLP.load, fastmlp.Ensemble.load, tabular.load):
        with pytest.raises(ValueError, match=message):
            load(path)
    with pytest.raises(ValueError, match="in 8-bit integers: fastmlp.export.QuantizedTable.load"):
        Quantized.load(path)
    net = fastmlp.MLP((2, 2))
    net.save(path)
    with pytest.raises(ValueError, match="holds a model in floating point: fastmlp.load reads it"):
        QuantizedTable.load(path)
    quantize(net, np.random.default_rng(0).normal(size=(200, 2))).save(path)
    with pytest.raises(ValueError, match="a network in 8-bit integers: .*Quantized.load reads it"):
        QuantizedTable.load(path)


@pytest.mark.parametrize(
    "changed",
    [
        lambda header, arrays: header.update(networks=[]),
        lambda header, arrays: header["networks"].append(3),
        lambda header, arrays: header["networks"].pop(),
        lambda header, arrays: header["networks"].reverse() or header["networks"].pop(),
        lambda header, arrays: header["networks"][0].pop("quantized"),
        lambda header, arrays: header["networks"][1]["quantized"].update(roundings=[]),
        lambda header, arrays: header["quantized"].update(agreement=None),
        lambda header, arrays: header["quantized"].update(model_digest="*/"),
        lambda header, arrays: header["metadata"].pop("table"),
        lambda header, arrays: header["metadata"]["table"].update(encodings=["raw"]),
        lambda header, arrays: header["metadata"]["table"]["encoder"].pop("numbers"),
        lambda header, arrays: arrays.pop("network_1_bias_1"),
        lambda header, arrays: arrays["network_2_multiplier_1"].fill(np.inf),
    ],
)
def test_contents_that_do_not_fit_are_damage(fitted: Any, path: Path, changed: Any) -> None:
    fitted().save(path)
    with np.load(path) as contents:
        arrays = dict(contents)
    header = json.loads(str(arrays.pop("header")))
    header.pop("digest")
    changed(header, arrays)
    npz.write(path, header, arrays)
    with pytest.raises(ValueError, match=r"model.npz (is not a|does not hold a) whole"):
        QuantizedTable.load(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", ["TabularClassifier", "TabularRegressor"])
def test_onnx_runtime_predicts_what_python_predicts(
    fitted: Any, table: Any, tmp_path: Path, kind: str, encoding: str
) -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    twin, path = fitted(kind, encoding), tmp_path / "model.onnx"
    to_onnx(twin, path)
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # also without VNNI
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    found = dict(zip(names, session.run(None, inputs(path, table)), strict=True))
    if kind == "TabularClassifier":
        expected, values, scale = twin.predict_proba(table), found["probabilities"], 1.0
    else:
        expected, values = twin.predict(table), found["variable"][:, 0]
        scale = twin.model.target_deviation_
    # the encodings are rounded as ONNX Runtime does, which may change a byte by one
    different = np.abs(values - expected).reshape(len(table), -1).max(axis=1) > 1e-5 * scale
    assert different.mean() < 0.05
    np.testing.assert_allclose(values, expected, atol=0.02 * scale)
    if kind == "TabularClassifier":
        same = found["label"] == twin.predict(table)
        assert same[~different].all()
    described = {one.key: one.value for one in onnx.load(path).metadata_props}
    assert described["quantization"] == f"8-bit integers; {twin.summary()}"
    assert (described["digest"], described["note"]) == (twin.digest, "ü")


def test_options_and_the_quantized_model_give_the_same_graph(
    fitted: Any, table: Any, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    model = tabular.TabularClassifier(None, "fast", epochs=1, random_state=0)
    model.fit(table, table["new"])
    to_onnx(model, tmp_path / "a.onnx", quantized=True, calibration=table)
    to_onnx(quantize_table(model, table), tmp_path / "b.onnx")
    graphs = [onnx.load(tmp_path / f"{name}.onnx").graph for name in "ab"]
    assert graphs[0] == graphs[1]
    with pytest.raises(ValueError, match="quantized already"):
        to_onnx(fitted(), tmp_path / "c.onnx", quantized=True, calibration=table)
    with pytest.raises(ValueError, match="calibration needs quantized=True"):
        to_onnx(model, tmp_path / "c.onnx", calibration=table)
