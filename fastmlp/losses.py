"""Losses: a table from name to what the network needs to know of each.

J = Σ_i s_i cost_i / Σ_i s_i + λ/2 Σ W², with sample weights s_i = 1 unless given.  cost_i beside
its output delta is in kernels/losses.pxd.  A new loss is a class and a row of `TABLE` here, its
kernel there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import activations, checks
from .activations import Activation

__all__ = ["TABLE", "BinaryCrossEntropy", "CrossEntropy", "Loss", "SquaredError"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Loss:
    """The cost of an example, and how outputs and targets are read under it."""

    name: ClassVar[str]
    classification: ClassVar[bool]
    outputs: ClassVar[tuple[str, ...]]  # activations it goes with, its own first
    least_outputs: ClassVar[int] = 1

    def output_activation(self, wanted: str | Activation | None, n_out: int) -> Activation:
        """Return the output layer's activation; the loss's own where none is wanted.

        Parameters
        ----------
        wanted : str, Activation or None
            A name, or an activation.
        n_out : int
            Number of outputs.

        Returns
        -------
        Activation
            One that goes with the loss.
        """
        if n_out < self.least_outputs:
            raise ValueError(
                f"{self.name} needs at least {self.least_outputs} outputs, one for each class, got "
                f"{n_out}; for two classes with one output take loss='binary_cross_entropy'"
            )
        if wanted is None:
            wanted = self.outputs[0]
        found = checks.named("output_activation", wanted, activations.TABLE, Activation)
        if found.name not in self.outputs:
            raise ValueError(
                f"output_activation {found.name!r} does not go with loss {self.name!r}, which "
                f"takes {', '.join(self.outputs)}"
            )
        return found

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        """Check targets and return them as the kernels read them.

        Parameters
        ----------
        y : array-like
            Labels or values, as they were given.
        n_rows, n_out : int
            Numbers of examples and of outputs.
        dtype : dtype
            The network's.

        Returns
        -------
        ndarray
            Labels (n_rows,), or values (n_rows, n_out) of that dtype.
        """
        raise NotImplementedError

    def predict(self, h: Array) -> Array:
        """Return what outputs say: labels or values.

        Parameters
        ----------
        h : ndarray, (m, n_out)
            Output activations.

        Returns
        -------
        ndarray
            As `MLP.predict`.
        """
        raise NotImplementedError

    def hits(self, h: Array, y: Array) -> Array:
        """Return how right the labels are that outputs predict.

        Parameters
        ----------
        h : ndarray, (m, n_out)
            Output activations.
        y : ndarray
            Targets, as `targets` returned them.

        Returns
        -------
        ndarray, (m,)
            From 0 to 1 for each example.
        """
        raise NotImplementedError


class SquaredError(Loss):
    """cost = ½ ‖h − y‖², the report's; any output activation but softmax.

    y is (m, n_out), or (m,) for one output.
    """

    name = "squared_error"
    classification = False
    outputs = tuple(name for name in activations.TABLE if name != "softmax")

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        return checks.values("y", y, n_rows, n_out, dtype)

    def predict(self, h: Array) -> Array:
        return _like_targets(h)


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
        return _like_targets((h > 0.5).astype(np.intp))

    def hits(self, h: Array, y: Array) -> Array:
        return np.asarray(np.mean((h > 0.5) == (y > 0.5), axis=1))


def _like_targets(h: Array) -> Array:
    """One output's column as (m,), the shape in which its targets may come."""
    return h[:, 0] if h.shape[1] == 1 else h


TABLE: dict[str, type[Loss]] = {
    kind.name: kind for kind in (SquaredError, CrossEntropy, BinaryCrossEntropy)
}
