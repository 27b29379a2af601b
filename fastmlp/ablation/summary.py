"""The figures of a study: means over the seeds, differences from the base, and their intervals.

With the same seed two variants start from the same weights, where their shapes agree, and have the
same examples in the same order, so they are compared seed by seed.  For n seeds with differences
d_i = metric_i − metric_i of the base, with mean d̄ and standard deviation s (divisor n − 1),
the 95% confidence interval of the difference is (Student 1908)

    d̄ ± t s / √n,        P(|T| ≤ t) = 0.95 for Student's T with n − 1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from .data import Metric, StudyData
from .journal import Key, Run, identity
from .study import Study, Variant

__all__ = ["Results", "Row", "student_t", "summarize"]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Row:
    """A variant's figures over the seeds.

    Attributes
    ----------
    variant : Variant
        The variant.
    runs : tuple of Run
        One for each seed, in their order.
    mean, deviation : float or None
        Mean and standard deviation of the metric on the test examples over the runs that did not
        diverge; None if there are too few.
    differences : tuple of float
        The metric minus the base's, for each seed with which neither diverged.
    difference, margin : float or None
        Mean of the differences, and half the width of its interval; None if there are too few, and
        for the base.
    cost, seconds : float or None
        Means of the last epoch's cost and of the time of training, over the runs that did not
        diverge.
    """

    variant: Variant
    runs: tuple[Run, ...]
    mean: float | None
    deviation: float | None
    differences: tuple[float, ...]
    difference: float | None
    margin: float | None
    cost: float | None
    seconds: float | None

    @property
    def diverged(self) -> int:
        """The number of runs that diverged."""
        return sum(run.score is None for run in self.runs)


@dataclass(frozen=True)
class Results:
    """A finished study.

    Attributes
    ----------
    study : Study
        The study.
    data : dict
        The data: name, size, fingerprint.
    about : str
        How the data are divided.
    metric : Metric
        The metric that `rows` are about.
    rows : tuple of Row
        One for each variant, the base first.
    n_runs : int
        Number of different runs; variants with equal settings share theirs.
    seconds : float
        Sum of the times of training.
    elapsed : float
        Time during which at least one run was in training, interruptions of the study excluded.
    picture : Path or None
        The file of the plot; None without matplotlib.
    """

    study: Study
    data: dict[str, Any]
    about: str
    metric: Metric
    rows: tuple[Row, ...]
    n_runs: int
    seconds: float
    elapsed: float
    picture: Path | None = None


def summarize(study: Study, data: StudyData, runs: Mapping[Key, Run]) -> Results:
    """Return the figures of a study from its finished runs."""
    by_variant = [
        tuple(
            runs[identity(data.description, variant.settings.to_json(), seed)]
            for seed in study.seeds
        )
        for variant in study.variants
    ]
    used = {run.key: run for row in by_variant for run in row}
    return Results(
        study,
        data.description,
        data.about,
        data.metric,
        tuple(
            summarize_row(variant, row, by_variant[0])
            for variant, row in zip(study.variants, by_variant, strict=True)
        ),
        len(used),
        sum(run.seconds for run in used.values()),
        covered((run.began, run.began + run.seconds) for run in used.values()),
    )


def summarize_row(variant: Variant, runs: tuple[Run, ...], base: tuple[Run, ...]) -> Row:
    """Return the figures of one variant."""
    done = [run for run in runs if run.score is not None]
    scores = [run.score for run in done if run.score is not None]
    differences = () if runs is base else tuple(
        run.score - other.score
        for run, other in zip(runs, base, strict=True)
        if run.score is not None and other.score is not None
    )
    n = len(differences)
    return Row(
        variant=variant,
        runs=runs,
        mean=_mean(scores),
        deviation=stdev(scores) if len(scores) > 1 else None,
        differences=differences,
        difference=_mean(differences),
        margin=student_t(CONFIDENCE, n - 1) * stdev(differences) / math.sqrt(n) if n > 1 else None,
        cost=_mean([run.cost for run in done if run.cost is not None]),
        seconds=_mean([run.seconds for run in done]),
    )


def student_t(confidence: float, freedom: int) -> float:
    """Return t with P(|T| ≤ t) = confidence for Student's distribution.

    With θ = arctan(t / √ν) the probability is a finite sum for each whole ν (Abramowitz and Stegun
    1964, 26.7.3 and 26.7.4); it grows with θ, so bisection finds θ to rounding.

    Parameters
    ----------
    confidence : float
        The probability, in (0, 1).
    freedom : int
        ν ≥ 1, the degrees of freedom.

    Returns
    -------
    float
        t.
    """
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(high)


def _within(theta: float, freedom: int) -> float:
    """P(|T| ≤ √ν tan θ).

    ν odd:   2/π (θ + sin θ (cos θ + 2/3 cos³θ + … + (2·4 … (ν−3))/(3·5 … (ν−2)) cos^(ν−2) θ))
    ν even:  sin θ (1 + 1/2 cos²θ + … + (1·3 … (ν−3))/(2·4 … (ν−2)) cos^(ν−2) θ)
    """
    odd = freedom % 2
    total, term = 0.0, math.cos(theta) if odd else 1.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= k / (k + 1) * math.cos(theta) ** 2
    if odd:
        return 2 / math.pi * (theta + math.sin(theta) * total)
    return math.sin(theta) * total


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of intervals."""
    total, reached = 0.0, -math.inf
    for begin, end in sorted(intervals):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
