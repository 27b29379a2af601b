"""Setting parameters drops their average in one change: no reader sees a state between the two."""

import threading

import numpy as np

from fastmlp import MLP


def test_a_reader_beside_set_parameters_sees_no_dropped_average_with_old_parameters(monkeypatch):
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    net = MLP((4, 8, 3))
    net.fit(X, np.arange(60) % 3, epochs=2, batch_size=10, ema=0.9)
    before, weights = net.forward(X), [2 * W for W in net.weights]
    drop, seen, done = net.state.drop_averages, [], threading.Event()

    def read() -> None:
        seen.append(net.forward(X))
        done.set()

    def drop_beside_a_reader() -> None:
        drop()
        threading.Thread(target=read).start()
        done.wait(0.5)  # the reader must wait for the end of the change

    monkeypatch.setattr(net.state, "drop_averages", drop_beside_a_reader)
    net.set_parameters(weights, net.biases)
    assert done.wait(60)
    after = net.forward(X)
    assert any(np.array_equal(seen[0], one) for one in (before, after))
