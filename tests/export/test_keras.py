"""Keras: files and models of it as networks, and what cannot be taken."""

from __future__ import annotations

import importlib
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp.activations import GELU, LeakyReLU
from fastmlp.export import from_keras

DIGITS = Path(__file__).with_name("digits.keras")  # by make_digits_keras.py


# ------------------------------------------------------------------------------ a real file


def test_a_file_gives_what_keras_gave(close):
    pytest.importorskip("h5py")
    net = from_keras(DIGITS)
    with np.load(DIGITS.with_name("digits_keras.npz")) as expected:
        close(net.forward(expected["X"]), expected["outputs"], 1e-6)
    assert net.sizes == (64, 12, 10, 10)
    assert net.activation == (GELU(), LeakyReLU(0.1))
    assert (net.batch_norm, net.loss.name) == ((True, False), "cross_entropy")
    assert (net.input_dropout, net.dropout) == (0.1, (0.0, 0.2))


def contents() -> dict[str, bytes]:
    with zipfile.ZipFile(DIGITS) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_damaged_files_are_told(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "net.keras"
    whole, parts = DIGITS.read_bytes(), contents()
    small = io.BytesIO()
    h5py.File(small, "w").close()
    damaged = [b"", whole[:5000], whole[:-30]]
    for changes in (
        {"config.json": b"{"},
        {"config.json": b"[]"},
        {"model.weights.h5": parts["model.weights.h5"][:3000]},
        {"model.weights.h5": small.getvalue()},
    ):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in (parts | changes).items():
                archive.writestr(name, content)
        damaged.append(file.getvalue())
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"net\.keras is not a whole \.keras file"):
            from_keras(path)
    with pytest.raises(FileNotFoundError):
        from_keras(tmp_path / "none.keras")


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match="source must be a model of Keras or a path, got 3"):
        from_keras(3)


# ------------------------------------------- models as far as they are looked at, without Keras


class FakeLayer:
    def __init__(self, config: dict[str, Any], arrays: list[np.ndarray]) -> None:
        self.config, self.arrays = config, arrays

    def get_config(self) -> dict[str, Any]:
        return self.config

    def get_weights(self) -> list[np.ndarray]:
        return self.arrays


def fake(kind: str, *arrays: Any, **config: Any) -> FakeLayer:
    """A layer of that class, with arrays and a configuration."""
    made = type(kind, (FakeLayer,), {})
    return made({"name": kind.lower(), **config}, [np.asarray(one) for one in arrays])


class Sequential:
    def __init__(self, *layers: FakeLayer) -> None:
        self.layers = layers

    def get_config(self) -> dict[str, Any]:
        return {"layers": []}


def dense(n_in: int = 3, n_out: int = 2, activation: Any = "linear") -> FakeLayer:
    W = np.linspace(-1, 1, n_in * n_out).reshape(n_in, n_out)
    return fake("Dense", W, np.ones(n_out), activation=activation)


NORM = {"axis": -1, "epsilon": 1e-3, "scale": True, "center": True}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([fake("Conv1D")], r"layer 'conv1d' \(Conv1D\) has no counterpart"),
        ([dense(activation="hard_sigmoid")], r"layer 'dense' \(Dense\) has settings"),
        ([dense(activation={"class_name": "Softsign", "config": {}})], "has settings"),
        ([dense(activation={"class_name": "function", "config": "mine"})], "has settings"),
        ([fake("Dense", np.ones((3, 2)), np.ones(2), np.ones(2))], "has settings"),
        ([dense(), fake("ReLU", max_value=6.0)], r"\(ReLU\) has settings"),
        ([dense(), fake("Softmax", axis=0)], r"\(Softmax\) has settings"),
        ([fake("BatchNormalization", *[np.ones(3)] * 4, **{**NORM, "axis": 2})], "has settings"),
        ([fake("Normalization", invert=True)], r"\(Normalization\) has settings"),
        ([fake("Flatten", data_format="channels_first")], r"\(Flatten\) has settings"),
        ([dense(), dense(3)], r"layer 'dense' \(Dense\): it has 3 inputs"),
        ([fake("Flatten", data_format="channels_last")], "there is no dense layer"),
    ],
)
def test_what_cannot_be_taken_is_told_by_layer(layers, message):
    with pytest.raises(ValueError, match=message):
        from_keras(Sequential(*layers))


