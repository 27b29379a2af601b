"""Standardized columns for training, and a model for the columns as they are in the table.

Gradient descent needs inputs and targets of mean 0 and standard deviation 1; the columns of tables
are euros and years. So a network is trained on (x − μ) / σ, and then both scalings are folded into
its parameters:

    W(1) (x − μ) / σ + b(1)  =  W' x + b'         with  W' = W(1) / σ,     b' = b(1) − W' μ
    σ_y (W(L) a + b(L)) + μ_y  =  W' a + b'       with  W' = σ_y W(L),     b' = σ_y b(L) + μ_y

The second holds for a last layer without activation. The saved model needs no other state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """The map x → (x − μ) / σ of each column."""

    mean: Floats  # (n,)
    deviation: Floats  # (n,)

    @classmethod
    def of(cls, columns: NDArray[Any]) -> "Scaling":
        """Return the scaling that gives `columns` (m, n) mean 0 and deviation 1.

        A constant column has no information. Its σ is ∞, so that it and its weights become 0: a
        value that did not occur in training has no effect.
        """
        mean = [column.mean(dtype=np.float64) for column in columns.T]
        deviation = [
            column.std(dtype=np.float64) if column.max() > column.min() else np.inf
            for column in columns.T
        ]
        return cls(np.array(mean), np.array(deviation))

    def apply(self, columns: NDArray[Any]) -> NDArray[np.float32]:
        """Return `columns` (m, n) scaled, in single precision."""
        scaled = np.empty(columns.shape, np.float32)
        for j, (mean, deviation) in enumerate(zip(self.mean, self.deviation, strict=True)):
            scaled[:, j] = (columns[:, j] - mean) / deviation
        return scaled


def fold(
    weights: Sequence[NDArray[Any]],
    biases: Sequence[NDArray[Any]],
    inputs: Scaling,
    outputs: Scaling | None,
) -> tuple[list[Floats], list[Floats]]:
    """Return the parameters of the network that maps unscaled inputs to unscaled outputs.

    They are in double precision: for a column of years, 2000 ± 5, W' x + b' is a small difference
    of large numbers.

    Parameters
    ----------
    weights, biases : sequences of ndarray
        Parameters of the network on scaled columns, (n_out, n_in) and (n_out,) for each layer.
    inputs : Scaling
        The scaling of the inputs.
    outputs : Scaling or None
        The scaling of the targets, for a network whose last layer has no activation.
    """
    W = [weight.astype(np.float64) for weight in weights]
    b = [bias.astype(np.float64) for bias in biases]
    W[0] = W[0] / inputs.deviation
    b[0] = b[0] - W[0] @ inputs.mean
    if outputs is not None:
        W[-1] = W[-1] * outputs.deviation[:, np.newaxis]
        b[-1] = b[-1] * outputs.deviation + outputs.mean
    return W, b
