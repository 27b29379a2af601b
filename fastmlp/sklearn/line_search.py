"""A step along a direction that satisfies the strong Wolfe conditions.

    φ(step) ≤ φ(0) + μ φ'(0) step      sufficient decrease
    |φ'(step)| ≤ η |φ'(0)|             curvature

J. J. Moré and D. J. Thuente, "Line search algorithms with guaranteed sufficient decrease", ACM
Transactions on Mathematical Software 20, 1994, with the constants of L-BFGS-B.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, sqrt
from typing import NamedTuple

__all__ = ["line_search"]

DECREASE = 1e-3  # μ
CURVATURE = 0.9  # η
LEAST_INTERVAL = 0.1  # relative width of the interval at which the search ends
MOST_STEPS = 20
LARGEST_STEP = 1e10
# the next step before there is an interval: so many times as far beyond the last one as that was
# beyond the best one
LEAST_EXTRAPOLATION, MOST_EXTRAPOLATION = 1.1, 4.0
# an interval that has not shrunk to this fraction in two steps is halved
SHRINKAGE = 0.66


class Trial(NamedTuple):
    """A step with the value and the slope of the function there."""

    step: float
    value: float
    slope: float

    def tilted(self, slope: float) -> Trial:
        """Return the same trial of the function minus slope · step."""
        return Trial(self.step, self.value - slope * self.step, self.slope - slope)


def line_search(
    evaluate: Callable[[float], tuple[float, float]], value: float, slope: float, step: float
) -> float | None:
    """Return a step along a direction, or None if there is none.

    Parameters
    ----------
    evaluate : callable
        Returns the value φ and the slope φ' at a step.  Its last call is for the step returned.
    value, slope : float
        φ(0) and φ'(0).
    step : float
        The step to try first.
    """
    if slope >= 0:
        return None
    best = other = Trial(0.0, value, slope)  # the least value so far, the interval's other end
    has_interval, has_decreased = False, False
    low, high = 0.0, step + MOST_EXTRAPOLATION * step
    width, earlier_width = LARGEST_STEP, 2 * LARGEST_STEP
    needed = DECREASE * slope
    for _ in range(MOST_STEPS):
        trial = Trial(step, *evaluate(step))
        decreases = trial.value <= value + step * needed
        has_decreased |= decreases and trial.slope >= 0
        if (
            (decreases and abs(trial.slope) <= CURVATURE * -slope)
            or (decreases and step == LARGEST_STEP and trial.slope <= needed)
            or (has_interval and is_exhausted(step, low, high))
        ):
            return step
        # φ minus the needed decrease has a minimum where φ decreases enough
        tilt = 0.0
        if not (has_decreased or decreases) and trial.value <= best.value:
            tilt = needed
        best, other, trial = (one.tilted(tilt) for one in (best, other, trial))
        try:
            step, has_interval = next_step(best, other, trial, has_interval, low, high)
        except ZeroDivisionError:
            return None
        best, other = (one.tilted(-tilt) for one in narrowed(best, other, trial))
        if has_interval:
            if abs(other.step - best.step) >= SHRINKAGE * earlier_width:
                step = best.step + (other.step - best.step) / 2
            earlier_width, width = width, abs(other.step - best.step)
            low, high = min(best.step, other.step), max(best.step, other.step)
        else:
            low = step + LEAST_EXTRAPOLATION * (step - best.step)
            high = step + MOST_EXTRAPOLATION * (step - best.step)
        step = min(max(step, 0.0), LARGEST_STEP)
        if has_interval and is_exhausted(step, low, high):
            step = best.step
        if not isfinite(step):
            return None
    return None


def is_exhausted(step: float, low: float, high: float) -> bool:
    """Return whether an interval is too narrow, or a step is not within it."""
    return not low < step < high or high - low <= LEAST_INTERVAL * high


def narrowed(best: Trial, other: Trial, trial: Trial) -> tuple[Trial, Trial]:
    """Return the best trial and the other end of the interval, with a new trial taken in."""
    if trial.value > best.value:
        return best, trial
    return trial, best if have_opposite_slopes(best, trial) else other


def have_opposite_slopes(a: Trial, b: Trial) -> bool:
    """Return whether one slope is positive and the other negative."""
    return a.slope < 0 < b.slope or b.slope < 0 < a.slope


def next_step(
    best: Trial, other: Trial, trial: Trial, has_interval: bool, low: float, high: float
) -> tuple[float, bool]:
    """Return the next step to try, and whether a minimum lies between best and trial, or other.

    It is a minimum of the cubic through values and slopes, or of a parabola, or a mean of both.
    """
    towards = trial.step - best.step
    if trial.value > best.value:
        cubic = cubic_minimum(best, trial)
        rise = (best.value - trial.value) / towards + best.slope
        parabolic = best.step + best.slope / rise / 2 * towards
        if abs(cubic - best.step) <= abs(parabolic - best.step):
            return cubic, True
        return cubic + (parabolic - cubic) / 2, True
    if have_opposite_slopes(best, trial):
        cubic, secant = cubic_minimum(trial, best), secant_step(best, trial)
        is_farther = abs(cubic - trial.step) > abs(secant - trial.step)
        return cubic if is_farther else secant, True
    if abs(trial.slope) < abs(best.slope):
        end = high if towards > 0 else low
        cubic, secant = cubic_minimum(trial, best, beyond=end), secant_step(best, trial)
        is_farther = abs(cubic - trial.step) > abs(secant - trial.step)
        if not has_interval:
            return min(max(cubic if is_farther else secant, low), high), False
        nearer = secant if is_farther else cubic
        limit = trial.step + SHRINKAGE * (other.step - trial.step)
        return min(limit, nearer) if towards > 0 else max(limit, nearer), True
    if has_interval:
        return cubic_minimum(trial, other), True
    return high if towards > 0 else low, False


def secant_step(a: Trial, b: Trial) -> float:
    """Return where the slope is 0 if it is linear."""
    return b.step - b.slope / (b.slope - a.slope) * (b.step - a.step)


def cubic_minimum(a: Trial, b: Trial, beyond: float | None = None) -> float:
    """Return the minimum of the cubic with the values and slopes of two trials.

    With `beyond` it must lie on the side of a that is not b's; if it does not, `beyond` itself.
    """
    theta = 3 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope
    size = max(abs(theta), abs(a.slope), abs(b.slope))
    root = size * sqrt(max(0.0, (theta / size) ** 2 - a.slope / size * (b.slope / size)))
    if b.step < a.step:
        root = -root
    ratio = (root - a.slope + theta) / (root - a.slope + root + b.slope)
    if beyond is not None and not (ratio < 0 and root != 0):
        return beyond
    return a.step + ratio * (b.step - a.step)
