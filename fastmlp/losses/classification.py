"""Losses for classification: the outputs are probabilities of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, Softmax
from ..support import checks
from .base import Array, Loss, like_targets

__all__ = ["BinaryCrossEntropy", "CrossEntropy"]


@dataclass(frozen=True, eq=False, repr=False)
class CrossEntropy(Loss):
    """Cross-entropy for one class of several: cost = −Σ_j y_j log h_j with h = softmax(z).

    Targets y are labels 0 … n_out − 1 of shape (m,), or probabilities of shape (m, n_out), whose
    rows have sum 1.

    With `groups` an example has several labels, each with its own classes (multi-output
    classification).  The outputs are divided into groups, softmax applies to each group, and the
    cost is the sum over the groups.  Targets are then labels of shape (m, n_groups), from 0 in each
    group, or probabilities of shape (m, n_out), which have sum 1 in each group; `MLP.predict`
    returns labels of shape (m, n_groups).

    Parameters
    ----------
    groups : sequence of int, default ()
        The number of classes of each group, at least 2; their sum is the number of outputs.
        Without groups, all outputs are classes of the same label.

    See Also
    --------
    BinaryCrossEntropy : For two classes with one output, or for several labels that are 0 or 1.
    """

    name = "cross_entropy"
    classification = True
    output_activations = ("softmax",)
    min_outputs = 2
    groups: Sequence[int] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "groups", Softmax(self.groups).groups)

    def __repr__(self) -> str:
        return f"CrossEntropy(groups={self.groups})" if self.groups else "CrossEntropy()"

    @property
    def constants(self) -> tuple[float, ...]:
        return tuple(float(n) for n in self.groups)

    def outputs_for(self, n_targets: int) -> int:
        return sum(self.groups) or n_targets

    def single_label(self, n_out: int) -> bool:
        return not self.groups

    def check_outputs(self, n_out: int) -> None:
        super().check_outputs(n_out)
        if self.groups and sum(self.groups) != n_out:
            raise ValueError(
                f"groups {self.groups} of the loss take {sum(self.groups)} outputs together, but "
                f"the network has {n_out}"
            )

    def output_activation(self, wanted: str | Activation | None, n_out: int) -> Activation:
        own, found = Softmax(self.groups), super().output_activation(wanted, n_out)
        if isinstance(wanted, Activation) and found != own:
            raise ValueError(
                f"output_activation {found} does not go with loss {self}, which takes {own}"
            )
        return own

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = checks.array("y", y)
        if self.groups:
            return self._group_targets(y, n_rows, n_out, dtype)
        if y.ndim == 2 and y.shape[1] == n_out:
            return checks.distributions("y", y, n_rows, n_out, dtype)
        return checks.labels("y", y, n_rows, n_out)

    def _group_targets(self, y: Array, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        """Return probabilities (m, n_out); those of a label are 1 for its class, 0 for others."""
        checks.length("y", y, n_rows)
        spans = Softmax(self.groups).spans
        if y.shape == (n_rows, n_out):
            for first, end in spans:
                name = f"y[:, {first}:{end}]"
                checks.distributions(name, y[:, first:end], n_rows, end - first, dtype)
            return checks.reals("y", y, dtype)
        if y.shape != (n_rows, len(spans)):
            raise ValueError(
                f"y has shape {y.shape}; expected labels ({n_rows}, {len(spans)}), one for each "
                f"group of classes, or probabilities ({n_rows}, {n_out})"
            )
        probabilities, rows = np.zeros((n_rows, n_out), dtype), np.arange(n_rows)
        for k, (first, end) in enumerate(spans):
            labels = checks.labels(f"y[:, {k}]", y[:, k].copy(), n_rows, end - first)
            probabilities[rows, first + labels] = 1
        return probabilities

    def predict(self, h: Array) -> Array:
        if self.groups:
            spans = Softmax(self.groups).spans
            return np.stack([h[:, first:end].argmax(axis=1) for first, end in spans], axis=1)
        return np.asarray(h.argmax(axis=1))

    def correct(self, h: Array, y: Array) -> Array:
        correct = np.equal(self.predict(h), y if y.ndim == 1 else self.predict(y))
        return np.asarray(correct.mean(axis=1)) if self.groups else correct


class BinaryCrossEntropy(Loss):
    """Binary cross-entropy: cost = −Σ_j (y_j log h_j + (1 − y_j) log(1 − h_j)), h = sigmoid(z).

    Each output is the probability that its label is 1: for two classes with one output, and for
    several labels with more (multilabel classification).  Targets y are numbers from 0 to 1 of
    shape (m, n_out), or (m,) with one output.

    See Also
    --------
    CrossEntropy : For one class of several.
    """

    name = "binary_cross_entropy"
    classification = True
    output_activations = ("sigmoid",)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        return checks.values("y", y, n_rows, n_out, dtype, (0, 1))

    def single_label(self, n_out: int) -> bool:
        return n_out == 1

    def predict(self, h: Array) -> Array:
        return like_targets((h > 0.5).astype(np.intp))

    def correct(self, h: Array, y: Array) -> Array:
        return np.asarray(np.mean((h > 0.5) == (y > 0.5), axis=1))
