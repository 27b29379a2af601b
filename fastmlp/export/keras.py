"""From Keras: a model, or the file of one or of its weights, read without Keras.

A .keras file is a zip of config.json, which describes the layers, and model.weights.h5, an HDF5
file with the arrays of the second Dense under layers/dense_1/vars/0, 1, …: layers of a kind are
numbered in their order, whatever they are called in the model.  A .weights.h5 file is the second
alone: how layers of different kinds follow each other, and all that is no array, is not in it.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .. import activations, losses
from ..activations import Activation
from ..model import files
from ..model.state import Array
from ..network import MLP
from ..support import checks
from ..support.extras import imported
from .assembly import Dense, Dropped, Noise, Norm, Part, Shift, assembled, real

__all__ = ["from_keras"]

STORED = {  # kinds of layers with arrays, and what they are called in the file
    "Dense": "dense",
    "BatchNormalization": "batch_normalization",
    "Normalization": "normalization",
}
IN_LIKE = {  # layers without arrays: what they do in prediction is known from a network
    "activation", "activity_regularization", "alpha_dropout", "dropout", "elu", "flatten",
    "gaussian_dropout", "gaussian_noise", "identity", "input_layer", "leaky_re_lu", "re_lu",
    "softmax",
}
HDF5 = b"\x89HDF\r\n\x1a\n"  # how such files begin
LEAKY_SLOPE = 0.2  # of the function "leaky_relu", whatever the layer LeakyReLU has
SMALLEST = 1e-7  # deviation that Normalization divides by


class Layer(NamedTuple):
    """A layer of Keras: its class, its configuration, its arrays."""

    kind: str
    config: dict[str, Any]
    arrays: list[Array]


def from_keras(
    source: Any,
    *,
    loss: losses.LossSpec | None = None,
    like: MLP | None = None,
    batch_norm: Mapping[str, Any] | None = None,
) -> MLP:
    """Return a model of Keras 3 as a network that predicts the same.

    Parameters
    ----------
    source : keras.Sequential, keras.Model or path-like
        A model, or a .keras file, for which Keras need not be installed.  A chain of Dense,
        BatchNormalization, Dropout, GaussianNoise, Normalization, Rescaling, Flatten, and
        activations that fastmlp has, as layers or within Dense.  With `like` a .weights.h5 file, as
        ``model.save_weights`` writes it, of Dense and BatchNormalization.
    loss : str, Loss or (value, gradient), optional
        What training would go on with.  With "cross_entropy" or "binary_cross_entropy" a model
        that ends in logits gets its softmax or sigmoid.  Default: what the end of the model
        implies, "cross_entropy" for softmax, "binary_cross_entropy" for sigmoid, else
        "squared_error".  With `like` its loss, and none to be given.
    like : MLP, optional
        For a .weights.h5 file, which has arrays only: a network of the model's architecture.  Its
        sizes, and where it has batch norm, are compared with the file; its activation functions,
        and that batch norm stands right behind Dense, are taken on trust.
    batch_norm : mapping, optional
        For a .weights.h5 file: what BatchNormalization was given of ``epsilon`` (0.001 unless
        given), ``scale`` and ``center`` (True), in all its layers.

    Returns
    -------
    MLP
        In float64 if a weight is, else in float32.  Normalization, Rescaling, and batch norm that
        does not stand right behind a hidden layer's Dense, are folded into weights; dropout before
        an activation function counts as behind it.  With `like` a new network which is as that one,
        but for parameters and statistics, and as if never trained.

    Raises
    ------
    ImportError
        For a file, without the package h5py: ``pip install "fastmlp[keras]"``.
    ValueError
        If a layer has no counterpart, or stands where a network has no place for it; if the model
        is not a chain; if the file is not a whole .keras file, or with `like` not a whole
        .weights.h5 file; if its layers are not those of `like`.
    OSError
        If the file cannot be opened or read.
    """
    if like is not None:
        if not isinstance(like, MLP):
            raise TypeError(f"like must be an MLP, got {like!r}")
        if loss is not None:
            raise ValueError("loss and like exclude each other; the network has the loss of like")
        if not isinstance(source, (str, os.PathLike)):
            raise TypeError(f"source must be the path of a .weights.h5 file, got {source!r}")
        return with_weights(like, source, {} if batch_norm is None else batch_norm)
    if batch_norm is not None:
        raise ValueError("batch_norm is for .weights.h5 files, which are read with like=")
    if isinstance(source, (str, os.PathLike)):
        layers = in_file(source)
    elif hasattr(source, "layers") and hasattr(source, "get_config"):
        layers = in_model(source)
    else:
        raise TypeError(f"source must be a model of Keras or a path, got {source!r}")
    return assembled(parts(layers), loss)


def in_model(model: Any) -> list[Layer]:
    """The layers of a model."""
    kind, config = type(model).__name__, model.get_config()
    require_chain(kind, config)
    return [
        Layer(type(one).__name__, one.get_config(), [np.asarray(w) for w in one.get_weights()])
        for one in model.layers
    ]


def in_file(path: str | os.PathLike[str]) -> list[Layer]:
    """The layers in a .keras file."""
    h5py = imported("h5py", "keras")
    with open(path, "rb") as file:
        if file.read(len(HDF5)) == HDF5:
            raise ValueError(
                f"{os.fspath(path)} is an HDF5 file; a .weights.h5 file is read with like=, a "
                f"network of the model's architecture, and other .h5 files are to be saved anew "
                f"from Keras as .keras"
            )
        try:
            with zipfile.ZipFile(file) as contents:
                model = json.loads(contents.read("config.json"))
                kind, config = model["class_name"], model["config"]
                with (
                    contents.open("model.weights.h5") as weights,
                    h5py.File(weights, "r") as arrays,
                ):
                    layers = list(stored(config["layers"], arrays))
        except Exception as error:  # a damaged file can fail in any way that zip, JSON, HDF5 know
            raise ValueError(f"{os.fspath(path)} is not a whole .keras file: {error}") from error
    require_chain(kind, config)
    return layers


def stored(configs: list[dict[str, Any]], arrays: Any) -> Iterator[Layer]:
    """Layers as their configurations and the HDF5 file describe them."""
    seen: Counter[str] = Counter()
    for one in configs:
        kind = one["class_name"]
        number, seen[kind] = seen[kind], seen[kind] + 1
        own = []
        if kind in STORED:
            own = variables(arrays, numbered(kind, number))
        yield Layer(kind, one["config"], own)


def numbered(kind: str, number: int) -> str:
    """What a layer is called in the file, the first of its kind having the number 0."""
    return STORED[kind] + (f"_{number}" if number else "")


def variables(contents: Any, name: str) -> list[Array]:
    """The arrays of a layer in the HDF5 file; integers only where they count something."""
    found = contents[f"layers/{name}/vars"]
    own = [found[str(i)][()] for i in range(len(found))]
    for one in own:
        if one.ndim and one.dtype.kind != "f":
            raise ValueError(f"layers/{name} has {one.dtype}; expected floats of 16 to 64 bits")
    return own


def with_weights(like: MLP, path: str | os.PathLike[str], given: Mapping[str, Any]) -> MLP:
    """Return a network like that one, with the parameters and statistics of a file."""
    h5py = imported("h5py", "keras")
    settings = norm_settings(given)
    with open(path, "rb") as file:
        try:
            with h5py.File(file, "r") as contents:
                found = {name: variables(contents, name) for name in contents["layers"]}
        except Exception as error:  # a damaged file can fail in any way that HDF5 knows
            raise ValueError(
                f"{os.fspath(path)} is not a whole .weights.h5 file of Keras 3: {error}"
            ) from error
    with checks.within(os.fspath(path)):
        bare = assembled(parts(matched(like, found, settings)), "squared_error")
        # of `like` all that is no array
        header, _ = files.pack(like.state, like.metadata, with_optimizer=False)
        _, arrays = files.pack(bare.state, {}, with_optimizer=False)
        header |= {"average": None, "epochs": 0}
        return MLP.from_state(*files.unpack(header, arrays, like.loss))


def norm_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of every BatchNormalization."""
    if not isinstance(given, Mapping):
        raise TypeError(f"batch_norm must be a dict such as {{'epsilon': 1e-5}}, got {given!r}")
    settings = {"epsilon": 1e-3, "scale": True, "center": True, **given}  # Keras's defaults
    for name, value in settings.items():
        known = checks.known("setting of batch_norm", name, ("epsilon", "scale", "center"))
        if known == "epsilon":
            checks.number("batch_norm['epsilon']", value, "(0, inf)")
        else:
            checks.flag(f"batch_norm[{name!r}]", value)
    return {"axis": -1, **settings}


