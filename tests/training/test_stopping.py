"""What ends a fit: a small cost, the time, early stopping, divergence."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Adam, AdamW, EarlyStopping, GradientDescent, RMSprop
from fastmlp.schedules import Step


def parameters(net: MLP) -> np.ndarray:
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


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
    with pytest.raises(ValueError, match="choose .*'cost'. or .*'validation_cost'.$"):
        net.fit(
            *curve,
            validation_data=0.2,
            callbacks=[EarlyStopping(monitor="validation_accuracy")],
        )


# ------------------------------------------------------------------------- divergence


def test_divergence_of_a_regression_may_be_due_to_its_targets(curve):
    net = MLP((2, 1), loss="squared_error")
    with pytest.raises(fastmlp.TrainingDiverged, match="or scale X, and the targets of a regr"):
        net.fit(curve[0], np.full(len(curve[0]), 1e30))


def test_divergence_restores_the_parameters_and_names_the_place(net, classes, recorder):
    """Two epochs of five batches go well, then the rate explodes at the second batch."""
    rate = Step(0.01, every=11, factor=1e30)
    recorder = recorder()
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


@pytest.mark.parametrize(
    "optimizer",
    [GradientDescent(3e38), GradientDescent(3e38, 0.5), Adam(3e38), AdamW(3e38), RMSprop(3e38)],
    ids=str,
)
def test_an_update_to_an_infinite_weight_is_divergence_though_the_cost_was_finite(optimizer):
    """−3e38 − 3e38 is −∞ in float32; the only cost of the fit, before the update, is 3e37."""
    net = MLP((1, 1), loss="absolute_error", dtype="float32")
    net.set_parameters([np.array([[-3e38]])], [np.zeros(1)])
    with pytest.raises(fastmlp.TrainingDiverged):
        net.fit(np.ones((1, 1)), np.array([-3.3e38]), epochs=1, optimizer=optimizer)
    assert net.weights[0] == np.float32(-3e38)
