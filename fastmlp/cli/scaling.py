"""Columns of one size for training, and a model that takes and gives the columns as they are.

Gradient descent wants inputs and targets of mean 0 and deviation 1; users have euros and years.
So a network is trained on (x − μ) / σ, and then both scalings are taken into its own parameters:

    W(1) (x − μ) / σ + b(1)  =  W' x + b'         with  W' = W(1) / σ,     b' = b(1) − W' μ
    σ_y (W(L) a + b(L)) + μ_y  =  W' a + b'       with  W' = σ_y W(L),     b' = σ_y b(L) + μ_y

the second for a last layer without activation. The saved model needs no other state.
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

        A column with one value in all rows tells nothing. Its σ is ∞, so it becomes 0 and its
        weights too: a value that was never seen in training has no effect.
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

    They are in double precision: a column of years, 2000 ± 5, leaves in W' x + b' a small
    difference of large numbers.

    Parameters
    ----------
    weights, biases : sequences of ndarray
        Those of the network on scaled columns, (n_out, n_in) and (n_out,) for each layer.
    inputs : Scaling
        What was done to the inputs.
    outputs : Scaling or None
        What was done to the targets of a network whose last layer has no activation.
    """
    W = [weight.astype(np.float64) for weight in weights]
    b = [bias.astype(np.float64) for bias in biases]
    W[0] = W[0] / inputs.deviation
    b[0] = b[0] - W[0] @ inputs.mean
    if outputs is not None:
        W[-1] = W[-1] * outputs.deviation[:, np.newaxis]
        b[-1] = b[-1] * outputs.deviation + outputs.mean
    return W, b
