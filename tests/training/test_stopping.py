"""What ends a training: stopping, callbacks, Ctrl-C, divergence; and several fits at once."""

from __future__ import annotations

import _thread
import math
import signal
import threading
import warnings

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Adam, Callback, EarlyStopping, GradientDescent
from fastmlp.schedules import Step


def parameters(net: MLP) -> np.ndarray:
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


class Recorder(Callback):
    """Notes every call, and may stop after some epochs."""

    def __init__(self, stop_after: float = math.inf) -> None:
        self.calls: list[str] = []
        self.stop_after = stop_after

    def on_fit_begin(self, net, history):
        self.calls.append("begin")

    def on_epoch_end(self, net, history):
        self.calls.append(f"epoch {history.epochs}")
        return history.epochs >= self.stop_after

    def on_fit_end(self, net, history):
        self.calls.append(f"end: {history.stopped_by}")


class Doing(Callback):
    """Does something at the end of each epoch."""

    def __init__(self, action) -> None:
        self.action = action

    def on_epoch_end(self, net, history):
        self.action()


def interrupt():
    raise KeyboardInterrupt


# ------------------------------------------------------------------------------ stopping


def test_small_cost_stops_training(net, classes):
    history = net.fit(*classes, epochs=500, optimizer=Adam(0.01), cost_below=0.5)
    assert history.stopped_by == "cost_below"
    assert history.cost[-1] < 0.5 <= min(history.cost[:-1])


def test_time_stops_training(net, classes):
    history = net.fit(*classes, epochs=10**9, max_seconds=0.05)
    assert history.stopped_by == "max_seconds"
    assert len(history.cost) == len(history.learning_rate) == len(history.seconds)


def test_time_stops_training_within_an_epoch(rng):
    net = MLP((20, 64, 2))
    X, y = rng.normal(size=(50_000, 20)), rng.integers(0, 2, 50_000)
    history = net.fit(X, y, epochs=1, batch_size=1, max_seconds=0.01)
    assert (history.stopped_by, history.epochs) == ("max_seconds", 0)
    assert 0 < net.state.steps < 50_000
    assert np.isfinite(parameters(net)).all()


@pytest.mark.parametrize("wanted", [3, EarlyStopping(patience=3)], ids=["number", "object"])
def test_early_stopping_goes_back_to_the_best_parameters(rng, wanted):
    X, y = rng.normal(size=(60, 6)), rng.integers(0, 3, 60)  # nothing to learn but noise
    held_out = rng.normal(size=(200, 6)), rng.integers(0, 3, 200)
    net = MLP((6, 32, 3))
    history = net.fit(
        X, y, epochs=500, optimizer=Adam(0.01), validation_data=held_out, early_stopping=wanted
    )
    assert history.stopped_by == "EarlyStopping"
    assert int(np.argmin(history.validation_cost)) == history.epochs - 4
    assert net.cost(*held_out) == min(history.validation_cost)


def test_early_stopping_is_off_or_on(net, classes):
    assert net.fit(*classes, epochs=1, early_stopping=False).stopped_by == "epochs"
    with pytest.raises(ValueError, match="watches validation_cost.*give validation_data"):
        net.fit(*classes, early_stopping=True)


def test_early_stopping_needs_the_figure_it_watches(curve):
    net = MLP((2, 8, 1), loss="squared_error")
    with pytest.raises(ValueError, match="validation_accuracy.*one of cost, validation_cost"):
        net.fit(
            *curve,
            validation_data=0.2,
            callbacks=[EarlyStopping(monitor="validation_accuracy")],
        )


# ----------------------------------------------------------------------------- callbacks


def test_callbacks_are_called_in_order_and_one_may_stop_training(net, classes):
    first, second = Recorder(stop_after=2), Recorder()
    history = net.fit(*classes, epochs=9, callbacks=[first, second])
    expected = ["begin", "epoch 1", "epoch 2", "end: Recorder"]
    assert first.calls == second.calls == expected
    assert history.stopped_by == "Recorder"


def test_error_in_a_callback_ends_training_and_comes_through(net, classes):
    recorder = Recorder()
    with pytest.raises(ZeroDivisionError):
        net.fit(*classes, callbacks=[recorder, Doing(lambda: 1 // 0)])
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
        ([Recorder], r"callbacks\[0\] must be an object"),
        (Recorder(), "callbacks must be a list"),
    ],
)
def test_things_that_are_no_callbacks_are_refused(net, classes, callbacks, message):
    with pytest.raises(TypeError, match=message):
        net.fit(*classes, callbacks=callbacks)


# ------------------------------------------------------- Ctrl-C, divergence, several fits


def test_interrupt_keeps_what_was_learned(net, classes):
    recorder = Recorder()
    with pytest.warns(UserWarning, match="interrupted, whole epochs done: 1"):
        history = net.fit(*classes, callbacks=[recorder, Doing(interrupt)])
    assert (history.epochs, history.stopped_by) == (1, "interrupt")
    assert recorder.calls[-1] == "end: interrupt"
    assert net.fit(*classes, epochs=1).stopped_by == "epochs"


def test_warning_about_an_interrupt_points_at_the_call(net, classes):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.fit(*classes, callbacks=[Doing(interrupt)])
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


def test_divergence_restores_the_parameters_and_names_the_place(net, classes):
    """Two epochs of five batches go well, then the rate explodes at the second batch."""
    rate = Step(0.01, every=11, factor=1e30)
    recorder = Recorder()
    good = MLP((6, 16, 3), seed=1)
    good.fit(*classes, epochs=2, batch_size=50, optimizer=GradientDescent(0.01))
    with pytest.raises(fastmlp.TrainingDiverged, match="Lower the learning rate") as caught:
        net.fit(
            *classes, epochs=9, batch_size=50, optimizer=GradientDescent(rate), callbacks=[recorder]
        )
    assert (caught.value.epoch, caught.value.batch in (2, 3)) == (3, True)
    assert caught.value.history is net.history
    assert (net.history.epochs, net.history.stopped_by) == (2, "divergence")
    assert recorder.calls[-1] == "end: divergence"
    np.testing.assert_array_equal(parameters(net), parameters(good))
    assert isinstance(caught.value, ArithmeticError)


@pytest.mark.parametrize("optimizer", [Adam(1e38), GradientDescent(1e38, momentum=0.9)])
def test_training_can_go_on_after_divergence(net, classes, optimizer):
    with pytest.raises(fastmlp.TrainingDiverged):
        net.fit(*classes, epochs=50, optimizer=optimizer)
    net.fit(*classes, epochs=30, batch_size=20, optimizer=type(optimizer)(0.01))
    assert (net.predict(classes[0]) == classes[1]).mean() > 0.9


def test_network_trains_in_one_thread_at_a_time(net, classes):
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

    net.fit(*classes, epochs=1, callbacks=[Doing(train), Doing(train_elsewhere)])
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
