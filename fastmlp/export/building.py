"""Build a network from the layers of another library.

Each importer translates the library's layers into the descriptions below, in their order;
`build_network` makes an `MLP` of them that predicts the same.  A layer of the network is

    u = W(l) a(l) + c
    z(l+1) = γ ∘ (u − μ)/√(σ² + ε) + β      or u, without batch norm
    a(l+1) = f(z(l+1)), in training with noise added to z(l+1) and some units of a(l+1) dropped

A `BatchNorm` directly after the `Dense` of a hidden layer becomes batch norm of the network.  In
any other place, and at the output, it is folded into the adjacent weights, like an `Affine`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import losses
from ..activations import Activation, Identity, Softmax
from ..model import files
from ..model.state import Array
from ..network import MLP
from ..support import checks

__all__ = [
    "EPSILON",
    "Affine",
    "BatchNorm",
    "Dense",
    "Dropout",
    "GaussianNoise",
    "ImportedLayer",
    "as_floats",
    "build_network",
]

EPSILON = 1e-5  # ε of fastmlp's batch norm


def as_floats(value: Any) -> Array:
    """Return an array as float64 if it is float64, otherwise as float32."""
    array = np.asarray(value)
    return array if array.dtype == np.float64 else array.astype(np.float32)


@dataclass(frozen=True)
class Dense:
    """W a + c."""

    weight: Array  # (n_out, n_in), float32 or float64
    bias: Array  # (n_out,)


@dataclass(frozen=True)
class BatchNorm:
    """γ ∘ (a − μ)/√(σ² + ε) + β, with running statistics."""

    scale: Array  # γ (n,)
    shift: Array  # β (n,)
    mean: Array  # μ (n,)
    variance: Array  # σ² (n,)
    epsilon: float

    def as_affine(self) -> Affine:
        """Return the same map as one factor and one term."""
        factor = self.scale / np.sqrt(self.variance + self.epsilon, dtype=np.float64)
        return Affine(factor, self.shift - factor * self.mean)


@dataclass(frozen=True)
class Affine:
    """factor ∘ a + term."""

    factor: Array  # (n,), or () for all units alike
    term: Array

    def then(self, second: Affine) -> Affine:
        """Return this map followed by another."""
        return Affine(second.factor * self.factor, second.factor * self.term + second.term)


@dataclass(frozen=True)
class Dropout:
    """Units dropped in training with this probability."""

    rate: float


@dataclass(frozen=True)
class GaussianNoise:
    """a + σ·N(0, 1) in training."""

    sigma: float


# An activation stands for its elementwise function, a quantile loss for the sort of its outputs.
ImportedLayer = (
    Dense | BatchNorm | Affine | Dropout | GaussianNoise | Activation | losses.Quantile
)


@dataclass
class NetworkLayer:
    """A layer of the network to be built."""

    weight: Array
    bias: Array
    norm: BatchNorm | None = None
    noise: float = 0.0
    activation: Activation | None = None
    dropout: float = 0.0


def build_network(
    layers: Iterable[tuple[str, ImportedLayer]], loss: losses.LossSpec | None
) -> MLP:
    """Return the network that these layers describe.

    It is float64 if one of the weights is, otherwise float32.  Dropout before an activation
    function is treated as dropout after it.

    Parameters
    ----------
    layers : iterable of (str, layer)
        Each with the name that error messages use for it.
    loss : str, Loss, (value, gradient) or None
        None: the loss of the sorted quantiles at the end, if there are any, otherwise the first of
        the table whose own output activation is the last activation.

    Raises
    ------
    ValueError
        If a layer has no place where it stands.
    """
    stack: list[NetworkLayer] = []
    input_dropout = 0.0
    affine: Affine | None = None  # of the inputs of the next dense layer
    quantiles: losses.Quantile | None = None
    for name, one in layers:
        with checks.within(name), np.errstate(all="ignore"):  # MLP refuses what is not finite
            last = stack[-1] if stack else None
            if quantiles is not None:
                raise ValueError("a layer after sorted quantiles has no place in a network")
            if isinstance(one, BatchNorm) and not (one.variance >= 0).all():
                raise ValueError("its running variance has negative or NaN entries")
            match one:
                case losses.Quantile():
                    quantiles = one
                case Dense():
                    stack.append(dense_layer(one, last, affine))
                    affine = None
                case Dropout():
                    if last is None:
                        input_dropout = either(input_dropout, one.rate)
                    else:
                        last.dropout = either(last.dropout, one.rate)
                case GaussianNoise():
                    add_noise(last, one.sigma, affine)
                case Activation():
                    set_activation(last, one, affine)
                case BatchNorm() if last and not (
                    last.norm or last.noise or last.activation or affine
                ):
                    last.norm = one
                case _:
                    own = one.as_affine() if isinstance(one, BatchNorm) else one
                    affine = own if affine is None else affine.then(own)
    if not stack:
        raise ValueError("there is no dense layer; a network needs at least one")
    if affine is not None:
        raise ValueError("batch norm or scaling of the outputs has no place in a network")
    if quantiles is not None:
        loss = quantile_loss(quantiles, loss)
    with np.errstate(all="ignore"):
        return network(stack, input_dropout, loss)


def dense_layer(dense: Dense, last: NetworkLayer | None, affine: Affine | None) -> NetworkLayer:
    """Return the next layer; W (s ∘ a + t) + c = (W s) a + (W t + c) folds an affine map in."""
    W, c = dense.weight, dense.bias
    if last is not None and W.shape[1] != len(last.bias):
        raise ValueError(
            f"it has {W.shape[1]} inputs, but the layer before it has {len(last.bias)} outputs"
        )
    if affine is None:
        return NetworkLayer(W, c)
    term = np.broadcast_to(affine.term, W.shape[1:])
    return NetworkLayer((W * affine.factor).astype(W.dtype), W @ term + c)


def set_activation(last: NetworkLayer | None, f: Activation, affine: Affine | None) -> None:
    """Set the activation of the last layer."""
    if f == Identity():
        return
    if last is None or last.activation is not None or affine is not None:
        raise ValueError(
            "an activation function must follow a dense layer, or the batch norm directly after it"
        )
    last.activation = f


def add_noise(last: NetworkLayer | None, sigma: float, affine: Affine | None) -> None:
    """Add noise to the last layer; the variances of independent normals add up."""
    sigma = checks.number("sigma", sigma, "[0, inf)")
    if last is None or last.activation is not None or affine is not None:
        raise ValueError(
            "noise must follow a dense layer, or the batch norm directly after it, and come before "
            "the activation function"
        )
    last.noise = math.hypot(last.noise, sigma)


def quantile_loss(sorted_: losses.Quantile, loss: losses.LossSpec | None) -> losses.Loss:
    """Return the loss of a network with sorted quantiles: theirs, or one with as many."""
    if loss is None:
        return sorted_
    requested = losses.from_spec(loss)
    count = len(sorted_.quantiles)
    if not isinstance(requested, losses.Quantile) or len(requested.quantiles) != count:
        raise ValueError(
            f"loss must have {count} quantiles, as many as the module sorts; got {requested}"
        )
    return requested


def either(first: float, second: float) -> float:
    """Return the probability that at least one of two independent events happens."""
    return first + second - first * second


def network(layers: list[NetworkLayer], input_dropout: float, loss: losses.LossSpec | None) -> MLP:
    """Return the network of these layers."""
    *hidden, output = layers
    for what, amount in (("noise", output.noise), ("dropout", output.dropout)):
        if amount > 0:
            raise ValueError(f"{what} of the outputs has no place in a network")
    if output.norm is not None:
        affine, output.norm = output.norm.as_affine(), None
        output.weight = (output.weight * affine.factor[:, np.newaxis]).astype(output.weight.dtype)
        output.bias = output.bias * affine.factor + affine.term
    net = MLP(
        (layers[0].weight.shape[1], *(len(layer.bias) for layer in layers)),
        activation=[layer.activation or Identity() for layer in hidden],
        output_activation=output.activation,
        loss=default_loss(output.activation) if loss is None else loss,
        init=(
            [layer.weight for layer in layers],
            [layer.bias if layer.norm is None else layer.norm.shift for layer in layers],
        ),
        batch_norm=[layer.norm is not None for layer in hidden],
        noise=[layer.noise for layer in hidden],
        dropout=[layer.dropout for layer in hidden],
        input_dropout=input_dropout,
        dtype=np.result_type(*[layer.weight for layer in layers]),
    )
    norms = [None if layer.norm is None else (layer.norm, layer.bias) for layer in layers]
    net.set_parameters(net.weights, net.biases, [one and rescaled(one[0]) for one in norms])
    # our batch norm follows W a without the bias c, so the mean is that of u − c
    statistics = [one and (one[0].mean - one[1], one[0].variance) for one in norms]
    spec = net.state.spec
    net.state.set_layers(net.state.layers(), files.checked_statistics(spec, statistics))
    return net


def rescaled(norm: BatchNorm) -> Array:
    """Return γ' with γ'/√(σ² + ε') = γ/√(σ² + ε), where ε' is the ε of fastmlp."""
    ratio = (norm.variance + EPSILON) / (norm.variance + norm.epsilon)
    return np.asarray(norm.scale * np.sqrt(ratio, dtype=np.float64))


def default_loss(f: Activation | None) -> str | losses.Loss:
    """Return the first loss whose own output activation is f; otherwise the squared error."""
    if isinstance(f, Softmax):
        return losses.CrossEntropy(f.groups)
    name = "identity" if f is None else f.name
    matching = (loss for loss, kind in losses.TABLE.items() if kind.output_activations[0] == name)
    return next(matching, "squared_error")
