"""Numbers are checked in the network's dtype: none becomes 0 or infinite without a word."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse

from fastmlp import MLP, Adam, AdamW, GradientDescent, RMSprop, augment, schedules, steps
from fastmlp.activations import ELU, LeakyReLU
from fastmlp.initializers import Normal
from fastmlp.losses import Huber, Quantile
from fastmlp.support import checks

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)

# ---------------------------------------------------------------------------------- the check


@pytest.mark.parametrize(
    ("value", "interval", "rounded"),
    [
        (1e-60, "(0, inf)", "0"),
        (1e-60, "(-inf, inf)", "0"),
        (-1e-60, "(-inf, inf)", "0"),
        (1e-39, "[0, inf)", "0"),  # subnormal in float32, which the kernels take as 0
        (1e39, "[0, inf)", "inf"),
        (-1e39, "(-inf, inf)", "-inf"),
        (1 - 1e-12, "(0, 1)", "1"),
        (1 - 1e-12, "[0, 1)", "1"),
    ],
)
def test_a_number_must_be_usable_in_the_dtype(value, interval, rounded):
    message = f"x is {value:.17g}, which is {rounded} in a float32 network; choose a number in"
    with pytest.raises(ValueError, match=re.escape(message)):
        checks.number("x", value, interval, dtype=SINGLE)
    assert checks.number("x", value, interval, dtype=DOUBLE) == value
    assert checks.number("x", value, interval) == value


@pytest.mark.parametrize("value", [1e-310, -5e-324])
def test_subnormal_numbers_of_float64_are_refused(value):
    with pytest.raises(ValueError, match="which is 0 in a float64 network"):
        checks.number("x", value, dtype=DOUBLE)


@pytest.mark.parametrize(
    ("value", "interval"),
    [(0, "[0, inf)"), (1.2e-38, "(0, inf)"), (3.4e38, "[0, inf)"), (1, "[0, 1]"), (0.1, "(0, 1)"),
     (-0.0, "[0, 1)"), (0.9999999, "[0, 1)"), (-1.0, "(-inf, inf)"),
     (2**-126 * (1 - 1e-9), "(0, inf)")],  # rounded to the least normal number
)
def test_other_numbers_are_returned_as_they_are(value, interval):
    assert checks.number("x", value, interval, dtype=SINGLE) == value


# --------------------------------------------------------------------------- where it is called


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": Huber(1e-60)}, "loss: delta is 9.99"),
        ({"loss": Quantile((0.1, 1 - 1e-12))}, "loss: quantiles[1] is 0.99999"),
        ({"loss": Quantile((1e-50, 0.5))}, "loss: quantiles[0] is"),
        ({"activation": LeakyReLU(1e-60)}, "activation of hidden layer 1: slope is"),
        ({"activation": ["relu", ELU(1e60)]}, "activation of hidden layer 2: alpha is"),
        (
            {"loss": "squared_error", "output_activation": LeakyReLU(1e-60)},
            "output_activation: slope is",
        ),
        ({"noise": 1e-60}, "noise is"),
        ({"noise": [0, 1e60]}, "noise[1] is"),
        ({"uint8_scale": 1e-60}, "uint8_scale is"),
        ({"uint8_scale": 1e60}, "uint8_scale is"),
        ({"init": Normal(1e-60)}, "init: sigma is"),
        ({"init": Normal(1e60)}, "init: sigma is"),
    ],
)
def test_constants_of_a_network(options, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        MLP((4, 3, 3, 2), **options)
    assert "in a float32 network" in str(error.value)
    MLP((4, 3, 3, 2), dtype="float64", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l2": 1e300}, "l2 is"),
        ({"l2": 1e-50}, "l2 is"),
        ({"label_smoothing": 1e-50}, "label_smoothing is"),
        ({"label_smoothing": 1 - 1e-12}, "label_smoothing is"),
        ({"max_norm": 1e300}, "max_norm is"),
        ({"max_norm": 1e-50}, "max_norm is"),
        ({"clip_norm": 1e300}, "clip_norm is"),
        ({"clip_norm": 1e-50}, "clip_norm is"),
        ({"ema": 1 - 1e-12}, "ema is"),
        ({"ema": 1e-50}, "ema is"),
        ({"rate_multipliers": [1, 1e-50]}, "rate_multipliers[1] is"),
        ({"bias_rate_multipliers": 1e-50}, "bias_rate_multipliers is"),
        ({"l2_multipliers": [1e50, 1]}, "l2_multipliers[0] is"),
        ({"optimizer": Adam(1e300)}, "optimizer: learning_rate is"),
        ({"optimizer": Adam(1e-60)}, "optimizer: learning_rate is"),
        ({"optimizer": Adam(epsilon=1e-60)}, "optimizer: epsilon is"),
        ({"optimizer": Adam(beta_1=1 - 1e-12)}, "optimizer: beta_1 is"),
        ({"optimizer": Adam(beta_2=1e-60)}, "optimizer: beta_2 is"),
        ({"optimizer": AdamW(weight_decay=1e-60)}, "optimizer: weight_decay is"),
        ({"optimizer": AdamW(weight_decay=1e60)}, "optimizer: weight_decay is"),
        ({"optimizer": RMSprop(rho=1 - 1e-12)}, "optimizer: rho is"),
        ({"optimizer": RMSprop(momentum=1e-60)}, "optimizer: momentum is"),
        ({"optimizer": GradientDescent(momentum=1e-60)}, "optimizer: momentum is"),
        ({"optimizer": Adam(schedules.Constant(1e300))}, "optimizer: rate is"),
        ({"optimizer": AdamW(weight_decay=schedules.FlatCosine(1e300))}, "optimizer: rate is"),
        ({"optimizer": Adam(schedules.OneCycle(1e300))}, "optimizer: rate is"),
        ({"optimizer": Adam(schedules.Cosine(0.1, final=1e-60))}, "optimizer: final is"),
    ],
)
def test_options_of_a_fit(classes, options, message):
    net = MLP((6, 4, 3), seed=1)
    before = net.weights[0]
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        net.fit(*classes, **options)
    assert "in a float32 network" in str(error.value)
    np.testing.assert_array_equal(net.weights[0], before)
    assert net.epochs == 0


def test_rates_of_a_schedule(classes, net):
    with pytest.raises(ValueError, match=r"the rate 1e\+40, which is inf in a float32 network"):
        net.fit(*classes, optimizer=Adam(schedules.Step(1, every=1, factor=1e20)))
    with pytest.raises(ValueError, match="a rate that is negative, infinite or NaN"):
        net.fit(*classes, optimizer=Adam(schedules.Step(1, every=1, factor=1e200)))
    fading = schedules.Exponential(0.01, every=1, factor=1e-30)  # ends at 0, which is no mistake
    assert net.fit(*classes, epochs=2, optimizer=Adam(fading)).epochs == 2


@pytest.mark.parametrize("l2", [1e300, 1e-60])
def test_l2_of_cost_and_gradients(classes, net, l2):
    for function in (net.cost, net.gradients):
        with pytest.raises(ValueError, match="l2 is .* in a float32 network"):
            function(*classes, l2=l2)


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"rotation": 1e-60}, "rotation"),
        ({"scale": 1 - 1e-12}, "scale"),
        ({"translation": 1e60}, "translation"),
        ({"shear": 1e60}, "shear"),
        ({"elastic": 1e60}, "elastic"),
    ],
)
def test_limits_of_distortions(rng, limits, name):
    distortion, images = augment.Distortion(**limits), rng.random((20, 16))
    with pytest.raises(ValueError, match=f"{name} is .* in a float32 network"):
        distortion(images)
    with pytest.raises(ValueError, match=f"augment: {name} is .* in a float32 network"):
        MLP((16, 2)).fit(images, rng.integers(0, 2, 20), augment=distortion)
    assert distortion(images, dtype="float64").shape == (20, 16)
    with pytest.raises(ValueError, match="uint8_scale is .* in a float32 network"):
        augment.Distortion(rotation=5)(images, uint8_scale=1e-60)


def test_epsilon_of_the_step_of_batch_norm():
    u, ones = np.ones((2, 1), np.float32), np.ones(1, np.float32)
    with pytest.raises(ValueError, match="epsilon is .* in a float32 network"):
        steps.batch_norm(u, ones, ones, epsilon=1e-60)
    assert steps.batch_norm(u.astype(float), ones, ones, epsilon=1e-60)[2] == pytest.approx(1e30)
    with pytest.raises(ValueError, match=r"epsilon must be in \(0, inf\)"):
        steps.batch_norm(u, ones, ones, epsilon=0)


# ---------------------------------------------------------------------------- sample weights


@pytest.mark.parametrize("weight", [1e-50, 1e-40])
def test_a_sample_weight_that_vanishes_is_named(weight):
    value = [1, 0, weight, 1]
    with pytest.raises(ValueError, match=rf"sample_weight\[2\] is {weight}, which is 0 in a float"):
        checks.sample_weight(value, 4, SINGLE)
    np.testing.assert_array_equal(checks.sample_weight(value, 4, DOUBLE), value)


def test_a_sample_weight_that_overflows_is_named():
    with pytest.raises(ValueError, match=r"sample_weight\[1\] is 1e\+39, too large for a float32"):
        checks.sample_weight([1, 1e39], 2, SINGLE)


def test_a_part_of_all_weights_may_be_zero():
    assert checks.sample_weight([0, 0], 2, SINGLE, part=True).tolist() == [0, 0]
    with pytest.raises(ValueError, match="zero for every example"):
        checks.sample_weight([0, 0], 2, SINGLE)
    assert checks.sample_weight([1, 1.2e-38], 2, SINGLE)[1] > 0


# ------------------------------------------------------------------- subnormal float32 examples


@pytest.fixture
def tiny(rng):
    """X (40, 3) of float32 with one subnormal number in each row."""
    X = rng.normal(size=(40, 3)).astype(np.float32)
    X[:, 1] = rng.integers(1, 1 << 23, 40).astype(np.uint32).view(np.float32)
    return X


def as_sparse(X):
    return scipy.sparse.csr_array(X)


@pytest.mark.parametrize("kind", [np.asarray, as_sparse])
def test_subnormal_float32_examples_count_in_a_float64_network(tiny, kind):
    net = MLP((3, 2), loss="squared_error", init=([[[0, 1e40, 0], [1, 1e40, 1]]], [[0, 0]]),
              dtype="float64")
    expected = tiny.astype(float) @ net.weights[0].T
    assert np.abs(expected[:, 0]).min() > 0
    np.testing.assert_allclose(net.forward(kind(tiny)), expected, rtol=1e-12)


def test_subnormal_float32_examples_count_in_training_and_in_maps(tiny, tmp_path, mapped):
    y = tiny @ [1, 0, 1] + tiny[:, 1].astype(float) * 1e40
    nets = []
    for X in (tiny.astype(float), tiny, as_sparse(tiny), mapped(tmp_path / "X.npy", tiny)):
        net = MLP((3, 1), loss="squared_error", init=([[[0, 1e40, 0]]], [[0]]), dtype="float64")
        net.fit(X, y, epochs=2, batch_size=10, optimizer=GradientDescent(1e-3))
        nets.append(net)
    for other in nets[1:]:
        np.testing.assert_array_equal(other.weights[0], nets[0].weights[0])


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("value", [0.0, -0.0, 1.1754944e-38, -1.1754944e-38, 1e38])
def test_normal_float32_examples_are_not_copied(dtype, value):
    X = np.full((4, 3), value, np.float32)
    assert np.shares_memory(checks.rows(X, 3, dtype), X)


@pytest.mark.parametrize("value", [1e-45, -1e-45, 1.1754942e-38, -1.1754942e-38])
@pytest.mark.parametrize("place", [0, 700_000])
def test_any_subnormal_number_is_found(value, place):
    X = np.ones((1000, 701), np.float32)
    X.flat[place] = value
    found = checks.rows(X, 701, DOUBLE)
    assert found.dtype == DOUBLE
    np.testing.assert_array_equal(found, X)
    assert np.shares_memory(checks.rows(X, 701, SINGLE), X)