def matched(like: MLP, found: dict[str, list[Array]], settings: dict[str, Any]) -> Iterator[Layer]:
    """The layers of a network with their arrays in the file, all of which are to be used."""
    left = dict(found)
    number = Counter[str]()
    n_vectors = 2 + settings["scale"] + settings["center"]

    def layer(kind: str, config: dict[str, Any], *expected: list[tuple[int, ...]]) -> Layer:
        name = numbered(kind, number[kind])
        number[kind] += 1
        if name not in left:
            raise ValueError(f"it has no layer {name!r}, but like does; it has {', '.join(found)}")
        arrays = left.pop(name)
        shapes = [one.shape for one in arrays]
        if shapes not in expected:
            raise ValueError(
                f"its layer {name!r} has arrays of shapes {shapes}; like has "
                f"{' or '.join(map(str, expected))}"
                + (" by scale and center in batch_norm" if kind == "BatchNormalization" else "")
            )
        arrays = [one.astype(np.result_type(one, like.dtype)) for one in arrays]
        return Layer(kind, {"name": name, **config}, arrays)

    for (n_in, n_out), normalized in zip(
        pairwise(like.sizes), (*like.batch_norm, False), strict=True
    ):
        kernel, vector = (n_in, n_out), (n_out,)
        yield layer("Dense", {"activation": "linear"}, [kernel, vector], [kernel])
        if normalized:
            yield layer("BatchNormalization", settings, [vector] * n_vectors)
    others = [name for name in left if name.rstrip("0123456789").rstrip("_") not in IN_LIKE]
    if others:
        raise ValueError(f"it has layers that like does not have: {', '.join(others)}")


