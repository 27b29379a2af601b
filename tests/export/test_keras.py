"""Keras: files and models of it as networks, and what cannot be taken."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.activations import GELU, LeakyReLU
from fastmlp.export import from_keras
from fastmlp.support import inflation

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


def endless(content: bytes) -> bytes:
    """An HDF5 file whose first heap's first free block is followed by itself."""
    heap = content.index(b"HEAP")
    _, block, start = struct.unpack_from("<3Q", content, heap + 8)
    changed = bytearray(content)
    struct.pack_into("<Q", changed, start + block, block)
    return bytes(changed)


def test_a_list_of_free_blocks_without_end_is_refused(tmp_path):
    """HDF5 would follow it until no memory is left."""
    pytest.importorskip("h5py")
    path, parts = tmp_path / "net.keras", contents()
    parts["model.weights.h5"] = endless(parts["model.weights.h5"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="a list of free blocks in its HDF5 file has no end"):
        from_keras(path)
    weights = tmp_path / "net.weights.h5"
    weights.write_bytes(parts["model.weights.h5"])
    with pytest.raises(ValueError, match="a list of free blocks in its HDF5 file has no end"):
        from_keras(weights, like=fastmlp.MLP((64, 32, 10)))


def test_damaged_files_are_refused(tmp_path, encrypted):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "net.keras"
    whole, parts = DIGITS.read_bytes(), contents()
    small = io.BytesIO()
    h5py.File(small, "w").close()
    damaged = [b"", whole[:5000], whole[:-30], encrypted(whole)]
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


# ------------------------------------------------------------------------------- hostile files


@pytest.fixture
def repacked(tmp_path: Path) -> Callable[..., Path]:
    """Write the real file with another configuration or other members."""

    def write(change: Callable[[dict[str, Any]], object] = bool, **members: bytes) -> Path:
        parts = contents()
        config = json.loads(parts["config.json"])
        change(config)
        parts["config.json"] = json.dumps(config).encode()
        parts |= {name.replace("__", "."): content for name, content in members.items()}
        path = tmp_path / "net.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        return path

    return write


def layers_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    return config["config"]["layers"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: layers_of(c)[3].update(module="mine.layers"), "not a class of Keras, but of"),
        (lambda c: c.update(module="mine"), "'Sequential' is not a class of Keras, but of 'mine'"),
        (lambda c: layers_of(c)[2]["config"].pop("rate"), "otherwise than Keras: KeyError.'rate'"),
        (lambda c: layers_of(c)[2].update(config=None), "a layer otherwise than Keras"),
        (lambda c: layers_of(c)[2]["config"].update(rate="x"), "a layer otherwise than Keras"),
        (lambda c: c.update(class_name="Functional"), "otherwise than Keras: KeyError"),
        (lambda c: c.update(config=None), "not a whole"),
        (lambda c: c.pop("class_name"), "not a whole"),
    ],
)
def test_configurations_that_keras_does_not_write_are_refused(change, message, repacked):
    pytest.importorskip("h5py")
    from_keras(repacked())
    with pytest.raises(ValueError, match=message):
        from_keras(repacked(change))


def test_nothing_of_a_file_can_control_a_terminal(repacked):
    pytest.importorskip("h5py")
    for change in (
        lambda c: layers_of(c)[2].update(class_name="\x1b[2J"),
        lambda c: layers_of(c)[2]["config"].update(name="\x1b]0;\x07"),
        lambda c: c.update(class_name="\x9b31m"),
    ):
        try:
            from_keras(repacked(change))
        except ValueError as error:
            assert str(error).isprintable()


def test_an_archive_that_unpacks_to_much_more_is_refused(repacked, monkeypatch):
    pytest.importorskip("h5py")
    monkeypatch.setattr(inflation, "MOST_INFLATED", 1 << 20)
    from_keras(repacked())
    for name in ("config__json", "model__weights__h5"):
        path = repacked(**{name: bytes(30 << 20)})
        assert path.stat().st_size < 1 << 16
        with pytest.raises(ValueError, match=r"unpacks to more than 1,.* bytes"):
            from_keras(path)


def test_a_deeply_nested_configuration_is_refused(repacked):
    pytest.importorskip("h5py")
    with pytest.raises(ValueError, match="not a whole"):
        from_keras(repacked(config__json=b"[" * 100_000 + b"]" * 100_000))
    nested: Any = "relu"
    for _ in range(300):
        nested = {"class_name": "Activation", "config": {"activation": nested}}
    # deep, but an activation
    from_keras(repacked(lambda c: layers_of(c)[5]["config"].update(activation=nested)))


# ------------------------------------------- models as far as their layers matter, without Keras


class FakeLayer:
    def __init__(self, config: dict[str, Any], arrays: list[np.ndarray]) -> None:
        self.config, self.arrays = config, arrays

    def get_config(self) -> dict[str, Any]:
        return self.config

    def get_weights(self) -> list[np.ndarray]:
        return self.arrays


