"""Networks as exports see them."""

from __future__ import annotations

from typing import NamedTuple

from ..activations import Activation
from ..ensemble import Ensemble
from ..model.state import Array
from ..network import MLP

__all__ = ["Layer", "members", "plain", "predicting", "single"]


class Layer(NamedTuple):
    """A layer a(l+1) = f(W a(l) + b) as it predicts, batch norm folded in."""

    weight: Array  # (n_out, n_in)
    bias: Array  # (n_out,)
    activation: Activation


def plain(net: MLP) -> list[Layer]:
    """The layers of a plain network that predicts the same, by the averages if it does so."""
    return [
        Layer(*layer)
        for layer in zip(*net.folded, (*net.activation, net.output_activation), strict=True)
    ]


def members(net: object) -> tuple[MLP, ...]:
    """The networks of an ensemble, or the one given."""
    if isinstance(net, Ensemble):
        return net.networks
    return (single(net),)


def single(net: object) -> MLP:
    """The one network given."""
    if isinstance(net, Ensemble):
        raise TypeError(f"net must be an MLP, got {net!r}; export its networks one by one")
    if not isinstance(net, MLP):
        raise TypeError(f"net must be an MLP, got {net!r}")
    return net


def predicting(net: MLP) -> list[tuple[Array, ...]]:
    """Each layer's weight, bias and, with batch norm, scale; averages if it predicts by them."""
    return net.state.predicting_layers()
