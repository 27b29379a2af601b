"""What is drawn of a model, whichever kind it is: its answers, its weights, its histories.

A model is an `MLP`, an `Ensemble`, or what looks like a fitted estimator of scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..ensemble import Ensemble
from ..history import History
from ..network import MLP
from ..support import checks

__all__ = [
    "Answers", "Model", "answers", "class_names", "histories", "layer", "networks", "probabilities",
    "side_lengths",
]  # fmt: skip

Array = NDArray[Any]
Model = Any  # MLP, Ensemble or an estimator
Shape = tuple[int, int]

SMALLEST_SIDE = 5  # pixels: a square number of fewer inputs is taken for columns of a table


@dataclass(frozen=True)
class Answers:
    """What a classifier says about m examples; classes are indices into `names`."""

    y: NDArray[np.intp]  # (m,), the true classes
    predicted: NDArray[np.intp]  # (m,)
    probabilities: Array | None  # (m, n_classes); None if the model has none
    names: list[str]

    @property
    def wrong(self) -> NDArray[np.intp]:
        """The indices of the examples that are read wrong."""
        return np.flatnonzero(self.y != self.predicted)

    @property
    def confidence(self) -> Array | None:
        """The probabilities (m,) of the predicted classes."""
        if self.probabilities is None:
            return None
        return np.asarray(self.probabilities[np.arange(len(self.y)), self.predicted])


def networks(model: Model) -> tuple[MLP, ...]:
    """The networks that a model consists of; none if it is an estimator."""
    if isinstance(model, Ensemble):
        return model.networks
    return (model,) if isinstance(model, MLP) else ()


def answers(model: Model, X: Any, y: ArrayLike, names: Sequence[object] | None = None) -> Answers:
    """What the model says about examples, held against their true classes y (m,)."""
    found = class_names(model, names)
    if networks(model):
        h = probabilities(model, X)
        # of one output, y is yes or no
        n_out, yes_or_no = model.n_out, model.n_out == 1
        targets = model.loss.targets(y, len(h), n_out, model.dtype)
        if targets.ndim == 2:
            targets = targets[:, 0] > 0.5 if yes_or_no else np.argmax(targets, axis=1)
        predicted = np.argmax(h, axis=1)
        return Answers(targets.astype(np.intp), predicted, h, found)
    predicted, given = np.asarray(model.predict(X)), np.asarray(y)
    if predicted.ndim != 1 or given.shape != predicted.shape:
        raise ValueError(
            f"y has shape {given.shape} and what the model predicts {predicted.shape}; expected "
            f"one class for each example, (m,)"
        )
    index = {label: k for k, label in enumerate(np.asarray(model.classes_).tolist())}
    for i, label in enumerate(given.tolist()):
        if label not in index:
            raise ValueError(f"y[{i}] is {label!r}, which is none of the model's classes")
    proba = probabilities(model, X) if hasattr(model, "predict_proba") else None
    indices = [np.array([index[k] for k in one.tolist()], np.intp) for one in (given, predicted)]
    return Answers(indices[0], indices[1], proba, found)


def class_names(model: Model, names: Sequence[object] | None = None) -> list[str]:
    """The names of a classifier's classes: as given, as it has them, or their numbers."""
    if networks(model):
        loss, n_out = model.loss, model.n_out
        if not loss.classification:
            raise ValueError(f"this is for classifiers; the network's loss is {loss.name}")
        if not loss.single_label(n_out):
            several = f"a class for each of {len(loss.groups)} groups" if loss.groups else (
                f"yes or no for each of {n_out} outputs"
            )
            raise ValueError(f"this takes one class for each example; the network says {several}")
        count = max(n_out, 2)
        known = model.metadata.get("classes", range(count))
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
    found = [str(name) for name in (known if names is None else names)]
    if len(found) != count:
        raise ValueError(f"class_names has {len(found)} entries for {count} classes")
    return found


def probabilities(model: Model, X: Any) -> Array:
    """The probability of each class, (m, n_classes), also where there is one output of yes."""
    h = np.asarray(model.predict_proba(X))
    return np.column_stack([1 - h, h]) if h.shape[1] == 1 else h


def histories(given: object) -> list[History]:
    """The histories of training that something is or has, each of at least one epoch."""
    if isinstance(given, History):
        found = [given]
    elif isinstance(given, (list, tuple)) and all(isinstance(one, History) for one in given):
        found = list(given)
    elif networks(given):
        found = [net.history for net in networks(given)]
    elif hasattr(given, "loss_curve_"):
        # a classifier's scores are accuracies, a regressor's are not
        scores = getattr(given, "validation_scores_", None) if hasattr(given, "classes_") else None
        found = [History(cost=list(given.loss_curve_), validation_accuracy=list(scores or []))]
    else:
        raise TypeError(
            f"expected a History, a list of them, an MLP, an Ensemble or a fitted estimator with "
            f"loss_curve_, got {given!r}"
        )
    if not found or not all(one.epochs for one in found):
        raise ValueError("the history is empty: there was no fit, or it is not of this process")
    return found


def layer(model: Model, number: int) -> tuple[Array, str]:
    """The weights (n_out, n_in) of a layer, as they predict, and what they are.

    Those of an ensemble's first layers one below the other, for they have the same inputs.
    """
    number = checks.whole("layer", number, least=0)
    nets = networks(model)
    if nets:
        layers = [net.folded[0] for net in nets]
    elif hasattr(model, "coefs_"):
        layers = [[np.asarray(one).T for one in model.coefs_]]
    else:
        raise TypeError(
            f"expected an MLP, an Ensemble or a fitted estimator with coefs_, got {model!r}"
        )
    if number >= len(layers[0]):
        raise ValueError(f"layer must be at most {len(layers[0]) - 1}, the last, got {number}")
    if number and len(layers) > 1:
        raise ValueError(
            f"layer {number} means another thing in each network of an ensemble; give one of its "
            f"networks"
        )
    of = f" of {len(layers)} networks" if len(layers) > 1 else ""
    return np.concatenate([one[number] for one in layers]), f"layer {number + 1}{of}"


def side_lengths(n_inputs: int, shape: Sequence[int] | None) -> Shape | None:
    """Height and width of the pictures that inputs are; by default the square, None if no picture.

    A shape that is given must fit.
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
