"""Validation examples are chosen by the documented stream of random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.data import split


@pytest.mark.parametrize(("seed", "sizes"), [(0, (6, 3)), (7, (6, 5, 3)), (7, (6, 5, 4, 3))])
def test_the_stream_is_the_one_after_the_layers(classes, seed, sizes):
    X, y = classes
    order = np.random.default_rng(
        np.random.SeedSequence(seed, spawn_key=(len(sizes) - 1,))
    ).permutation(len(X))
    held_out, training = np.sort(order[:46]), np.sort(order[46:])  # 0.2 · 230
    by_fraction, by_pair = MLP(sizes, seed=seed), MLP(sizes, seed=seed)
    one = by_fraction.fit(X, y, epochs=2, validation_data=0.2, shuffle=False)
    other = by_pair.fit(
        X[training], y[training], epochs=2, validation_data=(X[held_out], y[held_out]),
        shuffle=False,
    )
    assert one.validation_cost == other.validation_cost
    assert one.cost == other.cost
    for a, b in zip(by_fraction.weights, by_pair.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("n_rows", "fraction", "count"),
    [(10, 0.25, 2), (10, 0.35, 4), (10, 0.01, 1), (10, 0.99, 9), (2, 0.5, 1), (3, 0.9, 2)],
)
def test_so_many_examples_are_set_aside(n_rows, fraction, count):
    training, held_out = split.hold_out(n_rows, fraction, np.random.default_rng(0))
    assert len(held_out) == count
    np.testing.assert_array_equal(np.sort([*training, *held_out]), np.arange(n_rows))
    for rows in (training, held_out):
        assert (np.diff(rows) > 0).all()
        assert rows.dtype == np.int64


def test_the_first_of_the_permutation_are_set_aside():
    training, held_out = split.hold_out(9, 1 / 3, np.random.default_rng(5))
    order = np.random.default_rng(5).permutation(9)
    np.testing.assert_array_equal(held_out, np.sort(order[:3]))
    np.testing.assert_array_equal(training, np.sort(order[3:]))


@pytest.mark.parametrize("fraction", [0, 1, 1.5, -0.1, np.nan])
def test_other_fractions_are_refused(fraction):
    with pytest.raises(ValueError, match=r"validation_data must be in \(0, 1\) or a pair"):
        split.hold_out(10, fraction, np.random.default_rng(0))


def test_one_example_cannot_be_split():
    with pytest.raises(ValueError, match="needs at least 2 examples, got 1"):
        split.hold_out(1, 0.5, np.random.default_rng(0))


@pytest.mark.parametrize("count", [0, 1, 229])
def test_the_first_rows_are_the_validation_set(count):
    rows = np.arange(230)
    training_rows, validation_rows = split.hold_out_first(230, count)
    np.testing.assert_array_equal(rows[validation_rows], rows[:count])
    np.testing.assert_array_equal(rows[training_rows], rows[count:])


def test_the_first_rows_are_not_all_rows():
    with pytest.raises(ValueError, match="of 1,797 examples leaves none of the 1,797 to train on"):
        split.hold_out_first(1797, 1797)
