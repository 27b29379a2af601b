"""How the values of a network become bytes: steps of inputs, outputs and hidden layers.

Inputs may have any units: a table may have both years and incomes.  Each column has an offset and
a step of its own, which are folded into the first layer:

    W(1) x + b(1) ≈ (W(1) ∘ step) q + (b(1) + W(1) offset)      with x_i ≈ offset_i + step_i q_i

Where all columns have the same unit, as the pixels of an image do, one step serves them all: then 0
and whole bytes are exact, and values beyond a single column's range are kept.  It is used where it
makes the error of z(2) no larger than `TOLERATED` times that of own steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..activations import Activation
from ..network import MLP
from .blocks import ROWS_AT_ONCE
from .integer_layers import (
    LARGEST_BYTE,
    ByteRounding,
    InputScaling,
    IntegerLayer,
    apply_activation,
)
from .integers import FINE
from .ranges import Range, Ranges, range_of

__all__ = [
    "ByteOutput",
    "ByteScale",
    "byte_inputs",
    "byte_output",
    "integer_layers",
    "rounding_of",
]

Array = NDArray[Any]

LARGEST_WEIGHT = 127
LARGEST_SUM = 2**31 - 1
TABLE_SIZE = 1024  # four times the number of bytes, because f may be steep
CLAMPED = ("identity", "relu")  # functions without a table: clipping to the range is enough

TOLERATED = 2.0  # one step for all inputs may double the error of z(2), which costs it one bit
NARROWEST = 1e-36  # range of a column whose inverse step is a float32


# ---------------------------------------------------------------------------------------- inputs


@dataclass(frozen=True)
class ByteScale:
    """How reals become bytes: a ≈ step·(q − zero); 0 is represented exactly."""

    step: float
    zero: int

    @classmethod
    def spanning(cls, span: Range) -> ByteScale:
        """Return the scale of a range, extended to 0."""
        low, high = min(span[0], 0.0), max(span[1], 0.0)
        step = max((high - low) / LARGEST_BYTE, 1e-30) if high > low else 1.0
        return cls(step, round(-low / step))

    def rounding(self) -> ByteRounding:
        """Return the rounding of p = a/step."""
        return ByteRounding(-self.zero, LARGEST_BYTE - self.zero)

    def to_bytes(self, a: Array) -> NDArray[np.uint8]:
        """Return a as bytes."""
        return np.asarray(np.clip(np.rint(a / self.step) + self.zero, 0, LARGEST_BYTE), np.uint8)


@dataclass(frozen=True)
class ByteInputs:
    """How inputs become bytes q, and the first layer z = weight (q − zero) + bias of these."""

    scaling: InputScaling
    rounding: ByteRounding
    weight: Array  # (n_out, n_in)
    bias: Array
    zero: int

    def error(self, rows: Array, z: Array) -> float:
        """Return the root mean square error of z(2), weights rounded too."""
        weight, bias, worth = integers(self.weight, self.bias, self.zero)
        q = self.rounding(self.scaling(rows)).astype(np.float64)
        return float(np.sqrt(np.mean(((q @ weight.T + bias) * worth - z) ** 2)))


def byte_inputs(rows: Array, W: Array, b: Array, scale: ByteScale) -> ByteInputs:
    """Return inputs with one scale for all columns, or with an offset and a step for each."""
    zero, inverse = np.zeros((), np.float32), np.array(1 / scale.step, np.float32)
    alike = ByteInputs(
        InputScaling(zero, inverse), scale.rounding(), W * scale.step, b, scale.zero
    )
    low = rows.min(axis=0)
    width = rows.max(axis=0) - low.astype(np.float64)
    varies = width > NARROWEST
    if not varies.any():
        return alike
    inverse = np.divide(LARGEST_BYTE, width, out=np.zeros_like(width), where=varies)
    inverse = inverse.astype(np.float32)
    step = np.divide(1.0, inverse, out=np.zeros_like(width), where=varies)
    own = ByteInputs(
        InputScaling(low, inverse), ByteRounding(0, LARGEST_BYTE), W * step, b + W @ low, 0
    )
    some = rows[:: -(-len(rows) // ROWS_AT_ONCE)]
    z = some @ W.T + b
    return alike if alike.error(some, z) <= TOLERATED * own.error(some, z) else own


# --------------------------------------------------------------------------------------- outputs


@dataclass(frozen=True)
class ByteOutput:
    """How the output layer of a network without floating point becomes bytes."""

    scale: ByteScale
    unit: float  # what p = 1 stands for in terms of z
    rounding: ByteRounding


def byte_output(net: MLP, ranges: Ranges) -> ByteOutput:
    """Return the bytes of z for classification, otherwise those of h."""
    if net.loss.classification:
        scale = ByteScale.spanning(ranges.z[-1])
        return ByteOutput(scale, scale.step / FINE, scale.rounding())
    scale = ByteScale.spanning(range_of(ranges.h))
    return ByteOutput(scale, *rounding_of(net.output_activation, ranges.z[-1], scale))


# ---------------------------------------------------------------------------------------- layers


def rounding_of(f: Activation, span: Range, target: ByteScale) -> tuple[float, ByteRounding]:
    """Return the unit of a hidden layer's p, in terms of z, and how p becomes bytes."""
    if f.name in CLAMPED:
        return target.step, target.rounding()
    low, high = _informative_range(f, span, target)
    step = (high - low) / (TABLE_SIZE - 1)
    first = round(low / step)
    table = target.to_bytes(apply_activation(f, np.arange(first, first + TABLE_SIZE) * step))
    return step, ByteRounding(first, first + TABLE_SIZE - 1, table)


