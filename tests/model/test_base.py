"""What a network is: its properties, parameters and snapshots."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fastmlp import MLP


def same_parameters(one: MLP, other: MLP) -> bool:
    pairs = zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_parameters_are_read_only_copies(net):
    with pytest.raises(ValueError, match="read-only"):
        net.weights[0][0, 0] = 1
    assert net.weights[0] is not net.weights[0]


def test_parameters_that_are_set_are_those_that_are_read(net, rng):
    weights = [rng.normal(size=W.shape).astype(np.float32) for W in net.weights]
    biases = [rng.normal(size=b.shape).astype(np.float32) for b in net.biases]
    net.set_parameters(weights, biases)
    for found, given in zip((*net.weights, *net.biases), (*weights, *biases), strict=True):
        np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([np.zeros((16, 6))], "weights must be a list of 2 arrays"),
        (np.zeros((2, 16, 6)), "weights must be a list of 2 arrays"),
        ([np.zeros((6, 16)), np.zeros((3, 16))], r"weights\[0\] has shape \(6, 16\); expected"),
        ([np.zeros((16, 6)), np.full((3, 16), np.nan)], r"weights\[1\]\[0, 0\] is nan"),
        ([np.zeros((16, 6)), np.full((3, 16), 1e300)], "1e\\+300, too large for a float32"),
    ],
)
def test_wrong_parameters_are_explained_and_change_nothing(net, weights, message):
    before = copy.deepcopy(net)
    with pytest.raises(ValueError, match=message):
        net.set_parameters(weights, net.biases)
    assert same_parameters(net, before)
