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
