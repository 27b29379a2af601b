"""Activations after frozen first layers: computed once a fit where they are the same each epoch."""

from __future__ import annotations

from dataclasses import replace

from ..data.batches import Source
from ..data.examples import Examples
from ..kernels.calls import TrainingOptions
from ..model.state import ModelState
from ..support import threads

__all__ = ["features", "trains_encoding"]

MOST_FEATURES = 512 << 20  # bytes of activations that a fit keeps


def trains_encoding(state: ModelState) -> bool:
    """Return whether training changes parameters of the columns' encodings."""
    return bool(state.spec.encoding_shapes) and not state.encoding_frozen


def features(
    state: ModelState, source: Source, options: TrainingOptions, cap: int | None
) -> Source:
    """Return the examples, or their activations after frozen layers without random numbers.

    Those are the same in every epoch, so they are computed once where they are not too large, on
    at most `cap` threads.
    """
    spec = state.spec
    first = 0
    if options.frozen and not trains_encoding(state):
        first = options.frozen.index(False)
    random = any((spec.input_dropout, *spec.dropout[:first], *spec.noise[:first]))
    if (
        not isinstance(source, Examples)
        or first == 0
        or random
        or options.distortion is not None
        or len(source) * spec.sizes[first] * spec.dtype.itemsize > MOST_FEATURES
    ):
        return source
    n_threads = threads.for_pass(spec.layer_sizes[: first + 1], len(source), cap)
    kept = state.layer_activations(source.data, first, n_threads)
    data = state.data(kept, source.y, source.weight, first)
    return replace(source, X=kept, data=data)
