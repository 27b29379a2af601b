"""The reference network: forward pass, backward pass, and training for an epoch."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .encodings import ENCODINGS
from .functions import ACTIVATIONS, LOSSES, Array, Loss, Pair
from .optimizers import Optimizer


class Draws(NamedTuple):
    """The random numbers of a batch: factors of a(1), a(2), … and terms of z(2), z(3), …

    None stands for a layer without dropout or noise.
    """

    factors: list[Array | None]
    noises: list[Array | None]


class Layers(NamedTuple):
    """Results of a forward pass.

    They are z(2) … z(nl), a(1) … a(nl), f'(z(2)) … f'(z(nl)), and û and 1/√(σ² + ε) of each
    normalized layer.
    """

    z: list[Array]
    a: list[Array]
    slopes: list[Array]
    norms: list[Pair | None]


class Network:
    """A multilayer perceptron whose weights and biases are zero at first.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units, from the input s(1) to the output s(nl).
    activations : sequence of str or (str, float, …)
        The activation function of each layer of weights, including the output layer: a key of
        `ACTIVATIONS`, or the key with its parameters (the slope of leaky ReLU, α of ELU, the sizes
        of softmax's groups).
    loss : str, (str, float, …) or Loss
        A key of `LOSSES`, the key with its constants (δ of Huber, quantiles, groups), or another
        loss.
    dtype : dtype, default float64
        float64 or float32, the dtype of parameters and of all computations.
    uint8_scale : float, default 1.0
        Factor by which examples of dtype uint8 are multiplied.
    batch_norm : sequence of bool, optional
        Whether each hidden layer is normalized.  By default none is.
    encodings : sequence of (str, float, …), optional
        Encoding of each column of X: a key of `ENCODINGS`, and the edges, the number of levels,
        or the arrays of parameters, which `train` changes.  sizes[0] is then the number of encoded
        inputs.
    input_scale : array, optional
        Factors s of the encoded inputs: a(1) = s ∘ e(X).

    Attributes
    ----------
    weights, biases : list of ndarray
        W(l) of shape (n_out, n_in) and b(l) of shape (n_out,).  They can be set.
    scales : list of ndarray or None
        γ of shape (n_out,) of each layer, None if it is not normalized.  They can be set.
    statistics : list of (ndarray, ndarray) or None
        Running mean and variance of each layer, None if it is not normalized.
    """

    epsilon, momentum = 1e-5, 0.1

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str | tuple[Any, ...]],
        loss: str | tuple[Any, ...] | Loss,
        dtype: DTypeLike = np.float64,
        uint8_scale: float = 1.0,
        batch_norm: Sequence[bool] = (),
        encodings: Sequence[tuple[Any, ...]] = (),
        input_scale: Array | None = None,
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
        self.encodings = [tuple(one) for one in encodings]
        self.input_scale = input_scale
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
        """Return h = a(nl), of shape (m, n_out)."""
        return self.activations(X)[-1]

    def activations(self, X: ArrayLike) -> list[Array]:
        """Return a(2) … a(nl), each of shape (m, n)."""
        return self._forward(self._rows(X)).a[1:]

    def cost(
        self, X: ArrayLike, y: ArrayLike, l2: float = 0.0, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return J, with `l2` as λ and `sample_weight` as s."""
        rows, targets, s = self._data(X, y, sample_weight)
        penalty = l2 / 2 * sum(float((W**2).sum()) for W in self.weights)
        return self._total(self._forward(rows), targets, s) / (float(s.sum()) or 1.0) + penalty

    def gradients(
        self, X: ArrayLike, y: ArrayLike, l2: float = 0.0, sample_weight: ArrayLike | None = None,
        training: bool = False, draws: Draws | None = None,
    ) -> list[tuple[Array, ...]]:
        """Return (∂J/∂W, ∂J/∂b) of each layer, and (∂J/∂W, ∂J/∂b, ∂J/∂γ) of normalized layers.

        With `training` the examples are treated as a batch of training.
        """
        rows, targets, s = self._data(X, y, sample_weight)
        layers = self._forward(rows, s if training else None, draws)
        return self._gradients(layers, targets, s, l2, training)

    def input_gradient(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Array:
        """Return ∂J/∂X = W(1)ᵀ δ(2), with the shape of X."""
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
        weight_decays: Sequence[float] | Array | None = None,
        rate_multipliers: Sequence[float] | None = None,
        bias_rate_multipliers: Sequence[float] | None = None,
    ) -> tuple[float, float]:
        """Train for one epoch on the rows `order`, in batches of `batch_size`.

        Batch k has the learning rate rates[k], if given the weight decay weight_decays[k], and the
        random numbers draws(k, its size); the last batch may be smaller.  Multipliers of the rate
        are one for each layer, those of biases in addition to those of layers.  Returns
        Σ s_i cost_i and Σ s_i over the epoch; the costs of a batch are those before its update.
        """
        data, targets, s = self._data(X, y, sample_weight)
        batches = [order[k : k + batch_size] for k in range(0, len(order), batch_size)]
        total = 0.0
        factors = self._rate_factors(rate_multipliers, bias_rate_multipliers)
        for k, (i, rate) in enumerate(zip(batches, rates, strict=True)):
            own = draws(k, len(i)) if draws else None
            layers = self._forward(data[i], s[i], own)
            total += self._total(layers, targets[i], s[i])
            gradients = self._gradients(layers, targets[i], s[i], l2, True)
            old = [p for layer in self._parameters() for p in layer]
            slopes = [g for layer in gradients for g in layer]
            own_rates = [float(rate) * factor for factor in factors]
            if self.encodings:  # as vectors, which no weight decay acts on
                columns, by_scale = self._encoding_gradients(
                    layers, data[i], targets[i], s[i], True, own
                )
                old += [p.ravel() for p in self._learned()]
                slopes += [g.ravel() for column in columns for g in column]
                slopes += [] if self.input_scale is None else [by_scale]
                own_rates += [float(rate)] * len(self._learned())
            decay = None if weight_decays is None else float(weight_decays[k])
            new = iter(optimizer.update(old, slopes, own_rates, decay))
            for l, scale in enumerate(self.scales):
                self.weights[l], self.biases[l] = next(new), next(new)
                if scale is not None:
                    self.scales[l] = next(new)
            for p, values in zip(self._learned(), new, strict=True):
                p[...] = values.reshape(p.shape)
        return total, float(s[order].sum())

    def _learned(self) -> list[Array]:
        """Return the arrays of parameters of all encodings, and s."""
        found = [p for _, *rest in self.encodings for p in rest if isinstance(p, np.ndarray)]
        return found if self.input_scale is None else [*found, self.input_scale]

    def _rate_factors(
        self, of_layers: Sequence[float] | None, of_biases: Sequence[float] | None
    ) -> list[float]:
        """Return the multiplier of the learning rate of each parameter."""
        ones = [1.0] * len(self.weights)
        found: list[float] = []
        for parameters, layer, bias in zip(
            self._parameters(), of_layers or ones, of_biases or ones, strict=True
        ):
            found += [layer, layer * bias, layer][: len(parameters)]
        return found

    def _parameters(self) -> list[tuple[Array, ...]]:
        """Return (W, b) or (W, b, γ) of each layer."""
        return [
            (W, b) if scale is None else (W, b, scale)
            for W, b, scale in zip(self.weights, self.biases, self.scales, strict=True)
        ]

    def _rows(self, X: ArrayLike) -> Array:
        scale = self.uint8_scale if np.asarray(X).dtype == np.uint8 else 1.0
        return np.asarray(X, self.dtype) * scale

    def _encode(self, X: Array) -> Array:
        """Return e(X)."""
        if not self.encodings:
            return X
        columns = zip(X.T, self.encodings, strict=True)
        return np.hstack([ENCODINGS[name].forward(x, *p) for x, (name, *p) in columns])

    def encoding_gradients(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None,
        training: bool = False, draws: Draws | None = None,
    ) -> tuple[list[tuple[Array, ...]], Array]:
        """Return the derivatives of J by each column's parameters, and by s."""
        rows, targets, s = self._data(X, y, sample_weight)
        layers = self._forward(rows, s if training else None, draws)
        return self._encoding_gradients(layers, rows, targets, s, training, draws)

    def _encoding_gradients(
        self, layers: Layers, rows: Array, y: Array, s: Array, training: bool, draws: Draws | None
    ) -> tuple[list[tuple[Array, ...]], Array]:
        delta = self._deltas(layers, y, s, training)[0][1] @ self.weights[0]
        if draws is not None and draws.factors[0] is not None:
            delta = delta * draws.factors[0]
        e = self._encode(rows)
        scale = 1 if self.input_scale is None else self.input_scale
        ends = np.cumsum([ENCODINGS[name].forward(x, *p).shape[1]
                          for x, (name, *p) in zip(rows.T, self.encodings, strict=True)])
        parts = np.split(delta * scale, ends[:-1], axis=1)
        return [
            ENCODINGS[name].gradient(part, x, *p)
            for part, x, (name, *p) in zip(parts, rows.T, self.encodings, strict=True)
        ], (delta * e).sum(axis=0)

    def _data(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[Array, Array, Array]:
        """Return examples, targets (m, n_out) and sample weights (m,) in the network's dtype."""
        rows, targets, n_out = self._rows(X), np.asarray(y), len(self.biases[-1])
        if self.loss.output == "softmax" and targets.shape[1:] != (n_out,):  # labels, by group:
            parts = zip(self.constants or (n_out,), targets.reshape(len(rows), -1).T, strict=True)
            targets = np.hstack([np.eye(int(n))[labels] for n, labels in parts])  # [j is the label]
        s = np.ones(len(rows)) if sample_weight is None else sample_weight
        columns = targets[:, None] if targets.ndim == 1 else targets
        return rows, columns.astype(self.dtype), np.asarray(s, self.dtype)

    def _forward(self, X: Array, s: Array | None = None, draws: Draws | None = None) -> Layers:
        """Compute every layer; with sample weights s the examples are a batch of training."""
        n = len(self.weights)
        factors, noises = draws or Draws([None] * (n + 1), [None] * n)
        a = self._encode(X) * (1 if self.input_scale is None else self.input_scale)
        layers = Layers(z=[], a=[a if factors[0] is None else a * factors[0]], slopes=[], norms=[])
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
        """Return γ û, and û with 1/√(σ² + ε); with weights s, update the running statistics."""
        scale, running = self.scales[l], self.statistics[l]
        if scale is None or running is None:
            return u, None
        mean, variance = running
        if s is not None:
            relative, rho, n = self._relative(s), self.momentum, max(float(s.sum()), 2.0)
            mean = relative @ u
            variance = relative @ (u - mean) ** 2
            if s.any():
                self.statistics[l] = (
                    (1 - rho) * running[0] + rho * mean,
                    (1 - rho) * running[1] + rho * variance * n / (n - 1),
                )
        inverse = 1 / np.sqrt(variance + self.epsilon)
        hat = (u - mean) * inverse
        return scale * hat, (hat, inverse)

    def _relative(self, s: Array) -> Array:
        """Return s_i/Σ s, or 1/m for all if all weights are 0."""
        return s / s.sum() if s.any() else np.full_like(s, 1 / len(s))

    def _total(self, layers: Layers, y: Array, s: Array) -> float:
        """Return Σ s_i cost_i."""
        return float(s @ self.loss.cost(layers.z[-1], layers.a[-1], y, *self.constants))

    def _deltas(self, layers: Layers, y: Array, s: Array, training: bool) -> list[Pair]:
        """Return ∂J/∂z(l) and ∂J/∂u(l) for l = 2 … nl, which are equal without batch norm.

        δ(nl) of each example is multiplied by the example's weight s_i/Σ s in J.
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
        """Return ∂J/∂u from ∂J/∂z.

        In training μ and σ² are those of the batch and depend on u; otherwise they are constants.
        """
        scale = self.scales[l]
        if norm is None or scale is None:
            return delta
        hat, inverse = norm
        if training:
            relative = self._relative(s)[:, None]
            delta = delta - relative * (delta.sum(axis=0) + hat * (delta * hat).sum(axis=0))
        return np.asarray(scale * inverse * delta)

    def _gradients(
        self, layers: Layers, y: Array, s: Array, l2: float, training: bool
    ) -> list[tuple[Array, ...]]:
        """Return (∂J/∂W, ∂J/∂b) of each layer, and (∂J/∂W, ∂J/∂b, ∂J/∂γ) of normalized layers."""
        found: list[tuple[Array, ...]] = []
        for (delta, delta_u), a, W, norm in zip(
            self._deltas(layers, y, s, training), layers.a[:-1], self.weights, layers.norms,
            strict=True,
        ):
            both = delta_u.T @ a + l2 * W, delta.sum(axis=0)
            found.append(both if norm is None else (*both, (delta * norm[0]).sum(axis=0)))
        return found
