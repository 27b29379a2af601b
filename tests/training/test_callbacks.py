"""How fit calls callbacks, and what these may do to the network in training."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

from fastmlp import MLP, Adam, AdamW, Callback, EarlyStopping, schedules


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


# ------------------------------------------------------------------------- on_fit_end


class Failing(Callback):
    """Raises when the fit has ended."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def on_fit_end(self, net, history):
        raise self.error


ENDINGS = [OSError("disk full"), KeyboardInterrupt(), SystemExit()]


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("error", ENDINGS, ids=repr)
def test_every_callback_hears_of_the_end_whatever_another_raises(
    net, classes, recorder, place, error
):
    callbacks = [recorder(), recorder()]
    others = list(callbacks)
    callbacks.insert(place, Failing(error))
    stopping = EarlyStopping(patience=2, monitor="cost", min_delta=1e9)  # never improves
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(*classes, epochs=3, callbacks=callbacks, early_stopping=stopping)
    except BaseException as caught:
        assert caught is error
    else:
        assert isinstance(error, KeyboardInterrupt)  # which ends a fit with a warning
    assert [one.calls[-1] for one in others] == ["end: EarlyStopping"] * 2
    assert net.fit(*classes, epochs=1).stopped_by == "epochs"


def test_the_first_error_of_the_end_comes_through(net, classes):
    errors = [OSError("first"), ValueError("second")]
    with pytest.raises(OSError, match="^first$"):
        net.fit(*classes, epochs=1, callbacks=[Failing(error) for error in errors])
    assert net.history.stopped_by == "epochs"


def test_what_ended_the_fit_comes_through_with_the_errors_of_the_end_as_notes(
    net, classes, doing
):
    callbacks = [doing(lambda: 1 // 0), Failing(OSError("disk full"))]
    with pytest.raises(ZeroDivisionError) as caught:
        net.fit(*classes, callbacks=callbacks)
    assert caught.value.__notes__ == [
        "on_fit_end of a callback then failed too: OSError('disk full')"
    ]


@pytest.mark.parametrize("place", ["before", "behind"])
def test_callbacks_see_the_best_parameters_at_the_end_wherever_early_stopping_stands(rng, place):
    X, y = rng.normal(size=(60, 6)), rng.integers(0, 3, 60)  # nothing to learn but noise
    validation = rng.normal(size=(200, 6)), rng.integers(0, 3, 200)

    class AtTheEnd(Callback):
        def on_fit_end(self, net, history):
            self.cost = net.cost(*validation)

    seen, stopping = AtTheEnd(), EarlyStopping(patience=3)
    callbacks = [stopping, seen] if place == "before" else [seen, stopping]
    net = MLP((6, 32, 3))
    options = {"epochs": 500, "optimizer": Adam(0.01), "validation_data": validation}
    history = net.fit(X, y, callbacks=callbacks, **options)
    assert history.stopped_by == "EarlyStopping"
    assert seen.cost == min(history.validation_cost) < history.validation_cost[-1]


def test_the_first_of_the_callbacks_that_stop_is_named(net, classes):
    class First(Callback):
        def on_epoch_end(self, net, history):
            return history.epochs == 2

    class Second(First):
        pass

    assert net.fit(*classes, callbacks=[Second(), First()]).stopped_by == "Second"


# ------------------------------------------------------------------ reading in a callback

RICH = {
    "label_smoothing": 0.1, "max_norm": 2.0, "clip_norm": 1.0, "ema": 0.9, "l2": 0.01,
    "rate_multipliers": [0.0, 1.0, 0.5], "l2_multipliers": [0.0, 1.0, 2.0],
    "bias_rate_multipliers": 0.5, "dropout_schedule": schedules.FlatCosine(1),
    "optimizer": AdamW(weight_decay=schedules.FlatCosine(0.1)),
}  # fmt: skip
READINGS = {
    "predict": lambda net, X, y: net.predict(X),
    "cost": lambda net, X, y: net.cost(X, y),
    "training cost": lambda net, X, y: net.cost(X, y, training=True),
    "gradients": lambda net, X, y: net.gradients(X, y),
    "training gradients": lambda net, X, y: net.gradients(X, y, 0.3, training=True),
    "input gradients": lambda net, X, y: net.gradients(X, y, wrt="input", training=True),
    "snapshot and restore": lambda net, X, y: net.restore(net.snapshot()),
    "copy": lambda net, X, y: copy.deepcopy(net).fit(X, y, epochs=1),
    "freezing": lambda net, X, y: (net.freeze(0), net.unfreeze()),
    "a second fit": lambda net, X, y: refused(net, X, y),
}


def refused(net, X, y):
    with pytest.raises(RuntimeError, match="in training already"):
        net.fit(X, y, label_smoothing=0.5, rate_multipliers=[1, 1, 1])


@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)
def test_reading_in_a_callback_changes_nothing_about_the_fit(classes, state, doing, reading):
    def trained(action):
        net = MLP((6, 16, 16, 3), seed=1, batch_norm=[True, False], dropout=0.1)
        net.fit(*classes, epochs=4, batch_size=50, callbacks=[doing(lambda: action(net))], **RICH)
        return net

    alone = trained(lambda net: None)
    assert state(trained(lambda net: reading(net, *classes))) == state(alone)


def test_what_a_callback_reads_is_the_network_so_far(net, classes):
    X, y = classes

    class Look(Callback):
        def on_epoch_end(self, net, history):
            assert net.cost(X, y) == history.validation_cost[-1]
            assert np.mean(net.predict(X) == y) == history.validation_accuracy[-1]

    assert net.fit(X, y, epochs=3, validation_data=(X, y), callbacks=[Look()]).epochs == 3


def test_layers_frozen_in_a_callback_train_until_the_next_fit(net, classes, doing):
    X, y = classes
    first = net.weights[0]
    net.fit(X, y, epochs=2, callbacks=[doing(lambda: net.freeze(0))])
    second = net.weights[0]
    assert not np.array_equal(first, second)
    net.fit(X, y, epochs=1)
    np.testing.assert_array_equal(net.weights[0], second)
