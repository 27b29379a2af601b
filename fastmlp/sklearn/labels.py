"""Class labels as scikit-learn's users have them, and as a network reads them.

    kind          y                      target of the network              its loss
    multiclass    (m,), 3 or more        number of the class (m,)           cross_entropy
    binary        (m,), 1 or 2 classes   0 or 1 (m, 1)                      binary_cross_entropy
    multilabel    (m, K) of 0 and 1      0 or 1 (m, K)                      binary_cross_entropy
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target, unique_labels

__all__ = ["Labels"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Labels:
    """The classes that an estimator tells apart."""

    kind: str
    classes: Array  # (K,); column numbers if multilabel

    @classmethod
    def of(cls, y: Any, classes: Array | None = None) -> Self:
        """Those of targets; with `classes` (K,) given only the kind is to be found."""
        kind = type_of_target(y, input_name="y")
        if "multioutput" in kind:
            raise ValueError("Multioutput target data is not supported with label binarization")
        found = unique_labels(y)
        if kind.startswith("multilabel"):
            return cls("multilabel", found)
        found = found if classes is None else classes
        return cls("binary" if len(found) <= 2 else "multiclass", found)

    @property
    def n_outputs(self) -> int:
        """Units of the output layer."""
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def loss(self) -> str:
        """The network's loss."""
        return "cross_entropy" if self.kind == "multiclass" else "binary_cross_entropy"

    @property
    def out_activation(self) -> str:
        """The output layer's activation as scikit-learn calls it."""
        return "softmax" if self.kind == "multiclass" else "logistic"

    def encode(self, y: Any) -> Array:
        """Targets of the network; y has none but these classes."""
        if self.kind == "multilabel":
            return np.asarray(y.toarray() if hasattr(y, "toarray") else y, dtype=bool)
        if self.kind == "binary":
            is_second = (y == self.classes[-1]) & (len(self.classes) == 2)
            return np.asarray(is_second)[:, np.newaxis]
        return np.asarray(np.searchsorted(self.classes, y))

    def decode(self, h: Array) -> Array:
        """Labels that the output activations h (m, n_outputs) say."""
        if self.kind == "multilabel":
            return (h > 0.5).astype(int)
        if len(self.classes) == 1:
            return np.repeat(self.classes, len(h))
        if self.kind == "binary":
            return np.asarray(self.classes[(h[:, 0] > 0.5).view(np.int8)])
        return np.asarray(self.classes[h.argmax(axis=1)])

    def probabilities(self, h: Array) -> Array:
        """Of each class, (m, K)."""
        return np.asarray(np.hstack([1 - h, h]) if self.kind == "binary" else h)

    def hits(self, h: Array, target: Array) -> Array:
        """Which examples are labelled right by h, (m,)."""
        if self.kind == "multiclass":
            return np.asarray(h.argmax(axis=1) == target)
        return np.asarray(((h > 0.5) == (target > 0.5)).all(axis=1))