def test_scaling_before_the_first_layer_is_folded_into_it(close):
    X = np.array([[1.0, 20.0, 300.0], [2.0, 10.0, 500.0]])
    mean, variance = np.array([1.0, 10.0, 100.0]), np.array([1.0, 0.0, 1e4])
    net = from_keras(
        Sequential(
            fake("Normalization", mean, variance, 7, invert=False),
            fake("Rescaling", scale=[1.0, 1e-8, 2.0], offset=-0.5),
            dense(activation="tanh"),
        ),
        loss="squared_error",
    )
    scaled = (X - mean) / np.maximum(np.sqrt(variance), 1e-7) * [1, 1e-8, 2] - 0.5
    W, b = dense().get_weights()
    close(net.forward(X), np.tanh(scaled @ W + b), 1e-9)


class Functional(Sequential):
    """A model whose second and third layers both read the first."""

    def get_config(self) -> dict[str, Any]:
        def reading(name: str, *sources: str) -> dict[str, Any]:
            nodes = [{"args": [{"config": {"keras_history": [one, 0, 0]}}]} for one in sources]
            return {"name": name, "inbound_nodes": nodes}

        layers = [reading("in"), reading("a", "in"), reading("b", "in")]
        return {"layers": layers, "output_layers": ["b", 0, 0]}


def test_only_chains_are_taken():
    with pytest.raises(ValueError, match="layer 'b' does not read the layer before it alone"):
        from_keras(Functional(dense(), dense(2)))

    class Mine(Sequential):
        pass

    with pytest.raises(ValueError, match="the model is a Mine; expected a Sequential or a func"):
        from_keras(Mine(dense()))


# ------------------------------------------------------------------------------- Keras itself


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    pytest.importorskip("torch")
    if importlib.util.find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    found = importlib.import_module("keras")
    yield found
    found.config.set_dtype_policy("float32")


ACTIVATIONS = ["linear", "sigmoid", "relu", "leaky_relu", "tanh", "softplus", "elu", "selu", "silu",
               "swish", "gelu"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_models_and_their_files_are_taken(activation, dtype, keras, tmp_path, X, close):
    pytest.importorskip("h5py")
    keras.config.set_dtype_policy(dtype)
    layers = keras.layers
    rng = np.random.default_rng(5)
    stack = [
        layers.BatchNormalization(),
        layers.Dense(9, activation=activation),
        layers.Dense(8),
        layers.BatchNormalization(epsilon=0.1),
        layers.Activation(activation),
        layers.Dense(3, activation="softmax"),
    ]
    read = given = keras.Input((6,), dtype=dtype)
    for layer in stack:
        read = layer(read)
    X = np.clip(X, -3, 3).astype(dtype)
    for model in (keras.Sequential([given, *stack]), keras.Model(given, read)):
        model.set_weights([rng.uniform(0.1, 1, one.shape) for one in model.get_weights()])
        model.save(tmp_path / "net.keras")
        outputs = model(keras.ops.convert_to_tensor(X, dtype=dtype), training=False)
        expected = keras.ops.convert_to_numpy(outputs)
        for source in (model, tmp_path / "net.keras"):
            net = from_keras(source)
            assert net.dtype == dtype
            close(net.forward(X), expected, 1e-5)  # Keras computes float64 to 2e-7 itself


def test_other_outputs_are_refused(keras):
    given = keras.Input((6,))
    hidden = keras.layers.Dense(4)(given)
    out = keras.layers.Dense(3)(hidden)
    with pytest.raises(ValueError, match="other outputs than those of its last layer"):
        from_keras(keras.Model(given, [hidden, out]))
    with pytest.raises(ValueError, match="does not read the layer before it alone"):
        from_keras(keras.Model(given, keras.layers.Add()([out, keras.layers.Dense(3)(hidden)])))
