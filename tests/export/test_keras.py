"""Keras: files and models of it as networks, and what cannot be taken."""

from __future__ import annotations

import importlib
import importlib.util
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.activations import GELU, LeakyReLU
from fastmlp.export import from_keras

DIGITS = Path(__file__).with_name("digits.keras")  # by make_digits_keras.py
WEIGHTS = DIGITS.with_name("digits.weights.h5")  # likewise


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


# ---------------------------------------------------------------------- a real file of weights


@pytest.fixture
def like() -> Callable[..., MLP]:
    """A network of the architecture of digits.weights.h5, or with these options."""

    def made(**options: Any) -> MLP:
        architecture = {"sizes": (64, 12, 10, 10), "activation": "gelu", "batch_norm": True}
        return MLP(**{**architecture, **options})

    return made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_give_what_keras_gave(dtype, like, close):
    pytest.importorskip("h5py")
    net = from_keras(WEIGHTS, like=like(dtype=dtype))
    with np.load(DIGITS.with_name("digits_keras.npz")) as expected:
        close(net.forward(expected["X"]), expected["outputs_by_weights"].astype(dtype), 1e-6)
    assert net.dtype == dtype


def test_all_but_parameters_is_as_in_the_given_network(like, X):
    pytest.importorskip("h5py")
    given = like(dropout=[0.1, 0.2], noise=0.3, seed=7, uint8_scale=1.0, loss="squared_error")
    given.fit(np.zeros((8, 64)), np.zeros((8, 10)), epochs=1, ema=0.5)
    given.metadata["by"] = "Keras"
    before = given.weights
    net = from_keras(WEIGHTS, like=given)
    for name in ("sizes", "activation", "loss", "batch_norm", "dropout", "noise", "seed",
                 "uint8_scale", "metadata"):
        assert getattr(net, name) == getattr(given, name)
    assert (net.epochs, net.use_average) == (0, False)
    np.testing.assert_array_equal(given.weights[0], before[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": (64, 12, 10)}, "layers that like does not have: batch_normalization_1, dense_2"),
        ({"sizes": (63, 12, 10, 10)}, r"'dense' has arrays of shapes \[\(64, 12\)\]; like has "
                                      r"\[\(63, 12\), \(12,\)\] or \[\(63, 12\)\]"),
        ({"sizes": (64, 12, 10, 10, 10)}, "it has no layer 'batch_normalization_2', but like does"),
        ({"batch_norm": [True, False]}, "layers that like does not have: batch_normalization_1"),
        ({"batch_norm": False}, "does not have: batch_normalization, batch_normalization_1"),
        ({"sizes": (64, 12, 11, 10)}, r"'dense_1' has arrays .* like has \[\(12, 11\), \(11,\)\]"),
    ],
)
def test_a_network_of_another_architecture_is_refused(options, message, like):
    pytest.importorskip("h5py")
    with pytest.raises(ValueError, match=rf"digits\.weights\.h5: .*{message}"):
        from_keras(WEIGHTS, like=like(**options))


def test_damaged_files_of_weights_are_told(like, tmp_path):
    h5py = pytest.importorskip("h5py")
    path, whole = tmp_path / "net.weights.h5", WEIGHTS.read_bytes()
    empty = io.BytesIO()
    h5py.File(empty, "w").close()
    for content in (b"", whole[:20], whole[:5000], whole[:-1], DIGITS.read_bytes(),
                    empty.getvalue()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"net\.weights\.h5 is not a whole \.weights\.h5 file"):
            from_keras(path, like=like())
    with pytest.raises(FileNotFoundError):
        from_keras(tmp_path / "none.weights.h5", like=like())


def test_weights_and_a_network_like_them_go_together(like, ensemble):
    pytest.importorskip("h5py")
    with pytest.raises(ValueError, match=r"digits\.weights\.h5 is an HDF5 file; .* with like="):
        from_keras(WEIGHTS)
    with pytest.raises(TypeError, match="like must be an MLP, got Ensemble"):
        from_keras(WEIGHTS, like=ensemble)
    with pytest.raises(TypeError, match=r"source must be the path of a \.weights\.h5 file, got 3"):
        from_keras(3, like=like())
    with pytest.raises(ValueError, match="loss and like exclude each other"):
        from_keras(WEIGHTS, like=like(), loss="cross_entropy")
    with pytest.raises(ValueError, match=r"batch_norm is for \.weights\.h5 files"):
        from_keras(DIGITS, batch_norm={"epsilon": 1e-5})


