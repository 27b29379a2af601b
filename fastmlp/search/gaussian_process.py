"""Bayesian optimization by a Gaussian process, for Optuna and without PyTorch.

A trial is a point x with one coordinate for each parameter: a number or its logarithm, scaled to
[0, 1], or the index of a choice.  The values y of the trials, standardized, are modelled as a
sample of a Gaussian process with Matérn's covariance and noise (Rasmussen and Williams 2006):

    k(x, x') = s² (1 + √5 r + 5/3 r²) exp(−√5 r),   r² = Σ_p D_p(x, x') / ℓ_p²
    D_p = (x_p − x'_p)² for a number, 1 for two different choices, 0 for the same
    K = k(X, X) + σ² I

θ = (log ℓ_1 … log ℓ_P, log s, log σ) maximizes the posterior density,

    log p(θ | y) = −½ yᵀ K⁻¹ y − ½ log det K − ½ Σ ((θ − μ) / τ)² + constant
    ∂/∂θ_i       = ½ tr((α αᵀ − K⁻¹) ∂K/∂θ_i) − (θ_i − μ_i) / τ_i²,    α = K⁻¹ y

where the prior of the length scales grows with the number of parameters (Hvarfner, Hellsten and
Nardi 2024).  A new point x has mean m = k(x, X) α and variance v = s² − k(x, X) K⁻¹ k(X, x).  The
next trial is the point with the largest expected improvement on the best mean at a trial so far:

    E max(0, best − y(x)) = √v (z Φ(z) + φ(z)),   z = (best − m) / √v
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import FrozenTrial, TrialState
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

__all__ = ["GaussianProcess", "GaussianProcessSampler", "Points", "standardized"]

Floats = NDArray[np.float64]

STARTUP = 10  # random trials at first, as many as TPE makes
CANDIDATES = 2_000
NEAR = (0.2, 0.05, 0.01)  # step sizes of the search around the best candidates
ROOT_5 = sqrt(5)


@dataclass(frozen=True)
class Points:
    """The conversion of parameters to rows of coordinates, and back.

    Attributes
    ----------
    space : dict
        Optuna's distributions by the parameters' names.
    """

    space: Mapping[str, BaseDistribution]

    @property
    def choices(self) -> NDArray[np.intp]:
        """The number of choices of each coordinate, 0 if it is a number."""
        return np.array(
            [
                len(one.choices) if isinstance(one, CategoricalDistribution) else 0
                for one in self.space.values()
            ]
        )

    def row(self, parameters: Mapping[str, Any]) -> Floats:
        """Return the coordinates (P,) of a trial's parameters."""
        found = np.empty(len(self.space))
        for p, (name, one) in enumerate(self.space.items()):
            value = one.to_internal_repr(parameters[name])
            if not isinstance(one, CategoricalDistribution):
                low, high = _ends(one)
                value = (_scaled(one, value) - low) / (high - low)
            found[p] = value
        return found

    def parameters(self, row: Floats) -> dict[str, Any]:
        """Return the parameters at a point (P,)."""
        found = {}
        for x, (name, one) in zip(row, self.space.items(), strict=True):
            value = x
            if not isinstance(one, CategoricalDistribution):
                low, high = _ends(one)
                value = low + x * (high - low)
                value = np.exp(value) if one.log else value  # type: ignore[attr-defined]
                if isinstance(one, IntDistribution):
                    value = round(value)
                value = min(max(value, one.low), one.high)  # type: ignore[attr-defined]
            found[name] = one.to_external_repr(float(value))
        return found

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Return n points (n, P), distributed uniformly over the space."""
        x = rng.random((n, len(self.space)))
        return np.where(self.choices > 0, np.floor(x * self.choices), x)

    def near(self, x: Floats, step: float, n: int, rng: np.random.Generator) -> Floats:
        """Return n points near each of x (m, P): some coordinates moved, some choices changed."""
        x = np.repeat(x, n, axis=0)
        moved = rng.random(x.shape) < 0.5
        other = np.clip(x + step * rng.standard_normal(x.shape), 0, 1)
        changed = moved & (rng.random(x.shape) < 0.3)  # most choices stay the same
        x = np.where(moved & (self.choices == 0), other, x)
        return np.where(changed & (self.choices > 0), self.sample(len(x), rng), x)

    def rounded(self, x: Floats) -> Floats:
        """Return the nearest points at which whole numbers are whole."""
        return np.array([self.row(self.parameters(row)) for row in x])

    def differences(self, a: Floats, b: Floats) -> Floats:
        """Return D_p between points (n, P) and (m, P): (P, n, m)."""
        d = a.T[:, :, np.newaxis] - b.T[:, np.newaxis, :]
        return np.where(self.choices[:, np.newaxis, np.newaxis] > 0, d != 0, d * d)


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process conditioned on its values y (n,) at the points x (n, P), with given θ."""

    points: Points
    x: Floats
    y: Floats
    theta: Floats

    @classmethod
    def fitted(cls, points: Points, x: Floats, y: Floats) -> Self:
        """Return the process with the most probable θ."""
        n_parameters = x.shape[1]
        # of log ℓ, log s, log σ; the first is where the prior density of a length scale is largest
        center = np.array([sqrt(2) - 3 + log(n_parameters) / 2] * n_parameters + [0.0, log(0.1)])
        spread = np.array([sqrt(3)] * n_parameters + [0.5, 1.0])
        bounds = [(log(0.01), log(100))] * n_parameters + [(-2.0, 2.0), (log(1e-3), log(2.0))]
        differences = points.differences(x, x)
        starts = [center, center + np.array([1.0] * n_parameters + [0.0, 1.5])]
        found = [
            minimize(
                cls.energy, start, (differences, y, center, spread), "L-BFGS-B", True, bounds=bounds
            )
            for start in starts
        ]
        return cls(points, x, y, min(found, key=lambda one: float(one.fun)).x)

    @staticmethod
    def energy(
        theta: Floats, differences: Floats, y: Floats, center: Floats, spread: Floats
    ) -> tuple[float, Floats]:
        """Return −log p(θ | y), up to a constant, and its derivatives."""
        K, r, scaled = _covariance(theta, differences)
        noise = np.exp(2 * theta[-1])
        factor = cho_factor(K + noise * np.eye(len(y)), lower=True)
        alpha = cho_solve(factor, y)
        away = (theta - center) / spread
        energy = y @ alpha / 2 + np.log(np.diag(factor[0])).sum() + away @ away / 2
        # tr(A ∂K/∂θ) = Σ A ∘ ∂K/∂θ, because both are symmetric
        A = np.outer(alpha, alpha) - cho_solve(factor, np.eye(len(y)))
        # ∂K/∂log ℓ_p = s² 5/3 (1 + √5 r) exp(−√5 r) D_p / ℓ_p²
        slope = np.exp(2 * theta[-2]) * 5 / 3 * (1 + ROOT_5 * r) * np.exp(-ROOT_5 * r)
        traces = [np.sum(A * slope * one) for one in scaled]
        traces += [2 * np.sum(A * K), 2 * noise * np.trace(A)]
        return float(energy), -np.array(traces) / 2 + away / spread

    def with_expected(self, x: Floats) -> Self:
        """Return the process conditioned in addition on its own means at these points."""
        mean, _ = self.predict(x)
        return replace(self, x=np.vstack([self.x, x]), y=np.concatenate([self.y, mean]))

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance at points (m, P), noise excluded: each (m,)."""
        K, *_ = _covariance(self.theta, self.points.differences(self.x, self.x))
        L = cholesky(K + np.exp(2 * self.theta[-1]) * np.eye(len(self.y)), lower=True)
        k, *_ = _covariance(self.theta, self.points.differences(self.x, x))
        # with K = L Lᵀ: m = (L⁻¹ k)ᵀ L⁻¹ y and v = s² − ‖L⁻¹ k‖², column by column
        half = solve_triangular(L, k, lower=True)
        mean = half.T @ solve_triangular(L, self.y, lower=True)
        variance = np.exp(2 * self.theta[-2]) - np.sum(half * half, axis=0)
        return mean, np.maximum(variance, 1e-12)

    def expected_improvement(self, x: Floats) -> Floats:
        """Return E max(0, best − y) at points (m, P), the best being the lowest mean at a trial."""
        best = self.predict(self.x)[0].min()
        mean, variance = self.predict(x)
        deviation = np.sqrt(variance)
        z = (best - mean) / deviation
        found = deviation * (z * ndtr(z) + np.exp(-z * z / 2) / sqrt(2 * np.pi))
        return np.asarray(found)


class GaussianProcessSampler(BaseSampler):
    """Propose the trial with the largest expected improvement, after some random ones.

    A pruned trial counts as no better than the median of the complete ones.  A running trial counts
    as if it ended with its expected value, so that several threads propose different trials.

    Parameters
    ----------
    seed : int
        Seed of the random trials and of the candidates.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._independent = RandomSampler(seed=seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that all trials so far have."""
        found = IntersectionSearchSpace(include_pruned=True).calculate(study)
        return {name: one for name, one in found.items() if not one.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Choose the parameters of the next trial."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if not search_space or not complete or len(complete) + len(pruned) < STARTUP:
            return {}
        points = Points(search_space)
        x = np.array([points.row(one.params) for one in (*complete, *pruned)])
        # For matrices of this size threads gain nothing, and take cores from the trials.
        with threadpool_limits(1, user_api="blas"):
            process = GaussianProcess.fitted(points, x, standardized(complete, pruned))
            others = [one for one in running if search_space.keys() <= one.params.keys()]
            if others:
                rows = np.array([points.row(one.params) for one in others])
                process = process.with_expected(rows)
            return points.parameters(_most_promising(process, self._rng))

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Choose a parameter at random."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)


def _most_promising(process: GaussianProcess, rng: np.random.Generator) -> Floats:
    """The point (P,) with the largest expected improvement, of those that were not tried yet."""
    points, tried = process.points, process.x
    order = np.argsort(process.y)
    x = np.vstack(
        [
            points.sample(CANDIDATES, rng),
            *(points.near(tried[order[:5]], step, 50, rng) for step in NEAR),
        ]
    )
    for step in (*NEAR, None):
        improvement = process.expected_improvement(x)
        best = x[np.argsort(-improvement)[:20]]
        if step is not None:
            x = np.vstack([best, points.near(best, step, 50, rng)])
    best = points.rounded(best)
    new = points.differences(best, tried).sum(axis=0).min(axis=1) > 0
    candidates = best[new] if new.any() else points.sample(1, rng)
    return np.asarray(candidates[np.argmax(process.expected_improvement(candidates))])


def standardized(complete: Sequence[FrozenTrial], pruned: Sequence[FrozenTrial]) -> Floats:
    """Return the trials' values, standardized and limited, for the process.

    How bad the bad trials are says nothing about where the good ones are.  So a value is at most
    the median plus three times the difference of the median and the best value.
    """
    values = np.array([_value(one) for one in complete])
    median = np.median(values)
    of_pruned = np.array([max(_value(one), median) for one in pruned])
    y = np.concatenate([values, of_pruned])
    y = np.minimum(y, median + 3 * (median - values.min()))
    return np.asarray((y - y.mean()) / (y.std() or 1.0))


def _value(trial: FrozenTrial) -> float:
    return np.inf if trial.values is None else trial.values[0]


def _covariance(theta: Floats, differences: Floats) -> tuple[Floats, Floats, Floats]:
    """Return k (n, m), r (n, m) and D_p / ℓ_p² (P, n, m)."""
    scaled = differences * np.exp(-2 * theta[:-2])[:, np.newaxis, np.newaxis]
    r = np.sqrt(scaled.sum(axis=0))
    k = np.exp(2 * theta[-2]) * (1 + ROOT_5 * r + 5 / 3 * r * r) * np.exp(-ROOT_5 * r)
    return k, r, scaled


def _scaled(one: Any, value: float) -> float:
    return log(value) if one.log else value


def _ends(one: Any) -> tuple[float, float]:
    """The range of a number's coordinate before it is scaled.

    For whole numbers it is half a step longer at both ends, so that the first and the last number
    are sampled as often as the others.
    """
    half = 0.5 if isinstance(one, IntDistribution) else 0.0
    return _scaled(one, one.low - half), _scaled(one, one.high + half)
