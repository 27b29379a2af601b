"""Several short epochs in one call of the engine: the bits and the record of one after another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from fastmlp import MLP, Adam, AdamW, Callback, GradientDescent, TrainingDiverged
from fastmlp.encodings import OneHot
from fastmlp.model.state import ModelState
from fastmlp.schedules import Cosine, Schedule
from fastmlp.support import threads
from fastmlp.training import loop

N_EPOCHS = 6


@pytest.fixture
def calls(monkeypatch):
    """The numbers of epochs of the engine's calls for several; a slice lasts for all of them."""
    found = []
    original = ModelState.train_epochs

    def spy(state, data, batches, *rest):
        progress = original(state, data, batches, *rest)
        found.append(len(progress.epochs))
        return progress

    monkeypatch.setattr(ModelState, "train_epochs", spy)
    monkeypatch.setattr(loop, "SLICE", 60.0)
    return found


def dense(classes):
    return classes


def as_sparse(classes):
    X, y = classes
    return sparse.csr_matrix(np.where(np.abs(X) < 0.4, 0, X)), y


def wide(classes):
    """Mostly zeros, in columns enough for sparse rows to be packed."""
    X, y = classes
    rows = np.zeros((len(X), 80), np.float32)
    rows[:, ::14] = X
    return rows, y


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ({}, {}),
        ({"seed": 2**70}, {"optimizer": "rmsprop"}),
        ({"dtype": "float64"}, {"shuffle": False}),
        ({"dropout": 0.3, "noise": 0.1, "input_dropout": 0.1}, {"l2": 1e-2}),
        ({"batch_norm": True}, {"l2": 1e-2, "l2_multipliers": [1, 3], "max_norm": 1.5}),
        ({}, {"clip_norm": 0.1, "label_smoothing": 0.1}),
        ({}, {"ema": 0.9, "optimizer": AdamW(0.01)}),
        ({}, {"optimizer": Adam(Cosine(0.01, total_steps=48))}),
        ({"dropout": 0.3}, {"dropout_schedule": Cosine(1.0, total_steps=48)}),
        ({}, {"optimizer": AdamW(0.01, weight_decay=Cosine(0.1, total_steps=48))}),
    ],
    ids=str,
)
@pytest.mark.parametrize("examples", [dense, as_sparse, wide])
def test_epochs_of_one_call_are_those_of_many_calls(
    classes, state, calls, examples, network, options
):
    X, y = examples(classes)
    weight = np.linspace(0, 2, len(y))
    together, apart = (MLP((X.shape[1], 16, 3), **network) for _ in range(2))
    options = {"batch_size": 30, "sample_weight": weight, **options}
    history = together.fit(X, y, epochs=N_EPOCHS, **options)
    assert calls == [N_EPOCHS]
    options["callbacks"] = [Callback()]
    parts = [apart.fit(X, y, epochs=1, **options) for _ in range(N_EPOCHS)]
    apart.history = together.history
    assert state(together) == state(apart)
    assert history.cost == [one.cost[0] for one in parts]
    assert history.learning_rate == [one.learning_rate[0] for one in parts]
    assert len(history.seconds) == N_EPOCHS
    assert (history.stopped_by, history.unfinished_batches) == ("epochs", 0)


def test_epochs_of_a_frozen_network_with_encodings_are_those_of_many_calls(rng, state, calls):
    X, y = rng.integers(0, 4, (90, 2)).astype(np.float32), rng.integers(0, 3, 90)

    def network():
        net = MLP((2, 8, 8, 3), encodings=OneHot(4))
        net.freeze(0)
        return net

    together, apart = network(), network()
    together.fit(X, y, epochs=4, batch_size=20)
    parts = [
        apart.fit(X, y, epochs=1, batch_size=20, callbacks=[Callback()]) for _ in range(4)
    ]
    assert calls == [4]
    assert together.history.cost == [one.cost[0] for one in parts]
    apart.history = together.history
    assert state(together) == state(apart)


class Exploding(Schedule):
    """A rate that ends a training within a call of the engine, which built-in ones rarely do."""

    name = "exploding"
    _is_checked = True

    def __call__(self, steps):
        return np.where(np.asarray(steps) < 16, 0.01, 1e28)


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_divergence_within_a_call_ends_before_its_epoch(net, classes, state, calls, ema):
    """Three epochs of five batches go well, then the rate explodes at the second batch."""
    options = {"batch_size": 50, "ema": ema}
    rate = Exploding()
    good = MLP((6, 16, 3), seed=1)
    apart = {"callbacks": [Callback()], **options}
    good.fit(*classes, epochs=3, optimizer=GradientDescent(0.01), **apart)
    with pytest.raises(TrainingDiverged) as caught:
        net.fit(*classes, epochs=6, optimizer=GradientDescent(rate), **options)
    assert calls == [3]
    assert (caught.value.epoch, caught.value.batch in (2, 3)) == (4, True)
    assert (net.history.epochs, net.history.stopped_by) == (3, "divergence")
    assert net.epochs == 4
    np.testing.assert_array_equal(net.forward(classes[0]), good.forward(classes[0]))
    for after in (net, good):
        after.epochs = 4
        after.fit(*classes, epochs=1, optimizer="adam", **options)
    np.testing.assert_array_equal(net.forward(classes[0]), good.forward(classes[0]))


def test_the_time_of_a_slice_ends_a_call(net, classes, calls, monkeypatch):
    spied = ModelState.train_epochs
    monkeypatch.setattr(
        ModelState, "train_epochs", lambda state, *rest: spied(state, *rest[:-1], 0.0)
    )
    history = net.fit(*classes, epochs=5)
    assert calls == [1] * 5
    assert history.epochs == net.epochs == 5


@pytest.mark.parametrize(
    "options",
    [
        {"validation_data": 0.2},
        {"callbacks": [Callback()]},
        {"cost_below": 0.0},
        {"max_seconds": 60},
        {"shuffle": lambda n: np.arange(n)},
        {"early_stopping": True, "validation_data": 0.2},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_looks_at_each_epoch_keeps_them_apart(net, classes, calls, options):
    assert net.fit(*classes, epochs=4, **options).epochs == 4
    assert calls == []


def test_a_loss_in_python_keeps_epochs_apart(classes, calls):
    X, y = classes
    loss = (lambda h, y: ((h - y) ** 2).sum(axis=1), lambda h, y: 2 * (h - y))
    assert MLP((6, 3), loss=loss).fit(X, np.eye(3)[y], epochs=4).epochs == 4
    assert calls == []


def test_weights_that_are_all_zero_are_an_error(net, classes, calls):
    with pytest.raises(ValueError, match="sample_weight is zero for every example"):
        net.fit(*classes, epochs=3, sample_weight=np.zeros(230))


@pytest.mark.parametrize("shuffle", [True, False])
def test_epochs_of_one_call_on_two_threads_are_those_of_one_thread(
    classes, state, calls, monkeypatch, shuffle
):
    monkeypatch.setattr(threads, "LEAST_SHARED_STEP", 0)
    networks = [MLP((6, 40, 3), dropout=0.2) for _ in range(2)]
    histories = [
        net.fit(*classes, epochs=N_EPOCHS, batch_size=50, n_threads=n, shuffle=shuffle)
        for n, net in enumerate(networks, start=1)
    ]
    assert calls == [N_EPOCHS, N_EPOCHS]
    assert histories[0].cost == histories[1].cost
    networks[0].history = networks[1].history
    assert state(networks[0]) == state(networks[1])
