"""Networks in files: NumPy's .npz, without pickle.

    header                    JSON: the format's number, the network's description, its optimizer
    weight_1, bias_1, …       W(l) (n_out, n_in) and b(l) (n_out,), l from 1 as in the report
    scale_1, mean_1, variance_1, …      γ and the running statistics of layers with batch norm
    average_weight_1, …       the averaged parameters, laid out like them
    state_1_weight_1, …       the optimizer's state, slot by slot, laid out like the parameters

An ensemble's header holds those of its networks, whose arrays begin with network_1_, network_2_, ….

A format's number changes when older readers would misread the file.  A network is packed and
unpacked as a `ModelState` and its metadata; fastmlp/loading.py turns files into networks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import activations, losses, optimizers
from ..activations import Activation
from ..losses import Custom, Loss
from ..support import checks
from ..support.text import printable
from .spec import NetworkSpec
from .state import Layer, ModelState, Statistics, checked_layers, shapes

__all__ = [
    "Arrays",
    "Header",
    "pack",
    "pack_ensemble",
    "read",
    "read_npz",
    "to_json",
    "unpack",
    "unpack_ensemble",
    "write_npz",
]

FORMAT = 2  # 1 knew no batch norm, dropout, noise, frozen layers or averages
ENSEMBLE_FORMAT = 3  # of files with several networks; 2 knew none
GROUPS_FORMAT = 4  # of files whose cross-entropy has groups; 3 knew none

Header = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
Packed = tuple[Header, Arrays]
Unpacked = tuple[ModelState, dict[str, Any]]  # with the network's metadata
MOST_SLOTS = 2  # numbers that an optimizer keeps of each parameter: Adam has two
PARAMETERS = ("weight", "bias", "scale")  # the last of layers with batch norm
OPTIONS = ("batch_norm", "dropout", "input_dropout", "noise")  # which format 1 did not know

Part = TypeVar("Part")

_UNKNOWN_LOSS = Custom(lambda h, y: h[:, 0], lambda h, y: h)  # takes the place of one in Python


# ------------------------------------------------------------------------------------- packing


def pack(state: ModelState, metadata: Mapping[str, Any], with_optimizer: bool) -> Packed:
    """Return a whole network as a header of JSON's types, and named arrays.

    Parameters, averages and the optimizer's state are of the same moment, whatever other threads
    do to the network meanwhile.
    """
    spec = state.spec
    if not isinstance(metadata, Mapping):
        raise TypeError(f"net.metadata must be a dict, got {metadata!r}")
    header = {
        "format": GROUPS_FORMAT if spec.loss.groups else FORMAT,
        "sizes": spec.sizes,
        "activation": [_entry(one) for one in spec.activation],
        "output_activation": _entry(spec.output_activation),
        "loss": _entry(spec.loss),
        "batch_norm": spec.batch_norm,
        "dropout": spec.dropout,
        "input_dropout": spec.input_dropout,
        "noise": spec.noise,
        "frozen": sorted(state.frozen),
        "average": None,
        "dtype": spec.dtype.name,
        "seed": spec.seed,
        "uint8_scale": spec.uint8_scale,
        "epochs": checks.whole("net.epochs", state.epochs, least=0),
        "metadata": dict(metadata),
        "optimizer": None,
    }
    with state.paused():
        snapshot = state.snapshot()
        optimizer = state.optimizer if with_optimizer else None
        slots = [] if optimizer is None else state.optimizer_state()
        steps = state.steps
    arrays = _named("", state.layers(snapshot))
    for l, pair in enumerate(state.statistics(snapshot), start=1):
        if pair is not None:
            arrays[f"mean_{l}"], arrays[f"variance_{l}"] = pair
    averages = state.averages(snapshot)
    if averages is not None:
        arrays |= _named("average_", averages)
        header["average"] = {"steps": snapshot.averaged, "used": snapshot.use_average}
    if optimizer is not None:
        name, constants = optimizer
        header["optimizer"] = {
            "name": name, "constants": constants, "steps": steps, "slots": len(slots)
        }
        for i, layers in enumerate(slots, start=1):
            arrays |= _named(f"state_{i}_", layers)
    return header, arrays


def unpack(header: Header, arrays: Arrays, loss: Loss | None = None) -> Unpacked:
    """Return the network that `pack` packed; `loss` is its loss, if no file could hold it."""
    spec = spec_of(header, loss)
    layers = _layers(arrays, "", spec.n_layers)
    scales = [one[2] if len(one) > 2 else None for one in layers]
    state = ModelState(
        spec, checked_layers(spec, [one[0] for one in layers], [one[1] for one in layers], scales)
    )
    statistics = [
        (arrays[f"mean_{l}"], arrays[f"variance_{l}"]) if normalized else None
        for l, normalized in enumerate((*spec.batch_norm, False), start=1)
    ]
    state.set_layers(state.layers(), checked_statistics(spec, statistics))
    state.epochs = _count(header, "epochs")
    frozen = header.get("frozen", [])
    if not isinstance(frozen, (list, tuple)) or not set(frozen) <= set(range(spec.n_layers)):
        raise ValueError(f"frozen of its header is {frozen!r}; expected indices of layers")
    state.frozen = frozenset(frozen)
    if header.get("average") is not None:
        entry = _mapping(header, "average")
        averages = _layers(arrays, "average_", spec.n_layers)
        if shapes([averages]) != shapes([state.layers()]):
            raise ValueError("the averaged parameters do not fit the network")
        steps = _count(entry, "steps")
        state.set_averages(averages, steps)
        state.set_use_average(entry.get("used") is True)
    if header.get("optimizer") is not None:
        entry = _mapping(header, "optimizer")
        optimizer = optimizers.from_constants(entry.get("name", ""), entry.get("constants", ()))
        kind = optimizer.name, optimizer.constants
        n_slots = _count(entry, "slots")
        slots = [_layers(arrays, f"state_{i}_", spec.n_layers) for i in range(1, n_slots + 1)]
        state.set_optimizer_state(kind, slots, _count(entry, "steps"))
    return state, dict(_mapping(header, "metadata"))


def spec_of(header: Header, loss: Loss | None) -> NetworkSpec:
    """Return the description of a network from its header, everything in it checked.

    `loss` takes the place of a loss written in Python, which without it is any such loss.
    """
    try:
        python_loss = has_python_loss(header)
        return NetworkSpec.checked(
            header["sizes"],
            activation=[_part(one, activations.TABLE) for one in header["activation"]],
            output_activation=_part(header["output_activation"], activations.TABLE),
            loss=(loss or _UNKNOWN_LOSS) if python_loss else _part(header["loss"], losses.TABLE),
            **{name: header.get(name, False if name == "batch_norm" else 0.0) for name in OPTIONS},
            dtype=header["dtype"],
            seed=header["seed"],
            uint8_scale=header["uint8_scale"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its header does not describe a network: {error!r}") from error


def pack_ensemble(
    networks: Iterable[tuple[ModelState, Mapping[str, Any]]],
    metadata: Mapping[str, Any],
    with_optimizer: bool,
) -> Packed:
    """Return several networks, each with its metadata, and the ensemble's own metadata."""
    headers: list[Header] = []
    arrays: Arrays = {}
    for number, one in enumerate(networks, start=1):
        header, own = pack(*one, with_optimizer)
        headers.append(header)
        arrays |= {f"network_{number}_{name}": array for name, array in own.items()}
    whole = {
        "format": max(ENSEMBLE_FORMAT, *(one["format"] for one in headers)),
        "networks": headers,
        "metadata": dict(metadata),
    }
    return whole, arrays


