"""fit_many: each network becomes what it would alone, whatever becomes of the others."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest
from scipy import sparse

import fastmlp
from fastmlp import MLP, Adam, Callback, EarlyStopping, TrainingDiverged, fit_many
from fastmlp.data.examples import Examples
from fastmlp.encodings import OneHot
from fastmlp.support import threads
from fastmlp.training import many

TIMEOUT = 60  # seconds, of a test that fails
OPTIONS = {"epochs": 4, "batch_size": 20, "optimizer": "adamw", "l2": 1e-3}


def untrained(count: int = 3, **options) -> list[MLP]:
    return [MLP((6, 16, 3), seed=seed, **options) for seed in range(count)]


@pytest.fixture
def diverging() -> MLP:
    """A network whose first step is not finite."""
    net = MLP((6, 16, 3), seed=9)
    net.set_parameters([np.full_like(W, 1e30) for W in net.weights], net.biases)
    return net


@pytest.fixture
def checked(monkeypatch):
    """The numbers of examples that were checked, one for each time."""
    found = []
    original = Examples.checked.__func__

    def spy(cls, state, X, y, *rest, **options):
        found.append(X.shape[0])
        return original(cls, state, X, y, *rest, **options)

    monkeypatch.setattr(Examples, "checked", classmethod(spy))
    return found


# ------------------------------------------------------------------------------ the same bits


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
@pytest.mark.parametrize("network", [{}, {"dropout": 0.2, "batch_norm": True}], ids=str)
def test_networks_are_what_they_are_alone(classes, state, n_jobs, network):
    nets, alone = untrained(5, **network), untrained(5, **network)
    histories = fit_many(nets, *classes, options=OPTIONS, n_jobs=n_jobs)
    for net, history, one in zip(nets, histories, alone, strict=True):
        one.fit(*classes, **OPTIONS)
        assert history is net.history
        assert state(net) == state(one)


def test_networks_have_their_own_examples_and_options(classes, curve, state):
    def networks():
        return [MLP((6, 8, 3)), MLP((2, 5, 1), loss="squared_error", dtype="float64"), MLP((6, 3))]

    X, y = zip(classes, curve, classes, strict=True)
    options = [{"epochs": 2}, {"epochs": 3, "optimizer": Adam(0.01)}, {"validation_data": 0.2}]
    nets, alone = networks(), networks()
    histories = fit_many(nets, list(X), list(y), options=options)
    assert [history.epochs for history in histories] == [2, 3, 15]
    for net, one, *examples, own in zip(nets, alone, X, y, options, strict=True):
        one.fit(*examples, **own)
        assert state(net) == state(one)


def test_networks_of_every_kind_share_examples(classes, state, checked):
    """Those that read the same numbers in another way do not take them from one another."""
    X, y = np.rint(np.abs(classes[0])).astype(np.float32) % 3, classes[1]

    def networks():
        return [
            MLP((6, 3), seed=1), MLP((6, 9, 3), seed=2), MLP((6, 3), dtype="float64"),
            MLP((6, 5, 3), encodings=[OneHot(3)] * 6), MLP((6, 5, 3), encodings=[OneHot(3)] * 6),
        ]  # fmt: skip

    nets, alone = networks(), networks()
    fit_many(nets, X, y, options={"epochs": 2, "validation_data": (X[:50], y[:50])})
    assert sorted(checked) == [50, 50, 50, 230, 230, 230]
    for net, one in zip(nets, alone, strict=True):
        one.fit(X, y, epochs=2, validation_data=(X[:50], y[:50]))
        assert state(net) == state(one)
        assert net.history.validation_cost == one.history.validation_cost


def test_packed_rows_are_shared(rng, state):
    X = np.where(rng.random((300, 200)) < 0.1, rng.random((300, 200)), 0).astype(np.float32)
    y = rng.integers(0, 3, 300)
    for examples in (X, sparse.csr_matrix(X)):
        nets = [MLP((200, 128, 3), seed=seed) for seed in range(6)]
        fit_many(nets, examples, y, options={"epochs": 2}, n_jobs=3)
        for seed, net in enumerate(nets):
            one = MLP((200, 128, 3), seed=seed)
            one.fit(X, y, epochs=2)
            assert state(net) == state(one)


def test_one_networks_own_examples_are_not_kept(classes, checked):
    """Each is checked as its fit begins, and let go with it."""
    X = [classes[0].astype(np.float64) for _ in range(3)]
    shared = many.Shared(
        [many.Task(net, one, classes[1], {}) for net, one in zip(untrained(), X, strict=True)]
    )
    for task in shared.tasks:
        many.fit_task(task, shared)
    assert checked == [230] * 3
    assert shared.examples == {}


def test_chunks_are_read_by_each_network(classes, state):
    X, y = classes
    parts = [(X[k::3], y[k::3]) for k in range(3)]
    nets, alone = untrained(), untrained()
    fit_many(nets, lambda: iter(parts), options=OPTIONS)
    for net, one in zip(nets, alone, strict=True):
        one.fit(parts, **OPTIONS)
        assert state(net) == state(one)


def test_sample_weights_belong_to_their_options(classes, state):
    weights = [np.linspace(0, k + 1, 230) for k in range(3)]
    nets, alone = untrained(), untrained()
    options = [{**OPTIONS, "sample_weight": weight} for weight in weights]
    fit_many(nets, *classes, options=options)
    for net, one, own in zip(nets, alone, options, strict=True):
        one.fit(*classes, **own)
        assert state(net) == state(one)


# ------------------------------------------------------------------------------- the course


def test_the_largest_networks_begin_first(classes):
    X, y = classes
    begun = []

    class Note(Callback):
        def on_fit_begin(self, net, history):
            begun.append(net.sizes[1])

    nets = [MLP((6, n, 3)) for n in (4, 64, 16)]
    fit_many(nets, X, y, options={"epochs": 1, "callbacks": lambda net: [Note()]}, n_jobs=1)
    assert begun == [64, 16, 4]


def test_networks_train_at_the_same_time(classes):
    meeting = threading.Barrier(3, timeout=TIMEOUT)

    class Meet(Callback):
        def on_epoch_end(self, net, history):
            meeting.wait()

    options = {"epochs": 1, "callbacks": lambda net: [Meet()]}
    histories = fit_many(untrained(), *classes, options=options, n_jobs=3)
    assert [history.stopped_by for history in histories] == ["epochs"] * 3


@pytest.mark.parametrize("n_threads", [1, 2])
def test_by_default_there_are_as_many_jobs_as_threads(classes, monkeypatch, n_threads):
    monkeypatch.setattr(threads, "get_num_threads", lambda: n_threads)
    idents = set()
    meeting = threading.Barrier(n_threads, timeout=TIMEOUT)

    class Note(Callback):
        def on_fit_begin(self, net, history):
            idents.add(threading.get_ident())
            meeting.wait()

    fit_many(untrained(4), *classes, options={"epochs": 1, "callbacks": lambda net: [Note()]})
    assert len(idents) == n_threads


def test_each_network_trains_on_one_thread(classes, monkeypatch):
    monkeypatch.setattr(threads, "LEAST_SHARED_STEP", 0)
    used = []
    original = fastmlp.model.state.ModelState.train

    def spy(state, data, batches, options, progress, n_threads, *others):
        used.append(n_threads)
        return original(state, data, batches, options, progress, n_threads, *others)

    monkeypatch.setattr(fastmlp.model.state.ModelState, "train", spy)
    fit_many(untrained(), *classes, options={"epochs": 2, "validation_data": 0.1})
    assert set(used) == {1}


def test_each_network_stops_early_for_itself(classes):
    stopping = EarlyStopping(patience=1, monitor="cost", min_delta=1e9)
    options = {"epochs": 9, "early_stopping": stopping}
    histories = fit_many(untrained(), *classes, options=options)
    assert [history.stopped_by for history in histories] == ["EarlyStopping"] * 3
    assert stopping.best_epoch == 0  # each had a copy


def test_no_networks_have_no_histories(classes):
    assert fit_many([], *classes) == []


def test_progress_tells_how_many_are_done(classes, capsys, diverging):
    fit_many([*untrained(2), diverging], *classes, options={"epochs": 1}, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert any("networks[2]  TrainingDiverged: the cost" in line for line in lines)
    assert lines[-1].startswith("3/3  networks[")
    fit_many(untrained(2), *classes, options={"epochs": 1})
    assert capsys.readouterr().out == ""


# ---------------------------------------------------------------------------------- endings


def test_a_network_that_fails_leaves_the_others(classes, state, diverging):
    nets, alone = untrained(2), untrained(2)
    outcomes = fit_many([nets[0], diverging, nets[1]], *classes, options=OPTIONS)
    assert isinstance(outcomes[1], TrainingDiverged)
    for net, one in zip(nets, alone, strict=True):
        one.fit(*classes, **OPTIONS)
        assert state(net) == state(one)


def test_wrong_examples_of_one_network_are_its_error_alone(classes):
    X, y = classes
    outcomes = fit_many(untrained(3), [X, X[:, :5], X], y, options={"epochs": 1})
    assert isinstance(outcomes[1], ValueError)
    assert [outcomes[i].epochs for i in (0, 2)] == [1, 1]
    bad = {"epochs": 1, "validation_data": (X[:9], y)}
    (error,) = fit_many(untrained(1), X, y, options=bad)
    assert "validation_data" in str(error)


@pytest.fixture
def ctrl_c():
    """Ctrl-C does what Python makes of it, also where pytest was started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class PressAfter(Callback):
    """Ctrl-C at the end of an epoch."""

    def __init__(self, n_epochs: int) -> None:
        self.n_epochs = n_epochs

    def on_epoch_end(self, net, history):
        if history.epochs == self.n_epochs:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def test_ctrl_c_keeps_what_is_done(classes, state, ctrl_c, monkeypatch):
    """One network is done, one in a training without an end, the third has not begun."""
    monkeypatch.setattr(many.Task, "work", 0.0)  # they begin in their order
    nets, (alone, *_) = untrained(), untrained()
    options = [
        {"epochs": 3},
        {"epochs": 10**9, "callbacks": [PressAfter(5)]},
        {"epochs": 1},
    ]
    with pytest.warns(UserWarning, match="interrupted, networks done: 1 of 3") as caught:
        histories = fit_many(nets, *classes, options=options, n_jobs=1)
    assert caught[0].filename == __file__
    assert [one.stopped_by for one in histories] == ["epochs", "interrupt", "interrupt"]
    alone.fit(*classes, epochs=3)
    assert state(nets[0]) == state(alone)
    assert histories[1] is nets[1].history
    assert histories[1].epochs >= 5
    assert histories[2].epochs == nets[2].epochs == 0
    for net in nets:
        assert net.fit(*classes, epochs=1).stopped_by == "epochs"


