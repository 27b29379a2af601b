"""The same network in NumPy alone: matrix products, whole arrays, no tricks.

This is the oracle of tests and benchmarks.  It shares no line with the rest of fastmlp, states
every formula once, and prefers the form of it that can be read to the one that runs fast.
Rows are examples, so layer l, with weight W(l) of shape (n_out, n_in), reads

    z(l+1) = a(l) W(l)ᵀ + b(l)         a(l+1) = f(z(l+1))         a(1) = X

    J = Σ_i s_i cost_i / Σ_i s_i + λ/2 Σ W²                       s_i = 1 without sample weights

With batch norm z(l+1) = γ û + b(l), û = (u − μ)/√(σ² + ε), u = a(l) W(l)ᵀ, by the batch's mean and
variance in training and by running ones in prediction.  Dropout and noise are given: factors of
a(l) and terms of z(l+1).

Nothing is validated beyond what the formulas need.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Array = NDArray[np.floating[Any]]
Pair = tuple[Array, Array]

_erfc = np.vectorize(math.erfc, otypes=[np.float64])

# Activations: f(z) beside f'(z), p being the parameter of those that have one.


def identity(z: Array, p: float = 0.0) -> Pair:
    """f = z,  f' = 1."""
    return z, np.ones_like(z)


def sigmoid(z: Array, p: float = 0.0) -> Pair:
    """f = 1 / (1 + e⁻ᶻ),  f' = f(z) f(−z);  only e^−|z| is formed, which cannot overflow."""
    e = np.exp(-np.abs(z))
    near, far = 1 / (1 + e), e / (1 + e)
    return np.where(z < 0, far, near), near * far


def relu(z: Array, p: float = 0.0) -> Pair:
    """f = max(z, 0),  f' = [z > 0]."""
    return leaky_relu(z, 0.0)


def leaky_relu(z: Array, p: float = 0.01) -> Pair:
    """f = z,  f' = 1 for z > 0;  else f = p z,  f' = p."""
    slope = np.where(z > 0, np.ones_like(z), p * np.ones_like(z))
    return slope * z, slope


def tanh(z: Array, p: float = 0.0) -> Pair:
    """f = tanh z,  f' = 1 − f²."""
    return np.tanh(z), 1 - np.tanh(z) ** 2


def softplus(z: Array, p: float = 0.0) -> Pair:
    """f = log(1 + eᶻ),  f' = σ(z)."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), sigmoid(z)[0]


def elu(z: Array, p: float = 1.0) -> Pair:
    """f = z,  f' = 1 for z > 0;  else f = p (eᶻ − 1),  f' = p eᶻ."""
    low = np.minimum(z, 0)
    f = np.where(z > 0, z, p * np.expm1(low))
    return f, np.where(z > 0, np.ones_like(z), p * np.exp(low))


def selu(z: Array, p: float = 0.0) -> Pair:
    """scale · ELU, by the two constants of Klambauer et al. 2017, eq. 14."""
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


def exponential(z: Array, p: float = 0.0) -> Pair:
    """f = f' = eᶻ."""
    return np.exp(z), np.exp(z)


def log_softmax(z: Array, *groups: float) -> Array:
    """z − log Σ_k e^z_k by rows, or in each of groups of columns; the largest exponent is 0."""
    if any(groups):
        parts = np.split(z, np.cumsum(groups[:-1]).astype(int), axis=1)
        return np.hstack([log_softmax(part) for part in parts])
    shifted: Array = z - z.max(axis=1, keepdims=True)
    total: Array = np.exp(shifted).sum(axis=1, keepdims=True)
    return shifted - np.log(total)


def softmax(z: Array, *groups: float) -> Pair:
    """f_j = e^z_j / Σ_k e^z_k;  no f' of one neuron alone, so NaN in its place."""
    return np.exp(log_softmax(z, *groups)), np.full_like(z, np.nan)


ACTIVATIONS: dict[str, Callable[..., Pair]] = {
    f.__name__: f
    for f in (
        identity, sigmoid, relu, leaky_relu, tanh, softplus, elu, selu, silu, gelu, exponential,
        softmax,
    )
}


