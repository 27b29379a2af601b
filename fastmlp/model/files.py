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
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import activations, losses, optimizers
from ..activations import Activation
from ..losses import Custom, Loss
from ..support import atomic_files, checks
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
PARAMETERS = ("weight", "bias", "scale")  # the last of layers with batch norm
OPTIONS = ("batch_norm", "dropout", "input_dropout", "noise")  # which format 1 did not know

Part = TypeVar("Part")


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
    spec = NetworkSpec.checked(
        header["sizes"],
        activation=[_part(one, activations.TABLE) for one in header["activation"]],
        output_activation=_part(header["output_activation"], activations.TABLE),
        loss=_part(header["loss"], losses.TABLE) if loss is None else loss,
        **{name: header.get(name, False if name == "batch_norm" else 0.0) for name in OPTIONS},
        dtype=header["dtype"],
        seed=header["seed"],
        uint8_scale=header["uint8_scale"],
    )
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
    state.epochs = checks.whole("epochs", header["epochs"], least=0)
    state.frozen = frozenset(checks.layer_numbers(list(header.get("frozen", ())), spec.n_layers))
    if header.get("average") is not None:
        averages = _layers(arrays, "average_", spec.n_layers)
        if shapes([averages]) != shapes([state.layers()]):
            raise ValueError("the averaged parameters do not fit the network")
        steps = checks.whole("steps", header["average"]["steps"], least=0)
        state.set_averages(averages, steps)
        state.set_use_average(checks.flag("used", header["average"]["used"]))
    entry = header["optimizer"]
    if entry is not None:
        kind = checks.known("optimizer", entry["name"], optimizers.TABLE), tuple(entry["constants"])
        n_slots = checks.whole("slots", entry["slots"], least=0)
        slots = [_layers(arrays, f"state_{i}_", spec.n_layers) for i in range(1, n_slots + 1)]
        state.set_optimizer_state(kind, slots, checks.whole("steps", entry["steps"], least=0))
    return state, dict(header["metadata"])


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
    networks = []
    for number, one in enumerate(header["networks"], start=1):
        prefix = f"network_{number}_"
        own = {
            name.removeprefix(prefix): array
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
        networks.append(unpack(one, own, loss))
    return networks, dict(header["metadata"])


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
    except (TypeError, ValueError) as error:
        raise TypeError(f"net.metadata can hold only what JSON can: {error}") from None


def write_npz(path: str | os.PathLike[str], packed: Packed) -> None:
    """Write header and arrays to a file that appears whole or not at all."""
    header, arrays = packed
    contents: dict[str, Any] = {"header": np.array(to_json(header)), **arrays}
    with atomic_files.whole(path) as file:
        np.savez(file, **contents)


def read_npz(path: str | os.PathLike[str], loss: Loss | None) -> Any:
    """Return what `unpack` or `unpack_ensemble` makes of an .npz file: see `read`."""
    import json  # here, for `import fastmlp` to stay quick

    def contents() -> Packed:
        with np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        return json.loads(str(arrays.pop("header"))), arrays

    with open(path, "rb") as file:
        return read(path, contents, loss)


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
        Of networks whose loss was written in Python.
    """
    try:
        header, arrays = contents()
        written = header.get("networks", [header])[0]["loss"]["name"] == Custom.name
        if header["format"] <= GROUPS_FORMAT and written == (loss is not None):
            several = "networks" in header
            return (unpack_ensemble if several else unpack)(header, arrays, loss)
    except Exception as error:  # a damaged file can fail in any way that NumPy, zip, JSON know
        raise ValueError(
            f"{os.fspath(path)} is not a whole fastmlp model file: {error}"
        ) from error
    if header["format"] <= GROUPS_FORMAT:
        raise ValueError(
            f"{os.fspath(path)} has a network whose loss was written in Python, and no file holds "
            f"that: give load(path, loss=(value, gradient))"
            if written
            else f"{os.fspath(path)} holds its network's loss; load takes none for it"
        )
    raise ValueError(
        f"{os.fspath(path)} was written by a newer fastmlp (file format {header['format']}, this "
        f"version reads up to {GROUPS_FORMAT}); upgrade fastmlp"
    )


# ----------------------------------------------------------------------------------- the parts


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
    return table[fields.pop("name")](**fields)
