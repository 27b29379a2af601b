"""Sample weights from class weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import compute_class_weight

from ..support import checks
from .labels import Labels
from .samples import Samples

__all__ = ["label_weights", "with_class_weights"]

Array = NDArray[Any]


def with_class_weights(samples: Samples, class_weight: Any, labels: Labels) -> Samples:
    """Return samples whose weights are multiplied by the weights of their classes.

    "balanced" refers to the classes among these samples, a dict to all classes of the estimator.
    The weights of several columns of classes are multiplied.

    Parameters
    ----------
    samples : Samples
        The samples of a call of fit or partial_fit.
    class_weight : dict, list of dict, "balanced" or None
        The estimator's parameter.
    labels : Labels
        The estimator's classes.
    """
    if class_weight is None:
        return samples
    columns, classes = label_columns(samples, labels)
    by_column = [class_weight]
    if labels.kind in ("multilabel", "multioutput"):
        by_column = one_for_each_column(class_weight, len(columns))
    elif isinstance(class_weight, list):
        raise ValueError(
            "class_weight as a list has a dict for each column of y, and y has one alone; give "
            "a dict or 'balanced'"
        )
    for i, wanted in enumerate(by_column):
        if isinstance(wanted, dict):
            check_weights("class_weight" if len(by_column) == 1 else f"class_weight[{i}]", wanted)
    counts = np.ones(len(samples), bool) if samples.weight is None else samples.weight > 0
    weight = None if samples.weight is None else samples.weight[counts]
    factors = counts.astype(np.float64)
    for column, known, wanted in zip(columns, classes, by_column, strict=True):
        factors[counts] *= label_weights(wanted, known, column[counts], weight)
    return samples.with_factors(factors)


def label_weights(
    class_weight: Any, classes: Array, y: Array, sample_weight: Array | None = None
) -> Array:
    """Return the class weight of each label of a column.

    "balanced" refers to the classes in y and their sample weights, a dict to all classes.  Labels
    are looked for in it as they are: scikit-learn 1.9 looks for the text "1" as the number 1.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Classes that a dict does not name have weight 1.
    classes : ndarray (n_classes,)
        All classes, ascending.
    y : ndarray (m,)
        The labels.
    sample_weight : ndarray (m,), optional
        Weights of the samples.

    Raises
    ------
    ValueError
        If a dict names labels that are not classes, and some classes are not in it.
    """
    if isinstance(class_weight, Mapping):
        unnamed = [label for label in classes if label not in class_weight]
        if unnamed and len(classes) - len(unnamed) != len(class_weight):
            raise ValueError(f"The classes, {np.array(unnamed).tolist()}, are not in class_weight")
        of_class = np.array([class_weight.get(label, 1.0) for label in classes], np.float64)
    else:
        classes = np.unique(y)
        of_class = compute_class_weight(
            class_weight, classes=classes, y=y, sample_weight=sample_weight
        )
    weights: Array = of_class[np.searchsorted(classes, y)]
    return weights


def check_weights(name: str, weights: dict[Any, Any]) -> None:
    """Raise an error that names the class whose weight is not a number ≥ 0."""
    for label, weight in weights.items():
        if not isinstance(weight, (bool, np.bool_)):
            checks.number(f"{name}[{label!r}]", weight, "[0, inf)")


def label_columns(samples: Samples, labels: Labels) -> tuple[list[Array], Sequence[Array]]:
    """Return each column of labels, and the classes of each column."""
    if labels.kind == "multilabel":
        columns = list(samples.target.T.astype(int))
        return columns, [np.arange(2)] * len(columns)
    if labels.kind == "multioutput":
        return list(samples.y.T), labels.columns
    return [samples.y], labels.columns


def one_for_each_column(class_weight: Any, n_columns: int) -> list[Any]:
    """Return the class weights of each column of y, checked."""
    if isinstance(class_weight, str):
        return [class_weight] * n_columns
    if not isinstance(class_weight, list) or len(class_weight) != n_columns:
        raise ValueError(
            f"For multi-output, class_weight should be a list of dicts, one for each of the "
            f"{n_columns} columns of y, or the string 'balanced'; got {class_weight!r}"
        )
    return class_weight
