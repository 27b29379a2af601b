"""Networks in files: NumPy's .npz, without pickle.

    header                    JSON: the format's number, what the network is, its optimizer
    weight_1, bias_1, …       W(l) (n_out, n_in) and b(l) (n_out,), l from 1 as in the report
    scale_1, mean_1, variance_1, …      γ and the running statistics of layers with batch norm
    average_weight_1, …       the averaged parameters, laid out like them
    state_1_weight_1, …       the optimizer's state, slot by slot, laid out like the parameters

An ensemble's header has those of its networks, whose arrays begin with network_1_, network_2_, ….

A format's number changes when older readers would misread the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import activations, checks, files, losses, optimizers
from .activations import Activation
from .losses import Custom, Loss

if TYPE_CHECKING:
    from .ensemble import Ensemble
    from .network import MLP

__all__ = ["load", "save"]

FORMAT = 2  # 1 knew no batch norm, dropout, noise, frozen layers or averages
ENSEMBLE_FORMAT = 3  # of files with several networks; 2 knew none
GROUPS_FORMAT = 4  # of files whose cross-entropy has groups; 3 knew none

Header = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
Layer = tuple[NDArray[Any], ...]
PARAMETERS = ("weight", "bias", "scale")  # the last of layers with batch norm

Part = TypeVar("Part")


def save(net: MLP, path: str | os.PathLike[str], *, with_optimizer: bool = True) -> None:
    """Write the network to a file that `fastmlp.load` reads.

    The file appears whole or not at all: one that was there before is kept if writing fails.

    Parameters
    ----------
    path : path-like
        The file, used as it stands, whatever its name ends in.
    with_optimizer : bool, default True
        Also write the optimizer's state, so that training goes on from the file as if it had
        never stopped.  Without it the file is a half (momentum) or a third (Adam) of the size.

    Notes
    -----
    A file holds no code.  Of a loss written in Python it says that there was one, and
    `fastmlp.load` takes it again.
    """
    header, arrays = packed(net, with_optimizer)
    write(path, {"header": np.array(text(header)), **arrays})


def text(header: object) -> str:
    """Return what is of JSON's types as JSON."""
    import json  # only files pay for it

    try:
        return json.dumps(header)
    except (TypeError, ValueError) as error:
        raise TypeError(f"net.metadata can hold only what JSON can: {error}") from None


