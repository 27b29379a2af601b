"""L-BFGS visits the points that SciPy's L-BFGS-B visits without bounds."""

from __future__ import annotations

import numpy as np
import pytest

scipy_optimize = pytest.importorskip("scipy.optimize")
pytest.importorskip("sklearn")

from fastmlp import kernels  # noqa: E402
from fastmlp.sklearn.line_search import line_search  # noqa: E402
from fastmlp.sklearn.minimize import minimize  # noqa: E402


def quadratic(rng):
    A = rng.normal(size=(30, 30))
    A, b = A @ A.T + 0.1 * np.eye(30), rng.normal(size=30)
    return (lambda x: (x @ A @ x / 2 - b @ x, A @ x - b)), rng.normal(size=30)


def rosenbrock(rng):
    rosen, slope = scipy_optimize.rosen, scipy_optimize.rosen_der
    return (lambda x: (rosen(x), slope(x))), rng.normal(size=20)


def with_many_minima(rng):
    def function(x):
        value = np.sum(x**4) - np.sum(x) + np.sum(np.cos(3 * x))
        return value, 4 * x**3 - 1 - 3 * np.sin(3 * x)

    return function, 3 * rng.normal(size=7)


def without_minimum(rng):
    return (lambda x: (np.sum(x), np.ones_like(x))), np.zeros(3)


def steep(rng):  # the steps grow, and are shortened
    return (lambda x: (np.sum(np.exp(x)), np.exp(x))), np.array([20.0, 1.0, -3.0])


def with_kinks(rng):  # no step satisfies the conditions at the minimum
    return (lambda x: (np.sum(np.abs(x)), np.sign(x))), rng.normal(size=4)


PROBLEMS = [quadratic, rosenbrock, with_many_minima, without_minimum, steep, with_kinks]


def minimized(problem, rng, **limits):
    """The points that SciPy's function and ours evaluate, and their results."""
    limits = {"max_iterations": 1000, "max_evaluations": 2000, "tolerance": 1e-6, **limits}
    function, x = problem(rng)
    visited: tuple[list, list] = ([], [])

    def recorded(points):
        def objective(x):
            points.append(np.array(x))
            return function(x)

        return objective

    expected = scipy_optimize.minimize(
        recorded(visited[0]),
        x,
        method="L-BFGS-B",
        jac=True,
        options={
            "maxiter": limits["max_iterations"],
            "maxfun": limits["max_evaluations"],
            "gtol": limits["tolerance"],
        },
    )
    hessian = kernels.engine("float64").InverseHessian(len(x), 10)
    return visited, expected, minimize(recorded(visited[1]), x, hessian, **limits)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_same_points_are_evaluated(rng, problem, n):
    """Over a few iterations: later ones magnify the rounding errors of the first."""
    (theirs, ours), expected, found = minimized(problem, rng, max_iterations=n)
    assert (found.nit, found.nfev, found.status) == (expected.nit, expected.nfev, expected.status)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-9, atol=1e-9)
    assert found.fun == pytest.approx(expected.fun)


@pytest.mark.parametrize("problem", PROBLEMS[:3])
def test_the_minimum_is_the_same(rng, problem):
    _, expected, found = minimized(problem, rng)
    assert found.success and found.message == expected.message
    assert found.nit == pytest.approx(expected.nit, abs=3)
    np.testing.assert_allclose(found.x, expected.x, atol=1e-3)


@pytest.mark.parametrize(
    "limits",
    [{"max_iterations": 2}, {"max_evaluations": 3}, {"tolerance": 1e9}, {"tolerance": 0.5}],
    ids=str,
)
def test_limits_end_where_they_end_for_scipy(rng, limits):
    _, expected, found = minimized(quadratic, rng, **limits)
    assert (found.nit, found.nfev, found.status) == (expected.nit, expected.nfev, expected.status)
    assert found.message == expected.message


def test_the_caller_may_halt_after_an_iteration(rng):
    function, x = quadratic(rng)
    answers = iter([False, False, True])
    hessian = kernels.engine("float64").InverseHessian(len(x), 10)
    found = minimize(
        function, x, hessian, tolerance=0, max_iterations=9, max_evaluations=99,
        halts=lambda: next(answers),
    )  # fmt: skip
    assert found.nit == 3 and found.status == 2 and "HALT" in found.message


@pytest.mark.parametrize("n_right", [0, 6])
def test_a_wrong_gradient_ends_without_a_step(rng, n_right):
    """After `n_right` evaluations the gradient points uphill, so that no step can be taken."""
    function, x = rosenbrock(rng)
    n_calls = 0

    def objective(x):
        nonlocal n_calls
        n_calls += 1
        value, gradient = function(x)
        return value, gradient if n_calls <= n_right else -gradient

    hessian = kernels.engine("float64").InverseHessian(len(x), 10)
    found = minimize(objective, x, hessian, tolerance=0, max_iterations=99, max_evaluations=999)
    assert (found.status, found.message) == (2, "ABNORMAL: ")
    assert not found.success and found.nfev == n_calls
    assert hessian.n_pairs == 0
    assert found.nit == 0 if n_right == 0 else found.nit > 0
    assert found.fun == function(found.x)[0] <= function(x)[0]


@pytest.mark.parametrize("first", [1e-3, 0.3, 1.0, 40.0])
@pytest.mark.parametrize("c", [0.1, 1.0, 5.0])
def test_a_step_satisfies_the_strong_wolfe_conditions(first, c):
    def function(t):
        return -t / (t * t + c), (t * t - c) / (t * t + c) ** 2

    steps = []

    def evaluate(t):
        steps.append(t)
        return function(t)

    value, slope = function(0.0)
    step = line_search(evaluate, value, slope, first)
    assert step == steps[-1]
    end, end_slope = function(step)
    assert end <= value + 1e-3 * slope * step and abs(end_slope) <= 0.9 * abs(slope)


def test_there_is_no_step_uphill_or_where_the_function_is_nan():
    assert line_search(lambda t: (t, 1.0), 0.0, 1.0, 1.0) is None
    assert line_search(lambda t: (np.nan, np.nan), 0.0, -1.0, 1.0) is None
