"""Networks in 8-bit integers in files: NumPy's .npz, without pickle, like those of float networks.

    header                                JSON: the description, the clipping of each layer's bytes
    weight_1, bias_1, multiplier_1, …     the arithmetic of each layer
    input_offset, input_inverse           how inputs are scaled
    table_1, …                            bytes of activation functions other than ReLU and identity
    factor_1, shift_1, …, output_table    of networks without floating point
    column_1_table, …, input_scale        the parameters of encodings of columns, in float32

The file of a model of a table has the headers of its networks, whose arrays begin with network_1_,
network_2_, …, as that of an ensemble.

This module knows the files; quantization.py, integers.py and table_quantization.py make models of
them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..losses import Custom
from ..model import columns, files, headers, npz
from ..model.files import Arrays, Packed
from ..model.npz import Shapes
from ..model.spec import NetworkSpec
from ..support.paths import as_text
from .inference import Columns
from .ranges import METHODS

__all__ = [
    "Arrays",
    "Contents",
    "Entry",
    "Packed",
    "arrays_of_columns",
    "entry_of_rounding",
    "header_of",
    "read",
    "read_table",
    "write_table",
]

Entry = dict[str, Any]

LARGEST_TABLE = 2**16
MOST_BITS = 62  # of a shift: of products below 2⁶³
DIGEST = re.compile("[0-9a-f]{64}")
SEED = 0  # of the description; a network in integers has none


class Contents(NamedTuple):
    """A network as it was read from a file, checked."""

    spec: NetworkSpec  # of the float network
    entry: Entry
    metadata: dict[str, Any]
    arrays: Arrays


def header_of(net: Any, entry: Entry) -> Entry:
    """Return the header of a network: its `entry`, and what it shares with the float network."""
    if isinstance(net.loss, Custom):
        raise ValueError(
            "the network's loss was written in Python, and no file holds that; to_c writes the "
            "network without it"
        )
    header: Entry = {
        "format": headers.QUANTIZED_FORMAT,
        "sizes": net.sizes,
        "activation": [headers.entry_of(one) for one in net.activation],
        "output_activation": headers.entry_of(net.output_activation),
        "loss": headers.entry_of(net.loss),
        "dtype": "float32",
        "seed": SEED,
        "uint8_scale": net.uint8_scale,
        "metadata": net.metadata,
        headers.QUANTIZED: {**entry, **_agreement_of(net)},
    }
    if net.encodings:
        header["format"] = headers.QUANTIZED_TABLE_FORMAT
        header["encodings"] = [headers.entry_of(one) for one in net.encodings]
        header["input_scaling"] = net.columns.scale is not None
    return header


def arrays_of_columns(of: Columns) -> Arrays:
    """Return the parameters of encodings of columns, by their names in files."""
    arrays = [one for own in of.parameters for one in own.values()]
    scale = [] if of.scale is None else [of.scale]
    names = columns.shapes_of(of.encodings, of.scale is not None)
    return dict(zip(names, [one.astype(np.float32) for one in arrays + scale], strict=True))


def write_table(
    path: str | os.PathLike[str],
    model: Any,
    networks: Iterable[Packed],
    metadata: Entry,
    compress: bool,
) -> None:
    """Write the networks of a model of a table, its metadata, and how it agrees with the float."""
    of_networks, arrays = files.joined(networks)
    whole = {
        "format": headers.QUANTIZED_TABLE_FORMAT,
        "networks": of_networks,
        "metadata": metadata,
        headers.QUANTIZED: _agreement_of(model),
    }
    files.write_npz(path, (whole, arrays), compress)


def read(path: str | os.PathLike[str]) -> Contents:
    """Return a network, all of it checked."""
    with open(as_text(path), "rb") as file, files.naming(path):
        return _contents(*npz.read(file, _shapes_of_file))


def read_table(path: str | os.PathLike[str]) -> tuple[list[Contents], Entry, Entry]:
    """Return the networks of a model of a table, its metadata, and its agreement, checked."""
    with open(as_text(path), "rb") as file, files.naming(path):
        header, arrays = npz.read(file, _shapes_of_table)
        networks = [_contents(*one) for one in files.divided(header["networks"], arrays)]
        entry = headers.mapping(header, headers.QUANTIZED)
        return networks, dict(headers.mapping(header, "metadata")), entry


def _contents(header: Entry, arrays: Arrays) -> Contents:
    """Return a network whose header is checked, after a check of its numbers."""
    for name, array in arrays.items():
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise ValueError(f"{name} has numbers that are not finite")
        if name.startswith("shift_") and not (1 <= array.min() and array.max() <= MOST_BITS):
            raise ValueError(f"{name} has shifts beyond 1 … {MOST_BITS}")
    entry = headers.mapping(header, headers.QUANTIZED)
    return Contents(_spec(header), entry, dict(headers.mapping(header, "metadata")), arrays)


def _shapes_of_file(header: Entry) -> Shapes:
    """Return the arrays of a file with this header; ValueError for what is not as written."""
    headers.checked_format(header)
    if headers.QUANTIZED not in header:
        raise headers.FloatContents
    if "networks" in header:
        raise headers.QuantizedTableContents
    return _shapes(header)


def _shapes_of_table(header: Entry) -> Shapes:
    """Return the same of a file with a model of a table."""
    headers.checked_format(header)
    networks = header.get("networks")
    if headers.QUANTIZED not in header:
        raise headers.FloatContents
    if networks is None:
        raise headers.QuantizedContents
    if not isinstance(networks, list) or not networks:
        raise ValueError("its header has no networks")
    _check_agreement(headers.mapping(header, headers.QUANTIZED))
    return {
        f"network_{number}_{name}": shape
        for number, one in enumerate(networks, start=1)
        for name, shape in _shapes(one).items()
    }


def _shapes(header: Entry) -> Shapes:
    """Return the arrays of a network; ValueError for what is not as written."""
    if not isinstance(header, dict):
        raise ValueError("a network of its header is no object of JSON")
    spec = _spec(header)
    entry = headers.mapping(header, headers.QUANTIZED)
    if not isinstance(entry.get("integer_only"), bool):
        raise ValueError("integer_only of its header is neither true nor false")
    _check_agreement(entry)
    step, zero = entry.get("output_step"), entry.get("output_zero")
    if entry["integer_only"] and not (
        isinstance(step, float) and 0 < step < np.inf and type(zero) is int and -128 <= zero <= 127
    ):
        raise ValueError(f"its header has the output step {step!r} with zero at {zero!r}")
    return dict(_arrays(spec, entry))


def _agreement_of(model: Any) -> Entry:
    """Return the entry of how a model agrees with the float model, and of the latter's digest."""
    return {
        "model_digest": model.digest,
        "n_calibration": model.n_calibration,
        "ranges": model.ranges,
        "agreement": model.agreement,
    }


