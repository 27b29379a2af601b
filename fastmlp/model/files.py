"""Networks in files: NumPy's .npz, without pickle.

    header                    JSON: the format's number, the network's description, its optimizer
    weight_1, bias_1, …       W(l) (n_out, n_in) and b(l) (n_out,), l from 1 as in the report
    scale_1, mean_1, variance_1, …      γ and the running statistics of layers with batch norm
    column_1_table, …         the parameters of encodings of columns, by column from 1
    input_scale               the factors of the encoded inputs
    average_weight_1, …       the averaged parameters, laid out like them
    state_1_weight_1, …       the optimizer's state, slot by slot, laid out like the parameters

Matrices may be in a smaller dtype than the network's, see rounding.py.  An ensemble's header holds
those of its networks, whose arrays begin with network_1_, network_2_, ….

A format's number changes when older readers would misread the file.  A network is packed and
unpacked as a `ModelState` and its metadata; fastmlp/loading.py turns files into networks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import optimizers
from ..losses import Loss, LossSpec, from_spec
from ..support import checks
from ..support.paths import as_text
from ..support.text import printable
from . import rounding
from .headers import (
    ENCODINGS_FORMAT,
    ENSEMBLE_FORMAT,
    FORMAT,
    GROUPS_FORMAT,
    ROUNDED_FORMAT,
    Header,
    NewerFormat,
    OtherContents,
    count,
    entry_of,
    has_python_loss,
    mapping,
    shapes_of,
    spec_of,
)
from .layers import checked_layers
from .spec import NetworkSpec
from .state import Layer, ModelState, Statistics, shapes

__all__ = [
    "Arrays",
    "Header",
    "Packed",
    "divided",
    "holds_table",
    "joined",
    "naming",
    "pack",
    "pack_ensemble",
    "read",
    "read_npz",
    "refuse_table",
    "to_json",
    "unpack",
    "unpack_ensemble",
    "write_npz",
]

Arrays = dict[str, NDArray[Any]]
Packed = tuple[Header, Arrays]
Unpacked = tuple[ModelState, dict[str, Any]]  # with the network's metadata
PARAMETERS = ("weight", "bias", "scale")  # the last of layers with batch norm

# ------------------------------------------------------------------------------------- packing


def pack(
    state: ModelState,
    metadata: Mapping[str, Any],
    with_optimizer: bool,
    dtype: np.dtype[Any] | None = None,
) -> Packed:
    """Return a whole network as a header of JSON's types, and named arrays.

    Weights are in `dtype` if it is smaller than the network's.

    Parameters, averages and the optimizer's state are of the same moment, whatever other threads
    do to the network meanwhile.
    """
    spec = state.spec
    if not isinstance(metadata, Mapping):
        raise TypeError(f"net.metadata must be a dict, got {metadata!r}")
    header = {
        "format": GROUPS_FORMAT if spec.loss.groups else FORMAT,
        "sizes": spec.sizes,
        "activation": [entry_of(one) for one in spec.activation],
        "output_activation": entry_of(spec.output_activation),
        "loss": entry_of(spec.loss),
        "batch_norm": spec.batch_norm,
        "dropout": spec.dropout,
        "input_dropout": spec.input_dropout,
        "noise": spec.noise,
        "frozen": sorted(state.frozen),
        "average": None,
        "dtype": spec.dtype.name,
        "seed": spec.seed,
        "uint8_scale": spec.uint8_scale,
        "epochs": state.epochs,
        "metadata": dict(metadata),
        "optimizer": None,
    }
    if spec.encodings:
        header["format"] = ENCODINGS_FORMAT
        header["encodings"] = [entry_of(one) for one in spec.encodings]
        header["input_scaling"] = spec.input_scaling
        header["encoding_frozen"] = state.encoding_frozen
    with state.paused():
        snapshot = state.snapshot()
        optimizer = state.optimizer if with_optimizer else None
        slots = [] if optimizer is None else state.optimizer_state()
        steps = state.steps
    arrays = _named("", state.layers(snapshot), spec)
    for l, pair in enumerate(state.statistics(snapshot), start=1):
        if pair is not None:
            arrays[f"mean_{l}"], arrays[f"variance_{l}"] = pair
    averages = state.averages(snapshot)
    if averages is not None:
        arrays |= _named("average_", averages, spec)
        header["average"] = {"steps": snapshot.averaged, "used": snapshot.use_average}
    if optimizer is not None:
        name, constants = optimizer
        header["optimizer"] = {
            "name": name, "constants": constants, "steps": steps, "slots": len(slots)
        }
        for i, layers in enumerate(slots, start=1):
            arrays |= _named(f"state_{i}_", layers, spec)
    smaller = None if dtype is None else rounding.rounded(arrays, dtype, spec.dtype)
    if dtype is not None and smaller is not None:
        arrays = smaller
        header |= {"format": ROUNDED_FORMAT, rounding.KEY: dtype.name}
    return header, arrays


def unpack(header: Header, arrays: Arrays, loss: Loss | None = None) -> Unpacked:
    """Return the network that `pack` packed; `loss` is its loss, if no file could hold it."""
    spec = spec_of(header, loss)
    if rounding.KEY in header:
        arrays = rounding.with_weights_in(spec.dtype, arrays)
    layers = _layers(arrays, "", spec)
    own, encoding = layers[: spec.n_layers], sum(layers[spec.n_layers :], ())
    scales = [one[2] if len(one) > 2 else None for one in own]
    weights, biases = [one[0] for one in own], [one[1] for one in own]
    state = ModelState(spec, checked_layers(spec, weights, biases, scales, encoding))
    statistics = [
        (arrays[f"mean_{l}"], arrays[f"variance_{l}"]) if normalized else None
        for l, normalized in enumerate((*spec.batch_norm, False), start=1)
    ]
    state.set_layers(state.layers(), checked_statistics(spec, statistics))
    state.epochs = count(header, "epochs")
    frozen = header.get("frozen", [])
    if not isinstance(frozen, (list, tuple)) or not set(frozen) <= set(range(spec.n_layers)):
        raise ValueError(f"frozen of its header is {frozen!r}; expected indices of layers")
    state.frozen = frozenset(frozen)
    state.encoding_frozen = header.get("encoding_frozen") is True
    if header.get("average") is not None:
        entry = mapping(header, "average")
        averages = _layers(arrays, "average_", spec)
        if shapes([averages]) != shapes([state.layers()]):
            raise ValueError("the averaged parameters do not fit the network")
        steps = count(entry, "steps")
        state.set_averages(averages, steps)
        state.set_use_average(entry.get("used") is True)
    if header.get("optimizer") is not None:
        entry = mapping(header, "optimizer")
        optimizer = optimizers.from_constants(entry.get("name", ""), entry.get("constants", ()))
        kind = optimizer.name, optimizer.constants
        n_slots = count(entry, "slots")
        slots = [_layers(arrays, f"state_{i}_", spec) for i in range(1, n_slots + 1)]
        state.set_optimizer_state(kind, slots, count(entry, "steps"))
    return state, dict(mapping(header, "metadata"))


def pack_ensemble(
    networks: Iterable[tuple[ModelState, Mapping[str, Any]]],
    metadata: Mapping[str, Any],
    with_optimizer: bool,
    dtype: np.dtype[Any] | None = None,
) -> Packed:
    """Return several networks, each with its metadata, and the ensemble's own metadata."""
    headers, arrays = joined(pack(*one, with_optimizer, dtype) for one in networks)
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
    networks = [unpack(*one, loss) for one in divided(header["networks"], arrays)]
    return networks, dict(mapping(header, "metadata"))


