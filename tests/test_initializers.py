"""First parameters: their distribution, and that each layer has a stream of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.initializers import TABLE, Initializer, Normal, sample

N_IN, N_OUT = 300, 200
DEVIATION = {
    "he_normal": math.sqrt(2 / N_IN),
    "he_uniform": math.sqrt(2 / N_IN),
    "glorot_normal": math.sqrt(2 / (N_IN + N_OUT)),
    "glorot_uniform": math.sqrt(2 / (N_IN + N_OUT)),
    "lecun_normal": math.sqrt(1 / N_IN),
    "normal": 1.0,
    "zeros": 0.0,
}


def test_every_name_stands_for_itself():
    assert list(TABLE) == list(DEVIATION)
    assert all(kind().name == name for name, kind in TABLE.items())


@pytest.mark.parametrize("name", TABLE)
def test_weights_have_mean_zero_and_the_stated_deviation(name):
    weight = MLP((N_IN, N_OUT), init=name, dtype="float64").weights[0]
    deviation = DEVIATION[name]
    assert weight.std() == pytest.approx(deviation, rel=0.02)  # 60,000 numbers: 7 standard errors
    assert abs(weight.mean()) <= 5 * deviation / math.sqrt(weight.size)


@pytest.mark.parametrize("name", TABLE)
def test_uniform_weights_have_an_end_and_normal_ones_pass_it(name):
    weight = MLP((N_IN, N_OUT), init=name, dtype="float64").weights[0]
    bound = math.sqrt(3) * DEVIATION[name]
    assert (np.abs(weight).max() <= bound) == (name.endswith("uniform") or name == "zeros")


@pytest.mark.parametrize("name", TABLE)
def test_biases_are_zero_except_for_the_normal_distribution(name):
    bias = MLP((5, 400, 2), init=name).biases[0]
    assert bias.any() == (name == "normal")


def test_normal_draws_biases_like_weights():
    net = MLP((5, 4000, 2), init=Normal(0.5))
    assert net.biases[0].std() == pytest.approx(0.5, rel=0.05)
    assert net.weights[0].std() == pytest.approx(0.5, rel=0.05)


def test_layers_are_drawn_apart():
    """A layer begins the same whatever the others are, and differs from its like."""
    one, other = sample(Normal(), (4, 4, 4), 0)[0], sample(Normal(), (9, 4, 4), 0)[0]
    np.testing.assert_array_equal(one[1], other[1])
    assert not np.array_equal(one[0], one[1])


def test_float32_parameters_are_the_rounded_float64_ones():
    single, double = MLP((5, 4, 3)), MLP((5, 4, 3), dtype="float64")
    np.testing.assert_array_equal(single.weights[0], double.weights[0].astype(np.float32))


def test_own_initializer_is_taken():
    class Ones(Initializer):
        def weight(self, rng, n_out, n_in):
            return np.ones((n_out, n_in))

    net = MLP((3, 2), init=Ones())
    assert (net.weights[0] == 1).all()
    assert (net.biases[0] == 0).all()


def test_negative_deviation_is_refused():
    with pytest.raises(ValueError, match=r"sigma must be in \[0, inf\), got -1"):
        Normal(-1)
