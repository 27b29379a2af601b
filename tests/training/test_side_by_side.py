"""Several fits at once: of one network never, of several as if alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fastmlp import MLP, Callback
from fastmlp.support import threads
from fastmlp.training.side_by_side import StopWhenSet, job_pool, side_by_side


def parameters(net: MLP) -> np.ndarray:
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


def test_network_trains_in_one_thread_at_a_time(net, classes, doing):
    errors = []

    def train():
        try:
            net.fit(*classes)
        except RuntimeError as error:
            errors.append(str(error))

    def train_elsewhere():
        other = threading.Thread(target=train)
        other.start()
        other.join()

    net.fit(*classes, epochs=1, callbacks=[doing(train), doing(train_elsewhere)])
    assert len(errors) == 2
    assert all("in training already" in error for error in errors)


def test_two_networks_may_train_at_once(classes):
    nets = [MLP((6, 16, 3)) for _ in range(3)]
    pool = [threading.Thread(target=net.fit, args=classes) for net in nets[1:]]
    for thread in pool:
        thread.start()
    nets[0].fit(*classes)
    for thread in pool:
        thread.join()
    for net in nets[1:]:
        np.testing.assert_array_equal(parameters(net), parameters(nets[0]))


# ------------------------------------------------------------------------- jobs in threads


def test_results_come_in_the_order_of_the_jobs():
    """The first job ends last."""
    others = threading.Barrier(3)

    def first(stop):
        others.wait(timeout=60)
        return "first"

    def other(name):
        def job(stop):
            others.wait(timeout=60)
            return name

        return job

    assert side_by_side([first, other("second"), other("third")], n_jobs=3) == [
        "first", "second", "third",
    ]  # fmt: skip


def test_no_more_jobs_run_at_once_than_wanted():
    running, most, lock = [0], [0], threading.Lock()

    def job(stop):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        MLP((2, 2)).fit(np.eye(2), [0, 1], epochs=20)
        with lock:
            running[0] -= 1

    side_by_side([job] * 8, n_jobs=2)
    assert most[0] <= 2


def test_n_jobs_is_the_number_of_threads_unless_given(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", 2)
    meeting = threading.Barrier(2)
    side_by_side([lambda stop: meeting.wait(timeout=60)] * 2)


@pytest.mark.parametrize(
    ("n_jobs", "error", "message"),
    [(0, ValueError, "n_jobs must be at least 1"), (1.5, TypeError, "n_jobs must be a whole")],
)
def test_wrong_numbers_of_jobs_are_refused(n_jobs, error, message):
    with pytest.raises(error, match=message):
        side_by_side([lambda stop: None], n_jobs)


def test_the_error_of_one_job_ends_the_fits_of_others_and_cancels_those_not_begun(classes):
    histories, begun = [], threading.Event()

    def endless(stop):
        class Begun(Callback):
            def on_epoch_end(self, net, history):
                begun.set()

        histories.append(MLP((6, 3)).fit(*classes, epochs=10**9, callbacks=[Begun(), stop]))

    def failing(stop):
        begun.wait(timeout=60)
        raise ZeroDivisionError("this one")

    with pytest.raises(ZeroDivisionError, match="this one"):
        side_by_side([endless, failing, *[endless] * 5], n_jobs=2)
    assert histories[0].stopped_by == "StopWhenSet"
    # after the error at most the freed thread has begun one more, which stopped after an epoch
    assert len(histories) <= 2 and all(one.stopped_by == "StopWhenSet" for one in histories)


def test_the_end_of_a_pool_stops_fits_under_way(classes):
    event = threading.Event()
    with job_pool(1, event) as pool:
        future = pool.submit(
            MLP((6, 3)).fit, *classes, epochs=10**9, callbacks=[StopWhenSet(event)]
        )
    assert future.result().stopped_by == "StopWhenSet"
