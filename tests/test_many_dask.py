"""fit_many on a cluster of Dask with two worker processes, and by joblib's loky."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, fit_many, many

distributed = pytest.importorskip("distributed", reason="needs the extra dask")

OPTIONS = {"epochs": 2, "batch_size": 50}
N = 6  # networks

# Dask's own
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning")


@pytest.fixture(scope="module")
def cluster_client():
    """A client of two worker processes on this machine, of one thread each."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def client(cluster_client):
    """The client, once a worker that an earlier test has killed has its successor."""
    cluster_client.wait_for_workers(2, timeout=60)
    return cluster_client


def networks():
    return [MLP((6, 5 + seed, 3), seed=seed) for seed in range(N)]


@pytest.fixture(scope="module")
def alone():
    """Function from examples to networks that were trained one by one."""

    def trained(X, y):
        nets = networks()
        for net in nets:
            net.fit(X, y, **OPTIONS)
        return nets

    return trained


def require_equal(nets, expected):
    for net, one in zip(nets, expected, strict=True):
        for W, V in zip(net.weights, one.weights, strict=True):
            np.testing.assert_array_equal(W, V)
        assert net.history.cost == one.history.cost
        assert net.state.steps == one.state.steps


def test_networks_are_what_they_are_alone(client, classes, alone):
    nets = networks()
    histories = fit_many(nets, *classes, options=OPTIONS, executor=client)
    assert [history.epochs for history in histories] == [2] * N
    require_equal(nets, alone(*classes))


def test_they_are_trained_in_both_worker_processes(client, classes):
    class Process(fastmlp.Callback):
        def on_epoch_end(self, net, history):
            history.metrics.setdefault("process", []).append(os.getpid())

    options = {**OPTIONS, "callbacks": lambda net: [Process()]}
    histories = fit_many(networks(), *classes, options=options, executor=client)
    pids = {history.metrics["process"][0] for history in histories}
    assert len(pids) == 2 and os.getpid() not in pids


def test_data_are_sent_once_and_not_with_each_network(client, classes, alone):
    class Recorder:
        """Dask's client, with a list of what it is given."""

        def __init__(self):
            self.scattered, self.submitted = [], []

        def scatter(self, values, **options):
            self.scattered += values
            assert options["broadcast"]
            return client.scatter(values, **options)

        def submit(self, function, *arguments, **options):
            self.submitted.append(arguments)
            return client.submit(function, *arguments, **options)

    X, y = classes
    held_out = (X[:40], y[:40])
    recorder, nets = Recorder(), networks()
    histories = fit_many(
        nets, X, y, options={**OPTIONS, "validation_data": held_out}, executor=recorder
    )
    assert [len(history.validation_cost) for history in histories] == [2] * N
    assert [one is X for one in recorder.scattered] == [True, False, False]
    assert recorder.scattered[1] is y and recorder.scattered[2]["validation_data"] is held_out
    assert len(recorder.submitted) == N
    for arguments in recorder.submitted:
        assert [isinstance(one, distributed.Future) for one in arguments] == [
            False, True, True, True, False
        ]  # fmt: skip


def test_a_failed_network_leaves_the_others(client, classes, alone):
    nets = networks()
    options = [OPTIONS] * (N - 1) + [{**OPTIONS, "batch_size": 0}]
    outcomes = fit_many(nets, *classes, options=options, executor=client)
    assert isinstance(outcomes[-1], ValueError) and "batch_size" in str(outcomes[-1])
    require_equal(nets[:-1], alone(*classes)[:-1])


def test_an_asynchronous_client_is_refused(client, classes):
    async def call():
        address = client.scheduler_info()["address"]
        async with distributed.Client(address, asynchronous=True) as asynchronous:
            fit_many(networks(), *classes, options=OPTIONS, executor=asynchronous)

    with pytest.raises(TypeError, match=r"needs one made by Client\(asynchronous=False\)"):
        asyncio.run(call())


