"""Import models of Keras 3, and its files without Keras."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from .. import activations, losses
from ..activations import Activation
from ..model import files
from ..model.state import Array
from ..network import MLP
from ..support import checks
from ..support.text import printable
from .building import (
    Affine,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    ImportedLayer,
    as_floats,
    build_network,
)
from .keras_files import MODULES, Layer, numbered, read_layers, read_weights

__all__ = ["from_keras"]

KNOWN_BY_LIKE = {  # layers without arrays, whose effect on predictions `like` determines
    "activation", "activity_regularization", "alpha_dropout", "dropout", "elu", "flatten",
    "gaussian_dropout", "gaussian_noise", "identity", "input_layer", "leaky_re_lu", "re_lu",
    "softmax",
}  # fmt: skip
LEAKY_SLOPE = 0.2  # of the function "leaky_relu", whatever the layer LeakyReLU has
SMALLEST_DEVIATION = 1e-7  # by which Normalization divides
# what a configuration of other types than Keras writes leads to
MALFORMED = (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


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
        A model, or a .keras file, which is read without Keras.  The model must be a chain of Dense,
        BatchNormalization, Dropout, GaussianNoise, Normalization, Rescaling, Flatten, and
        activations that fastmlp has, as layers or within Dense.  With `like` a .weights.h5 file
        with Dense and BatchNormalization, as ``model.save_weights`` writes it.
    loss : str, Loss or (value, gradient), optional
        The loss for further training.  With "cross_entropy" or "binary_cross_entropy" a model that
        ends in logits gets its softmax or sigmoid.  Default: as the end of the model implies,
        "cross_entropy" for softmax, "binary_cross_entropy" for sigmoid, otherwise "squared_error".
        With `like` its loss, and this argument cannot be used.
    like : MLP, optional
        For a .weights.h5 file, which has arrays only: a network of the model's architecture.  Its
        sizes and the layers that have batch norm are compared with the file.  Its activation
        functions, and the place of batch norm directly after Dense, are not in the file and cannot
        be checked.
    batch_norm : mapping, optional
        For a .weights.h5 file: the settings ``epsilon`` (default 0.001), ``scale`` and ``center``
        (default True) of all its BatchNormalization layers.

    Returns
    -------
    MLP
        In float64 if a weight is, otherwise in float32.  Normalization, Rescaling, and batch norm
        that does not directly follow the Dense of a hidden layer, are folded into weights; dropout
        before an activation function is treated as dropout after it.  With `like` a new, untrained
        network like it with the parameters and statistics of the file.

    Raises
    ------
    ImportError
        For a file, without the package h5py: ``pip install "fastmlp[keras]"``.
    ValueError
        If a layer has no counterpart, settings without a counterpart, or no place where it stands;
        if the model is not a chain; if the file is damaged, or refers to other files; with `like`
        if the layers are not those of `like`.
    OSError
        If the file cannot be opened or read.

    Notes
    -----
    uint8 examples count as their values, as in Keras, whose models scale them with Rescaling.
    """
    if like is not None:
        if not isinstance(like, MLP):
            raise checks.no_network("like", like)
        if loss is not None:
            raise ValueError("loss and like exclude each other; the network has the loss of like")
        if not isinstance(source, (str, os.PathLike)):
            raise TypeError(f"source must be the path of a .weights.h5 file, got {source!r}")
        return with_weights(like, source, {} if batch_norm is None else batch_norm)
    if batch_norm is not None:
        raise ValueError("batch_norm is for .weights.h5 files, which are read with like=")
    loss = None if loss is None else losses.from_spec(loss)
    if isinstance(source, (str, os.PathLike)):
        kind, config, layers = read_layers(source)
        try:
            require_chain(kind, config)
            return build_network(imported_layers(layers), loss)
        except MALFORMED as error:
            raise ValueError(
                f"{os.fspath(source)} describes a layer otherwise than Keras: {error!r}"
            ) from error
    if hasattr(source, "layers") and hasattr(source, "get_config"):
        return build_network(imported_layers(layers_of_model(source)), loss)
    raise TypeError(f"source must be a model of Keras or a path, got {source!r}")


