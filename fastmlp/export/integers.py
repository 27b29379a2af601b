"""Networks in 8-bit integers without any floating point, as the integer-only C computes them.

They are networks of quantization.py whose multiplications by a float are replaced by those of
gemmlowp and CMSIS-NN, an integer factor and a shift for each unit:

    p_j = s_j·multiplier_j ≈ (s_j·factor_j + 2^(shift_j − 1)) >> shift_j      2³⁰ ≤ factor_j < 2³¹

Inputs and outputs are signed bytes, q − 128 of quantization.py.  The outputs of classification are
z of the output layer; labels come from z before it is rounded to bytes, in 1/65,536 of their step.
Other outputs are h.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import quantized_files
from .blocks import row_blocks
from .integer_layers import ByteRounding, apply_activation
from .quantization import Quantized, finite_float32, float32_rows

__all__ = ["FINE", "MIDDLE", "FixedPoint", "IntegerOnly"]

Array = NDArray[Any]

MIDDLE = 128  # signed bytes are q − 128
FINE = 2**16  # parts of an output's step in which labels are compared
LARGEST = 2**31 - 1
LARGEST_SHIFT = 62  # so that products with their rounding stay below 2⁶³


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Multiplication of sums by a real factor for each unit, in 64-bit integers."""

    factor: NDArray[np.int32]  # (n_out,)
    shift: NDArray[np.uint8]

    @classmethod
    def of(cls, multiplier: Array) -> FixedPoint:
        """Return the nearest factors of 31 bits; ValueError if a multiplier is 2³⁰ or more."""
        mantissa, exponent = np.frexp(multiplier.astype(np.float64))
        factor, shift = np.rint(mantissa * 2**31).astype(np.int64), 31 - exponent
        rounded_up = factor == 2**31
        factor, shift = np.where(rounded_up, 2**30, factor), shift - rounded_up
        if shift.min() < 1:
            raise ValueError(
                "the quantization steps of two layers differ by a factor of more than 2^30; write "
                "this network without integer_only"
            )
        factor = np.where(shift > LARGEST_SHIFT, 0, factor)  # every product would be rounded to 0
        shift = np.minimum(shift, LARGEST_SHIFT)
        return cls(factor.astype(np.int32), shift.astype(np.uint8))

    def __call__(self, total: NDArray[np.int64]) -> NDArray[np.int64]:
        shift = self.shift.astype(np.int64)
        product = total * self.factor.astype(np.int64) + (np.int64(1) << (shift - 1))
        return np.asarray(np.clip(product >> shift, -LARGEST, LARGEST))


