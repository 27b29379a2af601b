"""Activation functions and losses, each with its derivative."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Pair = tuple[Array, Array]

_erfc = np.vectorize(math.erfc, otypes=[np.float64])

# Activation functions return f(z) and f'(z); p is the parameter, where a function has one.


def identity(z: Array, p: float = 0.0) -> Pair:
    """f = z,  f' = 1."""
    return z, np.ones_like(z)


def sigmoid(z: Array, p: float = 0.0) -> Pair:
    """f = 1 / (1 + e⁻ᶻ),  f' = f(z) f(−z);  computed from e^−|z|, which cannot overflow."""
    e = np.exp(-np.abs(z))
    larger, smaller = 1 / (1 + e), e / (1 + e)
    return np.where(z < 0, smaller, larger), larger * smaller


def relu(z: Array, p: float = 0.0) -> Pair:
    """f = max(z, 0),  f' = [z > 0]."""
    return leaky_relu(z, 0.0)


def leaky_relu(z: Array, p: float = 0.01) -> Pair:
    """f = z,  f' = 1 for z > 0;  f = p z,  f' = p otherwise."""
    slope = np.where(z > 0, np.ones_like(z), p * np.ones_like(z))
    return slope * z, slope


def tanh(z: Array, p: float = 0.0) -> Pair:
    """f = tanh z,  f' = 1 − f²."""
    return np.tanh(z), 1 - np.tanh(z) ** 2


def softplus(z: Array, p: float = 0.0) -> Pair:
    """f = log(1 + eᶻ),  f' = σ(z)."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), sigmoid(z)[0]


def elu(z: Array, p: float = 1.0) -> Pair:
    """f = z,  f' = 1 for z > 0;  f = p (eᶻ − 1),  f' = p eᶻ otherwise."""
    low = np.minimum(z, 0)
    f = np.where(z > 0, z, p * np.expm1(low))
    return f, np.where(z > 0, np.ones_like(z), p * np.exp(low))


def selu(z: Array, p: float = 0.0) -> Pair:
    """f = scale · ELU(z, alpha), with the two constants of Klambauer et al. 2017, eq. 14."""
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
    f, slope = elu(z, alpha)
    return scale * f, scale * slope


def silu(z: Array, p: float = 0.0) -> Pair:
    """f = z σ(z),  f' = σ + z σ'."""
    s, s_slope = sigmoid(z)
    return z * s, s + z * s_slope


def gelu(z: Array, p: float = 0.0) -> Pair:
    """f = z Φ(z),  f' = Φ + z φ,  Φ(z) = ½ erfc(−z/√2),  φ(z) = e^(−z²/2) / √(2π)."""
    cdf = np.asarray(0.5 * _erfc(-z / math.sqrt(2)), z.dtype)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return z * cdf, cdf + z * density


def mish(z: Array, p: float = 0.0) -> Pair:
    """f = z t,  f' = t + z (1 − t²) σ(z),  t = tanh(log(1 + eᶻ))."""
    s, s_slope = softplus(z)
    t, t_slope = tanh(s)
    return z * t, t + z * t_slope * s_slope


def exponential(z: Array, p: float = 0.0) -> Pair:
    """f = f' = eᶻ."""
    return np.exp(z), np.exp(z)


def log_softmax(z: Array, *groups: float) -> Array:
    """z − log Σ_k e^z_k of each row, or of each group of columns; the largest exponent is 0."""
    if any(groups):
        parts = np.split(z, np.cumsum(groups[:-1]).astype(int), axis=1)
        return np.hstack([log_softmax(part) for part in parts])
    shifted: Array = z - z.max(axis=1, keepdims=True)
    total: Array = np.exp(shifted).sum(axis=1, keepdims=True)
    return shifted - np.log(total)


def softmax(z: Array, *groups: float) -> Pair:
    """f_j = e^z_j / Σ_k e^z_k;  f' is NaN, because f_j depends on all of z."""
    return np.exp(log_softmax(z, *groups)), np.full_like(z, np.nan)


ACTIVATIONS: dict[str, Callable[..., Pair]] = {
    f.__name__: f
    for f in (
        identity, sigmoid, relu, leaky_relu, tanh, softplus, elu, selu, silu, gelu, mish,
        exponential, softmax,
    )
}


class Loss(NamedTuple):
    """A loss: the cost of each example, the output activation, and the derivative.

    For a loss with an output activation of its own `slope` is δ(nl), in which ∂cost/∂h and f' are
    multiplied and simplified.  For other losses it is ∂cost/∂h, and δ(nl) = slope ∘ f'.
    """

    cost: Callable[..., Array]  # of z(nl), h, y and constants, if any; shape (m,)
    output: str | None  # the output activation; None for any but softmax
    slope: Callable[..., Array] = lambda h, y, *_: h - y  # of h, y, constants; shape (m, n_out)


def _huber(r: Array, delta: float) -> Array:
    """½ r² for |r| ≤ δ, and its tangent δ |r| − ½ δ² for larger |r| (Huber 1964)."""
    return np.where(np.abs(r) <= delta, r**2 / 2, delta * np.abs(r) - delta**2 / 2)


def _differences(h: Array, y: Array, *quantiles: float) -> Pair:
    """h − y and the quantile of each output; the outputs of a target are adjacent."""
    return h - np.repeat(y, len(quantiles), axis=1), np.tile(
        np.array(quantiles, h.dtype), y.shape[1]
    )


def _pinball(z: Array, h: Array, y: Array, *quantiles: float) -> Array:
    """Σ_j (1 − q_j) r_j for r_j = h_j − y ≥ 0, −q_j r_j otherwise (Koenker & Bassett 1978)."""
    r, q = _differences(h, y, *quantiles)
    return np.asarray(np.maximum((1 - q) * r, -q * r).sum(axis=1))


def _pinball_slope(h: Array, y: Array, *quantiles: float) -> Array:
    r, q = _differences(h, y, *quantiles)
    return np.asarray(np.where(r > 0, 1 - q, np.where(r < 0, -q, 0 * q)))


LOSSES = {
    # ½ Σ_j (h_j − y_j)²
    "squared_error": Loss(lambda z, h, y: ((h - y) ** 2).sum(axis=1) / 2, None),
    # −Σ_j y_j log h_j, with Σ_j y_j = 1 in the row or in each group
    "cross_entropy": Loss(lambda z, h, y, *g: -(y * log_softmax(z, *g)).sum(axis=1), "softmax"),
    # −Σ_j y_j log h_j + (1 − y_j) log(1 − h_j): both terms are ≥ 0, so that no digits cancel
    "binary_cross_entropy": Loss(
        lambda z, h, y: (y * softplus(-z)[0] + (1 - y) * softplus(z)[0]).sum(axis=1), "sigmoid"
    ),
    # Σ_j |h_j − y_j|
    "absolute_error": Loss(
        lambda z, h, y: np.abs(h - y).sum(axis=1), None, lambda h, y: np.sign(h - y)
    ),
    "huber": Loss(
        lambda z, h, y, delta: _huber(h - y, delta).sum(axis=1), None,
        lambda h, y, delta: np.clip(h - y, -delta, delta),
    ),
    "quantile": Loss(_pinball, None, _pinball_slope),
    # Σ_j h_j − y_j log h_j
    "poisson": Loss(lambda z, h, y: (h - y * z).sum(axis=1), "exponential"),
    # Σ_j y_j / h_j + log h_j
    "gamma": Loss(
        lambda z, h, y: (y * np.exp(-z) + z).sum(axis=1), "exponential", lambda h, y: 1 - y / h
    ),
}
