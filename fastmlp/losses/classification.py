"""Losses whose outputs are probabilities: of one class of several, or of yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, Softmax
from ..support import checks
from .base import Array, Loss, like_targets

__all__ = ["BinaryCrossEntropy", "CrossEntropy"]


@dataclass(frozen=True, repr=False)
class CrossEntropy(Loss):
    """cost = −Σ_j y_j log h_j with h = softmax(z): one class of several.

    y is (m,) of labels 0 … n_out − 1, or (m, n_out) of probabilities, each row with sum 1.

    With groups several things are told of an example, each by its own classes: the outputs are cut
    into groups of these sizes, softmax is taken in each, and the cost is the sum over all.  y is
    then (m, n_groups) of labels, each counted from 0 in its group, or (m, n_out) of probabilities,
    each group with sum 1; `predict` gives (m, n_groups) labels.

    Parameters
    ----------
    groups : sequence of int, default ()
        The number of classes of each group, 2 or more; their sum is n_out.  Empty: all outputs are
        classes of one thing.
    """

    name = "cross_entropy"
    classification = True
    outputs = ("softmax",)
    least_outputs = 2
    groups: Sequence[int] = ()

    def __post_init__(self) -> None:
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

    def output_activation(self, wanted: str | Activation | None, n_out: int) -> Activation:
        if self.groups and sum(self.groups) != n_out:
            raise ValueError(
                f"groups {self.groups} of the loss take {sum(self.groups)} outputs together, but "
                f"the network has {n_out}"
            )
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
        """Probabilities (m, n_out), a label's being 1 for it and 0 for the others of its group."""
        checks.length("y", y, n_rows)
        places = Softmax(self.groups).spans
        if y.shape == (n_rows, n_out):
            for first, end in places:
                name = f"y[:, {first}:{end}]"
                checks.distributions(name, y[:, first:end], n_rows, end - first, dtype)
            return checks.reals("y", y, dtype)
        if y.shape != (n_rows, len(places)):
            raise ValueError(
                f"y has shape {y.shape}; expected labels ({n_rows}, {len(places)}), one for each "
                f"group of classes, or probabilities ({n_rows}, {n_out})"
            )
        rows, number = np.zeros((n_rows, n_out), dtype), np.arange(n_rows)
        for k, (first, end) in enumerate(places):
            labels = checks.labels(f"y[:, {k}]", y[:, k], n_rows, end - first)
            rows[number, first + labels] = 1
        return rows

    def predict(self, h: Array) -> Array:
        if self.groups:
            places = Softmax(self.groups).spans
            return np.stack([h[:, first:end].argmax(axis=1) for first, end in places], axis=1)
        return np.asarray(np.argmax(h, axis=1))

    def correct(self, h: Array, y: Array) -> Array:
        right = np.equal(self.predict(h), y if y.ndim == 1 else self.predict(y))
        return np.asarray(right.mean(axis=1)) if self.groups else right


class BinaryCrossEntropy(Loss):
    """cost = −Σ_j (y_j log h_j + (1 − y_j) log(1 − h_j)) with h = sigmoid(z).

    Yes or no for each output alone: two classes with one output, several labels an example with
    more.  y is (m, n_out) from 0 to 1, or (m,) for one output.
    """

    name = "binary_cross_entropy"
    classification = True
    outputs = ("sigmoid",)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        return checks.values("y", y, n_rows, n_out, dtype, (0, 1))

    def single_label(self, n_out: int) -> bool:
        return n_out == 1

    def predict(self, h: Array) -> Array:
        return like_targets((h > 0.5).astype(np.intp))

    def correct(self, h: Array, y: Array) -> Array:
        return np.asarray(np.mean((h > 0.5) == (y > 0.5), axis=1))