def test_exit_in_a_callback_ends_the_call_and_no_worker(client, classes):
    class Exits(fastmlp.Callback):
        def on_epoch_end(self, net, history):
            raise SystemExit

    workers = set(client.nthreads())
    options = {**OPTIONS, "callbacks": lambda net: [Exits()] if net.seed == 0 else []}
    with pytest.raises(SystemExit):
        fit_many(networks(), *classes, options=options, executor=client)
    assert set(client.nthreads()) == workers


def kills_its_worker(killed: Path):
    """Return a callback that ends the process, unless the file is there that it leaves."""

    class KillsItsWorker(fastmlp.Callback):
        def on_epoch_end(self, net, history):
            if not killed.exists():
                killed.touch()
                os._exit(1)

    return KillsItsWorker()


def test_a_killed_worker_loses_no_network(client, classes, alone, tmp_path: Path):
    """The largest networks begin first; the worker of the smallest is killed as it trains.

    Results that only that worker had are computed anew by the other one, to the same bits.
    """
    killed = tmp_path / "killed"
    smallest, nets = networks()[0].sizes, networks()
    options = {
        **OPTIONS,
        "callbacks": lambda net: [kills_its_worker(killed)] if net.sizes == smallest else [],
    }
    histories = fit_many(nets, *classes, options=options, executor=client)
    assert killed.exists()
    assert [history.epochs for history in histories] == [2] * N
    require_equal(nets, alone(*classes))


def test_examples_that_only_a_killed_worker_had_are_sent_again(client, classes, tmp_path: Path):
    """Dask drops copies of the examples that no other worker needs at the moment."""
    only = min(client.nthreads())
    killed = tmp_path / "killed"

    class OneCopy:
        """Dask's client that sends nothing to another worker, as long as the first one lives."""

        def __init__(self):
            self.scattered = []

        def scatter(self, values, broadcast, hash):
            self.scattered += values
            return client.scatter(values, workers=None if killed.exists() else [only], hash=hash)

        def submit(self, function, *arguments, **options):
            if not killed.exists():
                options |= {"workers": [only], "allow_other_workers": True}
            return client.submit(function, *arguments, **options)

    one_copy, net, twin = OneCopy(), MLP((6, 5, 3)), MLP((6, 5, 3))
    options = {**OPTIONS, "callbacks": [kills_its_worker(killed)]}
    (history,) = fit_many([net], *classes, options=options, executor=one_copy)
    assert killed.exists()
    assert history.epochs == 2
    assert len(one_copy.scattered) == 6
    assert [one is classes[0] for one in one_copy.scattered] == [True, False, False] * 2
    twin.fit(*classes, **OPTIONS)
    require_equal([net], [twin])


def test_ctrl_c_keeps_the_results_that_have_arrived(client, classes, alone, monkeypatch):
    reported = []

    class Interrupts(many._Lines):
        def __call__(self, i, outcome):
            reported.append(i)
            if len(reported) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(many, "_Lines", Interrupts)
    nets = networks()
    with pytest.warns(UserWarning, match="Training interrupted, networks done: [2-6] of 6"):
        outcomes = fit_many(nets, *classes, options=OPTIONS, executor=client, verbose=True)
    done = [i for i, outcome in enumerate(outcomes) if outcome.stopped_by == "epochs"]
    assert set(reported) <= set(done)
    expected = alone(*classes)
    require_equal([nets[i] for i in done], [expected[i] for i in done])


def test_loky_of_joblib_is_an_executor_as_it_is(classes, alone):
    loky = pytest.importorskip("joblib.externals.loky")
    executor = loky.get_reusable_executor(max_workers=2)
    nets = networks()
    try:
        fit_many(nets, *classes, options=OPTIONS, executor=executor)
    finally:
        executor.shutdown(wait=True)
    require_equal(nets, alone(*classes))
