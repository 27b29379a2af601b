"""Readers see whole parameters, whoever writes them meanwhile; a process made by fork goes on."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from fastmlp import MLP, Callback, Ensemble, GradientDescent, History
from fastmlp.model.state import ModelState


@pytest.fixture
def pair() -> tuple[MLP, list[Any]]:
    """A network, large enough for a copy of it to take a while, and two sets of parameters."""
    net = MLP((50, 300, 300, 3), seed=1)
    first = net.weights, net.biases
    return net, [first, ([-W for W in net.weights], [b + 1 for b in net.biases])]


def read_beside(write: Callable[[], None], read: Callable[[], Any], times: int) -> list[Any]:
    """What `read` returns so many times while another thread calls `write` all the time."""
    done = threading.Event()

    def keep_writing() -> None:
        while not done.is_set():
            write()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(keep_writing)
        found = [read() for _ in range(times)]
        done.set()
        writer.result()
    return found


def of_file(net: MLP, path: Any) -> MLP:
    net.save(path, with_optimizer=True)
    return MLP.load(path)


READERS: dict[str, Callable[..., Any]] = {
    "forward": lambda net, X, path: net.forward(X).tobytes(),
    "activations": lambda net, X, path: b"".join(a.tobytes() for a in net.activations(X)),
    "cost": lambda net, X, path: net.cost(X, np.arange(len(X)) % 3, 0.1),
    "gradients": lambda net, X, path: b"".join(
        one.tobytes() for pair in net.gradients(X, np.arange(len(X)) % 3, 0.1) for one in pair
    ),
    "weights": lambda net, X, path: b"".join(W.tobytes() for W in net.weights),
    "folded": lambda net, X, path: b"".join(b.tobytes() for b in net.folded[1]),
    "save": lambda net, X, path: of_file(net, path).forward(X).tobytes(),
    "with_head": lambda net, X, path: net.with_head(2).activations(X)[1].tobytes(),
    "ensemble": lambda net, X, path: Ensemble([net]).forward(X).tobytes(),
}
WRITERS: dict[str, Callable[..., Callable[[], None]]] = {
    "set_parameters": lambda net, sets: lambda: [net.set_parameters(*one) for one in sets],
    "restore": lambda net, sets: restoring(net, sets),
}


def restoring(net: MLP, sets: list[Any]) -> Callable[[], None]:
    snapshots = []
    for one in sets:
        net.set_parameters(*one)
        snapshots.append(net.snapshot())
    return lambda: [net.restore(one) for one in snapshots]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("name", READERS)
def test_a_reader_sees_one_set_or_the_other(pair, rng, tmp_path, write, name):
    net, sets = pair
    X = rng.normal(size=(5, 50)).astype(np.float32)

    def read() -> Any:
        return READERS[name](net, X, tmp_path / "net.npz")

    expected = []
    for one in sets:
        net.set_parameters(*one)
        expected.append(read())
    assert expected[0] != expected[1]
    times = 20 if name == "save" else 100
    assert set(read_beside(write(net, sets), read, times)) <= set(expected)


@pytest.mark.parametrize("options", [{"optimizer": GradientDescent(0.5)}, {"ema": 0.9}], ids=str)
def test_parameters_read_beside_training_are_of_one_step(rng, tmp_path, options):
    """Twin hidden units, of which two threads train one each, are alike after each step only."""
    n = 256
    W, b = rng.normal(0, 0.2, (n, 20)), rng.normal(size=n)
    V = rng.normal(0, 0.1, (3, n))
    net = MLP((20, 2 * n, 3), init=([np.vstack([W, W]), np.hstack([V, V])],
                                    [np.hstack([b, b]), np.zeros(3)]))  # fmt: skip
    X, y = rng.normal(size=(5000, 20)).astype(np.float32), rng.integers(0, 3, 5000)

    def is_whole(net: MLP) -> bool:
        state = net.state
        slots = [state.layers(), state.averages() or state.layers(), *state.optimizer_state()]
        slots.append(net.gradients(X, y, training=True))  # which takes longer than a step
        return all(
            np.array_equal(layers[0][0][:n], layers[0][0][n:])
            and np.array_equal(layers[0][1][:n], layers[0][1][n:])
            and np.array_equal(layers[1][0][:, :n], layers[1][0][:, n:])
            for layers in slots
        )

    def train() -> None:
        net.fit(X, y, epochs=1, n_threads=2, **options)

    def read() -> bool:
        return is_whole(net) and is_whole(of_file(net, tmp_path / "net.npz"))

    assert all(read_beside(train, read, 25))
    assert net.epochs > 1


def test_parameters_and_optimizer_of_a_file_are_of_one_moment(classes, tmp_path, monkeypatch):
    """Another thread wants to train between the reading of the two, and has to wait."""
    net, path = MLP((6, 16, 3), seed=1), tmp_path / "net.npz"
    net.fit(*classes, epochs=1)
    twin = copy.deepcopy(net)
    trainer = threading.Thread(target=net.fit, args=classes, kwargs={"epochs": 1})
    snapshot = ModelState.snapshot

    def then_train(state: ModelState) -> Any:
        found = snapshot(state)
        if trainer.ident is None:
            trainer.start()
            trainer.join(0.3)  # it could train in that time
        return found

    monkeypatch.setattr(ModelState, "snapshot", then_train)
    net.save(path, with_optimizer=True)
    trainer.join()
    loaded = MLP.load(path)
    for one in (loaded, twin):
        one.fit(*classes, epochs=1)
    np.testing.assert_array_equal(loaded.weights[0], twin.weights[0])
    np.testing.assert_array_equal(net.weights[0], twin.weights[0])


def test_layers_and_statistics_of_a_new_head_are_of_one_moment(classes, monkeypatch):
    net = MLP((6, 16, 3), batch_norm=True)
    net.fit(*classes, epochs=1)
    layers, (statistics, _) = net.state.layers(), net.statistics
    read = ModelState.predicting_layers

    def then_train(state: ModelState, of: Any = None) -> Any:
        found = read(state, of)
        net.fit(*classes, epochs=1)
        return found

    monkeypatch.setattr(ModelState, "predicting_layers", then_train)
    new = net.with_head(2)
    for one, other in zip(new.state.layers()[0], layers[0], strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(new.statistics[0], statistics, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_file_beside_training_is_of_one_step(classes, tmp_path):
    """Parameters, moments and steps fit together: training goes on from it to the same bits."""
    net, path = MLP((6, 16, 3), seed=1), tmp_path / "net.npz"
    options = {"batch_size": 230, "shuffle": False}
    files: list[MLP] = []
    done = threading.Event()

    def save() -> None:
        while not done.is_set():
            files.append(of_file(net, path))

    class UntilSaved(Callback):
        def on_epoch_end(self, net: MLP, history: History) -> bool:
            return len(files) > 5

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(save)
        try:
            net.fit(*classes, epochs=10**6, callbacks=[UntilSaved()], **options)
        finally:
            done.set()
        reader.result()
    by_step = {one.state.steps: one for one in files}
    alone = MLP((6, 16, 3), seed=1)
    for step in sorted(by_step):
        if step > alone.state.steps:
            alone.fit(*classes, epochs=step - alone.state.steps, **options)
        np.testing.assert_array_equal(by_step[step].weights[0], alone.weights[0])
    assert len(by_step) > 2


# ----------------------------------------------------------------------------------- fork

FORKED = """
import os, threading
import numpy as np
import fastmlp

