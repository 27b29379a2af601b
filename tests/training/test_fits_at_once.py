"""Fits at once: of one network never, of several as if alone; and what goes on beside a fit."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from fastmlp import MLP, Checkpoint, EarlyStopping
from fastmlp.callbacks import Progress
from fastmlp.tracking import TensorBoard

OF_ONE_NETWORK = {
    "EarlyStopping": lambda folder: EarlyStopping(monitor="cost"),
    "Checkpoint": lambda folder: Checkpoint(folder / "net.npz"),
    "Progress": lambda folder: Progress(2),
    "TensorBoard": TensorBoard,
}


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


@pytest.mark.parametrize("name", OF_ONE_NETWORK)
def test_a_callback_that_remembers_is_in_one_fit_at_a_time(classes, doing, tmp_path, name):
    """Early stopping would leave one network untouched, or with the parameters of the other."""
    callback, errors = OF_ONE_NETWORK[name](tmp_path), []
    outer, inner = MLP((6, 16, 3)), MLP((6, 16, 3), seed=1)

    def train():
        with pytest.raises(RuntimeError, match=f"this {name} is in a fit of another network"):
            inner.fit(*classes, callbacks=[EarlyStopping(monitor="cost"), callback])
        errors.append(name)

    def train_elsewhere():
        other = threading.Thread(target=train)
        other.start()
        other.join()

    history = outer.fit(
        *classes, epochs=2, callbacks=[callback, doing(train), doing(train_elsewhere)]
    )
    assert (history.epochs, len(errors), inner.epochs) == (2, 4, 0)
    inner.fit(*classes, epochs=2, callbacks=[callback, callback])
    assert inner.epochs == 2


BESIDE = """
import threading
import numpy as np
import fastmlp

X = np.random.default_rng(0).normal(size=(4000, 100)).astype(np.float32)
y = np.arange(4000) % 5
net = fastmlp.MLP((100, 256, 256, 5), batch_norm=True)
done = threading.Event()


def again(function):
    def work():
        while not done.is_set():
            function()

    return threading.Thread(target=work)


others = [
    again(lambda: net.gradients(X[:200], y[:200], training=True)),
    again(lambda: net.cost(X[:200], y[:200], training=True)),
    again(lambda: (net.freeze([1]), net.unfreeze())),
]
for thread in others:
    thread.start()
for _ in range(5):
    net.fit(X, y, epochs=2, n_threads=2)
done.set()
for thread in others:
    thread.join()
assert net.epochs == 10 and all(np.isfinite(W).all() for W in net.weights)
"""


def test_a_fit_ends_beside_gradients_and_freezing():
    """In a process of its own: what is tested for is a wait without end."""
    subprocess.run([sys.executable, "-c", BESIDE], check=True, timeout=120)


def test_training_gradients_beside_a_fit_change_nothing_of_it(classes):
    net, alone = (MLP((6, 64, 3), batch_norm=True, dropout=0.2) for _ in range(2))
    done = threading.Event()

    def look():
        while not done.is_set():
            net.gradients(*classes, 0.3, training=True)

    other = threading.Thread(target=look)
    other.start()
    options = {"epochs": 40, "batch_size": 20, "rate_multipliers": [0.5, 2.0], "ema": 0.9}
    net.fit(*classes, **options)
    done.set()
    other.join()
    alone.fit(*classes, **options)
    np.testing.assert_array_equal(parameters(net), parameters(alone))
