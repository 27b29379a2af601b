"""Rounding to bfloat16, by the arithmetic of fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmlp.distributed.bfloat16 import rounded, widened


def value(number):
    found = widened(rounded(np.array([number], np.float32)))
    assert found.dtype == np.float32
    return float(found[0])


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_nearest_is_taken_and_of_two_the_even_one(number):
    if abs(number) > 3e38:  # beyond the largest bfloat16 is infinity
        return
    code = int(rounded(np.array([number], np.float32))[0])
    neighbours = [code, code + 1] if code & 0x7FFF == 0 else [code - 1, code, code + 1]
    values = widened(np.array(neighbours, np.uint16)).astype(float)
    distances = {
        c: abs(Fraction(v) - Fraction(number)) for c, v in zip(neighbours, values, strict=True)
    }
    least = min(distances.values())
    nearest = [c for c, distance in distances.items() if distance == least]
    assert code in nearest
    assert len(nearest) == 1 or code % 2 == 0


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, 0.0),
        (1.0, 1.0),
        (1 + 2**-8, 1.0),  # between 1 and 1 + 2⁻⁷, whose last bit is odd
        (1 + 3 * 2**-8, 1 + 2**-6),
        (1 + 2**-8 + 2**-20, 1 + 2**-7),
        (-3.141592653589793, -3.140625),
        (np.inf, np.inf),
        (-np.inf, -np.inf),
        (3.4e38, np.inf),
    ],
)
def test_known_values(number, expected):
    assert value(number) == expected


def test_the_sign_of_zero_stays():
    assert np.signbit(value(-0.0))


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF])
def test_nan_stays_nan(bits):
    assert np.isnan(widened(rounded(np.array([bits], np.uint32).view(np.float32)))).all()


def test_numbers_beyond_float32_become_infinite():
    assert widened(rounded(np.array([1e300, -1e300]))).tolist() == [np.inf, -np.inf]


def test_every_block_of_a_long_array_is_rounded():
    numbers = np.linspace(-2, 2, 40_001)
    ours = widened(rounded(numbers))
    assert np.abs(ours - numbers).max() <= 2.0**-8
    assert np.array_equal(widened(rounded(ours)), ours)
