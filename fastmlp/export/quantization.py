"""A network in 8-bit integers, in the arithmetic that the exported C has, bit for bit.

What layers hand on is kept in bytes, weights in signed bytes with a step for each unit:

    a ≈ step·(q − zero)     q = 0 … 255      z ≈ unit_j·Σ_i w_ji (q_i − zero)     w = −127 … 127

so a layer is a sum of products of bytes in 32-bit integers, begun with the bias in the same unit
(−zero·Σ_i w_ji with it), and one product with a float for each unit of the network:

    s_j = bias_j + Σ_i w_ji q_i        p_j = s_j·multiplier_j        k = round(p_j) from low to high

For ReLU and identity k − low is the next q; for other functions it is a place in a table of q =
f(z).  Steps and tables come from the ranges that z and a have over examples, for calibration
(Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-
only inference").  The output layer's p is z itself, and its function is computed as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import kernels, steps
from ..activations import Activation, Softmax
from ..losses import Loss
from ..network import MLP
from ..support import checks
from .networks import single

__all__ = ["Quantized", "quantize"]

Array = NDArray[Any]
Span = tuple[float, float]  # least and greatest

MOST_BYTE = 255
MOST_WEIGHT = 127
MOST_SUM = 2**31 - 1
TABLE_SIZE = 1024  # four times as many places as there are bytes: f may be steep
ROWS_AT_ONCE = 4096

CLAMPED = ("identity", "relu")  # functions that need no table: what is out of range is cut off


@dataclass(frozen=True)
class Product:
    """p = (bias + Σ w q)·multiplier, of one layer."""

    weight: NDArray[np.int8]  # (n_out, n_in)
    bias: NDArray[np.int32]  # (n_out,)
    multiplier: NDArray[np.float32]  # (n_out,)

    def __call__(self, q: NDArray[np.uint8]) -> NDArray[np.float32]:
        # exact in float64, whatever the order: every sum is an integer below 2³¹
        total = q.astype(np.float64) @ self.weight.T.astype(np.float64) + self.bias
        return total.astype(np.float32) * self.multiplier


@dataclass(frozen=True)
class Rounding:
    """Bytes from p: k − low, or table[k − low], with k = round(p), cut off at low and high."""

    low: int
    high: int
    table: NDArray[np.uint8] | None = None

    def __call__(self, p: NDArray[np.float32]) -> NDArray[np.uint8]:
        place = np.rint(np.clip(p, self.low, self.high)).astype(np.int64) - self.low
        return np.asarray(place if self.table is None else self.table[place], np.uint8)


@dataclass(frozen=True)
class Quantized:
    """A network in 8-bit integers, as `quantize` makes it and `to_c` writes it.

    Attributes
    ----------
    sizes : tuple of int
        The network's.
    activation : tuple of Activation
        The network's, one for each hidden layer.
    output_activation : Activation
        The network's.
    loss : Loss
        The network's, which says what `predict` makes of outputs.
    uint8_scale : float
        The network's.
    metadata : dict
        The network's.
    inverse : float32
        p = x·inverse of the input.
    products : tuple of Product
        Its layers' arithmetic, as the module's description has it.
    roundings : tuple of Rounding
        Of the input and of each hidden layer.
    """

    sizes: tuple[int, ...]
    activation: tuple[Activation, ...]
    output_activation: Activation
    loss: Loss
    uint8_scale: float
    metadata: dict[str, Any] = field(repr=False)
    inverse: np.float32 = field(repr=False)
    products: tuple[Product, ...] = field(repr=False)
    roundings: tuple[Rounding, ...] = field(repr=False)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self.sizes[0]

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return self.sizes[-1]

    def forward(self, X: ArrayLike) -> Array:
        """Return the output activations h.

        Up to z of the output layer they have the bits of the compiled C.  The output's own function
        is computed in double precision in both and rounded to float, so that two C libraries agree
        but for a last bit, about once in 10⁸ values.

        Parameters
        ----------
        X : array-like, (m, n_in)
            Examples, one a row, as for `MLP.forward`, but not sparse.

        Returns
        -------
        ndarray, (m, n_out)
            Of float32.
        """
        rows = _reals(X, self.sizes[0], self.uint8_scale)
        return np.concatenate([self._forward(part) for part in _parts(rows)])

    def predict(self, X: ArrayLike) -> Array:
        """Return what the network says about each example, as `MLP.predict` does.

        Parameters
        ----------
        X : array-like, (m, n_in)
            Examples, one a row, as for `MLP.forward`, but not sparse.

        Returns
        -------
        ndarray
            As of `MLP.predict`.
        """
        return self.loss.predict(self.forward(X))

    def _forward(self, rows: NDArray[np.float32]) -> Array:
        with np.errstate(over="ignore"):  # to infinity, and cut off
            p = rows * self.inverse
        for rounding, product in zip(self.roundings, self.products, strict=True):
            p = product(rounding(p))
        return _apply(self.output_activation, p.astype(np.float64)).astype(np.float32)


def quantize(net: MLP, calibration: ArrayLike) -> Quantized:
    """Return a network in 8-bit integers.

    Parameters
    ----------
    net : MLP
        A trained network.  Batch norm is folded in; averaged parameters are taken if it predicts
        by them.
    calibration : array-like, (m, n_in)
        Examples such as it will see, a few hundred of those it was trained on: their ranges become
        those of the bytes, and what is beyond them later is cut off there.

    Returns
    -------
    Quantized
        With `forward` and `predict`, which tell what the integers cost in accuracy.

    Raises
    ------
    ValueError
        If calibration does not fit the network, or a layer has too many inputs for 32-bit sums
        (16,000 are never too many).
    """
    net = single(net)
    with checks.within("calibration"):
        rows = _reals(calibration, net.sizes[0], net.uint8_scale)
    weights, biases = ([one.astype(np.float64) for one in part] for part in net.folded)
    functions = (*net.activation, net.output_activation)
    z_spans, a_spans = _spans(rows, weights, biases, functions)

    kept = [_Bytes.spanning(span) for span in a_spans[:-1]]  # of the input and the hidden layers
    roundings, units = [kept[0].rounding()], []
    for f, span, target in zip(net.activation, z_spans, kept[1:], strict=False):
        unit, rounding = _rounding(f, span, target)
        units.append(unit)
        roundings.append(rounding)
    products = [
        _product(layer, W, b, source, unit)
        for layer, (W, b, source, unit) in enumerate(
            zip(weights, biases, kept, [*units, 1.0], strict=True), start=1
        )
    ]
    return Quantized(
        net.sizes,
        net.activation,
        net.output_activation,
        net.loss,
        net.uint8_scale,
        net.metadata,
        np.float32(1 / kept[0].step),
        tuple(products),
        tuple(roundings),
    )


@dataclass(frozen=True)
class _Bytes:
    """How reals are kept in bytes: a ≈ step·(q − zero); 0 is kept exactly."""

    step: float
    zero: int

    @classmethod
    def spanning(cls, span: Span) -> _Bytes:
        low, high = min(span[0], 0.0), max(span[1], 0.0)
        step = max((high - low) / MOST_BYTE, 1e-30) if high > low else 1.0
        return cls(step, round(-low / step))

    def rounding(self) -> Rounding:
        return Rounding(-self.zero, MOST_BYTE - self.zero)

    def of(self, a: Array) -> NDArray[np.uint8]:
        return np.asarray(np.clip(np.rint(a / self.step) + self.zero, 0, MOST_BYTE), np.uint8)


def _rounding(f: Activation, span: Span, target: _Bytes) -> tuple[float, Rounding]:
    """How a hidden layer's bytes come from its z: what p = 1 is worth of z, and the rest."""
    if f.name in CLAMPED:
        return target.step, target.rounding()
    low, high = _within(f, span, target)
    step = (high - low) / (TABLE_SIZE - 1)
    first = round(low / step)
    places = np.arange(first, first + TABLE_SIZE)
    table = target.of(_apply(f, places * step))
    return step, Rounding(first, first + TABLE_SIZE - 1, table)


