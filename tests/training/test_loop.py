"""fit: what a call does to the network, and what it tells; what ends it is in test_stopping.py."""

from __future__ import annotations

import copy
import itertools
import math
from time import perf_counter

import numpy as np
import pytest
import scipy.sparse

from fastmlp import MLP, Adam, AdamW, Callback, GradientDescent, RMSprop, TrainingDiverged
from fastmlp.augment import Distortion
from fastmlp.schedules import Constant, Cosine, Exponential, Step

EVERYTHING = {
    "gradient descent": GradientDescent(0.1),
    "momentum": GradientDescent(0.1, momentum=0.9, nesterov=True),
    "adam": Adam(0.01),
    "adamw": AdamW(0.01),
    "rmsprop": RMSprop(0.01, momentum=0.5),
    "schedule": Adam(Exponential(0.01, every=3, factor=0.9)),
}


def parameters(net: MLP) -> np.ndarray:
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


# ------------------------------------------------------------------------------ training


@pytest.mark.parametrize("optimizer", EVERYTHING.values(), ids=EVERYTHING)
def test_classes_are_learned(net, classes, optimizer):
    X, y = classes
    history = net.fit(X, y, epochs=30, batch_size=20, optimizer=optimizer)
    assert history.cost[-1] < history.cost[0]
    assert (net.predict(X) == y).mean() > 0.95
    assert (history.epochs, history.stopped_by) == (30, "epochs")
    assert net.history is history


def test_curve_is_learned(curve):
    net = MLP((2, 32, 1), activation="tanh", loss="squared_error")
    net.fit(*curve, epochs=200, batch_size=25, optimizer=Adam(0.01))
    assert np.abs(net.predict(curve[0]) - curve[1]).mean() < 0.05


def test_several_labels_are_learned(rng):
    X = rng.normal(size=(300, 4))
    y = X[:, :3] + X[:, 1:] > 0
    net = MLP((4, 16, 3), loss="binary_cross_entropy")
    history = net.fit(X, y, epochs=60, optimizer=Adam(0.02), validation_data=(X, y))
    assert history.validation_accuracy[-1] == (net.predict(X) == y).mean() > 0.95


def backwards(m):
    return np.arange(m)[::-1]


@pytest.mark.parametrize("shuffle", [True, False, backwards])
def test_gradient_descent_is_the_loop_that_the_documentation_describes(rng, shuffle):
    """Softmax regression in plain NumPy: order, batches, remainder, weights, λ and cost."""
    X, y, s = rng.normal(size=(23, 4)), rng.integers(0, 3, 23), rng.random(23)
    net = MLP((4, 3), dtype="float64", seed=5)
    W, b = net.weights[0].copy(), net.biases[0].copy()
    alpha, lam, costs = 0.3, 0.1, []
    for epoch in range(3):
        order = np.random.Generator(np.random.PCG64(np.random.SeedSequence([5, epoch])))
        drawn = {True: order.permutation(23), False: np.arange(23), backwards: backwards(23)}
        rows = drawn[shuffle]
        total = 0.0
        for first in range(0, 23, 10):
            i = rows[first : first + 10]
            e = np.exp(X[i] @ W.T + b)
            h = e / e.sum(axis=1, keepdims=True)
            total += (s[i] * -np.log(h[np.arange(len(i)), y[i]])).sum()
            delta = s[i, None] * (h - np.eye(3)[y[i]]) / s[i].sum()
            W, b = W - alpha * (delta.T @ X[i] + lam * W), b - alpha * delta.sum(axis=0)
        costs.append(total / s.sum() + lam / 2 * (W**2).sum())
    history = net.fit(
        X, y, epochs=3, batch_size=10, optimizer=GradientDescent(alpha), l2=lam, sample_weight=s,
        shuffle=shuffle,
    )
    np.testing.assert_allclose(net.weights[0], W, rtol=1e-12)
    np.testing.assert_allclose(net.biases[0], b, rtol=1e-12)
    np.testing.assert_allclose(history.cost, costs, rtol=1e-12)


