"""The base class of losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import activations
from ..activations import Activation
from ..support import checks
from ..support.values import Value

__all__ = ["ELEMENTWISE", "Array", "Loss", "like_targets"]

Array = NDArray[Any]

ELEMENTWISE = tuple(name for name in activations.TABLE if name != "softmax")


@dataclass(frozen=True, eq=False, repr=False)
class Loss(Value):
    """Base class of losses: the cost of an example, and the meaning of outputs and targets."""

    name: ClassVar[str]
    classification: ClassVar[bool]
    output_activations: ClassVar[tuple[str, ...]]  # allowed for the output; the first is default
    min_outputs: ClassVar[int] = 1

    def __post_init__(self) -> None:
        checks.constants(self)

    @property
    def constants(self) -> tuple[float, ...]:
        """The constants of the loss that the kernels expect; empty if it has none."""
        return ()

    @property
    def groups(self) -> Sequence[int]:
        """The numbers of classes of groups of outputs; empty if there are no groups."""
        return ()

    def outputs_for(self, n_targets: int) -> int:
        """Return the number of outputs of a network for targets.

        Parameters
        ----------
        n_targets : int
            Number of columns of y.

        Returns
        -------
        int
            The number of columns; for the quantile loss, times the number of quantiles.
        """
        return n_targets

    def single_label(self, n_out: int) -> bool:
        """Return whether `predict` returns one class of two or more for each example.

        Parameters
        ----------
        n_out : int
            Number of outputs.

        Returns
        -------
        bool
            Also False if `predict` returns values.
        """
        return False

    def check_outputs(self, n_out: int) -> None:
        """Raise ValueError if the loss cannot have this number of outputs.

        Parameters
        ----------
        n_out : int
            Number of outputs.
        """
        if n_out < self.min_outputs:
            raise ValueError(
                f"{self.name} needs at least {self.min_outputs} outputs, one for each class, got "
                f"{n_out}; for two classes with one output take loss='binary_cross_entropy'"
                if self.min_outputs > 1
                else f"{self.name} needs at least 1 output, got {n_out}"
            )

    def check_classification(self) -> None:
        """Raise ValueError if outputs are values, not probabilities of classes."""
        if not self.classification:
            raise ValueError(
                f"a network trained by {self.name} gives values, not probabilities; use predict or "
                f"forward"
            )

    def output_activation(self, wanted: str | Activation | None, n_out: int) -> Activation:
        """Return the activation function of the output layer.

        Parameters
        ----------
        wanted : str, Activation or None
            The name of an activation function, an activation, or None for the loss's default.
        n_out : int
            Number of outputs.

        Returns
        -------
        Activation
            The activation function, which the loss allows.
        """
        self.check_outputs(n_out)
        if wanted is None:
            wanted = self.output_activations[0]
        found = checks.named("output_activation", wanted, activations.TABLE, Activation)
        if found.name not in self.output_activations:
            raise ValueError(
                f"output_activation {found.name!r} does not go with loss {self.name!r}, which "
                f"takes {', '.join(self.output_activations)}"
            )
        return found

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        """Check targets and return them as the kernels read them.

        Parameters
        ----------
        y : array-like
            Labels or values, as the user passed them.
        n_rows, n_out : int
            Number of examples and number of outputs.
        dtype : dtype
            The network's dtype.

        Returns
        -------
        ndarray
            Labels (n_rows,) of int32, or values (n_rows, n_targets) of that dtype.
        """
        return checks.values("y", y, n_rows, n_out, dtype)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        """Return the output delta δ(nl) of each example.

        Parameters
        ----------
        h : ndarray, (m, n_out)
            Output activations.
        y : ndarray, (m, n_out)
            Targets, as `targets` returned them.
        slope : ndarray, (m, n_out)
            Derivative f'(z) of the output activation.

        Returns
        -------
        ndarray, (m, n_out)
            δ(nl).
        """
        return h - y

    def predict(self, h: Array) -> Array:
        """Return the labels or values that outputs predict.

        Parameters
        ----------
        h : ndarray, (m, n_out)
            Output activations.

        Returns
        -------
        ndarray
            What `MLP.predict` returns.
        """
        return like_targets(h)

    def correct(self, h: Array, y: Array) -> Array:
        """Return the fraction of correct labels of each example, for a classification loss.

        Parameters
        ----------
        h : ndarray, (m, n_out)
            Output activations.
        y : ndarray
            Targets, as `targets` returned them.

        Returns
        -------
        ndarray, (m,)
            1 for an example whose labels are all predicted, 0 if none is.
        """
        raise NotImplementedError


def like_targets(h: Array) -> Array:
    """Return the outputs (m, n_out), or (m,) if there is one output: the shape of targets."""
    return h[:, 0] if h.shape[1] == 1 else h