X = np.random.default_rng(0).normal(size=(2000, 100)).astype(np.float32)
y = np.arange(2000) % 5
options = {"epochs": 3, "n_threads": 2}


def network():
    return fastmlp.MLP((100, 256, 256, 5))


def bits(net):
    return b"".join(W.tobytes() for W in net.weights)


def end(child, ok):
    if child == 0:
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ok


expected = network()
expected.fit(X, y, **options)
"""
IN_CALLBACK = """
class Fork(fastmlp.Callback):
    child = None

    def on_epoch_end(self, net, history):
        if history.epochs == 1:
            self.child = os.fork()

net, fork = network(), Fork()
net.fit(X, y, callbacks=[fork], **options)
end(fork.child, bits(net) == bits(expected))
"""
IN_ANOTHER_THREAD = """
net, begun = network(), threading.Event()

class Begun(fastmlp.Callback):
    def on_epoch_end(self, net, history):
        begun.set()

trainer = threading.Thread(
    target=lambda: net.fit(X, y, epochs=40, n_threads=2, callbacks=[Begun()])
)
trainer.start()
begun.wait()
child = os.fork()
if child == 0:
    history = net.fit(X, y, epochs=1)  # nobody trains it here
    net.predict(X)
    end(child, history.stopped_by == "epochs" and np.isfinite(net.weights[0]).all())
trainer.join()
end(child, net.history.stopped_by == "epochs")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("where", [IN_CALLBACK, IN_ANOTHER_THREAD], ids=["callback", "thread"])
def test_a_process_forked_during_a_fit_goes_on(where):
    # in a fresh interpreter: this one may hold threads of other libraries
    code = textwrap.dedent(FORKED) + where
    command = [sys.executable, "-W", "ignore", "-c", code]
    assert subprocess.run(command, timeout=120, check=False).returncode == 0


def test_parameters_for_predictions_are_those_of_the_snapshot_or_of_now():
    net = MLP((4, 3, 2))
    snapshot, before = net.snapshot(), [*net.weights]
    net.set_parameters([W + 1 for W in before], net.biases)
    for found, shift in ((net.state.predicting_layers(snapshot), 0),
                         (net.state.predicting_layers(), 1)):  # fmt: skip
        for (W, *_), old in zip(found, before, strict=True):
            np.testing.assert_array_equal(W, old + np.float32(shift))


@pytest.mark.parametrize("l2", [0.0, 0.5, 3.0])
def test_the_penalty_is_half_lambda_times_the_squares_of_the_weights(l2):
    net = MLP((4, 3, 2), dtype="float64")
    squares = [float((W**2).sum()) for W in net.weights]
    assert net.state.penalty(l2) == pytest.approx(l2 / 2 * sum(squares), rel=1e-12)
    weighted = l2 / 2 * (2 * squares[0] + 5 * squares[1])
    assert net.state.penalty(l2, (2, 5)) == pytest.approx(weighted, rel=1e-12)
    assert net.state.penalty(l2, squares=[1.0, 2.0]) == l2 / 2 * 3
