"""Options of a fit, each against what it says."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP, Adam, Callback, EarlyStopping, GradientDescent, schedules
from fastmlp.data.batches import Batching
from fastmlp.data.examples import Examples
from fastmlp.training import FitConfig, loop

STILL = GradientDescent(0.0)  # the parameters stay


def parameters(net):
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


@pytest.mark.parametrize("kind", [schedules.OneCycle, schedules.LogCosine])
@pytest.mark.parametrize(("batch_size", "n_steps"), [(100, 6), (115, 4), (230, 2), (1000, 2)])
def test_a_curve_spans_all_steps_with_a_smaller_last_batch(classes, kind, batch_size, n_steps):
    own, of_fit = MLP((6, 4, 3)), MLP((6, 4, 3))
    own.fit(*classes, epochs=2, batch_size=batch_size, optimizer=Adam(kind(0.1)))
    of_fit.fit(
        *classes, epochs=2, batch_size=batch_size,
        optimizer=Adam(kind(0.1, total_steps=n_steps)),
    )
    np.testing.assert_array_equal(parameters(own), parameters(of_fit))


def test_a_later_call_begins_a_new_curve(classes):
    net, other = MLP((6, 4, 3)), MLP((6, 4, 3))
    for _ in range(2):
        net.fit(*classes, epochs=1, optimizer=Adam(schedules.Cosine(0.1)))

    class Twice(schedules.Schedule):
        name = "twice"

        def __call__(self, steps):
            return schedules.Cosine(0.1, total_steps=3)(steps % 3)

    other.fit(*classes, epochs=2, optimizer=Adam(Twice()))
    np.testing.assert_array_equal(parameters(net), parameters(other))


def test_the_cost_of_an_epoch_has_each_layer_s_penalty(classes):
    X, y = classes
    net = MLP((6, 4, 3), dtype="float64")
    history = net.fit(
        X, y, epochs=1, optimizer=STILL, l2=0.5, l2_multipliers=(2, 0.25), batch_size=50
    )
    penalty = 0.25 * sum(
        k * (W**2).sum() for k, W in zip((2, 0.25), net.weights, strict=True)
    )
    assert history.cost[0] == pytest.approx(net.cost(X, y) + penalty, rel=1e-12)


@pytest.mark.parametrize("above", [False, True])
def test_training_stops_below_a_cost_and_not_at_it(classes, above):
    def fit(**options):
        return MLP((6, 4, 3)).fit(*classes, epochs=3, optimizer=STILL, shuffle=False, **options)

    cost = fit().cost[0]
    history = fit(cost_below=np.nextafter(cost, 9) if above else cost)
    expected = ("cost_below", 1) if above else ("epochs", 3)
    assert (history.stopped_by, history.epochs) == expected


def test_a_negative_cost_stops_nothing_by_itself(rng):
    X, y = rng.normal(size=(40, 2)), rng.poisson(50, size=40)
    net = MLP((2, 1), loss="poisson", init=([[[0.0, 0.0]]], [[4.0]]))
    history = net.fit(X, y, epochs=3, optimizer=STILL)
    assert history.cost[0] < 0
    assert (history.epochs, history.stopped_by) == (3, "epochs")


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "quantile"])
def test_labels_of_classifiers_only_can_be_smoothed(rng, loss):
    net = MLP((2, 3), loss=loss)
    with pytest.raises(ValueError, match=f"label_smoothing is for classification.*{loss}"):
        net.fit(rng.normal(size=(5, 2)), np.ones((5, 3)), label_smoothing=0.1)


@pytest.mark.parametrize("place", [0, 1])
def test_other_callbacks_see_the_best_parameters_at_the_end(classes, place):
    class Spy(Callback):
        def on_fit_end(self, net, history):
            self.cost = net.cost(*classes)

    spy, stopping = Spy(), EarlyStopping(monitor="cost", patience=1, min_delta=1e9)
    callbacks = [spy]
    callbacks.insert(place, stopping)
    net = MLP((6, 4, 3))
    history = net.fit(*classes, epochs=9, callbacks=callbacks)
    assert (history.epochs, stopping.best_epoch) == (2, 1)
    assert spy.cost == net.cost(*classes)


def test_unfinished_batches_count_those_of_earlier_chunks(classes, monkeypatch):
    X, y = classes
    clock = [0.0]

    def now():
        clock[0] += 1e-6
        return clock[0]

    def chunks():
        yield X[:100], y[:100]
        clock[0] = 100.0
        yield X[100:], y[100:]

    monkeypatch.setattr(loop, "perf_counter", now)
    net = MLP((6, 4, 3))
    history = net.fit(chunks, epochs=2, batch_size=20, max_seconds=50)
    assert (history.stopped_by, history.epochs) == ("max_seconds", 0)
    assert 5 < history.unfinished_batches < 12


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("seeds", [(), (3,)], ids=str)
def test_a_process_with_a_seed_of_its_own_shuffles_only_if_asked_to(net, classes, seeds, shuffle):
    """The order of the first epoch; `seeds` are in addition to the network's."""
    m = len(classes[1])
    source = Examples.checked(net.state, *classes)
    config = FitConfig.checked(net.state.spec, shuffle=shuffle)
    batching = Batching.of(source, None, config.batch_size)
    run = loop.Run(net, config, source, None, batching, None, (), seeds=seeds)
    [(_, order, _)] = run.pieces(source)
    stream = np.random.default_rng([net.seed, 0, *seeds])
    np.testing.assert_array_equal(order, stream.permutation(m) if shuffle else np.arange(m))
