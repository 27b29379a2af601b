"""What the plots need from a model of any kind: predictions, weights, histories, names.

A model is an `MLP`, an `Ensemble`, or a fitted estimator with scikit-learn's interface.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..ensemble import Ensemble
from ..history import History
from ..network import MLP
from ..support import checks, labels

__all__ = [
    "Model", "Predictions", "TrainingCurves", "class_names", "column_names", "histories",
    "image_shape", "layer_weights", "networks", "predictions", "probabilities", "training_curves",
]  # fmt: skip

Array = NDArray[Any]
Model: TypeAlias = Any  # MLP, Ensemble or an estimator
Shape = tuple[int, int]

SMALLEST_SIDE = 5  # pixels: fewer inputs than its square are taken as columns of a table


def networks(model: Model) -> tuple[MLP, ...]:
    """Return the networks that a model consists of; none if it is an estimator."""
    if isinstance(model, Ensemble):
        return model.networks
    return (model,) if isinstance(model, MLP) else ()


# ------------------------------------------------------------------------------------- predictions


@dataclass(frozen=True)
class Predictions:
    """A classifier's predictions for m examples; classes are indices into `names`."""

    y: NDArray[np.intp]  # (m,), the true classes
    predicted: NDArray[np.intp]  # (m,)
    probabilities: Array | None  # (m, n_classes); None if the model has none
    names: list[str]

    @property
    def wrong(self) -> NDArray[np.intp]:
        """The indices of the misclassified examples."""
        return np.flatnonzero(self.y != self.predicted)

    @property
    def accuracy(self) -> float:
        """The fraction of examples that are classified correctly."""
        return 1 - len(self.wrong) / len(self.y)

    @property
    def confidence(self) -> Array | None:
        """The probabilities (m,) of the predicted classes."""
        if self.probabilities is None:
            return None
        return np.asarray(self.probabilities[np.arange(len(self.y)), self.predicted])

    @property
    def most_confident_errors(self) -> NDArray[np.intp]:
        """The indices of the misclassified examples, by descending probability if there is one."""
        wrong, confidence = self.wrong, self.confidence
        if confidence is None:
            return wrong
        return wrong[np.argsort(-confidence[wrong], kind="stable")]

    @property
    def counts(self) -> NDArray[np.int64]:
        """The confusion matrix (n_classes, n_classes): rows are true classes."""
        counts = np.zeros((len(self.names), len(self.names)), np.int64)
        np.add.at(counts, (self.y, self.predicted), 1)
        return counts

    def confusions(self) -> list[tuple[str, str, int]]:
        """Return each true class, wrongly predicted class and their number, most frequent first."""
        counts = self.counts
        np.fill_diagonal(counts, 0)
        rows, columns = np.nonzero(counts)
        order = np.argsort(-counts[rows, columns], kind="stable")
        return [
            (self.names[i], self.names[j], int(counts[i, j]))
            for i, j in zip(rows[order], columns[order], strict=True)
        ]


def predictions(
    model: Model, X: Any, y: ArrayLike, names: Iterable[object] | None = None
) -> Predictions:
    """Return a classifier's predictions for examples whose true classes are y (m,)."""
    checked = class_names(model, names)
    if networks(model):
        h = probabilities(model, X)
        binary = model.n_out == 1
        targets = model.loss.targets(y, len(h), model.n_out, model.dtype)
        if targets.ndim == 2:
            targets = targets[:, 0] > 0.5 if binary else np.argmax(targets, axis=1)
        return Predictions(targets.astype(np.intp), np.argmax(h, axis=1), h, checked)
    predicted, true = np.asarray(model.predict(X)), np.asarray(y)
    if predicted.ndim != 1 or true.shape != predicted.shape:
        raise ValueError(
            f"y has shape {true.shape} and the model's predictions {predicted.shape}; expected "
            f"one class for each example, (m,)"
        )
    index = {label: k for k, label in enumerate(np.asarray(model.classes_).tolist())}
    for i, label in enumerate(true.tolist()):
        if label not in index:
            raise ValueError(f"y[{i}] is {label!r}, which is none of the model's classes")
    proba = probabilities(model, X) if hasattr(model, "predict_proba") else None
    indices = [
        np.array([index[label] for label in one.tolist()], np.intp) for one in (true, predicted)
    ]
    return Predictions(indices[0], indices[1], proba, checked)


def probabilities(model: Model, X: Any) -> Array:
    """Return the probability of each class, (m, n_classes), also for a single output."""
    h = np.asarray(model.predict_proba(X))
    return np.column_stack([1 - h, h]) if h.shape[1] == 1 else h


# ------------------------------------------------------------------------------------------- names


def class_names(model: Model, names: Iterable[object] | None = None) -> list[str]:
    """Return the names of a classifier's classes: as passed, its own, or their numbers."""
    if networks(model):
        loss, n_out = model.loss, model.n_out
        if not loss.classification:
            raise ValueError(f"this is for classifiers; the network's loss is {loss.name}")
        if not loss.single_label(n_out):
            several = f"a class for each of {len(loss.groups)} groups" if loss.groups else (
                f"yes or no for each of {n_out} outputs"
            )
            raise ValueError(
                f"this takes one class for each example; the network predicts {several}"
            )
        count = max(n_out, 2)
        own = model.metadata.get("classes", range(count))
        known = labels.class_names(own, count) or own
    elif hasattr(model, "classes_") and hasattr(model, "predict"):
        known = model.classes_
        if isinstance(known, list):
            raise ValueError(
                f"this takes one class for each example; the model has {len(known)} columns of them"
            )
        count = len(known)
    else:
        raise TypeError(
            f"expected an MLP, an Ensemble or a fitted classifier with predict and classes_, got "
            f"{model!r}"
        )
    return _named("class_names", known if names is None else names, count, "classes")


