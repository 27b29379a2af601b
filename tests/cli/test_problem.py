"""The rows of a table: which are trained on, and which are the validation set."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.cli.problem import split


@pytest.mark.parametrize(("fraction", "count"), [(0.2, 12), (0.21, 13), (0.001, 1), (0.999, 59)])
def test_a_fraction_is_rounded_and_leaves_neither_part_empty(fraction: float, count: int) -> None:
    training, validation = split(60, fraction, seed=3)
    assert len(validation) == count
    np.testing.assert_array_equal(np.sort([*training, *validation]), np.arange(60))
    np.testing.assert_array_equal(
        validation, np.sort(np.random.default_rng(3).permutation(60)[:count])
    )


def test_without_validation_all_rows_are_trained_on() -> None:
    training, validation = split(60, 0.0, seed=3)
    np.testing.assert_array_equal(training, np.arange(60))
    assert len(validation) == 0


def test_a_single_row_cannot_be_divided() -> None:
    with pytest.raises(ValueError, match="needs at least 2 examples, got 1"):
        split(1, 0.2, seed=0)
