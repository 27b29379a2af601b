"""Several fits at once: the number of jobs, errors, and jobs that never begin."""

from __future__ import annotations

import concurrent.futures
import threading

import numpy as np
import pytest

from fastmlp import MLP, Callback, Ensemble
from fastmlp.support import threads
from fastmlp.training import StopWhenSet, side_by_side
from fastmlp.training.side_by_side import job_pool

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


def test_jobs_that_have_not_begun_are_cancelled_by_an_error(monkeypatch):
    """The second job is running when the first has failed; the third waits for its thread."""
    begun, cancelled = [], threading.Event()

    class Pool(concurrent.futures.ThreadPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            cancelled.set()
            super().shutdown(wait=wait)

    def fails(stop):
        raise ZeroDivisionError

    def waits(stop):
        assert cancelled.wait(TIMEOUT)

    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", Pool)
    with pytest.raises(ZeroDivisionError):
        side_by_side([fails, waits, begun.append], n_jobs=1)
    assert begun == []


def test_running_jobs_are_stopped_and_waited_for():
    both, ended = threading.Barrier(2, timeout=TIMEOUT), []

    def fails(stop):
        both.wait()
        raise ZeroDivisionError

    def waits(stop):
        both.wait()
        assert stop.event.wait(TIMEOUT)
        ended.append(stop.on_epoch_end(None, None))

    with pytest.raises(ZeroDivisionError):
        side_by_side([fails, waits], n_jobs=2)
    assert ended == [True]


def test_results_come_in_the_order_of_the_jobs():
    second_done = threading.Event()

    def first(stop):
        assert second_done.wait(TIMEOUT)
        return "first"

    def second(stop):
        second_done.set()
        return "second"

    assert side_by_side([first, second], n_jobs=2) == ["first", "second"]


def test_a_result_is_reported_in_the_calling_thread_as_soon_as_its_job_has_finished():
    reported, one_was_reported = [], threading.Event()

    def report(number, result):
        reported.append((number, result, threading.get_ident()))
        one_was_reported.set()

    def first(stop):
        assert one_was_reported.wait(TIMEOUT)
        return "first"

    assert side_by_side([first, lambda stop: "second"], 2, report) == ["first", "second"]
    here = threading.get_ident()
    assert reported == [(1, "second", here), (0, "first", here)]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_a_report_ends_all_jobs(error):
    ended, begun = [], threading.Event()

    def finishes(stop):
        assert begun.wait(TIMEOUT)

    def waits(stop):
        begun.set()
        ended.append(stop.event.wait(TIMEOUT))

    def report(number, result):
        raise error

    with pytest.raises(error):
        side_by_side([finishes, waits], 2, report)
    assert ended == [True]


def test_a_pool_sets_its_event_at_the_end():
    stop = threading.Event()
    with job_pool(1, stop) as pool:
        assert pool.submit(stop.is_set).result() is False
    assert stop.is_set()


def test_a_job_is_not_stopped_while_the_others_are_well():
    assert not StopWhenSet(threading.Event()).on_epoch_end(None, None)


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
