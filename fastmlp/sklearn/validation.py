"""Examples to stop early by: set aside, or given; and what a network is worth on them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from ..data.examples import Examples
from ..support import threads

__all__ = ["Part", "Watch", "split"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """Examples of a fit, checked: rows, the network's targets, the user's, weights."""

    X: Any
    target: Array
    y: Any
    weight: Array | None

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def take(self, rows: Array) -> Part:
        """Those of some row numbers."""
        return Part(
            self.X[rows],
            self.target[rows],
            self.y[rows],
            None if self.weight is None else self.weight[rows],
        )

    def times(self, weight: Array) -> Part:
        """The same, each weight multiplied by another."""
        both = weight if self.weight is None else weight * self.weight
        return Part(self.X, self.target, self.y, both)


def split(
    part: Part, fraction: float, rng: np.random.RandomState, stratify: bool
) -> tuple[Part, Part]:
    """Examples to train on, and those set aside."""
    if not hasattr(part.X, "dtype") or hasattr(part.X, "tocsr"):
        part = Part(part.X.tocsr(), part.target, part.y, part.weight)
    kept, aside = train_test_split(
        np.arange(len(part)),
        random_state=rng,
        test_size=fraction,
        stratify=part.target if stratify else None,
    )
    if len(aside) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return part.take(kept), part.take(aside)


class Watch:
    """The loss of validation examples after each epoch, and the score to stop early by.

    Parameters
    ----------
    estimator : estimator
        In its fit; `network_` is the network in training.
    part : Part
        The validation examples.
    """

    def __init__(self, estimator: Any, part: Part) -> None:
        self.estimator = estimator
        self.offset = estimator._offset(part)
        net = estimator.network_
        self.examples = Examples.checked(net.state, part.X, part.target, part.weight)
        self.n_threads = threads.for_pass(net.sizes, len(part), estimator.n_threads)
        self.score: Callable[[float, Array], float]
        if estimator.scoring is None:
            self.score = lambda loss, outputs: estimator._score(outputs, part)
        elif estimator.scoring == "loss":
            self.score = lambda loss, outputs: -loss
        else:
            scorer = check_scoring(estimator, estimator.scoring)
            # part.X is an array, whatever had names
            unnamed = copy.copy(estimator)
            unnamed.__dict__.pop("feature_names_in_", None)
            weights = {} if part.weight is None else {"sample_weight": part.weight}
            self.score = lambda loss, outputs: scorer(unnamed, part.X, part.y, **weights)

    def figures(self) -> tuple[float, float]:
        """Loss and score of the network as it is now; NaN if its outputs are not finite."""
        state = self.estimator.network_.state
        total, weight, outputs = state.evaluate(self.examples.data, self.n_threads)
        loss = total / weight / self.estimator._per_output + self.offset
        if not np.isfinite(outputs).all():
            return loss, np.nan
        return loss, float(self.score(loss, outputs))
