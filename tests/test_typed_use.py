"""A typed program of a user: it runs here, and mypy checks it, because pyproject.toml names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp import activations, encodings, export, losses, schedules, steps

X, y = fastmlp.datasets.digits()
X, y = X[:200], y[:200]


class Enough(fastmlp.Callback):
    """Ends training when the cost is low."""

    def on_epoch_end(self, net: fastmlp.MLP, history: fastmlp.History) -> bool:
        return history.cost[-1] < 0.1


class Wave(schedules.Schedule):
    """A schedule of the user's own."""

    name = "wave"

    def __call__(self, steps: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        return 0.01 * (1 + np.cos(steps / 10))


def chunks() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
    yield X[:100], y[:100]
    yield X[100:], y[100:]


def test_networks_are_made_of_names_objects_sequences_and_arrays() -> None:
    fastmlp.MLP(np.array([64, 10]), dtype=np.float64, seed=None)
    net = fastmlp.MLP(
        [64, 20, 20, 10],
        activation=["relu", activations.LeakyReLU(0.1)],
        batch_norm=[True, False],
        dropout=(0.1, 0.2),
        noise=0.1,
    )
    history: fastmlp.History = net.fit(
        X,
        y,
        epochs=2,
        optimizer=fastmlp.AdamW(Wave(), weight_decay=schedules.FlatCosine(0.02)),
        validation_data=(X.tolist(), y.tolist()),
        early_stopping=fastmlp.EarlyStopping(patience=3),
        callbacks=[Enough()],
        rate_multipliers=[0.1, 1.0, 1.0],
        l2_multipliers=0.5,
        bias_rate_multipliers=np.array([0.1, 1.0, 1.0]),
        shuffle=lambda m: np.arange(m),
    )
    costs: list[float] = history.cost
    assert len(costs) == 2


def test_chunks_ensembles_and_many_networks_are_trained() -> None:
    nets = [fastmlp.MLP((64, 10), seed=seed) for seed in range(2)]
    fastmlp.Ensemble(nets).fit(chunks, epochs=1, l2=0.1, callbacks=lambda net: [Enough()])
    for outcome in fastmlp.fit_many(nets, X, y, options={"epochs": 1, "rate_multipliers": 0.5}):
        if isinstance(outcome, Exception):
            raise outcome
        assert outcome.epochs == 1


def test_a_loss_and_columns_with_encodings_have_types() -> None:
    def value(h: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.abs(h[:, 0] - y))

    def gradient(h: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.sign(h - y[:, None]))

    fastmlp.MLP((64, 1), loss=(value, gradient)).fit(X, y.astype(float), epochs=1)
    fastmlp.MLP((64, 3), loss=losses.Quantile(np.array([0.1, 0.5, 0.9]))).fit(X, y, epochs=1)
    bins = np.quantile(X[:, 2], np.array([0, 0.9, 1]))
    own = [encodings.PiecewiseLinear(bins), encodings.Numeric()]
    fastmlp.MLP((2, 3, 2), encodings=own).fit(X[:, 2:4], y > 4, epochs=1)


def test_results_have_types(tmp_path: Path) -> None:
    net = fastmlp.MLP((64, 20, 10))
    net.fit(X, y, epochs=1)
    net.save(tmp_path / "net.npz", dtype="float16")
    loaded: fastmlp.MLP = fastmlp.MLP.load(tmp_path / "net.npz")
    labels: NDArray[Any] = loaded.predict(X)
    accuracy: float = float(np.mean(labels == y))
    assert 0 <= accuracy <= 1
    assert [dW.shape for dW, db in net.gradients(X, y)] == [(20, 64), (10, 20)]
    integers = export.quantize(net, X, integer_only=True)
    assert integers.output_bytes(X[:1]).dtype == integers.input_bytes(X[:1]).dtype == np.int8
    z, a = steps.forward(X, net.weights, net.biases, ["relu", "softmax"])
    assert z[-1].shape == a[-1].shape == (200, 10)
