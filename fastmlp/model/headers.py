"""The header of a model file: a network's description in JSON's types, and back, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from .. import activations, encodings, losses
from ..activations import Activation
from ..encodings import Encoding
from ..losses import Custom, Loss
from . import rounding
from .spec import NetworkSpec

__all__ = [
    "ENCODINGS_FORMAT",
    "ENSEMBLE_FORMAT",
    "FORMAT",
    "GROUPS_FORMAT",
    "NEWEST_FORMAT",
    "QUANTIZED",
    "QUANTIZED_FORMAT",
    "QUANTIZED_TABLE_FORMAT",
    "ROUNDED_FORMAT",
    "Header",
    "NewerFormat",
    "QuantizedContents",
    "QuantizedTableContents",
    "checked_format",
    "count",
    "entry_of",
    "has_python_loss",
    "mapping",
    "shapes_of",
    "spec_of",
]

FORMAT = 2  # 1 knew no batch norm, dropout, noise, frozen layers or averages
ENSEMBLE_FORMAT = 3  # of files with several networks; 2 knew none
GROUPS_FORMAT = 4  # of files whose cross-entropy has groups; 3 knew none
ENCODINGS_FORMAT = 5  # of files whose columns have encodings; 4 knew none
ROUNDED_FORMAT = 6  # of files whose weights are in a smaller dtype; 5 knew none
QUANTIZED_FORMAT = 7  # of files with a network in 8-bit integers; 6 knew none
QUANTIZED_TABLE_FORMAT = 8  # of 8-bit models of tables and networks with encodings; 7 knew none
NEWEST_FORMAT = QUANTIZED_TABLE_FORMAT
QUANTIZED = "quantized"  # the entry of a header that has such a network

MOST_SLOTS = 2  # numbers that an optimizer keeps of each parameter: Adam has two
OPTIONS = ("batch_norm", "dropout", "input_dropout", "noise")  # which format 1 did not know

Header = dict[str, Any]
Part = TypeVar("Part")

_UNKNOWN_LOSS = Custom(lambda h, y: h[:, 0], lambda h, y: h)  # takes the place of one in Python


class NewerFormat(Exception):
    """A file's format is newer than this version of fastmlp."""


class OtherContents(ValueError):
    """A file holds what another function reads."""

    holds = ""


class FloatContents(OtherContents):
    """A file holds what is not in 8-bit integers, which other functions read."""

    holds = "a model in floating point: fastmlp.load reads it, or fastmlp.tabular.load"


class ArchiveContents(OtherContents):
    """A file is an archive where another format was expected."""

    holds = "an archive such as MLP.save writes: fastmlp.load reads it"


class QuantizedContents(OtherContents):
    """A file holds a network in 8-bit integers, which another function reads."""

    holds = "a network in 8-bit integers: fastmlp.export.Quantized.load reads it"


class QuantizedTableContents(QuantizedContents):
    """A file holds a model of a table in 8-bit integers, which another function reads."""

    holds = "a model of a table in 8-bit integers: fastmlp.export.QuantizedTable.load reads it"


def checked_format(header: Header) -> None:
    """Raise an error unless a file's format is one that this version of fastmlp reads."""
    known = header.get("format")
    if not isinstance(known, int) or known < 1:
        raise ValueError("its header has no format")
    if known > NEWEST_FORMAT:
        raise NewerFormat(
            f"was written by a newer fastmlp (file format {known}, this version reads up to "
            f"{NEWEST_FORMAT})"
        )


def headers_of(header: Header) -> list[Header]:
    """Return the headers of a file's networks."""
    checked_format(header)
    if QUANTIZED in header:
        raise QuantizedTableContents if "networks" in header else QuantizedContents
    headers = header.get("networks", [header])
    if not isinstance(headers, list) or not headers:
        raise ValueError("its header has no networks")
    return headers


def has_python_loss(header: Header) -> bool:
    """Return whether the networks of a file have a loss that was written in Python."""
    entry = headers_of(header)[0].get("loss")
    return isinstance(entry, dict) and entry.get("name") == Custom.name


