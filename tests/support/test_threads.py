"""How many threads are used, and that a forked process uses one."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import fastmlp
from fastmlp.support import threads


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", None)
    monkeypatch.setattr(threads, "_omp_before", threads.kernels.omp_threads())
    monkeypatch.setattr(threads, "processor_quota", lambda: float("inf"))


def test_chosen_number_is_used():
    fastmlp.set_num_threads(3)
    assert fastmlp.get_num_threads() == 3


@pytest.mark.parametrize(
    ("value", "expected"), [("1", 1), ("3", 3), (" 4 , 2", 4), ("100000", 512)]
)
def test_environment_chooses_otherwise(monkeypatch, value, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert fastmlp.get_num_threads() == expected
    fastmlp.set_num_threads(2)
    assert fastmlp.get_num_threads() == 2


def test_a_limit_set_later_holds_and_one_in_force_at_the_choice_does_not(monkeypatch):
    """PyTorch sets one when it is imported, which may be before or after the choice."""
    limit = 4
    monkeypatch.setattr(threads.kernels, "omp_threads", lambda: limit)
    monkeypatch.setattr(threads, "_omp_before", 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert fastmlp.get_num_threads() == 8
    limit = 2
    assert fastmlp.get_num_threads() == 2
    fastmlp.set_num_threads(3)
    assert fastmlp.get_num_threads() == 3
    limit = 1
    assert fastmlp.get_num_threads() == 1
    limit = 2
    assert fastmlp.get_num_threads() == 3


def test_threadpoolctl_limits_what_was_chosen_before():
    controller = pytest.importorskip("threadpoolctl").ThreadpoolController()
    if not controller.select(user_api="openmp").info():
        pytest.skip("fastmlp was built without OpenMP")
    with controller.limit(limits=4, user_api="openmp"):  # also where there is one processor
        fastmlp.set_num_threads(3)
        with controller.limit(limits=1, user_api="openmp"):
            assert fastmlp.get_num_threads() == 1
            assert threads.for_pass((784, 256, 256, 10), 10_000) == 1
        assert fastmlp.get_num_threads() == 3


@pytest.mark.parametrize("value", [None, "", "0", "-1", "many"])
def test_processors_of_the_process_are_the_default(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert fastmlp.get_num_threads() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert fastmlp.get_num_threads() == 7


def test_processors_are_looked_up_once_for_work_that_follows_at_once(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(threads, "perf_counter", lambda: now[0])
    monkeypatch.setattr(threads, "_default_lately", (1, -1.0))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert threads.for_pass((784, 256, 256, 10), 1) == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    now[0] += threads.LOOKED_UP / 2
    assert threads.for_pass((784, 256, 256, 10), 1) == 2 < fastmlp.get_num_threads()
    now[0] += threads.LOOKED_UP
    assert threads.for_pass((784, 256, 256, 10), 1) == 3


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "n_threads must be at least 1"),
        (-2, ValueError, "n_threads must be at least 1"),
        (513, ValueError, "n_threads must be at most 512"),
        (1.5, TypeError, "n_threads must be a whole number"),
        (None, TypeError, "n_threads must be a whole number"),
    ],
)
def test_wrong_numbers_are_refused(value, error, message):
    with pytest.raises(error, match=message):
        fastmlp.set_num_threads(value)


def test_the_greatest_number_is_that_of_the_message():
    fastmlp.set_num_threads(512)
    assert threads._chosen == 512


def test_small_work_runs_on_one_thread():
    fastmlp.set_num_threads(4)
    assert threads.for_step((8, 16, 16, 2), 16) == 1
    assert threads.for_step((784, 256, 256, 10), 100) == 4
    assert threads.for_pass((784, 128, 10), 1) == 1 < threads.for_pass((784, 256, 256, 10), 1)
    assert threads.for_pass((784, 128, 10), 8) == 1
    assert threads.for_gradients((10, 100, 1), 442) == 1 < threads.for_step((10, 100, 1), 442)
    assert threads.for_gradients((784, 256, 256, 10), 100) == 4
    assert threads.for_pass((784, 256, 256, 10), 10_000) == 4


def test_cap_of_a_call_only_lowers_the_number():
    fastmlp.set_num_threads(4)
    assert threads.for_step((784, 256, 256, 10), 100, cap=2) == 2
    assert threads.for_step((784, 256, 256, 10), 100, cap=8) == 4


def test_config_is_shown(capsys):
    fastmlp.set_num_threads(3)
    fastmlp.show_config()
    shown = capsys.readouterr().out
    assert fastmlp.kernels.isa in shown
    assert "OpenMP" in shown
    assert shown.endswith("threads          3\n")


FORK = """
import os, numpy as np, fastmlp
X, y = np.random.default_rng(0).normal(size=(500, 64)), np.arange(500) % 10
def train():
    net = fastmlp.MLP((64, 128, 10))
    return net.fit(X, y, epochs=2).cost
fastmlp.set_num_threads(2)
expected = train()                      # the OpenMP threads are there now
child = os.fork()
if child == 0:
    os._exit(0 if fastmlp.get_num_threads() == 1 and train() == expected else 1)
