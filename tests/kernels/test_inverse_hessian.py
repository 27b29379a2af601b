"""L-BFGS's approximation of the inverse Hessian, against the matrix of the BFGS formula."""

import numpy as np
import pytest

from fastmlp import kernels

N, CAPACITY = 37, 4


def pairs(count, seed=0):
    """Steps, and changes of the gradient of a convex quadratic function over them."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(N, N))
    A = A @ A.T / N + np.eye(N)
    return [(step, A @ step) for step in rng.normal(size=(count, N))]


def bfgs_matrix(pairs):
    """H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ with ρ = 1/yᵀs, from sᵀy/yᵀy I of the last pair."""
    s, y = pairs[-1]
    H = s @ y / (y @ y) * np.eye(N)
    for s, y in pairs:
        V = np.eye(N) - np.outer(y, s) / (y @ s)
        H = V.T @ H @ V + np.outer(s, s) / (y @ s)
    return H


def approximation(module, dtype, pairs):
    made = module.InverseHessian(N, CAPACITY)
    for s, y in pairs:
        made.add(s.astype(dtype), y.astype(dtype), 0.0)
    return made


@pytest.mark.parametrize("count", [1, 3, CAPACITY, CAPACITY + 1, 3 * CAPACITY])
def test_direction_is_that_of_the_last_pairs(build, count):
    given = pairs(count)
    gradient = np.random.default_rng(1).normal(size=N)
    made = approximation(build.engine, build.dtype, given)
    d, slope = made.direction(gradient.astype(build.dtype))
    expected = -bfgs_matrix(given[-CAPACITY:]) @ gradient
    tolerance = 200 * build.eps * np.abs(expected).max()
    assert made.n_pairs == min(count, CAPACITY) and d.dtype == build.dtype
    np.testing.assert_allclose(d, expected, atol=tolerance)
    np.testing.assert_allclose(slope, gradient @ expected, rtol=200 * build.eps)


def test_direction_is_the_steepest_descent_without_pairs(build):
    gradient = np.arange(N, dtype=build.dtype)
    made = approximation(build.engine, build.dtype, pairs(3))
    made.clear()
    d, slope = made.direction(gradient)
    np.testing.assert_array_equal(d, -gradient)
    assert made.n_pairs == 0 and slope == -float(gradient @ gradient)


def test_pairs_of_too_little_curvature_are_left_out(build):
    s = np.ones(N, build.dtype)
    made = build.engine.InverseHessian(N, CAPACITY)
    made.add(s, s, float(N))
    made.add(s, -s, 0.0)
    made.add(s, np.nan * s, 0.0)
    assert made.n_pairs == 0
    made.add(s, s, N - 0.5)
    assert made.n_pairs == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_build_has_the_same_bits(dtype):
    gradient = np.random.default_rng(1).normal(size=N).astype(dtype)
    first, *others = [
        approximation(kernels.engine(dtype, isa), dtype, pairs(9)).direction(gradient)
        for isa in kernels.isas()
    ]
    for d, slope in others:
        assert d.tobytes() == first[0].tobytes() and slope == first[1]


def test_vectors_of_another_length_are_refused(build):
    made = build.engine.InverseHessian(N, CAPACITY)
    short, right = np.ones(N - 1, build.dtype), np.ones(N, build.dtype)
    for call in (lambda: made.add(short, right, 0.0), lambda: made.add(right, short, 0.0),
                 lambda: made.direction(short)):  # fmt: skip
        with pytest.raises(ValueError, match="does not fit|do not fit"):
            call()