def _check_agreement(entry: Entry) -> None:
    """Raise ValueError unless an entry has what `_agreement_of` returns."""
    headers.count(entry, "n_calibration")
    ranges = entry.get("ranges")
    if not isinstance(ranges, str) or ranges not in METHODS:
        raise ValueError(f"ranges of its header is none of {', '.join(METHODS)}")
    if not isinstance(entry.get("agreement"), float):
        raise ValueError("agreement of its header is no number")
    if not DIGEST.fullmatch(str(entry.get("model_digest"))):
        raise ValueError("model_digest of its header is no SHA-256")


def _spec(header: Entry) -> NetworkSpec:
    """Return the description of the float network, checked."""
    own = {name: value for name, value in header.items() if name != headers.QUANTIZED}
    return headers.spec_of(own, None)


def _arrays(
    spec: NetworkSpec, entry: Entry
) -> Iterator[tuple[str, tuple[tuple[int, ...], np.dtype[Any]]]]:
    integer_only, per_column = entry["integer_only"], entry.get("per_column") is True
    of_columns = (spec.layer_sizes[0],) if per_column else ()
    for name, shape in spec.encoding_shapes.items():
        yield name, (shape, np.dtype(np.float32))
    yield "input_offset", (of_columns, np.dtype(np.float32))
    yield "input_inverse", (of_columns, np.dtype(np.float32))
    for l, (n_in, n_out) in enumerate(pairwise(spec.layer_sizes), start=1):
        yield f"weight_{l}", ((n_out, n_in), np.dtype(np.int8))
        yield f"bias_{l}", ((n_out,), np.dtype(np.int32))
        yield f"multiplier_{l}", ((n_out,), np.dtype(np.float32))
        if integer_only:
            yield f"factor_{l}", ((n_out,), np.dtype(np.int32))
            yield f"shift_{l}", ((n_out,), np.dtype(np.uint8))
    roundings = entry.get("roundings")
    if not isinstance(roundings, list) or len(roundings) != len(spec.sizes) - 1 + integer_only:
        raise ValueError("roundings of its header do not fit the layers")
    for l, one in enumerate(roundings, start=1):
        if _has_table(one):
            yield f"table_{l}", ((one["high"] - one["low"] + 1,), np.dtype(np.uint8))


def entry_of_rounding(low: int, high: int, table: object) -> Entry:
    """Return the description of how a layer is rounded to bytes."""
    return {"low": low, "high": high, "table": table is not None}


def _has_table(rounding: Any) -> bool:
    """Return whether a layer's bytes come from a table; ValueError for no description of them."""
    if not isinstance(rounding, dict):
        raise ValueError("roundings of its header are no objects of JSON")
    low, high = rounding.get("low"), rounding.get("high")
    if type(low) is not int or type(high) is not int or not 0 < high - low < LARGEST_TABLE:
        raise ValueError(f"a layer of its header is clipped to {low!r} … {high!r}")
    if rounding.get("table") is True:
        return True
    if not (-255 <= low <= 0 and high == low + 255):
        raise ValueError(f"a layer of its header has bytes from {low} to {high}")
    return False
