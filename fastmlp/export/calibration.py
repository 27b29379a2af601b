"""Make a network in 8-bit integers: choose quantization steps by the ranges of examples.

    ranges of x, z and a ── bytes of the inputs, of each hidden layer ── weights and biases in steps
    (ranges.py)

Inputs may have any units: a table may have both years and incomes.  Each column has an offset and
a step of its own, which are folded into the first layer:

    W(1) x + b(1) ≈ (W(1) ∘ step) q + (b(1) + W(1) offset)      with x_i ≈ offset_i + step_i q_i

Where all columns have the same unit, as the pixels of an image do, one step serves them all: then 0
and whole bytes are exact, and values beyond a single column's range are kept.  It is used where it
makes the error of z(2) no larger than `TOLERATED` times that of own steps.
"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..activations import Activation
from ..model.digest import model_digest
from ..network import MLP
from ..support import checks
from .blocks import ROWS_AT_ONCE
from .inference import inference_layers, is_table_model, metadata_of, require_mlp
from .integers import FINE, MIDDLE, FixedPoint, IntegerOnly
from .quantization import (
    LARGEST_BYTE,
    ByteRounding,
    InputScaling,
    IntegerLayer,
    Quantized,
    apply_activation,
    float32_rows,
)
from .ranges import METHODS, Range, Ranges, range_of, ranges_of

__all__ = ["quantize", "quantized_if_requested"]

Array = NDArray[Any]

LARGEST_WEIGHT = 127
LARGEST_SUM = 2**31 - 1
TABLE_SIZE = 1024  # four times the number of bytes, because f may be steep
CLAMPED = ("identity", "relu")  # functions without a table: clipping to the range is enough

TOLERATED = 2.0  # one step for all inputs may double the error of z(2), which costs it one bit
NARROWEST = 1e-36  # range of a column whose inverse step is a float32
FEW_ROWS = 100
LOW_AGREEMENT = 0.95


def quantize(
    net: MLP, calibration: ArrayLike, *, integer_only: bool = False, ranges: str = "minmax"
) -> Quantized:
    """Return a network in 8-bit integers.

    Parameters
    ----------
    net : MLP
        A trained network.  Batch norm is folded in; averaged parameters are used if the network
        predicts with them.  For models of tables see `quantize_table`.
    calibration : array-like, (m, n_in)
        Examples like those that the network will see, such as a few hundred training examples.
        Their ranges become the ranges of the bytes.  Later values outside are clipped, and a column
        with the same value in all rows counts as this value.
    integer_only : bool, default False
        Use no floating point at all: inputs and outputs are signed bytes, and sums are multiplied
        by an integer and shifted.  For processors without a floating-point unit.
    ranges : {"minmax", "percentile", "kl"}, default "minmax"
        How the ranges of the hidden layers' activations come from the calibration rows: from the
        smallest to the largest value; clipped at the 99.99th percentile of ``|a|``; or clipped
        where the Kullback–Leibler divergence of the rounded from the real distribution is smallest.
        The last two are for activations with few very large values.  Inputs and outputs keep the
        whole range.

    Returns
    -------
    Quantized
        With `forward` and `predict`, which show what the integers cost in accuracy, and with
        `agreement`, how well it agrees with the float network on the calibration rows.  With
        ``integer_only=True`` it is an `IntegerOnly`.

    Raises
    ------
    ValueError
        If calibration does not fit the network, if ranges is not one of these, or if a layer has
        too many inputs for 32-bit sums (16,000 are never too many).

    Warns
    -----
    UserWarning
        If there are fewer than 100 calibration rows, or if the network disagrees with the float
        network in more than 5 % of the labels (for values, if R² is below 0.95).

    See Also
    --------
    quantize_table : The same of a model of a table.
    to_c : Write the network as C.

    Examples
    --------
    >>> quantized = fastmlp.export.quantize(net, X[:500])
    >>> quantized.agreement > 0.95
    True
    """
    net = require_mlp(net)
    integer_only = checks.flag("integer_only", integer_only)
    checks.known("ranges", ranges, METHODS)
    with checks.within("calibration"):
        rows = float32_rows(calibration, net.n_in, net.uint8_scale)
    are_bytes = getattr(calibration, "dtype", None) == np.uint8
    layers = inference_layers(net)
    weights = [layer.weight.astype(np.float64) for layer in layers]
    biases = [layer.bias.astype(np.float64) for layer in layers]
    functions = [layer.activation for layer in layers]
    found = ranges_of(rows, weights, biases, functions, ranges)

    scale = ByteScale(net.uint8_scale, 0) if are_bytes else ByteScale.spanning(range_of(rows))
    inputs = _byte_inputs(rows, weights[0], biases[0], scale)
    hidden = [ByteScale.spanning(one) for one in found.a]
    roundings, units = [inputs.rounding], []
    for f, z_range, target in zip(functions, found.z, hidden, strict=False):
        unit, rounding = _rounding(f, z_range, target)
        units.append(unit)
        roundings.append(rounding)
    output = _byte_output(net, found) if integer_only else None
    units.append(output.unit if output else 1.0)
    steps_of_weights = [
        (inputs.weight, inputs.bias, inputs.zero),
        *(
            (W * source.step, b, source.zero)
            for W, b, source in zip(weights[1:], biases[1:], hidden, strict=True)
        ),
    ]
    quantized = Quantized(
        sizes=net.sizes,
        activation=net.activation,
        output_activation=net.output_activation,
        loss=net.loss,
        uint8_scale=net.uint8_scale,
        metadata=dict(metadata_of(net)),
        digest=model_digest(net.state),
        n_calibration=len(rows),
        ranges=ranges,
        agreement=float("nan"),
        input_scaling=inputs.scaling,
        roundings=tuple(roundings),
        layers=tuple(
            _integer_layer(l, *layer, unit)
            for l, (layer, unit) in enumerate(zip(steps_of_weights, units, strict=True), start=1)
        ),
    )
    if output:
        quantized = _integer_only(quantized, output)
    agreement = _agreement(quantized, rows, found.h)
    quantized = dataclasses.replace(quantized, agreement=agreement)
    _warn(quantized)
    return quantized


def quantized_if_requested(
    net: object,
    quantized: bool,
    calibration: ArrayLike | None,
    integer_only: bool = False,
    ranges: str = "minmax",
) -> MLP | Quantized:
    """Return the network that an export with these options writes; ValueError if they conflict."""
    if not isinstance(net, Quantized):
        net = require_mlp(net)
    if quantization_requested(net, quantized, calibration, integer_only, ranges):
        assert isinstance(net, MLP) and calibration is not None
        return quantize(net, calibration, integer_only=integer_only, ranges=ranges)
    return net


def quantization_requested(
    net: object,
    quantized: bool,
    calibration: object,
    integer_only: bool = False,
    ranges: str = "minmax",
) -> bool:
    """Return whether an export with these options is to quantize; ValueError if they conflict."""
    if checks.flag("quantized", quantized):
        if not isinstance(net, MLP) and not is_table_model(net):
            raise ValueError("net is quantized already; leave out quantized=True")
        if calibration is None:
            raise ValueError("quantized=True needs calibration, such as X_train[:1000]")
        return True
    if checks.flag("integer_only", integer_only):
        raise ValueError("integer_only=True needs quantized=True and calibration")
    if calibration is not None:
        raise ValueError("calibration needs quantized=True")
    if ranges != "minmax":
        raise ValueError(f"ranges={ranges!r} needs quantized=True and calibration")
    return False


# ------------------------------------------------------------------------------------- agreement


def _agreement(quantized: Quantized, rows: Array, h: Array) -> float:
    """Return the fraction of equal labels, or the smallest R² of an output."""
    if quantized.loss.classification:
        return float(np.mean(quantized.predict(rows) == quantized.loss.predict(h)))
    error = ((quantized.forward(rows) - h) ** 2).mean(axis=0)
    # an output that does not vary is compared with float32's own precision
    variance = np.maximum(h.var(axis=0), (1e-6 * np.abs(h).max(axis=0)) ** 2)
    with np.errstate(divide="ignore"):
        unexplained = np.divide(error, variance, out=np.zeros_like(error), where=error > 0)
    return float(1 - unexplained.max())


def _warn(quantized: Quantized) -> None:
    if quantized.n_calibration < FEW_ROWS:
        warnings.warn(
            f"{quantized.n_calibration} calibration rows are few: the ranges of later inputs may "
            f"be wider and are clipped; use a few hundred training examples",
            stacklevel=3,
        )
    if not quantized.agreement >= LOW_AGREEMENT:
        warnings.warn(
            f"the 8-bit network differs from the float network: {quantized.summary()}; export it "
            f"without quantization",
            stacklevel=3,
        )


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
        weight, bias, worth = _integers(self.weight, self.bias, self.zero)
        q = self.rounding(self.scaling(rows)).astype(np.float64)
        return float(np.sqrt(np.mean(((q @ weight.T + bias) * worth - z) ** 2)))


def _byte_inputs(rows: Array, W: Array, b: Array, scale: ByteScale) -> ByteInputs:
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


def _byte_output(net: MLP, ranges: Ranges) -> ByteOutput:
    """Return the bytes of z for classification, otherwise those of h."""
    if net.loss.classification:
        scale = ByteScale.spanning(ranges.z[-1])
        return ByteOutput(scale, scale.step / FINE, scale.rounding())
    scale = ByteScale.spanning(range_of(ranges.h))
    return ByteOutput(scale, *_rounding(net.output_activation, ranges.z[-1], scale))


def _integer_only(quantized: Quantized, output: ByteOutput) -> IntegerOnly:
    """Return the network with a factor and a shift in place of each multiplier."""
    own = {one.name: getattr(quantized, one.name) for one in dataclasses.fields(quantized)}
    return IntegerOnly(
        **own,
        fixed_points=tuple(FixedPoint.of(layer.multiplier) for layer in quantized.layers),
        output_rounding=output.rounding,
        output_step=output.scale.step,
        output_zero=output.scale.zero - MIDDLE,
    )


# ---------------------------------------------------------------------------------------- layers


def _rounding(f: Activation, span: Range, target: ByteScale) -> tuple[float, ByteRounding]:
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


def _integers(weight: Array, bias: Array, zero: int) -> tuple[Array, Array, Array]:
    """Return weights and biases in whole steps, and what 1 is worth in each unit's sum."""
    worth = np.abs(weight).max(axis=1) / LARGEST_WEIGHT
    worth = np.maximum(worth, np.abs(bias) / 2**30)
    worth[worth < 1e-300] = 1.0  # a unit that is always 0
    whole = np.rint(weight / worth[:, np.newaxis])
    return whole, np.rint(bias / worth) - zero * whole.sum(axis=1), worth


def _integer_layer(l: int, weight: Array, bias: Array, zero: int, unit: float) -> IntegerLayer:
    """Return layer l in integers; p = 1 stands for z = unit."""
    whole, start, worth = _integers(weight, bias, zero)
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
