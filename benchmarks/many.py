"""Many networks at once, beside one after the other, PyTorch and scikit-learn's grid search.

    python -m benchmarks.many [--torch-python PYTHON] [--parts small tiny torch grid] [--rounds 5]

small   64 networks 20-32-32-1, 5,000 rows, batches of 32, Adam: `fit_many` on all threads and
        `MLP.fit` one after the other, on one thread and on all
tiny    1,000 networks 6-16-1, 200 rows, batches of 32, 20 epochs: `fit_many` and a loop of `fit`
torch   the 64 networks by PyTorch one after the other, and stacked by torch.func.vmap
grid    GridSearchCV of 20 candidates × 5 folds on the digits, n_jobs=2, by both estimators

In each round every way has one turn, in an order drawn for the round; a ratio compares turns of the
same round, and the table has the median of the ratios with the least and the greatest.  PyTorch
runs in a process of its own (many_torch.py), by another Python if it is installed elsewhere.
The results go to benchmarks/results: many.json (every turn) and many.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is loaded

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp

from . import machine

RESULTS = Path(__file__).parent / "results"
PARTS = ("small", "tiny", "torch", "grid")
SMALL = {"epochs": 2, "batch_size": 32, "optimizer": "adam"}
TINY = {"epochs": 20, "batch_size": 32, "optimizer": "adam"}
Way = Callable[[], float]


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch-python", default=sys.executable, metavar="PYTHON")
    args = parser.parse_args()
    path = RESULTS / "many.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for part in args.parts:
        ways = PART_WAYS[part](args.torch_python)
        found[part] = measured(ways, 1 if part == "grid" else args.rounds)
        path.write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "many.md").write_text(markdown(found))
    print(markdown(found))


def measured(ways: dict[str, Way], n_rounds: int) -> dict[str, Any]:
    """The seconds of every turn, the first of the ways being `fit_many`."""
    rounds = []
    for number in range(n_rounds + 1):
        order = random.Random(number).sample(list(ways), len(ways))
        seconds = {name: ways[name]() for name in order}
        turns = {name: seconds[name] for name in ways}
        if number > 0 or n_rounds == 1:  # the first round warms up
            rounds.append(turns)
        if n_rounds == 1:
            break
    return {"load": os.getloadavg()[0], "cpu": machine.cpu_name(), "rounds": rounds}


def small_networks() -> list[fastmlp.MLP]:
    return [fastmlp.MLP((20, 32, 32, 1), loss="squared_error", seed=k) for k in range(64)]


def tiny_networks() -> list[fastmlp.MLP]:
    return [fastmlp.MLP((6, 16, 1), loss="squared_error", seed=k) for k in range(1000)]


def examples(n_rows: int, n_in: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_in)).astype(np.float32)
    return X, np.tanh(X[:, :1] * X[:, 1:2] + X[:, 2:3]).astype(np.float32)


def together(make: Callable[[], list[fastmlp.MLP]], data: Any, options: Any) -> Way:
    """Train new networks by `fit_many`, on as many threads as there are processors."""

    def turn() -> float:
        nets = make()
        started = time.perf_counter()
        outcomes = fastmlp.fit_many(nets, *data, options=options, n_jobs=machine.CPUS)
        seconds = time.perf_counter() - started
        assert all(one.stopped_by == "epochs" for one in outcomes)
        return seconds

    return turn


def one_by_one(make: Any, data: Any, options: Any, n_threads: int | None = None) -> Way:
    """Train new networks in a loop of `fit`."""

    def turn() -> float:
        nets = make()
        started = time.perf_counter()
        for net in nets:
            net.fit(*data, n_threads=n_threads, **options)
        return time.perf_counter() - started

    return turn


def small(torch_python: str) -> dict[str, Way]:
    data = examples(5000, 20)
    return {
        "fit_many": together(small_networks, data, SMALL),
        "one after the other, one thread": one_by_one(small_networks, data, SMALL, 1),
        "one after the other, all threads": one_by_one(small_networks, data, SMALL, machine.CPUS),
    }


def tiny(torch_python: str) -> dict[str, Way]:
    data = examples(200, 6)
    return {
        "fit_many": together(tiny_networks, data, TINY),
        "a loop of fit": one_by_one(tiny_networks, data, TINY),
    }


def torch(torch_python: str) -> dict[str, Way]:
    """PyTorch trains for one epoch, and its time counts as often as there are epochs."""
    process = subprocess.Popen(
        [torch_python, str(Path(__file__).with_name("many_torch.py"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )

    def ask(what: str) -> Way:
        def turn() -> float:
            assert process.stdin and process.stdout
            process.stdin.write(what + "\n")
            process.stdin.flush()
            return SMALL["epochs"] * float(process.stdout.readline())

        return turn

    return {
        "fit_many": together(small_networks, examples(5000, 20), SMALL),
        "PyTorch, one after the other": ask("loop"),
        "PyTorch, torch.func.vmap": ask("vmap"),
    }


def grid(torch_python: str) -> dict[str, Way]:
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPClassifier

    X, y = fastmlp.datasets.digits()
    candidates = {
        "hidden_layer_sizes": [(32,), (64,), (100,), (64, 64)],
        "alpha": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1],
    }

    def search(estimator: Any) -> Way:
        def turn() -> float:
            searching = GridSearchCV(estimator(max_iter=100, random_state=0), candidates,
                                     cv=5, n_jobs=2)
            started = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                searching.fit(X, y)
            seconds = time.perf_counter() - started
            assert searching.best_score_ > 0.9
            return seconds

        return turn

    return {
        "fastmlp.sklearn": search(fastmlp.sklearn.MLPClassifier),
        "scikit-learn": search(MLPClassifier),
    }


PART_WAYS = {"small": small, "tiny": tiny, "torch": torch, "grid": grid}
TITLES = {
    "small": "64 networks 20-32-32-1, 5,000 rows, 2 epochs",
    "tiny": "1,000 networks 6-16-1, 200 rows, 20 epochs",
    "torch": "The 64 networks by PyTorch",
    "grid": "GridSearchCV, 20 candidates × 5 folds, digits",
}


def markdown(found: dict[str, Any]) -> str:
    """A table of the medians."""
    lines = ["# Many networks", "", "Written by `python -m benchmarks.many`."]
    for part, result in found.items():
        first, *others = result["rounds"][0]
        lines += ["", f"## {TITLES[part]}", "",
                  f"{result['cpu']}, load {result['load']:.1f}, rounds: {len(result['rounds'])}.",
                  "", f"| way | seconds | times {first} (least – greatest) |", "|---|---|---|"]
        for way in (first, *others):
            seconds = statistics.median(one[way] for one in result["rounds"])
            ratios = [one[way] / one[first] for one in result["rounds"]]
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} – {max(ratios):.2f})"
            lines.append(f"| {way} | {seconds:.3f} | {spread} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
