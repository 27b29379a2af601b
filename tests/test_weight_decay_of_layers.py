"""`l2_multipliers` multiply AdamW's weight decay of each layer, as they multiply λ."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP, AdamW, reference

RATE, DECAY = 0.01, 0.5


def network():
    return MLP((6, 4, 5, 3), dtype="float64", seed=1, init="glorot_normal")


def fit(net, classes, epochs=1, **options):
    return net.fit(
        *classes, epochs=epochs, batch_size=230, shuffle=False,
        optimizer=AdamW(RATE, weight_decay=DECAY), **options,
    )


@pytest.mark.parametrize("rates", [(1, 1, 1), (0.5, 2, 1)])
@pytest.mark.parametrize("multipliers", [(1, 1, 1), (0, 0, 0), (0, 0.5, 3)])
def test_the_first_step_decays_each_layer_by_its_multiplier(classes, multipliers, rates):
    start, without, net = network(), network(), network()
    fit(without, classes, l2_multipliers=(0, 0, 0), rate_multipliers=rates)
    fit(net, classes, l2_multipliers=multipliers, rate_multipliers=rates)
    for l, (factor, rate) in enumerate(zip(multipliers, rates, strict=True)):
        decayed = without.weights[l] - RATE * rate * DECAY * factor * start.weights[l]
        np.testing.assert_allclose(net.weights[l], decayed, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(net.biases[l], without.biases[l])


def test_many_steps_are_those_of_an_optimizer_for_each_layer(classes):
    X, y = classes
    multipliers = (0.0, 0.5, 3.0)
    net = network()
    other = reference.Network(net.sizes, ["relu", "relu", "softmax"], "cross_entropy")
    other.weights, other.biases = list(net.weights), list(net.biases)
    optimizers = [
        reference.Optimizer("adamw", 0.9, 0.999, 1e-8, DECAY * factor) for factor in multipliers
    ]
    fit(net, classes, epochs=20, l2_multipliers=multipliers)
    for _ in range(20):
        gradients = other.gradients(X, y)
        for l, optimizer in enumerate(optimizers):
            other.weights[l], other.biases[l] = optimizer.update(
                [other.weights[l], other.biases[l]], list(gradients[l]), RATE
            )
    for found, expected in zip([*net.weights, *net.biases], [*other.weights, *other.biases],
                               strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_multipliers_of_one_change_no_bit(classes):
    one, other = network(), network()
    fit(one, classes, epochs=3)
    fit(other, classes, epochs=3, l2_multipliers=(1, 1, 1), rate_multipliers=(1, 1, 1))
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_penalty_of_the_cost_has_the_multipliers_and_the_decay_is_no_part_of_it(classes):
    one, other = network(), network()
    without = fit(one, classes, l2_multipliers=(0, 1, 1)).cost[0]
    with_l2 = fit(other, classes, l2=0.0, l2_multipliers=(1, 1, 1)).cost[0]
    assert without == with_l2