@pytest.mark.parametrize("optimizer", EVERYTHING.values(), ids=EVERYTHING)
def test_second_fit_goes_on_where_the_first_ended(classes, optimizer):
    halves, whole = MLP((6, 16, 3)), MLP((6, 16, 3))
    halves.fit(*classes, epochs=2, optimizer=optimizer)
    halves.fit(*classes, epochs=2, optimizer=optimizer)
    whole.fit(*classes, epochs=4, optimizer=optimizer)
    np.testing.assert_array_equal(parameters(halves), parameters(whole))
    assert halves.epochs == whole.epochs == 4


def test_every_epoch_has_its_own_order(net, classes):
    """Costs of an epoch depend on the order; without updates they do on nothing else."""
    X, y = classes
    still = GradientDescent(0.0)
    seen = [net.fit(X, y, batch_size=100, optimizer=still, max_seconds=60) for _ in range(2)]
    costs = [cost for history in seen for cost in history.cost]
    assert len(set(costs)) > 1  # rounding differs with the order of the sum
    assert np.ptp(costs) < 1e-6


@pytest.mark.parametrize(
    ("optimizer", "goes_on"),
    [
        (Adam(0.5), True),
        (Adam(Step(0.1, every=2)), True),
        (Adam(beta_1=0.8), False),
        (AdamW(), False),
        (GradientDescent(), False),
    ],
)
def test_state_goes_on_for_the_same_optimizer_only(net, classes, optimizer, goes_on):
    net.fit(*classes, epochs=2, batch_size=50, optimizer=Adam())
    net.fit(*classes, epochs=1, batch_size=50, optimizer=optimizer)
    assert net.state.steps == (15 if goes_on else 5)


def test_optimizer_state_can_be_reset(classes):
    kept, reset, weights = (MLP((6, 16, 3)) for _ in range(3))
    for net in (kept, reset):
        net.fit(*classes, epochs=2)
    weights.set_parameters(kept.weights, kept.biases)
    weights.epochs = 2
    kept.fit(*classes, epochs=1)
    reset.fit(*classes, epochs=1, reset_optimizer=True)
    weights.fit(*classes, epochs=1)
    np.testing.assert_array_equal(parameters(reset), parameters(weights))
    assert not np.array_equal(parameters(kept), parameters(reset))


def test_batch_larger_than_the_data_is_all_of_it(classes):
    large, exact = MLP((6, 16, 3)), MLP((6, 16, 3))
    large.fit(*classes, epochs=3, batch_size=10**6)
    exact.fit(*classes, epochs=3, batch_size=len(classes[1]))
    np.testing.assert_array_equal(parameters(large), parameters(exact))


def test_same_bits_for_any_number_of_threads(rng):
    X, y = rng.normal(size=(400, 64)).astype(np.float32), rng.integers(0, 10, 400)
    found = []
    for n_threads in (1, 2, 5):
        net = MLP((64, 128, 128, 10))
        net.fit(X, y, epochs=2, n_threads=n_threads)
        found.append(parameters(net))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


@pytest.mark.parametrize("options", [{}, {"uint8_scale": 1 / 255}], ids=["default", "1/255"])
def test_kind_of_array_changes_no_bit(rng, options):
    """uint8 counts as any other number, times `uint8_scale`."""
    raw = rng.integers(0, 256, (120, 6)).astype(np.uint8)
    y, scale = rng.integers(0, 3, 120), options.get("uint8_scale", 1.0)
    X = raw.astype(np.float32) * np.float32(scale)
    kinds = [
        X, raw, np.asfortranarray(raw), scipy.sparse.csr_matrix(raw), scipy.sparse.csr_matrix(X),
        np.asfortranarray(X), X.astype(float),
    ]  # fmt: skip
    if scale == 1.0:
        kinds += [raw.astype(np.int64), raw.astype(np.uint16), raw.tolist()]
    found = []
    for given in kinds:
        net = MLP((6, 16, 3), **options)
        net.fit(given, y, epochs=3, batch_size=50)
        found.append(parameters(net))
    for one in found[1:]:
        np.testing.assert_array_equal(one, found[0])


