"""Conformal intervals from residuals."""

import json

import numpy as np
import pytest

from fastmlp.tabular.intervals import Residuals


@pytest.fixture
def noisy():
    """Return 20,000 predictions and values whose noise grows with the prediction."""
    rng = np.random.default_rng(0)
    h = rng.uniform(0, 10, 20_000)
    return h, h + rng.normal(0, 0.1 + h / 5)


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
def test_an_interval_has_its_coverage_also_where_errors_are_large(noisy, coverage):
    h, y = noisy
    residuals = Residuals.of(h[:10_000], y[:10_000])
    outside = (1 - coverage) / 2
    low, high = residuals.quantiles(h[10_000:], np.array([outside, 1 - outside])).T
    inside = (low <= y[10_000:]) & (y[10_000:] <= high)
    for part in (inside, inside[h[10_000:] < 2], inside[h[10_000:] > 8]):
        assert part.mean() == pytest.approx(coverage, abs=0.03)


@pytest.mark.parametrize(("m", "n_groups"), [(399, 1), (400, 2), (600, 3), (10_000, 10)])
def test_groups_of_200_rows_and_at_most_ten_hold_equally_many(noisy, m, n_groups):
    h, y = (one[:m] for one in noisy)
    sizes = [len(group) for group in Residuals.of(h, y).groups]
    assert len(sizes) == n_groups
    assert max(sizes) - min(sizes) <= 1


def test_quantiles_ascend(noisy):
    h, y = noisy
    found = Residuals.of(h, y).quantiles(h, np.linspace(0.01, 0.99, 30))
    assert (np.diff(found, axis=1) >= 0).all()


def test_a_single_residual_is_every_quantile():
    residuals = Residuals.of(np.array([1.0]), np.array([3.0]))
    np.testing.assert_array_equal(
        residuals.quantiles(np.array([5.0]), np.array([0.1, 0.9])), [[7, 7]]
    )


def test_the_rank_of_a_level_counts_one_residual_more():
    residuals = Residuals.of(np.zeros(9), np.arange(1.0, 10))
    np.testing.assert_allclose(
        residuals.quantiles(np.zeros(1), np.array([0.1, 0.5, 0.95])), [[1, 5, 9]]
    )


def test_json_keeps_the_residuals(noisy):
    h, y = noisy
    residuals = Residuals.of(h, y)
    again = Residuals.from_json(json.loads(json.dumps(residuals.to_json())))
    levels = np.array([0.05, 0.95])
    np.testing.assert_array_equal(again.quantiles(h, levels), residuals.quantiles(h, levels))
