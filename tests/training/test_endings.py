"""How a fit ends: the deadline, the callback that stops it, divergence."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Adam, Callback, EarlyStopping, GradientDescent, TrainingDiverged
from fastmlp.model.state import ModelState
from fastmlp.training import FitConfig, endings, loop


def parameters(net):
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


# ------------------------------------------------------------------------------ deadline


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1e-6  # so that no time span is zero
        return self.now


def test_an_epoch_does_not_begin_after_the_deadline(monkeypatch, classes, net):
    clock = Clock()
    monkeypatch.setattr(loop, "perf_counter", clock)

    class Late(Callback):
        def on_epoch_end(self, net, history):
            clock.now = 60.0
            self.parameters = parameters(net)

    late = Late()
    history = net.fit(*classes, epochs=5, max_seconds=50, callbacks=[late])
    assert (history.stopped_by, history.epochs, history.unfinished_batches) == ("max_seconds", 1, 0)
    assert net.epochs == 1
    np.testing.assert_array_equal(parameters(net), late.parameters)


def test_a_fit_within_its_time_trains_all_epochs(monkeypatch, classes, net):
    monkeypatch.setattr(loop, "perf_counter", Clock())
    history = net.fit(*classes, epochs=3, max_seconds=50)
    assert (history.stopped_by, history.epochs) == ("epochs", 3)


# ----------------------------------------------------------------------------- callbacks


class First(Callback):
    """Stops after an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.calls = 0

    def on_epoch_end(self, net, history):
        self.calls += 1
        return history.epochs == self.epoch


class Second(First):
    """The same by another name."""


@pytest.mark.parametrize(
    ("epochs", "stopped_by", "n_epochs"),
    [((2, 2), "First", 2), ((9, 2), "Second", 2), ((1, 2), "First", 1), ((2, 1), "Second", 1)],
)
def test_the_first_callback_that_stops_is_named(classes, net, epochs, stopped_by, n_epochs):
    callbacks = [First(epochs[0]), Second(epochs[1])]
    history = net.fit(*classes, epochs=5, callbacks=callbacks)
    assert (history.stopped_by, history.epochs) == (stopped_by, n_epochs)
    assert [one.calls for one in callbacks] == [n_epochs, n_epochs]


def test_a_low_cost_goes_before_a_callback(classes, net):
    history = net.fit(*classes, epochs=5, cost_below=1e9, callbacks=[First(1)])
    assert history.stopped_by == "cost_below"


# ---------------------------------------------------------------------------- divergence


@pytest.mark.parametrize("optimizer", [Adam(0.01), GradientDescent(0.05, momentum=0.9)], ids=str)
def test_the_optimizer_begins_anew_after_a_divergence(classes, optimizer):
    X, y = classes

    def fit(net, rate=None, **options):
        used = optimizer if rate is None else type(optimizer)(rate, *optimizer.constants[:1])
        return net.fit(X, y, epochs=1, optimizer=used, shuffle=False, **options)

    diverged, other = MLP((6, 16, 3), seed=1), MLP((6, 16, 3), seed=1)
    fit(diverged)
    fit(other)
    with pytest.raises(TrainingDiverged):
        fit(diverged, 1e38)
    np.testing.assert_array_equal(parameters(diverged), parameters(other))
    fit(diverged)
    fit(other, reset_optimizer=True)
    np.testing.assert_array_equal(parameters(diverged), parameters(other))


@pytest.mark.parametrize("epochs", [1, 5], ids=["an epoch at once", "several"])
def test_ctrl_c_just_after_a_divergence_keeps_the_last_good_parameters(
    classes, monkeypatch, epochs
):
    def fit(net, rate, **options):
        options = {"epochs": epochs, "shuffle": False, "ema": 0.9, **options}
        net.fit(*classes, optimizer=Adam(rate), **options)

    diverged, other = (MLP((6, 16, 3), batch_norm=True, seed=1) for _ in range(2))
    fit(diverged, 0.01)
    fit(other, 0.01)
    for name in ("train", "train_epochs"):
        train = getattr(ModelState, name)
        monkeypatch.setattr(ModelState, name, then_interrupted(train))
    with pytest.warns(UserWarning, match="Training interrupted"):
        fit(diverged, 1e38)
    monkeypatch.undo()
    assert diverged.state.snapshot().tobytes() == other.state.snapshot().tobytes()
    fit(diverged, 0.01)
    fit(other, 0.01, reset_optimizer=True)
    assert diverged.state.snapshot().tobytes() == other.state.snapshot().tobytes()


def then_interrupted(train):
    """Train, and be interrupted by Ctrl-C before anything else."""

    def interrupted(*arguments):
        train(*arguments)
        raise KeyboardInterrupt

    return interrupted


def test_the_history_after_a_divergence_has_no_unfinished_batches(classes, net):
    with pytest.raises(TrainingDiverged) as error:
        net.fit(*classes, optimizer=GradientDescent(1e38), batch_size=50)
    assert error.value.history is net.history
    assert (net.history.unfinished_batches, net.history.stopped_by) == (0, "divergence")
    assert error.value.epoch == 1
    assert f"epoch 1, batch {error.value.batch}" in str(error.value)
    assert 1 <= error.value.batch <= 5


def test_batches_before_ctrl_c_are_counted(classes, net, monkeypatch):
    net.fit(*classes, epochs=1, batch_size=100)
    monkeypatch.setattr(ModelState, "train", then_interrupted(ModelState.train))
    with pytest.warns(UserWarning, match="Training interrupted"):
        history = net.fit(*classes, epochs=1, batch_size=100)
    assert (history.epochs, history.unfinished_batches) == (0, 3)