class Loss(NamedTuple):
    """Cost of each example, the output activation that belongs to it, and ∂cost/∂h or δ(nl).

    With an activation of its own `slope` is δ(nl), ∂cost/∂h and f' having been multiplied out;
    without one it is ∂cost/∂h, and δ(nl) = slope ∘ f'.
    """

    cost: Callable[..., Array]  # of z(nl), h, y and perhaps constants; shape (m,)
    output: str | None  # None: any but softmax
    slope: Callable[..., Array] = lambda h, y, *_: h - y  # of h, y, constants; shape (m, n_out)


def _huber(r: Array, delta: float) -> Array:
    """½ r² up to δ, from there on the tangent: δ |r| − ½ δ² (Huber 1964)."""
    return np.where(np.abs(r) <= delta, r**2 / 2, delta * np.abs(r) - delta**2 / 2)


def _above(h: Array, y: Array, *quantiles: float) -> Pair:
    """h − y and the quantile of each output, those of a target side by side."""
    return h - np.repeat(y, len(quantiles), axis=1), np.tile(
        np.array(quantiles, h.dtype), y.shape[1]
    )


def _pinball(z: Array, h: Array, y: Array, *quantiles: float) -> Array:
    """Σ_j (1 − q_j) r_j where r = h − y ≥ 0, −q_j r_j elsewhere (Koenker & Bassett 1978)."""
    r, q = _above(h, y, *quantiles)
    return np.asarray(np.maximum((1 - q) * r, -q * r).sum(axis=1))


def _pinball_slope(h: Array, y: Array, *quantiles: float) -> Array:
    r, q = _above(h, y, *quantiles)
    return np.asarray(np.where(r > 0, 1 - q, np.where(r < 0, -q, 0 * q)))


