"""ONNX files in another dtype, of networks with encodings, and in 8-bit integers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP, Ensemble
from fastmlp.encodings import Embedding, Encoding, Numeric, OneHot, Periodic, PiecewiseLinear
from fastmlp.export import Quantized, quantize, to_onnx
from fastmlp.export.onnx_graph import Graph
from fastmlp.model.digest import model_digest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

Array = NDArray[Any]

FEW = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx"


def run(path: Path, X: Array, *, as_written: bool = False) -> dict[str, Array]:
    """The outputs by ONNX Runtime, `as_written` without its optimizations of the graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")  # also without VNNI
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def properties(path: Path) -> dict[str, str]:
    return {one.key: one.value for one in onnx.load(path).metadata_props}


# ----------------------------------------------------------------------------------- the dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["gelu", "selu", "classes", "quantiles", "by averages"])
def test_any_network_can_be_written_in_either_dtype(
    make: Callable[..., MLP], path: Path, X: Array, dtype: str, name: str
) -> None:
    other = {"float32": "float64", "float64": "float32"}[dtype]
    net = make(name, dtype=other)
    to_onnx(net, path, dtype=dtype)
    onnx.checker.check_model(path, full_check=True)
    X = X.astype(np.float32)
    found = run(path, X.astype(dtype))
    expected = net.predict_proba(X) if net.loss.classification else net.predict(X)
    values = found["probabilities" if net.loss.classification else "variable"]
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)
    assert values.dtype == dtype
    if net.loss.classification:
        np.testing.assert_array_equal(found["label"], net.predict(X))


def test_an_ensemble_of_mixed_dtypes_in_float32(ensemble: Ensemble, path: Path, X: Array) -> None:
    to_onnx(ensemble, path, dtype="float32")
    found = run(path, X.astype(np.float32))
    np.testing.assert_allclose(found["probabilities"], ensemble.forward(X), atol=1e-6)
    assert found["probabilities"].dtype == np.float32


def test_a_parameter_beyond_the_range_of_float32_is_refused(path: Path) -> None:
    net = MLP((1, 1), loss="squared_error", dtype="float64", init=([[[1e39]]], [[0.0]]))
    with pytest.raises(ValueError, match=r"W\(1\)"):
        to_onnx(net, path, dtype="float32")
    with pytest.raises(ValueError, match="dtype must be 'float32' or 'float64', got 'float16'"):
        to_onnx(net, path, dtype="float16")
    assert not path.exists()


# ------------------------------------------------------------------------------------ encodings

EDGES = (-1.5, -0.25, 0.0, 2.0)
COLUMNS: dict[str, list[Encoding]] = {
    "numeric": [Numeric()] * 3,
    "bins": [PiecewiseLinear(EDGES)],
    "one-hot": [OneHot(5), OneHot(1)],
    "embedding": [Embedding(4, 3), Embedding(2, 1)],
    "waves": [Periodic(5, 2, sigma=1.0)],
    "all": [
        Numeric(), PiecewiseLinear(EDGES), Numeric(), Numeric(), Embedding(3, 2), OneHot(4),
        Periodic(6, 3), PiecewiseLinear((-1, 1)), OneHot(4), Numeric(),
    ],
}  # fmt: skip


def rows_of(columns: list[Encoding], rng: np.random.Generator, m: int = 200) -> Array:
    """Numbers, some of them at edges, and codes, some of them −1."""
    made = []
    for one in columns:
        x = rng.integers(-1, one.size, m) if one.categorical else rng.normal(size=m) * 3
        if not one.categorical:
            x[: len(EDGES)] = EDGES
        made.append(x)
    return np.column_stack(made).astype(np.float32)


@pytest.mark.parametrize("scaling", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", COLUMNS)
def test_networks_with_encodings_take_the_raw_columns(
    path: Path, rng: np.random.Generator, name: str, dtype: str, scaling: bool
) -> None:
    columns = COLUMNS[name]
    net = MLP((len(columns), 9, 3), encodings=columns, input_scaling=scaling, dtype=dtype)
    X = rows_of(columns, rng)
    net.fit(X, rng.integers(0, 3, 200), epochs=2, batch_size=16, ema=0.5)
    to_onnx(net, path)
    onnx.checker.check_model(path, full_check=True)
    found = run(path, X.astype(dtype))
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found["probabilities"], net.forward(X), atol=tolerance)
    np.testing.assert_array_equal(found["label"], net.predict(X))


