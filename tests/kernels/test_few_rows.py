"""One thread or several pass a few rows, whichever is faster by its times just now."""

import numpy as np
import pytest

ALONE_CALLS = 12  # to measure one thread
N = 40_000
ALONE, LATE = 20e-6, 4e-3  # seconds of a call of one thread, and of one whose second thread is late


def times(together: float, n: int = N) -> np.ndarray:
    return np.tile([ALONE, together], (n, 1))


def cost(seconds: np.ndarray, ways: list[bool]) -> float:
    """The time of all calls, by that of the better way throughout."""
    return float(seconds[np.arange(len(ways)), np.array(ways, int)].sum() / seconds.sum(0).min())


def test_one_thread_is_measured_first(operations):
    ways = operations.team_choices(times(13e-6, 20))
    assert ways == [False] * ALONE_CALLS + [True] * (20 - ALONE_CALLS)


@pytest.mark.parametrize("factor", [0.2, 0.6, 0.95, 1.05, 1.5, 4.0, 100.0])
def test_the_faster_way_is_taken_and_trials_cost_little(operations, factor):
    seconds = times(factor * ALONE)
    assert cost(seconds, operations.team_choices(seconds)) < 1.05


def test_an_interruption_now_and_then_changes_nothing(operations):
    """A late thread in one of 2500 calls costs less than one thread in all of them."""
    seconds = times(13e-6)
    expected = operations.team_choices(seconds)
    seconds[2000::2500, 1] = LATE
    assert operations.team_choices(seconds) == expected


def test_one_thread_is_measured_again_soon_after_a_cold_start(operations):
    """Its first calls take three times as long as later ones, and several threads twice as long."""
    seconds = times(2 * ALONE)
    seconds[:100, 0] = 3 * ALONE
    ways = operations.team_choices(seconds)
    assert cost(seconds, ways) < 1.05


@pytest.mark.parametrize("stopped", [(0.5, 0.3), (0.3, 0.3), (0.5, 0.9)])
def test_the_mean_decides_where_a_host_stops_the_cores_every_few_calls(operations, stopped):
    """Calls of one thread and of several, some of which take twice as long and more."""
    rng = np.random.default_rng(0)
    seconds = np.where(rng.random((N, 2)) < stopped, (27e-6, 24e-6), (12.5e-6, 13e-6))
    assert cost(seconds, operations.team_choices(seconds)) < 1.03


@pytest.mark.parametrize("every", [1, 2, 20, 200, 400])
def test_a_crowded_machine_has_one_thread(operations, every):
    """Late threads so often that one thread is faster on the whole."""
    seconds = times(13e-6)
    seconds[::every, 1] = LATE
    ways = operations.team_choices(seconds)
    assert cost(seconds, ways) < 1.08
    assert sum(ways) < 0.35 * N


@pytest.mark.parametrize("rate", [1e-4, 1e-3, 2e-3, 1e-2, 0.1])
@pytest.mark.parametrize("late", [1e-3, 4e-3, 8e-3], ids=lambda late: f"{1000 * late:g} ms")
def test_late_threads_at_random_cost_little(operations, late, rate):
    seconds = times(13e-6)
    seconds[np.random.default_rng(0).random(N) < rate, 1] = late
    assert cost(seconds, operations.team_choices(seconds)) < 1.1


def test_several_threads_return_soon_when_the_machine_is_calm_again(operations):
    """After a second of late threads in at most as many calls as two tenths of a second take."""
    crowded, calm = int(1 / ALONE), int(0.2 / ALONE)
    seconds = times(13e-6, crowded + calm + 1000)
    seconds[:crowded, 1] = LATE
    ways = operations.team_choices(seconds)
    assert sum(ways[:crowded]) < 0.001 * crowded
    assert all(ways[-1000:])


def test_one_thread_is_taken_when_it_has_become_faster(operations):
    seconds = times(13e-6)
    seconds[N // 2 :, 0] = 8e-6
    assert sum(operations.team_choices(seconds)[-N // 4 :]) < 0.1 * N
