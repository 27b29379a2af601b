"""Going on with a network whose estimator has other parameters than before.

What leaves the weights their shapes is heeded: activation, dropout, loss and dtype.  Other layers
or outputs and batch norm are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..model.spec import NetworkSpec
from ..model.state import Layer, ModelState
from ..network import MLP

__all__ = ["continued"]


def continued(net: MLP, spec: NetworkSpec, rng: np.random.RandomState, call: str) -> MLP:
    """Return the network, with the same parameters, as the estimator describes it now.

    Parameters
    ----------
    net : MLP
        The network of the previous call.
    spec : NetworkSpec
        What the estimator's parameters, X and y describe now.
    rng : RandomState
        Random numbers for the seed of dropout, where the network had none.
    call : str
        "warm_start=True" or "partial_fit", for messages.

    Raises
    ------
    ValueError
        If the parameters do not fit the new description.
    """
    old = net.state.spec
    for name, before, now in (
        ("hidden_layer_sizes", old.sizes[1:-1], spec.sizes[1:-1]),
        ("batch_norm", old.batch_norm, spec.batch_norm),
        ("the number of outputs, which y and loss determine,", old.sizes[-1], spec.sizes[-1]),
    ):
        if before != now:
            raise ValueError(
                f"{call} continues with the weights of the previous call, for which {name} was "
                f"{before}; it cannot become {now}. Fit a new estimator, or without warm_start"
            )
    new = replace(
        old,
        activation=spec.activation,
        output_activation=spec.output_activation,
        loss=spec.loss,
        dropout=spec.dropout,
        dtype=spec.dtype,
    )
    if any(new.dropout) and not any(old.dropout):
        new = replace(new, seed=int(rng.randint(2**31)))
    return net if new == old else with_spec(net, new)


def with_spec(net: MLP, spec: NetworkSpec) -> MLP:
    """Return a network with another description and copies of all that `net` has learned."""

    def cast(layers: Sequence[Any]) -> list[Any]:
        return [
            None if layer is None else tuple(one.astype(spec.dtype) for one in layer)
            for layer in layers
        ]

    old, of = net.state, net.state.snapshot()
    layers: list[Layer] = cast(old.layers(of))
    state = ModelState(spec, layers)
    state.set_layers(layers, cast(old.statistics(of)))
    averages = old.averages(of)
    if averages is not None:
        state.set_averages(cast(averages), of.averaged)
        state.set_use_average(of.use_average)
    if old.optimizer is not None:
        slots = [cast(slot) for slot in old.optimizer_state()]
        state.set_optimizer_state(old.optimizer, slots, old.steps)
    state.epochs, state.frozen = old.epochs, old.frozen
    made = MLP.from_state(state, dict(net.metadata))
    made.history = net.history
    return made