def test_read_only_data_is_enough_and_unchanged(net, classes):
    X, y = classes
    before = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False
    net.fit(X, y, epochs=2)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("kind", [np.int8, np.uint64, ">i4", float, list])
def test_labels_of_any_kind_are_taken(classes, kind):
    X, y = classes
    found = []
    for labels in (y, y.tolist() if kind is list else y.astype(kind)):
        net = MLP((6, 16, 3))
        net.fit(X, labels, epochs=2)
        found.append(parameters(net))
    np.testing.assert_array_equal(*found)


def test_probabilities_may_stand_for_labels(classes):
    X, y = classes
    labels, rows = (MLP((6, 16, 3), dtype="float64") for _ in range(2))
    one = labels.fit(X, y, epochs=3, validation_data=(X, y))
    other = rows.fit(X, np.eye(3)[y], epochs=3, validation_data=(X, np.eye(3)[y]))
    np.testing.assert_allclose(parameters(rows), parameters(labels), rtol=1e-10)
    assert one.validation_accuracy == other.validation_accuracy


def test_weight_of_two_is_an_example_twice(classes):
    X, y = classes
    twice, weighted = (MLP((6, 16, 3), dtype="float64") for _ in range(2))
    options = {"epochs": 5, "batch_size": 1000, "optimizer": GradientDescent(0.1)}
    twice.fit(np.concatenate([X, X[:50]]), np.concatenate([y, y[:50]]), **options)
    weight = np.where(np.arange(len(y)) < 50, 2, 1)
    weighted.fit(X, y, sample_weight=weight, **options)
    np.testing.assert_allclose(parameters(weighted), parameters(twice), rtol=1e-9)


# -------------------------------------------------------------- options of a call of fit

OPTIONS = {
    "label_smoothing": 0.3, "max_norm": 0.5, "clip_norm": 0.1, "l2": 0.3,
    "rate_multipliers": [0.0, 2.0], "l2_multipliers": [3.0, 0.0], "shuffle": False,
    "bias_rate_multipliers": [0.0, 2.0], "dropout_schedule": Constant(0.3),
    "optimizer": AdamW(weight_decay=Constant(0.5)),
    "batch_size": 7, "n_threads": 1, "cost_below": 100.0, "max_seconds": 100.0,
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_a_fit_leave_nothing_behind(net, classes, name):
    """Costs, gradients and the next fit are those of a copy that has forgotten the call."""
    net.fit(*classes, epochs=1, **{name: OPTIONS[name]})
    twin = copy.deepcopy(net)
    assert net.cost(*classes, training=True) == twin.cost(*classes, training=True)
    assert net.cost(*classes) == twin.cost(*classes)
    for one, other in zip(
        net.gradients(*classes, training=True), twin.gradients(*classes, training=True), strict=True
    ):
        for mine, its in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, its)
    for each in (net, twin):
        each.fit(*classes, epochs=1)
    np.testing.assert_array_equal(parameters(net), parameters(twin))


def test_a_fit_that_fails_leaves_no_option_behind(net, classes):
    with pytest.raises(TrainingDiverged):
        options = {"label_smoothing": 0.3, "rate_multipliers": [0.5, 2.0]}
        net.fit(*classes, epochs=50, optimizer=GradientDescent(1e38), **options)
    twin = copy.deepcopy(net)
    for each in (net, twin):
        each.fit(*classes, epochs=1)
    np.testing.assert_array_equal(parameters(net), parameters(twin))


def test_distortions_of_a_fit_leave_nothing_behind(rng):
    X, y = rng.random((50, 16)), rng.integers(0, 3, 50)
    net = MLP((16, 8, 3))
    net.fit(X, y, epochs=1, augment=Distortion(rotation=40))
    twin = copy.deepcopy(net)
    for each in (net, twin):
        each.fit(X, y, epochs=1)
    np.testing.assert_array_equal(parameters(net), parameters(twin))


# ------------------------------------------------------------------ learning rate, output


def test_learning_rate_of_each_epoch_is_recorded(net, classes):
    history = net.fit(
        *classes, epochs=3, batch_size=46, optimizer=Adam(Step(0.1, every=5, factor=0.5))
    )
    assert history.learning_rate == [0.1, 0.05, 0.025]


