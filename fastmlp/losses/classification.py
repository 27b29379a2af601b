"""Losses whose outputs are probabilities: of one class of several, or of yes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import checks
from .base import Array, Loss, like_targets

__all__ = ["BinaryCrossEntropy", "CrossEntropy"]


class CrossEntropy(Loss):
    """cost = −Σ_j y_j log h_j with h = softmax(z): one class of several.

    y is (m,) of labels 0 … n_out − 1, or (m, n_out) of probabilities, each row with sum 1.
    """

    name = "cross_entropy"
    classification = True
    outputs = ("softmax",)
    least_outputs = 2

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = checks.array("y", y)
        if y.ndim == 2 and y.shape[1] == n_out:
            return checks.distributions("y", y, n_rows, n_out, dtype)
        return checks.labels("y", y, n_rows, n_out)

    def predict(self, h: Array) -> Array:
        return np.asarray(np.argmax(h, axis=1))

    def hits(self, h: Array, y: Array) -> Array:
        return np.equal(self.predict(h), y if y.ndim == 1 else self.predict(y))


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

    def predict(self, h: Array) -> Array:
        return like_targets((h > 0.5).astype(np.intp))

    def hits(self, h: Array, y: Array) -> Array:
        return np.asarray(np.mean((h > 0.5) == (y > 0.5), axis=1))
