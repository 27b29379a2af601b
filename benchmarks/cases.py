"""The table of cases, and their data: the same arrays and first parameters for every contender."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CASES", "Case", "make_data"]

Array = NDArray[Any]

TRAINERS = ("torch", "torch-compiled", "jax", "scikit-learn")
PREDICTORS = ("torch", "torch-compiled", "jax", "scikit-learn", "onnxruntime")
REPORT = (784, 256, 256, 10)  # the report's network
DEEP = (784, 2500, 2000, 1500, 1000, 500, 10)  # Cireşan et al. 2010


@dataclass(frozen=True)
class Case:
    """One kind of work: a training step on `batch` rows, or one call of predict for them.

    All networks have softmax and cross-entropy at the output, or with one output its squared error.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    batch: int
    data: str  # a row of `DATA`
    rows: int
    optimizer: str = "sgd"
    rate: float = 0.05
    dtype: str = "float32"
    predicts: bool = False
    peers: tuple[str, ...] = TRAINERS
    busy: bool = False  # measured with and without another process that wants a processor
    stored: int = 0  # numbers a row of sparse input
    norm: bool = False  # batch norm of the hidden layers
    dropout: float = 0.0  # of their units
    activation: str = "relu"  # of the hidden layers, or "tanh"

    @property
    def batches(self) -> int:
        """Whole batches in the data; rows beyond them are not used."""
        return self.rows // self.batch

    @property
    def operations(self) -> int:
        """Floating-point operations of the dense arithmetic of a step, or call.

        Two, a product and a sum, for each weight and row, in forward and gradient and, but for
        the first layer, in delta.  Of sparse input only the stored numbers count.
        """
        first = (self.stored or self.sizes[0]) * self.sizes[1]
        others = sum(n_in * n_out for n_in, n_out in pairwise(self.sizes[1:]))
        products = first + others if self.predicts else 2 * first + 3 * others
        return 2 * self.batch * products

    @property
    def is_regression(self) -> bool:
        return self.sizes[-1] == 1

    @property
    def few(self) -> int:
        """Steps that are enough to check a result by, and do not last."""
        return min(self.batches, max(2, min(50, 20_000_000_000 // self.operations)))


def adam(name: str, title: str, *args: Any, **kwargs: Any) -> Case:
    return Case(name, title, *args, optimizer="adam", rate=0.001, **kwargs)


_cases = [
    Case("mnist-sgd", "MNIST, batch 100, SGD", REPORT, 100, "mnist", 55_000),
    adam("mnist-adam", "MNIST, batch 100, Adam", REPORT, 100, "mnist", 55_000),
    Case("mnist-32", "MNIST, batch 32, SGD", REPORT, 32, "mnist", 55_000),
    Case("mnist-1000", "MNIST, batch 1000, SGD", REPORT, 1000, "mnist", 55_000),
    Case("mnist-float64", "MNIST, batch 100, SGD, float64", REPORT, 100, "mnist", 55_000,
         dtype="float64"),
    adam("mnist-norm", "MNIST, batch 100, Adam, batch norm", REPORT, 100, "mnist", 55_000,
         peers=("torch", "torch-compiled"), norm=True),
    adam("mnist-dropout", "MNIST, batch 100, Adam, dropout 0.5", REPORT, 100, "mnist", 55_000,
         peers=("torch", "torch-compiled"), dropout=0.5),
    Case("gaussian", "dense Gaussian, batch 100, SGD", REPORT, 100, "gaussian", 20_000),
    Case("wide", "dense Gaussian, batch 512, SGD", (1024, 4096, 4096, 1000), 512, "gaussian",
         2_048),
    adam("narrow", "dense Gaussian, batch 256, Adam", (16, 256, 256, 256, 2), 256, "gaussian",
         16_384, peers=("torch", "torch-compiled", "jax")),
    adam("regression", "dense Gaussian, tanh, batch 100, Adam", (28, *[300] * 5, 1), 100,
         "gaussian", 20_000, peers=("torch", "torch-compiled", "jax"), activation="tanh"),
    Case("deep", "MNIST, batch 100, SGD", DEEP, 100, "mnist", 55_000, rate=0.01),
    adam("tiny", "dense Gaussian, batch 16, Adam", (8, 16, 16, 2), 16, "gaussian", 4_000),
    adam("text", "CSR 0.2 %, batch 200, Adam", (50_000, 128, 20), 200, "text", 10_000,
         peers=("scikit-learn",), stored=100),
    Case("busy", "MNIST, batch 100, SGD, a busy process beside", REPORT, 100, "mnist", 55_000,
         peers=("torch",), busy=True),
    Case("predict-one", "MNIST, predict 1 row", REPORT, 1, "mnist", 1_000, predicts=True,
         peers=PREDICTORS),
    Case("predict-all", "MNIST, predict 60,000 rows", REPORT, 60_000, "mnist", 60_000,
         predicts=True, peers=PREDICTORS),
]
CASES = {case.name: case for case in _cases}


def make_data(case: Case) -> dict[str, Array]:
    """Arrays by name.

    `X` (m, n_in), or `values`, `columns` and `pointers` of a CSR matrix; labels `y` (m,);
    the parameters to begin with, `W0`, `b0`, `W1`, …; for prediction `labels` (m,), what these
    parameters say of X in float64.
    """
    import fastmlp  # not at the top: a peer's process never loads it

    rng = np.random.default_rng(0)
    arrays = DATA[case.data](case, rng)
    layers = [
        (rng.normal(0, np.sqrt(2 / n_in), (n_out, n_in)), np.zeros(n_out))
        for n_in, n_out in pairwise(case.sizes)
    ]
    if case.predicts:  # by a network that has learned something
        net = fastmlp.MLP(case.sizes, dtype=case.dtype, uint8_scale=1 / 255)
        net.fit(*mnist(), epochs=2)
        layers = list(zip(net.weights, net.biases, strict=True))
        arrays["labels"] = labels_in_numpy(arrays["X"] / 255.0, layers)
    for l, (W, b) in enumerate(layers):
        arrays[f"W{l}"], arrays[f"b{l}"] = W.astype(case.dtype), b.astype(case.dtype)
    return arrays


@cache
def mnist() -> tuple[Array, Array]:
    """The 60,000 training images, uint8, and their labels."""
    from fastmlp.datasets import mnist as load

    data = load(Path(__file__).parent / "mnist")
    return data.X_train, data.y_train


def mnist_rows(case: Case, rng: np.random.Generator) -> dict[str, Array]:
    """The last images: those that the report trains on are the last 55,000."""
    X, y = mnist()
    return {"X": X[-case.rows :], "y": y[-case.rows :]}


def gaussian_rows(case: Case, rng: np.random.Generator) -> dict[str, Array]:
    """N(0, 1) without a zero, labels or values by a linear map that can be learned."""
    X = rng.standard_normal((case.rows, case.sizes[0]), np.float32)
    teacher = rng.standard_normal((case.sizes[0], case.sizes[-1]), np.float32)
    if case.is_regression:
        values = X @ teacher / np.sqrt(case.sizes[0])
        return {"X": X.astype(case.dtype), "y": values.astype(case.dtype)}
    return {"X": X.astype(case.dtype), "y": np.argmax(X @ teacher, axis=1).astype(np.int32)}


def text_rows(case: Case, rng: np.random.Generator) -> dict[str, Array]:
    """Word weights: a few columns in each row, drawn by Zipf's law; rows of length 1."""
    m, n_in, stored = case.rows, case.sizes[0], case.stored
    columns = np.empty((m, stored), np.int32)
    for row in columns:
        words = np.unique(n_in ** rng.random(4 * stored)).astype(np.int32)  # P(word k) ~ 1/k
        words = np.unique(words - 1)
        row[:] = np.sort(rng.choice(words, stored, replace=False))
    values = rng.exponential(1, columns.shape).astype(case.dtype)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    teacher = rng.standard_normal((n_in, case.sizes[-1]), np.float32)
    scores = np.einsum("ms,msk->mk", values, teacher[columns])
    return {
        "values": values.ravel(),
        "columns": columns.ravel(),
        "pointers": np.arange(0, m * stored + 1, stored),
        "y": np.argmax(scores, axis=1).astype(np.int32),
    }


DATA = {"mnist": mnist_rows, "gaussian": gaussian_rows, "text": text_rows}


def labels_in_numpy(X: Array, layers: list[tuple[Array, Array]]) -> Array:
    """The most probable class of each row, in float64."""
    a = X
    for l, (W, b) in enumerate(layers):
        a = a @ W.T.astype(np.float64) + b
        if l < len(layers) - 1:
            a = np.maximum(a, 0)
    return np.argmax(a, axis=1)
