"""Checks of a network's description, and of the batches, rates and factors of its training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastmlp.support.checks import networks

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


class Estimator:
    """Something with the attributes of an estimator."""

    def __init__(self, *names: str) -> None:
        for name in names:
            setattr(self, name, ())


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (3, "got 3$"),
        ("net.npz", "got 'net.npz'; fastmlp.load reads a file$"),
        (Path("net.npz"), "fastmlp.load reads a file$"),
        (Estimator("hidden_layer_sizes"), "; fit it first$"),
        (Estimator("hidden_layer_sizes", "coefs_"), "; fastmlp.export.from_sklearn makes one"),
        (Estimator("hidden_layer_sizes", "coefs_", "network_"), "; pass its network_$"),
        (Estimator("hidden_layer_sizes", "networks_"), "; its networks are in networks_$"),
        (Path, f"got {Path!r}$"),
    ],
)
def test_what_is_no_network_is_named_with_where_the_network_is(value, remedy):
    with pytest.raises(TypeError, match=f"^like must be an MLP, .*{remedy}"):
        raise networks.no_network("like", value)


@pytest.mark.parametrize("value", [(3, 1), [3, 1], np.array([3, 1]), iter((3, 1))])
def test_sizes_of_any_sequence_are_a_tuple(value):
    assert networks.sizes(value) == (3, 1)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (3, TypeError, r"sizes must be a sequence such as"),
        ("31", TypeError, r"sizes must be a sequence such as"),
        ((3,), ValueError, r"needs at least an input and an output size, got \(3,\)"),
        ((3, 0), ValueError, r"sizes\[1\] must be at least 1"),
        ((2, 2**31), ValueError, r"sizes\[1\] must be at most 2147483647, got 2147483648"),
        ((2**31 - 1, 2**30), ValueError, "more than memory can be addressed for"),
        ((2**30, 2**29, 2**30, 2), ValueError, "need 1152921506754330624 weights"),
    ],
)
def test_sizes_that_no_network_can_have_are_refused(value, error, message):
    with pytest.raises(error, match=message):
        networks.sizes(value)


def test_the_largest_sizes_are_taken():
    assert networks.sizes((2**31 - 1, 2)) == (2**31 - 1, 2)
    assert networks.sizes((2**30, 2**30 - 1)) == (2**30, 2**30 - 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, (0,)), ([2, 0, 2], (0, 2)), ({1, 0}, (0, 1)), (range(1, 3), (1, 2)), ((), ())],
)
def test_layer_numbers_ascend_without_duplicates(value, expected):
    assert networks.layer_numbers(value, 3) == expected


@pytest.mark.parametrize("value", [-1, [0, -2]])
def test_layer_numbers_begin_at_0(value):
    with pytest.raises(ValueError, match="layers has -[12], but the network's 3 .* are 0 … 2"):
        networks.layer_numbers(value, 3)


def test_layer_numbers_end_before_the_number_of_layers():
    with pytest.raises(ValueError, match="layers has 3, but the network's 3 .* are 0 … 2"):
        networks.layer_numbers([2, 3], 3)


def test_scales_belong_to_normalized_layers():
    sizes, batch_norm = (5, 4, 3, 2), (False, True)
    assert networks.scales(None, sizes, batch_norm, SINGLE) == [None, None, None]
    first, second, last = networks.scales([None, [1, 2, 3], None], sizes, batch_norm, SINGLE)
    assert first is last is None
    np.testing.assert_array_equal(second, [1, 2, 3])
    assert second.dtype == SINGLE


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([None, None], "scales has 2 entries for 3 layers"),
        ([np.ones(4), None, None], r"scales\[0\] must be None: layer 0 has no batch norm"),
        ([None, np.ones(3), np.ones(2)], r"scales\[2\] must be None: layer 2 has no batch norm"),
        ([None, np.ones(4), None], r"scales\[1\].*\(4,\).*\(3,\)"),
    ],
)
def test_scales_of_other_layers_and_shapes_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        networks.scales(value, (5, 4, 3, 2), (False, True), SINGLE)


@pytest.mark.parametrize(("n_rows", "batch_size"), [(10, 1), (11, 10), (11, 5), (1, 10), (1, 1)])
def test_no_example_is_normalized_alone(n_rows, batch_size):
    networks.normal_batches([False, False], n_rows, batch_size)
    with pytest.raises(ValueError, match="batch norm needs at least 2 examples in each batch"):
        networks.normal_batches([False, True], n_rows, batch_size)


@pytest.mark.parametrize(("n_rows", "batch_size"), [(10, 10), (12, 10), (10, 20), (4, 2)])
def test_two_examples_are_enough_for_batch_norm(n_rows, batch_size):
    networks.normal_batches([True], n_rows, batch_size)


def test_rates_may_be_zero_and_the_greatest_number():
    found = networks.rates(np.array([0, np.finfo(np.float32).max]), 2, SINGLE)
    np.testing.assert_array_equal(found, [0, np.finfo(np.float32).max])
    assert networks.rates(np.empty(0), 0, SINGLE).shape == (0,)
    assert networks.rates(np.array([0.5, 1e300]), 2, DOUBLE)[1] == 1e300


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([0.1, -0.1], "the schedule of x returned a rate that is negative, infinite or NaN"),
        ([0.1, np.inf], "negative, infinite or NaN"),
        ([np.nan, 0.1], "negative, infinite or NaN"),
        ([1e300, 0.1], r"returned the rate 1e\+300, which is inf in a float32 network"),
        ([0.1], r"the schedule of x returned shape \(1,\) for 2 steps; expected \(2,\)"),
        ([[0.1, 0.1]], r"returned shape \(1, 2\) for 2 steps"),
    ],
)
def test_wrong_rates_are_explained(found, message):
    with pytest.raises(ValueError, match=message):
        networks.rates(np.array(found), 2, SINGLE, " of x")


def test_factors_are_from_0_to_1():
    np.testing.assert_array_equal(networks.factors(np.array([0, 0.5, 1]), 3, ""), [0, 0.5, 1])
    for wrong in (-0.5, 1.5, np.nan):
        with pytest.raises(ValueError, match=f"the schedule of x returned {wrong:g}; expected"):
            networks.factors(np.array([0.5, wrong, 7.0]), 3, " of x")
