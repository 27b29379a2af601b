"""How fit calls callbacks, and what these may do to the network in training."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP, Callback


def parameters(net: MLP) -> np.ndarray:
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


def test_callbacks_are_called_in_order_and_one_may_stop_training(net, classes, recorder):
    first, second = recorder(stop_after=2), recorder()
    history = net.fit(*classes, epochs=9, callbacks=[first, second])
    expected = ["begin", "epoch 1", "epoch 2", "end: Recorder"]
    assert first.calls == second.calls == expected
    assert history.stopped_by == "Recorder"


def test_error_in_a_callback_ends_training_and_comes_through(net, classes, recorder, doing):
    recorder = recorder()
    with pytest.raises(ZeroDivisionError):
        net.fit(*classes, callbacks=[recorder, doing(lambda: 1 // 0)])
    assert recorder.calls == ["begin", "epoch 1", "end: error"]
    assert net.fit(*classes, epochs=1).stopped_by == "epochs"


def test_callback_may_change_the_parameters(net, classes):
    class Zero(Callback):
        def on_epoch_end(self, net, history):
            net.set_parameters([W * 0 for W in net.weights], [b * 0 for b in net.biases])

    net.fit(*classes, epochs=1, callbacks=[Zero()])
    assert not parameters(net).any()


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([print], r"callbacks\[0\] must be an object of a subclass of fastmlp.Callback"),
        ([Callback], r"callbacks\[0\] must be an object"),
        (Callback(), "callbacks must be a list"),
    ],
)
def test_things_that_are_no_callbacks_are_refused(net, classes, callbacks, message):
    with pytest.raises(TypeError, match=message):
        net.fit(*classes, callbacks=callbacks)
