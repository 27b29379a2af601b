"""The rows of each rank in each batch."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from fastmlp.distributed.shares import places, starts

COUNTS = [(1,), (6, 6), (5, 3, 9), (1, 40), (7, 1, 1, 1), (3, 50, 2), (100, 33, 71)]
every_count = pytest.mark.parametrize("counts", COUNTS, ids=str)


@every_count
def test_rows_are_spread_evenly(counts):
    """The order is that of (i + ½)/n, the lower rank first, by a sort of exact fractions."""
    keys = sorted(
        (Fraction(2 * i + 1, 2 * n), rank, i) for rank, n in enumerate(counts) for i in range(n)
    )
    for rank in range(len(counts)):
        expected = [place for place, key in enumerate(keys) if key[1] == rank]
        assert places(counts, rank).tolist() == expected


@every_count
@pytest.mark.parametrize("batch_size", [1, 2, 5, 16, 1000])
def test_every_batch_but_the_last_is_whole(counts, batch_size):
    found = [np.diff(starts(counts, rank, batch_size)) for rank in range(len(counts))]
    sizes = np.sum(found, axis=0)
    assert [sum(one) for one in found] == list(counts)
    assert (sizes[:-1] == batch_size).all() and 0 < sizes[-1] <= batch_size


@pytest.mark.parametrize("n_ranks", [2, 3, 4])
def test_equal_shards_add_equal_numbers_of_rows_to_a_batch(n_ranks):
    for rank in range(n_ranks):
        found = starts([30] * n_ranks, rank, 6 * n_ranks)
        assert found.tolist() == [0, 6, 12, 18, 24, 30]


@every_count
def test_a_rank_has_about_its_proportion_of_each_batch(counts):
    batch_size = 10
    for rank, n in enumerate(counts):
        sizes = np.diff(starts(counts, rank, batch_size))[:-1]
        assert (np.abs(sizes - batch_size * n / sum(counts)) < len(counts) + 1e-9).all()
