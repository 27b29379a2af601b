"""Learning rates against their formulas, one step at a time in plain Python."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from fastmlp import MLP, GradientDescent
from fastmlp.schedules import (
    TABLE,
    Constant,
    Cosine,
    Exponential,
    FlatCosine,
    LogCosine,
    OneCycle,
    Schedule,
    Step,
)

STEPS = np.arange(50)


def one_cycle(t: int) -> float:
    """Up from 0.04 to 1 in the first 30% of 40 steps, then down to 4e-6."""
    if t < 12:
        return 1 - 0.96 * (1 + math.cos(math.pi * t / 12)) / 2
    done = min((t - 12) / 28, 1)
    return 4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * done)) / 2


def flat_cosine(rate: float, t: float) -> float:
    """RealMLP's of the fraction t of the steps: 1 up to ½, then ½(1 + cos(π(2t − 1)))."""
    return rate if t < 0.5 else rate * (1 + math.cos(math.pi * (2 * min(t, 1) - 1))) / 2


def log_cosine(rate: float, cycles: int, t: float) -> float:
    """RealMLP's of the fraction t of the steps: ½(1 − cos(2π log₂(1 + (2^cycles − 1)t)))."""
    return rate * (1 - math.cos(2 * math.pi * math.log2(1 + (2**cycles - 1) * min(t, 1)))) / 2


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (Constant(0.3), lambda t: 0.3),
        (Step(0.3, every=7), lambda t: 0.3 * 0.1 ** (t // 7)),
        (Step(0.3, every=7, factor=0.5), lambda t: 0.3 * 0.5 ** (t // 7)),
        (Exponential(0.3, every=7, factor=0.5), lambda t: 0.3 * 0.5 ** (t / 7)),
        (Cosine(0.3, total_steps=40), lambda t: 0.15 * (1 + math.cos(math.pi * min(t / 40, 1)))),
        (
            Cosine(0.3, 0.1, total_steps=40),
            lambda t: 0.1 + 0.1 * (1 + math.cos(math.pi * min(t / 40, 1))),
        ),
        (OneCycle(1.0, total_steps=40), one_cycle),
        (FlatCosine(0.3, total_steps=40), lambda t: flat_cosine(0.3, t / 40)),
        (
            FlatCosine(0.3, flat=0.2, total_steps=40),
            lambda t: 0.3 if t < 8 else 0.15 * (1 + math.cos(math.pi * (min(t, 40) - 8) / 32)),
        ),
        (LogCosine(0.3, total_steps=40), lambda t: log_cosine(0.3, 4, t / 40)),
        (LogCosine(0.3, cycles=1, total_steps=40), lambda t: log_cosine(0.3, 1, t / 40)),
    ],
    ids=lambda value: str(value) if isinstance(value, Schedule) else "formula",
)
def test_rates_are_the_formula(schedule, formula):
    rates = schedule(STEPS)
    assert (rates.dtype, rates.shape) == (np.float64, STEPS.shape)
    np.testing.assert_allclose(rates, [formula(int(t)) for t in STEPS], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "schedule", [Constant(0.3), Step(0.3, every=7), Exponential(0.3, every=7)], ids=str
)
def test_schedule_without_an_end_counts_from_the_first_step_ever(schedule):
    np.testing.assert_array_equal(schedule.spanning(10, 99)(STEPS), schedule(STEPS))


@pytest.mark.parametrize("kind", [Cosine, OneCycle, FlatCosine, LogCosine])
def test_curve_begins_where_the_fit_does(kind):
    rates = kind(0.3).spanning(1000, 40)(1000 + STEPS)
    np.testing.assert_array_equal(rates, kind(0.3, total_steps=40)(STEPS))


@pytest.mark.parametrize("kind", [Cosine, OneCycle, FlatCosine, LogCosine])
def test_curve_with_a_given_end_counts_from_the_first_step_ever(kind):
    curve = kind(0.3, total_steps=40)
    np.testing.assert_array_equal(curve.spanning(10, 99)(STEPS), curve(STEPS))


@pytest.mark.parametrize("kind", [Cosine, OneCycle, FlatCosine, LogCosine])
def test_curve_needs_an_end_where_nobody_knows_the_steps(kind):
    with pytest.raises(ValueError, match=r"needs total_steps when examples come in chunks"):
        kind(0.3).spanning(0, None)
    curve = kind(0.3, total_steps=40)
    np.testing.assert_array_equal(curve.spanning(0, None)(STEPS), curve(STEPS))


@pytest.mark.parametrize("kind", [Cosine, OneCycle, FlatCosine, LogCosine])
def test_curve_without_an_end_cannot_be_called_alone(kind):
    with pytest.raises(ValueError, match="needs total_steps"):
        kind(0.3)(STEPS)


def test_every_name_stands_for_itself():
    assert list(TABLE) == [
        "constant", "step", "exponential", "cosine", "one_cycle", "flat_cosine", "log_cosine"
    ]  # fmt: skip
    assert all(kind.name == name for name, kind in TABLE.items())


def test_rate_of_every_step_is_used(rng):
    """Two steps of plain gradient descent on a linear model, the second with rate 0."""
    X, y = rng.normal(size=(10, 3)), rng.normal(size=10)
    one, two = (MLP((3, 1), loss="squared_error", dtype="float64") for _ in range(2))
    one.fit(X, y, epochs=1, batch_size=10, optimizer=GradientDescent(0.1))
    two.fit(X, y, epochs=2, batch_size=10, optimizer=GradientDescent(Cosine(0.1, total_steps=1)))
    np.testing.assert_array_equal(one.weights[0], two.weights[0])


def test_own_schedule_is_taken(net, classes):
    class Warm(Schedule):
        def __call__(self, steps):
            return np.minimum((steps + 1) * 0.01, 0.05)

    history = net.fit(*classes, epochs=6, batch_size=300, optimizer=GradientDescent(Warm()))
    assert history.learning_rate == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05, 0.05])


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (lambda steps: 0.1, r"returned shape \(\) for 3 steps; expected \(3,\)"),
        (lambda steps: np.ones(2), r"returned shape \(2,\) for 3 steps"),
        (lambda steps: 0.1 - steps, "negative, infinite or NaN"),
        (lambda steps: np.where(steps == 1, np.nan, 0.1), "negative, infinite or NaN"),
    ],
)
def test_own_schedule_has_to_give_a_rate_for_each_step(net, classes, rates, message):
    class Own(Schedule):
        def __call__(self, steps):
            return rates(steps)

    with pytest.raises(ValueError, match=message):
        net.fit(*classes, optimizer=GradientDescent(Own()))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Constant(-1), ValueError, r"rate must be in \[0, inf\)"),
        (lambda: Step(0.1, every=0), ValueError, "every must be at least 1"),
        (lambda: Step(0.1, every=1.5), TypeError, "every must be a whole number"),
        (lambda: Step(0.1, every=5, factor=0), ValueError, "factor must be in"),
        (lambda: Exponential("0.1", every=5), TypeError, "rate must be a number"),
        (lambda: Cosine(0.1, final=-1), ValueError, "final must be in"),
        (lambda: Cosine(0.1, total_steps=0), ValueError, "total_steps must be at least 1"),
        (lambda: OneCycle(0.1, warm_up=1), ValueError, r"warm_up must be in \(0, 1\)"),
        (lambda: FlatCosine(0.1, flat=1), ValueError, r"flat must be in \[0, 1\)"),
        (lambda: LogCosine(0.1, cycles=0), ValueError, "cycles must be"),
        (lambda: OneCycle(0.1, start_factor=-1), ValueError, "start_factor must be in"),
        (lambda: OneCycle(0.1, final_factor=-1), ValueError, "final_factor must be in"),
    ],
)
def test_wrong_constants_are_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("rate", [1, np.int64(1), np.float32(0.25), np.longdouble(0.25)])
def test_a_constant_rate_may_be_any_real_number(net, classes, rate):
    X, y = classes
    costs = [
        copy.deepcopy(net).fit(X, y, epochs=2, optimizer=GradientDescent(Constant(of))).cost
        for of in (rate, float(rate))
    ]
    assert costs[0] == costs[1]
