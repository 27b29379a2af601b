"""The jobs of the soak: each trains and uses networks in one way, with random shapes."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

import fastmlp
from fastmlp import encodings, tabular
from fastmlp.sklearn import MLPClassifier, MLPRegressor

Rng = np.random.Generator
Array = np.ndarray[Any, Any]

HIDDEN = ("relu", "tanh", "sigmoid", "gelu", "silu", "elu")
OPTIMIZERS = ("adam", "adamw", "rmsprop", "gradient_descent")


def even(rng: Rng, end: int) -> int:
    """Return an even number: batch norm refuses batches of one row."""
    return 2 * int(rng.integers(1, end // 2 + 1))


def examples(rng: Rng) -> tuple[Array, Array, int]:
    """Return X, labels, and the number of classes."""
    n_rows, n_in, n_classes = even(rng, 1500), rng.integers(1, 200), int(rng.integers(2, 12))
    X = rng.normal(size=(n_rows, n_in)) * (rng.random((n_rows, n_in)) < rng.choice([0.1, 1.0]))
    y = rng.integers(n_classes, size=n_rows)
    return X.astype(rng.choice(["float32", "float64"])), y, n_classes


def network(rng: Rng, n_in: int, n_out: int, **options: Any) -> fastmlp.MLP:
    """Return a network with random hidden layers and options."""
    hidden = rng.integers(1, 120, size=rng.integers(0, 4))
    given = {
        "activation": str(rng.choice(HIDDEN)),
        "batch_norm": bool(rng.integers(2)),
        "dropout": float(rng.choice([0.0, 0.3])),
        "dtype": str(rng.choice(["float32", "float64"])),
        "seed": int(rng.integers(1 << 30)),
    }
    if not len(hidden):
        given.update(activation="relu", batch_norm=False, dropout=0.0)
    return fastmlp.MLP((n_in, *map(int, hidden), n_out), **{**given, **options})


def options(rng: Rng) -> dict[str, Any]:
    """Return random options of fit."""
    return {
        "epochs": int(rng.integers(1, 4)),
        "batch_size": even(rng, 300),
        "optimizer": str(rng.choice(OPTIMIZERS)),
        "l2": float(rng.choice([0.0, 1e-3])),
        "clip_norm": 1.0,
        "ema": 0.99 if rng.integers(2) else None,
        "shuffle": bool(rng.integers(2)),
    }


def use(net: Any, X: Any, y: Array) -> None:
    """Predict with a network or an ensemble, and look at the results."""
    assert np.isfinite(net.predict_proba(X)).all()
    net.predict(X)
    if isinstance(net, fastmlp.MLP):
        assert np.isfinite(net.cost(X, y))
        net.gradients(X[: min(50, len(y))], y[:50])



def arrays(rng: Rng, folder: Path) -> None:
    """Arrays, with any number of threads and validation data."""
    X, y, n_classes = examples(rng)
    net = network(rng, X.shape[1], n_classes)
    fastmlp.set_num_threads(int(rng.integers(1, 4)))
    validation = (X[:100], y[:100]) if rng.integers(2) else None
    net.fit(X, y, n_threads=int(rng.integers(1, 9)), validation_data=validation, **options(rng))
    use(net, X, y)


def other_arrays(rng: Rng, folder: Path) -> None:
    """Sparse matrices, bytes and memory maps."""
    X, y, n_classes = examples(rng)
    np.save(folder / "X.npy", X)
    for form in (
        sparse.csr_matrix(X),
        (np.abs(X) * 50).clip(0, 255).astype(np.uint8),
        np.load(folder / "X.npy", mmap_mode="r"),
    ):
        net = network(rng, X.shape[1], n_classes, uint8_scale=1 / 255)
        net.fit(form, y, **options(rng))
        use(net, form, y)


def chunks(rng: Rng, folder: Path) -> None:
    """An iterator of chunks."""
    X, y, n_classes = examples(rng)
    rows = max(even(rng, len(y)), 2 * (len(y) // 40))

    def source() -> Iterator[tuple[Array, Array]]:
        for first in range(0, len(y), rows):
            yield X[first : first + rows].copy(), y[first : first + rows].copy()

    net = network(rng, X.shape[1], n_classes)
    net.fit(source, **options(rng))
    use(net, X, y)


def images(rng: Rng, folder: Path) -> None:
    """Distorted images."""
    side = int(rng.integers(4, 16))
    X, y = rng.random((200, side * side)).astype(np.float32), rng.integers(3, size=200)
    net = network(rng, side * side, 3)
    distortion = fastmlp.augment.Distortion(rotation=10, elastic=float(rng.integers(2)))
    net.fit(X, y, augment=distortion, **options(rng))
    use(net, X, y)


def encoded(rng: Rng, folder: Path) -> None:
    """Encodings of columns, which are trained with the network."""
    X, y, n_classes = examples(rng)
    X = X[:, :8]
    net = network(
        rng, X.shape[1], n_classes, input_scaling=True,
        encodings=[encodings.Periodic(int(rng.integers(1, 6))) for _ in range(X.shape[1])],
    )  # fmt: skip
    net.fit(X, y, **options(rng))
    use(net, X, y)


def files(rng: Rng, folder: Path) -> None:
    """Saving, loading, copies, pickles, snapshots and transfer."""
    X, y, n_classes = examples(rng)
    net = network(rng, X.shape[1], n_classes)
    net.fit(X, y, **options(rng))
    net.save(folder / "net.npz", with_optimizer=True)
    loaded = fastmlp.load(folder / "net.npz")
    loaded.fit(X, y, epochs=1)
    fastmlp.export.to_c(net, folder / "net.c")
    for one in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), net.with_head(3)):
        snapshot = one.snapshot()
        one.fit(X, y % 3, epochs=1)
        one.restore(snapshot)
    try:
        (folder / "net.npz").write_bytes((folder / "net.npz").read_bytes()[:-100])
        fastmlp.load(folder / "net.npz")
    except ValueError:
        pass
    else:
        raise AssertionError("a truncated file was loaded")


def ensemble(rng: Rng, folder: Path) -> None:
    """An ensemble, saved and loaded."""
    X, y, n_classes = examples(rng)
    members = [network(rng, X.shape[1], n_classes) for _ in range(rng.integers(1, 5))]
    model = fastmlp.Ensemble(members)
    model.fit(X, y, n_jobs=int(rng.integers(1, 4)), **options(rng))
    model.save(folder / "ensemble.npz")
    use(fastmlp.Ensemble.load(folder / "ensemble.npz"), X, y)


def many(rng: Rng, folder: Path) -> None:
    """Many networks at once."""
    X, y, n_classes = examples(rng)
    networks = [network(rng, X.shape[1], n_classes) for _ in range(rng.integers(1, 20))]
    histories = fastmlp.fit_many(
        networks, X, y, options=options(rng), n_jobs=int(rng.integers(1, 5))
    )
    assert not any(isinstance(one, Exception) for one in histories)


def table(rng: Rng, folder: Path) -> None:
    """A table with numbers, categories and missing values."""
    n = int(rng.integers(60, 500))
    X = pd.DataFrame({f"number {i}": rng.normal(size=n) for i in range(rng.integers(1, 6))})
    X["category"] = rng.choice(list("abcdefgh"), size=n)
    X = X.mask(rng.random(X.shape) < 0.05)
    is_classifier = bool(rng.integers(2))
    chosen = tabular.TabularClassifier if is_classifier else tabular.TabularRegressor
    model = chosen(
        n_members=int(rng.integers(1, 4)), hidden_layer_sizes=(int(rng.integers(1, 60)),),
        epochs=3, random_state=0, n_threads=int(rng.integers(1, 4)),
    )  # fmt: skip
    model.fit(X, rng.choice(["yes", "no"], size=n) if is_classifier else rng.normal(size=n))
    model.save(folder / "table.npz")
    loaded = tabular.load(folder / "table.npz")
    assert (loaded.predict(X) == model.predict(X)).all()


def estimators(rng: Rng, folder: Path) -> None:
    """scikit-learn's estimators, by each solver."""
    X, y, n_classes = examples(rng)
    y[:n_classes] = np.arange(n_classes)[: len(y)]
    for estimator, target in ((MLPClassifier, y), (MLPRegressor, y.astype(float))):
        model = estimator(
            hidden_layer_sizes=(int(rng.integers(1, 60)),), max_iter=3,
            solver=str(rng.choice(["adam", "sgd", "lbfgs"])), random_state=0,
        )  # fmt: skip
        model.fit(X, target).predict(X)


