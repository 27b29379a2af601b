"""A loss written in Python: when it is called, and with what."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP

M, N_OUT = 300, 3


def half_square(h, y):
    return ((h - y) ** 2).sum(axis=1) / 2


def difference(h, y):
    return h - y


SQUARED = (half_square, difference)


@pytest.fixture
def examples(rng):
    """X, y and sample weights."""
    return rng.normal(size=(M, 6)), rng.normal(size=(M, N_OUT)), rng.uniform(0.5, 2, M)


def network(loss=SQUARED, sizes=(6, 70, N_OUT), **options):
    return MLP(sizes, **{"activation": "tanh", "loss": loss, "dtype": "float64", **options})


def bits(net):
    return b"".join(x.tobytes() for x in [*net.weights, *net.biases])


def recording(calls, loss=SQUARED):
    """The loss, noting who calls it with what."""

    def note(name, f):
        def noted(h, y):
            calls.append((name, h, y, threading.get_ident()))
            return f(h, y)

        return noted

    return note("value", loss[0]), note("gradient", loss[1])


@pytest.mark.parametrize("threads", [1, 2])
def test_both_are_called_once_for_each_whole_batch(examples, threads):
    """Also of a batch that would pass in several chunks; here, in this thread, with its rows."""
    X, y, _ = examples
    calls = []
    net = network(recording(calls), dtype="float32")
    net.fit(X, y, epochs=1, batch_size=250, shuffle=False, n_threads=threads)
    assert [(name, len(h)) for name, h, *_ in calls] == [
        ("value", 250), ("gradient", 250), ("value", 50), ("gradient", 50),
    ]
    assert {thread for *_, thread in calls} == {threading.get_ident()}
    np.testing.assert_array_equal(np.concatenate([calls[0][2], calls[2][2]]), y)
    assert {h.dtype.name for _, h, *_ in calls} == {"float32"}
    assert {y.dtype.name for _, _, y, _ in calls} == {"float64"}
    first = network(dtype="float32").forward(X[:250])
    np.testing.assert_array_equal(calls[0][1], first)


def test_arrays_are_its_own(examples):
    """It may keep them, and write to them, and nothing else changes."""
    X, y, _ = examples
    kept = []

    def spoiling(h, y):
        result = h - y
        kept.append(h)
        h[:] = y[:] = np.nan
        return result

    ours, theirs = (network(loss) for loss in ((half_square, spoiling), SQUARED))
    for net in (ours, theirs):
        net.fit(X, y, epochs=2, batch_size=100)
    assert np.isfinite(y).all() and len({id(h) for h in kept}) == 6
    assert bits(ours) == bits(theirs)


@pytest.mark.parametrize("shape", [(M,), (M, 5), (M, 2, 2)])
def test_targets_may_have_any_shape_and_type(rng, shape):
    y = rng.integers(0, 9, shape, np.uint8)
    seen = []

    def cost(h, y):
        seen.append((y.shape[1:], y.dtype))
        return (h * h).sum(axis=1) * (1 + y.reshape(len(y), -1)[:, 0])

    def slope(h, y):
        return 2 * h * (1.0 + y.reshape(len(y), -1)[:, :1])

    history = network((cost, slope)).fit(
        rng.normal(size=(M, 6)), y, epochs=5, batch_size=100, validation_data=0.2
    )
    assert set(seen) == {(shape[1:], np.dtype(np.uint8))}
    assert history.cost[-1] < history.cost[0]


def test_a_cost_may_look_at_the_whole_batch(examples):
    """The variance of the outputs over the batch: each example's gradient depends on the others."""
    X, y, _ = examples

    def spread(h, y):
        return ((h - h.mean(axis=0)) ** 2).sum(axis=1)

    def slope(h, y):
        return 2 * (h - h.mean(axis=0))

    net = network((spread, slope))
    history = net.fit(X, y, epochs=20, batch_size=M)
    assert history.cost[-1] < 0.9 * history.cost[0]
    found = net.gradients(X, y)[0][0]
    weights, biases = net.weights, net.biases
    step = np.zeros_like(weights[0])
    step[3, 2] = 1e-6
    above, below = (
        net.set_parameters([weights[0] + d, weights[1]], biases) or net.cost(X, y)
        for d in (step, -step)
    )
    assert found[3, 2] == pytest.approx((above - below) / 2e-6, rel=1e-5)


def test_missing_targets_can_be_left_out(rng):
    X = rng.normal(size=(400, 6))
    y = np.where(rng.random((400, N_OUT)) < 0.5, np.nan, X[:, :N_OUT])
    masked = (
        lambda h, y: np.nansum((h - y) ** 2, axis=1) / 2,
        lambda h, y: np.nan_to_num(h - y),
    )
    net = network(masked)
    net.fit(X, y, epochs=60, batch_size=50, optimizer=fastmlp.Adam(0.01))
    assert np.abs(net.predict(X) - X[:, :N_OUT]).mean() < 0.1


def test_it_may_use_the_network_itself_and_denormal_numbers(examples):
    X, y, _ = examples
    tiny = np.full(3, 1e-310)
    seen = []

    def cost(h, targets):
        seen.append((tiny * 1).tobytes() == tiny.tobytes())
        np.testing.assert_allclose(net.forward(X[:10]), net.forward(X[:10]))
        with pytest.raises(RuntimeError, match="in training already"):
            net.fit(X, y)
        return half_square(h, targets)

    net = network((cost, difference))
    net.fit(X, y, epochs=1, batch_size=100, n_threads=2)
    assert seen == [True, True, True]


@pytest.mark.parametrize("threads", [1, 2])
def test_several_networks_train_side_by_side(examples, threads):
    X, y, _ = examples
    nets = [network(seed=seed) for seed in range(4)]
    alone = [network(seed=seed) for seed in range(4)]
    crew = [
        threading.Thread(
            target=net.fit, args=(X, y), kwargs={"epochs": 3, "n_threads": threads}
        )
        for net in nets
    ]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    for net in alone:
        net.fit(X, y, epochs=3)
    assert [bits(net) for net in nets] == [bits(net) for net in alone]