def unpack_ensemble(
    header: Header, arrays: Arrays, loss: Loss | None = None
) -> tuple[list[Unpacked], dict[str, Any]]:
    """Return the networks that `pack_ensemble` packed, and the ensemble's metadata."""
    of_network: dict[str, Arrays] = {}
    for name, array in arrays.items():
        _, number, own = name.split("_", 2)  # network_1_weight_1
        of_network.setdefault(number, {})[own] = array
    networks = [
        unpack(one, of_network.get(str(number), {}), loss)
        for number, one in enumerate(header["networks"], start=1)
    ]
    return networks, dict(_mapping(header, "metadata"))


def checked_statistics(spec: NetworkSpec, statistics: Statistics) -> Statistics:
    """Return running means and variances in the network's dtype; they must fit its layers."""
    checked: list[tuple[NDArray[Any], NDArray[Any]] | None] = []
    for l, (pair, normalized) in enumerate(
        zip(statistics, (*spec.batch_norm, False), strict=True)
    ):
        if not normalized:
            checked.append(None)
            continue
        expected = [(spec.sizes[l + 1],)] * 2
        mean, variance = checks.arrays(f"statistics[{l}]", list(pair or ()), expected, spec.dtype)
        checked.append((mean, variance))
    return checked


# --------------------------------------------------------------------------------------- files


def to_json(header: object) -> str:
    """Return a header as JSON."""
    import json  # here, for `import fastmlp` to stay quick

    try:
        return json.dumps(header)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"net.metadata can hold only what JSON can: {error}") from None


def write_npz(path: str | os.PathLike[str], packed: Packed) -> None:
    """Write header and arrays to a file that appears whole or not at all."""
    from . import npz  # here, for `import fastmlp` to stay quick

    header, arrays = packed
    to_json(header)  # refuses what the header cannot hold
    npz.write(path, header, arrays)