def joined(networks: Iterable[Packed]) -> tuple[list[Header], Arrays]:
    """Return the headers of networks and the arrays of all, with names like network_1_weight_1."""
    headers: list[Header] = []
    arrays: Arrays = {}
    for number, (header, own) in enumerate(networks, start=1):
        headers.append(header)
        arrays |= {f"network_{number}_{name}": array for name, array in own.items()}
    return headers, arrays


def divided(headers: Sequence[Header], arrays: Arrays) -> list[Packed]:
    """Return the networks that were `joined`."""
    of_network: dict[str, Arrays] = {}
    for name, array in arrays.items():
        _, number, own = name.split("_", 2)
        of_network.setdefault(number, {})[own] = array
    return [(one, of_network.get(str(i), {})) for i, one in enumerate(headers, start=1)]


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
        text = json.dumps(header)
        _require_text_as_keys(header)
        return text
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"net.metadata can hold only what JSON can: {error}") from None


def _require_text_as_keys(value: object) -> None:
    """Refuse other keys, which would be text in the file: {1: "a"} becomes {"1": "a"}."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if not isinstance(key, str):
                raise TypeError(f"keys must be text, got {key!r}")
            _require_text_as_keys(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _require_text_as_keys(one)


def write_npz(path: str | os.PathLike[str], packed: Packed, compress: bool = False) -> None:
    """Write header and arrays to a file that appears whole or not at all."""
    from . import npz  # here, for `import fastmlp` to stay quick

    header, arrays = packed
    to_json(header)  # refuses what the header cannot hold
    npz.write(path, header, arrays, compress)


def read_npz(path: str | os.PathLike[str], loss: LossSpec | None = None) -> Any:
    """Return what `unpack` or `unpack_ensemble` makes of an .npz file: see `read`."""
    from . import npz  # here, for `import fastmlp` to stay quick

    with open(as_text(path), "rb") as file:
        return read(path, lambda: npz.read(file, shapes_of), loss, archive=True)


def holds_table(unpacked: Any) -> bool:
    """Whether what `read` returned is a model of a table: see fastmlp/tabular/loading.py."""
    networks, metadata = unpacked
    table = metadata.get("table")  # which may also be a user's note
    return isinstance(networks, list) and isinstance(table, dict) and "estimator" in table


def refuse_table(path: str | os.PathLike[str], unpacked: Any) -> None:
    """Raise ValueError if what `read` returned is a model of a table, which is no ensemble."""
    if holds_table(unpacked):
        raise ValueError(
            f"{os.fspath(path)} holds a model of a table: fastmlp.tabular.load reads it"
        )


def read(
    path: str | os.PathLike[str],
    contents: Callable[[], Packed],
    loss: LossSpec | None,
    *,
    archive: bool = False,
) -> Unpacked | tuple[list[Unpacked], dict[str, Any]]:
    """Return what a file of any format holds: a network's state, or a list of those.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    contents : callable
        Reads header and arrays.
    loss : (value, gradient) or Loss, optional
        The loss of networks whose loss was written in Python.
    archive : bool, default False
        Whether the file is expected to be an .npz file.
    """
    name = os.fspath(path)
    own = None if loss is None else from_spec(loss)
    with naming(path, archive=archive):
        header, arrays = contents()
        python_loss = has_python_loss(header)
        if python_loss == (own is not None):
            several = "networks" in header
            return (unpack_ensemble if several else unpack)(header, arrays, own)
    raise ValueError(
        f"{name} has a network whose loss was written in Python, and no file holds that: pass "
        f"loss=(value, gradient)"
        if python_loss
        else f"{name} holds its network's loss: leave out loss"
    )


@contextmanager
def naming(path: str | os.PathLike[str], *, archive: bool = True) -> Iterator[None]:
    """Turn the errors of a file that cannot be read into ones with its name and the remedy.

    With `archive` the file is to be an .npz file, and a file of another library is named as such.
    """
    from .npz import DAMAGE

    name = os.fspath(path)
    try:
        yield
    except NewerFormat as error:
        raise ValueError(f"{name} {error}; upgrade fastmlp") from None
    except OtherContents as error:
        raise type(error)(f"{name} holds {error.holds}") from None
    except DAMAGE as error:
        from .other_files import what_it_is

        if archive and (other := what_it_is(path)):
            raise ValueError(f"{name} is no model file of fastmlp but {other}") from error
        raise ValueError(
            f"{name} is not a whole fastmlp model file: {_reason(error)}; copy it again from where "
            f"it was saved, or save the model again"
        ) from error


def _reason(error: Exception) -> str:
    """Why a file cannot be read; NumPy's advice to allow pickles is none."""
    text = printable(error)  # which may quote the file
    return "it holds pickled objects" if "allow_pickle" in text else text


def _named(prefix: str, layers: Sequence[Layer], spec: NetworkSpec) -> Arrays:
    """Layers as named arrays, numbered from 1, and the encodings' parameters by their names."""
    named = {
        f"{prefix}{name}_{number}": one
        for number, layer in enumerate(layers[: spec.n_layers], start=1)
        for name, one in zip(PARAMETERS, layer, strict=False)
    }
    for encoding in layers[spec.n_layers :]:
        names = [f"{prefix}{name}" for name in spec.encoding_shapes]
        named |= zip(names, encoding, strict=True)
    return named


def _layers(arrays: Arrays, prefix: str, spec: NetworkSpec) -> list[Layer]:
    """The layers that `_named` named."""
    encoding = tuple(arrays[f"{prefix}{name}"] for name in spec.encoding_shapes)
    layers: list[Layer] = [
        tuple(
            arrays[f"{prefix}{name}_{number}"]
            for name in PARAMETERS
            if name != "scale" or f"{prefix}scale_{number}" in arrays
        )
        for number in range(1, spec.n_layers + 1)
    ]
    return [*layers, encoding] if encoding else layers
