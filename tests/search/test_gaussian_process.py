"""The Gaussian process compared with its formulas computed in other ways; its proposals."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from fastmlp.search.gaussian_process import (
    GaussianProcess,
    GaussianProcessSampler,
    Points,
    standardized,
)

Array = NDArray[Any]

SPACE: dict[str, BaseDistribution] = {
    "l2": FloatDistribution(1e-6, 1e-2, log=True),
    "dropout": FloatDistribution(0.0, 0.6),
    "depth": IntDistribution(1, 3),
    "width": IntDistribution(8, 64, log=True),
    "activation": CategoricalDistribution(["relu", "tanh", "elu"]),
}
THETA = np.array([-0.5, 0.2, 0.0, -1.0, 0.3, 0.1, -1.5])  # log ℓ of each, log s, log σ


@pytest.fixture
def points() -> Points:
    return Points(SPACE)


@pytest.fixture
def process(points: Points, rng: np.random.Generator) -> GaussianProcess:
    return GaussianProcess(points, points.sample(12, rng), rng.normal(size=12), THETA)


def covariance(a: Array, b: Array) -> Array:
    """k between points, one pair after the other."""
    K = np.empty((len(a), len(b)))
    for i, x in enumerate(a):
        for j, z in enumerate(b):
            d = [*(x - z)[:4] ** 2, float(x[4] != z[4])]
            r = np.sqrt(sum(one / np.exp(2 * log) for one, log in zip(d, THETA, strict=False)))
            s = np.sqrt(5) * r
            K[i, j] = np.exp(2 * THETA[5]) * (1 + s + s * s / 3) * np.exp(-s)
    return K


def noisy(x: Array) -> Array:
    return covariance(x, x) + np.exp(2 * THETA[6]) * np.eye(len(x))


def test_the_energy_is_minus_the_log_density_of_values_and_theta(process: GaussianProcess) -> None:
    """Up to a constant, so the differences between two y are compared."""
    center, spread = np.full(7, 0.1), np.full(7, 1.3)
    D = process.points.differences(process.x, process.x)

    def energy(y: Array) -> float:
        return GaussianProcess.energy(THETA, D, y, center, spread)[0]

    density = multivariate_normal(np.zeros(12), noisy(process.x))
    y, other = process.y, process.y[::-1]
    assert energy(y) - energy(other) == pytest.approx(density.logpdf(other) - density.logpdf(y))
    prior = norm(center, spread).logpdf(THETA).sum() - norm(0, spread).logpdf(0).sum()
    constant = -6 * np.log(2 * np.pi)
    assert -energy(y) == pytest.approx(density.logpdf(y) - constant + prior)


def test_the_energy_s_derivatives_are_central_differences(process: GaussianProcess) -> None:
    center, spread = np.full(7, 0.1), np.full(7, 1.3)
    D = process.points.differences(process.x, process.x)

    def energy(theta: Array) -> float:
        return GaussianProcess.energy(theta, D, process.y, center, spread)[0]

    _, derivatives = GaussianProcess.energy(THETA, D, process.y, center, spread)
    steps = 1e-6 * np.eye(7)
    differences = [(energy(THETA + h) - energy(THETA - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(derivatives, differences, rtol=1e-6, atol=1e-7)


def test_predictions_are_the_conditional_normal_distribution(
    process: GaussianProcess, points: Points, rng: np.random.Generator
) -> None:
    x = points.sample(5, rng)
    mean, variance = process.predict(x)
    inverse, k = np.linalg.inv(noisy(process.x)), covariance(x, process.x)
    np.testing.assert_allclose(mean, k @ inverse @ process.y, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(variance, np.diag(covariance(x, x) - k @ inverse @ k.T), rtol=1e-9)


def test_expected_improvement_is_the_integral_of_its_definition(
    process: GaussianProcess, points: Points, rng: np.random.Generator
) -> None:
    x = points.sample(5, rng)
    best = process.predict(process.x)[0].min()
    mean, variance = process.predict(x)
    expected = [
        quad(lambda y, m=m, v=v: (best - y) * norm.pdf(y, m, np.sqrt(v)), -20, best)[0]
        for m, v in zip(mean, variance, strict=True)
    ]
    np.testing.assert_allclose(process.expected_improvement(x), expected, rtol=1e-5, atol=1e-9)


def test_the_fitted_theta_is_a_minimum_of_the_energy(
    points: Points, rng: np.random.Generator
) -> None:
    """A step in any direction increases it; the values depend clearly on one parameter."""
    x = points.sample(40, rng)
    y = np.sin(6 * x[:, 1]) + 0.1 * rng.normal(size=40)
    y = (y - y.mean()) / y.std()
    theta = GaussianProcess.fitted(points, x, y).theta
    lengths = np.exp(theta[:5])
    assert lengths[1] == lengths.min()
    assert (lengths[[0, 2, 3, 4]] > 2 * lengths[1]).all()
    mean, _ = GaussianProcess(points, x, y, theta).predict(x)
    assert np.corrcoef(mean, y)[0, 1] > 0.97


def test_points_and_parameters_are_each_other_s_inverse(
    points: Points, rng: np.random.Generator
) -> None:
    for parameters in (points.parameters(row) for row in points.sample(50, rng)):
        again = points.parameters(points.row(parameters))
        for name, value in parameters.items():
            expected = value if isinstance(value, str) else pytest.approx(value, rel=1e-12)
            assert again[name] == expected
            assert SPACE[name]._contains(SPACE[name].to_internal_repr(value))
            assert type(value) in (float, int, str)


def test_every_whole_number_is_sampled_as_often(points: Points, rng: np.random.Generator) -> None:
    depths = [points.parameters(row)["depth"] for row in points.sample(3000, rng)]
    counts = np.bincount(depths)[1:]
    np.testing.assert_allclose(counts, 1000, atol=100)  # four deviations


def test_points_nearby_stay_inside(points: Points, rng: np.random.Generator) -> None:
    near = points.near(points.sample(10, rng), 0.5, 100, rng)
    assert near.shape == (1000, 5)
    assert near.min() >= 0
    assert near[:, :4].max() <= 1
    assert set(near[:, 4]) == {0, 1, 2}


def bowl(trial: optuna.Trial) -> float:
    x = [trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(3)]
    rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
    n = trial.suggest_int("n", 1, 10)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    distance = sum((one - 0.3) ** 2 for one in x) + (np.log10(rate) + 2) ** 2 / 9
    return float(distance + (n - 7) ** 2 / 100 + 0.2 * (kind == "a"))


def searched(sampler: optuna.samplers.BaseSampler, n_trials: int) -> optuna.Study:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler)
    study.optimize(bowl, n_trials)
    optuna.logging.set_verbosity(verbosity)
    return study


def test_it_comes_closer_to_a_minimum_than_random_trials() -> None:
    by_process = [searched(GaussianProcessSampler(seed), 40).best_value for seed in range(3)]
    by_chance = [searched(optuna.samplers.RandomSampler(seed), 40).best_value for seed in range(3)]
    assert 10 * max(by_process) < min(by_chance)


def test_it_never_proposes_the_same_trial_twice() -> None:
    trials = searched(GaussianProcessSampler(0), 40).trials
    assert len({tuple(one.params.values()) for one in trials}) == 40


def test_running_trials_are_not_proposed_again() -> None:
    study = searched(GaussianProcessSampler(0), 20)
    distributions = study.trials[0].distributions
    proposed = [study.ask(dict(distributions)).params for _ in range(4)]
    assert len({tuple(one.values()) for one in proposed}) == 4


def trial(state: optuna.trial.TrialState, value: float | None) -> optuna.trial.FrozenTrial:
    return optuna.create_trial(
        state=state, value=value, params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)}
    )


def test_pruned_trials_are_no_better_than_the_median_and_bad_values_are_limited() -> None:
    complete = [trial(optuna.trial.TrialState.COMPLETE, y) for y in (0.1, 0.2, 0.3, 900.0)]
    pruned = [trial(optuna.trial.TrialState.PRUNED, y) for y in (0.01, 0.3, np.inf, None)]
    y = standardized(complete, pruned)
    assert (y.mean(), y.std()) == (pytest.approx(0), pytest.approx(1))
    median, best, most = 0.25, 0.1, 0.25 + 3 * 0.15
    assert (y - y[0]) / (y[3] - y[0]) * (most - best) + best == pytest.approx(
        [0.1, 0.2, 0.3, most, median, 0.3, most, most]
    )


def test_trials_may_all_have_the_same_value() -> None:
    y = standardized([trial(optuna.trial.TrialState.COMPLETE, 0.5) for _ in range(12)], [])
    np.testing.assert_array_equal(y, 0)
    study = optuna.create_study(sampler=GaussianProcessSampler(0))
    study.optimize(lambda trial: 0.0 * trial.suggest_float("x", 0, 1), 12)
    assert len(study.trials) == 12