def _informative_range(f: Activation, span: Range, target: ByteScale) -> Range:
    """Return the part of z's range, with 0, outside which f gives the bytes of its two ends."""
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    if high == low:
        return 0.0, 1.0
    z = np.linspace(low, high, 8 * TABLE_SIZE)
    changes = np.flatnonzero(np.diff(target.to_bytes(apply_activation(f, z))))
    if len(changes):
        low, high = min(z[changes[0]], 0.0), max(z[changes[-1] + 1], 0.0)
    return float(low), float(high)


def integers(weight: Array, bias: Array, zero: int) -> tuple[Array, Array, Array]:
    """Return weights and biases in whole steps, and what 1 is worth in each unit's sum."""
    worth = np.abs(weight).max(axis=1) / LARGEST_WEIGHT
    worth = np.maximum(worth, np.abs(bias) / 2**30)
    worth[worth < 1e-300] = 1.0  # a unit that is always 0
    whole = np.rint(weight / worth[:, np.newaxis])
    return whole, np.rint(bias / worth) - zero * whole.sum(axis=1), worth


def integer_layers(
    weights: Sequence[Array],
    biases: Sequence[Array],
    inputs: ByteInputs,
    hidden: Sequence[ByteScale],
    units: Sequence[float],
) -> tuple[IntegerLayer, ...]:
    """Return the layers in integers; each counts its inputs in steps."""
    layers = [(inputs.weight, inputs.bias, inputs.zero)]
    for W, b, source in zip(weights[1:], biases[1:], hidden, strict=True):
        layers.append((W * source.step, b, source.zero))
    return tuple(
        integer_layer(l, *layer, unit)
        for l, (layer, unit) in enumerate(zip(layers, units, strict=True), start=1)
    )


def integer_layer(l: int, weight: Array, bias: Array, zero: int, unit: float) -> IntegerLayer:
    """Return layer l in integers; p = 1 stands for z = unit."""
    whole, start, worth = integers(weight, bias, zero)
    largest = np.abs(start) + LARGEST_BYTE * np.abs(whole).sum(axis=1)
    if largest.max() > LARGEST_SUM:
        raise ValueError(
            f"layer {l} has {weight.shape[1]:,} inputs, too many for sums of 32 bits; export this "
            f"network without quantization"
        )
    if (largest * worth / unit).max() > np.finfo(np.float32).max:
        raise ValueError(f"layer {l} can reach values beyond the range of float32")
    multiplier = (worth / unit).astype(np.float32)
    return IntegerLayer(whole.astype(np.int8), start.astype(np.int32), multiplier)
