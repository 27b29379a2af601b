"""A large X of a short fit is checked while the first epoch reads it: refused as a whole."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Callback, GradientDescent, kernels
from fastmlp.data import examples
from fastmlp.support import checks


@pytest.fixture(autouse=True)
def every_array_is_large(monkeypatch):
    monkeypatch.setattr(examples, "LARGE", 0)
    monkeypatch.setattr(examples, "TIMES_PARAMETERS", 0)


@pytest.fixture
def passes(monkeypatch):
    """A list of the names of the examples of which all numbers are checked in a pass."""
    names: list[str] = []

    def ready(X: Any, dtype: Any) -> bool:
        names.append("X")
        return True

    def finite(name: str, *rest: Any) -> None:
        names.append(name)

    monkeypatch.setattr(kernels, "ready", ready)  # before training
    monkeypatch.setattr(checks, "finite", finite)  # after it
    return names


@pytest.fixture
def data(rng):
    X = rng.normal(size=(500, 40)) * (rng.random((500, 40)) < 0.2)
    return X.astype(np.float32), rng.integers(3, size=500)


def trained(X, y, **network):
    """A network in training, with an optimizer state."""
    net = MLP((X.shape[1], 64, 3), seed=1, **network)
    net.fit(X, y, epochs=2, batch_size=60)
    return net


def everything(net):
    """All that training changes."""
    state = net.state
    return (
        net.snapshot().tobytes(), net.history, net.epochs, state.optimizer, state.steps,
        [array.tobytes() for slot in state.optimizer_state() for layer in slot for array in layer],
    )  # fmt: skip


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (499, 39), (77, 33)], ids=str)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_refused_with_row_and_column_and_nothing_is_changed(data, value, place, n_threads):
    X, y = data
    net = trained(X, y)
    X[place] = value
    before = everything(net)
    message = f"X must be finite, but X[{place[0]}, {place[1]}] is {value}"
    for epochs in (1, 2):
        with pytest.raises(ValueError, match=re.escape(message)):
            net.fit(X, y, epochs=epochs, batch_size=60, n_threads=n_threads)
        assert everything(net) == before


@pytest.mark.parametrize(
    "network",
    [{"activation": "tanh"}, {"batch_norm": True}, {"dtype": "float64"}, {"input_dropout": 0.5}],
    ids=str,
)
@pytest.mark.parametrize("use_sparse", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_in", [40, 23])
def test_refused_however_rows_are_read(data, network, use_sparse, dtype, n_in):
    X, y = data[0][:, :n_in].astype(dtype), data[1]
    net = trained(X, y, **network)
    net.state.use_sparse(use_sparse)
    before = everything(net)
    for place in ((3, 0), (203, n_in - 1), (499, 16)):
        bad = X.copy()
        bad[place] = np.inf
        with pytest.raises(ValueError, match=rf"X\[{place[0]}, {place[1]}\] is inf"):
            net.fit(bad, y, epochs=1, batch_size=60)
        assert everything(net) == before


def test_refused_where_a_number_is_too_large_for_the_network(data):
    X, y = data[0].astype(np.float64), data[1]
    net = trained(X, y)
    before = everything(net)
    X[9, 4] = 1e300
    with pytest.raises(ValueError, match=r"X\[9, 4\] is 1e\+300, too large for a float32 network"):
        net.fit(X, y, epochs=1)
    assert everything(net) == before


@pytest.mark.parametrize(
    "options", [{"optimizer": GradientDescent(1e30)}, {"max_seconds": 1e-9}], ids=str
)
def test_refused_where_the_first_epoch_ends_before_the_row(data, options):
    X, y = data
    net = trained(X, y)
    before = everything(net)
    X[499, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[499, 1\] is nan"):
        net.fit(X, y, epochs=1, batch_size=20, shuffle=False, **options)
    assert everything(net) == before


@pytest.mark.parametrize("epochs", [1, 2])
def test_same_bits_as_with_the_passes(data, monkeypatch, passes, epochs):
    X, y = data
    found = MLP((40, 64, 3))
    found.fit(X, y, epochs=epochs, batch_size=60)
    assert passes == []
    monkeypatch.setattr(examples, "LARGE", 1 << 40)
    expected = MLP((40, 64, 3))
    expected.fit(X, y, epochs=epochs, batch_size=60)
    assert passes == ["X"]
    assert found.snapshot().tobytes() == expected.snapshot().tobytes()
    assert found.history.cost == expected.history.cost


@pytest.mark.parametrize(
    "options",
    [
        {"callbacks": [Callback()]},
        {"validation_data": 0.1},
        {"shuffle": np.arange},
        {"epochs": 3},
        {"early_stopping": True, "validation_data": (np.ones((2, 40)), [0, 1])},
    ],
    ids=", ".join,
)
def test_checked_before_where_somebody_looks_on_or_rows_are_left_out(data, passes, options):
    MLP((40, 64, 3)).fit(*data, **{"epochs": 1, **options})
    assert "X" in passes


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_array_that_another_thread_changes_leaves_a_finite_network(data, n_threads):
    X, y = data
    net, done = trained(X, y), threading.Event()

    def change() -> None:
        while not done.is_set():
            X[100] = np.nan
            X[100] = 1.0

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(change)
        try:
            for _ in range(60):
                try:
                    net.fit(X, y, epochs=1, batch_size=20, n_threads=n_threads)
                except (ValueError, fastmlp.TrainingDiverged):
                    pass
        finally:
            done.set()
        other.result()
    assert all(np.isfinite(one).all() for one in (*net.weights, *net.biases))
    X[100] = 1
    assert net.fit(X, y, epochs=1).stopped_by == "epochs"


def test_rows_are_packed_where_a_fit_reads_them_often(data, monkeypatch):
    net, packed = MLP((40, 64, 3)), []
    monkeypatch.setattr(net.state, "pack", lambda *given: packed.append(given))
    for epochs, count in ((1, 0), (2, 0), (3, 1), (9, 2)):
        net.fit(*data, epochs=epochs)
        assert len(packed) == count
