"""L-BFGS with the line search of Moré and Thuente: what SciPy's L-BFGS-B does without bounds.

    d = −H g              H from the last pairs of steps and changes of g (InverseHessian)
    x ← x + step · d      with a step that satisfies the strong Wolfe conditions

The constants, the first step, the order of the tests and the ways to end are those of L-BFGS-B, so
both visit the same points, but for rounding.  SciPy's treats each variable's bounds in every
iteration, even where there are none, which takes longer than the gradient of a small network.

References
----------
R. H. Byrd, P. Lu, J. Nocedal and C. Zhu, "A limited memory algorithm for bound constrained
optimization", SIAM Journal on Scientific Computing 16, 1995.
J. J. Moré and D. J. Thuente, "Line search algorithms with guaranteed sufficient decrease", ACM
Transactions on Mathematical Software 20, 1994.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

from .line_search import line_search

if TYPE_CHECKING:
    from ..kernels.engine import InverseHessian

__all__ = ["minimize"]

Vector = NDArray[np.float64]
Objective = Callable[[Vector], tuple[float, Vector]]

LEAST_DECREASE = 2.2204460492503131e-09  # SciPy's default of `ftol`
EPSILON = float(np.finfo(np.float64).eps)

CONVERGED, AT_LIMIT, FAILED = 0, 1, 2  # the status of the result
SMALL_GRADIENT = "CONVERGENCE: NORM OF PROJECTED GRADIENT <= PGTOL"
SMALL_DECREASE = "CONVERGENCE: RELATIVE REDUCTION OF F <= FACTR*EPSMCH"
MOST_ITERATIONS = "STOP: TOTAL NO. OF ITERATIONS REACHED LIMIT"
MOST_EVALUATIONS = "STOP: TOTAL NO. OF F,G EVALUATIONS EXCEEDS LIMIT"
HALTED = "STOP: CALLBACK REQUESTED HALT"
NO_STEP = "ABNORMAL: "


@dataclass
class Point:
    """A point with the value and the gradient of the function there."""

    x: Vector
    value: float
    gradient: Vector


def minimize(
    objective: Objective,
    x: Vector,
    hessian: InverseHessian,
    *,
    tolerance: float,
    max_iterations: int,
    max_evaluations: int,
    halts: Callable[[], bool] | None = None,
) -> OptimizeResult:
    """Minimize a function from the point x on.

    Parameters
    ----------
    objective : callable
        Returns the value and the gradient at a point; the gradient is a new array in each call.
    x : ndarray of shape (n,)
        The first point.
    hessian : InverseHessian
        An approximation without pairs, for vectors of n numbers.
    tolerance : float
        Converged when no number of the gradient is larger.
    max_iterations, max_evaluations : int
        The greatest numbers of iterations, and of evaluations at the end of an iteration.
    halts : callable, optional
        Called after each iteration; whether to end.  The last point evaluated is then the best.

    Returns
    -------
    OptimizeResult
        With x, fun, nit, nfev, status (0: converged, 1: at a limit, 2: otherwise) and message, as
        SciPy's L-BFGS-B returns them.
    """
    n_iterations, n_evaluations = 0, 0

    def evaluated(at: Vector) -> Point:
        nonlocal n_evaluations
        n_evaluations += 1
        return Point(at, *objective(at))

    def result(status: int, message: str) -> OptimizeResult:
        return OptimizeResult(
            x=point.x,
            fun=point.value,
            nit=n_iterations,
            nfev=n_evaluations,
            status=status,
            success=status == CONVERGED,
            message=message,
        )

    def is_stationary(point: Point) -> bool:
        return bool(-tolerance <= point.gradient.min() and point.gradient.max() <= tolerance)

    point = evaluated(x)
    if is_stationary(point):
        return result(CONVERGED, SMALL_GRADIENT)
    while True:
        direction, slope = hessian.direction(point.gradient)
        first_step = 1.0 if n_iterations > 0 else 1 / sqrt(direction.dot(direction))
        found: list[Point] = []

        def value_and_slope(step: float) -> tuple[float, float]:
            at = evaluated(point.x + step * direction)  # noqa: B023
            found[:] = [at]  # noqa: B023
            return at.value, float(at.gradient.dot(direction))  # noqa: B023

        step = line_search(value_and_slope, point.value, slope, first_step)
        if step is None and hessian.n_pairs > 0:
            hessian.clear()
            continue
        if step is None:
            return result(FAILED, NO_STEP)
        n_iterations += 1
        before, point = point, found[0]
        if halts is not None and halts():
            return result(FAILED, HALTED)
        if n_iterations >= max_iterations:
            return result(AT_LIMIT, MOST_ITERATIONS)
        if n_evaluations > max_evaluations:
            return result(AT_LIMIT, MOST_EVALUATIONS)
        if is_stationary(point):
            return result(CONVERGED, SMALL_GRADIENT)
        size = max(abs(before.value), abs(point.value), 1.0)
        if before.value - point.value <= LEAST_DECREASE * size:
            return result(CONVERGED, SMALL_DECREASE)
        change = point.gradient - before.gradient
        direction *= step
        hessian.add(direction, change, EPSILON * -step * slope)
