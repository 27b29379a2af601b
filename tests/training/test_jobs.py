"""Several jobs at once: their number, errors, and jobs that never begin."""

from __future__ import annotations

import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastmlp import MLP, Callback, Ensemble
from fastmlp.support import threads
from fastmlp.training import Stop, StopWhenSet, jobs, run_jobs

TIMEOUT = 30  # seconds, of a test that fails


class Together(Callback):
    """Waits at the begin of a fit until so many fits have begun; counts those under way."""

    def __init__(self, n_fits):
        self.barrier = threading.Barrier(n_fits, timeout=TIMEOUT)
        self.lock = threading.Lock()
        self.under_way = self.most = 0

    def on_fit_begin(self, net, history):
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.barrier.wait()

    def on_fit_end(self, net, history):
        with self.lock:
            self.under_way -= 1


def members(n):
    return [MLP((6, 4, 3), seed=seed) for seed in range(n)]


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_an_ensemble_trains_n_jobs_networks_at_once(classes, n_jobs):
    together = Together(n_jobs)
    Ensemble(members(2 * n_jobs)).fit(
        *classes, epochs=1, n_jobs=n_jobs, callbacks=lambda net: [together]
    )
    assert together.most == n_jobs


@pytest.mark.parametrize("n_threads", [1, 2])
def test_by_default_there_are_as_many_jobs_as_threads(classes, monkeypatch, n_threads):
    monkeypatch.setattr(threads, "get_num_threads", lambda: n_threads)
    together = Together(n_threads)
    Ensemble(members(2 * n_threads)).fit(*classes, epochs=1, callbacks=lambda net: [together])
    assert together.most == n_threads


@pytest.mark.parametrize("n_jobs", [0, -1])
def test_at_least_one_job_runs(classes, n_jobs):
    with pytest.raises(ValueError, match=f"n_jobs must be at least 1, got {n_jobs}"):
        Ensemble(members(2)).fit(*classes, epochs=1, n_jobs=n_jobs)


def nothing(stop):
    """A job."""


@pytest.mark.parametrize(
    ("given", "n_threads"),
    [([nothing] * 2, 2), ([], 1), ((nothing for _ in range(2)), 5)],
    ids=["two", "none", "unknown"],
)
def test_there_are_no_more_threads_than_known_jobs(monkeypatch, given, n_threads):
    found = []

    def pool(n_jobs, stop, original=jobs._pool):
        found.append(n_jobs)
        return original(n_jobs, stop)

    monkeypatch.setattr(jobs, "_pool", pool)
    run_jobs(given, n_jobs=5)
    assert found == [n_threads]


def test_jobs_that_have_not_begun_never_begin_after_an_error():
    begun = []

    def fails(stop):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_jobs([fails, begun.append], n_jobs=1)
    assert begun == []


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_running_jobs_are_stopped_and_waited_for(error):
    both, ended = threading.Barrier(2, timeout=TIMEOUT), []

    def fails(stop):
        both.wait()
        raise error

    def waits(stop):
        both.wait()
        assert stop.wait(TIMEOUT)
        ended.append(stop.reason)

    with pytest.raises(error):
        run_jobs([fails, waits], n_jobs=2)
    assert ended == ["interrupt" if error is KeyboardInterrupt else "stopped"]


def test_the_caller_waits_in_no_function_that_is_written_in_python():
    """Ctrl-C there could release a lock that another thread holds.

    The pool itself waits for the moment in which a thread starts.
    """
    waits = []

    def profile(frame, event, argument):
        if event == "call" and frame.f_code is threading.Condition.wait.__code__:
            callers = {one.f_code for one, _ in traceback.walk_stack(frame)}
            if ThreadPoolExecutor.submit.__code__ not in callers:
                waits.append(frame.f_back)

    begun = threading.Event()
    sys.setprofile(profile)
    try:
        run_jobs([lambda stop: begun.wait(TIMEOUT), lambda stop: begun.set()], n_jobs=2)
    finally:
        sys.setprofile(None)
    assert begun.is_set() and not waits


def test_a_job_is_taken_when_a_thread_is_free_for_it():
    """So the third job of an iterator may depend on the results of the first two."""
    results = []

    def jobs():
        yield lambda stop: results.append(1)
        yield lambda stop: results.append(2)
        total = sum(results)
        yield lambda stop: results.append(total)

    run_jobs(jobs(), n_jobs=1)
    assert results == [1, 2, 3]


def test_an_iterator_is_advanced_by_one_thread_at_a_time():
    under_way, most, done = 0, 0, []

    def jobs():
        nonlocal under_way, most
        for number in range(40):
            under_way += 1
            most = max(most, under_way)
            threading.Event().wait(0)  # lets another thread run
            under_way -= 1
            yield lambda stop, number=number: done.append(number)

    run_jobs(jobs(), n_jobs=4)
    assert most == 1
    assert sorted(done) == list(range(40))


def test_an_error_of_the_iterator_ends_the_jobs():
    ended, begun = [], threading.Event()

    def waits(stop):
        begun.set()
        ended.append(stop.wait(TIMEOUT))

    def jobs():
        yield waits
        assert begun.wait(TIMEOUT)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        run_jobs(jobs(), n_jobs=2)
    assert ended == [True]


def test_a_fit_within_a_job_ends_after_the_epoch_in_which_it_is_stopped(classes):
    stop = Stop()
    net = MLP((6, 4, 3))
    assert net.fit(*classes, epochs=3, callbacks=[StopWhenSet(stop)]).epochs == 3
    stop.set()
    assert net.fit(*classes, epochs=3, callbacks=[StopWhenSet(stop)]).epochs == 1


# ---------------------------------------------------------------------------- networks alike


def alike(seeds, same_weights):
    nets = [MLP((6, 4, 3), seed=seed) for seed in seeds]
    if same_weights:
        nets[1].set_parameters(nets[0].weights, nets[0].biases)
    return Ensemble(nets)


def test_copies_of_one_network_are_refused(classes):
    with pytest.raises(ValueError, match=r"networks\[0\] and networks\[1\] are alike"):
        alike((0, 0), True).fit(*classes, epochs=1)


@pytest.mark.parametrize(("seeds", "same_weights"), [((0, 1), True), ((0, 1), False)])
def test_another_seed_makes_networks_different(classes, seeds, same_weights):
    ensemble = alike(seeds, same_weights)
    ensemble.fit(*classes, epochs=1, batch_size=50)
    assert not np.array_equal(ensemble.networks[0].weights[0], ensemble.networks[1].weights[0])


def test_other_weights_make_networks_of_one_seed_different(classes):
    ensemble = alike((0, 0), False)
    ensemble.networks[1].set_parameters(
        [2 * W for W in ensemble.networks[0].weights], ensemble.networks[0].biases
    )
    assert len(ensemble.fit(*classes, epochs=1)) == 2


def test_other_sizes_make_networks_of_one_seed_different(classes):
    ensemble = Ensemble([MLP((6, 4, 3), seed=0), MLP((6, 5, 3), seed=0)])
    assert len(ensemble.fit(*classes, epochs=1)) == 2