def shapes_of(header: Header) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return the names, shapes and dtypes of the arrays that a file with this header has."""
    headers = headers_of(header)
    if "networks" not in header:
        return dict(_network_shapes(header))
    return {
        f"network_{number}_{name}": shape
        for number, one in enumerate(headers, start=1)
        for name, shape in _network_shapes(one)
    }


def _network_shapes(
    header: Header,
) -> Iterator[tuple[str, tuple[tuple[int, ...], np.dtype[Any]]]]:
    spec = spec_of(header, None)
    n_slots = 0
    if header.get("optimizer") is not None:
        n_slots = count(mapping(header, "optimizer"), "slots")
    if n_slots > MOST_SLOTS:
        raise ValueError(f"an optimizer with {n_slots} slots is not known")
    of_weights = rounding.dtype_of(header, spec.dtype)
    prefixes = ["", *(["average_"] if header.get("average") else [])]
    prefixes += [f"state_{i}_" for i in range(1, n_slots + 1)]
    for prefix in prefixes:
        for name, shape in spec.encoding_shapes.items():
            yield f"{prefix}{name}", (shape, of_weights if len(shape) == 2 else spec.dtype)
    normalized = (*spec.batch_norm, False)
    for l, (n_in, n_out) in enumerate(pairwise(spec.layer_sizes), start=1):
        for prefix in prefixes:
            yield f"{prefix}weight_{l}", ((n_out, n_in), of_weights)
            yield f"{prefix}bias_{l}", ((n_out,), spec.dtype)
            if normalized[l - 1]:
                yield f"{prefix}scale_{l}", ((n_out,), spec.dtype)
        if normalized[l - 1]:
            yield f"mean_{l}", ((n_out,), spec.dtype)
            yield f"variance_{l}", ((n_out,), spec.dtype)


# ----------------------------------------------------------------------------------- the parts


def spec_of(header: Header, loss: Loss | None) -> NetworkSpec:
    """Return the description of a network from its header, everything in it checked.

    `loss` takes the place of a loss written in Python, which without it is any such loss.
    """
    try:
        python_loss = has_python_loss(header)
        return NetworkSpec.checked(
            header["sizes"],
            activation=[part_of(one, activations.TABLE) for one in header["activation"]],
            output_activation=part_of(header["output_activation"], activations.TABLE),
            loss=(loss or _UNKNOWN_LOSS) if python_loss else part_of(header["loss"], losses.TABLE),
            **{name: header.get(name, False if name == "batch_norm" else 0.0) for name in OPTIONS},
            dtype=header["dtype"],
            seed=header["seed"],
            uint8_scale=header["uint8_scale"],
            encodings=_encodings_of(header),
            input_scaling=header.get("input_scaling", False),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its header does not describe a network: {error!r}") from error


def _encodings_of(header: Header) -> list[Encoding] | None:
    entries = header.get("encodings")
    return None if entries is None else [part_of(one, encodings.TABLE) for one in entries]


def mapping(header: Header, name: str) -> Header:
    """An entry of a header that is an object of JSON."""
    entry = header.get(name)
    if not isinstance(entry, dict):
        raise ValueError(f"{name} of its header is {entry!r}; expected an object of JSON")
    return entry


def count(entry: Header, name: str) -> int:
    """An entry of a header that is a whole number, at least 0."""
    number = entry.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(f"{name} of its header is {number!r}; expected a whole number")
    return number


def entry_of(part: Activation | Encoding | Loss) -> Header:
    """A part as its name in the table and its fields; no code.  `groups` only where there are."""
    fields = {} if isinstance(part, Custom) else vars(part)
    stored = {name: value for name, value in fields.items() if name != "groups" or value}
    return {"name": part.name, **stored}


def part_of(entry: Header, table: Mapping[str, Callable[..., Part]]) -> Part:
    """The part that `entry_of` described."""
    fields = dict(entry)
    kind = table.get(fields.pop("name", ""))
    if kind is None:
        raise ValueError(f"{entry.get('name')!r} is not known; expected one of {', '.join(table)}")
    return kind(**fields)