def test_ctrl_c_ends_a_fit_within_an_epoch(rng, ctrl_c):
    """Without it this would go on for minutes."""
    X, y = rng.normal(size=(3000, 100)).astype(np.float32), rng.integers(0, 2, 3000)
    nets = [MLP((100, 1000, 1000, 2), seed=seed) for seed in range(2)]

    class PressLater(Callback):
        def on_fit_begin(self, net, history):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    options = {"batch_size": 1, "epochs": 100, "callbacks": lambda net: [PressLater()]}
    with pytest.warns(UserWarning, match="networks done: 0 of 2"):
        histories = fit_many(nets, X, y, options=options, n_jobs=2)
    assert [one.stopped_by for one in histories] == ["interrupt"] * 2
    assert all(np.isfinite(W).all() for net in nets for W in net.weights)


# -------------------------------------------------------------------------------- executors


def executors():
    spawn = partial(ProcessPoolExecutor, mp_context=get_context("spawn"))
    return pytest.mark.parametrize(
        "pool", [ThreadPoolExecutor, spawn], ids=["threads", "processes"]
    )


@executors()
def test_an_executors_networks_are_what_they_are_alone(classes, state, pool):
    """Another process has copies, whose parameters and optimizer come back."""
    options = {**OPTIONS, "ema": 0.9}
    nets, alone = untrained(2, batch_norm=True), untrained(2, batch_norm=True)
    states = [net.state for net in nets]
    with pool(max_workers=2) as executor:
        for _ in range(2):  # the second goes on from what came back of the first
            histories = fit_many(nets, *classes, options=options, executor=executor)
    for net, history, one in zip(nets, histories, alone, strict=True):
        for _ in range(2):
            one.fit(*classes, **options)
        assert state(net) == state(one)
        assert history.cost == one.history.cost
    assert [net.state for net in nets] == states