@FEW
@pytest.mark.parametrize("scaling", [False, True])
@pytest.mark.parametrize("name", COLUMNS)
def test_layers_after_encodings_in_8_bits_are_those_of_python(
    path: Path, rng: np.random.Generator, name: str, scaling: bool
) -> None:
    columns = COLUMNS[name]
    net = MLP((len(columns), 9, 3), encodings=columns, input_scaling=scaling)
    X = rows_of(columns, rng)
    net.fit(X, rng.integers(0, 3, 200), epochs=2, batch_size=16)
    to_onnx(net, path, quantized=True, calibration=X)
    onnx.checker.check_model(path, full_check=True)
    twin, found = quantize(net, X), run(path, X)
    # cosines are rounded otherwise, which may change a byte by one
    has_waves = any(isinstance(one, Periodic) for one in columns)
    different = np.abs(found["probabilities"] - twin.forward(X)).max(axis=1) > 1e-6
    assert different.mean() <= 0.02 * has_waves
    np.testing.assert_array_equal(found["label"][~different], twin.predict(X)[~different])


@FEW
@pytest.mark.parametrize("n_levels", [4, 1024])  # 1024: as many as bytes of an activation
def test_tables_of_embeddings_and_of_activations_are_different_constants(
    path: Path, rng: np.random.Generator, n_levels: int
) -> None:
    columns: list[Encoding] = [Numeric(), Embedding(n_levels, 2), Embedding(n_levels, 1)]
    net = MLP((3, 9, 8, 3), encodings=columns, activation="tanh")
    X = rows_of(columns, rng)
    to_onnx(net, path, quantized=True, calibration=X)
    onnx.checker.check_model(path, full_check=True)
    expected = quantize(net, X).forward(X)
    np.testing.assert_allclose(run(path, X)["probabilities"], expected, atol=1e-6)


def test_a_constant_with_the_name_of_another_has_a_name_of_its_own() -> None:
    graph = Graph(onnx, np.dtype(np.float32), "net_")
    names = [graph.constant(np.array(value), "edges") for value in (1, 2, 1, 2)]
    assert names == ["net_edges", "net_edges_", "net_edges", "net_edges_"]
    values = {name: onnx.numpy_helper.to_array(one) for name, one in graph.constants.items()}
    assert values == {"net_edges": 1, "net_edges_": 2}


def test_a_code_of_no_level_counts_as_missing(path: Path) -> None:
    net = MLP((1, 3), encodings=[OneHot(4)], seed=1)
    to_onnx(net, path)
    found = run(path, np.array([[4], [-1], [-7], [1e9]], np.float32))["probabilities"]
    np.testing.assert_allclose(found, np.repeat(net.forward([[-1]]), 4, axis=0), rtol=1e-6)


def test_edges_that_are_equal_in_float32_are_refused(path: Path) -> None:
    net = MLP((1, 2), encodings=[PiecewiseLinear((1, 1 + 1e-9))], dtype="float64")
    to_onnx(net, path)
    with pytest.raises(ValueError, match=r"encodings\[0\].*edges must increase"):
        to_onnx(net, path, dtype="float32")


# ------------------------------------------------------------------------------- 8-bit integers


@FEW
@pytest.mark.parametrize(
    "name",
    ["relu", "tanh", "gelu", "identity", "mixed", "classes", "two classes", "groups", "yes or no",
     "several labels", "one value", "linear", "output activation", "quantiles of two", "poisson",
     "by averages"],
)  # fmt: skip
@pytest.mark.parametrize("units", ["alike", "own"])
def test_onnx_runtime_computes_the_integers_of_the_c(
    make: Callable[..., MLP], path: Path, rng: np.random.Generator, name: str, units: str
) -> None:
    """z has the same bits; `Quantized` computes those of the compiled C, see c/test_c_quantized."""
    net = make(name)
    rows = rng.normal(size=(500, 6)).astype(np.float32)
    if units == "own":
        rows += 50
    quantized = quantize(net, rows)
    assert bool(quantized.input_scaling.inverse.ndim) == (units == "own")
    to_onnx(quantized, path)
    onnx.checker.check_model(path, full_check=True)
    for as_written in (False, True):
        found = run(path, rows, as_written=as_written)
        if quantized.loss.classification:
            np.testing.assert_array_equal(found["label"], quantized.predict(rows))
        values = found.get("probabilities", found.get("variable"))
        expected = quantized.forward(rows)
        if name == "quantiles of two":
            expected = quantized.predict(rows).reshape(len(rows), -1)
        scale = 1 if quantized.loss.classification else np.abs(expected).max()
        if not as_written:
            np.testing.assert_allclose(values / scale, expected / scale, rtol=0, atol=1e-6)
        else:  # sums in float32: a byte may be rounded to the next
            np.testing.assert_allclose(values / scale, expected / scale, rtol=0, atol=0.05)


