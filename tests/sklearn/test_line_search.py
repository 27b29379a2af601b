"""The line search takes the steps of SciPy's own translation of Moré and Thuente's program."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("sklearn")
dcsrch = pytest.importorskip("scipy.optimize._dcsrch")  # since SciPy 1.12

from fastmlp.sklearn.line_search import (  # noqa: E402
    Trial,
    cubic_minimum,
    line_search,
    narrowed,
    next_step,
)

CONSTANTS = {"ftol": 1e-3, "gtol": 0.9, "xtol": 0.1, "stpmin": 0.0, "stpmax": 1e10}


def polynomial(rng, scale):
    """Value and slope of a polynomial of degree four, whose slope at 0 is −`scale`."""
    factors = rng.normal(size=3) * [1, 1, 0] + [0, 0, 1]
    factors[2] = rng.random()
    powers = np.arange(2, 5)

    def function(t):
        value = scale * (-t + float(np.sum(factors * t**powers)))
        return value, scale * (-1 + float(np.sum(factors * powers * t ** (powers - 1))))

    return function


def searched(answers, value, slope, first):
    """The steps that SciPy and ours try, and their results; answers() returns a function."""
    theirs, ours, slopes = [], [], []
    evaluate, same = answers(), answers()

    def phi(t):
        theirs.append(t)
        found, there = evaluate(t)
        slopes.append(there)
        return found

    def recorded(t):
        ours.append(t)
        return same(t)

    search = dcsrch.DCSRCH(phi, lambda _: slopes[-1], **CONSTANTS)
    expected = search(first, value, slope, 21)[0]
    return theirs, expected, ours, line_search(recorded, value, slope, first)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@pytest.mark.parametrize("scale", [1e-4, 0.3, 1.0, 1e4])
@pytest.mark.parametrize("first", [1e-6, 0.01, 0.4, 3.0, 200.0])
def test_every_step_of_a_search_is_that_of_scipy(rng, scale, first):
    for _ in range(10):
        function = polynomial(rng, scale)
        theirs, expected, ours, found = searched(lambda f=function: f, *function(0.0), first)
        np.testing.assert_allclose(ours[: len(theirs)], theirs, rtol=1e-7)
        if expected is not None:
            assert len(ours) == len(theirs) and found == pytest.approx(expected, rel=1e-7)


@pytest.mark.filterwarnings("ignore")  # of divisions by zero inside SciPy
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
@pytest.mark.parametrize(
    "slopes",
    [[-0.9, 0.9, -1.0, -0.95, 0.95, 0.0, -2.0, 1.5], [-1.0, -1.1, 0.95, 1.1, 3.0]],  # all too large
    ids=["any", "steep"],
)
def test_any_answers_lead_to_the_steps_of_scipy(rng, slopes, scale):
    """Values near the needed decrease, and equal ones; slopes at the limit, zero or small."""
    n_steps = 0
    for _ in range(200):
        falls = rng.choice([1e-3, 1.5e-3, 5e-4, 2e-3, -1e-3, 1.0], 30).tolist()
        repeated = (rng.random(30) < 0.2).tolist()
        there = rng.choice(slopes, 30).tolist()

        def answers(given=(falls, repeated, there)):
            rows, before = iter(zip(*given, strict=True)), [0.0]

            def evaluate(t):
                fall, same, slope = next(rows)
                before.append(before[-1] if same else -scale * fall * t)
                return before[-1], scale * slope

            return evaluate

        theirs, expected, ours, found = searched(answers, 0.0, -scale, 1.0)
        if found is None and len(ours) < len(theirs):  # a division by zero, infinite for SciPy
            theirs = theirs[: len(ours)]
        elif expected is not None:
            assert found == pytest.approx(expected, rel=1e-9)
        assert ours[: len(theirs)] == pytest.approx(theirs, rel=1e-9)
        n_steps += len(theirs)
    assert n_steps > 600


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_every_next_step_and_interval_is_that_of_scipy(rng, scale):
    """Of random trials: all four cases, towards greater and smaller steps."""
    cases = set()
    for _ in range(600):
        a, b, c = np.sort(rng.random(3)).tolist()
        has_interval = rng.random() < 0.7
        steps = (a, c, b) if rng.random() < 0.5 else (c, a, b)
        best, other, trial = (Trial(step, *(scale * rng.normal(size=2)).tolist()) for step in steps)
        # the slope of the best trial leads towards the new one
        best = best._replace(slope=math.copysign(best.slope, best.step - trial.step))
        low, high = (a, c) if has_interval else (a - 1, c + 1)
        *expected, step, bracketed = dcsrch.dcstep(*best, *other, *trial, has_interval, low, high)
        if math.isnan(step):  # of a cubic without a minimum, which no search comes to
            continue
        found = next_step(best, other, trial, has_interval, low, high)
        assert found == (pytest.approx(step, rel=1e-9, abs=1e-9), bracketed)
        ends = narrowed(best, other, trial)
        assert [*ends[0], *ends[1]] == expected
        cases.add((trial.value > best.value, best.slope * trial.slope < 0,
                   abs(trial.slope) < abs(best.slope), has_interval))  # fmt: skip
    assert len(cases) == 16


def test_the_minimum_of_a_cubic_is_found_where_it_is_known():
    def trial(t):  # t³ − 3 t has its minimum at 1 and its maximum at −1
        return Trial(t, t**3 - 3 * t, 3 * t**2 - 3)

    assert cubic_minimum(trial(0.0), trial(3.0)) == pytest.approx(1.0)
    assert cubic_minimum(trial(4.0), trial(0.5)) == pytest.approx(1.0)
    assert cubic_minimum(trial(2.0), trial(3.0), beyond=-7.0) == pytest.approx(1.0)
    assert cubic_minimum(trial(-2.0), trial(0.5), beyond=-7.0) == -7.0  # it lies on b's side


def test_a_cubic_without_a_minimum_leads_to_the_end_of_the_interval():
    def trial(t):  # t³ falls nowhere
        return Trial(t, t**3, 3 * t**2)

    assert cubic_minimum(trial(1.0), trial(2.0), beyond=-7.0) == -7.0
