"""Cost and output delta of every loss, against the formulas and against their own meaning."""

import math
from itertools import product

import numpy as np
import pytest

WIDTHS = (*range(1, 36), 63, 64, 65, 130)
ELEMENTWISE = (
    ("identity", 0.0), ("sigmoid", 0.0), ("relu", 0.0), ("leaky_relu", 0.01), ("tanh", 0.0),
    ("softplus", 0.0), ("elu", 1.0), ("selu", 0.0), ("silu", 0.0), ("gelu", 0.0),
    ("mish", 0.0), ("exponential", 0.0),
)  # fmt: skip


@pytest.fixture
def probabilities(rng, build):
    """Rows that sum to 1, a third of their numbers 0."""

    def probabilities(m: int, n: int) -> np.ndarray:
        p = rng.random((m, n)) * (rng.random((m, n)) < 0.7)
        p[:, 0] += 0.1
        return (p / p.sum(axis=1, keepdims=True)).astype(build.dtype)

    return probabilities


def log_softmax(z: np.ndarray) -> np.ndarray:
    """z − log Σ e^z by rows, in float64, the sum without a rounding."""
    z = z.astype(float)
    total = [math.log(math.fsum(np.exp(row - row.max()))) + row.max() for row in z]
    return z - np.array(total)[:, None]