def ends_early(rng: Rng, folder: Path) -> None:
    """Fits that diverge, are refused, or end before their last epoch."""
    X, y, n_classes = examples(rng)
    net = network(rng, X.shape[1], n_classes)
    snapshot = net.snapshot()
    for arguments in (
        {"max_seconds": 0.001},
        {"early_stopping": 1, "validation_data": (X[:50], y[:50])},
        {"optimizer": fastmlp.GradientDescent(1e30)},
        {"batch_size": 0},
        {"callbacks": [fastmlp.callbacks.Checkpoint(folder / "checkpoint.npz")]},
    ):
        try:
            net.fit(X, y, **{"epochs": 3, **arguments})
        except (fastmlp.TrainingDiverged, ValueError):
            pass
        net.restore(snapshot)
    use(net, X, y)


def readers(rng: Rng, folder: Path) -> None:
    """A fit beside threads that predict from its network, each thread a new one."""
    X, y, n_classes = examples(rng)
    net = network(rng, X.shape[1], n_classes)
    threads = [threading.Thread(target=net.predict, args=(X,)) for _ in range(rng.integers(1, 9))]
    for one in threads:
        one.start()
    net.fit(X, y, **options(rng))
    for one in threads:
        one.join()


JOBS: tuple[Callable[[Rng, Path], None], ...] = (
    arrays, other_arrays, chunks, images, encoded, files, ensemble, many, table, estimators,
    ends_early, readers,
)  # fmt: skip