_, status = os.waitpid(child, 0)
assert fastmlp.get_num_threads() == 2
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_process_trains_on_one_thread_with_the_same_result():
    # in a fresh interpreter: this one may hold threads of other libraries
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    assert subprocess.run(command, timeout=120, check=False).returncode == 0


def test_a_process_made_by_fork_has_one_thread_for_all_work(monkeypatch):
    monkeypatch.setattr(threads, "_forked", False)
    fastmlp.set_num_threads(4)
    threads._after_fork()
    assert fastmlp.get_num_threads() == 1
    assert threads.for_step((784, 256, 256, 10), 100) == 1
    assert threads.AdaptiveTeam().size(4) == 1


class TestAdaptiveTeam:
    """Slices of training: (seconds a batch, part slept) reported one after the other."""

    SLEEPS = 2 * threads.MOST_SLEPT

    @staticmethod
    def sizes(slices, n_threads=2):
        """Threads of each slice, given what all threads and one thread would report of it."""
        team, found = threads.AdaptiveTeam(), []
        for together, alone in slices:
            found.append(team.size(n_threads))
            team.report(*(alone if found[-1] == 1 else together))
        return found

    def test_a_calm_machine_keeps_all_threads(self):
        assert self.sizes([((1.0, 0), (2.0, 0))] * 50) == [2] * 50

    def test_one_slice_in_which_threads_slept_is_no_reason_to_try_one_thread(self):
        disturbed, calm = ((9.0, self.SLEEPS), (2.0, 0)), ((1.0, 0), (2.0, 0))
        few = [disturbed] * (threads.CROWDED_SLICES - 1) + [calm]
        assert self.sizes(few * 10) == [2] * 10 * len(few)

    def test_every_other_slice_in_which_threads_slept_is_none_either(self):
        disturbed, calm = ((9.0, self.SLEEPS), (2.0, 0)), ((1.0, 0), (2.0, 0))
        assert self.sizes([disturbed, calm] * 10) == [2] * 20

    def test_one_thread_goes_on_where_it_is_faster_and_the_others_are_tried_again(self):
        first, second = threads.FIRST_PAUSE + 1, 2 * threads.FIRST_PAUSE + 1
        expected = [*[2] * threads.CROWDED_SLICES, *[1] * first, 2, *[1] * second, 2]
        assert self.sizes([((3.0, self.SLEEPS), (2.0, 0))] * len(expected)) == expected

    def test_all_threads_go_on_where_one_is_slower_though_they_sleep(self):
        found = self.sizes([((1.0, self.SLEEPS), (2.0, 0))] * 40)
        assert found.count(1) == 2 and found[threads.CROWDED_SLICES] == 1

    def test_one_thread_must_be_faster_than_the_fastest_of_the_crowded_slices(self):
        slices = [((1.0, self.SLEEPS), (2.0, 0))] + [((9.0, self.SLEEPS), (2.0, 0))] * 9
        found = self.sizes(slices)
        assert found == [2] * threads.CROWDED_SLICES + [1] + [2] * (9 - threads.CROWDED_SLICES)

    def test_all_threads_return_when_the_machine_is_calm_again(self):
        crowded, calm = ((3.0, self.SLEEPS), (2.0, 0)), ((1.0, 0), (2.0, 0))
        found = self.sizes([crowded] * (threads.CROWDED_SLICES + 1) + [calm] * 40)
        assert found[threads.CROWDED_SLICES] == 1 and found[-20:] == [2] * 20