def fake(kind: str, *arrays: Any, **config: Any) -> FakeLayer:
    """A layer of that class, with arrays and a configuration."""
    made = type(kind, (FakeLayer,), {"__module__": "keras.src.layers"})
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
        ([fake("Dropout", rate=0.5, noise_shape=[1, 3])], r"\(Dropout\) has settings"),
        ([fake("InputLayer", batch_shape=(None, 5, 3)), dense()], "expected Flatten before it"),
        ([fake("BatchNormalization", *[-np.ones(3)] * 4, **NORM)], "running variance has negative"),
        ([dense(), dense(3)], r"layer 'dense' \(Dense\): it has 3 inputs"),
        ([fake("Flatten", data_format="channels_last")], "there is no dense layer"),
    ],
)
def test_layers_without_counterpart_are_named(layers, message):
    with pytest.raises(ValueError, match=message):
        from_keras(Sequential(*layers))


def test_leaky_relu_by_name_has_a_slope_of_a_fifth():
    net = from_keras(Sequential(dense(activation="leaky_relu"), dense(2)))
    assert net.activation == (LeakyReLU(0.2),)


@pytest.mark.parametrize("axis", [-1, 1, [-1], [1]])
def test_batch_norm_is_of_the_axis_of_units(axis, close):
    arrays = [np.array([1.0, 2.0]), np.array([0.5, -1.0]), np.array([0.1, 0.2]), np.ones(2)]
    norm = fake("BatchNormalization", *arrays, **{**NORM, "axis": axis})
    net = from_keras(Sequential(dense(), norm, dense(2)))
    X = np.eye(3, dtype=np.float32)
    first, last = (one.arrays for one in (dense(), dense(2)))
    scale, shift, mean, variance = arrays
    z = (X @ first[0] + first[1] - mean) / np.sqrt(variance + 1e-3) * scale + shift
    close(net.forward(X), z @ last[0] + last[1])


@pytest.mark.parametrize("axis", [0, 2, [0], [1, 2]])
def test_batch_norm_of_another_axis_is_refused(axis):
    norm = fake("BatchNormalization", *[np.ones(2)] * 4, **{**NORM, "axis": axis})
    with pytest.raises(ValueError, match="has settings"):
        from_keras(Sequential(dense(), norm, dense(2)))


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


def test_noise_is_imported():
    layers = [dense(), fake("GaussianNoise", stddev=0.3), dense(2, activation="softmax")]
    assert from_keras(Sequential(*layers)).noise == (0.3,)
    with pytest.raises(ValueError, match=r"\(GaussianNoise\): noise must follow a dense layer"):
        from_keras(Sequential(*layers[1:]))


@pytest.mark.parametrize(
    ("layer", "activation"),
    [
        (fake("ReLU", max_value=None, negative_slope=0.0, threshold=0.0), "relu"),
        (fake("ReLU", max_value=None, negative_slope=0.25, threshold=0.0), LeakyReLU(0.25)),
    ],
    ids=["flat", "leaky"],
)
def test_a_relu_without_limits_is_an_activation_of_ours(layer, activation):
    net = from_keras(Sequential(dense(), layer, dense(2)), loss="squared_error")
    assert net.activation == fastmlp.MLP((3, 2, 2), activation=activation).activation


class Functional(Sequential):
    """A model whose second and third layers both read the first."""

    def get_config(self) -> dict[str, Any]:
        def reading(name: str, *sources: str) -> dict[str, Any]:
            nodes = [{"args": [{"config": {"keras_history": [one, 0, 0]}}]} for one in sources]
            return {"name": name, "inbound_nodes": nodes}

        layers = [reading("in"), reading("a", "in"), reading("b", "in")]
        return {"layers": layers, "output_layers": ["b", 0, 0]}


def test_only_chains_are_imported():
    with pytest.raises(ValueError, match="layer 'b' does not read the layer before it alone"):
        from_keras(Functional(dense(), dense(2)))

    class Two(Functional):
        """A model with the outputs of both of its layers."""

        def get_config(self) -> dict[str, Any]:
            found = super().get_config()
            return {"layers": found["layers"][:2], "output_layers": [["in", 0, 0], ["a", 0, 0]]}

    Two.__name__ = "Functional"
    with pytest.raises(ValueError, match="has other outputs than those of its last layer"):
        from_keras(Two(dense(), dense(2)))

    foreign = type("Custom", (FakeLayer,), {"__module__": "mine.layers"})({}, [])
    with pytest.raises(ValueError, match="'Custom' is not a class of Keras, but of 'mine.layers'"):
        from_keras(Sequential(dense(), foreign))

    class Mine(Sequential):
        pass

    with pytest.raises(ValueError, match="the model is a Mine; expected a Sequential or a func"):
        from_keras(Mine(dense()))


# ------------------------------------------------------------------------------- Keras itself


ACTIVATIONS = ["linear", "sigmoid", "relu", "leaky_relu", "tanh", "softplus", "elu", "selu", "silu",
               "swish", "gelu", "mish"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_models_and_their_files_are_imported(activation, dtype, keras, tmp_path, X, close):
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