@dataclass(frozen=True, eq=False)
class IntegerOnly(Quantized):
    """A network in 8-bit integers without floating point: ``quantize(net, X, integer_only=True)``.

    It has the methods and attributes of `Quantized`.  `forward` returns the reals that the signed
    bytes of the compiled C stand for.

    Attributes
    ----------
    fixed_points : tuple of FixedPoint
        The multiplications of each layer's sums.
    output_rounding : ByteRounding
        How the output layer is rounded to bytes.
    output_step : float
        Step of the outputs: a byte h stands for ``output_step * (h - output_zero)``.
    output_zero : int
        The signed byte that stands for 0.
    """

    integer_only: ClassVar[bool] = True

    fixed_points: tuple[FixedPoint, ...] = field(repr=False)
    output_rounding: ByteRounding = field(repr=False)
    output_step: float
    output_zero: int

    def _packed(self) -> tuple[quantized_files.Entry, quantized_files.Arrays]:
        entry, arrays = super()._packed()
        for l, one in enumerate(self.fixed_points, start=1):
            arrays |= {f"factor_{l}": one.factor, f"shift_{l}": one.shift}
        return {
            **entry,
            "output_step": self.output_step,
            "output_zero": self.output_zero,
        }, arrays

    def _all_roundings(self) -> tuple[ByteRounding, ...]:
        return (*self.roundings, self.output_rounding)

    @classmethod
    def _unpacked(
        cls, entry: quantized_files.Entry, arrays: quantized_files.Arrays
    ) -> dict[str, Any]:
        fields = super()._unpacked(entry, arrays)
        n_layers, output = len(fields["layers"]), entry["roundings"][-1]
        table = arrays.get(f"table_{n_layers + 1}")
        return {
            **fields,
            "fixed_points": tuple(
                FixedPoint(arrays[f"factor_{l}"], arrays[f"shift_{l}"])
                for l in range(1, n_layers + 1)
            ),
            "output_rounding": ByteRounding(output["low"], output["high"], table),
            "output_step": entry["output_step"],
            "output_zero": entry["output_zero"],
        }

    def input_bytes(self, X: ArrayLike) -> NDArray[np.int8]:
        """Return examples as the signed bytes that the compiled C takes.

        Parameters
        ----------
        X : array-like, (m, n_in)
            Examples, one a row, as for `MLP.forward`, but not sparse.

        Returns
        -------
        ndarray, (m, n_in)
            In int8.
        """
        rows = float32_rows(X, self)
        q = self.roundings[0](self.input_scaling(rows))
        return (q.astype(np.int16) - MIDDLE).astype(np.int8)

    def output_bytes(self, X: ArrayLike) -> NDArray[np.int8]:
        """Return the signed bytes that the compiled C returns.

        Parameters
        ----------
        X : array-like, (m, n_in)
            Examples, one a row, as for `MLP.forward`, but not sparse.

        Returns
        -------
        ndarray, (m, n_out)
            In int8: z of the output layer for classification, otherwise h.
        """
        p = self._fixed_point_output(X)
        if self.loss.classification:
            p = (p + FINE // 2) >> 16
        q = self.output_rounding(p)  # type: ignore[arg-type]  # integers of any type
        return (q.astype(np.int16) - MIDDLE).astype(np.int8)

    def forward(self, X: ArrayLike) -> Array:
        """Return the output activations h by the bytes of the output.

        Parameters
        ----------
        X : array-like, (m, n_in)
            Examples, one a row, as for `MLP.forward`, but not sparse.

        Returns
        -------
        ndarray, (m, n_out)
            In float32.

        Raises
        ------
        FloatingPointError
            If an output is beyond float32, as by the exponential function of large z.
        """
        h = self.output_step * (self.output_bytes(X).astype(np.float64) - self.output_zero)
        if self.loss.classification:
            h = apply_activation(self.output_activation, h)
        return finite_float32(h)

    def logits(self, X: ArrayLike) -> Array:
        """Return z of the output layer, from which labels come.

        Parameters
        ----------
        X : array-like, (m, n_in)
            Examples, one a row, as for `MLP.forward`, but not sparse.

        Returns
        -------
        ndarray, (m, n_out)
            In float64, which holds the compiled C's integers exactly, in 1/65,536 of the output's
            step.
        """
        z: Array = self._fixed_point_output(X).astype(np.float64)
        return z

    def _fixed_point_output(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return p of the output layer."""
        q = self.input_bytes(X).astype(np.int64) + MIDDLE
        return np.concatenate([self._of_bytes(block) for block in row_blocks(q)])

    def _of_bytes(self, q: NDArray[np.int64]) -> NDArray[np.int64]:
        roundings = (*self.roundings[1:], None)
        for layer, by, rounding in zip(self.layers, self.fixed_points, roundings, strict=True):
            # exact in float64: every sum is an integer below 2³¹
            total = q.astype(np.float64) @ layer.weight.T.astype(np.float64) + layer.bias
            p = by(total.astype(np.int64))
            if rounding is not None:
                q = rounding(p).astype(np.int64)  # type: ignore[arg-type]
        return p

    def signed_biases(self) -> list[NDArray[np.int32]]:
        """Return the bias of each layer whose inputs are q − 128.

        Returns
        -------
        list of ndarray
            (n_out,) int32 for each layer.

        Raises
        ------
        ValueError
            If a layer has so many inputs that its sums exceed 32 bits.
        """
        biases = []
        for l, layer in enumerate(self.layers, start=1):
            weight = layer.weight.astype(np.int64)
            bias = layer.bias + MIDDLE * weight.sum(axis=1)
            if (np.abs(bias) + MIDDLE * np.abs(weight).sum(axis=1)).max() > LARGEST:
                raise ValueError(
                    f"layer {l} has {weight.shape[1]:,} inputs, too many for sums of 32 bits; "
                    f"write this network without integer_only"
                )
            biases.append(bias.astype(np.int32))
        return biases
