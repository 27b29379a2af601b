"""The training set and the validation set of a fit, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.model_selection import train_test_split

from ..data.examples import Examples
from ..model.state import ModelState
from ..support import checks

__all__ = ["Samples", "train_validation_split"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Samples:
    """Samples with targets and perhaps weights.

    Attributes
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        The input data.
    target : ndarray of shape (n_samples, …)
        The targets as the network reads them.
    y : ndarray or sparse matrix of shape (n_samples, …)
        The targets as the user passed them, for scorers.
    weight : ndarray of shape (n_samples,) or None
        The sample weights.
    is_ready : bool
        Whether X and target are checked arrays that the network reads as they are.
    """

    X: Any
    target: Array
    y: Any
    weight: Array | None
    is_ready: bool = False

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def examples(self, state: ModelState) -> Examples:
        """Return the samples as the network's training reads them."""
        if not self.is_ready:
            return Examples.checked(state, self.X, self.target, self.weight)
        data = state.data(self.X, self.target, self.weight)
        return Examples(self.X, self.target, self.weight, data)

    def take(self, rows: Array) -> Samples:
        """Return the samples with these row numbers."""
        weight = None if self.weight is None else self.weight[rows]
        return Samples(self.X[rows], self.target[rows], self.y[rows], weight)

    def with_factors(self, factors: Array) -> Samples:
        """Return the samples with each weight multiplied by a factor."""
        return replace(self, weight=factors if self.weight is None else factors * self.weight)

    def with_checked_weights(self, dtype: np.dtype[Any]) -> Samples:
        """Return the samples with weights ≥ 0, not all zero, in the network's dtype."""
        if self.weight is None:
            return self
        return replace(self, weight=checks.sample_weight(self.weight, len(self), dtype))


def train_validation_split(
    samples: Samples, fraction: float, rng: np.random.RandomState, stratify: bool
) -> tuple[Samples, Samples]:
    """Return the samples to train on and those to validate on, split as scikit-learn does.

    The estimator has checked the fraction, which may be any real number: NumPy's too, which
    `train_test_split` refuses, and 0.
    """
    if fraction == 0:
        raise ValueError(
            f"early_stopping=True needs a validation set: validation_fraction must be > 0, got "
            f"{fraction!r}, or fit be called with X_val and y_val"
        )
    if hasattr(samples.X, "tocsr"):
        samples = replace(samples, X=samples.X.tocsr())
    with config_context(skip_parameter_validation=True):
        training_rows, validation_rows = train_test_split(
            np.arange(len(samples)),
            random_state=rng,
            test_size=fraction,
            stratify=samples.target if stratify else None,
        )
    if len(validation_rows) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    training, validation = samples.take(training_rows), samples.take(validation_rows)
    for name, part in (("training", training), ("validation", validation)):
        if part.weight is not None and not part.weight.any():
            raise ValueError(f"sample_weight is zero for all the {name} examples")
    return training, validation
