"""What a network has learned, in another one: with a new output layer, with another description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .. import initializers
from ..initializers import HeNormal
from ..support import checks
from .spec import NetworkSpec
from .state import Layer, ModelState

__all__ = ["take_over", "with_head", "with_spec"]


def with_head(state: ModelState, n_out: int, seed: int | None) -> ModelState:
    """Return a state for n_out classes: copies of all layers but the last, which is new.

    The encodings are copied too.  Layers and encodings are those that predict: the averages, where
    they are in use.
    """
    spec = state.spec
    if not spec.loss.classification:
        raise ValueError(
            f"with_head gives a classifier other classes; this network is trained by "
            f"{spec.loss.name} and gives values"
        )
    n_out = checks.whole("n_out", n_out, spec.loss.min_outputs)
    with checks.within("n_out"):
        checks.sizes((*spec.sizes[:-1], n_out))
    new_spec = replace(
        spec,
        sizes=(*spec.sizes[:-1], n_out),
        output_activation=spec.loss.output_activation(spec.output_activation, n_out),
        seed=spec.seed if seed is None else checks.seed(seed),
    )
    weights, biases = initializers.sample(HeNormal(), new_spec.layer_sizes, new_spec.seed)
    head = checks.reals("weight", weights[-1], spec.dtype), checks.reals(
        "bias", biases[-1], spec.dtype
    )
    of = state.snapshot()
    layers, last = state.predicting_layers(of), spec.n_layers - 1
    made = ModelState(new_spec, [*layers[:last], head, *layers[last + 1 :]])
    made.set_layers(made.layers(), [*state.statistics(of)[:-1], None])
    return made


def with_spec(old: ModelState, spec: NetworkSpec) -> ModelState:
    """Return a state with another description, whose layers have the shapes of the old one's.

    It has copies, in its own dtype, of all that the old one has learned.
    """

    def cast(layers: Sequence[Any]) -> list[Any]:
        return [
            None if layer is None else tuple(one.astype(spec.dtype) for one in layer)
            for layer in layers
        ]

    of = old.snapshot()
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
    return state


def take_over(state: ModelState, trained: ModelState) -> None:
    """Make a state that of another network of the same description."""
    with state.paused():  # readers see no state between these
        state.restore(trained.snapshot())
        if trained.optimizer is not None:
            state.set_optimizer_state(trained.optimizer, trained.optimizer_state(), trained.steps)
        state.optimizer, state.epochs = trained.optimizer, trained.epochs
        state.frozen, state.encoding_frozen = trained.frozen, trained.encoding_frozen
