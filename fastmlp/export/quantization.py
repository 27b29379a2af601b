"""Networks in 8-bit integers, with exactly the arithmetic of the exported C.

    x ── encodings, in float32: a(1) ── bytes ── layers (integer_layers.py) ── z ── h

calibration.py makes such networks (Jacob et al. 2018, "Quantization and training of neural networks
for efficient integer-arithmetic-only inference").
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..activations import Activation, Softmax
from ..encodings import Encoding
from ..losses import Loss
from ..model import columns, files
from ..network import MLP
from ..support import checks
from . import quantized_files
from .blocks import row_blocks
from .inference import Columns
from .integer_layers import ByteRounding, InputScaling, IntegerLayer, apply_activation

__all__ = ["Quantized", "finite_float32", "float32_rows", "refuse_float64"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
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
    columns : Columns
        The encodings of the columns, in floating point.
    input_scaling : InputScaling
        How inputs, or the outputs of their encodings, are scaled before they are rounded to bytes.
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
    columns: Columns = field(repr=False)
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

    @property
    def encodings(self) -> tuple[Encoding, ...]:
        """The encoding of each column, as of `MLP.encodings`."""
        return self.columns.encodings

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
        files.write_npz(path, self.pack(), compress)

    def pack(self) -> quantized_files.Packed:
        """Return the header and the arrays of a file.

        Returns
        -------
        header : dict
            In JSON's types.
        arrays : dict
            By name.
        """
        entry, arrays = self._packed()
        return quantized_files.header_of(self, entry), arrays

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
        contents = quantized_files.read(path)
        kinds = {one.integer_only: one for one in (cls, *cls.__subclasses__())}
        kind = kinds.get(contents.entry["integer_only"])
        if kind is None:
            raise ValueError(
                f"{os.fspath(path)} holds a network with floating point; Quantized.load reads it"
            )
        return kind.unpack(contents)

    @classmethod
    def unpack(cls, contents: quantized_files.Contents) -> Self:
        """Return the network of what was read from a file.

        Parameters
        ----------
        contents : Contents
            What was read and checked.

        Returns
        -------
        Quantized
            The network.
        """
        spec, entry, metadata, arrays = contents
        of_encodings = [arrays[name] for name in spec.encoding_shapes]
        return cls(
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
            columns=Columns(
                spec.encodings,
                columns.by_column(spec.encodings, of_encodings),
                of_encodings[-1] if spec.input_scaling else None,
            ),
            **cls._unpacked(entry, arrays),
        )

    def _packed(self) -> tuple[quantized_files.Entry, quantized_files.Arrays]:
        """Return the entry of a file's header and the arrays."""
        scaling = self.input_scaling
        arrays = quantized_files.arrays_of_columns(self.columns)
        arrays |= {"input_offset": scaling.offset, "input_inverse": scaling.inverse}
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

        Raises
        ------
        FloatingPointError
            If an output is beyond float32, as by the exponential function of large z.
        """
        z = self.logits(X).astype(np.float64)
        return finite_float32(apply_activation(self.output_activation, z))

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probabilities of the classes, or of 1 for "binary_cross_entropy".

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
        ValueError
            If the loss is that of a regression.
        """
        self.loss.check_classification()
        return self.forward(X)

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
        rows = float32_rows(X, self)
        return np.concatenate([self._logits(block) for block in row_blocks(rows)])

    def _logits(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        p = self.input_scaling(self.columns(rows))
        for rounding, layer in zip(self.roundings, self.layers, strict=True):
            p = layer(rounding(p))
        return p


def finite_float32(h: Array) -> NDArray[np.float32]:
    """Return outputs in float32, which has to hold them."""
    with np.errstate(over="ignore"):
        found = h.astype(np.float32)
    checks.finite_outputs(found)
    return found


def refuse_float64(dtype: Any) -> None:
    """Raise ValueError at a dtype of an export that a network in 8-bit integers does not have."""
    if dtype is not None and checks.real_dtype(dtype) != np.float32:
        raise ValueError(
            f"a quantized network computes in 8-bit integers, got dtype "
            f"{checks.real_dtype(dtype).name!r}; leave it out"
        )


def float32_rows(X: ArrayLike, net: MLP | Quantized) -> NDArray[np.float32]:
    """Return examples as the exported C takes them: float32, uint8 already scaled."""
    rows = checks.rows(checks.array("X", X), net.n_in, np.dtype(np.float32))
    assert not isinstance(rows, tuple)
    if net.encodings:
        columns.check_rows(rows, net.encodings, np.dtype(np.float32))
    scale = net.uint8_scale if rows.dtype == np.uint8 else 1
    return rows.astype(np.float32) * np.float32(scale)
