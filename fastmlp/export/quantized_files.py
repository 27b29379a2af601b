"""Networks in 8-bit integers in files: NumPy's .npz, without pickle, like those of float networks.

    header                                JSON: the description, the clipping of each layer's bytes
    weight_1, bias_1, multiplier_1, …     the arithmetic of each layer
    input_offset, input_inverse           how inputs are scaled
    table_1, …                            bytes of activation functions other than ReLU and identity
    factor_1, shift_1, …, output_table    of networks without floating point

This module knows the files; quantization.py and integers.py make networks of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import Custom
from ..model import files, headers, npz
from ..model.spec import NetworkSpec
from .ranges import METHODS

__all__ = ["Arrays", "Entry", "entry_of_rounding", "read", "write"]

Arrays = dict[str, NDArray[Any]]
Entry = dict[str, Any]

LARGEST_TABLE = 2**16
MOST_BITS = 62  # of a shift: of products below 2⁶³
DIGEST = re.compile("[0-9a-f]{64}")
SEED = 0  # of the description; a network in integers has none


def write(
    path: str | os.PathLike[str], net: Any, entry: Entry, arrays: Arrays, compress: bool
) -> None:
    """Write a network: its `entry` and arrays, and what it shares with the float network."""
    if isinstance(net.loss, Custom):
        raise ValueError(
            "the network's loss was written in Python, and no file holds that; to_c writes the "
            "network without it"
        )
    header = {
        "format": headers.QUANTIZED_FORMAT,
        "sizes": net.sizes,
        "activation": [headers.entry_of(one) for one in net.activation],
        "output_activation": headers.entry_of(net.output_activation),
        "loss": headers.entry_of(net.loss),
        "dtype": "float32",
        "seed": SEED,
        "uint8_scale": net.uint8_scale,
        "metadata": net.metadata,
        headers.QUANTIZED: {
            **entry,
            "model_digest": net.digest,
            "n_calibration": net.n_calibration,
            "ranges": net.ranges,
            "agreement": net.agreement,
        },
    }
    files.write_npz(path, (header, arrays), compress)


def read(path: str | os.PathLike[str]) -> tuple[NetworkSpec, Entry, dict[str, Any], Arrays]:
    """Return the description of a network, its entry, its metadata and its arrays, all checked."""
    with files.naming(path), open(path, "rb") as file:
        header, arrays = npz.read(file, _shapes)
        for name, array in arrays.items():
            if array.dtype == np.float32 and not np.isfinite(array).all():
                raise ValueError(f"{name} has numbers that are not finite")
            if name.startswith("shift_") and not (1 <= array.min() and array.max() <= MOST_BITS):
                raise ValueError(f"{name} has shifts beyond 1 … {MOST_BITS}")
        entry = headers.mapping(header, headers.QUANTIZED)
        metadata = dict(headers.mapping(header, "metadata"))
        return _spec(header), entry, metadata, arrays


def _shapes(header: Entry) -> Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return the arrays that a file with this header has; ValueError for what is not as written."""
    headers.checked_format(header)
    if headers.QUANTIZED not in header:
        raise ValueError(
            "it holds no network in 8-bit integers, as Quantized.save writes it; fastmlp.load "
            "reads networks in floating point"
        )
    spec = _spec(header)
    entry = headers.mapping(header, headers.QUANTIZED)
    if not isinstance(entry.get("integer_only"), bool):
        raise ValueError("integer_only of its header is neither true nor false")
    headers.count(entry, "n_calibration")
    ranges = entry.get("ranges")
    if not isinstance(ranges, str) or ranges not in METHODS:
        raise ValueError(f"ranges of its header is none of {', '.join(METHODS)}")
    if not isinstance(entry.get("agreement"), float):
        raise ValueError("agreement of its header is no number")
    step, zero = entry.get("output_step"), entry.get("output_zero")
    if entry["integer_only"] and not (
        isinstance(step, float) and 0 < step < np.inf and type(zero) is int and -128 <= zero <= 127
    ):
        raise ValueError(f"its header has the output step {step!r} with zero at {zero!r}")
    if not DIGEST.fullmatch(str(entry.get("model_digest"))):
        raise ValueError("model_digest of its header is no SHA-256")
    return dict(_arrays(spec, entry))


def _spec(header: Entry) -> NetworkSpec:
    """Return the description of the float network, checked."""
    own = {name: value for name, value in header.items() if name != headers.QUANTIZED}
    return headers.spec_of(own, None)


def _arrays(
    spec: NetworkSpec, entry: Entry
) -> Iterator[tuple[str, tuple[tuple[int, ...], np.dtype[Any]]]]:
    integer_only, per_column = entry["integer_only"], entry.get("per_column") is True
    of_columns = (spec.sizes[0],) if per_column else ()
    yield "input_offset", (of_columns, np.dtype(np.float32))
    yield "input_inverse", (of_columns, np.dtype(np.float32))
    for l, (n_in, n_out) in enumerate(pairwise(spec.sizes), start=1):
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
