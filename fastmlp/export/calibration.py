"""Make a network in 8-bit integers: choose quantization steps by the ranges of examples.

    ranges of x, z and a ── bytes of the inputs, of each hidden layer ── weights and biases in steps
    (ranges.py)             (byte_scales.py)

Encodings of columns stay in floating point; their outputs a(1) are then the inputs.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.digest import model_digest
from ..network import MLP
from ..support import checks
from ..support.user_warnings import warn_user
from .byte_scales import (
    ByteOutput,
    ByteScale,
    byte_inputs,
    byte_output,
    integer_layers,
    rounding_of,
)
from .inference import (
    inference_columns,
    is_table_model,
    layers_after_encodings,
    metadata_of,
    require_mlp,
)
from .integers import MIDDLE, FixedPoint, IntegerOnly
from .quantization import Quantized, float32_rows
from .ranges import METHODS, range_of, ranges_of

__all__ = [
    "quantization_requested",
    "quantize",
    "quantized_if_requested",
    "quantized_network",
    "smallest_r2",
    "warn_of_calibration",
]

Array = NDArray[Any]

FEW_ROWS = 100
LOW_AGREEMENT = 0.95


@overload
def quantize(
    net: MLP, calibration: ArrayLike, *, integer_only: Literal[True], ranges: str = "minmax"
) -> IntegerOnly: ...


@overload
def quantize(
    net: MLP, calibration: ArrayLike, *, integer_only: bool = False, ranges: str = "minmax"
) -> Quantized: ...


def quantize(
    net: MLP, calibration: ArrayLike, *, integer_only: bool = False, ranges: str = "minmax"
) -> Quantized:
    """Return a network in 8-bit integers.

    Parameters
    ----------
    net : MLP
        A trained network.  Batch norm is folded in; averaged parameters are used if the network
        predicts with them.  Encodings of its columns are computed in float32, the layers after
        them in 8-bit integers.  For models of tables see `quantize_table`.
    calibration : array-like, (m, n_in)
        Examples like those that the network will see, such as a few hundred training examples.
        Their ranges become the ranges of the bytes.  Later values outside are clipped, and a column
        with the same value in all rows counts as this value.
    integer_only : bool, default False
        Use no floating point at all: inputs and outputs are signed bytes, and sums are multiplied
        by an integer and shifted.  For processors without a floating-point unit.  Networks whose
        columns have encodings have no such form.
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
        If calibration does not fit the network, if ranges is not one of these, if a layer has too
        many inputs for 32-bit sums (16,000 are never too many), or if a network with encodings is
        to have integers only.
    FloatingPointError
        If an output for a row of calibration is beyond float32.

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
    quantized = quantized_network(net, calibration, integer_only, ranges)
    warn_of_calibration(quantized, "network")
    return quantized


def quantized_network(
    net: MLP, calibration: ArrayLike, integer_only: bool, ranges: str
) -> Quantized:
    """Return what `quantize` returns, without its warnings."""
    net = require_mlp(net)
    integer_only = checks.flag("integer_only", integer_only)
    checks.known("ranges", ranges, METHODS)
    if integer_only and net.encodings:
        kinds = ", ".join(sorted({one.name for one in net.encodings}))
        raise ValueError(
            f"integer_only=True: the encodings of the network's columns ({kinds}) are computed in "
            f"floating point; leave out integer_only, and only the layers are in integers"
        )
    with checks.within("calibration"):
        rows = float32_rows(calibration, net)
    are_bytes = getattr(calibration, "dtype", None) == np.uint8
    columns = inference_columns(net)
    a_1 = columns(rows)
    layers = layers_after_encodings(net)
    weights = [layer.weight.astype(np.float64) for layer in layers]
    biases = [layer.bias.astype(np.float64) for layer in layers]
    functions = [layer.activation for layer in layers]
    found = ranges_of(a_1, weights, biases, functions, ranges)

    spanning = ByteScale.spanning(range_of(a_1))
    scale = ByteScale(net.uint8_scale, 0) if are_bytes else spanning
    inputs = byte_inputs(a_1, weights[0], biases[0], scale)
    hidden = [ByteScale.spanning(one) for one in found.a]
    roundings, units = [inputs.rounding], []
    for f, z_range, target in zip(functions, found.z, hidden, strict=False):
        unit, rounding = rounding_of(f, z_range, target)
        units.append(unit)
        roundings.append(rounding)
    output = byte_output(net, found) if integer_only else None
    units.append(output.unit if output else 1.0)
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
        columns=columns,
        input_scaling=inputs.scaling,
        roundings=tuple(roundings),
        layers=integer_layers(weights, biases, inputs, hidden, units),
    )
    if output:
        quantized = _integer_only(quantized, output)
    return dataclasses.replace(quantized, agreement=_agreement(quantized, rows, found.h))


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
        found = quantized_network(net, calibration, integer_only, ranges)
        warn_of_calibration(found, "network")
        return found
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
    with checks.within("calibration"):
        return smallest_r2(quantized.forward(rows), h)


def smallest_r2(found: Array, exact: Array) -> float:
    """Return the smallest R² of outputs (m, n_out), with the exact ones as the truth."""
    exact = exact.astype(np.float64)  # which has the squares of all numbers of float32
    error = ((found - exact) ** 2).mean(axis=0)
    # an output that does not vary is compared with float32's own precision
    variance = np.maximum(exact.var(axis=0), (1e-6 * np.abs(exact).max(axis=0)) ** 2)
    with np.errstate(divide="ignore"):
        unexplained = np.divide(error, variance, out=np.zeros_like(error), where=error > 0)
    return float(1 - unexplained.max())


def warn_of_calibration(found: Any, what: str) -> None:
    """Warn if a Quantized or QuantizedTable had few rows, or differs from what it was in float."""
    if found.n_calibration < FEW_ROWS:
        warn_user(
            f"{found.n_calibration} calibration rows are few: the ranges of later inputs may be "
            f"wider and are clipped; use a few hundred training examples",
        )
    if not found.agreement >= LOW_AGREEMENT:
        warn_user(
            f"the 8-bit {what} differs from the float {what}: {found.summary()}; export it without "
            f"quantization",
        )


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
