"""Model files of each format, and what their networks predict: written once, read for ever.

    python tests/golden/models.py

adds the files that are missing to the folder models/.  Those that are there are never rewritten,
since users have such files; a new format adds a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp
from fastmlp import export
from fastmlp.encodings import Embedding, Numeric, Periodic, PiecewiseLinear
from fastmlp.losses import CrossEntropy

FOLDER = Path(__file__).parent / "models"
X = np.array([[0.5, -1, 2, 2], [0, 0, 0, 0], [-3, 1, 0.125, 1], [1, 2, 3, 2]])
LABELS = [0, 1, 2, 1]


def trained(
    sizes: tuple[int, ...] = (4, 5, 3), y: Any = LABELS, ema: float | None = None, **network: Any
) -> fastmlp.MLP:
    net = fastmlp.MLP(sizes, **network)
    net.fit(X, y, epochs=2, batch_size=2, n_threads=1, ema=ema)
    return net


def ensemble() -> fastmlp.Ensemble:
    return fastmlp.Ensemble([trained(seed=seed) for seed in (1, 2)])


def with_encodings() -> fastmlp.MLP:
    encodings = [Numeric(), Periodic(2), PiecewiseLinear([0, 1, 2]), Embedding(3, 2)]
    return trained(encodings=encodings)


def with_groups() -> fastmlp.MLP:
    return trained((4, 5, 6), [[0, 1], [1, 2], [2, 0], [1, 1]], loss=CrossEntropy(groups=(3, 3)))


def quantized() -> export.Quantized:
    return export.quantize(trained(), X)


def quantized_with_encodings() -> export.Quantized:
    encodings = [Numeric(), Numeric(), PiecewiseLinear([0, 1, 2]), Embedding(3, 2)]
    return export.quantize(trained(encodings=encodings, input_scaling=True), X)


def load(path: Path) -> Any:
    """Return the model of a file."""
    return (export.Quantized.load if "quantized" in path.stem else fastmlp.load)(path)


MODELS: dict[str, Callable[[], Any]] = {
    "2-network": trained,
    "2-float64-batch-norm-average": lambda: trained(dtype="float64", batch_norm=True, ema=0.9),
    "2-regression": lambda: trained((4, 5, 1), [0.5, 1, -1, 2], loss="squared_error"),
    "3-ensemble": ensemble,
    "4-groups": with_groups,
    "5-encodings": with_encodings,
    "6-rounded": trained,
    "7-quantized": quantized,
    "8-quantized-encodings": quantized_with_encodings,
}
OPTIONS: dict[str, dict[str, Any]] = {"6-rounded": {"dtype": "float16", "compress": True}}


def outputs(model: Any) -> list[Any]:
    """What the model predicts for X: probabilities, or values."""
    is_regression = model.loss.name == "squared_error"
    found = model.predict(X) if is_regression else model.forward(X)
    return np.round(found, 6).tolist()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, make in MODELS.items():
        if not (path := FOLDER / f"{name}.npz").exists():
            make().save(path, **OPTIONS.get(name, {}))
            path.with_suffix(".json").write_text(json.dumps(outputs(load(path))) + "\n")


if __name__ == "__main__":
    main()
