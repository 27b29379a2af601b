"""How reals become bytes, and layers become integers."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.activations import Exponential, Tanh
from fastmlp.export.byte_scales import (
    ByteScale,
    byte_inputs,
    integer_layer,
    integers,
    rounding_of,
)
from fastmlp.export.integer_layers import apply_activation


@pytest.mark.parametrize(
    ("span", "step", "zero"),
    [((-1.0, 4.1), 0.02, 50), ((0.5, 2.55), 0.01, 0), ((-2.55, -1.0), 0.01, 255), ((0, 0), 1, 0)],
)
def test_a_scale_spans_a_range_and_zero(span, step, zero):
    scale = ByteScale.spanning(span)
    assert (scale.step, scale.zero) == (pytest.approx(step), zero)
    assert scale.to_bytes(np.zeros(1)) == [zero]


def test_reals_beyond_the_range_are_clipped():
    scale = ByteScale(0.5, 10)
    a = np.array([-1e9, -5.3, -4.6, 0.24, 0.26, 122.4, 122.8, 1e9])
    np.testing.assert_array_equal(scale.to_bytes(a), [0, 0, 1, 10, 11, 255, 255, 255])
    np.testing.assert_array_equal(scale.rounding()(np.float32(a / 0.5)), scale.to_bytes(a))


@pytest.mark.parametrize(
    ("f", "span", "of_f", "ends", "last"),
    [
        # e^z has the byte of e^−3 up to z = 1.8, and tanh that of 0 from there on
        (Exponential(), (-3.0, 8.0), (0.0, np.exp(8.0)), (0.0, 8.0), 255),
        (Tanh(), (-0.1, 2.0), (-0.1, 0.0), (-0.1, 0.0), 255),
        (Tanh(), (0.0, 0.0), (0.0, 0.0), (0.0, 1.0), 1),
    ],
    ids=str,
)
def test_a_table_is_of_the_range_where_bytes_change_and_of_zero(f, span, of_f, ends, last):
    target = ByteScale.spanning(of_f)
    step, rounding = rounding_of(f, span, target)
    assert (rounding.low * step, rounding.high * step) == pytest.approx(ends, abs=0.02)
    assert (len(rounding.table), rounding.table[-1]) == (1024, last)
    z = np.arange(rounding.low, rounding.high + 1) * step
    np.testing.assert_array_equal(rounding.table, target.to_bytes(apply_activation(f, z)))


def test_weights_are_whole_steps_of_their_unit():
    weight = np.array([[0.5, -1.27, 0.0], [3.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
    bias = np.array([0.04, -6.0, 0.0])
    whole, start, worth = integers(weight, bias, zero=3)
    np.testing.assert_allclose(worth, [0.01, 3 / 127, 1.0])
    np.testing.assert_array_equal(np.abs(whole).max(axis=1), [127, 127, 0])
    np.testing.assert_array_equal(whole[0], [50, -127, 0])
    np.testing.assert_array_equal(start, np.rint(bias / worth) - 3 * whole.sum(axis=1))


def test_a_large_bias_makes_the_steps_coarser():
    whole, start, worth = integers(np.array([[1e-12]]), np.array([1.0]), zero=0)
    assert worth == pytest.approx(2.0**-30)
    assert (whole, start) == (0, 2**30)


def test_columns_of_other_sizes_have_steps_of_their_own():
    rows = np.random.default_rng(0).uniform(size=(50, 2)).astype(np.float32)
    W, b = np.ones((1, 2)), np.zeros(1)
    assert byte_inputs(rows, W, b, ByteScale.spanning((0.0, 1.0))).scaling.inverse.ndim == 0
    uneven = rows * np.float32([1, 1e-4])
    own = byte_inputs(uneven, W * [1, 1e4], b, ByteScale.spanning((0.0, 1.0)))
    np.testing.assert_allclose(own.scaling.inverse, 255 / np.ptp(uneven, axis=0), rtol=1e-6)
    np.testing.assert_array_equal(own.scaling.offset, uneven.min(axis=0))
    assert (own.zero, own.rounding.low, own.rounding.high) == (0, 0, 255)
    assert own.error(uneven, uneven @ (W * [1, 1e4]).T) < 0.01


def test_a_layer_s_sums_have_32_bits():
    n = 66_311  # 255·127 n < 2³¹ ≤ 255·127 (n + 1)
    layer = integer_layer(1, np.ones((1, n)), np.zeros(1), zero=0, unit=1.0)
    assert (layer.weight == 127).all()
    assert layer.multiplier == pytest.approx(1 / 127)
    with pytest.raises(ValueError, match="layer 3 has 66,312 inputs, too many for sums of 32 bits"):
        integer_layer(3, np.ones((1, n + 1)), np.zeros(1), zero=0, unit=1.0)
