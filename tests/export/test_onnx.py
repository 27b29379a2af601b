"""ONNX files: valid, run by ONNX Runtime, and what they give is what the network gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Ensemble
from fastmlp.export import onnx as to
from fastmlp.export import quantize, to_c, to_onnx, to_safetensors, to_sklearn
from fastmlp.model.digest import model_digest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def session(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def outputs(path: Path, X: np.ndarray) -> dict[str, np.ndarray]:
    """What ONNX Runtime gives, by the outputs' names."""
    run = session(path)
    return dict(zip([one.name for one in run.get_outputs()], run.run(None, {"X": X}), strict=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx"


def test_onnx_runtime_gives_the_networks_outputs(network, path, X, close):
    to_onnx(network, path)
    onnx.checker.check_model(path, full_check=True)
    found = outputs(path, X.astype(network.dtype))
    if network.loss.classification:
        assert list(found) == ["label", "probabilities"]
        close(found["probabilities"], network.predict_proba(X))
        np.testing.assert_array_equal(found["label"], network.predict(X))
        assert found["label"].dtype == np.int64
    else:
        assert list(found) == ["variable"]
        close(found["variable"], network.predict(X).reshape(len(X), -1))
    assert {one.dtype for name, one in found.items() if name != "label"} == {network.dtype}


def test_any_number_of_rows(make, path, X, close):
    net = make("gelu", dtype="float64")
    to_onnx(net, path)
    run = session(path)
    for rows in (X[:1], X[:7], X):
        close(run.run(None, {"X": rows})[0], net.forward(rows))


def test_no_rows_give_no_outputs(network, path, X):
    to_onnx(network, path)
    for name, output in outputs(path, X[:0].astype(network.dtype)).items():
        full = outputs(path, X[:3].astype(network.dtype))[name]
        assert (output.shape, output.dtype) == ((0, *full.shape[1:]), full.dtype)


def test_the_axis_of_examples_has_a_name(network, path):
    to_onnx(network, path)
    run = session(path)
    shapes = [one.shape for one in (*run.get_inputs(), *run.get_outputs())]
    assert all(shape[0] == "batch" for shape in shapes)
    assert all(isinstance(size, int) for shape in shapes for size in shape[1:])


def test_ensemble_is_one_graph(ensemble, path, X, close):
    to_onnx(ensemble, path)
    onnx.checker.check_model(path, full_check=True)
    found = outputs(path, X)
    close(found["probabilities"], ensemble.forward(X), 1e-6)  # two of them are in float32
    np.testing.assert_array_equal(found["label"], ensemble.predict(X))


def test_an_ensemble_with_groups_is_one_graph(make, path, X, close):
    ensemble = Ensemble([make("groups", seed=1), make("groups", seed=2)])
    to_onnx(ensemble, path)
    found = outputs(path, X.astype(np.float32))
    close(found["probabilities"], ensemble.forward(X))
    np.testing.assert_array_equal(found["label"], ensemble.predict(X))


def test_gelu_in_float64_is_exact_everywhere(path):
    net = MLP((1, 1, 1), activation="gelu", loss="squared_error", dtype="float64",
              init=([[[1.0]], [[1.0]]], [[0.0], [0.0]]))
    to_onnx(net, path)
    z = np.concatenate([np.linspace(-40, 40, 4001), [0, 1e-300, -1e-9]])[:, np.newaxis]
    np.testing.assert_allclose(outputs(path, z)["variable"], net.forward(z), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize(
    "names",
    [
        ["a", "ü", "c"],
        [10, 20, 30],
        [-1, 0, 2**62],
        [1, 2**63, 2**64 - 1],  # beyond int64
        [0.5, 1.5, 1e300],
    ],
)
def test_labels_are_the_names_of_the_classes(names, make, path, X):
    net = make()
    net.metadata["classes"] = names
    to_onnx(net, path)
    found = outputs(path, X.astype(net.dtype))["label"].tolist()
    assert found == [names[k] for k in net.predict(X)]
    assert [type(one) for one in found] == [type(names[0])] * len(X)


@pytest.mark.parametrize(
    "names",
    [["a", "b"], ["a", 1, 2], "abc", [2**70, 1, 2], [True, 1, 2], [0.5, 1, 2], [-1, 0, 2**63], []],
)
def test_labels_are_numbers_where_the_metadata_names_no_classes(names, make, path, X):
    net = make()
    net.metadata["classes"] = names
    to_onnx(net, path)
    np.testing.assert_array_equal(outputs(path, X.astype(net.dtype))["label"], net.predict(X))


@pytest.mark.parametrize("names", [[["a", "b", "c"], ["x", "y"], ["k", "l", "m", "n"]],
                                   [[3, 4, 5], [0, 7], [1, 2, 3, 4]]])
def test_labels_of_groups_are_the_names_of_their_classes(names, make, path, X):
    net = make("groups")
    net.metadata["classes"] = names
    to_onnx(net, path)
    onnx.checker.check_model(path, full_check=True)
    found = outputs(path, X.astype(net.dtype))["label"]
    for column, of_group, k in zip(found.T, names, net.predict(X).T, strict=True):
        assert column.tolist() == np.array(of_group)[k].tolist()


@pytest.mark.parametrize(
    "names", [["a", "b", "c"], [["a"], ["x", "y"], []], [["a", "b", "c"], [0, 1], [0, 1, 2, 3]], []]
)
def test_labels_of_groups_are_numbers_where_not_all_classes_have_names(names, make, path, X):
    net = make("groups")
    net.metadata["classes"] = names
    to_onnx(net, path)
    np.testing.assert_array_equal(outputs(path, X.astype(net.dtype))["label"], net.predict(X))


@pytest.mark.parametrize("names", [["no", "yes"], [False, True], ["only"], [7]])
def test_names_of_two_classes_or_one(names, make, path, X):
    net = make("yes or no")
    net.metadata["classes"] = names
    to_onnx(net, path)
    expected = [names[min(k, len(names) - 1)] for k in net.predict(X)]
    assert outputs(path, X.astype(net.dtype))["label"].tolist() == expected


def test_a_group_of_one_class_has_its_name(make, path, X):
    net = make("groups")
    net.metadata["classes"] = [["a", "b", "c"], ["only"], ["k", "l", "m", "n"]]
    to_onnx(net, path)
    assert set(outputs(path, X.astype(net.dtype))["label"][:, 1]) == {"only"}


def test_an_ensemble_has_the_names_that_its_networks_share(ensemble, path, X):
    for i, net in enumerate(ensemble.networks):
        net.metadata = {"classes": ["a", "b", "c"], "columns": list("uvwxyz"), "number": i}
    to_onnx(ensemble, path)
    properties = {one.key: one.value for one in onnx.load(path).metadata_props}
    assert json.loads(properties["columns"]) == list("uvwxyz")
    assert properties.keys() == {"task", "loss", "digest", "classes", "columns"}
    expected = [["a", "b", "c"][k] for k in ensemble.predict(X)]
    assert outputs(path, X)["label"].tolist() == expected


def test_the_model_describes_itself(make, path):
    net = make()
    net.metadata = {"task": "classification", "note": "the user's own", "columns": ["größe", "β"]}
    to_onnx(net, path)
    model = onnx.load(path)
    assert (model.producer_name, model.doc_string) == ("fastmlp", repr(net))
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 13)]
    assert model.ir_version == 7
    properties = {one.key: one.value for one in model.metadata_props}
    assert (properties["task"], properties["note"]) == ("classification", "the user's own")
    assert json.loads(properties["columns"]) == ["größe", "β"]
    assert properties["loss"] == "cross_entropy"
    assert properties["digest"] == model_digest(net.state)
    assert model.producer_version == fastmlp.__version__
    assert {"weight_1", "bias_3"} <= {one.name for one in model.graph.initializer}


@pytest.mark.parametrize("name", ["task", "loss", "digest", "uint8_scale", "quantization"])
def test_metadata_that_contradicts_a_property_is_refused(name, make, path):
    net = make()
    net.metadata = {name: "the user's own"}
    with pytest.raises(ValueError, match=f"an entry '{name}', \"the user's own\", .*; rename"):
        to_onnx(net, path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "task"), [("classes", "classification"), ("one value", "regression")]
)
def test_the_task_and_the_scale_of_images_are_properties(name, task, make, path):
    to_onnx(make(name, uint8_scale=0.5), path)
    properties = {one.key: one.value for one in onnx.load(path).metadata_props}
    assert (properties["task"], properties["uint8_scale"]) == (task, "0.5")


