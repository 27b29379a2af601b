"""Figures over seeds against SciPy's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from fastmlp.ablation.images import ACCURACY
from fastmlp.ablation.journal import Run
from fastmlp.ablation.study import Study, Variant, parse
from fastmlp.ablation.summary import Results, covered, student_t, summarize

DATA = {"name": "digits"}
SUBJECT: Any = SimpleNamespace(description=DATA, about="few", metric=ACCURACY)


def summary(given: dict[str, Any], *accuracies: list[float | None]) -> Results:
    """The study of `given` as if its runs had ended so, a list for each variant."""
    given["study"]["seeds"] = len(accuracies[0])
    study: Study = parse(given)
    runs = [
        run_of(variant, seed, accuracy)
        for variant, row in zip(study.variants, accuracies, strict=True)
        for seed, accuracy in enumerate(row)
    ]
    return summarize(study, SUBJECT, {run.key: run for run in runs})


def run_of(variant: Variant, seed: int, accuracy: float | None) -> Run:
    cost = None if accuracy is None else 1 - accuracy
    diverged = "nan" if accuracy is None else None
    return Run(DATA, variant.settings.to_json(), seed, accuracy, None, cost, 2, seed, 2.0, diverged)


@pytest.fixture
def two(given: dict[str, Any]) -> dict[str, Any]:
    """A study of the base and one variant."""
    return given | {"factors": {"activation": ["tanh"]}}


@pytest.mark.parametrize("confidence", [0.01, 0.5, 0.9, 0.95, 0.99, 0.9999])
def test_quantiles_are_student_s(confidence: float) -> None:
    for freedom in (1, 2, 3, 4, 5, 6, 9, 10, 29, 100, 1001):
        t = student_t(confidence, freedom)
        below, above = stats.t.cdf(t, freedom), stats.t.sf(t, freedom)
        assert below - 0.5 == pytest.approx(confidence / 2, rel=1e-9), freedom
        assert above == pytest.approx((1 - confidence) / 2, rel=1e-9), freedom


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_the_interval_is_that_of_the_paired_t_test(
    two: dict[str, Any], rng: np.random.Generator, n: int
) -> None:
    base, other = rng.uniform(0.9, 1.0, (2, n)).tolist()
    row = summary(two, base, other).rows[1]
    expected = stats.ttest_rel(other, base).confidence_interval(0.95)
    assert row.difference - row.margin == pytest.approx(expected.low)
    assert row.difference + row.margin == pytest.approx(expected.high)


def test_figures_are_means_over_the_seeds(two: dict[str, Any]) -> None:
    base, other = summary(two, [0.90, 0.92, 0.94], [0.96, 0.95, 0.97]).rows
    assert base.mean == pytest.approx(0.92)
    assert base.deviation == pytest.approx(0.02)
    assert (base.difference, base.margin, base.differences) == (None, None, ())
    assert other.differences == pytest.approx([0.06, 0.03, 0.03])
    assert other.difference == pytest.approx(0.04)
    assert other.cost == pytest.approx(0.04)
    assert other.seconds == 2.0


def test_runs_that_diverged_are_left_out_and_counted(two: dict[str, Any]) -> None:
    base, other = summary(two, [0.90, None, 0.94], [0.95, 0.96, 0.97]).rows
    assert (base.diverged, other.diverged) == (1, 0)
    assert base.mean == pytest.approx(0.92)
    assert other.mean == pytest.approx(0.96)
    assert other.differences == pytest.approx([0.05, 0.03])


def test_one_seed_has_no_interval(two: dict[str, Any]) -> None:
    base, other = summary(two, [0.90], [0.95]).rows
    assert (base.deviation, other.deviation, other.margin) == (None, None, None)
    assert other.difference == pytest.approx(0.05)


def test_seconds_of_runs_at_the_same_time_count_once(two: dict[str, Any]) -> None:
    results = summary(two, [0.9, 0.9], [0.9, 0.9])  # two began at 0 and two at 1, each took 2
    assert (results.n_runs, results.seconds, results.elapsed) == (4, 8.0, 3.0)


def test_the_length_of_a_union() -> None:
    assert covered([(5, 6), (0, 2), (1, 3), (1, 2), (9, 9)]) == 4
    assert covered([]) == 0