@FEW
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_onnx_runtime_makes_one_integer_operator_of_each_layer(
    make: Callable[..., MLP], path: Path, X: Array, activation: str
) -> None:
    net = make("classes", activation=activation)
    to_onnx(quantize(net, X), path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # the optimized graph is for this machine only, it says
    options.optimized_model_filepath = str(path.with_suffix(".optimized"))
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    nodes = [one.op_type for one in onnx.load(options.optimized_model_filepath).graph.node]
    assert (nodes.count("QGemm"), nodes.count("Gemm")) == (3, 0)


@FEW
def test_z_has_the_bits_of_the_c(make: Callable[..., MLP], path: Path, X: Array) -> None:
    X = X.astype(np.float32)
    quantized = quantize(make("one value", activation="tanh"), X)
    to_onnx(quantized, path)
    found = run(path, X)["variable"][:, 0]
    np.testing.assert_array_equal(found, quantized.logits(X)[:, 0])


def test_labels_of_digits_are_those_of_the_c(path: Path) -> None:
    images, y = fastmlp.datasets.digits()
    net = MLP((64, 100, 10), seed=0)
    net.fit(images[:1500], y[:1500], epochs=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_onnx(net, path, quantized=True, calibration=images[:1000])
    quantized = quantize(net, images[:1000])
    found = run(path, images.astype(np.float32))
    np.testing.assert_array_equal(found["label"], quantized.predict(images))
    assert path.stat().st_size < net.n_parameters + 5_000


@FEW
def test_rows_beyond_the_calibration_are_clipped(
    make: Callable[..., MLP], path: Path, rng: np.random.Generator
) -> None:
    quantized = quantize(make("classes"), rng.normal(size=(200, 6)))
    to_onnx(quantized, path)
    far = (rng.normal(size=(100, 6)) * 1e6).astype(np.float32)
    np.testing.assert_array_equal(run(path, far)["label"], quantized.predict(far))


@FEW
def test_the_integers_describe_themselves(make: Callable[..., MLP], path: Path, X: Array) -> None:
    net = make("classes")
    net.metadata = {"classes": ["a", "b", "c"], "columns": list("uvwxyz")}
    quantized = quantize(net, X)
    to_onnx(quantized, path)
    found = properties(path)
    assert found["quantization"] == f"8-bit integers; {quantized.summary()}"
    assert json.loads(found["columns"]) == list("uvwxyz")
    assert found["digest"] == model_digest(net.state)
    assert (found["task"], found["loss"]) == ("classification", "cross_entropy")
    labels = run(path, X.astype(np.float32))["label"].tolist()
    assert labels == [["a", "b", "c"][k] for k in quantized.predict(X)]


@FEW
def test_what_has_no_form_in_8_bits_is_refused(
    make: Callable[..., MLP], ensemble: Ensemble, path: Path, X: Array
) -> None:
    net = make("classes")
    quantized: Quantized = quantize(net, X)
    cases: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
        (quantize(net, X, integer_only=True), {}, ValueError, "can only be written as C"),
        (quantized, {"dtype": "float64"}, ValueError, "got dtype 'float64'; leave it out"),
        (quantized, {"quantized": True}, ValueError, "quantized already"),
        (net, {"quantized": True}, ValueError, "quantized=True needs calibration"),
        (net, {"calibration": X}, ValueError, "calibration needs quantized=True"),
        (net, {"quantized": 1}, TypeError, "quantized"),
        (ensemble, {"quantized": True, "calibration": X}, TypeError, "one by one"),
        (ensemble, {"calibration": X}, TypeError, "one by one"),
    ]
    for one, options, error, message in cases:
        with pytest.raises(error, match=message):
            to_onnx(one, path, **options)
    assert not path.exists()