def write(path: str | os.PathLike[str], contents: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays to a file that appears whole or not at all."""
    with files.whole(path) as file:
        np.savez(file, **dict[str, Any](contents))


def load(path: str | os.PathLike[str], *, loss: losses.Given | None = None) -> MLP | Ensemble:
    """Read a network that `MLP.save` wrote, or an ensemble that `Ensemble.save` did.

    Parameters
    ----------
    path : path-like
        The file.
    loss : (value, gradient), optional
        Of a network that was saved with a loss written in Python, and of no other.

    Returns
    -------
    MLP or Ensemble
        What was saved: it predicts the same bits and trains on from where it was.

    Raises
    ------
    ValueError
        If the file is not of either, is damaged or cut short, or comes from a newer fastmlp; if
        `loss` is missing, or given for a network whose file has one.
    OSError
        If it cannot be opened or read.

    Examples
    --------
    >>> net.save("net.npz")
    >>> np.array_equal(fastmlp.load("net.npz").predict(X), net.predict(X))
    True
    """
    import json

    def contents() -> tuple[Header, Arrays]:
        with np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        return json.loads(str(arrays.pop("header"))), arrays

    given = None if loss is None else losses.named(loss)
    with open(path, "rb") as file:
        return read(path, contents, given)


def read(
    path: str | os.PathLike[str],
    contents: Callable[[], tuple[Header, Arrays]],
    loss: Loss | None,
) -> MLP | Ensemble:
    """Return what a file of any format holds, `contents` being what reads header and arrays."""
    try:
        header, arrays = contents()
        written = header.get("networks", [header])[0]["loss"]["name"] == Custom.name
        if header["format"] <= GROUPS_FORMAT and written == (loss is not None):
            return unpacked_any(header, arrays, loss)
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


def packed_any(net: MLP | Ensemble) -> tuple[Header, Arrays]:
    """Return all that a network or an ensemble is but the optimizers' states."""
    from .ensemble import Ensemble  # which needs this module

    return net.packed() if isinstance(net, Ensemble) else packed(net, with_optimizer=False)


def unpacked_any(header: Header, arrays: Arrays, loss: Loss | None = None) -> MLP | Ensemble:
    """Return the network or ensemble that a file's contents describe."""
    if "networks" not in header:
        return unpacked(header, arrays, loss)
    from .ensemble import Ensemble  # which needs this module

    return Ensemble.unpacked(header, arrays, loss)


def packed(net: MLP, with_optimizer: bool = True) -> tuple[Header, Arrays]:
    """Return all that a network is as a header of JSON's types, and named arrays."""
    header = {
        "format": GROUPS_FORMAT if net.loss.groups else FORMAT,
        "sizes": net.sizes,
        "activation": [_entry(one) for one in net.activation],
        "output_activation": _entry(net.output_activation),
        "loss": _entry(net.loss),
        "batch_norm": net.batch_norm,
        "dropout": net.dropout,
        "input_dropout": net.input_dropout,
        "noise": net.noise,
        "frozen": net.frozen,
        "average": None,
        "dtype": net.dtype.name,
        "seed": net.seed,
        "uint8_scale": net.uint8_scale,
        "epochs": net.epochs,
        "metadata": net.metadata,
        "optimizer": None,
    }
    engine, numbers = net._engine, range(len(net.sizes) - 1)
    arrays = _named("", [engine.get_layer(l) for l in numbers])
    for l, statistics in enumerate(net.statistics, start=1):
        if statistics is not None:
            arrays[f"mean_{l}"], arrays[f"variance_{l}"] = statistics
    averages = [engine.get_average(l) for l in numbers]
    whole = [one for one in averages if one is not None]
    if len(whole) == len(averages):  # none goes while another thread trains
        arrays |= _named("average_", whole)
        header["average"] = {"steps": engine.averaged, "used": net.use_average}
    if with_optimizer and net._optimizer is not None:
        name, constants = net._optimizer
        slots = net._engine.get_state()
        header["optimizer"] = {
            "name": name,
            "constants": constants,
            "steps": net._engine.steps,
            "slots": len(slots),
        }
        for i, layers in enumerate(slots, start=1):
            arrays |= _named(f"state_{i}_", layers)
    return header, arrays


def unpacked(header: Header, arrays: Arrays, loss: Loss | None = None) -> MLP:
    """Return the network that `packed` took apart; `loss` is its loss, if no file could hold it."""
    from .network import MLP  # which needs this module

    n_layers = len(header["sizes"]) - 1
    layers = _layers(arrays, "", n_layers)
    options = ("batch_norm", "dropout", "input_dropout", "noise")
    net = MLP(
        header["sizes"],
        activation=[_part(one, activations.TABLE) for one in header["activation"]],
        output_activation=_part(header["output_activation"], activations.TABLE),
        loss=_part(header["loss"], losses.TABLE) if loss is None else loss,
        init=([weight for weight, *_ in layers], [bias for _, bias, *_ in layers]),
        **{name: header[name] for name in options if name in header},
        dtype=header["dtype"],
        seed=header["seed"],
        uint8_scale=header["uint8_scale"],
    )
    net.epochs = checks.whole("epochs", header["epochs"], least=0)
    net.metadata = dict(header["metadata"])
    net.freeze(header.get("frozen", ()))
    scales = [one[2] if len(one) > 2 else None for one in layers]
    statistics = [
        (arrays[f"mean_{l}"], arrays[f"variance_{l}"]) if normalized else None
        for l, normalized in enumerate(net.batch_norm, start=1)
    ]
    set_norms(net, scales, statistics)
    if header.get("average") is not None:
        averages = _layers(arrays, "average_", n_layers)
        if _shapes([averages]) != _shapes([layers]):
            raise ValueError("the averaged parameters do not fit the network")
        for layer, one in enumerate(averages):
            net._engine.set_average(layer, *one)
        net._engine.averaged = checks.whole("steps", header["average"]["steps"], least=0)
        net.use_average = header["average"]["used"]
    if header["optimizer"] is not None:
        _continue_optimizer(net, header["optimizer"], arrays)
    return net


def set_norms(
    net: MLP,
    scales: Sequence[NDArray[Any] | None],
    statistics: Sequence[tuple[NDArray[Any], NDArray[Any]] | None],
) -> None:
    """Set scales, and running means and variances, which must fit."""
    net.set_parameters(net.weights, net.biases, scales)
    for layer, normalized in enumerate(net.batch_norm):
        if normalized:
            shapes = [(net.sizes[layer + 1],)] * 2
            given = list(statistics[layer] or ())
            net._engine.set_statistics(
                layer, *checks.arrays(f"statistics[{layer}]", given, shapes, net.dtype)
            )


def _continue_optimizer(net: MLP, entry: Header, arrays: Arrays) -> None:
    """Set the optimizer and its state, which the engine takes without a look."""
    kind = checks.known("optimizer", entry["name"], optimizers.TABLE), tuple(entry["constants"])
    net._engine.set_optimizer(*kind)
    expected = net._engine.get_state()
    slots = [_layers(arrays, f"state_{i}_", len(net.sizes) - 1)
             for i in range(1, entry["slots"] + 1)]
    if _shapes(slots) != _shapes(expected):
        raise ValueError("the optimizer's state does not fit the network")
    net._engine.set_state(slots, checks.whole("steps", entry["steps"], least=0))
    net._optimizer = kind


def _shapes(slots: Sequence[Sequence[Layer]]) -> list[Any]:
    return [[(one.shape, one.dtype) for one in layer] for layers in slots for layer in layers]


def _named(prefix: str, layers: Iterable[Layer]) -> Arrays:
    """Layers as named arrays, numbered from 1."""
    found = {}
    for number, layer in enumerate(layers, start=1):
        for name, one in zip(PARAMETERS, layer, strict=False):
            found[f"{prefix}{name}_{number}"] = one
    return found


def _layers(arrays: Arrays, prefix: str, n_layers: int) -> list[Layer]:
    """What `_named` named."""
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
    kept = {name: value for name, value in fields.items() if name != "groups" or value}
    return {"name": part.name, **kept}


def _part(entry: Header, table: Mapping[str, Callable[..., Part]]) -> Part:
    """The part that `_entry` described."""
    fields = dict(entry)
    return table[fields.pop("name")](**fields)
