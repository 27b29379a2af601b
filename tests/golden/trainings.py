"""Short trainings of every kind, and the hash of what each leaves: parameters, history, outputs.

    python tests/golden/trainings.py            print every hash, as lines `name hash`
    python tests/golden/trainings.py --write    write them to hashes.txt beside this file

The environment variable FASTMLP_ISA chooses the instruction set.  All builds with fused
multiply-adds have the hashes of hashes.txt.  The examples are made by integer arithmetic, so that
they depend on no generator of random numbers; the first parameters and the order of the examples
come from NumPy's, whose streams do not change.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp
from fastmlp.augment import Distortion
from fastmlp.encodings import Embedding, Numeric, OneHot, Periodic, PiecewiseLinear
from fastmlp.schedules import Cosine, OneCycle

HASHES = Path(__file__).parent / "hashes.txt"
N_ROWS, N_IN, N_CLASSES = 150, 24, 5
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "gradient descent": lambda: fastmlp.GradientDescent(0.05),
    "momentum": lambda: fastmlp.GradientDescent(0.02, momentum=0.9),
    "Nesterov": lambda: fastmlp.GradientDescent(0.02, momentum=0.9, nesterov=True),
    "Adam": lambda: fastmlp.Adam(0.002),
    "AdamW": lambda: fastmlp.AdamW(OneCycle(0.005)),
    "RMSprop": lambda: fastmlp.RMSprop(Cosine(0.002)),
}
NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch norm": {"batch_norm": True},
    "dropout and noise": {"dropout": 0.3, "input_dropout": 0.1, "noise": 0.1},
}
ACTIVATIONS = (
    "identity", "sigmoid", "leaky_relu", "tanh", "softplus", "elu", "selu", "silu", "gelu", "mish",
)  # fmt: skip
LOSSES = (
    "squared_error", "absolute_error", "huber", "binary_cross_entropy", "poisson", "gamma",
)  # fmt: skip
Training = Callable[[], fastmlp.MLP]


def whole_numbers(n_rows: int, n_columns: int, below: int, salt: int = 0) -> np.ndarray:
    """Numbers 0 … below − 1 from the bits of multiplied counters."""
    counter = np.arange(n_rows * n_columns, dtype=np.uint64) + np.uint64(1 + salt)
    mixed = counter * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed >> np.uint64(40)) % np.uint64(below)).astype(np.int64).reshape(n_rows, n_columns)


def examples(dtype: str = "float32", n_rows: int = N_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """X (n_rows, N_IN), of whose numbers a half are zero, and labels."""
    X = whole_numbers(n_rows, N_IN, 512) - 256
    X[X < 0] = 0
    labels = (X[:, :N_CLASSES] + whole_numbers(n_rows, N_CLASSES, 64, salt=7)).argmax(axis=1)
    return (X / 256).astype(dtype), labels


def fitted(
    options: dict[str, Any] | None = None,
    *,
    data: tuple[Any, Any] | None = None,
    sizes: tuple[int, ...] = (N_IN, 70, 33, N_CLASSES),
    **network: Any,
) -> fastmlp.MLP:
    """A network after three epochs in batches of 32."""
    net = fastmlp.MLP(sizes, **network)
    X, y = data or examples(network.get("dtype", "float32"))
    net.fit(X, y, **{"epochs": 3, "batch_size": 32, "n_threads": 2, **(options or {})})
    return net


def with_encodings() -> fastmlp.MLP:
    """Numbers, categories and dates' waves in one first layer."""
    numbers = whole_numbers(N_ROWS, 3, 1000) / 500 - 1
    X = np.column_stack([numbers, whole_numbers(N_ROWS, 2, 6)]).astype("float32")
    edges = np.linspace(-1, 1, 6)
    encodings = [Numeric(), PiecewiseLinear(edges), Periodic(6), Embedding(6, 4), OneHot(6)]
    data, sizes = (X, examples()[1]), (X.shape[1], 40, N_CLASSES)
    return fitted(data=data, sizes=sizes, encodings=encodings, input_scaling=True)


