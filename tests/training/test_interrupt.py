"""Ctrl-C during a fit: what was learned stays, and the network can be trained again."""

from __future__ import annotations

import _thread
import signal
import threading
import warnings

import numpy as np
import pytest

from fastmlp import MLP, Callback


def parameters(net: MLP) -> np.ndarray:
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


def interrupt():
    raise KeyboardInterrupt


def test_interrupt_keeps_what_was_learned(net, classes, recorder, doing):
    recorder = recorder()
    with pytest.warns(UserWarning, match="interrupted, whole epochs done: 1"):
        history = net.fit(*classes, callbacks=[recorder, doing(interrupt)])
    assert (history.epochs, history.stopped_by) == (1, "interrupt")
    assert recorder.calls[-1] == "end: interrupt"
    assert net.fit(*classes, epochs=1).stopped_by == "epochs"


def test_warning_about_an_interrupt_points_at_the_call(net, classes, doing):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.fit(*classes, callbacks=[doing(interrupt)])
    assert caught[0].filename == __file__


@pytest.fixture
def ctrl_c():
    """Ctrl-C does what Python makes of it, also where pytest was started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupt_acts_within_an_epoch(rng, ctrl_c):
    """Without it this would go on for minutes."""
    X, y = rng.normal(size=(3000, 100)).astype(np.float32), rng.integers(0, 2, 3000)
    net = MLP((100, 1000, 1000, 2))

    class PressLater(Callback):
        def on_fit_begin(self, net, history):
            threading.Thread(target=_thread.interrupt_main).start()

    with pytest.warns(UserWarning, match="interrupted"):
        history = net.fit(X, y, batch_size=1, epochs=100, callbacks=[PressLater()])
    assert history.stopped_by == "interrupt"
    assert np.isfinite(parameters(net)).all()
