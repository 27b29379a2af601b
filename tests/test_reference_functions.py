"""The reference's functions far out: finite, with all digits, in their dtype."""

import math

import numpy as np
import pytest

from fastmlp.reference import ACTIVATIONS, Network


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "exponential"])
def test_activations_stay_finite_and_keep_their_dtype(activation, dtype):
    z = np.array([[-1e4, -100, -1, 0, 1, 100, 1e4]], dtype)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        f, slope = ACTIVATIONS[activation](z)
    assert f.dtype == slope.dtype == dtype
    assert np.isfinite(f).all()
    assert np.isfinite(slope).all() or activation == "softmax"


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("sigmoid", lambda special, z: special.expit(z)),
        ("softplus", lambda special, z: -special.log_expit(-z)),
        ("silu", lambda special, z: z * special.expit(z)),
        ("gelu", lambda special, z: z * special.ndtr(z)),
        ("mish", lambda special, z: z * np.tanh(-special.log_expit(-z))),
        ("elu", lambda special, z: np.where(z > 0, z, special.expm1(z))),
        ("softmax", lambda special, z: special.softmax(z, axis=1)),
    ],
)
def test_activations_keep_their_digits_in_both_tails(activation, expected):
    special = pytest.importorskip("scipy.special")
    z = np.linspace(-36, 36, 721)[None]
    expected = expected(special, z)
    # 1e-12: Φ turns a rounding of its argument into one z² times as large
    np.testing.assert_allclose(ACTIVATIONS[activation](z)[0], expected, rtol=1e-12)


def test_cross_entropy_of_a_hopeless_score_is_the_distance_of_the_scores():
    net = Network((2, 2), ["softmax"], "cross_entropy")
    net.weights = [np.diag([1000.0, 0.0])]
    assert net.cost([[1.0, 0.0]], [1]) == 1000
    assert net.cost([[1.0, 0.0]], [0]) == 0


@pytest.mark.parametrize(
    ("z", "y", "expected"),
    [
        (1000, 0, 1000),
        (1000, 1, 0),
        (-1000, 1, 1000),
        (40, 1, math.exp(-40)),
        (0, 0.3, math.log(2)),
    ],
)
def test_binary_cross_entropy_keeps_its_digits(z, y, expected):
    net = Network((1, 1), ["sigmoid"], "binary_cross_entropy")
    net.weights = [np.array([[1.0]])]
    assert net.cost([[z]], [y]) == pytest.approx(expected, rel=1e-14)


def test_squared_error_is_half_the_squared_distance():
    net = Network((2, 2), ["identity"], "squared_error")
    net.weights = [np.array([[1.0, 0.0], [0.0, 2.0]])]
    # h = (1, 2) and (3, 8); ½(1 + 4) and ½(0 + 9); mean 3.5; λ/2 Σ W² = 0.1/2 · 5
    assert net.cost([[1, 1], [3, 4]], [[0, 0], [3, 5]], l2=0.1) == 3.5 + 0.25
