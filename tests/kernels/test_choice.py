"""The faster way of a product is found by its own times, and no interruption misleads it."""

import numpy as np
import pytest

TRIAL = 3  # batches of a trial
N = 5000


def times(dense: float, skipping: float, n: int = N) -> np.ndarray:
    return np.tile([dense, skipping], (n, 1)).astype(np.float64)


def share(ways: list[bool]) -> float:
    """The share of the batches that skip zeros."""
    return sum(ways) / len(ways)


def test_each_way_is_tried_first(operations):
    ways = operations.choices(times(2, 1, 2 * TRIAL))
    assert ways == [True] * TRIAL + [False] * TRIAL


@pytest.mark.parametrize("factor", [1.05, 1.5, 4.0, 100.0])
def test_the_faster_way_is_taken_and_trials_cost_little(operations, factor):
    for dense, skipping in ((factor, 1.0), (1.0, factor)):
        ways = operations.choices(times(dense, skipping))[2 * TRIAL :]
        slower = [way == (skipping > dense) for way in ways]
        assert sum(slower) * (factor - 1) / len(ways) < 0.01
        assert not slower[0]


def test_the_slower_way_is_tried_again(operations):
    seconds = times(1, 1.1)
    seconds[N // 2 :, 1] = 0.5
    ways = operations.choices(seconds)
    assert share(ways[TRIAL : N // 2]) < 0.1
    assert share(ways[-N // 4 :]) > 0.9


def test_one_interruption_changes_nothing(operations):
    seconds = times(1, 2)
    expected = operations.choices(seconds)
    seconds[100, 0] = 1000
    assert operations.choices(seconds) == expected


def test_a_slower_machine_does_not_hold_on_to_the_worse_way(operations):
    """All times triple, so that what was measured of the other way is out of date."""
    seconds = times(1, 1.5)
    seconds[N // 2 :] *= 3
    assert share(operations.choices(seconds)[-N // 4 :]) < 0.1


@pytest.mark.parametrize("length", [5, 10, 20, 40, 100])
def test_the_better_way_is_taken_again_soon_after_a_disturbance(operations, length):
    """All batches of a while take half as long again, whichever way was taken when it began."""
    seconds = times(1, 1.1)
    seconds[N // 2 : N // 2 + length] *= 1.5
    after = operations.choices(seconds)[N // 2 + length :]
    assert share(after[:60]) < 0.3
