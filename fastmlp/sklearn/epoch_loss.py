"""scikit-learn's training loss of an epoch, from the sums of its batches.

    L = Σ_b n_b L_b / Σ_b n_b        over the batches b, n_b samples each
    L_b = Σ s·cost / Σ s + alpha/2 · Σ W² / Σ s

with the weights W before the batch's update.  scikit-learn's cost of a sample is the network's,
divided by the number of outputs for the squared error, plus a constant for Poisson's deviance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import options
from .samples import Samples

MOST_EPOCHS = 16  # that one call of the engine may run

__all__ = ["EpochLoss"]


class EpochLoss:
    """The loss of the epochs of one fit.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted.
    samples : Samples
        The training set.
    batch_size : int
        Samples of a step.
    n_epochs : int
        The number of epochs.

    Attributes
    ----------
    batch_sums : ndarray of shape (n_epochs_at_once · n_batches, 2)
        What the network's fit writes: Σ s·cost of each batch, and Σ W² before its update.  The
        first n_batches rows are those of the epoch that has ended.
    depends_on_samples : bool
        Whether the loss depends on weights or on constants of these samples.
    """

    def __init__(
        self, estimator: Any, samples: Samples, batch_size: int, n_epochs: int
    ) -> None:
        self.alpha = options.number(estimator, "alpha")
        self.divisor = estimator._loss_divisor
        self.first_rows = np.arange(0, len(samples), batch_size)
        self.n_samples = len(samples)
        self.n_rows = np.minimum(batch_size, len(samples) - self.first_rows)
        self.weight = samples.weight
        constants = estimator._loss_constants(samples.target)
        if constants is not None and self.weight is not None:
            constants = constants * self.weight
        self.constants = constants
        self.batch_sums = np.zeros((min(n_epochs, MOST_EPOCHS) * len(self.first_rows), 2))
        self.depends_on_samples = self.weight is not None or constants is not None
        self.frozen_squares = 0.0  # Σ W² of layers that `batch_sums` leaves out

    def __call__(self, order: NDArray[np.int64] | None, n_batches: int | None = None) -> float:
        """Return the loss of an epoch, or of its first batches.

        Parameters
        ----------
        order : ndarray of shape (n_samples,) or None
            The epoch's order of the samples; None: as they are.
        n_batches : int, optional
            The number of batches.  Default: all.
        """
        sums = self.batch_sums[: n_batches or len(self.n_rows)]
        if n_batches is None and not self.depends_on_samples:
            cost, squares = (sums[0] if len(sums) == 1 else sums.sum(axis=0)).tolist()
            squares += len(sums) * self.frozen_squares
            return float((cost / self.divisor + self.alpha / 2 * squares) / self.n_samples)
        total = sums[:, 0] / self.divisor + self.alpha / 2 * (sums[:, 1] + self.frozen_squares)
        if self.constants is not None:
            total = total + self._by_batch(self.constants, order)[:n_batches]
        n_rows = self.n_rows[:n_batches]
        weight = n_rows if self.weight is None else self._by_batch(self.weight, order)[:n_batches]
        counts = weight > 0  # a batch of zero weight has no loss
        if not counts.any():
            return float("nan")
        return float(np.average(total[counts] / weight[counts], weights=n_rows[counts]))

    def _by_batch(
        self, values: NDArray[Any], order: NDArray[np.int64] | None
    ) -> NDArray[np.float64]:
        """Return the sum over each batch of one number per sample."""
        ordered = values if order is None else values[order]
        sums: NDArray[np.float64] = np.add.reduceat(ordered, self.first_rows, dtype=np.float64)
        return sums
