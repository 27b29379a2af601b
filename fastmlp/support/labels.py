"""Class labels as a network's metadata holds them, JSON's values, as arrays again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["class_labels", "label_array"]


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


def class_labels(labels: object, n_classes: int) -> NDArray[Any] | None:
    """Return the label of each class, or None if `labels` has other ones.

    A single label stands for both of two classes: an estimator that has seen one class has no
    label for the other.
    """
    array = label_array(labels)
    if array is not None and len(array) == 1 and n_classes == 2:
        return np.repeat(array, 2)
    return array if array is not None and len(array) == n_classes else None
