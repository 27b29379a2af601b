"""A network made from the layers of another library.

A library's module turns its layers into parts, in order; here they become an `MLP` that predicts
the same.  A level of the network is

    u = W(l) a(l) + c
    z(l+1) = γ ∘ (u − μ)/√(σ² + ε) + β      or u, without batch norm
    a(l+1) = f(z(l+1)), in training with noise on z(l+1) and some of a(l+1) dropped

so a `Norm` right behind its `Dense` becomes batch norm.  Elsewhere, and at the output, it is folded
into the weights beside it, as a `Shift` is.
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

__all__ = ["Dense", "Dropped", "Noise", "Norm", "Part", "Shift", "assembled", "real"]

EPSILON = 1e-5  # ε of our batch norm


def real(value: Any) -> Array:
    """An array in float64 if it is, else in float32."""
    found = np.asarray(value)
    return found if found.dtype == np.float64 else found.astype(np.float32)


@dataclass(frozen=True)
class Dense:
    """W a + c."""

    weight: Array  # (n_out, n_in), float32 or float64
    bias: Array  # (n_out,)


@dataclass(frozen=True)
class Norm:
    """γ ∘ (a − μ)/√(σ² + ε) + β, by running statistics."""

    scale: Array  # γ (n,)
    shift: Array  # β (n,)
    mean: Array  # μ (n,)
    variance: Array  # σ² (n,)
    epsilon: float

    def as_shift(self) -> Shift:
        """The same as one product and one sum."""
        factor = self.scale / np.sqrt(self.variance + self.epsilon, dtype=np.float64)
        return Shift(factor, self.shift - factor * self.mean)


@dataclass(frozen=True)
class Shift:
    """factor ∘ a + term."""

    factor: Array  # (n,), or () for all units alike
    term: Array


@dataclass(frozen=True)
class Dropped:
    """Units dropped in training, each with this probability."""

    rate: float


@dataclass(frozen=True)
class Noise:
    """a + σ·N(0, 1) in training."""

    sigma: float


Part = Dense | Norm | Shift | Dropped | Noise | Activation | losses.Quantile  # the last: sorted


@dataclass
class Level:
    """A layer of weights, and what stands behind it."""

    weight: Array
    bias: Array
    norm: Norm | None = None
    noise: float = 0.0
    activation: Activation | None = None
    dropout: float = 0.0


def assembled(parts: Iterable[tuple[str, Part]], loss: losses.LossSpec | None) -> MLP:
    """Return a network of these parts, in float64 if a weight is, else in float32.

    Dropout before an activation function counts as behind it.  Sorted quantiles are for the end.

    Parameters
    ----------
    parts : iterable of (str, part)
        Each with what its layer is called in an error.
    loss : str, Loss, (value, gradient) or None
        None: that of the quantiles which are sorted at the end, else the first of the table whose
        own output activation stands there.

    Raises
    ------
    ValueError
        If a part cannot be taken where it stands.
    """
    levels: list[Level] = []
    input_dropout = 0.0
    shift: Shift | None = None  # of the inputs of the level to come
    quantiles: losses.Quantile | None = None
    for name, part in parts:
        with checks.within(name):
            last = levels[-1] if levels else None
            if quantiles is not None:
                raise ValueError("it has no place behind sorted quantiles")
            if isinstance(part, losses.Quantile):
                quantiles = part
            elif isinstance(part, Dense):
                levels.append(level(part, last, shift))
                shift = None
            elif isinstance(part, Dropped):
                if last is None:
                    input_dropout = either(input_dropout, part.rate)
                else:
                    last.dropout = either(last.dropout, part.rate)
            elif isinstance(part, Noise):
                disturb(last, part.sigma, shift)
            elif isinstance(part, Activation):
                activate(last, part, shift)
            elif isinstance(part, Norm) and last and not (
                last.norm or last.noise or last.activation or shift
            ):
                last.norm = part
            else:
                shift = joined(shift, part.as_shift() if isinstance(part, Norm) else part)
    if not levels:
        raise ValueError("there is no dense layer, of which a network needs at least one")
    if shift is not None:
        raise ValueError("batch norm or scaling of the outputs has no place in a network")
    if quantiles is not None:
        loss = of_quantiles(quantiles, loss)
    return network(levels, input_dropout, loss)


def level(part: Dense, last: Level | None, shift: Shift | None) -> Level:
    """The next level; W (s ∘ a + t) + c = (W s) a + (W t + c) where its inputs are shifted."""
    W, c = part.weight, part.bias
    if last is not None and W.shape[1] != len(last.bias):
        raise ValueError(
            f"it has {W.shape[1]} inputs, but the layer before it {len(last.bias)} outputs"
        )
    if shift is None:
        return Level(W, c)
    term = np.broadcast_to(shift.term, W.shape[1:])
    return Level((W * shift.factor).astype(W.dtype), W @ term + c)


def activate(last: Level | None, f: Activation, shift: Shift | None) -> None:
    """Set the activation of the level that stands last."""
    if f == Identity():
        return
    if last is None or last.activation is not None or shift is not None:
        raise ValueError(
            "an activation function has its place behind a dense layer, or behind that one's "
            "batch norm"
        )
    last.activation = f


def disturb(last: Level | None, sigma: float, shift: Shift | None) -> None:
    """Add noise to the level that stands last; independent normals have the sum of variances."""
    sigma = checks.number("sigma", sigma, "[0, inf)")
    if last is None or last.activation is not None or shift is not None:
        raise ValueError(
            "noise has its place behind a dense layer or that one's batch norm, before the "
            "activation function"
        )
    last.noise = math.hypot(last.noise, sigma)


def of_quantiles(found: losses.Quantile, loss: losses.LossSpec | None) -> losses.Loss:
    """The loss of a network whose quantiles are sorted: theirs, or a given one of as many."""
    if loss is None:
        return found
    given = losses.from_spec(loss)
    n_found = len(found.quantiles)
    if not isinstance(given, losses.Quantile) or len(given.quantiles) != n_found:
        raise ValueError(f"loss must be of {n_found} quantiles, which are sorted; got {given}")
    return given


def joined(first: Shift | None, second: Shift) -> Shift:
    """One shift behind another."""
    if first is None:
        return second
    return Shift(second.factor * first.factor, second.factor * first.term + second.term)


def either(first: float, second: float) -> float:
    """The probability that at least one of two independent things happens."""
    return first + second - first * second


def network(levels: list[Level], input_dropout: float, loss: losses.LossSpec | None) -> MLP:
    """Return the network of these levels."""
    *hidden, output = levels
    for what, amount in (("noise", output.noise), ("dropout", output.dropout)):
        if amount > 0:
            raise ValueError(f"{what} of the outputs has no place in a network")
    if output.norm is not None:
        shift, output.norm = output.norm.as_shift(), None
        output.weight = (output.weight * shift.factor[:, np.newaxis]).astype(output.weight.dtype)
        output.bias = output.bias * shift.factor + shift.term
    net = MLP(
        (levels[0].weight.shape[1], *(len(one.bias) for one in levels)),
        activation=[one.activation or Identity() for one in hidden],
        output_activation=output.activation,
        loss=implied(output.activation) if loss is None else loss,
        init=(
            [one.weight for one in levels],
            [one.bias if one.norm is None else one.norm.shift for one in levels],
        ),
        batch_norm=[one.norm is not None for one in hidden],
        noise=[one.noise for one in hidden],
        dropout=[one.dropout for one in hidden],
        input_dropout=input_dropout,
        dtype=np.result_type(*[one.weight for one in levels]),
    )
    norms = [None if one.norm is None else (one.norm, one.bias) for one in levels]
    net.set_parameters(net.weights, net.biases, [one and stretched(one[0]) for one in norms])
    statistics = [one and (one[0].mean - one[1], one[0].variance) for one in norms]  # u − c for u
    spec = net.state.spec
    net.state.set_layers(net.state.layers(), files.checked_statistics(spec, statistics))
    return net


def stretched(norm: Norm) -> Array:
    """γ' with γ'/√(σ² + ε') = γ/√(σ² + ε), ε' being ours."""
    ratio = (norm.variance + EPSILON) / (norm.variance + norm.epsilon)
    return np.asarray(norm.scale * np.sqrt(ratio, dtype=np.float64))


def implied(f: Activation | None) -> str | losses.Loss:
    """The first loss whose own output activation this is; the squared error takes the others."""
    if isinstance(f, Softmax):
        return losses.CrossEntropy(f.groups)
    name = "identity" if f is None else f.name
    own = (loss for loss, kind in losses.TABLE.items() if kind.output_activations[0] == name)
    return next(own, "squared_error")