def layers_of_model(model: Any) -> list[Layer]:
    """Return the layers of a model."""
    require_chain(type(model).__name__, model.get_config())
    layers = []
    for one in model.layers:
        kind, module = type(one).__name__, type(one).__module__
        if module.split(".")[0] not in MODULES:
            raise ValueError(f"{kind!r} is not a class of Keras, but of {module!r}")
        layers.append(Layer(kind, one.get_config(), [np.asarray(w) for w in one.get_weights()]))
    shape = getattr(model, "input_shape", None)
    # a Sequential's own layers are without its input
    return [Layer("InputLayer", {"name": "input", "batch_shape": shape}, []), *layers]


# ------------------------------------------------------------------------------ files of weights


def with_weights(like: MLP, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> MLP:
    """Return a network like another one, with the parameters and statistics of a file."""
    config = norm_config(settings)
    stored = read_weights(path)
    with checks.within(os.fspath(path)):
        bare = build_network(imported_layers(matched(like, stored, config)), "squared_error")
        # everything but the arrays is that of `like`
        header, _ = files.pack(like.state, like.metadata, with_optimizer=False)
        _, arrays = files.pack(bare.state, {}, with_optimizer=False)
        header |= {"average": None, "epochs": 0}
        return MLP.from_state(*files.unpack(header, arrays, like.loss))


def norm_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of every BatchNormalization, Keras's defaults where not set."""
    if not isinstance(settings, Mapping):
        raise TypeError(f"batch_norm must be a dict such as {{'epsilon': 1e-5}}, got {settings!r}")
    config = {"epsilon": 1e-3, "scale": True, "center": True, **settings}
    for name, value in config.items():
        known = checks.known("setting of batch_norm", name, ("epsilon", "scale", "center"))
        if known == "epsilon":
            checks.number("batch_norm['epsilon']", value, "(0, inf)")
        else:
            checks.flag(f"batch_norm[{name!r}]", value)
    return {"axis": -1, **config}


def matched(
    like: MLP, stored: dict[str, list[Array]], norm_settings: dict[str, Any]
) -> Iterator[Layer]:
    """Yield the layers of a network with their arrays in the file, which must all be used."""
    unused = dict(stored)
    numbers = Counter[str]()
    n_vectors = 2 + norm_settings["scale"] + norm_settings["center"]

    def layer(kind: str, config: dict[str, Any], *expected: list[tuple[int, ...]]) -> Layer:
        name = numbered(kind, numbers[kind])
        numbers[kind] += 1
        if name not in unused:
            names = ", ".join(map(printable, stored))
            raise ValueError(f"it has no layer {name!r}, but like does; it has {names}")
        arrays = unused.pop(name)
        shapes = [array.shape for array in arrays]
        if shapes not in expected:
            raise ValueError(
                f"its layer {name!r} has arrays of shapes {shapes}; like has "
                f"{' or '.join(map(str, expected))}"
                + (" with scale and center of batch_norm" if kind == "BatchNormalization" else "")
            )
        arrays = [array.astype(np.result_type(array, like.dtype)) for array in arrays]
        return Layer(kind, {"name": name, **config}, arrays)

    for (n_in, n_out), normalized in zip(
        pairwise(like.sizes), (*like.batch_norm, False), strict=True
    ):
        kernel, vector = (n_in, n_out), (n_out,)
        yield layer("Dense", {"activation": "linear"}, [kernel, vector], [kernel])
        if normalized:
            yield layer("BatchNormalization", norm_settings, [vector] * n_vectors)
    others = [name for name in unused if name.rstrip("0123456789").rstrip("_") not in KNOWN_BY_LIKE]
    if others:
        raise ValueError(
            f"it has layers that like does not have: {', '.join(map(printable, others))}"
        )


# ------------------------------------------------------------------------------------ conversion


def require_chain(kind: str, config: dict[str, Any]) -> None:
    """Refuse a model in which a layer reads anything but the layer before it."""
    if kind == "Sequential":
        return
    if kind != "Functional":
        raise ValueError(
            f"the model is a {printable(kind)}; expected a Sequential or a functional model"
        )
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


def imported_layers(layers: Iterable[Layer]) -> Iterator[tuple[str, ImportedLayer]]:
    """Yield the descriptions of layers with the names that error messages use for them."""
    flat = True  # a row for each example, as Dense must have it here
    for layer in layers:
        name = f"layer {layer.config.get('name', '')!r} ({printable(layer.kind)})"
        if layer.kind not in FROM_KERAS:
            raise ValueError(
                f"{name} has no counterpart in fastmlp; expected {', '.join(FROM_KERAS)}"
            )
        if layer.kind == "InputLayer":
            flat = len(layer.config.get("batch_shape") or (None, None)) == 2
        elif layer.kind == "Flatten":
            flat = True
        elif layer.kind == "Dense" and not flat:
            raise ValueError(f"{name} reads inputs of several axes; expected Flatten before it")
        with checks.within(name):
            converted = FROM_KERAS[layer.kind](layer)
        for one in converted:
            if one is None:
                raise ValueError(f"{name} has settings with no counterpart in fastmlp")
            yield name, one


Converted = list[ImportedLayer | None]  # None: no counterpart with these settings


def dense(layer: Layer) -> Converted:
    """Convert Dense, with its activation."""
    kernel, *bias = map(as_floats, layer.arrays)
    if kernel.ndim != 2 or len(bias) > 1 or layer.arrays[0].dtype.kind in "iu":  # quantized, LoRA
        return [None]
    c = bias[0] if bias else np.zeros_like(kernel[0])
    return [Dense(np.ascontiguousarray(kernel.T), c), activation(layer.config["activation"])]


def activation(value: Any) -> Activation | None:
    """Return the activation function of a configuration: a name, or the description of a layer."""
    if isinstance(value, dict) and value["class_name"] in FROM_KERAS:
        layer = Layer(value["class_name"], value["config"], [])
        (converted,) = FROM_KERAS[layer.kind](layer)
        return converted if isinstance(converted, Activation) else None
    kind = ACTIVATIONS.get(value) if isinstance(value, str) else None
    return None if kind is None else kind()


def batch_norm(layer: Layer) -> Converted:
    """Convert BatchNormalization."""
    *trained, mean, variance = map(as_floats, layer.arrays)
    if layer.config["axis"] not in (-1, 1, [-1], [1]):
        return [None]
    scale = trained.pop(0) if layer.config["scale"] else np.ones_like(mean)
    shift = trained.pop(0) if layer.config["center"] else np.zeros_like(mean)
    return [BatchNorm(scale, shift, mean, variance, layer.config["epsilon"])]


def normalization(layer: Layer) -> Converted:
    """Convert Normalization, (x − μ)/σ with adapted or given μ and σ."""
    config = layer.config
    if config.get("invert"):
        return [None]
    moments = layer.arrays[:2] or (config["mean"], config["variance"])
    mean, variance = (np.ravel(np.asarray(one, np.float64)) for one in moments)
    factor = 1 / np.maximum(np.sqrt(variance), SMALLEST_DEVIATION)
    return [Affine(factor, -mean * factor)]


def rescaling(layer: Layer) -> Converted:
    """Convert Rescaling."""
    scale, offset = layer.config["scale"], layer.config["offset"]
    return [Affine(np.asarray(scale, np.float64), np.asarray(offset, np.float64))]


def dropout(layer: Layer) -> Converted:
    """Convert Dropout, if each unit of each example is dropped on its own."""
    rate, noise_shape = layer.config["rate"], layer.config.get("noise_shape")
    return [Dropout(rate) if rate < 1 and noise_shape is None else None]


def relu(layer: Layer) -> Converted:
    """Convert ReLU, if it has neither an upper limit nor a threshold."""
    config = layer.config
    if config.get("max_value") is not None or config.get("threshold"):
        return [None]
    slope = config.get("negative_slope")
    return [activations.LeakyReLU(slope) if slope else activations.ReLU()]


def softmax(layer: Layer) -> Converted:
    """Convert Softmax over the classes."""
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
    "mish": activations.Mish,
    "exponential": activations.Exponential,
    "softmax": activations.Softmax,
}

FROM_KERAS: dict[str, Callable[[Layer], Converted]] = {
    "InputLayer": lambda layer: [],
    "Dense": dense,
    "BatchNormalization": batch_norm,
    "Normalization": normalization,
    "Rescaling": rescaling,
    "Dropout": dropout,
    "GaussianNoise": lambda layer: [GaussianNoise(layer.config["stddev"])],
    "Flatten": lambda layer: [] if layer.config["data_format"] == "channels_last" else [None],
    "Activation": lambda layer: [activation(layer.config["activation"])],
    "ReLU": relu,
    "LeakyReLU": lambda layer: [activations.LeakyReLU(layer.config["negative_slope"])],
    "ELU": lambda layer: [activations.ELU(layer.config["alpha"])],
    "Softmax": softmax,
}
