"""Transfer learning: a trained network with a new output layer."""

from __future__ import annotations

from dataclasses import replace

from .. import initializers
from ..initializers import HeNormal
from ..support import checks
from .state import ModelState

__all__ = ["with_head"]


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
