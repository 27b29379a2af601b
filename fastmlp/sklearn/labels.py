"""Class labels as scikit-learn's users have them, and as a network reads them.

    kind          y                      target of the network              its loss
    multiclass    (m,), 3 or more        number of the class (m,)           cross_entropy
    binary        (m,), 1 or 2 classes   0 or 1 (m, 1)                      binary_cross_entropy
    multilabel    (m, K) of 0 and 1      0 or 1 (m, K)                      binary_cross_entropy
    multioutput   (m, k) of classes      number of the class (m, k)         cross_entropy in groups

Numbers in several columns are multilabel where all are 0 or 1.  A column of a multioutput y has as
many outputs as classes, but 2 if it has one class alone; the second is then of no class, and the
column's one class is certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target, unique_labels

from ..activations import Softmax
from ..losses import CrossEntropy, Loss

__all__ = ["Classes", "Labels"]

Array = NDArray[Any]
Classes = Array | list[Array]


@dataclass(frozen=True)
class Labels:
    """The classes that an estimator tells apart."""

    kind: str
    classes: Classes  # (K,), column numbers if multilabel; of each column if multioutput

    @classmethod
    def of(cls, y: Any, classes: Any = None) -> Self:
        """Those of targets; with all classes given, in any order, only the kind is to be found."""
        kind = type_of_target(y, input_name="y")
        if kind.startswith("multilabel") and not _is_indicator(y):
            kind = "multiclass-multioutput"
        if _by_column(classes):
            return cls("multioutput", [np.unique(one) for one in classes])
        if kind.endswith("multioutput"):
            if kind != "multiclass-multioutput":
                raise ValueError(f"Unknown label type: {kind}. Classes cannot be told from such y.")
            if classes is not None:
                raise ValueError(
                    f"`classes` must be a list with an array of classes for each of the "
                    f"{np.shape(y)[1]} columns of y, got {classes!r}"
                )
            return cls("multioutput", [np.unique(column) for column in y.T])
        found = unique_labels(y if classes is None else classes)
        if kind.startswith("multilabel"):
            return cls("multilabel", found)
        return cls("binary" if len(found) <= 2 else "multiclass", found)

    def are(self, classes: Any) -> bool:
        """Whether given classes are these."""
        if self.kind != "multioutput":
            return not _by_column(classes) and np.array_equal(self.classes, unique_labels(classes))
        return (
            _by_column(classes)
            and len(classes) == len(self.classes)
            and all(
                np.array_equal(one, np.unique(other))
                for one, other in zip(self.classes, classes, strict=True)
            )
        )

    def of_same_kind(self, y: Any) -> Self:
        """The labels of other targets, which must be of this kind but for their classes."""
        if self.kind != "multioutput":
            return type(self)(self.kind, unique_labels(y))
        if y.ndim != 2 or y.shape[1] != len(self.classes):
            raise ValueError(f"y has shape {y.shape}; expected {len(self.classes)} columns")
        return type(self)(self.kind, [np.unique(column) for column in y.T])

    def has_all_of(self, other: Self) -> bool:
        """Whether every class of other labels of this kind is one of these."""
        return all(
            len(np.setdiff1d(theirs, ours, assume_unique=True)) == 0
            for ours, theirs in zip(self.columns, other.columns, strict=True)
        )

    @property
    def columns(self) -> Sequence[Array]:
        """The classes of each column of y, as a list also where there is one alone."""
        return self.classes if isinstance(self.classes, list) else [self.classes]

    @property
    def groups(self) -> tuple[int, ...]:
        """Units of the output layer for each column of a multioutput y."""
        return tuple(max(2, len(one)) for one in self.columns)

    @property
    def n_outputs(self) -> int:
        """Units of the output layer."""
        if self.kind == "multioutput":
            return sum(self.groups)
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def loss(self) -> str | Loss:
        """The network's loss."""
        if self.kind == "multioutput":
            return CrossEntropy(self.groups)
        return "cross_entropy" if self.kind == "multiclass" else "binary_cross_entropy"

    @property
    def out_activation(self) -> str:
        """The output layer's activation as scikit-learn calls it."""
        return "softmax" if self.kind in ("multiclass", "multioutput") else "logistic"

    def encode(self, y: Any) -> Array:
        """Targets of the network; y has none but these classes."""
        if self.kind == "multilabel":
            return np.asarray(y.toarray() if hasattr(y, "toarray") else y, dtype=bool)
        if self.kind == "multioutput":
            columns = zip(self.classes, y.T, strict=True)
            return np.column_stack([np.searchsorted(classes, one) for classes, one in columns])
        if self.kind == "binary":
            is_second = (y == self.classes[-1]) & (len(self.classes) == 2)
            return np.asarray(is_second)[:, np.newaxis]
        return np.asarray(np.searchsorted(self.columns[0], y))

    def decode(self, h: Array) -> Array:
        """Labels that the output activations h (m, n_outputs) say."""
        if self.kind == "multilabel":
            return (h > 0.5).astype(int)
        if self.kind == "multioutput":
            columns = zip(self.classes, self._numbers(h).T, strict=True)
            return np.column_stack([classes[numbers] for classes, numbers in columns])
        (classes,) = self.columns
        if len(classes) == 1:
            return np.repeat(classes, len(h))
        if self.kind == "binary":
            return np.asarray(classes[(h[:, 0] > 0.5).view(np.int8)])
        return np.asarray(classes[h.argmax(axis=1)])

    def probabilities(self, h: Array) -> Array | list[Array]:
        """Of each class, (m, K); a list with those of each column if multioutput."""
        if self.kind == "multioutput":
            return [
                h[:, first:end] if len(classes) > 1 else np.ones((len(h), 1), h.dtype)
                for classes, (first, end) in self._spans()
            ]
        return np.asarray(np.hstack([1 - h, h]) if self.kind == "binary" else h)

    def correct(self, h: Array, target: Array) -> Array:
        """Which examples are labelled right by h, in every column, (m,)."""
        if self.kind == "multioutput":
            return np.asarray((self._numbers(h) == target).all(axis=1))
        if self.kind == "multiclass":
            return np.asarray(h.argmax(axis=1) == target)
        return np.asarray(((h > 0.5) == (target > 0.5)).all(axis=1))

    def _numbers(self, h: Array) -> Array:
        """Numbers of the most probable classes, (m, k)."""
        return np.column_stack([
            h[:, first : first + len(classes)].argmax(axis=1)
            for classes, (first, _) in self._spans()
        ])

    def _spans(self) -> list[tuple[Array, tuple[int, int]]]:
        """The classes of each column of y, and where its outputs begin and end."""
        return list(zip(self.columns, Softmax(self.groups).spans, strict=True))


def _is_indicator(y: Any) -> bool:
    """Whether all is 0 or 1; scikit-learn takes any two numbers for yes and no."""
    return hasattr(y, "toarray") or bool(np.isin(y, (0, 1)).all())


def _by_column(classes: Any) -> bool:
    """Whether classes are given for each column of y."""
    kinds = list, tuple, np.ndarray
    return isinstance(classes, kinds) and {isinstance(one, kinds) for one in classes} == {True}
