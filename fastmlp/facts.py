"""What a model is and what it runs on, as names and values to print."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import numpy as np

from . import __version__, threads
from .ensemble import Ensemble
from .losses import Loss
from .network import MLP

__all__ = ["environment", "of_model"]


def of_model(model: MLP | Ensemble) -> Iterator[tuple[str, str]]:
    """Yield what a network or an ensemble is, each thing with its name."""
    if isinstance(model, Ensemble):
        for number, one in enumerate(model.networks, start=1):
            yield f"network {number}", "-".join(map(str, one.sizes))
        yield from _of_loss(model.loss)
        yield "parameters", f"{model.n_parameters:,} in all"
    else:
        yield "layers", "-".join(map(str, model.sizes))
        activations = (*model.activation, model.output_activation)
        yield "activations", ", ".join(f.name for f in activations)
        yield from _of_loss(model.loss)
        yield "parameters", f"{model.n_parameters:,} of {model.dtype}"
        yield "epochs trained", str(model.epochs)
    for name, value in model.metadata.items():
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _of_loss(loss: Loss) -> Iterator[tuple[str, str]]:
    yield "loss", loss.name
    if loss.groups:
        yield "groups of classes", ", ".join(map(str, loss.groups))


def environment() -> Iterator[tuple[str, str]]:
    """Yield what fastmlp runs on here, each thing with its name."""
    yield "fastmlp", __version__
    yield "Python, NumPy", f"{platform.python_version()}, {np.__version__}"
    yield "system", platform.platform()
    yield from threads.config()