def test_names_are_those_of_sklearn_onnx(make, path):
    skl2onnx = pytest.importorskip("skl2onnx")
    for name, options in (("classes", {"zipmap": False}), ("one value", None)):
        net = make(name, activation="relu")
        estimator = to_sklearn(net)
        theirs = skl2onnx.to_onnx(
            estimator,
            np.zeros((1, 6), np.float32),
            options=None if options is None else {id(estimator): options},
        )
        to_onnx(net, path)
        ours = onnx.load(path)
        for part in ("input", "output"):
            assert [
                (one.name, one.type.tensor_type.elem_type) for one in getattr(ours.graph, part)
            ] == [(one.name, one.type.tensor_type.elem_type) for one in getattr(theirs.graph, part)]


def test_a_file_that_cannot_be_written_leaves_the_old_one(make, path, monkeypatch):
    path.write_text("old")
    net = make()
    net.metadata["no JSON"] = object()
    with pytest.raises(TypeError, match="only what JSON can"):
        to_onnx(net, path)
    monkeypatch.setattr(to, "LARGEST_FILE", 100)
    with pytest.raises(ValueError, match="an ONNX file has at most 100"):
        to_onnx(net, path)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("metadata", [None, ["a"], "classes"])
def test_metadata_that_are_no_dict_are_refused(metadata, make, path):
    net = make()
    net.metadata = metadata
    for write in (
        to_onnx,
        to_c,
        to_safetensors,
        lambda net, path: to_sklearn(net),
        lambda net, path: quantize(net, np.zeros((200, 6))),
    ):
        with pytest.raises(TypeError, match="net.metadata must be a dict"):
            write(net, path)
    assert not path.exists()


def test_what_is_no_network_is_refused(path):
    with pytest.raises(TypeError, match="net must be an MLP, got 3"):
        to_onnx(3, path)  # type: ignore[arg-type]
    assert not path.exists()


@pytest.mark.parametrize(
    ("count", "weights"),
    [(1, ["weight_1", "weight_2"]),
     (2, ["network_1_weight_1", "network_1_weight_2", "network_2_weight_1", "network_2_weight_2"])],
)  # fmt: skip
def test_layers_and_networks_are_numbered_from_1(count, weights, path):
    nets = [MLP((6, 5, 3), seed=seed) for seed in range(count)]
    to_onnx(nets[0] if count == 1 else Ensemble(nets), path)
    constants = {one.name: onnx.numpy_helper.to_array(one)
                 for one in onnx.load(path).graph.initializer}  # fmt: skip
    assert sorted(name for name in constants if "weight" in name) == weights
    for name, W in zip(weights, (W for net in nets for W in net.weights), strict=True):
        np.testing.assert_array_equal(constants[name], W)
