"""Setting rows aside for validation: each row in one of two parts, by random numbers alone."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.data import split


@pytest.mark.parametrize("n_rows", [2, 3, 230])
@pytest.mark.parametrize("fraction", [0.01, 0.25, 0.5, 0.999])
def test_every_row_is_trained_on_or_held_out(rng, n_rows, fraction):
    training_rows, held_out = split.hold_out(n_rows, fraction, rng)
    both = np.concatenate([training_rows, held_out])
    np.testing.assert_array_equal(np.sort(both), np.arange(n_rows))
    assert len(held_out) == min(max(1, round(fraction * n_rows)), n_rows - 1)
    assert training_rows.dtype == held_out.dtype == np.int64


def test_both_parts_are_ascending(rng):
    for rows in split.hold_out(230, 0.3, rng):
        assert (np.diff(rows) > 0).all()


def test_rows_held_out_are_the_first_of_a_permutation():
    order = np.random.default_rng(5).permutation(230)
    _, held_out = split.hold_out(230, 0.2, np.random.default_rng(5))
    np.testing.assert_array_equal(held_out, np.sort(order[:46]))


def test_the_choice_depends_on_the_random_numbers_alone():
    def training_rows(seed):
        return split.hold_out(230, 0.3, split.validation_stream(seed, 2))[0]

    np.testing.assert_array_equal(training_rows(1), training_rows(1))
    assert not np.array_equal(training_rows(1), training_rows(2))


def test_the_stream_of_a_fit_is_the_child_after_those_of_the_layers():
    """SeedSequence(seed, spawn_key=(n_layers,)), as the documentation says."""
    child = np.random.SeedSequence(7).spawn(4)[3]
    found = split.validation_stream(7, 3).random(5)
    np.testing.assert_array_equal(found, np.random.default_rng(child).random(5))


def test_one_row_cannot_be_divided(rng):
    with pytest.raises(ValueError, match="needs at least 2 examples, got 1"):
        split.hold_out(1, 0.5, rng)


@pytest.mark.parametrize(
    ("fraction", "error"),
    [(0.0, ValueError), (1.0, ValueError), (-1, ValueError), ("0.5", TypeError)],
)
def test_wrong_fractions_are_explained(rng, fraction, error):
    with pytest.raises(error, match="validation_data must be .* or a pair"):
        split.hold_out(10, fraction, rng)