def test_curve_without_an_end_spans_each_fit(net, classes):
    for _ in range(2):
        history = net.fit(*classes, epochs=4, batch_size=230, optimizer=Adam(Cosine(1.0)))
        expected = [(1 + math.cos(math.pi * t / 4)) / 2 for t in range(4)]
        assert history.learning_rate == pytest.approx(expected)


def test_curve_with_an_end_goes_on_through_fits(net, classes):
    rate = Cosine(1.0, total_steps=8)
    options = {"epochs": 4, "batch_size": 230, "optimizer": Adam(rate)}
    found = [net.fit(*classes, **options).learning_rate for _ in range(2)]
    expected = [(1 + math.cos(math.pi * t / 8)) / 2 for t in range(8)]
    assert list(itertools.chain(*found)) == pytest.approx(expected)


def test_nothing_is_printed_unless_asked_for(net, classes, capsys):
    net.fit(*classes, epochs=2)
    assert capsys.readouterr() == ("", "")
    net.fit(*classes, epochs=2, verbose=True)
    assert len(capsys.readouterr().out.splitlines()) == 2


# ----------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be a whole number, got 1.5"),
        ({"batch_size": -1}, ValueError, "batch_size must be at least 1, got -1"),
        ({"optimizer": "adma"}, ValueError, "unknown optimizer 'adma'; did you mean 'adam'"),
        ({"optimizer": 0.1}, TypeError, "optimizer must be one of 'gradient_descent'"),
        ({"l2": -1}, ValueError, r"l2 must be in \[0, inf\), got -1"),
        ({"l2": "much"}, TypeError, "l2 must be a number"),
        ({"cost_below": math.nan}, ValueError, "cost_below must be"),
        ({"max_seconds": 0}, ValueError, r"max_seconds must be in \(0, inf\)"),
        ({"early_stopping": 0.5}, TypeError, "early_stopping must be a whole number"),
        ({"early_stopping": 0}, ValueError, "early_stopping must be at least 1"),
        ({"shuffle": 1}, TypeError, "shuffle must be True or False"),
        ({"shuffle": lambda m: np.arange(m - 1)}, ValueError, "must return 230 row numbers"),
        ({"shuffle": lambda m: np.arange(m) + 1}, ValueError, "row numbers from 0 to 229"),
        ({"shuffle": lambda m: np.ones(m)}, ValueError, "must return 230 row numbers"),
        ({"verbose": "yes"}, TypeError, "verbose must be True or False"),
        ({"reset_optimizer": 1}, TypeError, "reset_optimizer must be True or False"),
        ({"n_threads": 0}, ValueError, "n_threads must be at least 1"),
        ({"validation_data": 0.0}, ValueError, r"must be in \(0, 1\) or a pair \(X, y\), got 0"),
        ({"validation_data": 2}, ValueError, r"must be in \(0, 1\) or a pair"),
        ({"validation_data": "all"}, TypeError, r"validation_data must be a number or a pair"),
        ({"validation_data": (1, 2, 3)}, ValueError, "a pair.*got 3"),
        (
            {"validation_data": (np.zeros((2, 5)), [0, 1])},
            ValueError,
            "validation_data: X has 5 columns",
        ),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight has 3 entries for 230"),
    ],
)
def test_wrong_options_are_explained_and_change_nothing(net, classes, options, error, message):
    before = parameters(net)
    with pytest.raises(error, match=message):
        net.fit(*classes, **options)
    np.testing.assert_array_equal(parameters(net), before)
    assert net.epochs == 0


@pytest.mark.parametrize("callbacks", [(), (Callback(),)], ids=["short epochs", "by epoch"])
def test_seconds_of_the_epochs_are_part_of_the_time_of_the_fit(net, classes, callbacks):
    started = perf_counter()
    history = net.fit(*classes, epochs=20, callbacks=callbacks)
    assert 0 < min(history.seconds)
    assert sum(history.seconds) <= perf_counter() - started