def require_chain(kind: str, config: dict[str, Any]) -> None:
    """Refuse a model in which a layer reads something else than the one before it."""
    if kind == "Sequential":
        return
    if kind != "Functional":
        raise ValueError(f"the model is a {kind}; expected a Sequential or a functional model")
    last = None
    for one in config["layers"]:
        try:
            (node,) = one["inbound_nodes"]
            (tensor,) = node["args"]
            read = tensor["config"]["keras_history"][0]
        except (KeyError, TypeError, ValueError):
            read = None
        if read != last:
            raise ValueError(f"layer {one['name']!r} does not read the layer before it alone")
        last = one["name"]
    if config["output_layers"] not in ([last, 0, 0], [[last, 0, 0]]):
        raise ValueError("the model has other outputs than those of its last layer")


def parts(layers: Iterable[Layer]) -> Iterator[tuple[str, Part]]:
    """Each part with what its layer is called."""
    for layer in layers:
        name = f"layer {layer.config.get('name', '')!r} ({layer.kind})"
        if layer.kind not in FROM_KERAS:
            raise ValueError(
                f"{name} has no counterpart in fastmlp; expected {', '.join(FROM_KERAS)}"
            )
        with checks.within(name):
            found = FROM_KERAS[layer.kind](layer)
        for part in found:
            if part is None:
                raise ValueError(f"{name} has settings with no counterpart in fastmlp")
            yield name, part


