"""The new output layer of `with_head`: its seed and its distribution."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP, initializers


@pytest.mark.parametrize("seed", [None, 0, 9])
def test_a_new_head_is_sampled_by_the_network_s_seed_unless_another_is_chosen(seed):
    net = MLP((6, 16, 3), seed=5, init="glorot_uniform")
    new = net.with_head(4) if seed is None else net.with_head(4, seed=seed)
    expected = 5 if seed is None else seed
    weights, biases = initializers.sample(initializers.HeNormal(), (6, 16, 4), expected)
    assert new.seed == expected
    np.testing.assert_array_equal(new.weights[1], weights[1].astype("float32"))
    np.testing.assert_array_equal(new.biases[1], biases[1])
    np.testing.assert_array_equal(new.weights[0], net.weights[0])


def test_a_new_head_has_the_least_number_of_classes_of_its_loss():
    net = MLP((6, 16, 3))
    assert net.with_head(2).sizes == (6, 16, 2)
    with pytest.raises(ValueError, match="n_out must be at least 2, got 1"):
        net.with_head(1)
    assert MLP((6, 4, 2), loss="binary_cross_entropy").with_head(1).sizes == (6, 4, 1)


@pytest.mark.parametrize("used", [True, False])
def test_the_other_layers_are_those_that_predict(classes, used):
    net = MLP((6, 16, 3))
    net.fit(*classes, epochs=2, ema=0.9)
    net.use_average = used
    expected = net.folded[0][0]  # of the averages, where they are in use
    new = net.with_head(2)
    np.testing.assert_array_equal(new.weights[0], expected)
    assert np.array_equal(new.weights[0], net.weights[0]) is not used


def test_an_average_is_used_only_where_there_is_one(classes):
    net = MLP((6, 16, 3))
    net.use_average = False
    with pytest.raises(ValueError, match="there is no average of parameters"):
        net.use_average = True
    net.fit(*classes, epochs=1, ema=0.5)
    assert net.use_average
    net.set_parameters(net.weights, net.biases)  # drops the average
    assert not net.use_average
    with pytest.raises(ValueError, match="there is no average of parameters"):
        net.use_average = True
