"""Networks in 8-bit integers, with exactly the arithmetic of the exported C.

The activations that a layer passes on are bytes q, weights are signed bytes w with a quantization
step for each unit:

    a ≈ step·(q − zero)     q = 0 … 255      z ≈ unit_j·Σ_i w_ji (q_i − zero)     w = −127 … 127

A layer is therefore a sum of products of bytes in 32-bit integers, which starts with the bias
(−zero·Σ_i w_ji included), and one multiplication by a float for each unit:

    s_j = bias_j + Σ_i w_ji q_i        p_j = s_j·multiplier_j        k = round(p_j), clipped

For ReLU and identity k − low is the next layer's q; for other functions it is an index into a table
of q = f(z).  Inputs become bytes by k = round((x_i − offset_i)·inverse_i), with one offset and
inverse for each column or for all.  The p of the output layer is z itself, and the output
activation is computed in floating point.  calibration.py makes such networks (Jacob et al. 2018,
"Quantization and training of neural networks for efficient integer-arithmetic-only inference").
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import kernels
from ..activations import Activation, Softmax
from ..losses import Loss
from ..support import checks
from . import quantized_files
from .blocks import row_blocks

__all__ = [
    "LARGEST_BYTE",
    "ByteRounding",
    "InputScaling",
    "IntegerLayer",
    "Quantized",
    "apply_activation",
    "float32_rows",
]

Array = NDArray[Any]

LARGEST_BYTE = 255


@dataclass(frozen=True)
class InputScaling:
    """p = (x − offset)·inverse, in float32."""

    offset: NDArray[np.float32]  # (n_in,), or () for all columns alike
    inverse: NDArray[np.float32]

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        with np.errstate(over="ignore", invalid="ignore"):  # infinities are clipped afterwards
            return np.asarray((x - self.offset) * self.inverse)


@dataclass(frozen=True)
class ByteRounding:
    """Bytes k − low, or table[k − low], of k = round(p) clipped to the range low … high."""

    low: int
    high: int
    table: NDArray[np.uint8] | None = None

    def __call__(self, p: NDArray[np.float32]) -> NDArray[np.uint8]:
        index = np.rint(np.clip(p, self.low, self.high)).astype(np.int64) - self.low
        return np.asarray(index if self.table is None else self.table[index], np.uint8)


@dataclass(frozen=True)
class IntegerLayer:
    """p = (bias + Σ w q)·multiplier."""

    weight: NDArray[np.int8]  # (n_out, n_in)
    bias: NDArray[np.int32]  # (n_out,)
    multiplier: NDArray[np.float32]  # (n_out,)

    def __call__(self, q: NDArray[np.uint8]) -> NDArray[np.float32]:
        # exact in float64, in any order: every sum is an integer below 2³¹
        total = q.astype(np.float64) @ self.weight.T.astype(np.float64) + self.bias
        return total.astype(np.float32) * self.multiplier


@dataclass(frozen=True)
class Quantized:
    """A network in 8-bit integers, as `quantize` returns it and `to_c` writes it.

    Attributes
    ----------
    sizes : tuple of int
        Numbers of units of the float network.
    activation : tuple of Activation
        Activation of each hidden layer.
    output_activation : Activation
        Activation of the output layer.
    loss : Loss
        The float network's loss.
    uint8_scale : float
        What uint8 examples are multiplied by.
    metadata : dict
        The float network's metadata.
    digest : str
        The float network's digest.
    n_calibration : int
        Number of calibration rows.
    ranges : str
        How the ranges of hidden layers come from them: see `quantize`.
    agreement : float
        How well the network agrees with the float network on the calibration rows.  For
        classification the fraction of labels that are the same.  For other losses the coefficient
        of determination R² of its outputs, with those of the float network as the truth; the
        smallest R² of all outputs.
    input_scaling : InputScaling
        How inputs are scaled before they are rounded to bytes.
    roundings : tuple of ByteRounding
        How the input and the hidden layers are rounded to bytes.
    layers : tuple of IntegerLayer
        The arithmetic of the layers.

    See Also
    --------
    quantize : Make a network in 8-bit integers.
    """

    integer_only: ClassVar[bool] = False

    sizes: tuple[int, ...]
    activation: tuple[Activation, ...]
    output_activation: Activation
    loss: Loss
    uint8_scale: float
    metadata: dict[str, Any] = field(repr=False)
    digest: str
    n_calibration: int
    ranges: str
    agreement: float
    input_scaling: InputScaling = field(repr=False)
    roundings: tuple[ByteRounding, ...] = field(repr=False)
    layers: tuple[IntegerLayer, ...] = field(repr=False)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self.sizes[0]

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return self.sizes[-1]

    def save(self, path: str | os.PathLike[str], *, compress: bool = False) -> None:
        """Write the network to a file that `Quantized.load` reads.

        Parameters
        ----------
        path : path-like
            The file, which appears whole or not at all; no ending is added to its name.
        compress : bool, default False
            Compress the file, without loss.

        Raises
        ------
        TypeError
            If ``metadata`` has something that JSON cannot represent.
        ValueError
            If the loss was written in Python.
        OSError
            If the file cannot be written.
        """
        compress = checks.flag("compress", compress)
        quantized_files.write(path, self, *self._packed(), compress)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network that `save` wrote.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        Quantized
            The network as it was saved: it computes the same bits.  It is an `IntegerOnly` if the
            saved network was.

        Raises
        ------
        ValueError
            If the file holds another model, is damaged, or comes from a newer fastmlp;
            `IntegerOnly.load` also refuses a network with floating point.
        OSError
            If the file cannot be opened or read.
        """
        spec, entry, metadata, arrays = quantized_files.read(path)
        kinds = {one.integer_only: one for one in (cls, *cls.__subclasses__())}
        kind = kinds.get(entry["integer_only"])
        if kind is None:
            raise ValueError(
                f"{os.fspath(path)} holds a network with floating point; Quantized.load reads it"
            )
        return kind(
            sizes=spec.sizes,
            activation=spec.activation,
            output_activation=spec.output_activation,
            loss=spec.loss,
            uint8_scale=spec.uint8_scale,
            metadata=metadata,
            digest=entry["model_digest"],
            n_calibration=entry["n_calibration"],
            ranges=entry["ranges"],
            agreement=entry["agreement"],
            **kind._unpacked(entry, arrays),
        )

    def _packed(self) -> tuple[quantized_files.Entry, quantized_files.Arrays]:
        """Return the entry of a file's header and the arrays."""
        scaling = self.input_scaling
        arrays: quantized_files.Arrays = {
            "input_offset": scaling.offset, "input_inverse": scaling.inverse
        }  # fmt: skip
        for l, layer in enumerate(self.layers, start=1):
            arrays |= {f"{name}_{l}": array for name, array in vars(layer).items()}
        roundings = self._all_roundings()
        for l, one in enumerate(roundings, start=1):
            if one.table is not None:
                arrays[f"table_{l}"] = one.table
        return {
            "integer_only": self.integer_only,
            "per_column": bool(scaling.inverse.ndim),
            "roundings": [quantized_files.entry_of_rounding(**vars(one)) for one in roundings],
        }, arrays

    def _all_roundings(self) -> tuple[ByteRounding, ...]:
        """Return the roundings of all layers that become bytes, in order."""
        return self.roundings

    @classmethod
    def _unpacked(
        cls, entry: quantized_files.Entry, arrays: quantized_files.Arrays
    ) -> dict[str, Any]:
        """Return the fields that `_packed` packed."""
        n_layers = sum(name.startswith("weight_") for name in arrays)
        return {
            "input_scaling": InputScaling(arrays["input_offset"], arrays["input_inverse"]),
            "roundings": tuple(
                ByteRounding(one["low"], one["high"], arrays.get(f"table_{l}"))
                for l, one in enumerate(entry["roundings"], start=1)
            )[:n_layers],
            "layers": tuple(
                IntegerLayer(*(arrays[f"{name}_{l}"] for name in ("weight", "bias", "multiplier")))
                for l in range(1, n_layers + 1)
            ),
        }

    def summary(self) -> str:
        """Return a sentence about the agreement with the float network.

        Returns
        -------
        str
            The agreement and the number of calibration rows.
        """
        if self.loss.classification:
            figure = f"{100 * self.agreement:.2f} % of the labels are those of the float network"
        else:
            figure = (
                f"R² of the outputs is {self.agreement:.5f} with those of the float network as the "
                f"truth"
            )
        return f"on {self.n_calibration:,} calibration rows {figure}"

    def forward(self, X: ArrayLike) -> Array:
        """Return the output activations h.

        Up to z of the output layer they have the bits of the compiled C.  The output activation is
        computed in double precision in both and rounded to float, so the results of two C libraries
        differ in the last bit at most, about once in 10⁸ values.

        Parameters
        ----------
        X : array-like, (m, n_in)
            Examples, one a row, as for `MLP.forward`, but not sparse.

        Returns
        -------
        ndarray, (m, n_out)
            In float32.
        """
        z = self.logits(X).astype(np.float64)
        return apply_activation(self.output_activation, z).astype(np.float32)

    def predict(self, X: ArrayLike) -> Array:
        """Return the predicted label or value of each example.

        Labels come from z of the output layer, as in the compiled C.

        Parameters
        ----------
        X : array-like, (m, n_in)
            Examples, one a row, as for `MLP.forward`, but not sparse.

        Returns
        -------
        ndarray
            As of `MLP.predict`.
        """
        if not self.loss.classification:
            return self.loss.predict(self.forward(X))
        z = self.logits(X)
        if not isinstance(self.output_activation, Softmax):
            z = (z > 0).astype(np.float32)  # where the sigmoid is above ½
        return self.loss.predict(z)

    def logits(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return z of the output layer, with the bits of the compiled C.

        Parameters
        ----------
        X : array-like, (m, n_in)
            Examples, one a row, as for `MLP.forward`, but not sparse.

        Returns
        -------
        ndarray, (m, n_out)
            In float32.
        """
        rows = float32_rows(X, self.n_in, self.uint8_scale)
        return np.concatenate([self._logits(block) for block in row_blocks(rows)])

    def _logits(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        p = self.input_scaling(rows)
        for rounding, layer in zip(self.roundings, self.layers, strict=True):
            p = layer(rounding(p))
        return p


def float32_rows(X: ArrayLike, n_in: int, uint8_scale: float) -> NDArray[np.float32]:
    """Return examples as the exported C takes them: float32, uint8 already scaled."""
    rows = checks.rows(checks.array("X", X), n_in, np.dtype(np.float32))
    assert not isinstance(rows, tuple)
    scale = uint8_scale if rows.dtype == np.uint8 else 1
    return rows.astype(np.float32) * np.float32(scale)


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