def _within(f: Activation, span: Span, target: _Bytes) -> Span:
    """The part of z's range, with 0 in it, outside which f gives the bytes of its two ends."""
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    if high == low:
        return 0.0, 1.0
    z = np.linspace(low, high, 8 * TABLE_SIZE)
    changes = np.flatnonzero(np.diff(target.of(_apply(f, z))))
    if len(changes):
        low, high = min(z[changes[0]], 0.0), max(z[changes[-1] + 1], 0.0)
    return float(low), float(high)


def _product(layer: int, W: Array, b: Array, source: _Bytes, unit: float) -> Product:
    """A layer in integers; p = 1 stands for z = unit."""
    worth = np.abs(W).max(axis=1) * source.step / MOST_WEIGHT  # of 1 in a unit's sum
    worth = np.maximum(worth, np.abs(b) / 2**30)
    worth[worth < 1e-300] = 1.0  # a unit that is always 0
    weight = np.rint(W * source.step / worth[:, np.newaxis])
    bias = np.rint(b / worth) - source.zero * weight.sum(axis=1)
    most = np.abs(bias) + MOST_BYTE * np.abs(weight).sum(axis=1)
    if most.max() > MOST_SUM:
        raise ValueError(
            f"layer {layer} has {W.shape[1]:,} inputs, too many for sums of 32 bits; export this "
            f"network without quantization"
        )
    if (most * worth / unit).max() > np.finfo(np.float32).max:
        raise ValueError(f"layer {layer} can reach values beyond the range of float32")
    multiplier = (worth / unit).astype(np.float32)
    return Product(weight.astype(np.int8), bias.astype(np.int32), multiplier)