def regression_targets(loss: str) -> np.ndarray:
    """Targets (N_ROWS, 2) in the loss's range: 0 and 1, or positive numbers."""
    y = whole_numbers(N_ROWS, 2, 100, salt=3)
    return y % 2 if loss == "binary_cross_entropy" else (y + 1) / 50


def sparse_examples() -> tuple[Any, np.ndarray]:
    from scipy import sparse

    X, y = examples()
    return sparse.csr_matrix(X), y


def distorted() -> fastmlp.MLP:
    X = whole_numbers(N_ROWS, 144, 256).astype(np.uint8)
    augment = Distortion(rotation=10, translation=1, elastic=2)
    return fitted(
        {"augment": augment}, data=(X, examples()[1]), sizes=(144, 40, N_CLASSES),
        uint8_scale=1 / 255,
    )  # fmt: skip


def trainings() -> Iterator[tuple[str, Training]]:
    """Every training by its name."""
    for dtype, (optimizer, make), (kind, network) in product(
        ("float32", "float64"), OPTIMIZERS.items(), NETWORKS.items()
    ):
        yield (
            f"{dtype}, {optimizer}, {kind}",
            lambda dtype=dtype, make=make, network=network: fitted(
                {"optimizer": make(), "l2": 1e-3}, dtype=dtype, **network
            ),
        )
    for dtype, activation in product(("float32", "float64"), ACTIVATIONS):
        yield (
            f"{dtype}, {activation}",
            lambda dtype=dtype, activation=activation: fitted(dtype=dtype, activation=activation),
        )
    for dtype, loss in product(("float32", "float64"), LOSSES):
        yield (
            f"{dtype}, {loss}",
            lambda dtype=dtype, loss=loss: fitted(
                data=(examples(dtype)[0], regression_targets(loss)),
                sizes=(N_IN, 40, 2), dtype=dtype, loss=loss,
            ),
        )  # fmt: skip
    X, y = examples()
    weights = 1 + whole_numbers(N_ROWS, 1, 4).ravel() / 2
    options: dict[str, dict[str, Any]] = {
        "sample weights": {"sample_weight": weights},
        "label smoothing": {"label_smoothing": 0.1},
        "clipped gradients": {"clip_norm": 0.5},
        "limited weights": {"max_norm": 1.0},
        "averaged parameters": {"ema": 0.9},
        "validation set": {"validation_data": 0.2, "early_stopping": 2},
        "rates by layer": {"rate_multipliers": (0.5, 1, 2), "l2_multipliers": (1, 0, 1)},
        "one large batch": {"batch_size": N_ROWS},
    }
    for name, option in options.items():
        yield name, lambda option=option: fitted({"l2": 1e-3, **option})
    yield "bytes", lambda: fitted(data=((X * 256).astype(np.uint8), y), uint8_scale=1 / 256)
    yield "sparse rows", lambda: fitted(data=sparse_examples())
    yield "encodings of columns", with_encodings
    yield "distorted images", distorted


def arrays_of(net: fastmlp.MLP) -> Iterator[np.ndarray]:
    """All that a training leaves: parameters, running statistics and the cost of each epoch."""
    yield from net.weights
    yield from net.biases
    yield from (scale for scale in net.scales if scale is not None)
    yield from (array for encoding in net.encoding_parameters for array in encoding.values())
    if net.input_scale is not None:
        yield net.input_scale
    yield from (array for of_layer in net.statistics if of_layer is not None for array in of_layer)
    yield np.array(net.history.cost)


def fingerprint(net: fastmlp.MLP) -> str:
    """The same for the same bits, another one for others."""
    h = hashlib.sha256()
    for array in arrays_of(net):
        h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()[:24]


def main() -> None:
    """Print or write the hashes."""
    lines = [f"{name}: {fingerprint(train())}\n" for name, train in trainings()]
    if "--write" in sys.argv[1:]:
        HASHES.write_text("".join(lines))
    else:
        sys.stdout.writelines(lines)


if __name__ == "__main__":
    main()
