"""Layers in 8-bit integers, with exactly the arithmetic of the exported C.

The activations that a layer passes on are bytes q, weights are signed bytes w with a quantization
step for each unit:

    a ≈ step·(q − zero)     q = 0 … 255      z ≈ unit_j·Σ_i w_ji (q_i − zero)     w = −127 … 127

A layer is therefore a sum of products of bytes in 32-bit integers, which starts with the bias
(−zero·Σ_i w_ji included), and one multiplication by a float for each unit:

    s_j = bias_j + Σ_i w_ji q_i        p_j = s_j·multiplier_j        k = round(p_j), clipped

For ReLU and identity k − low is the next layer's q; for other functions it is an index into a table
of q = f(z).  Inputs become bytes by k = round((x_i − offset_i)·inverse_i), with one offset and
inverse for each column or for all.  The p of the output layer is z itself, and the output
activation is computed in floating point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..activations import Activation, Softmax

__all__ = ["LARGEST_BYTE", "ByteRounding", "InputScaling", "IntegerLayer", "apply_activation"]

Array = NDArray[Any]

LARGEST_BYTE = 255


@dataclass(frozen=True, eq=False)
class InputScaling:
    """p = (x − offset)·inverse, in float32."""

    offset: NDArray[np.float32]  # (n_in,), or () for all columns alike
    inverse: NDArray[np.float32]

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        with np.errstate(over="ignore", invalid="ignore"):  # infinities are clipped afterwards
            return np.asarray((x - self.offset) * self.inverse)


@dataclass(frozen=True, eq=False)
class ByteRounding:
    """Bytes k − low, or table[k − low], of k = round(p) clipped to the range low … high."""

    low: int
    high: int
    table: NDArray[np.uint8] | None = None

    def __call__(self, p: NDArray[np.float32]) -> NDArray[np.uint8]:
        index = np.rint(np.clip(p, self.low, self.high)).astype(np.int64) - self.low
        return np.asarray(index if self.table is None else self.table[index], np.uint8)


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """p = (bias + Σ w q)·multiplier."""

    weight: NDArray[np.int8]  # (n_out, n_in)
    bias: NDArray[np.int32]  # (n_out,)
    multiplier: NDArray[np.float32]  # (n_out,)

    def __call__(self, q: NDArray[np.uint8]) -> NDArray[np.float32]:
        # exact in float64, in any order: every sum is an integer below 2³¹
        total = q.astype(np.float64) @ self.weight.T.astype(np.float64) + self.bias
        return total.astype(np.float32) * self.multiplier


def apply_activation(f: Activation, z: Array) -> Array:
    """Return f(z) in float64; softmax of each row, or of each of its groups."""
    if isinstance(f, Softmax) and f.groups:
        return np.hstack([apply_activation(Softmax(), z[:, first:end]) for first, end in f.spans])
    if isinstance(f, Softmax):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))
    operations = kernels.operations("float64")
    result: Array = operations.activate(np.ascontiguousarray(z), f.name, f.parameter)[0]
    return result
