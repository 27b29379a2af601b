"""Losses whose outputs are values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..activations import Activation
from ..support import checks
from .base import ELEMENTWISE, Array, Loss, like_targets

__all__ = ["AbsoluteError", "Gamma", "Huber", "Poisson", "Quantile", "SquaredError"]


class SquaredError(Loss):
    """cost = ½ ‖h − y‖², the report's; any output activation but softmax.

    y is (m, n_out), or (m,) for one output.
    """

    name = "squared_error"
    classification = False
    outputs = ELEMENTWISE

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return (h - y) * slope


class AbsoluteError(Loss):
    """cost = ``Σ_j |h_j − y_j|``, least at the median; any output activation but softmax.

    Where h_j is y_j its derivative is taken as 0.  y as for `SquaredError`.
    """

    name = "absolute_error"
    classification = False
    outputs = ELEMENTWISE

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return np.asarray(np.sign(h - y) * slope)


@dataclass(frozen=True)
class Huber(Loss):
    """cost = Σ_j ½ r_j² up to ``|r_j| = δ``, then ``δ(|r_j| − ½ δ)``; r = h − y (Huber 1964).

    Squared error near the target, absolute error far from it, so that outliers count less.  Any
    output activation but softmax; y as for `SquaredError`.

    Parameters
    ----------
    delta : float, default 1.0
        δ > 0, in the targets' unit.
    """

    name = "huber"
    classification = False
    outputs = ELEMENTWISE
    delta: float = 1.0

    def __post_init__(self) -> None:
        checks.number("delta", self.delta, "(0, inf)")

    @property
    def constants(self) -> tuple[float, ...]:
        return (float(self.delta),)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        (delta,) = self.constants
        return np.asarray(np.clip(h - y, -delta, delta) * slope)


@dataclass(frozen=True)
class Quantile(Loss):
    """cost = Σ_j max(q (y − h_j), (1 − q) (h_j − y)), least at the q-quantile of y.

    The pinball loss (Koenker and Bassett 1978), of several quantiles of one or several targets at
    once: n_out = n_targets × n_quantiles, the outputs of a target side by side.  Where h_j is y its
    derivative is taken as 0.  Any output activation but softmax; y is (m, n_targets), or (m,) for
    one target.

    Predictions are the quantiles of each target in ascending order, so that they never cross:
    sorting brings them nearer to the true ones, if anything (Chernozhukov, Fernández-Val and
    Galichon 2010).

    Parameters
    ----------
    quantiles : sequence of float, default (0.05, 0.5, 0.95)
        Each in (0, 1), ascending.
    """

    name = "quantile"
    classification = False
    outputs = ELEMENTWISE
    quantiles: Sequence[float] = (0.05, 0.5, 0.95)

    def __post_init__(self) -> None:
        if not isinstance(self.quantiles, (list, tuple, np.ndarray)) or len(self.quantiles) == 0:
            raise TypeError(f"quantiles must be a list of numbers, got {self.quantiles!r}")
        found = [
            checks.number(f"quantiles[{i}]", q, "(0, 1)") for i, q in enumerate(self.quantiles)
        ]
        if any(q >= after for q, after in pairwise(found)):
            raise ValueError(f"quantiles must ascend, got {self.quantiles!r}")
        object.__setattr__(self, "quantiles", tuple(found))

    @property
    def constants(self) -> tuple[float, ...]:
        return tuple(self.quantiles)

    def outputs_for(self, n_targets: int) -> int:
        return n_targets * len(self.quantiles)

    def output_activation(self, wanted: str | Activation | None, n_out: int) -> Activation:
        if n_out % len(self.quantiles):
            raise ValueError(
                f"{len(self.quantiles)} quantiles take as many outputs for each target, but the "
                f"network has {n_out} outputs"
            )
        return super().output_activation(wanted, n_out)

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
    """cost = Σ_j (h_j − y_j log h_j) with h = eᶻ: counts, or rates, as of a Poisson distribution.

    Less than half the Poisson deviance, which scikit-learn's "poisson" takes, by a constant: by
    Σ_j (y_j log y_j − y_j), 0 log 0 being 0.  y is ≥ 0, otherwise as for `SquaredError`.
    """

    name = "poisson"
    classification = False
    outputs = ("exponential",)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = super().targets(y, n_rows, n_out, dtype)
        return _without(y, y < 0, "≥ 0")


class Gamma(Loss):
    """cost = Σ_j (y_j / h_j + log h_j) with h = eᶻ: amounts whose spread grows with their mean.

    As of a gamma distribution.  More than half the gamma deviance by the constant
    Σ_j (1 + log y_j).  y is > 0, otherwise as for `SquaredError`.
    """

    name = "gamma"
    classification = False
    outputs = ("exponential",)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = super().targets(y, n_rows, n_out, dtype)
        return _without(y, y <= 0, "> 0")

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return 1 - y / h


def _without(y: Array, wrong: Array, expected: str) -> Array:
    """y, if nothing of it is wrong."""
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise ValueError(f"y must be {expected}, but y[{i}, {j}] is {y[i, j]}")
    return y
