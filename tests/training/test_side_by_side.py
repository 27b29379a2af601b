"""Several fits at once: the number of jobs, errors, and jobs that never begin."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fastmlp import MLP, Callback, Ensemble
from fastmlp.support import threads
from fastmlp.training import StopWhenSet, side_by_side

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


def test_each_network_trains_on_one_thread(classes, monkeypatch):
    found = []

    def spy(net, X, y, **options):
        found.append(options["n_threads"])
        return original(net, X, y, **options)

    original = MLP.fit
    monkeypatch.setattr(MLP, "fit", spy)
    Ensemble(members(2)).fit(*classes, epochs=1)
    assert found == [1, 1]


def test_jobs_that_have_not_begun_are_cancelled_by_an_error():
    begun = []

    def job(number):
        def run(stop):
            begun.append(number)
            if number == 1:
                raise ZeroDivisionError("of job 1")
            assert number == 0 or stop.event.wait(TIMEOUT)

        return run

    with pytest.raises(ZeroDivisionError, match="of job 1"):
        side_by_side([job(number) for number in range(9)], n_jobs=1)
    assert begun in ([0, 1], [0, 1, 2])


def test_jobs_under_way_are_told_to_stop_and_waited_for():
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