# ------------------------------------------------- other files of weights, laid out as Keras does


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write arrays of layers, by what they are called in such a file."""
    h5py = pytest.importorskip("h5py")

    def write(**layers: list[Any]) -> Path:
        with h5py.File(tmp_path / "net.weights.h5", "w") as file:
            for name, arrays in layers.items():
                variables = file.create_group(f"layers/{name}/vars")
                for number, one in enumerate(arrays):
                    variables[str(number)] = one
        return tmp_path / "net.weights.h5"

    return write


K, B, V = np.linspace(-1, 1, 6).reshape(2, 3), np.arange(3) / 4, np.array([0.5, 1.0, 2.0])
OUT = [np.ones((3, 1)), np.zeros(1)]


@pytest.mark.parametrize("epsilon", [1e-3, 0.1])
@pytest.mark.parametrize(("scale", "center"), [(True, True), (True, False), (False, True),
                                               (False, False)])
def test_batch_norm_is_as_told(scale, center, epsilon, written, close):
    gamma, beta, mean, variance = V + 1, V - 1, B - 1, V
    trained = [gamma] * scale + [beta] * center
    path = written(dense=[K, B], batch_normalization=[*trained, mean, variance], dense_1=OUT)
    options = {"activation": "tanh", "loss": "squared_error", "dtype": "float64"}
    net = from_keras(
        path,
        like=MLP((2, 3, 1), batch_norm=True, **options),
        batch_norm={"scale": scale, "center": center, "epsilon": epsilon},
    )
    X = np.array([[1.0, 2.0], [-3.0, 0.5]])
    z = (X @ K + B - mean) / np.sqrt(variance + epsilon)
    z = z * (gamma if scale else 1) + (beta if center else 0)
    close(net.forward(X), np.tanh(z) @ OUT[0], 1e-12)


@pytest.mark.parametrize(
    ("layers", "given", "message"),
    [
        ({"batch_normalization": [V] * 3}, {}, r"\(3,\)\] by scale and center in batch_norm"),
        ({"batch_normalization": [V] * 4}, {"scale": False}, "by scale and center in batch_norm"),
        ({"batch_normalization": [V, V, V, V[:2]]}, {}, r"\(2,\)\]; like has \[\(3,\)"),
        ({"dense": [K.astype(np.int8), V]}, {}, "not a whole .* layers/dense has int8; expected"),
        ({"dense": [K, B, B]}, {}, r"'dense' has arrays of shapes .* \(3,\), \(3,\)\]; like has"),
        ({"dense": [K * np.nan, B]}, {}, "must be finite"),
        ({"dense_2": OUT}, {}, "layers that like does not have: dense_2"),
        ({"rescaling": []}, {}, "layers that like does not have: rescaling"),
        ({"normalization": [B, V]}, {}, "layers that like does not have: normalization"),
        ({}, {"momentum": 0.9}, "unknown setting of batch_norm 'momentum'"),
        ({}, {"epsilon": 0.0}, r"batch_norm\['epsilon'\] must be in \(0, inf\), got 0.0"),
        ({}, {"scale": 1}, r"batch_norm\['scale'\] must be True or False, got 1"),
        ({}, 0.1, "batch_norm must be a dict such as .* got 0.1"),
    ],
)
def test_what_does_not_fit_is_told(layers, given, message, written):
    fitting = {"dense": [K, B], "batch_normalization": [V] * 4, "dense_1": OUT, "dropout_1": []}
    like = MLP((2, 3, 1), batch_norm=True, loss="squared_error")
    from_keras(written(**fitting), like=like)
    with pytest.raises((ValueError, TypeError), match=message):
        from_keras(written(**{**fitting, **layers}), like=like, batch_norm=given)


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


def test_noise_comes_along():
    layers = [dense(), fake("GaussianNoise", stddev=0.3), dense(2, activation="softmax")]
    assert from_keras(Sequential(*layers)).noise == (0.3,)
    with pytest.raises(ValueError, match=r"\(GaussianNoise\): noise has its place behind"):
        from_keras(Sequential(*layers[1:]))


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


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_files_of_weights_are_taken_as_keras_writes_them(keras, tmp_path, X, close):
    pytest.importorskip("h5py")
    layers, rng = keras.layers, np.random.default_rng(5)
    given = keras.Input((6,))
    read = layers.BatchNormalization(scale=False)(layers.Dense(9, name="z")(given))
    read = layers.Dense(8, use_bias=False, name="a")(layers.Dropout(0.1)(layers.ReLU()(read)))
    read = layers.Activation("tanh")(layers.BatchNormalization(scale=False)(read))
    model = keras.Model(given, layers.Dense(3, activation="softmax")(read))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(np.zeros((8, 6)), np.zeros(8), verbose=0)
    model.set_weights([rng.uniform(0.1, 1, one.shape) for one in model.get_weights()])
    model.save_weights(tmp_path / "net.weights.h5")
    like = MLP((6, 9, 8, 3), activation=["relu", "tanh"], batch_norm=True)
    net = from_keras(tmp_path / "net.weights.h5", like=like, batch_norm={"scale": False})
    X = np.clip(X, -3, 3).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(X), training=False))
    close(net.forward(X), expected, 1e-5)


def test_other_outputs_are_refused(keras):
    given = keras.Input((6,))
    hidden = keras.layers.Dense(4)(given)
    out = keras.layers.Dense(3)(hidden)
    with pytest.raises(ValueError, match="other outputs than those of its last layer"):
        from_keras(keras.Model(given, [hidden, out]))
    with pytest.raises(ValueError, match="does not read the layer before it alone"):
        from_keras(keras.Model(given, keras.layers.Add()([out, keras.layers.Dense(3)(hidden)])))
