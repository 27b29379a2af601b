"""Checks of labels, values and probabilities, one entry or row for each example."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.support.checks import targets

SINGLE = np.dtype(np.float32)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, np.float64, np.bool_])
def test_labels_of_any_kind_become_int32(dtype):
    y = np.array([0, 1, 1], dtype)
    found = targets.labels("y", y, 3, 2)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, [0, 1, 1])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1], "y has 2 entries for 3 examples in X"),
        (1, "y has no entries for 3 examples in X"),
        ([[0], [1], [2]], r"shape \(3, 1\); expected .* \(3, 4\); give y.ravel\(\)$"),
        ([[0, 1], [1, 2], [2, 0]], r"shape \(3, 2\); expected .* probabilities \(3, 4\)$"),
        ([0, 1.5, 2.5], r"must hold whole labels, but y\[1\] is 1.5"),
        ([0, np.nan, 2], r"y\[1\] is nan"),
        ([0, 1, 4], r"labels from 0 to 3, one for each output, but y\[2\] is 4$"),
        ([0, -1, 5], r"but y\[1\] is -1$"),
        ([0, -1, 3], r"but y\[1\] is -1$"),
        ([1, 4, 2], r"but y\[1\] is 4; give y - 1$"),
        ([2, 4, 2], r"but y\[1\] is 4$"),
        ([1, 5, 2], r"but y\[1\] is 5$"),
    ],
)
def test_wrong_labels_are_explained(y, message):
    with pytest.raises(ValueError, match=message):
        targets.labels("y", np.array(y), 3, 4)


def test_values_have_a_column_for_each_output():
    found = targets.values("y", [1, 2, 3], 3, 1, SINGLE)
    assert (found.shape, found.dtype) == ((3, 1), SINGLE)
    assert targets.values("y", np.ones((3, 2)), 3, 2, SINGLE).shape == (3, 2)
    for y in (np.ones(3), np.ones((3, 1)), np.ones((3, 2, 1))):
        with pytest.raises(ValueError, match=r"expected \(3, 2\), a value for each output"):
            targets.values("y", y, 3, 2, SINGLE)


def test_labels_in_place_of_values_lead_to_the_cross_entropy():
    with pytest.raises(ValueError, match=r"\(3, 2\), .*; for labels of classes take"):
        targets.values("y", [0, 1, 1], 3, 2, SINGLE)
    with pytest.raises(ValueError, match="a value for each output$"):
        targets.values("y", [0.5, 1, 1], 3, 2, SINGLE)


def test_values_may_be_the_ends_of_their_interval():
    y = [[-1.0, 2.0], [0.0, 0.5]]
    np.testing.assert_array_equal(targets.values("y", y, 2, 2, SINGLE, (-1, 2)), y)


@pytest.mark.parametrize(
    ("y", "place"),
    [
        ([[0, 1], [2.5, 0]], "[1, 0] is 2.5"),
        ([[0, -1.5], [2.5, 0]], "[0, 1] is -1.5"),
        ([[2, 0], [-1, -1.25]], "[1, 1] is -1.25"),
        ([[0, 2.5], [0, 0]], "[0, 1] is 2.5"),
    ],
)
def test_the_first_value_outside_an_interval_is_named(y, place):
    with pytest.raises(ValueError) as caught:
        targets.values("y", y, 2, 2, SINGLE, (-1, 2))
    assert str(caught.value) == f"y must be from -1 to 2, but y{place}"


def test_probabilities_are_rows_with_sum_1():
    y = np.array([[0.5, 0.5], [1, 0], [0.2504, 0.75]])
    assert targets.distributions("y", y, 3, 2, SINGLE).shape == (3, 2)
    y[1] = 0.6, 0.5
    with pytest.raises(ValueError, match=r"each row with sum 1, but y\[1\] has sum 1.1$"):
        targets.distributions("y", y, 3, 2, SINGLE)
    y[0] = 0.5, 0.49
    with pytest.raises(ValueError, match=r"but y\[0\] has sum 0.99$"):
        targets.distributions("y", y, 3, 2, SINGLE)
    with pytest.raises(ValueError, match=r"y must be from 0 to 1, but y\[0, 1\] is -0.5"):
        targets.distributions("y", [[1.0, -0.5], [0.5, 0.5]], 2, 2, SINGLE)


def test_sample_weights_that_would_vanish_are_named():
    tiny = float(np.finfo(np.float32).smallest_normal)
    np.testing.assert_array_equal(
        targets.sample_weight([0, tiny, 1], 3, SINGLE), np.array([0, tiny, 1], np.float32)
    )
    with pytest.raises(ValueError, match=r"sample_weight\[1\] is 1e-40, which is 0 in a float32"):
        targets.sample_weight([1, 1e-40, 1e-41], 3, SINGLE)
    with pytest.raises(ValueError, match="sample_weight is zero for every example"):
        targets.sample_weight([0, 0], 2, SINGLE)
    assert not targets.sample_weight([0, 0], 2, SINGLE, part=True).any()
