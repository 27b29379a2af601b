"""Metrics: what decides which epoch of a network is kept, and what is reported of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from ..sklearn.validation import accepts_sample_weight
from ..support import checks

__all__ = ["CLASSIFICATION", "REGRESSION", "Metric", "metric_of"]

Array = NDArray[Any]
# (classes (m,) or values (m,), probabilities (m, n_classes) or values (m,), weights) → number
Measure = Callable[[Array, Array, Array | None], float]

LEAST_PROBABILITY = 1e-7  # what the log-loss takes a probability of 0 for


class Metric(NamedTuple):
    """A metric by its name."""

    name: str
    measure: Measure
    greater_is_better: bool = False

    def loss(self, y: Array, outputs: Array, weights: Array | None) -> float:
        """Return the metric, or its negative if greater is better: less is better always.

        Where it does not exist, such as the AUC of a single class, the result is infinite.
        """
        value = self.measure(y, outputs, weights)
        if not np.isfinite(value):
            return float(np.inf)
        return -value if self.greater_is_better else value


def error(y: Array, p: Array, weights: Array | None) -> float:
    """Return the share of wrong classes."""
    return float(np.average(p.argmax(axis=1) != y, weights=weights))


def accuracy(y: Array, p: Array, weights: Array | None) -> float:
    """Return the share of right classes."""
    return 1 - error(y, p, weights)


def log_loss(y: Array, p: Array, weights: Array | None) -> float:
    """Return the mean of −log of the probability of the true class."""
    least = np.clip(p[np.arange(len(y)), y], LEAST_PROBABILITY, 1)
    return float(np.average(-np.log(least), weights=weights))


def auc(y: Array, p: Array, weights: Array | None) -> float:
    """Return the area under the ROC curve; with several classes, the mean of each against all."""
    if p.shape[1] == 2:
        return _binary_auc(y == 1, p[:, 1], weights)
    areas = [_binary_auc(y == k, p[:, k], weights) for k in range(p.shape[1])]
    known = [area for area in areas if np.isfinite(area)]
    return float(np.mean(known)) if known else float(np.nan)


def _binary_auc(positive: Array, score: Array, weights: Array | None) -> float:
    """Return the share of pairs in which the positive row has the higher score; ties count half.

    Quicker than scikit-learn's, whose checks take seconds for a thousand classes.
    """
    weight = np.ones(len(score)) if weights is None else weights
    _, place = np.unique(score, return_inverse=True)
    positives = np.bincount(place, weight * positive)
    negatives = np.bincount(place, weight * ~positive)
    pairs = positives.sum() * negatives.sum()
    if not pairs > 0:
        return float(np.nan)
    below = np.cumsum(negatives) - negatives / 2
    return float(positives @ below / pairs)


def balanced_accuracy(y: Array, p: Array, weights: Array | None) -> float:
    """Return the mean over the classes of y of the share of each that is predicted rightly."""
    predicted = p.argmax(axis=1)
    weight = np.ones(len(y)) if weights is None else weights
    return float(np.mean([np.average(predicted[y == k] == k, weights=weight[y == k])
                          for k in np.unique(y) if weight[y == k].sum() > 0]))


def f1(y: Array, p: Array, weights: Array | None) -> float:
    """Return F1 of the second of two classes, or the mean over the classes."""
    return float(
        metrics.f1_score(
            y,
            p.argmax(axis=1),
            average="binary" if p.shape[1] == 2 else "macro",
            sample_weight=weights,
            zero_division=0.0,
        )
    )


def rmse(y: Array, h: Array, weights: Array | None) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.average((h - y) ** 2, weights=weights)))


def mae(y: Array, h: Array, weights: Array | None) -> float:
    """Return the mean absolute error."""
    return float(np.average(np.abs(h - y), weights=weights))


def r2(y: Array, h: Array, weights: Array | None) -> float:
    """Return R², 1 − (mean squared error) / (variance of y)."""
    variance = np.average((y - np.average(y, weights=weights)) ** 2, weights=weights)
    return float(1 - rmse(y, h, weights) ** 2 / variance) if variance > 0 else float(np.nan)


CLASSIFICATION = {
    "log_loss": Metric("log_loss", log_loss),
    "error": Metric("error", error),
    "accuracy": Metric("accuracy", accuracy, True),
    "balanced_accuracy": Metric("balanced_accuracy", balanced_accuracy, True),
    "auc": Metric("auc", auc, True),
    "f1": Metric("f1", f1, True),
}
REGRESSION = {
    "rmse": Metric("rmse", rmse),
    "mae": Metric("mae", mae),
    "r2": Metric("r2", r2, True),
}


class _Outputs(BaseEstimator):  # type: ignore[misc]
    """An estimator whose outputs are known: what a scorer of scikit-learn needs."""

    def __init__(self, outputs: Array | None = None, classes: Array | None = None) -> None:
        self.outputs = outputs
        self.classes = classes

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Any:
        return self.outputs


class _Probabilities(ClassifierMixin, _Outputs):  # type: ignore[misc]
    @property
    def classes_(self) -> Array | None:
        return self.classes

    def predict(self, X: Any) -> Any:
        assert self.classes is not None and self.outputs is not None
        return self.classes[self.outputs.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Any:
        return self.outputs


class _Values(RegressorMixin, _Outputs):  # type: ignore[misc]
    pass


@dataclass(frozen=True)
class _ByScorer:
    """What a scorer of scikit-learn measures; a model with it can be pickled if the scorer can."""

    scorer: Callable[..., Any]
    classes: Array | None  # the labels that a scorer sees in place of their numbers

    def __call__(self, y: Array, outputs: Array, weights: Array | None) -> float:
        if self.classes is None:
            estimator: _Outputs = _Values(outputs)
        else:
            estimator, y = _Probabilities(outputs, self.classes), self.classes[y]
        options = {}
        if weights is not None and accepts_sample_weight(self.scorer):
            options["sample_weight"] = weights
        return float(self.scorer(estimator, np.zeros((len(y), 1)), y, **options))


def metric_of(metric: object, table: dict[str, Metric], classes: Array | None) -> Metric:
    """Return a metric by its name, or that of a scorer.

    Parameters
    ----------
    metric : str or callable
        A name of `table`, or a scorer: ``scorer(estimator, X, y)``, greater is better, such as
        `sklearn.metrics.make_scorer` makes.
    table : dict
        `CLASSIFICATION` or `REGRESSION`.
    classes : ndarray or None
        The labels of the classes, which a scorer sees in place of their numbers.
    """
    if not callable(metric):
        return table[checks.known("metric", metric, table)]
    scorer = metric
    try:
        signature(scorer).bind(None, None, None)
    except TypeError:
        raise TypeError(
            f"metric must be a name or a scorer(estimator, X, y), got {metric!r}; of a function "
            f"of labels and predictions sklearn.metrics.make_scorer makes one"
        ) from None
    except ValueError:  # a function in C has no signature
        pass

    return Metric(str(scorer), _ByScorer(scorer, classes), greater_is_better=True)
