"""Many Python threads at once: the same bits as one after the other, and no corruption.

The kernels run without the interpreter's lock, so their calls overlap on any Python; where the
interpreter has none (3.13t, 3.14t), everything around them does too.
"""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP
from fastmlp.support import threads

Array = NDArray[Any]
N_THREADS = 8


def at_once(tasks: list[Callable[[], Any]]) -> list[Any]:
    """The results of tasks that begin together, a thread each."""
    start = threading.Barrier(len(tasks))

    def begin(task: Callable[[], Any]) -> Any:
        start.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(begin, tasks))


@pytest.fixture
def learned(classes: tuple[Array, Array]) -> MLP:
    net = MLP((6, 40, 30, 3), activation="gelu", batch_norm=[True, False], seed=2)
    net.fit(*classes, epochs=2, batch_size=23, ema=0.9)
    return net


@pytest.fixture
def threads_change() -> Iterator[None]:
    """Another thread sets the number of the kernels' threads all the while."""
    before, done = threads._chosen, threading.Event()

    def change() -> None:
        number = 1
        while not done.wait(0.0005):
            number = number % 4 + 1
            fastmlp.set_num_threads(number)

    changing = threading.Thread(target=change)
    changing.start()
    yield
    done.set()
    changing.join()
    threads._chosen = before


READING: dict[str, Callable[[MLP, Array, Array], Any]] = {
    "forward": lambda net, X, y: net.forward(X),
    "predict": lambda net, X, y: net.predict(X),
    "activations": lambda net, X, y: np.hstack(net.activations(X)),
    "cost": lambda net, X, y: net.cost(X, y, l2=0.1),
    "gradients": lambda net, X, y: np.concatenate(
        [one.ravel() for layer in net.gradients(X, y) for one in layer]
    ),
    "parameters": lambda net, X, y: np.concatenate([one.ravel() for one in net.weights]),
    "folded": lambda net, X, y: np.concatenate([one.ravel() for one in net.folded[0]]),
    "pickle": lambda net, X, y: pickle.loads(pickle.dumps(net)).forward(X),
    "copy": lambda net, X, y: copy.deepcopy(net).forward(X),
}


def train_and_look(seed: int, X: Array, y: Array) -> list[Array]:
    """Everything a thread does with a network of its own."""
    net = MLP((6, 24, 3), seed=seed, dropout=0.2)
    net.fit(X, y, epochs=4, batch_size=20, validation_data=0.2, optimizer=fastmlp.AdamW(0.01))
    gradients = [one.ravel() for pair in net.gradients(X, y) for one in pair]
    again = pickle.loads(pickle.dumps(net))
    again.fit(X, y, epochs=1)
    return [net.forward(X), np.concatenate(gradients), np.array(net.cost(X, y)), again.forward(X)]


def assert_same(found: Any, expected: Any) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_networks_of_their_own(classes: tuple[Array, Array], threads_change: None) -> None:
    expected = [train_and_look(seed, *classes) for seed in range(N_THREADS)]
    tasks = [lambda seed=seed: train_and_look(seed, *classes) for seed in range(N_THREADS)]
    for found, wanted in zip(at_once(tasks), expected, strict=True):
        assert_same(found, wanted)


@pytest.mark.parametrize("name", READING)
def test_one_network_is_read_by_all(
    learned: MLP, classes: tuple[Array, Array], threads_change: None, name: str
) -> None:
    X = np.tile(classes[0], (20, 1))
    y = np.tile(classes[1], 20)
    expected = READING[name](learned, X, y)
    tasks = [lambda: [READING[name](learned, X, y) for _ in range(3)]] * N_THREADS
    for found in at_once(tasks):
        assert_same(found, [expected] * 3)


@pytest.mark.parametrize("name", READING)
def test_one_network_is_first_read_by_all(
    learned: MLP, classes: tuple[Array, Array], name: str
) -> None:
    expected = READING[name](learned, *classes)
    for _ in range(20):
        unread = copy.deepcopy(learned)  # its weights are folded by whoever comes first
        tasks = [lambda net=unread: READING[name](net, *classes)] * N_THREADS
        for found in at_once(tasks):
            np.testing.assert_array_equal(found, expected)


def test_one_network_is_trained_by_one_at_a_time(classes: tuple[Array, Array]) -> None:
    shared = MLP((6, 64, 64, 3), seed=4)

    def train() -> bool:
        try:
            shared.fit(*classes, epochs=10, batch_size=10)
        except RuntimeError as error:
            assert "in training already" in str(error)
            return False
        return True

    n_trained = sum(at_once([train] * N_THREADS))
    assert n_trained >= 1
    alone = MLP((6, 64, 64, 3), seed=4)
    for _ in range(n_trained):
        alone.fit(*classes, epochs=10, batch_size=10)
    assert shared.epochs == alone.epochs == 10 * n_trained
    assert_same(shared.weights + shared.biases, alone.weights + alone.biases)


def test_predicting_from_a_network_in_training_harms_neither(
    classes: tuple[Array, Array],
) -> None:
    X, y = classes
    shared, alone = MLP((6, 64, 3), seed=4), MLP((6, 64, 3), seed=4)

    def look() -> bool:
        return all(
            np.allclose(shared.predict_proba(X).sum(axis=1), 1, rtol=1e-4) for _ in range(30)
        )

    def train() -> bool:
        return shared.fit(X, y, epochs=40, batch_size=10).epochs == 40

    assert all(at_once([train, *[look] * (N_THREADS - 1)]))
    alone.fit(X, y, epochs=40, batch_size=10)
    assert_same(shared.weights + shared.biases, alone.weights + alone.biases)


def test_a_network_changed_while_it_is_read_stays_one(classes: tuple[Array, Array]) -> None:
    X, y = classes
    net = MLP((6, 40, 30, 3), batch_norm=[True, False], seed=2)
    net.fit(X, y, epochs=1, batch_size=23, ema=0.9)
    parameters = net.weights, net.biases
    done = threading.Event()

    def change() -> None:
        for i in range(60):
            net.fit(X, y, epochs=1, batch_size=23, ema=0.9 if i % 3 else None,
                    reset_optimizer=True)
            if i % 5 == 4:
                net.set_parameters(*parameters)
        done.set()

    def switch() -> None:
        wanted = True
        while not done.is_set():
            try:
                net.use_average = wanted
            except ValueError as error:
                assert "there is no average" in str(error)
            wanted = not wanted

    def read() -> None:
        while not done.is_set():
            for look in READING.values():
                assert np.isfinite(look(net, X, y)).all()
            slots = net.state.optimizer_state()
            assert all(np.isfinite(one).all() for slot in slots for layer in slot for one in layer)

    at_once([change, switch, *[read] * (N_THREADS - 2)])


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="has a GIL")
def test_the_kernels_leave_a_free_threaded_interpreter_free() -> None:
    code = "import fastmlp, sys; print(sys._is_gil_enabled())"
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout == "False\n"
