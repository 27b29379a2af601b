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

    python docs/studies/fine_tuning.py --run

trains the networks and writes fine_tuning/runs.csv, a row for each network, fine_tuning.md and,
where matplotlib is installed, fine_tuning.png beside this file. Without --run it writes
fine_tuning.md and fine_tuning.png from fine_tuning/runs.csv.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from study_files import new_axes, read_runs, write_page, write_runs

import fastmlp

HERE = Path(__file__).parent
SEEDS = range(5)
COUNTS = (10, 50, 100, 500)  # examples of a class
STEPS, BATCH = 1000, 25
RATE = fastmlp.schedules.OneCycle(0.003)
SIZES = (784, 256, 256, 5)

FIRST = "digits 0 to 4"  # the way of a seed's first network

Array = NDArray[Any]


@dataclass(frozen=True)
class Run:
    """A trained network, a row of runs.csv."""

    seed: int
    way: str  # a key of WAYS, or FIRST for the network that the other ones start from
    examples: int  # of each class; 0 for FIRST, which is trained on all
    accuracy: float  # on the test images of 5 to 9; of FIRST on those of 0 to 4
    seconds: float  # of training


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


def study(folder: Path) -> list[Run]:
    """Return the runs of all ways with all seeds, and of each seed's first network."""
    data = fastmlp.datasets.mnist(folder)
    low, high = data.y_train < 5, data.y_test >= 5
    runs = []
    for seed in SEEDS:
        start = time.perf_counter()
        trained = fastmlp.MLP(SIZES, dropout=0.2, seed=seed, uint8_scale=1 / 255)
        trained.fit(data.X_train[low], data.y_train[low], epochs=10,
                    optimizer=fastmlp.AdamW(RATE))
        seconds = time.perf_counter() - start
        right = trained.predict(data.X_test[~high]) == data.y_test[~high]
        runs.append(Run(seed, FIRST, 0, round(float(np.mean(right)), 6), round(seconds, 3)))
        for count in COUNTS:
            rows = a_few(data.y_train, count, seed)
            X, y = data.X_train[rows], data.y_train[rows] - 5
            for name, way in WAYS.items():
                start = time.perf_counter()
                net = way(trained, X, y, seed)
                seconds = time.perf_counter() - start
                right = net.predict(data.X_test[high]) == data.y_test[high] - 5
                accuracy = round(float(np.mean(right)), 6)
                runs.append(Run(seed, name, count, accuracy, round(seconds, 3)))
    return runs


def read(path: Path) -> list[Run]:
    """Read runs.csv."""
    return read_runs(Run, path)


def accuracies(runs: list[Run]) -> Results:
    """Return the test accuracies by way and number of examples, in the order of the seeds."""
    results: Results = {}
    for one in sorted(runs, key=lambda one: one.seed):
        results.setdefault((one.way, one.examples), []).append(one.accuracy)
    return results


def page(runs: list[Run]) -> str:
    """Return fine_tuning.md."""
    results = accuracies(runs)
    known = results[FIRST, 0]
    seconds = sum(one.seconds for one in runs)
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
        f"All {len(runs)} runs are in [fine_tuning/runs.csv](fine_tuning/runs.csv), from which "
        f"`python docs/studies/fine_tuning.py` computes this page. "
        f"`python docs/studies/fine_tuning.py --run` trains the networks anew: {seconds:.0f} "
        f"seconds of training on one thread, while other programs ran.",
        "",
    ])


def picture(results: Results, path: Path) -> None:
    """Test error against examples of each class."""
    figure, axes = new_axes()
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


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description="The study of fine tuning.")
    found.add_argument("--run", action="store_true",
                       help="train the networks and write runs.csv (default: read it)")
    found.add_argument("--data", type=Path, default=HERE.parents[1] / "benchmarks/mnist",
                       help="folder of MNIST's files (default: the repository's)")
    return found


def main() -> None:
    """Run the study, or read its runs, and write the page."""
    args = parser().parse_args()
    path = HERE / "fine_tuning/runs.csv"
    if args.run:
        write_runs(study(args.data), path)
    runs = read(path)
    write_page(
        page(runs), lambda path: picture(accuracies(runs), path), HERE / "fine_tuning.md"
    )


if __name__ == "__main__":
    main()
