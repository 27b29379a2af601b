"""Predictions and costs come from one set of parameters, and are finite."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP, GradientDescent


def test_a_map_is_predicted_by_the_parameters_of_the_call_s_begin(
    classes, tmp_path, mapped, small_chunks, monkeypatch
):
    X, _ = classes
    net = MLP((6, 4, 3))
    expected, forward = net.forward(X), net.state.forward

    def changes_parameters_afterwards(*arguments, **options):
        h = forward(*arguments, **options)
        net.set_parameters([2 * W for W in net.weights], net.biases)
        return h

    monkeypatch.setattr(net.state, "forward", changes_parameters_afterwards)
    np.testing.assert_array_equal(net.forward(mapped(tmp_path / "X.npy", X)), expected)


@pytest.mark.parametrize("training", [False, True])
def test_the_penalty_is_that_of_the_parameters_in_question(classes, training):
    X, y = classes
    net = MLP((6, 4, 3), dtype="float64")
    net.fit(X, y, epochs=3, ema=0.9, optimizer=GradientDescent(0.5))
    weights = net.weights if training else net.folded[0]  # of the averages
    penalty = 0.5 * sum((W**2).sum() for W in weights)
    without = net.cost(X, y, training=training)
    assert net.cost(X, y, l2=1.0, training=training) == pytest.approx(without + penalty, rel=1e-12)


@pytest.mark.parametrize("training", [False, True])
def test_a_cost_that_is_not_finite_is_an_error(training):
    net = MLP((1, 1), loss="squared_error", init=([[[1e30]]], [[0.0]]))
    with pytest.raises(FloatingPointError, match="the cost of these examples is not finite"):
        net.cost([[1e30]], [0.0], training=training)


@pytest.mark.parametrize("m", [1, 2])
def test_batch_norm_of_one_example_has_no_training_cost(m):
    net = MLP((3, 4, 2), batch_norm=True)
    X, y = np.ones((m, 3)), np.zeros(m, int)
    for function in (net.cost, net.gradients):
        if m == 1:
            with pytest.raises(ValueError, match="batch norm needs at least 2 examples"):
                function(X, y, training=True)
        function(X, y)
        if m == 2:
            function(X, y, training=True)
