"""fit_many by executors whose workers fail, refuse or are told to exit."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import pytest

from fastmlp import MLP, History, fit_many, many

OPTIONS = {"epochs": 2, "batch_size": 50}
N = 4


def networks():
    return [MLP((6, 5, 3), seed=seed) for seed in range(N)]


def of_first(make):
    """Return options in which the first network has a callback."""
    return {**OPTIONS, "callbacks": lambda net: [make()] if net.seed == 0 else []}


@pytest.fixture(scope="module")
def callbacks():
    """The module of callbacks, by a name by which other processes find it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        yield import_module("callbacks_of_workers")


@pytest.fixture(scope="module")
def processes(callbacks):
    """A pool of two processes."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize(
    ("callback", "message"),
    [("RaisesTwoArguments", "TwoArguments: 1 and 2"), ("RaisesLocal", "Local: text")],
)
def test_an_exception_that_cannot_be_sent_arrives_as_text(
    classes, processes, callbacks, callback, message
):
    """It would break the pool, and end all other networks; the network has what it learned."""
    nets = networks()
    outcomes = fit_many(
        nets, *classes, options=of_first(getattr(callbacks, callback)), executor=processes
    )
    assert type(outcomes[0]) is RuntimeError and str(outcomes[0]) == message
    assert [net.epochs for net in nets] == [1, 2, 2, 2]
    assert [one.epochs for one in outcomes[1:]] == [2, 2, 2]


def test_an_exception_that_can_be_sent_is_the_same_in_a_thread_and_alike_in_a_process(
    classes, processes, callbacks
):
    error = ZeroDivisionError("text")
    options = of_first(partial(callbacks.Raises, error))
    outcome = fit_many(networks(), *classes, options=options, executor=processes)[0]
    assert type(outcome) is ZeroDivisionError and str(outcome) == "text"
    with ThreadPoolExecutor(1) as threads:
        assert fit_many(networks(), *classes, options=options, executor=threads)[0] is error


@pytest.mark.parametrize("where", ["here", "threads", "processes"])
def test_exit_in_a_callback_ends_the_call(classes, processes, callbacks, where):
    options = of_first(partial(callbacks.Raises, SystemExit(3)))
    with ThreadPoolExecutor(1) as threads:
        executor = {"here": None, "threads": threads, "processes": processes}[where]
        with pytest.raises(SystemExit, match="3"):
            fit_many(networks(), *classes, options=options, executor=executor)
    assert processes.submit(len, "three").result() == 5  # its workers are there


def test_fits_that_have_not_begun_are_cancelled_when_the_call_ends(classes, callbacks):
    class Holds:
        """Runs the first function at once, and others never."""

        def __init__(self):
            self.futures = []

        def submit(self, function, /, *arguments):
            future = Future()
            if not self.futures:
                future.set_result(function(*arguments))
            self.futures.append(future)
            return future

    executor = Holds()
    options = of_first(partial(callbacks.Raises, SystemExit()))
    with pytest.raises(SystemExit):
        fit_many(networks(), *classes, options=options, executor=executor)
    assert [one.cancelled() for one in executor.futures] == [False, True, True, True]


def test_what_an_executor_refuses_leaves_the_others(classes, capsys):
    class Refuses:
        """Takes all but the second and the third."""

        def __init__(self, pool):
            self.pool = pool
            self.count = 0

        def submit(self, function, /, *arguments):
            self.count += 1
            if self.count in (2, 3):
                raise RuntimeError("this pool is full")
            return self.pool.submit(function, *arguments)

    with ThreadPoolExecutor(1) as pool:
        outcomes = fit_many(
            networks(), *classes, options=OPTIONS, executor=Refuses(pool), verbose=True
        )
    assert [str(one) for one in outcomes[1:3]] == ["this pool is full"] * 2
    assert outcomes[0].epochs == outcomes[3].epochs == 2
    assert "4/4  networks[" in capsys.readouterr().out


def test_an_executor_that_is_shut_down_is_the_error_of_each_network(classes):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    outcomes = fit_many(networks(), *classes, options=OPTIONS, executor=executor)
    assert [type(one) for one in outcomes] == [RuntimeError] * N


def test_lines_of_progress_are_half_a_second_apart_but_for_failures_and_the_last(
    capsys, monkeypatch
):
    now = 0.0
    monkeypatch.setattr(many, "perf_counter", lambda: now)
    report = many._Lines(5)
    outcomes = [History(), ValueError("no"), History(), History(), History()]
    for i, seconds in enumerate((0.125, 0.25, 0.625, 0.75, 0.875)):
        now = seconds
        report(i, outcomes[i])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["2/5", "4/5", "5/5"]
    assert lines[0] == "2/5  networks[1]  ValueError: no"


def test_what_an_executor_cancels_is_not_tried_again(classes):
    class Cancels:
        calls = 0

        def submit(self, function, *arguments):
            self.calls += 1
            future = Future()
            future.cancel()
            return future

    executor = Cancels()
    outcomes = fit_many(networks(), *classes, options=OPTIONS, executor=executor)
    assert [type(outcome) for outcome in outcomes] == [CancelledError] * N
    assert executor.calls == N


def test_examples_that_are_lost_again_and_again_are_the_error_of_their_network(classes):
    class Loses:
        calls = 0

        def scatter(self, values, **options):
            return values

        def submit(self, function, *arguments, **options):
            self.calls += 1
            future = Future()
            future.cancel()
            return future

    executor = Loses()
    (outcome,) = fit_many(networks()[:1], *classes, options=OPTIONS, executor=executor)
    assert isinstance(outcome, CancelledError)
    assert executor.calls == 1 + many.MOST_LOSSES


def test_data_that_cannot_be_sent_are_the_error_of_their_network(classes, processes):
    X, y = classes
    outcomes = fit_many(
        networks(),
        [((X, y) for _ in range(1)), X, X, X],
        [None, y, y, y],
        options={**OPTIONS, "epochs": 1},
        executor=processes,
    )
    assert isinstance(outcomes[0], TypeError) and "generator" in str(outcomes[0])
    assert [one.epochs for one in outcomes[1:]] == [1, 1, 1]


def test_layers_that_a_callback_has_frozen_elsewhere_are_frozen_here(classes, processes, callbacks):
    nets = networks()
    fit_many(nets, *classes, options=of_first(callbacks.Freezes), executor=processes)
    assert [net.frozen for net in nets] == [(0,), (), (), ()]


def test_what_a_callback_notes_elsewhere_is_noted_here(classes, processes, callbacks):
    nets = networks()
    fit_many(nets, *classes, options=of_first(callbacks.Notes), executor=processes)
    assert [net.metadata for net in nets] == [{"best": nets[0].epochs}, {}, {}, {}]
    assert nets[0].note == "trained"
