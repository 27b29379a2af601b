"""The loss and the score on the validation set after each epoch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring

from ..data.examples import Examples
from ..support import checks, threads
from .samples import Samples

__all__ = ["OF_VALIDATION", "Validation"]

Array = NDArray[Any]

OF_VALIDATION = "validation set (X_val, y_val)"  # for messages about its X, y and weights


class Validation:
    """The validation set of a fit.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted; `network_` is the network in training.
    samples : Samples
        The validation set.

    Attributes
    ----------
    has_score : bool
        Whether a score was finite.
    """

    def __init__(self, estimator: Any, samples: Samples) -> None:
        self.estimator = estimator
        self.has_score = False
        net = estimator.network_
        with checks.within(OF_VALIDATION):
            self.examples = Examples.checked(net.state, samples.X, samples.target, samples.weight)
        self.loss_constant = 0.0
        constants = estimator._loss_constants(samples.target)
        if constants is not None:
            self.loss_constant = float(np.average(constants, weights=samples.weight))
        self.n_threads = threads.for_pass(net.sizes, len(samples), estimator.n_threads)
        self.score = self._score_function(samples)

    def _score_function(self, samples: Samples) -> Callable[[float, Array], float]:
        """Return the function from loss and output activations to the score."""
        estimator = self.estimator
        if estimator.scoring is None:
            return lambda loss, outputs: float(estimator._score_outputs(outputs, samples))
        if estimator.scoring == "loss":
            return lambda loss, outputs: -loss
        scorer = check_scoring(estimator, estimator.scoring)
        without_names = copy.copy(estimator)  # samples.X is an array without column names
        without_names.__dict__.pop("feature_names_in_", None)
        weights = {}
        if samples.weight is not None and accepts_sample_weight(scorer):
            weights["sample_weight"] = samples.weight

        def score(loss: float, outputs: Array) -> float:
            value = scorer(without_names, samples.X, samples.y, **weights)
            try:
                return float(value)
            except (TypeError, ValueError):
                raise TypeError(f"scoring must return a number, got {value!r}") from None

        return score

    def evaluate(self) -> tuple[float, float]:
        """Return loss and score of the network as it is now.

        The score is NaN without early stopping and, as in scikit-learn, where an output is not
        finite.
        """
        state = self.estimator.network_.state
        total, weight, outputs = state.evaluate(self.examples.data, self.n_threads)
        loss = total / weight / self.estimator._loss_divisor + self.loss_constant
        if not (self.estimator.early_stopping and np.isfinite(outputs).all()):
            return loss, np.nan
        score = self.score(loss, outputs)
        self.has_score |= bool(np.isfinite(score))
        if np.isnan(score) and self.estimator.n_iter_ <= 1:
            raise ValueError(
                f"The score on the validation set is NaN, so that early stopping cannot find the "
                f"best epoch: scoring={self.estimator.scoring!r} of {len(outputs)} validation "
                f"samples. R² for example needs at least two samples; use more of them, or another "
                f"scoring."
            )
        return loss, score

    def require_score(self) -> None:
        """Raise ValueError if no score of the fit was finite, since no epoch is the best then."""
        if not self.has_score:
            raise ValueError(
                "The score on the validation set was not finite in any epoch, so that early "
                "stopping has no best epoch; scale X, and X_val alike, so that its columns are "
                "about 1 in size."
            )


def accepts_sample_weight(scorer: Any) -> bool:
    """Return whether a scorer can be called with sample_weight."""
    if hasattr(scorer, "_accept_sample_weight"):  # made by scikit-learn
        return bool(scorer._accept_sample_weight())
    try:
        parameters = signature(scorer).parameters
    except ValueError:  # compiled functions need not have one
        return False
    return "sample_weight" in parameters or any(
        one.kind == Parameter.VAR_KEYWORD for one in parameters.values()
    )
