"""Prediction intervals from the errors on validation rows (conformal prediction).

A row's residual is y − h, where h is the mean output of the networks that were not trained on the
row.  The residuals are kept in groups of equal size by h, since errors often grow with the value
that is predicted; within a group an interval's coverage holds for rows like those of training
(Mondrian conformal prediction: Vovk, Lindsay, Nouretdinov and Gammerman 2003).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Residuals"]

Array = NDArray[Any]

ROWS_OF_GROUP = 200
MOST_GROUPS = 10


@dataclass(frozen=True)
class Residuals:
    """The residuals of validation rows, in ascending order within each group."""

    starts: NDArray[np.float64]  # (n_groups − 1,) the least prediction of each group but the first
    groups: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, predicted: Array, y: Array) -> Self:
        """Return the residuals of predictions for rows that were not trained on."""
        n_groups = int(np.clip(len(y) // ROWS_OF_GROUP, 1, MOST_GROUPS))
        starts = np.unique(np.quantile(predicted, np.linspace(0, 1, n_groups + 1)[1:-1]))
        number = np.searchsorted(starts, predicted, side="right")
        residuals = y - predicted
        groups = [np.sort(residuals[number == g]) for g in range(len(starts) + 1)]
        kept = [g for g in range(len(groups)) if len(groups[g])]
        return cls(starts[np.array(kept[1:], int) - 1], tuple(groups[g] for g in kept))

    def quantiles(self, predicted: Array, levels: Array) -> Array:
        """Return the quantiles (m, n_levels) of y at rows with these predictions.

        Level q of n residuals is the one of rank q (n + 1), linear between ranks: with that
        correction for a finite n an interval between two levels has at least its coverage.
        """
        number = np.searchsorted(self.starts, predicted, side="right")
        result = np.empty((len(predicted), len(levels)))
        for g, residuals in enumerate(self.groups):
            n = len(residuals)
            ranks = np.clip(levels * (n + 1) - 1, 0, n - 1)
            result[number == g] = np.interp(ranks, np.arange(n), residuals)
        return predicted[:, None] + result

    def to_json(self) -> dict[str, Any]:
        """Return the residuals in JSON's types."""
        return {
            "starts": self.starts.tolist(),
            "groups": [group.tolist() for group in self.groups],
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Return the residuals that `to_json` described."""
        return cls(
            np.array(entry["starts"], np.float64),
            tuple(np.array(group, np.float64) for group in entry["groups"]),
        )
