"""Class labels as scikit-learn's users have them, and as the network reads them.

    kind          y                      target of the network              its loss
    multiclass    (m,), 3 or more        number of the class (m,)           cross_entropy
    binary        (m,), 1 or 2 classes   0 or 1 (m, 1)                      binary_cross_entropy
    multilabel    (m, K) of 0 and 1      0 or 1 (m, K)                      binary_cross_entropy
    multioutput   (m, k) of classes      number of the class (m, k)         cross_entropy in groups

Numbers in several columns are multilabel if all of them are 0 or 1.  A column of a multioutput y
has one output for each of its classes, but two if it has a single class: the second output then
stands for no class, and the column's class is predicted with probability 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.utils.multiclass import type_of_target, unique_labels

from ..activations import Softmax
from ..losses import CrossEntropy, Loss
from ..support.labels import names_of
from ..support.text import quoted

__all__ = ["Classes", "Labels"]

Array = NDArray[Any]
Classes = Array | list[Array]


@dataclass(frozen=True)
class Labels:
    """The classes of a classifier.

    Attributes
    ----------
    kind : str
        The first column of the table above.
    classes : ndarray or list of ndarray
        The classes (K,); the column numbers if multilabel; a list with the classes of each column
        if multioutput.
    sparse : bool
        Whether multilabel targets were a sparse matrix, as predictions then are.
    """

    kind: str
    classes: Classes
    sparse: bool = False

    @classmethod
    def from_targets(cls, y: Any, classes: Any = None) -> Self:
        """Return the labels of targets.

        Parameters
        ----------
        y : array-like or sparse matrix
            The targets.
        classes : array-like or list of array-like, optional
            All classes in any order; y then determines the kind alone.
        """
        try:
            kind = type_of_target(y, input_name="y")
        except TypeError as error:
            others = [one for one in np.asarray(y, object).flat if not isinstance(one, str)]
            if not 0 < len(others) < np.size(y):
                raise
            raise TypeError(
                f"y has labels of text and others, such as {quoted(others[0])}, which have no "
                f"common order; leave out rows without a label, and write the other labels as "
                f"text: y.astype(str)"
            ) from error
        if kind.startswith("multilabel") and not _is_indicator(y):
            kind = "multiclass-multioutput"
        shape = np.shape(y)
        if shape[1:] in ((), (1,)):
            classes = _without_column(classes)
        if _is_by_column(classes):
            if shape[1:] != (len(classes),):
                raise ValueError(
                    f"`classes` holds {len(classes)} lists, each for a column of y, but y has "
                    f"shape {shape}; labels of shape (n,) need a single list of classes"
                )
            return cls("multioutput", [np.unique(one) for one in classes])
        if kind.endswith("multioutput"):
            if kind != "multiclass-multioutput":
                raise ValueError(
                    f"Unknown label type: {kind}. Classes cannot be determined from such y."
                )
            if classes is not None:
                raise ValueError(
                    f"`classes` must be a list with an array of classes for each of the "
                    f"{np.shape(y)[1]} columns of y, got {classes!r}"
                )
            return cls("multioutput", [np.unique(column) for column in y.T])
        labels = unique_labels(y if classes is None else classes)
        if kind.startswith("multilabel"):
            return cls("multilabel", labels, hasattr(y, "tocsr"))
        return cls("binary" if len(labels) <= 2 else "multiclass", labels)

    def has_same_classes(self, classes: Any) -> bool:
        """Return whether classes, as passed to `partial_fit`, are these."""
        if self.kind != "multioutput":
            classes = _without_column(classes)
            if isinstance(classes, np.ndarray) and np.array_equal(self.classes, classes):
                return True
            return not _is_by_column(classes) and np.array_equal(
                self.classes, unique_labels(classes)
            )
        return (
            _is_by_column(classes)
            and len(classes) == len(self.classes)
            and all(
                np.array_equal(one, np.unique(other))
                for one, other in zip(self.classes, classes, strict=True)
            )
        )

    def from_further_targets(self, y: Any) -> Self:
        """Return the labels of other targets, an array or sparse matrix, of this kind."""
        is_by_column = self.kind.startswith("multi") and self.kind != "multiclass"
        if is_by_column and (y.ndim != 2 or y.shape[1] != len(self.classes)):
            raise ValueError(f"y has shape {y.shape}; expected {len(self.classes)} columns")
        if y.ndim == 2 and not is_by_column:
            raise ValueError(
                f"y has shape {y.shape}, but the estimator was not fitted with several columns; "
                f"expected labels of shape ({y.shape[0]},)"
            )
        if self.kind == "multilabel" and not _is_indicator(y):
            raise ValueError(
                "y has other values than 0 and 1, but the estimator was fitted with a matrix of 0 "
                "and 1 (multilabel classification)"
            )
        if self.kind == "multioutput":
            return type(self)(self.kind, [np.unique(column) for column in y.T])
        return type(self)(self.kind, unique_labels(y))

    def contains(self, other: Self) -> bool:
        """Return whether every class of other labels of this kind is one of these."""
        return all(
            len(np.setdiff1d(theirs, ours, assume_unique=True)) == 0
            for ours, theirs in zip(self.columns, other.columns, strict=True)
        )

    @property
    def columns(self) -> Sequence[Array]:
        """The classes of each column of y: a list also if y has one column."""
        return self.classes if isinstance(self.classes, list) else [self.classes]

    @property
    def names(self) -> list[Any]:
        """The classes as a list for JSON; a list for each column if multioutput."""
        named = [names_of(one) for one in self.columns]
        return named if isinstance(self.classes, list) else named[0]

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

    def encode(self, y: Any) -> Array:
        """Return the targets of the network; y has no other classes than these."""
        if self.kind == "multilabel":
            return np.asarray(y.toarray() if hasattr(y, "toarray") else y, dtype=bool)
        if self.kind == "multioutput":
            columns = zip(self.classes, y.T, strict=True)
            return np.column_stack([np.searchsorted(classes, one) for classes, one in columns])
        if self.kind == "binary":
            is_second = (y == self.classes[-1]) & (len(self.classes) == 2)
            return np.asarray(is_second)[:, np.newaxis]
        return np.asarray(np.searchsorted(self.columns[0], y))

    def encode_known(self, y: Array, dtype: np.dtype[Any]) -> Array | None:
        """Return the targets of a network for labels (m,), or None if one is not of a class.

        They are arrays as the network reads them: numbers in int32, or 0 and 1 in its dtype.
        """
        classes = self.classes
        if isinstance(classes, list) or self.kind == "multilabel" or y.dtype != classes.dtype:
            return None
        if self.kind == "multiclass" and self._are_numbers:
            is_known = y.astype(np.uint64).max() < len(classes)  # negative ones become large
            return y.astype(np.int32) if is_known else None
        numbers = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        if y.dtype == object or not (classes[numbers] == y).all():
            return None
        if self.kind == "multiclass":
            return numbers.astype(np.int32)
        return self.encode(y).astype(dtype)

    @cached_property
    def _are_numbers(self) -> bool:
        """Whether the classes are the integers 0, 1, 2, …"""
        classes = self.columns[0]
        return classes.dtype.kind in "iu" and np.array_equal(classes, np.arange(len(classes)))

    @property
    def _is_single(self) -> bool:
        """Whether the only column of y has a single class."""
        return self.kind == "binary" and len(self.classes) == 1

    def decode(self, h: Array) -> Any:
        """Return the labels that output activations h (m, n_outputs) predict."""
        if self.kind == "multilabel":
            indicators = (h > 0.5).astype(int)
            return csr_matrix(indicators) if self.sparse else indicators
        if self.kind == "multioutput":
            columns = zip(self.classes, self._most_probable(h).T, strict=True)
            return np.column_stack([classes[numbers] for classes, numbers in columns])
        (classes,) = self.columns
        if self._is_single:
            return np.repeat(classes, len(h))
        if self.kind == "binary":
            return np.asarray(classes[(h[:, 0] > 0.5).view(np.int8)])
        return np.asarray(classes[h.argmax(axis=1)])

    def probabilities(self, h: Array) -> Array | list[Array]:
        """Return the probability of each class (m, K); a list for each column if multioutput."""
        if self.kind == "multioutput":
            return [
                h[:, first:end] if len(classes) > 1 else np.ones((len(h), 1), h.dtype)
                for classes, (first, end) in self._output_ranges()
            ]
        return np.asarray(np.hstack([1 - h, h]) if self.kind == "binary" else h)

    def correct(self, h: Array, target: Array) -> Array:
        """Return whether h predicts each sample correctly, in every column, (m,)."""
        if self.kind == "multioutput":
            return np.asarray((self._most_probable(h) == target).all(axis=1))
        if self.kind == "multiclass":
            return np.asarray(h.argmax(axis=1) == target)
        if self._is_single:  # which is always predicted
            return np.ones(len(h), bool)
        return np.asarray(((h > 0.5) == (target > 0.5)).all(axis=1))

    def _most_probable(self, h: Array) -> Array:
        """Return the numbers of the most probable classes, (m, k)."""
        return np.column_stack([
            h[:, first : first + len(classes)].argmax(axis=1)
            for classes, (first, _) in self._output_ranges()
        ])

    def _output_ranges(self) -> list[tuple[Array, tuple[int, int]]]:
        """Return the classes of each column of y, and where its outputs begin and end."""
        return list(zip(self.columns, Softmax(self.groups).spans, strict=True))


def _is_indicator(y: Any) -> bool:
    """Return whether all values are 0 or 1; scikit-learn allows any two numbers."""
    return hasattr(y, "toarray") or bool(np.isin(y, (0, 1)).all())


def _without_column(classes: Any) -> Any:
    """Return classes (K, 1), the form of a y of one column, as (K,), and others as they are."""
    is_column = isinstance(classes, np.ndarray) and classes.shape[1:] == (1,)
    return classes.ravel() if is_column else classes


def _is_by_column(classes: Any) -> bool:
    """Return whether classes are a list with the classes of each column of y."""
    kinds = list, tuple, np.ndarray
    return isinstance(classes, kinds) and {isinstance(one, kinds) for one in classes} == {True}
