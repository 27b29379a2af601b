"""Several fits at once: of one network never, of several as if alone."""

from __future__ import annotations

import threading

import numpy as np

from fastmlp import MLP


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
