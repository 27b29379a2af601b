"""What every loss is: the cost of an example, and how outputs and targets are read under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import activations
from ..activations import Activation
from ..support import checks

__all__ = ["ELEMENTWISE", "Array", "Loss", "like_targets"]

Array = NDArray[Any]

ELEMENTWISE = tuple(name for name in activations.TABLE if name != "softmax")


@dataclass(frozen=True)
class Loss:
    """The cost of an example, and how outputs and targets are read under it."""

    name: ClassVar[str]
    classification: ClassVar[bool]
    outputs: ClassVar[tuple[str, ...]]  # activations it goes with, its own first
    least_outputs: ClassVar[int] = 1

    @property
    def constants(self) -> tuple[float, ...]:
        """The loss's numbers as the kernels take them; empty for those without."""
        return ()

    @property
    def groups(self) -> Sequence[int]:
        """Sizes of the groups of outputs that each tell a class; empty without."""
        return ()

    def outputs_for(self, n_targets: int) -> int:
        """Return the number of outputs that targets take.

        Parameters
        ----------
        n_targets : int
            Columns of y.

        Returns
        -------
        int
            As many, or for each as many as there are quantiles.
        """
        return n_targets

    def single_label(self, n_out: int) -> bool:
        """Return whether `predict` says one class of each example, of two or more.

        Parameters
        ----------
        n_out : int
            Number of outputs.

        Returns
        -------
        bool
            False too where it gives values.
        """
        return False

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
        return checks.values("y", y, n_rows, n_out, dtype)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        """Return the output delta δ(nl).

        Parameters
        ----------
        h : ndarray, (m, n_out)
            Output activations.
        y : ndarray, (m, n_out)
            Targets, as `targets` returned them.
        slope : ndarray, (m, n_out)
            f'(z) of the outputs.

        Returns
        -------
        ndarray, (m, n_out)
            δ(nl) of each example.
        """
        return h - y

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
        return like_targets(h)

    def correct(self, h: Array, y: Array) -> Array:
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


def like_targets(h: Array) -> Array:
    """One output's column as (m,), the shape in which its targets may come."""
    return h[:, 0] if h.shape[1] == 1 else h