def column_names(
    model: Model, n_in: int, names: Iterable[object] | None = None
) -> list[str] | None:
    """Return the names of a model's inputs: as passed, or its own; None if it has none."""
    if names is not None:
        return _named("column_names", names, n_in, "inputs")
    own = (
        model.metadata.get("columns")
        if networks(model)
        else getattr(model, "feature_names_in_", None)
    )
    return [str(name) for name in own] if own is not None and len(own) == n_in else None


def _named(argument: str, names: Any, count: int, of: str) -> list[str]:
    texts = [str(name) for name in checks.items(argument, names)]
    if len(texts) != count:
        raise ValueError(f"{argument} has {len(texts)} entries for {count} {of}")
    return texts


# --------------------------------------------------------------------------------------- histories


@dataclass(frozen=True)
class TrainingCurves:
    """The figures of one training, a value for each epoch; lists may be empty."""

    cost: list[float]
    validation_cost: list[float]
    score: list[float]  # over the validation data
    score_name: str
    learning_rate: list[float]
    seconds: float  # 0 if they are not known


def histories(source: object) -> list[History]:
    """Return the histories that were passed, or those of a model, each of at least one epoch."""
    if isinstance(source, History):
        histories = [source]
    elif isinstance(source, (list, tuple)) and all(isinstance(one, History) for one in source):
        histories = list(source)
    elif nets := networks(source) or getattr(source, "networks_", ()):  # also of a table's model
        histories = [net.history for net in nets]
    elif hasattr(source, "coefs_"):
        raise ValueError(
            "the estimator has no curve of its training: with solver='lbfgs' there are no epochs; "
            "take 'adam' or 'sgd'"
        )
    else:
        raise TypeError(
            f"expected a History, a list of them, an MLP, an Ensemble or a fitted estimator, got "
            f"{source!r}"
        )
    if not histories or not all(one.epochs for one in histories):
        raise ValueError("the history is empty: there was no fit, or it was in another process")
    return histories


def training_curves(source: object) -> list[TrainingCurves]:
    """Return the curves of histories, or of an estimator with `loss_curve_`."""
    if not networks(source) and hasattr(source, "loss_curve_"):
        costs = list(source.loss_curve_)
        validation = list(getattr(source, "validation_loss_curve_", None) or [])
        scores = list(getattr(source, "validation_scores_", None) or [])
        return [TrainingCurves(costs, validation, scores, _score_name(source), [], 0.0)]
    return [
        TrainingCurves(
            one.cost, one.validation_cost, one.validation_accuracy, "accuracy",
            one.learning_rate, sum(one.seconds),
        )
        for one in histories(source)
    ]  # fmt: skip


def _score_name(estimator: Any) -> str:
    """Return the name of the score that an estimator computes on its validation data."""
    scoring = getattr(estimator, "scoring", None)
    if scoring is None:
        return "accuracy" if hasattr(estimator, "classes_") else "R²"
    if isinstance(scoring, str):
        return "negative loss" if scoring == "loss" else scoring.replace("_", " ")
    function = getattr(scoring, "_score_func", scoring)  # of make_scorer
    return str(getattr(function, "__name__", "score")).replace("_", " ")


# ----------------------------------------------------------------------------------------- weights


def layer_weights(model: Model, layer: int) -> tuple[Array, str]:
    """Return the weights (n_out, n_in) of a layer as they predict, and its name.

    Those of an ensemble's first layers are stacked, because they have the same inputs.
    """
    layer = checks.whole("layer", layer, least=0)
    nets = networks(model)
    if nets:
        layers = [net.folded[0] for net in nets]
    elif hasattr(model, "coefs_"):
        layers = [[np.asarray(one).T for one in model.coefs_]]
    else:
        raise TypeError(
            f"expected an MLP, an Ensemble or a fitted estimator with coefs_, got {model!r}"
        )
    if layer >= len(layers[0]):
        raise ValueError(f"layer must be at most {len(layers[0]) - 1}, the last, got {layer}")
    if layer and len(layers) > 1:
        raise ValueError(
            f"layer {layer} has other inputs in each network of an ensemble; pass one of its "
            f"networks"
        )
    of = f" of {len(layers)} networks" if len(layers) > 1 else ""
    return np.concatenate([one[layer] for one in layers]), f"layer {layer + 1}{of}"


def image_shape(n_inputs: int, shape: Sequence[int] | None) -> Shape | None:
    """Return height and width of the images that inputs are, None if they are none.

    By default they are square, if the number of inputs is a square of at least 5 × 5.
    """
    if shape is None:
        side = isqrt(n_inputs)
        return (side, side) if side * side == n_inputs and side >= SMALLEST_SIDE else None
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise TypeError(f"shape must be a pair (height, width), got {shape!r}")
    height, width = (checks.whole("shape", one) for one in shape)
    if height * width != n_inputs:
        raise ValueError(f"shape {height} × {width} does not fit {n_inputs} pixels")
    return height, width