def _spans(
    rows: Array, weights: list[Array], biases: list[Array], functions: Sequence[Activation]
) -> tuple[list[Span], list[Span]]:
    """Least and greatest of z(2) … z(nl), and of a(1) … a(nl), over all rows and units."""
    ends = []  # of each part of the rows, layer by layer
    for part in _parts(rows):
        z, a = steps.forward(part.astype(np.float64), weights, biases, functions)
        ends.append([(one.min(), one.max()) for one in (*z, *a)])
    if not np.isfinite(ends).all():
        raise ValueError("calibration leads to activations that are infinite or NaN")
    low, high = np.min(ends, axis=0)[:, 0], np.max(ends, axis=0)[:, 1]
    spans = [(float(least), float(most)) for least, most in zip(low, high, strict=True)]
    return spans[: len(weights)], spans[len(weights) :]


def _parts(rows: Array) -> list[Array]:
    """Rows in parts, so that memory stays bounded."""
    ends = [*range(0, len(rows), ROWS_AT_ONCE), len(rows)]
    return [rows[first:last] for first, last in pairwise(ends)]


def _reals(X: ArrayLike, n_in: int, uint8_scale: float) -> NDArray[np.float32]:
    """Examples as C takes them: floats, bytes already scaled."""
    rows = checks.rows(checks.array("X", X), n_in, np.dtype(np.float32))
    assert not isinstance(rows, tuple)
    scaled = rows.dtype == np.uint8
    return rows.astype(np.float32) * np.float32(uint8_scale if scaled else 1)


def _apply(f: Activation, z: Array) -> Array:
    """f(z), of rows or their groups for softmax."""
    if isinstance(f, Softmax) and f.groups:
        return np.hstack([_apply(Softmax(), z[:, first:end]) for first, end in f.spans])
    if f.name != "softmax":
        result: Array = kernels.operations("float64").activate(
            np.ascontiguousarray(z), f.name, f.parameter
        )[0]
        return result
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))