def dense(layer: Layer) -> list[Part | None]:
    """Dense, and its activation."""
    kernel, *bias = map(real, layer.arrays)
    if kernel.ndim != 2 or len(bias) > 1 or layer.arrays[0].dtype.kind in "iu":  # quantized
        return [None]
    c = bias[0] if bias else np.zeros_like(kernel[0])
    return [Dense(np.ascontiguousarray(kernel.T), c), activation(layer.config["activation"])]


def activation(value: Any) -> Activation | None:
    """The activation function of a configuration, a name or a layer described."""
    if isinstance(value, dict) and value["class_name"] in FROM_KERAS:
        (found,) = FROM_KERAS[value["class_name"]](Layer(value["class_name"], value["config"], []))
        return found if isinstance(found, Activation) else None
    kind = ACTIVATIONS.get(value) if isinstance(value, str) else None
    return None if kind is None else kind()


def batch_norm(layer: Layer) -> list[Part | None]:
    """BatchNormalization."""
    *trained, mean, variance = map(real, layer.arrays)
    if layer.config["axis"] not in (-1, 1, [-1], [1]):
        return [None]
    scale = trained.pop(0) if layer.config["scale"] else np.ones_like(mean)
    shift = trained.pop(0) if layer.config["center"] else np.zeros_like(mean)
    return [Norm(scale, shift, mean, variance, layer.config["epsilon"])]


def normalization(layer: Layer) -> list[Part | None]:
    """Normalization, (x − μ)/σ by what it adapted to or was given."""
    config = layer.config
    if config.get("invert"):
        return [None]
    given = layer.arrays[:2] or (config["mean"], config["variance"])
    mean, variance = (np.ravel(np.asarray(one, np.float64)) for one in given)
    factor = 1 / np.maximum(np.sqrt(variance), SMALLEST)
    return [Shift(factor, -mean * factor)]


def rescaling(layer: Layer) -> list[Part | None]:
    """Rescaling."""
    scale, offset = layer.config["scale"], layer.config["offset"]
    return [Shift(np.asarray(scale, np.float64), np.asarray(offset, np.float64))]


def relu(layer: Layer) -> list[Part | None]:
    """ReLU, without an upper end or a threshold."""
    config = layer.config
    if config.get("max_value") is not None or config.get("threshold"):
        return [None]
    slope = config.get("negative_slope")
    return [activations.LeakyReLU(slope) if slope else activations.ReLU()]


def over_classes(layer: Layer) -> list[Part | None]:
    """Softmax."""
    return [activations.Softmax() if layer.config["axis"] in (-1, 1) else None]


ACTIVATIONS: dict[str, Callable[[], Activation]] = {
    "linear": activations.Identity,
    "sigmoid": activations.Sigmoid,
    "relu": activations.ReLU,
    "leaky_relu": lambda: activations.LeakyReLU(LEAKY_SLOPE),
    "tanh": activations.Tanh,
    "softplus": activations.Softplus,
    "elu": activations.ELU,
    "selu": activations.SELU,
    "silu": activations.SiLU,
    "swish": activations.SiLU,
    "gelu": activations.GELU,
    "exponential": activations.Exponential,
    "softmax": activations.Softmax,
}

FROM_KERAS: dict[str, Callable[[Layer], list[Part | None]]] = {  # None: not with these settings
    "InputLayer": lambda layer: [],
    "Dense": dense,
    "BatchNormalization": batch_norm,
    "Normalization": normalization,
    "Rescaling": rescaling,
    "Dropout": lambda layer: [Dropped(layer.config["rate"]) if layer.config["rate"] < 1 else None],
    "GaussianNoise": lambda layer: [Noise(layer.config["stddev"])],
    "Flatten": lambda layer: [] if layer.config["data_format"] == "channels_last" else [None],
    "Activation": lambda layer: [activation(layer.config["activation"])],
    "ReLU": relu,
    "LeakyReLU": lambda layer: [activations.LeakyReLU(layer.config["negative_slope"])],
    "ELU": lambda layer: [activations.ELU(layer.config["alpha"])],
    "Softmax": over_classes,
}