def read_npz(path: str | os.PathLike[str], loss: Loss | None) -> Any:
    """Return what `unpack` or `unpack_ensemble` makes of an .npz file: see `read`."""
    from . import npz  # here, for `import fastmlp` to stay quick

    with open(path, "rb") as file:
        return read(path, lambda: npz.read(file, shapes_of), loss)


def read(
    path: str | os.PathLike[str], contents: Callable[[], Packed], loss: Loss | None
) -> Unpacked | tuple[list[Unpacked], dict[str, Any]]:
    """Return what a file of any format holds: a network's state, or a list of those.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    contents : callable
        Reads header and arrays.
    loss : Loss, optional
        The loss of networks whose loss was written in Python.
    """
    from .npz import DAMAGE

    name = os.fspath(path)
    try:
        header, arrays = contents()
        python_loss = has_python_loss(header)
        if python_loss == (loss is not None):
            several = "networks" in header
            return (unpack_ensemble if several else unpack)(header, arrays, loss)
    except NewerFormat as error:
        raise ValueError(f"{name} {error}; upgrade fastmlp") from None
    except DAMAGE as error:
        raise ValueError(f"{name} is not a whole fastmlp model file: {_reason(error)}") from error
    raise ValueError(
        f"{name} has a network whose loss was written in Python, and no file holds that: give "
        f"load(path, loss=(value, gradient))"
        if python_loss
        else f"{name} holds its network's loss; load takes none for it"
    )


def _reason(error: Exception) -> str:
    """Why a file cannot be read; NumPy's advice to allow pickles is none."""
    text = printable(error)  # which may quote the file
    return "it holds pickled objects" if "allow_pickle" in text else text


class NewerFormat(Exception):
    """A file's format is newer than this version of fastmlp."""


def headers_of(header: Header) -> list[Header]:
    """Return the headers of a file's networks."""
    known = header.get("format")
    if not isinstance(known, int) or known < 1:
        raise ValueError("its header has no format")
    if known > GROUPS_FORMAT:
        raise NewerFormat(
            f"was written by a newer fastmlp (file format {known}, this version reads up to "
            f"{GROUPS_FORMAT})"
        )
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
        n_slots = _count(_mapping(header, "optimizer"), "slots")
    if n_slots > MOST_SLOTS:
        raise ValueError(f"an optimizer with {n_slots} slots is not known")
    prefixes = ["", *(["average_"] if header.get("average") else [])]
    prefixes += [f"state_{i}_" for i in range(1, n_slots + 1)]
    normalized = (*spec.batch_norm, False)
    for l, (n_in, n_out) in enumerate(pairwise(spec.sizes), start=1):
        for prefix in prefixes:
            yield f"{prefix}weight_{l}", ((n_out, n_in), spec.dtype)
            yield f"{prefix}bias_{l}", ((n_out,), spec.dtype)
            if normalized[l - 1]:
                yield f"{prefix}scale_{l}", ((n_out,), spec.dtype)
        if normalized[l - 1]:
            yield f"mean_{l}", ((n_out,), spec.dtype)
            yield f"variance_{l}", ((n_out,), spec.dtype)


# ----------------------------------------------------------------------------------- the parts


def _mapping(header: Header, name: str) -> Header:
    """An entry of a header that is an object of JSON."""
    entry = header.get(name)
    if not isinstance(entry, dict):
        raise ValueError(f"{name} of its header is {entry!r}; expected an object of JSON")
    return entry


def _count(entry: Header, name: str) -> int:
    """An entry of a header that is a whole number, at least 0."""
    number = entry.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(f"{name} of its header is {number!r}; expected a whole number")
    return number


def _named(prefix: str, layers: Iterable[Layer]) -> Arrays:
    """Layers as named arrays, numbered from 1."""
    return {
        f"{prefix}{name}_{number}": one
        for number, layer in enumerate(layers, start=1)
        for name, one in zip(PARAMETERS, layer, strict=False)
    }


def _layers(arrays: Arrays, prefix: str, n_layers: int) -> list[Layer]:
    """The layers that `_named` named."""
    return [
        tuple(
            arrays[f"{prefix}{name}_{number}"]
            for name in PARAMETERS
            if name != "scale" or f"{prefix}scale_{number}" in arrays
        )
        for number in range(1, n_layers + 1)
    ]


def _entry(part: Activation | Loss) -> Header:
    """A part as its name in the table and its fields; no code.  `groups` only where there are."""
    fields = {} if isinstance(part, Custom) else vars(part)
    stored = {name: value for name, value in fields.items() if name != "groups" or value}
    return {"name": part.name, **stored}


def _part(entry: Header, table: Mapping[str, Callable[..., Part]]) -> Part:
    """The part that `_entry` described."""
    fields = dict(entry)
    kind = table.get(fields.pop("name", ""))
    if kind is None:
        raise ValueError(f"{entry.get('name')!r} is not known; expected one of {', '.join(table)}")
    return kind(**fields)
