"""Networks in files: NumPy's .npz, without pickle.

    header                    JSON: the format's number, what the network is, its optimizer
    weight_1, bias_1, …       W(l) (n_out, n_in) and b(l) (n_out,), l from 1 as in the report
    state_1_weight_1, …       the optimizer's state, slot by slot, laid out like the parameters

A format's number changes when older readers would misread the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import activations, checks, losses, optimizers
from .activations import Activation
from .losses import Loss

if TYPE_CHECKING:
    from .network import MLP

__all__ = ["load", "save"]

FORMAT = 1

Header = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
Layer = tuple[NDArray[Any], NDArray[Any]]
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
    """
    header, arrays = packed(net, with_optimizer)
    try:
        text = json.dumps(header)
    except (TypeError, ValueError) as error:
        raise TypeError(f"net.metadata can hold only what JSON can: {error}") from None
    contents: dict[str, Any] = {"header": np.array(text), **arrays}
    target = os.path.realpath(path)  # through a link, which stays
    part = f"{target}.{os.urandom(4).hex()}.part"
    try:
        with open(part, "xb") as file:
            np.savez(file, **contents)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise


def load(path: str | os.PathLike[str]) -> MLP:
    """Read a network that `MLP.save` wrote.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    MLP
        The network, which predicts the same bits and trains on from where it was.

    Raises
    ------
    ValueError
        If the file is not a network's, is damaged or cut short, or comes from a newer fastmlp.
    OSError
        If it cannot be opened or read.
    """
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as contents:
                arrays = {name: contents[name] for name in contents.files}
            header = json.loads(str(arrays.pop("header")))
            newer = header["format"] > FORMAT
            if not newer:
                return unpacked(header, arrays)
        except Exception as error:  # a damaged file can fail in any way that NumPy, zip, JSON know
            raise ValueError(
                f"{os.fspath(path)} is not a whole fastmlp model file: {error}"
            ) from error
    raise ValueError(
        f"{os.fspath(path)} was written by a newer fastmlp (file format {header['format']}, this "
        f"version reads up to {FORMAT}); upgrade fastmlp"
    )


def packed(net: MLP, with_optimizer: bool = True) -> tuple[Header, Arrays]:
    """Return all that a network is as a header of JSON's types, and named arrays."""
    header = {
        "format": FORMAT,
        "sizes": net.sizes,
        "activation": [_entry(one) for one in net.activation],
        "output_activation": _entry(net.output_activation),
        "loss": _entry(net.loss),
        "dtype": net.dtype.name,
        "seed": net.seed,
        "uint8_scale": net.uint8_scale,
        "epochs": net.epochs,
        "metadata": net.metadata,
        "optimizer": None,
    }
    arrays = _named("", zip(net.weights, net.biases, strict=True))
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


def unpacked(header: Header, arrays: Arrays) -> MLP:
    """Return the network that `packed` took apart."""
    from .network import MLP  # which needs this module

    n_layers = len(header["sizes"]) - 1
    layers = _layers(arrays, "", n_layers)
    net = MLP(
        header["sizes"],
        activation=[_part(one, activations.TABLE) for one in header["activation"]],
        output_activation=_part(header["output_activation"], activations.TABLE),
        loss=_part(header["loss"], losses.TABLE),
        init=([weight for weight, _ in layers], [bias for _, bias in layers]),
        dtype=header["dtype"],
        seed=header["seed"],
        uint8_scale=header["uint8_scale"],
    )
    net.epochs = checks.whole("epochs", header["epochs"], least=0)
    net.metadata = dict(header["metadata"])
    if header["optimizer"] is not None:
        _continue_optimizer(net, header["optimizer"], arrays)
    return net


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
    for number, (weight, bias) in enumerate(layers, start=1):
        found[f"{prefix}weight_{number}"] = weight
        found[f"{prefix}bias_{number}"] = bias
    return found


def _layers(arrays: Arrays, prefix: str, n_layers: int) -> list[Layer]:
    """What `_named` named."""
    return [
        (arrays[f"{prefix}weight_{number}"], arrays[f"{prefix}bias_{number}"])
        for number in range(1, n_layers + 1)
    ]


def _entry(part: Activation | Loss) -> Header:
    """A part as its name in the table and its fields."""
    return {"name": part.name, **vars(part)}


def _part(entry: Header, table: Mapping[str, Callable[..., Part]]) -> Part:
    """The part that `_entry` described."""
    fields = dict(entry)
    return table[fields.pop("name")](**fields)
