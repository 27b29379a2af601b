"""What encloses layers in 8-bit integers: rounding to bytes, and activations in float64."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.activations import Sigmoid, Softmax
from fastmlp.export.integer_layers import ByteRounding, apply_activation


def test_softmax_of_large_numbers_is_finite():
    z = np.array([[1000.0, 1001.0, -1000.0], [-2000.0, -2001.0, -2000.0]])
    e = np.exp([[-1.0, 0.0, -np.inf], [0.0, -1.0, 0.0]])
    expected = e / e.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(apply_activation(Softmax(), z), expected, rtol=1e-15)


def test_each_group_has_its_own_softmax():
    z = np.array([[1.0, 2.0, 5.0, 3.0, 4.0]])
    found = apply_activation(Softmax((2, 3)), z)
    np.testing.assert_array_equal(found[:, :2], apply_activation(Softmax(), z[:, :2]))
    np.testing.assert_array_equal(found[:, 2:], apply_activation(Softmax(), z[:, 2:]))


def test_activations_are_computed_in_float64():
    z = np.array([[0.1, -0.7]])
    found = apply_activation(Sigmoid(), z)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-z)), rtol=1e-15)


@pytest.mark.parametrize("table", [None, np.arange(10, 266, dtype=np.uint16).astype(np.uint8)])
def test_numbers_are_rounded_to_the_nearest_byte_and_clipped(table):
    bytes_ = ByteRounding(-5, 250, table)(np.float32([-np.inf, -5.2, -0.6, 2.5, 249.6, 1e9]))
    places = [0, 0, 4, 7, 255, 255]
    np.testing.assert_array_equal(bytes_, places if table is None else table[places])
    assert bytes_.dtype == np.uint8
