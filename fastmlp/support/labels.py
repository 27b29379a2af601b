"""Class labels as a network's metadata holds them, JSON's values, as arrays again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["class_labels", "class_names", "group_labels", "label_array", "names_of"]


def label_array(labels: object) -> NDArray[Any] | None:
    """Return labels as an array of the type that they had before they were written as JSON.

    Returns
    -------
    ndarray or None
        Text as objects, booleans, whole numbers as int64, or as uint64 where they are beyond it,
        other numbers as float64.  None if `labels` is no list, is empty, or mixes types.
    """
    if not isinstance(labels, (list, tuple)) or not labels:
        return None
    types = {type(label) for label in labels}
    if types == {str}:
        return np.array(labels, object)
    if types == {bool}:
        return np.array(labels, np.bool_)
    if types == {int}:
        for dtype in (np.int64, np.uint64):
            limits = np.iinfo(dtype)
            if limits.min <= min(labels) and max(labels) <= limits.max:
                return np.array(labels, dtype)
        return None
    return np.array(labels, np.float64) if types == {float} else None


def names_of(classes: NDArray[Any]) -> list[Any]:
    """Return classes as a list of JSON's values, which `label_array` makes an array again.

    JSON has neither dates nor time differences; they become text.
    """
    if classes.dtype.kind in "mM":
        return [str(label) for label in classes]
    if classes.dtype.kind == "f":
        classes = classes.astype(np.float64)  # Python's float
    names: list[Any] = classes.tolist()
    return names


def class_names(labels: object, n_classes: int) -> list[Any] | None:
    """Return what `labels` calls each class, or None if it is no list for these classes.

    A single label stands for both of two classes: an estimator that has seen one class has no
    label for the other.
    """
    names = list(labels) if isinstance(labels, (list, tuple)) else []
    if len(names) == 1 and n_classes == 2:
        names *= 2
    return names if len(names) == n_classes else None


def class_labels(labels: object, n_classes: int) -> NDArray[Any] | None:
    """Return what `class_names` does as an array of one type, or None if there is none."""
    return label_array(class_names(labels, n_classes))


def group_labels(labels: object, groups: Sequence[int]) -> list[NDArray[Any] | None]:
    """Return the `class_labels` of each group of classes, where `labels` is a list for each."""
    if not isinstance(labels, (list, tuple)) or len(labels) != len(groups):
        return [None] * len(groups)
    return [class_labels(one, size) for one, size in zip(labels, groups, strict=True)]
