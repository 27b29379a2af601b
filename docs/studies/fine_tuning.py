"""Fine tuning: does what a network learned from the digits 0 to 4 help it to tell 5 to 9 apart?

For each of five seeds a network is trained on the images of 0 to 4, then, with 10, 50, 100 or 500
examples of each of 5 to 9, five ways of training are compared:

    from scratch   all layers, from new weights
    head alone     `with_head`, hidden layers frozen
    slow layers    `with_head`, hidden layers at a tenth of the learning rate
    all layers     `with_head`, one learning rate
    head, then all `with_head`, half of the steps frozen, half as "all layers"

All with the same examples, about a thousand steps, batches and schedule; tested on the 4,861 test
images of 5 to 9.

    python docs/studies/fine_tuning.py

writes fine_tuning.md and, where matplotlib is installed, fine_tuning.png beside this file.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp

HERE = Path(__file__).parent
SEEDS = range(5)
COUNTS = (10, 50, 100, 500)  # examples of a class
STEPS, BATCH = 1000, 25
RATE = fastmlp.schedules.OneCycle(0.003)
SIZES = (784, 256, 256, 5)

Array = NDArray[Any]
Results = dict[tuple[str, int], list[float]]  # test accuracy of each seed


def fit(net: fastmlp.MLP, X: Array, y: Array, steps: int, **options: Any) -> None:
    """What all ways have in common."""
    net.fit(
        X, y, epochs=steps // -(-len(X) // BATCH), batch_size=BATCH, optimizer=fastmlp.AdamW(RATE),
        reset_optimizer=True, **options,
    )


def from_scratch(trained: fastmlp.MLP, X: Array, y: Array, seed: int) -> fastmlp.MLP:
    net = fastmlp.MLP(SIZES, dropout=0.2, seed=seed, uint8_scale=1 / 255)
    fit(net, X, y, STEPS)
    return net


def head_alone(trained: fastmlp.MLP, X: Array, y: Array, seed: int) -> fastmlp.MLP:
    net = trained.with_head(5, seed=seed)
    net.freeze([0, 1])
    fit(net, X, y, STEPS)
    return net


def slow_layers(trained: fastmlp.MLP, X: Array, y: Array, seed: int) -> fastmlp.MLP:
    net = trained.with_head(5, seed=seed)
    fit(net, X, y, STEPS, rate_multipliers=[0.1, 0.1, 1.0])
    return net


def all_layers(trained: fastmlp.MLP, X: Array, y: Array, seed: int) -> fastmlp.MLP:
    net = trained.with_head(5, seed=seed)
    fit(net, X, y, STEPS)
    return net


def head_then_all(trained: fastmlp.MLP, X: Array, y: Array, seed: int) -> fastmlp.MLP:
    net = trained.with_head(5, seed=seed)
    net.freeze([0, 1])
    fit(net, X, y, STEPS // 2)
    net.unfreeze()
    fit(net, X, y, STEPS // 2)
    return net


WAYS = {
    "from scratch": from_scratch,
    "head alone": head_alone,
    "slow layers": slow_layers,
    "all layers": all_layers,
    "head, then all": head_then_all,
}


def a_few(y: Array, count: int, seed: int) -> Array:
    """The indices of `count` examples of each of 5 to 9, drawn by the seed."""
    rng = np.random.default_rng([seed, count])
    return np.concatenate([
        rng.choice(np.flatnonzero(y == digit), count, replace=False) for digit in range(5, 10)
    ])


def study(folder: Path) -> tuple[Results, list[float]]:
    """All ways on all seeds; and how well each first network knows 0 to 4."""
    data = fastmlp.datasets.mnist(folder)
    low, high = data.y_train < 5, data.y_test >= 5
    results: Results = {}
    known = []
    for seed in SEEDS:
        trained = fastmlp.MLP(SIZES, dropout=0.2, seed=seed, uint8_scale=1 / 255)
        trained.fit(data.X_train[low], data.y_train[low], epochs=10,
                    optimizer=fastmlp.AdamW(RATE))
        known.append(float(np.mean(trained.predict(data.X_test[~high]) == data.y_test[~high])))
        for count in COUNTS:
            rows = a_few(data.y_train, count, seed)
            X, y = data.X_train[rows], data.y_train[rows] - 5
            for name, way in WAYS.items():
                net = way(trained, X, y, seed)
                right = net.predict(data.X_test[high]) == data.y_test[high] - 5
                results.setdefault((name, count), []).append(float(np.mean(right)))
    return results, known


def table(results: Results, known: list[float], seconds: float) -> str:
    """The study as Markdown."""
    lines = [
        "# Fine-tuning: from the digits 0–4 to 5–9",
        "",
        f"A network 784-256-256-5 with ReLU and dropout 0.2 was trained on the 30,596 images of "
        f"0 to 4 (10 epochs, test accuracy {np.mean(known):.4f}) and then on a few images of 5 to "
        f"9: {STEPS} steps with batches of {BATCH}, AdamW, one-cycle schedule with maximum 0.003. "
        f"Test accuracy on 5 to 9, mean ± standard deviation over {len(SEEDS)} seeds, each with "
        f"different initial weights and examples.",
        "",
        "| examples per class | " + " | ".join(WAYS) + " |",
        "| ---: |" + " --- |" * len(WAYS),
    ]
    for count in COUNTS:
        cells = []
        for name in WAYS:
            found = results[name, count]
            cells.append(f"{np.mean(found):.4f} ± {np.std(found, ddof=1):.4f}")
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    return "\n".join([
        *lines,
        "",
        "![The table as curves](fine_tuning.png)",
        "",
        f"`python docs/studies/fine_tuning.py`, {seconds:.0f} seconds.",
        "",
    ])


def picture(results: Results, path: Path) -> None:
    """Test error against examples a class."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, marker in zip(WAYS, "os^vD", strict=True):
        errors = 100 * (1 - np.array([results[name, count] for count in COUNTS]))
        axes.errorbar(COUNTS, errors.mean(axis=1), errors.std(axis=1, ddof=1), label=name,
                      marker=marker, capsize=3)
    axes.set(xscale="log", yscale="log", xlabel="examples of each of the digits 5 to 9",
             ylabel="test error, %", xticks=COUNTS, xticklabels=COUNTS)
    axes.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description="The study of fine tuning.")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "benchmarks/mnist",
                        help="folder of MNIST's files (default: the repository's)")
    args = parser.parse_args()
    start = time.perf_counter()
    results, known = study(args.data)
    text = table(results, known, time.perf_counter() - start)
    (HERE / "fine_tuning.md").write_text(text)
    print(text)
    try:
        picture(results, HERE / "fine_tuning.png")
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
