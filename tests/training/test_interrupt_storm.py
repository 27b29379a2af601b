"""Ctrl-C at random moments of a fit, many times: each is noticed, and no network stays locked.

The environment variable FASTMLP_FITS is the number of fits that are interrupted.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Checkpoint, Ensemble, fit_many
from fastmlp.support import threads

N_FITS = int(os.environ.get("FASTMLP_FITS", "70"))

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="this system sends no signal to a thread"
)


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C does what Python makes of it, also where pytest was started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def costs(h: Any, y: Any) -> Any:
    return ((h - y) ** 2).sum(axis=1) / 2


def slopes(h: Any, y: Any) -> Any:
    return h - y


def plain(X: Any, y: Any, folder: Path) -> tuple[list[MLP], Callable[[], Any]]:
    net = MLP((6, 16, 3), dropout=0.2)
    return [net], lambda: net.fit(X, y, epochs=4, validation_data=0.2, early_stopping=2)


def checkpoints(X: Any, y: Any, folder: Path) -> tuple[list[MLP], Callable[[], Any]]:
    net = MLP((6, 16, 3))
    saving = Checkpoint(folder / "net.npz")
    return [net], lambda: net.fit(X, y, epochs=3, callbacks=[saving])


def chunks(X: Any, y: Any, folder: Path) -> tuple[list[MLP], Callable[[], Any]]:
    net = MLP((6, 16, 3), batch_norm=True)
    parts = [(X[k::3], y[k::3]) for k in range(3)]
    return [net], lambda: net.fit(lambda: iter(parts), epochs=3, batch_size=20, ema=0.9)


def python_loss(X: Any, y: Any, folder: Path) -> tuple[list[MLP], Callable[[], Any]]:
    net = MLP((6, 16, 3), loss=(costs, slopes))
    return [net], lambda: net.fit(X, np.eye(3)[y], epochs=3, batch_size=30)


def two_threads(X: Any, y: Any, folder: Path) -> tuple[list[MLP], Callable[[], Any]]:
    net = MLP((6, 64, 64, 3))
    return [net], lambda: net.fit(X, y, epochs=4, batch_size=50, n_threads=2, shuffle=False)


def ensemble(X: Any, y: Any, folder: Path) -> tuple[list[MLP], Callable[[], Any]]:
    nets = [MLP((6, 16, 3), seed=seed) for seed in range(2)]
    return nets, lambda: Ensemble(nets).fit(X, y, epochs=3, n_jobs=2)


def many(X: Any, y: Any, folder: Path) -> tuple[list[MLP], Callable[[], Any]]:
    nets = [MLP((6, 8, 3), seed=seed) for seed in range(12)]
    return nets, lambda: fit_many(nets, X, y, options={"epochs": 3}, n_jobs=3)


KINDS = [plain, checkpoints, chunks, python_loss, two_threads, ensemble, many]


def interrupted(fit: Callable[[], Any], delay: float, caught: list[Any]) -> str:
    """What a fit does that gets SIGINT after so many seconds: how its user learns of it."""
    main, done = threading.main_thread().ident, threading.Event()

    def press() -> None:
        done.wait(delay)
        signal.pthread_kill(main, signal.SIGINT)

    n_before = len(caught)
    try:
        other = threading.Thread(target=press)
        other.start()
        fit()
        other.join()
    except KeyboardInterrupt:
        return "KeyboardInterrupt"
    messages = [  # ResourceWarning: the interrupt may come as a folder is being listed
        str(one.message) for one in caught[n_before:] if one.category is not ResourceWarning
    ]
    assert [one.split(",")[0] for one in messages] == ["Training interrupted"]
    return "warning"


def seconds_of(fit: Callable[[], Any]) -> float:
    started = time.perf_counter()
    fit()
    return time.perf_counter() - started


@pytest.fixture(autouse=True)
def no_callbacks_of_collections():
    """Python ignores what a callback of the garbage collector raises, such as Hypothesis's."""
    kept = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = kept


@pytest.mark.parametrize("kind", KINDS)
def test_every_interrupt_is_noticed_and_the_network_trains_on(kind, classes, tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "LEAST_SHARED_STEP", 0)
    X, y = classes
    chance = random.Random(1)
    _, fit = kind(X, y, tmp_path)
    fit()  # all modules are imported now
    seconds = seconds_of(kind(X, y, tmp_path)[1])
    found: Counter[str] = Counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(N_FITS // len(KINDS)):
            nets, fit = kind(X, y, tmp_path)
            found[interrupted(fit, 1.2 * seconds * chance.random(), caught)] += 1
            for net in nets:
                assert all(np.isfinite(one).all() for one in (*net.weights, *net.biases))
                net.set_parameters(net.weights, net.biases)
            assert {one.name for one in tmp_path.iterdir()} <= {"net.npz"}
            if kind is checkpoints:
                assert fastmlp.load(tmp_path / "net.npz").sizes == (6, 16, 3)
            n_before = len(caught)
            fit()
            assert len(caught) == n_before
    print(kind.__name__, dict(found))
    assert found.total() == N_FITS // len(KINDS)