LOSSES = {
    # ½ Σ_j (h_j − y_j)²
    "squared_error": Loss(lambda z, h, y: ((h - y) ** 2).sum(axis=1) / 2, None),
    # −Σ_j y_j log h_j, with Σ_j y_j = 1, over the row or each of its groups
    "cross_entropy": Loss(lambda z, h, y, *g: -(y * log_softmax(z, *g)).sum(axis=1), "softmax"),
    # −Σ_j y_j log h_j + (1 − y_j) log(1 − h_j): terms of one sign, so no digit is lost
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


# Update rules: one parameter array w with gradient g at update t = 1, 2, …  `state` is what the
# rule remembers of this parameter, empty at first.  All in the form that PyTorch gives them.

State = dict[str, Array]


def gradient_descent(
    w: Array, g: Array, state: State, rate: float, t: int,
    momentum: float = 0.0, nesterov: float = 0.0,
) -> Array:
    """v ← μ v + g;  w ← w − α v, Nesterov: w ← w − α (g + μ v) (Sutskever et al. 2013)."""
    v = state["v"] = momentum * state.get("v", np.zeros_like(w)) + g
    return w - rate * (g + momentum * v if nesterov else v)


def adam(
    w: Array, g: Array, state: State, rate: float, t: int,
    beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8,
) -> Array:
    """w ← w − α m̂ / (√v̂ + ε), running means m of g and v of g² (Kingma & Ba 2015)."""
    m = state["m"] = beta_1 * state.get("m", np.zeros_like(w)) + (1 - beta_1) * g
    v = state["v"] = beta_2 * state.get("v", np.zeros_like(w)) + (1 - beta_2) * g**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return w - rate * m_hat / (np.sqrt(v_hat) + epsilon)


def adamw(
    w: Array, g: Array, state: State, rate: float, t: int,
    beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8, weight_decay: float = 0.01,
) -> Array:
    """w ← (1 − α ω) w for weights, not biases; then Adam (Loshchilov & Hutter 2019)."""
    is_weight = w.ndim == 2
    w = (1 - rate * weight_decay) * w if is_weight else w
    return adam(w, g, state, rate, t, beta_1, beta_2, epsilon)


def rmsprop(
    w: Array, g: Array, state: State, rate: float, t: int,
    rho: float = 0.99, epsilon: float = 1e-8, momentum: float = 0.0,
) -> Array:
    """s ← ρ s + (1−ρ) g²;  v ← μ v + g/(√s + ε);  w ← w − α v (Tieleman & Hinton 2012)."""
    s = state["s"] = rho * state.get("s", np.zeros_like(w)) + (1 - rho) * g**2
    v = state["v"] = momentum * state.get("v", np.zeros_like(w)) + g / (np.sqrt(s) + epsilon)
    return w - rate * v


OPTIMIZERS: dict[str, Callable[..., Array]] = {
    f.__name__: f for f in (gradient_descent, adam, adamw, rmsprop)
}


class Optimizer:
    """An update rule with its constants, the state of each parameter, and the updates so far.

    `name` is a key of `OPTIMIZERS`; the constants come in the rule's own order and may be left out.
    """

    def __init__(self, name: str, *constants: float) -> None:
        self.rule = OPTIMIZERS[name]
        self.constants = constants
        self.state: list[State] = []  # of each parameter, in the order given
        self.steps = 0

    def update(self, parameters: list[Array], gradients: list[Array], rate: float) -> list[Array]:
        """Return the parameters after one more update, as new arrays."""
        self.state = self.state or [{} for _ in parameters]
        self.steps += 1
        return [
            self.rule(w, g, state, rate, self.steps, *self.constants)
            for w, g, state in zip(parameters, gradients, self.state, strict=True)
        ]


class Draws(NamedTuple):
    """A batch's chances: factors of a(1), a(2), … and terms of z(2), z(3), …  None: nothing."""

    factors: list[Array | None]
    noises: list[Array | None]


class Layers(NamedTuple):
    """One forward pass: z(2) … z(nl), a(1) … a(nl), f'(z(2)) … f'(z(nl)); û and 1/√(σ² + ε)."""

    z: list[Array]
    a: list[Array]
    slopes: list[Array]
    norms: list[Pair | None]


class Network:
    """A multilayer perceptron, from zero weights and biases.

    Parameters
    ----------
    sizes : sequence of int
        Neurons per layer, s(1) … s(nl): input, hidden…, output.
    activations : sequence of str or (str, float, …)
        One per layer of weights, the output layer included: a key of `ACTIVATIONS`, or the key
        and its parameters (leaky ReLU's slope, ELU's α, the sizes of softmax's groups).
    loss : str, (str, float, …) or Loss
        A key of `LOSSES`, the key and its constants (Huber's δ, quantiles, groups), or another.
    dtype : dtype
        float64 (the default) or float32: of the parameters and of all arithmetic.
    uint8_scale : float
        Rows of dtype uint8 are multiplied by it. Default: 1/255.
    batch_norm : sequence of bool
        One per hidden layer.  Default: none is normalized.

    Attributes
    ----------
    weights, biases : list of ndarray
        W(l) of shape (n_out, n_in) and b(l) of shape (n_out,); they may be set.
    scales : list of ndarray or None
        γ of shape (n_out,) where a layer is normalized; they may be set.
    statistics : list of (ndarray, ndarray) or None
        Running mean and variance of such a layer.
    """

    epsilon, momentum = 1e-5, 0.1

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str | tuple[Any, ...]],
        loss: str | tuple[Any, ...] | Loss,
        dtype: DTypeLike = np.float64,
        uint8_scale: float = 1 / 255,
        batch_norm: Sequence[bool] = (),
    ) -> None:
        named = [(x,) if isinstance(x, str) else x for x in activations]
        self.activation = [(ACTIVATIONS[name], p) for name, *p in named]
        given = (loss,) if isinstance(loss, (str, Loss)) else loss
        self.loss = LOSSES[given[0]] if isinstance(given[0], str) else given[0]
        self.constants, output = given[1:], named[-1][0]
        if output != self.loss.output and (self.loss.output or output == "softmax"):
            raise ValueError(f"{given[0]} does not go with the output activation {output}")
        self.dtype = np.dtype(dtype)
        self.uint8_scale = uint8_scale
        self.weights = [np.zeros((n_out, n_in), dtype) for n_in, n_out in pairwise(sizes)]
        self.biases = [np.zeros(n_out, dtype) for n_out in sizes[1:]]
        normalized = [*batch_norm, *[False] * (len(self.biases) - len(batch_norm))]
        self.scales: list[Array | None] = [
            np.ones(n, dtype) if one else None for n, one in zip(sizes[1:], normalized, strict=True)
        ]
        self.statistics = [
            None if one is None else (np.zeros_like(one), np.ones_like(one)) for one in self.scales
        ]

    def forward(self, X: ArrayLike) -> Array:
        """h = a(nl), shape (m, n_out)."""
        return self.activations(X)[-1]

    def activations(self, X: ArrayLike) -> list[Array]:
        """a(2) … a(nl), each of shape (m, n)."""
        return self._forward(self._rows(X)).a[1:]

    def cost(
        self, X: ArrayLike, y: ArrayLike, l2: float = 0.0, sample_weight: ArrayLike | None = None
    ) -> float:
        """J, with `l2` as λ and `sample_weight` as s."""
        rows, targets, s = self._data(X, y, sample_weight)
        penalty = l2 / 2 * sum(float((W**2).sum()) for W in self.weights)
        return self._total(self._forward(rows), targets, s) / (float(s.sum()) or 1.0) + penalty

    def gradients(
        self, X: ArrayLike, y: ArrayLike, l2: float = 0.0, sample_weight: ArrayLike | None = None,
        training: bool = False, draws: Draws | None = None,
    ) -> list[tuple[Array, ...]]:
        """[(∂J/∂W(1), ∂J/∂b(1)), …], with ∂J/∂γ behind them where a layer is normalized.

        With `training` these examples are one batch of training.
        """
        rows, targets, s = self._data(X, y, sample_weight)
        layers = self._forward(rows, s if training else None, draws)
        return self._gradients(layers, targets, s, l2, training)

    def input_gradient(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Array:
        """∂J/∂X = W(1)ᵀ δ(2) by rows, of X's shape."""
        rows, targets, s = self._data(X, y, sample_weight)
        return self._deltas(self._forward(rows), targets, s, False)[0][1] @ self.weights[0]

    def train(
        self,
        X: ArrayLike,
        y: ArrayLike,
        order: NDArray[np.integer[Any]],
        batch_size: int,
        rates: Sequence[float] | Array,
        optimizer: Optimizer,
        l2: float = 0.0,
        sample_weight: ArrayLike | None = None,
        draws: Callable[[int, int], Draws] | None = None,
    ) -> tuple[float, float]:
        """Run one epoch over the rows `order`, a batch of `batch_size` after the other.

        Batch k has the learning rate rates[k] and draws(k, its size); the last batch may be
        smaller.  Returns Σ s_i cost_i and Σ s_i over the epoch, each cost taken before the update
        of its batch.
        """
        data, targets, s = self._data(X, y, sample_weight)
        batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
        total = 0.0
        for k, (i, rate) in enumerate(zip(batches, rates, strict=True)):
            layers = self._forward(data[i], s[i], draws(k, len(i)) if draws else None)
            total += self._total(layers, targets[i], s[i])
            gradients = self._gradients(layers, targets[i], s[i], l2, True)
            old = [p for layer in self._parameters() for p in layer]
            slopes = [g for layer in gradients for g in layer]
            new = iter(optimizer.update(old, slopes, float(rate)))
            for l, scale in enumerate(self.scales):
                self.weights[l], self.biases[l] = next(new), next(new)
                if scale is not None:
                    self.scales[l] = next(new)
        return total, float(s[order].sum())

    def _parameters(self) -> list[tuple[Array, ...]]:
        """(W, b) or (W, b, γ) of each layer."""
        return [
            (W, b) if scale is None else (W, b, scale)
            for W, b, scale in zip(self.weights, self.biases, self.scales, strict=True)
        ]

    def _rows(self, X: ArrayLike) -> Array:
        scale = self.uint8_scale if np.asarray(X).dtype == np.uint8 else 1.0
        return np.asarray(X, self.dtype) * scale

    def _data(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[Array, Array, Array]:
        """Rows, targets (m, n_out) and sample weights (m,) in the network's dtype."""
        rows, targets, n_out = self._rows(X), np.asarray(y), len(self.biases[-1])
        if self.loss.output == "softmax" and targets.shape[1:] != (n_out,):  # labels, by group:
            parts = zip(self.constants or (n_out,), targets.reshape(len(rows), -1).T, strict=True)
            targets = np.hstack([np.eye(int(n))[labels] for n, labels in parts])  # [j is the label]
        s = np.ones(len(rows)) if sample_weight is None else sample_weight
        columns = targets[:, None] if targets.ndim == 1 else targets
        return rows, columns.astype(self.dtype), np.asarray(s, self.dtype)

    def _forward(self, X: Array, s: Array | None = None, draws: Draws | None = None) -> Layers:
        """Every level; as a batch of training where its examples' weights s are given."""
        n = len(self.weights)
        factors, noises = draws or Draws([None] * (n + 1), [None] * n)
        layers = Layers(z=[], a=[X if factors[0] is None else X * factors[0]], slopes=[], norms=[])
        for l, (W, b, (f, p)) in enumerate(
            zip(self.weights, self.biases, self.activation, strict=True)
        ):
            u = layers.a[-1] @ W.T
            z, norm = self._normalize(l, u, s)
            noise, factor = noises[l], factors[l + 1]
            z = z + b if noise is None else z + b + noise
            a, slope = f(z, *p)
            layers.z.append(z)
            layers.a.append(a if factor is None else a * factor)
            layers.slopes.append(slope if factor is None else slope * factor)
            layers.norms.append(norm)
        return layers

    def _normalize(self, l: int, u: Array, s: Array | None) -> tuple[Array, Pair | None]:
        """γ û, û and 1/√(σ² + ε); in training, with weights s, the running statistics move."""
        scale, running = self.scales[l], self.statistics[l]
        if scale is None or running is None:
            return u, None
        mean, variance = running
        if s is not None:
            share, rho, n = self._shares(s), self.momentum, max(float(s.sum()), 2.0)
            mean = share @ u
            variance = share @ (u - mean) ** 2
            if s.any():
                self.statistics[l] = (
                    (1 - rho) * running[0] + rho * mean,
                    (1 - rho) * running[1] + rho * variance * n / (n - 1),
                )
        inverse = 1 / np.sqrt(variance + self.epsilon)
        hat = (u - mean) * inverse
        return scale * hat, (hat, inverse)

    def _shares(self, s: Array) -> Array:
        """s_i/Σs, equal ones if all are 0."""
        return s / s.sum() if s.any() else np.full_like(s, 1 / len(s))

    def _total(self, layers: Layers, y: Array, s: Array) -> float:
        """Σ s_i cost_i."""
        return float(s @ self.loss.cost(layers.z[-1], layers.a[-1], y, *self.constants))

    def _deltas(self, layers: Layers, y: Array, s: Array, training: bool) -> list[Pair]:
        """∂J/∂z(l) and ∂J/∂u(l) for l = 2 … nl, which are one without batch norm.

        δ(nl) is that of each example times its share s_i/Σs of J.
        """
        slope = self.loss.slope(layers.a[-1], y, *self.constants)
        delta: Array = s[:, None] / (s.sum() or 1) * slope
        if self.loss.output is None:
            delta = delta * layers.slopes[-1]
        found = [(delta, delta)]
        for l in range(len(self.weights) - 2, -1, -1):
            delta = found[0][1] @ self.weights[l + 1] * layers.slopes[l]
            found.insert(0, (delta, self._through_norm(l, delta, layers.norms[l], s, training)))
        return found

    def _through_norm(
        self, l: int, delta: Array, norm: Pair | None, s: Array, training: bool
    ) -> Array:
        """∂J/∂u from ∂J/∂z: with the batch's own μ and σ², which depend on u, or with constants."""
        scale = self.scales[l]
        if norm is None or scale is None:
            return delta
        hat, inverse = norm
        if training:
            share = self._shares(s)[:, None]
            delta = delta - share * (delta.sum(axis=0) + hat * (delta * hat).sum(axis=0))
        return np.asarray(scale * inverse * delta)

    def _gradients(
        self, layers: Layers, y: Array, s: Array, l2: float, training: bool
    ) -> list[tuple[Array, ...]]:
        """(∂J/∂W, ∂J/∂b) of each layer, and ∂J/∂γ where it is normalized."""
        found: list[tuple[Array, ...]] = []
        for (delta, delta_u), a, W, norm in zip(
            self._deltas(layers, y, s, training), layers.a[:-1], self.weights, layers.norms,
            strict=True,
        ):
            both = delta_u.T @ a + l2 * W, delta.sum(axis=0)
            found.append(both if norm is None else (*both, (delta * norm[0]).sum(axis=0)))
        return found