def test_a_fit_that_diverges_as_another_thread_stops_it_has_no_unfinished_batches(classes, net):
    stop = endings.Stop()

    class StopWithin(Callback):
        def on_fit_begin(self, net, history):
            state, train = net.state, net.state.train
            state.train = lambda *arguments: (train(*arguments), stop.set())[0]

    config = FitConfig.checked(net.state.spec, optimizer=GradientDescent(1e38), epochs=1)
    history = loop.fit(net, *classes, config, callbacks=[StopWithin()], stop=stop)
    assert (history.stopped_by, history.unfinished_batches) == ("stopped", 0)


# ----------------------------------------------------------------------------- batch norm


def test_one_row_left_over_is_fine_where_normalized_layers_are_frozen(classes):
    X, y = classes[0][:201], classes[1][:201]
    net = MLP((6, 16, 8, 3), batch_norm=[True, False])
    with pytest.raises(ValueError, match="201 examples in batches of 100 leave one alone"):
        net.fit(X, y, epochs=1)
    net.freeze(0)
    assert net.fit(X, y, epochs=1).epochs == 1


def test_one_row_left_over_is_refused_where_another_normalized_layer_trains(classes):
    net = MLP((6, 16, 8, 3), batch_norm=True)
    net.freeze(0)
    with pytest.raises(ValueError, match="leave one alone"):
        net.fit(classes[0][:201], classes[1][:201], epochs=1)


# ----------------------------------------------------------------------------- validation


@pytest.mark.parametrize("size", [1, 1e-4])
def test_validation_figures_are_weighted_means(classes, size):
    X, y = classes
    weight = size * np.linspace(0.1, 5, len(X))
    net = MLP((6, 16, 3), seed=1)
    history = net.fit(X, y, epochs=1, validation_data=0.3, sample_weight=weight)
    rng = np.random.default_rng(np.random.SeedSequence(1, spawn_key=(2,)))
    held_out = np.sort(rng.permutation(len(X))[: round(0.3 * len(X))])
    correct = net.predict(X[held_out]) == y[held_out]
    expected = np.average(correct, weights=weight[held_out])
    assert history.validation_accuracy[-1] == pytest.approx(expected, rel=1e-6)
    assert expected != pytest.approx(correct.mean(), rel=1e-6)
    assert history.validation_cost[-1] == pytest.approx(
        net.cost(X[held_out], y[held_out], sample_weight=weight[held_out]), rel=1e-6
    )


def test_validation_figures_of_a_map_are_those_of_an_array(
    classes, tmp_path, mapped, small_chunks
):
    X, y = classes
    of_array = MLP((6, 16, 3)).fit(X, y, epochs=2, validation_data=(X, y))
    of_map = MLP((6, 16, 3)).fit(
        X, y, epochs=2, validation_data=(mapped(tmp_path / "X.npy", X), y)
    )
    assert of_map.validation_cost == pytest.approx(of_array.validation_cost, rel=1e-12)
    assert of_map.validation_accuracy == of_array.validation_accuracy


def test_the_learning_rate_of_the_history_is_that_of_the_last_step(classes, net):
    schedule = fastmlp.schedules.Exponential(0.1, every=1, factor=0.5)
    history = net.fit(*classes, epochs=2, batch_size=100, optimizer=Adam(schedule))  # 3 steps each
    assert history.learning_rate == [0.1 * 0.5**2, 0.1 * 0.5**5]


# ---------------------------------------------------------- reasons, and what can be monitored


@pytest.mark.parametrize("has_stop", [True, False])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyboardInterrupt(), "interrupt"),
        (TrainingDiverged("the cost is NaN", 1, 1, fastmlp.History()), "divergence"),
        (MemoryError(), "error"),
    ],
)
def test_an_error_is_named_as_the_reason_of_the_end(error, reason, has_stop):
    assert endings.reason_of(error, endings.Stop() if has_stop else None) == reason


def test_a_fit_that_another_thread_stops_is_named_by_the_stop():
    stop = endings.Stop()
    stop.reason = "the first error"
    assert endings.reason_of(endings.Stopped(), stop) == "the first error"


@pytest.mark.parametrize(
    ("loss", "has_validation", "figures"),
    [
        ("cross_entropy", False, {"cost"}),
        ("squared_error", True, {"cost", "validation_cost"}),
        ("cross_entropy", True, {"cost", "validation_cost", "validation_accuracy"}),
    ],
)
def test_early_stopping_monitors_the_figures_of_the_fit(loss, has_validation, figures):
    spec = MLP((2, 3), loss=loss).state.spec
    for figure in ("cost", "validation_cost", "validation_accuracy"):
        stopping = [EarlyStopping(monitor=figure)]
        if figure in figures:
            endings.require_monitored(stopping, spec, has_validation)
        else:
            remedy = "choose" if has_validation else "give validation_data, or"
            others = " or ".join(f"EarlyStopping(monitor={one!r})" for one in sorted(figures))
            with pytest.raises(ValueError) as caught:
                endings.require_monitored(stopping, spec, has_validation)
            assert str(caught.value).endswith(f"does not have; {remedy} {others}")


def test_only_weights_that_add_up_to_nothing_are_refused():
    endings.require_weight(1.0)
    with pytest.raises(ValueError, match="^sample_weight is zero for every example$"):
        endings.require_weight(0.0)
