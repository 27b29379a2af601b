"""What a network is worth on examples: cost and accuracy."""

from __future__ import annotations

import numpy as np

from ..data.batches import ValidationSource
from ..model.state import ModelState
from ..support import threads

__all__ = ["evaluate", "figures", "sums"]


def evaluate(
    state: ModelState, source: ValidationSource, n_threads: int | None
) -> tuple[float, float | None]:
    """Return the cost of examples without λ and, for classification, the accuracy on them."""
    return figures(state, *sums(state, source, n_threads))


def sums(
    state: ModelState, source: ValidationSource, n_threads: int | None
) -> tuple[float, float, float]:
    """Return Σ s·cost, Σ s and, for classification, Σ s over the examples predicted correctly."""
    spec, of = state.spec, state.snapshot()
    total = weight = correct = 0.0
    for examples in source.chunks():
        used = threads.for_pass(spec.layer_sizes, len(examples), n_threads)
        cost, counted, outputs = state.evaluate(examples.data, used, of)
        total, weight = total + cost, weight + counted
        if spec.loss.classification:
            each = spec.loss.correct(outputs, examples.y).astype(np.float64)
            correct += float(np.sum(each if examples.weight is None else each * examples.weight))
    return total, weight, correct


def figures(
    state: ModelState, total: float, weight: float, correct: float
) -> tuple[float, float | None]:
    """Return the cost and the accuracy that follow from these sums."""
    if weight == 0:  # another thread has changed the weights since they were checked
        raise ValueError("sample_weight is zero for every validation example")
    return total / weight, correct / weight if state.spec.loss.classification else None