def close(got: np.ndarray, exact: np.ndarray, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """|got − exact| ≤ rtol |exact| + atol, everywhere."""
    return bool((np.abs(got - exact) <= rtol * np.abs(exact) + atol).all())


# ------------------------------------------------------------------------------ cross-entropy


def test_cross_entropy_of_labels(build, sparse, rng):
    for n in WIDTHS:
        z = 3 * sparse(7, n)
        y = rng.integers(0, n, 7).astype(np.int32)
        a, delta, cost = build.operations.loss(z, y, "cross_entropy")
        logs = log_softmax(z)
        assert close(a, np.exp(logs), rtol=32 * build.eps), n
        assert close(delta, np.exp(logs) - np.eye(n)[y], atol=8 * build.eps), n
        assert close(cost, -logs[np.arange(7), y], atol=16 * build.eps), n


def test_cross_entropy_of_probabilities(build, sparse, probabilities):
    for n in WIDTHS:
        z, y = 3 * sparse(7, n), probabilities(7, n)
        a, delta, cost = build.operations.loss(z, y, "cross_entropy")
        logs = log_softmax(z)
        assert close(a, np.exp(logs), rtol=32 * build.eps), n
        assert close(delta, np.exp(logs) - y, atol=8 * build.eps), n
        assert close(cost, -(y * logs).sum(axis=1), rtol=16 * build.eps, atol=16 * build.eps), n


def test_labels_are_one_hot_rows(build, sparse, rng):
    for n in (1, 2, 10, 17, 70):
        z, labels = sparse(20, n), rng.integers(0, n, 20).astype(np.int32)
        by_label = build.operations.loss(z, labels, "cross_entropy")
        by_row = build.operations.loss(z, np.eye(n, dtype=build.dtype)[labels], "cross_entropy")
        assert all(x.tobytes() == y.tobytes() for x, y in zip(by_label, by_row, strict=True)), n


def test_softmax_is_a_distribution_that_no_shift_changes(build, whole):
    z = whole(20, 33).astype(build.dtype)  # whole numbers, so that the shift rounds nothing
    labels = np.zeros(20, np.int32)
    a, delta, cost = build.operations.loss(z, labels, "cross_entropy")
    assert a.sum(axis=1) == pytest.approx(np.ones(20), rel=8 * build.eps)
    assert delta.sum(axis=1) == pytest.approx(np.zeros(20), abs=8 * build.eps)
    shifted_a, shifted_delta, shifted_cost = build.operations.loss(z + 100, labels, "cross_entropy")
    assert shifted_a.tobytes() == a.tobytes() and shifted_delta.tobytes() == delta.tobytes()
    assert shifted_cost == pytest.approx(cost, abs=1e-12)


def test_cross_entropy_of_certain_and_of_hopeless_outputs_is_finite(build):
    z = np.array([[1000, -1000, 0], [-1e30, 0, 1e30]], build.dtype)
    for label in range(3):
        a, delta, cost = build.operations.loss(z, np.full(2, label, np.int32), "cross_entropy")
        assert a.tolist() == [[1, 0, 0], [0, 0, 1]]
        assert np.isfinite(delta).all()
        expected = [1000 - float(z[0, label]), float(z[1, 2]) - float(z[1, label])]
        assert cost == pytest.approx(expected)


def test_the_largest_output_is_found_in_every_place(build):
    """Where it is not subtracted, its exponential is infinite."""
    for n in (2, 3, 4, 5, 7, 8, 17):
        z, labels = 1000 * np.eye(n, dtype=build.dtype), np.arange(n, dtype=np.int32)
        a, delta, cost = build.operations.loss(z, labels, "cross_entropy")
        assert np.array_equal(a, np.eye(n)), n
        assert not delta.any() and not cost.any(), n


# ----------------------------------------------------------------------- binary cross-entropy


def test_binary_cross_entropy(build, sparse, rng):
    for n in WIDTHS:
        z, y = 3 * sparse(7, n), rng.random((7, n)).astype(build.dtype)
        y[0], y[1] = 0, 1
        a, delta, cost = build.operations.loss(z, y, "binary_cross_entropy", "sigmoid")
        z, y = z.astype(float), y.astype(float)
        terms = y * np.log1p(np.exp(-z)) + (1 - y) * np.log1p(np.exp(z))
        assert close(a, 1 / (1 + np.exp(-z)), rtol=8 * build.eps), n
        assert close(delta, 1 / (1 + np.exp(-z)) - y, atol=8 * build.eps), n
        assert close(cost, terms.sum(axis=1), atol=4 * build.eps * (np.abs(z).sum() + n)), n


def test_binary_cross_entropy_far_out_is_linear(build):
    z = np.array([[-1e4, 1e4, -1e4, 1e4]], build.dtype)
    y = np.array([[0, 1, 1, 0]], build.dtype)
    a, delta, cost = build.operations.loss(z, y, "binary_cross_entropy", "sigmoid")
    assert a.tolist() == [[0, 1, 0, 1]]
    assert delta.tolist() == [[0, 0, -1, 1]]
    assert cost.tolist() == [2e4]


# ------------------------------------------------------------------------------ squared error


def test_squared_error_takes_its_slope_from_the_output_activation(build, sparse):
    for (name, p), n in product(ELEMENTWISE, WIDTHS):
        z, y = sparse(5, n), sparse(5, n)
        h, slope = build.operations.activate(z, name, p)
        a, delta, cost = build.operations.loss(z, y, "squared_error", name, p)
        assert a.tobytes() == h.tobytes(), (name, n)
        assert delta.tobytes() == ((h - y) * slope).tobytes(), (name, n)
        exact = ((h.astype(float) - y.astype(float)) ** 2).sum(axis=1) / 2
        assert close(cost, exact, rtol=8 * build.eps), (name, n)


# ------------------------------------------------------------- absolute error, Huber, quantiles

QUANTILES = (0.1, 0.5, 0.8)
RESIDUALS = {  # constants; ρ(r) and ρ'(r) for each output, r = h − y
    "absolute_error": ((), np.abs, np.sign),
    "huber": (
        (0.75,),
        lambda r: np.where(np.abs(r) <= 0.75, r * r / 2, 0.75 * (np.abs(r) - 0.375)),
        lambda r: np.where(np.abs(r) <= 0.75, r, 0.75 * np.sign(r)),
    ),
    "quantile": (
        QUANTILES,
        lambda r: np.maximum((1 - tiled(r)) * r, -tiled(r) * r),
        lambda r: np.where(r == 0, 0, (r > 0) - tiled(r)),
    ),
}
every_residual = pytest.mark.parametrize("loss", RESIDUALS)


def tiled(r: np.ndarray) -> np.ndarray:
    """The quantile of each output."""
    return np.tile(np.array(QUANTILES), r.shape[1] // len(QUANTILES))


@every_residual
def test_costs_of_residuals_take_their_slope_from_the_output_activation(build, sparse, loss):
    constants, rho, rho_slope = RESIDUALS[loss]
    repeat = max(1, len(constants))
    for (name, p), n in product(ELEMENTWISE, WIDTHS):
        z, y = sparse(5, n * repeat), sparse(5, n)
        h, slope = build.operations.activate(z, name, p)
        y[0, 0] = h[0, 0]
        a, delta, cost = build.operations.loss(z, y, loss, name, p, constants=constants)
        assert a.tobytes() == h.tobytes(), (name, n)
        r = (h - np.repeat(y, repeat, axis=1)).astype(float)
        assert delta[0, 0] == 0, (name, n)
        expected = rho_slope(r) * slope.astype(float)
        assert close(delta, expected, rtol=4 * build.eps), (name, n)
        assert close(cost, rho(r).sum(axis=1), rtol=16 * build.eps), (name, n)


# ------------------------------------------------------------------------- Poisson and gamma


def test_poisson(build, sparse, rng):
    for n in WIDTHS:
        z, y = 3 * sparse(7, n), rng.poisson(2, (7, n)).astype(build.dtype)
        a, delta, cost = build.operations.loss(z, y, "poisson", "exponential")
        z, y = z.astype(float), y.astype(float)
        h = np.exp(z)
        assert close(a, h, rtol=4 * build.eps), n
        assert close(delta, h - y, rtol=4 * build.eps, atol=4 * build.eps * (h + y).max()), n
        terms = np.abs(h) + np.abs(y * z)
        assert close(cost, (h - y * np.log(h)).sum(axis=1), atol=8 * build.eps * terms.sum()), n


def test_gamma(build, sparse, rng):
    for n in WIDTHS:
        z, y = 3 * sparse(7, n), rng.gamma(2, 1, (7, n)).astype(build.dtype)
        a, delta, cost = build.operations.loss(z, y, "gamma", "exponential")
        z, y = z.astype(float), y.astype(float)
        h = np.exp(z)
        assert close(a, h, rtol=4 * build.eps), n
        assert close(delta, 1 - y / h, atol=8 * build.eps * (1 + (y / h).max())), n
        terms = np.abs(y / h) + np.abs(z)
        assert close(cost, (y / h + np.log(h)).sum(axis=1), atol=8 * build.eps * terms.sum()), n


def test_poisson_and_gamma_far_out(build):
    """The cost of a tiny h is that of z, whose e^z is 0; a huge one shows as infinite."""
    z, y = np.array([[-1e4, 1e4]], build.dtype), np.array([[2, 2]], build.dtype)
    a, delta, cost = build.operations.loss(z[:, :1], y[:, :1], "poisson", "exponential")
    assert (a.tolist(), delta.tolist(), cost.tolist()) == ([[0]], [[-2]], [2e4])
    a, delta, cost = build.operations.loss(z[:, 1:], y[:, 1:], "gamma", "exponential")
    assert (delta.tolist(), cost.tolist()) == ([[1]], [1e4])
    for loss, of in (("poisson", z[:, 1:]), ("gamma", z[:, :1])):
        _, delta, cost = build.operations.loss(of, y[:, :1], loss, "exponential")
        assert np.isinf(delta[0, 0]) and cost == [np.inf]


# --------------------------------------------------------------------------------- of all


def targets(loss: str, m: int, n: int, rng: np.random.Generator) -> np.ndarray:
    if loss == "cross_entropy":
        return rng.integers(0, n, m).astype(np.int32)
    return rng.random((m, n if loss != "quantile" else n // len(QUANTILES))) + (loss == "gamma")


OUTPUTS = [
    ("cross_entropy", "softmax", 0.0),
    ("binary_cross_entropy", "sigmoid", 0.0),
    ("poisson", "exponential", 0.0),
    ("gamma", "exponential", 0.0),
    *(("squared_error", name, p) for name, p in ELEMENTWISE),
    *((loss, "tanh", 0.0) for loss in RESIDUALS),
]


def evaluated(build, z, y, loss, name, p):
    """What the kernel says, with the loss's constants."""
    constants = RESIDUALS[loss][0] if loss in RESIDUALS else ()
    return build.operations.loss(z, y, loss, name, p, constants=constants)


every_output = pytest.mark.parametrize(("loss", "name", "p"), OUTPUTS)


def test_delta_is_the_derivative_of_the_cost(build, sparse, rng):
    if build.dtype != "float64":
        pytest.skip("central differences need the digits of float64")
    m, n, h = 3, 6, 1e-6
    for output in OUTPUTS:
        z, y = sparse(m, n), targets(output[0], m, n, rng)
        _, delta, _ = evaluated(build, z, y, *output)
        for j in range(n):
            step = h * np.eye(n)[j]
            above, below = (evaluated(build, z + by, y, *output)[2] for by in (step, -step))
            slope = (above - below) / (2 * h)
            assert delta[:, j] == pytest.approx(slope, rel=1e-7, abs=1e-8), (output, j)


def test_an_example_knows_nothing_of_the_others(build, sparse, rng):
    for output in OUTPUTS:
        z, y = sparse(9, 21), targets(output[0], 9, 21, rng)
        y = y if y.dtype == np.int32 else y.astype(build.dtype)
        together = evaluated(build, z, y, *output)
        for r in range(9):
            alone = evaluated(build, z[r : r + 1], y[r : r + 1], *output)
            same = [x[0].tobytes() == t[r].tobytes() for x, t in zip(alone, together, strict=True)]
            assert all(same), (output, r)


def test_no_example_has_no_cost(build, sparse, rng):
    for output in OUTPUTS:
        y = targets(output[0], 0, 3, rng)
        y = y if y.dtype == np.int32 else y.astype(build.dtype)
        a, delta, cost = evaluated(build, sparse(0, 3), y, *output)
        assert a.shape == delta.shape == (0, 3) and cost.shape == (0,), output


def test_a_nan_shows_in_the_cost_of_its_example_alone(build, sparse, rng):
    for output, value in product(OUTPUTS, (np.nan, np.inf)):
        z, y = sparse(3, 21), targets(output[0], 3, 21, rng)
        y = y if y.dtype == np.int32 else y.astype(build.dtype)
        z[1, 13] = value
        a, delta, cost = evaluated(build, z, y, *output)
        case = output, value
        assert np.isfinite(cost[[0, 2]]).all() and np.isfinite(delta[[0, 2]]).all(), case
        if np.isnan(value):
            assert np.isnan(cost[1]), case


@every_output
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_build_with_fused_products_gives_the_same_bits(
    fused_builds, rng, dtype, loss, name, p
):
    for n in (3, 12, 36, 129):
        z, y = rng.standard_normal((9, n)).astype(dtype), targets(loss, 9, n, rng)
        y = y if y.dtype == np.int32 else y.astype(dtype)
        first, *others = [evaluated(b, z, y, loss, name, p) for b in fused_builds(dtype)]
        for other in others:
            assert all(x.tobytes() == t.tobytes() for x, t in zip(other, first, strict=True)), n
