"""Keras: files of weights alone, with a network of the model's architecture."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.export import from_keras, keras_files
from fastmlp.export.keras_files import read_weights

DIGITS = Path(__file__).with_name("digits.keras")  # by make_digits_keras.py
WEIGHTS = DIGITS.with_name("digits.weights.h5")  # likewise


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


def test_damaged_files_of_weights_are_refused(like, tmp_path):
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


def test_reading_takes_no_memory_but_that_of_the_arrays(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "net.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((1000, 2000))
    tracemalloc.start()
    try:
        arrays = read_weights(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert arrays["dense"][0].shape == (1000, 2000)
    assert peak < 1.25 * path.stat().st_size


def test_a_text_is_found_in_a_file_also_across_the_ends_of_pieces(monkeypatch):
    monkeypatch.setattr(keras_files, "PIECE", 5)
    content = b"HEAPHEAP..HEAP" + b"." * 9 + b"HEAPHEA"
    assert list(keras_files.places(io.BytesIO(content), b"HEAP")) == [0, 4, 10, 23]


def test_weights_and_a_network_like_them_go_together(like, ensemble):
    pytest.importorskip("h5py")
    with pytest.raises(ValueError, match=r"digits\.weights\.h5 is an HDF5 file; pass like="):
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
def test_batch_norm_has_the_given_settings(scale, center, epsilon, written, close):
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
        ({"batch_normalization": [V] * 3}, {}, r"\(3,\)\] with scale and center of batch_norm"),
        ({"batch_normalization": [V] * 4}, {"scale": False}, "with scale and center of batch_norm"),
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
def test_what_does_not_fit_is_refused(layers, given, message, written):
    fitting = {"dense": [K, B], "batch_normalization": [V] * 4, "dense_1": OUT, "dropout_1": []}
    like = MLP((2, 3, 1), batch_norm=True, loss="squared_error")
    from_keras(written(**fitting), like=like)
    with pytest.raises((ValueError, TypeError), match=message):
        from_keras(written(**{**fitting, **layers}), like=like, batch_norm=given)


# ------------------------------------------------------------------------------- hostile files


def hostile(path: Path, kind: str) -> None:
    """Change the array of the first dense layer into one that lies elsewhere or is too large."""
    h5py = pytest.importorskip("h5py")
    secret = path.with_name("secret.h5")
    with h5py.File(secret, "w") as file:
        file["layers/dense/vars/0"] = K
        file["0"] = K
    path.with_name("secret.bin").write_bytes(K.tobytes())
    with h5py.File(path, "a") as file:
        variables = file["layers/dense/vars"]
        if kind == "layer links to a file":
            del file["layers/dense"]
            file["layers/dense"] = h5py.ExternalLink(str(secret), "/layers/dense")
            return
        if kind == "layers link to a file":
            del file["layers"]
            file["layers"] = h5py.ExternalLink(str(secret), "/layers")
            return
        del variables["0"]
        if kind == "link to a file":
            variables["0"] = h5py.ExternalLink(str(secret), "/0")
        elif kind == "link to a link to a file":
            file["other"] = h5py.ExternalLink(str(secret), "/0")
            variables["0"] = h5py.SoftLink("/other")
        elif kind == "external storage":
            outside = [(str(path.with_name("secret.bin")), 0, K.nbytes)]
            variables.create_dataset("0", K.shape, "f8", external=outside)
        elif kind == "virtual":
            layout = h5py.VirtualLayout(K.shape, "f8")
            layout[:] = h5py.VirtualSource(str(secret), "0", K.shape)
            variables.create_virtual_dataset("0", layout)
        elif kind == "huge":
            variables.create_dataset("0", (2**20, 2**20), "f4")
        elif kind == "compressed":
            variables.create_dataset("0", data=np.zeros((2000, 2000)), compression="gzip")
        elif kind == "many times":
            file["big"] = np.zeros(200)
            for i in range(100):
                variables[str(i + 2)] = file["big"]
            variables["0"] = K
        else:
            variables.create_dataset("0", data=["text"], dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("layers link to a file", "//layers is a link"),
        ("layer links to a file", "/layers/dense is a link"),
        ("link to a file", "/vars/0 is a link"),
        ("link to a link to a file", "/vars/0 is a link"),
        ("external storage", "an array outside the file"),
        ("virtual", "an array outside the file"),
        ("huge", "declares arrays of more bytes than the file has"),
        ("compressed", "or one in chunks"),
        ("many times", "declares arrays of more bytes than the file has"),
        ("text", "layers/dense has object; expected floats"),
    ],
)
def test_only_arrays_in_the_file_itself_are_read(kind, message, written):
    path = written(dense=[K, B], dense_1=OUT)
    like = MLP((2, 3, 1), loss="squared_error")
    from_keras(path, like=like)
    hostile(path, kind)
    with pytest.raises(ValueError, match=rf"not a whole \.weights\.h5 file of .*{message}"):
        from_keras(path, like=like)


def test_names_of_layers_cannot_control_a_terminal(written):
    path = written(**{"dense": [K, B], "dense_1": OUT, "a\x1b[2Jb": []})
    with pytest.raises(ValueError, match="does not have: a") as caught:
        from_keras(path, like=MLP((2, 3, 1), loss="squared_error"))
    assert str(caught.value).isprintable()


# ------------------------------------------------------------------------------- Keras itself


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_files_of_weights_are_read_as_keras_writes_them(keras, tmp_path, X, close):
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
