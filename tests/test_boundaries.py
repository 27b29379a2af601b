"""What holds exactly at a boundary: a probability of ½, a target that is met, a momentum of 1."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from fastmlp import MLP, Adam, AdamW, GradientDescent, RMSprop, reference, schedules, steps
from fastmlp.kernels import operations
from fastmlp.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Gamma,
    Huber,
    Poisson,
    Quantile,
    SquaredError,
)
from fastmlp.schedules import Constant, Cosine, Exponential, OneCycle, Step
from fastmlp.support import checks

SINGLE = np.dtype(np.float32)

# ---------------------------------------------------------------------------- probabilities


def test_a_probability_of_one_half_predicts_0():
    h = np.array([[0.5, np.nextafter(0.5, 1), np.nextafter(0.5, 0), 1, 0]])
    assert BinaryCrossEntropy().predict(h).tolist() == [[0, 1, 0, 1, 0]]
    assert BinaryCrossEntropy().predict(h[:, :1]).tolist() == [0]


def test_a_target_of_one_half_counts_as_0():
    h, y = np.array([[0.4], [0.5], [0.6]]), np.full((3, 1), 0.5)
    assert BinaryCrossEntropy().correct(h, y).tolist() == [1, 1, 0]
    assert BinaryCrossEntropy().correct(h, np.nextafter(y, 1)).tolist() == [0, 0, 1]


def test_correct_labels_of_an_example_are_a_fraction():
    h, y = np.array([[0.9, 0.1, 0.9, 0.9]]), np.array([[1, 0, 0, 1]])
    assert BinaryCrossEntropy().correct(h, y).tolist() == [0.75]


def test_a_network_whose_output_is_one_half_predicts_0(rng):
    net = MLP((2, 1), loss="binary_cross_entropy", init="zeros")
    X = rng.normal(size=(3, 2))
    assert net.predict_proba(X).tolist() == [[0.5]] * 3
    assert net.predict(X).tolist() == [0, 0, 0]


def test_the_first_of_equal_probabilities_is_predicted():
    assert CrossEntropy().predict(np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])).tolist() == [0, 1]


@pytest.mark.parametrize(("total", "accepted"), [(1.0009, True), (0.9991, True), (1.0011, False),
                                                 (0.9989, False), (1, True)])
def test_probabilities_have_sum_1_to_a_thousandth(total, accepted):
    y = np.array([[0.25, 0.75], [0.25, total - 0.25]])
    if accepted:
        found = checks.distributions("y", y, 2, 2, np.dtype(float))
        np.testing.assert_array_equal(found, y)
    else:
        with pytest.raises(ValueError, match=rf"y\[1\] has sum {total}"):
            checks.distributions("y", y, 2, 2, np.dtype(float))


def test_probabilities_rounded_to_half_precision_are_accepted(rng):
    y = rng.dirichlet(np.ones(50), size=200).astype(np.float16)
    assert np.abs(y.astype(float).sum(axis=1) - 1).max() > 1e-4
    checks.distributions("y", y, 200, 50, SINGLE)


# ----------------------------------------------------------------- targets that are met


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("quantiles", [(0.5,), (0.1, 0.9), (0.05, 0.5, 0.95)])
def test_the_slope_of_a_quantile_is_0_where_the_target_is_met(dtype, quantiles):
    y = np.array([[2.0], [-1.0]], dtype)
    h = np.repeat(y, len(quantiles), axis=1)
    loss = Quantile(quantiles)
    assert not loss.output_delta(h, y, np.ones_like(h)).any()
    assert not steps.output_delta(y, h, h, "identity", loss).any()
    _, delta, cost = operations(dtype).loss(h, y, "quantile", constants=quantiles)
    assert not delta.any() and not cost.any()
    assert not reference.LOSSES["quantile"].slope(h, y, *quantiles).any()


def test_the_slope_of_a_quantile_beside_its_target():
    y, up, down = np.array([[1.0]]), np.nextafter(1.0, 2), np.nextafter(1.0, 0)
    loss = Quantile((0.2,))
    assert loss.output_delta(np.array([[up]]), y, np.ones((1, 1))) == pytest.approx(0.8)
    assert loss.output_delta(np.array([[down]]), y, np.ones((1, 1))) == pytest.approx(-0.2)


def test_the_slope_of_the_absolute_error_is_0_where_the_target_is_met():
    h = y = np.array([[3.0, -2.0]])
    assert AbsoluteError().output_delta(h, y, np.ones_like(h)).tolist() == [[0, 0]]


def test_huber_s_slope_is_delta_at_delta_and_beyond():
    h, y = np.array([[0.4, 0.5, 0.6, -9.0]]), np.zeros((1, 4))
    slopes = Huber(0.5).output_delta(h, y, np.full((1, 4), 2.0))
    assert slopes.tolist() == [[0.8, 1.0, 1.0, -1.0]]


def test_poisson_takes_0_and_gamma_does_not():
    assert Poisson().targets([[0.0]], 1, 1, SINGLE).tolist() == [[0]]
    with pytest.raises(ValueError, match=r"y must be ≥ 0, but y\[0, 0\] is -1"):
        Poisson().targets([[-1.0]], 1, 1, SINGLE)
    with pytest.raises(ValueError, match=r"y must be > 0, but y\[1, 0\] is 0"):
        Gamma().targets([[1.0], [0.0]], 2, 1, SINGLE)


@pytest.mark.parametrize("quantiles", [(0.5, 0.5), (0.6, 0.5)])
def test_quantiles_ascend_strictly(quantiles):
    with pytest.raises(ValueError, match="quantiles must ascend"):
        Quantile(quantiles)


def test_predicted_quantiles_never_cross():
    h = np.array([[3.0, 1.0, 2.0, 9.0, 8.0, 7.0]])
    assert Quantile().predict(h).tolist() == [[1, 2, 3, 7, 8, 9]]


# ---------------------------------------------------------------------------- numbers of outputs


@pytest.mark.parametrize(
    ("loss", "n_out", "message"),
    [
        (CrossEntropy(), 1, "cross_entropy needs at least 2 outputs, one for each class, got 1"),
        (CrossEntropy(), 0, "cross_entropy needs at least 2 outputs"),
        (CrossEntropy((2, 3)), 6, "groups (2, 3) of the loss take 5 outputs together"),
        (Quantile(), 4, "3 quantiles take as many outputs for each target"),
        (SquaredError(), 0, "squared_error needs at least 1 output, got 0"),
        (BinaryCrossEntropy(), 0, "binary_cross_entropy needs at least 1 output, got 0"),
    ],
)
def test_numbers_of_outputs_that_a_loss_cannot_have(loss, n_out, message):
    for check in (loss.check_outputs, lambda n: loss.output_activation(None, n)):
        with pytest.raises(ValueError, match=re.escape(message)):
            check(n_out)


def test_outputs_for_targets():
    assert [one.outputs_for(2) for one in (SquaredError(), Quantile(), CrossEntropy())] == [2, 6, 2]
    assert CrossEntropy((2, 3)).outputs_for(2) == 5


def test_losses_with_one_label_for_each_example():
    assert CrossEntropy().single_label(3)
    assert not CrossEntropy((2, 3)).single_label(5)
    assert BinaryCrossEntropy().single_label(1)
    assert not BinaryCrossEntropy().single_label(2)
    assert not SquaredError().single_label(2)


# -------------------------------------------------------------------------- momentum and rates


def test_a_momentum_of_1_is_allowed_for_gradient_descent_only():
    assert GradientDescent(momentum=1).constants == (1, 0)
    assert GradientDescent(momentum=1, nesterov=True).constants == (1, 1)
    with pytest.raises(ValueError, match=r"momentum must be in \[0, 1\], got 1.01"):
        GradientDescent(momentum=1.01)
    with pytest.raises(ValueError, match=r"momentum must be in \[0, 1\), got 1"):
        RMSprop(momentum=1)


@pytest.mark.parametrize("kind", [Adam, AdamW])
@pytest.mark.parametrize("name", ["beta_1", "beta_2"])
def test_a_decay_rate_of_1_is_refused(kind, name):
    assert getattr(kind(**{name: 0}), name) == 0
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\), got 1"):
        kind(**{name: 1})


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [(Adam, "epsilon", 0), (AdamW, "epsilon", 0), (RMSprop, "epsilon", 0), (RMSprop, "rho", 1),
     (AdamW, "weight_decay", -1e-9), (GradientDescent, "momentum", -1e-9)],
)
def test_other_constants_have_their_limits(kind, name, value):
    with pytest.raises(ValueError, match=f"{name} must be in"):
        kind(**{name: value})


def test_gradient_descent_with_momentum_1_sums_all_gradients():
    X, y = np.ones((1, 1)), np.zeros(1)
    net = MLP((1, 1), loss="squared_error", init=([[[1.0]]], [[0.0]]), dtype="float64")
    w, b, v_w, v_b = 1.0, 0.0, 0.0, 0.0
    for _ in range(4):
        net.fit(X, y, epochs=1, optimizer=GradientDescent(0.25, momentum=1))
        v_w, v_b = v_w + (w + b), v_b + (w + b)
        w, b = w - 0.25 * v_w, b - 0.25 * v_b
    assert (net.weights[0].item(), net.biases[0].item()) == pytest.approx((w, b), rel=1e-14)


@pytest.mark.parametrize("rate", [math.inf, math.nan, -1e-9, -math.inf])
def test_rates_that_are_no_learning_rates_are_refused(classes, net, rate):
    class Broken(schedules.Schedule):
        name = "broken"

        def __call__(self, steps):
            return np.where(steps == 1, rate, 0.01)

    with pytest.raises(ValueError, match="a rate that is negative, infinite or NaN"):
        net.fit(*classes, epochs=1, optimizer=Adam(Broken()))
    with pytest.raises(ValueError, match=r"learning_rate must be in \[0, inf\)"):
        Adam(rate)


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()])
def test_a_schedule_returns_a_rate_for_each_step(classes, net, shape):
    class Broken(schedules.Schedule):
        name = "broken"

        def __call__(self, steps):
            return np.full(shape, 0.01)

    with pytest.raises(ValueError, match=re.escape(f"shape {shape} for 3 steps; expected (3,)")):
        net.fit(*classes, epochs=1, optimizer=Adam(Broken()))


# ------------------------------------------------------------------------------- schedules


def test_one_cycle_by_its_corners():
    cycle = OneCycle(0.5, warm_up=0.25, start_factor=0.1, final_factor=0.02, total_steps=80)
    rates = cycle(np.array([0, 10, 20, 50, 80, 81, 1000]))
    middle_up, middle_down = (0.05 + 0.5) / 2, (0.5 + 0.01) / 2
    expected = [0.05, middle_up, 0.5, middle_down, 0.01, 0.01, 0.01]
    np.testing.assert_allclose(rates, expected, rtol=1e-14)


def test_cosine_by_its_corners():
    rates = Cosine(0.5, final=0.1, total_steps=80)(np.array([0, 40, 80, 81]))
    np.testing.assert_allclose(rates, [0.5, 0.3, 0.1, 0.1], rtol=1e-14)


def test_step_changes_at_every_and_exponential_between():
    at = np.array([0, 9, 10, 19, 20])
    assert Step(0.5, every=10, factor=2)(at).tolist() == [0.5, 0.5, 1, 1, 2]
    np.testing.assert_allclose(
        Exponential(0.5, every=10, factor=4)(np.array([0, 5, 10, 15])), [0.5, 1, 2, 4], rtol=1e-14
    )
    assert Constant(0.25)(at).tolist() == [0.25] * 5


def test_a_curve_spans_a_call_of_fit_or_its_own_steps():
    curve = Cosine(1.0)
    assert curve.spanning(7, 10)(np.array([7, 12, 17])).tolist() == pytest.approx([1, 0.5, 0])
    own = Cosine(1.0, total_steps=20)
    assert own.spanning(7, 10) is own
    assert own.spanning(7, None) is own
    constant = Constant(0.1)
    assert constant.spanning(7, None) is constant


# ----------------------------------------------------------------- batches of few examples


@pytest.mark.parametrize("m", [0, 1])
def test_batch_norm_refuses_fewer_than_two_examples(m):
    with pytest.raises(ValueError, match=f"batch norm needs at least 2 examples, but u has {m}"):
        steps.batch_norm(np.ones((m, 3)), np.ones(3), np.zeros(3))


def test_batch_norm_of_two_examples():
    z, normalized, inverse = steps.batch_norm([[1.0], [3.0]], [2.0], [5.0], epsilon=1e-12)
    np.testing.assert_allclose(normalized, [[-1], [1]], rtol=1e-10)
    np.testing.assert_allclose(z, [[3], [7]], rtol=1e-10)
    np.testing.assert_allclose(inverse, [1], rtol=1e-10)


def test_weights_that_are_all_zero_count_as_equal_in_the_statistics_and_not_in_the_gradients(rng):
    u, scale, shift = rng.normal(size=(5, 3)), rng.normal(size=3), rng.normal(size=3)
    expected = steps.batch_norm(u, scale, shift)
    found = steps.batch_norm(u, scale, shift, sample_weight=np.zeros(5))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    delta = rng.normal(size=(5, 3))
    for one in steps.batch_norm_delta(delta, found[1], scale, found[2], np.zeros(5)):
        assert not one.any()


def test_weights_that_are_all_zero_make_gradients_and_cost_zero(rng):
    delta, a, W = rng.normal(size=(4, 2)), rng.normal(size=(4, 3)), rng.normal(size=(2, 3))
    dW, db = steps.batch_gradients(delta, a, W, 0.5, np.zeros(4))
    np.testing.assert_array_equal(dW, 0.5 * W)
    assert not db.any()
    assert steps.cost(delta, a[:, :2], a[:, :2], sample_weight=np.zeros(4)) == 0


def test_one_example_is_its_own_mean():
    dW, db = steps.batch_gradients([[2.0]], [[3.0]], [[0.0]])
    assert (dW.item(), db.item()) == (6, 2)