class TestSizesOfATeam:
    """A team of more than two threads on fewer cores: seconds a batch, by the team's size."""

    @staticmethod
    def sizes(seconds, n_threads, n_slices, slept=2 * threads.MOST_SLEPT):
        """Sizes of the slices of a training whose larger teams sleep so much of the time."""
        team, found = threads.AdaptiveTeam(), []
        for _ in range(n_slices):
            found.append(team.size(n_threads))
            team.report(seconds(found[-1]), slept)
        return found

    @pytest.mark.parametrize(
        ("n_threads", "expected"),
        [
            (2, [1]),
            (3, [2, 1]),
            (4, [3, 2, 1]),
            (6, [5, 3, 1]),
            (8, [7, 4, 2, 1]),
            (512, [511, *(2**k for k in range(8, -1, -1))]),
        ],
    )
    def test_one_thread_less_and_halves_are_tried(self, n_threads, expected):
        assert threads.smaller_sizes(n_threads) == expected

    @pytest.mark.parametrize("best", [7, 4, 2, 1])
    def test_the_fastest_size_goes_on_and_all_threads_are_tried_again(self, best):
        crowded, trials = [8] * threads.CROWDED_SLICES, [7, 4, 2, 1]
        first, second = [best] * threads.FIRST_PAUSE, [best] * 2 * threads.FIRST_PAUSE
        expected = [*crowded, *trials, *first, 8, *trials, *second, 8]
        found = self.sizes(lambda n: 1.0 if n == best else 2.0, 8, len(expected))
        assert found == expected

    def test_all_threads_go_on_where_no_other_size_is_faster(self):
        tried = [*[8] * threads.CROWDED_SLICES, 7, 4, 2, 1]
        expected = tried + [8] * 2 * threads.FIRST_PAUSE + tried
        assert self.sizes(lambda n: 1 / n, 8, len(expected)) == expected

    def test_of_equally_fast_sizes_the_smaller_team_goes_on(self):
        found = self.sizes(lambda n: 1.0, 2, threads.CROWDED_SLICES + 2)
        assert found == [*[2] * threads.CROWDED_SLICES, 1, 1]

    def test_fewer_threads_are_given_up_when_they_become_slower_than_all_were(self):
        team = threads.AdaptiveTeam()
        for seconds in [3.0] * threads.CROWDED_SLICES + [2.0, 1.0]:  # 3, 3, 2 and 1 threads
            team.size(3)
            team.report(seconds, 2 * threads.MOST_SLEPT)
        assert team.size(3) == 1
        team.report(3.5, 0)
        assert team.size(3) == 3

    def test_a_cap_below_the_fastest_size_holds(self):
        team = threads.AdaptiveTeam()
        for seconds in [3.0] * threads.CROWDED_SLICES + [1.0, 2.0, 2.0, 2.0]:
            team.size(8)
            team.report(seconds, 2 * threads.MOST_SLEPT)
        assert (team.size(8), team.size(3)) == (7, 3)

    def calm(self, seconds, n_threads, n_slices):
        return self.sizes(seconds, n_threads, n_slices, slept=0)

    @pytest.mark.parametrize("n_threads", [2, 3])
    def test_of_two_or_three_threads_that_do_not_sleep_none_is_left_out(self, n_threads):
        assert self.calm(lambda n: n, n_threads, 99) == [n_threads] * 99

    def test_halves_are_tried_as_long_as_each_is_faster(self):
        times = {8: 1.0, 4: 0.8, 2: 0.7, 1: 0.9}
        first, second = [2] * threads.FIRST_PAUSE, [2] * 2 * threads.FIRST_PAUSE
        expected = [*[8] * threads.CALM_SLICES, 4, 2, 1, *first, 8, 4, 2, 1, *second, 8]
        assert self.calm(times.__getitem__, 8, len(expected)) == expected

    def test_where_half_is_slower_it_is_tried_more_and_more_rarely(self):
        found = self.calm(lambda n: 1 / n, 16, 1000)
        tried = np.flatnonzero(np.array(found) != 16)
        assert set(found) == {16, 8}
        assert tried[0] == threads.CALM_SLICES
        assert np.diff(tried)[:3].tolist() == [
            1 + threads.CALM_SLICES + k * threads.FIRST_PAUSE for k in (2, 4, 8)
        ]
        assert sum(1 / n for n in found) < 1.02 * 1000 / 16

    def test_a_crowd_that_comes_later_is_seen_at_once(self):
        team = threads.AdaptiveTeam()
        for _ in range(threads.CALM_SLICES - 1):
            team.size(8)
            team.report(1.0, 0)
        found = []
        for _ in range(threads.CROWDED_SLICES + 4):
            found.append(team.size(8))
            team.report(9.0, 2 * threads.MOST_SLEPT)
        assert found == [8] * threads.CROWDED_SLICES + [7, 4, 2, 1]

    def test_of_a_calm_machine_no_further_half_is_tried_where_one_is_as_fast(self):
        found = self.sizes(lambda n: 1.0, 8, threads.CALM_SLICES + 2, slept=0)
        assert found == [*[8] * threads.CALM_SLICES, 4, 4]

    def test_one_thread_never_has_another_size(self):
        assert self.sizes(lambda n: 1.0, 1, 20) == [1] * 20


@pytest.mark.parametrize(
    ("threads_of", "n_rows", "expected"),
    [
        (threads.for_step, 333_333, 1),  # 6 operations a weight and row, from 2,000,000 on
        (threads.for_step, 333_334, 2),
        (threads.for_gradients, 666_666, 1),  # the same, from 4,000,000 on
        (threads.for_gradients, 666_667, 2),
        (threads.for_pass, 1_999_999, 1),  # 2 operations, from 4,000,000 on
        (threads.for_pass, 2_000_000, 2),
    ],
)
def test_work_of_enough_operations_is_shared(monkeypatch, threads_of, n_rows, expected):
    monkeypatch.setattr(threads, "_chosen", 2)
    monkeypatch.setattr(threads, "_omp_before", 0)  # no limit was set since
    assert threads_of((1, 1), n_rows) == expected


@pytest.mark.parametrize(
    ("n_weights", "n_rows", "expected"),
    [
        (199_999, 1, 1),  # 2 operations a weight and row, of fewer than 8 rows from 400,000 on
        (200_000, 1, 2),
        (28_571, 7, 1),
        (28_572, 7, 2),
        (249_999, 8, 1),
        (250_000, 8, 2),
    ],
)
def test_work_of_few_rows_is_shared_sooner(monkeypatch, n_weights, n_rows, expected):
    monkeypatch.setattr(threads, "_chosen", 2)
    monkeypatch.setattr(threads, "_omp_before", 0)
    assert threads.for_pass((n_weights, 1), n_rows) == expected
