"""Shares of threads that are not equally fast: found by their times, and by nothing else."""

import numpy as np
import pytest

WINDOW, WINDOWS = 12, 6  # batches of a window, windows that have to agree
ROUND = (WINDOW + 1) * WINDOWS + 3
WHOLE = 1 << 16


def slowness(*threads: float, n: int = 4 * ROUND) -> np.ndarray:
    """Seconds that each thread would take for a whole batch, the same in n batches."""
    return np.tile(np.array(threads, np.float64), (n, 1))


@pytest.fixture
def shares(operations):
    return operations.shares


@pytest.mark.parametrize("speeds", [(1, 2), (2, 1), (1, 1.5), (2, 2, 1, 1), (1,) * 7 + (0.5,)])
def test_shares_become_proportional_to_speed(shares, speeds):
    found = shares(slowness(*(1 / v for v in speeds)))
    assert found[0] == pytest.approx(np.full(len(speeds), 1 / len(speeds)))
    assert found[-1] == pytest.approx(np.array(speeds) / sum(speeds), rel=0.02)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(found)), abs=1e-12)


def test_they_change_when_six_windows_agree_and_not_before(shares):
    found = shares(slowness(1, 2))
    changes = np.flatnonzero(np.diff(found[:, 0]))
    assert WINDOW * WINDOWS <= changes[0] + 1 <= ROUND


def test_equal_parts_are_exactly_equal_again(shares):
    """Not shares of 65,536, which three do not divide."""
    found = shares(np.vstack([slowness(1, 1, 2), slowness(1, 1, 1)]))
    assert len(set(found[4 * ROUND - 1])) > 1
    assert found[-1].tolist() == [1 / 3] * 3


@pytest.mark.parametrize("slow", [1.0, 1.1, 1.3])
def test_threads_that_differ_little_have_equal_parts(shares, slow):
    assert (shares(slowness(1, slow)) == 0.5).all()


def test_interruptions_are_no_finding(shares, rng):
    """A thread takes ten times as long in most batches, but not in all of a window."""
    seconds = slowness(1, 1, n=20 * ROUND)
    seconds[np.arange(len(seconds)) % WINDOW != 5, 1] = 10
    assert (shares(seconds) == 0.5).all()


@pytest.mark.parametrize("period", [WINDOW, 2 * WINDOW, 4 * WINDOW])
def test_cores_that_are_slow_by_turns_keep_equal_parts(shares, period):
    seconds = slowness(1, 1, n=20 * ROUND)
    first = np.arange(len(seconds)) // period % 2 == 0
    seconds[first, 0] = seconds[~first, 1] = 2
    assert (shares(seconds) == 0.5).all()


def test_the_smallest_of_the_differences_counts(shares):
    """One window in six with threads less unequal: by its speeds the shares change."""
    seconds = slowness(1, 3, n=ROUND)
    seconds[2 * WINDOW + 2 : 4 * WINDOW, 1] = 1.8
    assert shares(seconds)[-1] == pytest.approx([1.8 / 2.8, 1 / 2.8], rel=0.02)


def test_they_follow_a_change_and_return_to_equal_parts(shares):
    found = shares(np.vstack([slowness(1, 2), slowness(2, 1), slowness(1, 1)]))
    ends = found[[4 * ROUND - 1, 8 * ROUND - 1, -1], 0]
    assert ends == pytest.approx([2 / 3, 1 / 3, 0.5], rel=0.02)
    assert found[-1].tolist() == [0.5, 0.5]


def test_a_window_lasts_ten_milliseconds_at_least(shares):
    """Steps of 20 µs: another process that takes a core for 4 ms is no finding."""
    seconds = slowness(20e-6, 20e-6, n=30_000)
    seconds[np.arange(len(seconds)) // 200 % 3 == 0, 1] *= 5
    assert (shares(seconds) == 0.5).all()


@pytest.mark.parametrize("speeds", [(1, 100), (1, 1, 1, 30), (1e-9, 1), (1e-6,) + (1,) * 15])
def test_no_share_leaves_its_limits(shares, speeds):
    found = shares(slowness(*(1 / v for v in speeds), n=20 * ROUND)) * len(speeds)
    assert found.min() > 0.199
    assert found.max() < 1.601
    assert found[-1, np.argmax(speeds)] > 1


def test_times_of_zero_do_no_harm(shares):
    assert np.isfinite(shares(slowness(0, 0))).all()
    assert np.isfinite(shares(slowness(0, 1))).all()


def cuts(rng: np.random.Generator, n_parts: int) -> np.ndarray:
    """Where the parts of threads begin: equal shares moved toward random ones, to the limits."""
    off = rng.dirichlet(np.full(n_parts, rng.choice([0.1, 1, 10]))) * n_parts - 1
    off *= min(1, 0.6 / off.max(), 0.8 / -off.min()) if n_parts > 1 else 0
    starts = np.concatenate([[0], np.cumsum((1 + off) / n_parts)])
    starts[-1] = 1
    return np.minimum(starts * WHOLE, WHOLE).astype(np.intc)


@pytest.mark.parametrize("n_parts", [1, 2, 3, 4, 7, 16, 64])
def test_no_shares_need_more_memory_than_is_reserved(operations, rng, n_parts):
    for n in (1, 10, 16, 33, 64, 100, 128, 256, 300, 513, 1000, 4096):
        for n_terms in (0, 1, 28, 784):
            for _ in range(20):
                used, reserved = operations.groups(n, n_terms, 7, cuts(rng, n_parts))
                assert used <= reserved, (n, n_terms)


@pytest.mark.parametrize("n_parts", [2, 3, 5])
@pytest.mark.parametrize("way", ["dense", "skipping", "sparse", "bytes"])
def test_unequal_parts_are_the_whole_and_no_element_is_in_two(operations, build, rng, way, n_parts):
    a = rng.integers(0, 3, (29, 40)).astype(build.dtype)
    W = rng.normal(size=(150, 40)).astype(build.dtype)
    b = rng.normal(size=150).astype(build.dtype)
    whole = operations.forward(a, W, b, way)
    for _ in range(5):
        starts = cuts(rng, n_parts)
        parts = [operations.forward(a, W, b, way, t, n_parts, starts) for t in range(n_parts)]
        assert ((np.array(parts) != 0).sum(axis=0) <= 1).all()
        assert np.sum(parts, axis=0).tobytes() == whole.tobytes()
