"""Properties of a model and of its environment, as names and values to print."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .ensemble import Ensemble
from .losses import Loss
from .model.digest import model_digest
from .network import MLP
from .support import threads
from .version import __version__

__all__ = ["environment", "model", "notes"]


def model(net: MLP | Ensemble) -> Iterator[tuple[str, str]]:
    """Yield names and values that describe a network or an ensemble."""
    if isinstance(net, Ensemble):
        for number, one in enumerate(net.networks, start=1):
            yield f"network {number}", "-".join(map(str, one.sizes))
        yield from _of_loss(net.loss)
        yield "parameters", f"{net.n_parameters:,} in all"
    else:
        yield "layers", "-".join(map(str, net.sizes))
        if net.encodings:
            kinds = Counter(one.name for one in net.encodings)
            yield "encodings", ", ".join(f"{n} {name}" for name, n in kinds.items())
        activations = (*net.activation, net.output_activation)
        yield "activations", ", ".join(f.name for f in activations)
        yield from _of_loss(net.loss)
        yield "parameters", f"{net.n_parameters:,} of {net.dtype}"
        yield "epochs trained", str(net.epochs)
    networks = net.networks if isinstance(net, Ensemble) else [net]
    yield "digest", model_digest([one.state for one in networks])
    yield from notes(net.metadata)


def notes(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the entries of a network's metadata as text."""
    for name, value in metadata.items():
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _of_loss(loss: Loss) -> Iterator[tuple[str, str]]:
    yield "loss", loss.name
    if loss.groups:
        yield "groups of classes", ", ".join(map(str, loss.groups))


def environment() -> Iterator[tuple[str, str]]:
    """Yield names and values for the versions, the system and the kernels in use."""
    yield "fastmlp", __version__
    yield "Python, NumPy", f"{platform.python_version()}, {np.__version__}"
    yield "system", platform.platform()
    yield from threads.config()