@executors()
def test_a_network_that_fails_elsewhere_leaves_the_others(classes, pool, diverging, capsys):
    good = untrained(1)[0]
    with pool(max_workers=1) as executor:
        outcomes = fit_many(
            [diverging, good], *classes, options=OPTIONS, executor=executor, verbose=True
        )
    assert isinstance(outcomes[0], TrainingDiverged)
    assert (outcomes[0].epoch, outcomes[0].batch) == (1, 1)
    assert outcomes[1].epochs == good.epochs == 4
    assert "2/2  networks[" in capsys.readouterr().out


def test_ctrl_c_keeps_what_an_executor_has_done(classes, ctrl_c, monkeypatch):
    monkeypatch.setattr(many.Task, "work", 0.0)
    done, begun = threading.Event(), threading.Event()

    class Wait(Callback):
        def on_fit_begin(self, net, history):
            begun.set()
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            done.wait(TIMEOUT)

    nets = untrained()
    options = [{"epochs": 2}, {"epochs": 1, "callbacks": [Wait()]}, {"epochs": 1}]
    with ThreadPoolExecutor(1) as executor:
        with pytest.warns(UserWarning, match="networks done: 1 of 3"):
            histories = fit_many(nets, *classes, options=options, executor=executor)
        assert begun.is_set()
        done.set()
    assert [one.epochs for one in histories] == [2, 0, 0]
    assert nets[2].epochs == 0


# ---------------------------------------------------------------------------------- errors
