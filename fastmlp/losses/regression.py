"""Losses for regression: the outputs are values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..support import checks
from .base import ELEMENTWISE, Array, Loss, like_targets

__all__ = ["AbsoluteError", "Gamma", "Huber", "Poisson", "Quantile", "SquaredError"]


class SquaredError(Loss):
    """Squared error, the loss of the report: cost = ½ ‖h − y‖².

    The output activation may be any but softmax; identity is the default.  Targets y have shape
    (m, n_out), or (m,) with one output.

    See Also
    --------
    Huber : Squared error that is less sensitive to outliers.
    """

    name = "squared_error"
    classification = False
    output_activations = ELEMENTWISE

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return (h - y) * slope


class AbsoluteError(Loss):
    """Absolute error: cost = ``Σ_j |h_j − y_j|``, which the median minimizes.

    The derivative at h_j = y_j is defined as 0.  Output activations and targets are those of
    `SquaredError`.

    See Also
    --------
    Quantile : The same for other quantiles than the median, up to the factor ½.
    """

    name = "absolute_error"
    classification = False
    output_activations = ELEMENTWISE

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return np.asarray(np.sign(h - y) * slope)


@dataclass(frozen=True, eq=False, repr=False)
class Huber(Loss):
    """Huber loss: squared error near the target, absolute error far from it (Huber 1964).

    With r = h − y the cost is the sum over the outputs of ½ r_j² for ``|r_j| ≤ δ`` and of
    ``δ(|r_j| − ½ δ)`` for larger ``|r_j|``, so that outliers have less influence.  Output
    activations and targets are those of `SquaredError`.

    Parameters
    ----------
    delta : float, default 1.0
        Threshold δ > 0, in the unit of the targets.

    See Also
    --------
    SquaredError : The limit for a large δ.
    """

    name = "huber"
    classification = False
    output_activations = ELEMENTWISE
    _intervals: ClassVar[Mapping[str, str]] = {"delta": "(0, inf)"}
    delta: float = 1.0

    @property
    def constants(self) -> tuple[float, ...]:
        return (float(self.delta),)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        (delta,) = self.constants
        return np.asarray(np.clip(h - y, -delta, delta) * slope)


@dataclass(frozen=True, eq=False, repr=False)
class Quantile(Loss):
    """Pinball loss, which quantiles minimize: cost = Σ_j max(q (y − h_j), (1 − q) (h_j − y)).

    A network predicts several quantiles q of one or several targets at once (Koenker and Bassett
    1978).  It has n_targets × n_quantiles outputs; those of a target are adjacent.  The derivative
    at h_j = y is defined as 0.  The output activation may be any but softmax; identity is the
    default.  Targets y have shape (m, n_targets), or (m,) with one target.

    Predictions are the quantiles of each target in ascending order, so that they never cross.
    Sorting does not increase their error (Chernozhukov, Fernández-Val and Galichon 2010).

    Parameters
    ----------
    quantiles : sequence of float, default (0.05, 0.5, 0.95)
        Quantiles in (0, 1), in ascending order.

    See Also
    --------
    AbsoluteError : Twice the pinball loss of the median.
    """

    name = "quantile"
    classification = False
    output_activations = ELEMENTWISE
    _intervals: ClassVar[Mapping[str, str]] = {"quantiles": "(0, 1)"}
    quantiles: Sequence[float] | NDArray[Any] = (0.05, 0.5, 0.95)

    def __post_init__(self) -> None:
        quantiles = self.quantiles
        if isinstance(quantiles, (list, tuple, np.ndarray)):
            quantiles = tuple(checks.items("quantiles", quantiles))
        if not isinstance(quantiles, tuple) or not quantiles:
            raise TypeError(f"quantiles must be a list of numbers, got {self.quantiles!r}")
        object.__setattr__(self, "quantiles", quantiles)
        super().__post_init__()
        object.__setattr__(self, "quantiles", tuple(map(float, self.quantiles)))
        if any(q >= after for q, after in pairwise(self.quantiles)):
            raise ValueError(f"quantiles must ascend, got {self.quantiles!r}")

    @property
    def constants(self) -> tuple[float, ...]:
        return tuple(self.quantiles)

    def outputs_for(self, n_targets: int) -> int:
        return n_targets * len(self.quantiles)

    def check_outputs(self, n_out: int) -> None:
        super().check_outputs(n_out)
        if n_out % len(self.quantiles):
            raise ValueError(
                f"{len(self.quantiles)} quantiles take as many outputs for each target, but the "
                f"network has {n_out} outputs"
            )

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = checks.array("y", y)
        checks.length("y", y, n_rows)
        n_targets = n_out // len(self.quantiles)
        if y.shape[1:] != (n_targets,) and (y.ndim > 1 or n_targets > 1):
            raise ValueError(
                f"y has shape {y.shape}; expected ({n_rows}, {n_targets}), a value for each "
                f"target, which has {len(self.quantiles)} of the {n_out} outputs"
            )
        return checks.reals("y", y.reshape(n_rows, n_targets), dtype)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        q = np.tile(np.asarray(self.quantiles, h.dtype), y.shape[1])
        y = np.repeat(y, len(self.quantiles), axis=1)
        return np.where(h == y, 0, (h > y) - q) * slope

    def predict(self, h: Array) -> Array:
        each = np.sort(h.reshape(len(h), -1, len(self.quantiles)), axis=2)
        return like_targets(each.reshape(h.shape))


class Poisson(Loss):
    """Poisson loss for counts and rates: cost = Σ_j (h_j − y_j log h_j) with h = eᶻ.

    Half the Poisson deviance, the loss "poisson" of scikit-learn, is larger by the constant
    Σ_j (y_j log y_j − y_j), where 0 log 0 = 0.  Targets are ≥ 0 and have
    the shape of those of `SquaredError`.

    See Also
    --------
    Gamma : For positive amounts.
    """

    name = "poisson"
    classification = False
    output_activations = ("exponential",)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = super().targets(y, n_rows, n_out, dtype)
        return _targets_in_range(y, y >= 0, "≥ 0")


class Gamma(Loss):
    """Gamma loss for positive amounts: cost = Σ_j (y_j / h_j + log h_j) with h = eᶻ.

    It suits targets whose standard deviation is proportional to their mean, as in a gamma
    distribution.  Half the gamma deviance is smaller by the constant Σ_j (1 + log y_j).
    Targets are > 0 and have the shape of those of `SquaredError`.

    See Also
    --------
    Poisson : For counts.
    """

    name = "gamma"
    classification = False
    output_activations = ("exponential",)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = super().targets(y, n_rows, n_out, dtype)
        return _targets_in_range(y, y > 0, "> 0")

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return 1 - y / h


def _targets_in_range(y: Array, valid: Array, expected: str) -> Array:
    """Return y if all targets are valid."""
    if not valid.all():
        i, j = np.argwhere(~valid)[0]
        raise ValueError(f"y must be {expected}, but y[{i}, {j}] is {y[i, j]}")
    return y
