"""The estimators beside scikit-learn's own: scores, time to fit, time to predict one row.

    python -m benchmarks.estimators [--seeds 10] [--data digits iris] [--output FILE]

Both get the same parameters and the same seeds and fit in turns, three times a seed, each taking
the lead in every other one; a ratio is of two fits of the same seed, one after the other.  BLAS has
one thread, which is scikit-learn's best at these sizes; fastmlp takes what it takes by default.
The table goes to benchmarks/results/estimators.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is loaded

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

import fastmlp
from fastmlp import sklearn as ours

from . import machine

Array = NDArray[Any]
TURNS = 3  # of each seed: a shared machine is another one from second to second
ROWS = 200  # calls of predict in a turn
OUTPUT = Path(__file__).parent / "results" / "estimators.md"


def california() -> tuple[Array, Array]:
    """20,000 districts with eight features and a price, made up in the manner of that census."""
    rng = np.random.default_rng(0)
    m = 20_000
    income = rng.gamma(4, 1, m)
    age, rooms, people = rng.uniform(1, 52, m), rng.lognormal(1.6, 0.3, m), rng.lognormal(1, 0.3, m)
    north, west = rng.uniform(0, 1, (2, m))
    others = rng.normal(size=(2, m))
    coast = np.exp(-8 * np.abs(north + west - 1))
    price = 0.45 * income + 1.5 * coast + 0.3 * np.sin(age / 8) + 0.2 * rooms / people
    X = np.column_stack([income, age, rooms, people, north, west, *others])
    return scale(X), scale(price + 0.5 * rng.normal(size=m))


def loaded(load: Callable[..., Any]) -> Callable[[], tuple[Array, Array]]:
    """One of scikit-learn's sets, its columns scaled."""

    def read() -> tuple[Array, Array]:
        X, y = load(return_X_y=True)
        return scale(X), scale(y) if y.dtype.kind == "f" else y

    return read


CLASSIFIER, REGRESSOR = "MLPClassifier", "MLPRegressor"
CASES: dict[str, tuple[Callable[[], tuple[Array, Array]], str, dict[str, Any]]] = {
    "iris": (loaded(datasets.load_iris), CLASSIFIER, {}),
    "wine": (loaded(datasets.load_wine), CLASSIFIER, {}),
    "breast cancer": (loaded(datasets.load_breast_cancer), CLASSIFIER, {}),
    "digits": (loaded(datasets.load_digits), CLASSIFIER, {}),
    "digits, sgd": (
        loaded(datasets.load_digits), CLASSIFIER, {"solver": "sgd", "learning_rate_init": 0.1}
    ),
    "digits, early stopping": (loaded(datasets.load_digits), CLASSIFIER, {"early_stopping": True}),
    "diabetes": (loaded(datasets.load_diabetes), REGRESSOR, {}),
    "diabetes, lbfgs": (loaded(datasets.load_diabetes), REGRESSOR, {"solver": "lbfgs"}),
    "California-like": (california, REGRESSOR, {"max_iter": 30}),
}


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def turns(pair: list[Any], work: Callable[[Any], object], lead: int) -> float:
    """scikit-learn's time for some work to ours, in one turn of each."""
    took = [0.0, 0.0]
    for i in (lead, 1 - lead):
        took[i] = seconds(lambda: work(pair[i]))  # noqa: B023
    return took[0] / took[1]


def row(name: str, n_seeds: int) -> str:
    """A line of the table."""
    read, kind, options = CASES[name]
    X, y = read()
    scores: list[list[float]] = []
    fits, predictions = [], []
    for seed in range(n_seeds):
        X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed)
        pair = [getattr(room, kind)(random_state=seed, **options)
                for room in (neural_network, ours)]
        for turn in range(TURNS):
            lead = (seed + turn) % 2
            fits.append(turns(pair, lambda model: model.fit(X_train, y_train), lead))  # noqa: B023
        scores.append([model.score(X_test, y_test) for model in pair])
        one = X_test[:1]
        predictions.append(
            turns(pair, lambda model: [model.predict(one) for _ in range(ROWS)], seed % 2)  # noqa: B023
        )
    theirs, mine = (
        f"{np.mean(column):.4f} ± {np.std(column):.4f}" for column in np.transpose(scores)
    )
    return (
        f"| {name} | {len(X)} × {X.shape[1]} | {theirs} | {mine} | "
        f"{statistics.median(fits):.1f}× ({min(fits):.1f} to {max(fits):.1f}) | "
        f"{statistics.median(predictions):.0f}× |"
    )


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--data", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    lines = [
        f"{machine.cpu_name()}, fastmlp {fastmlp.__version__}, scikit-learn {sklearn.__version__}, "
        f"{fastmlp.get_num_threads()} threads, {arguments.seeds} seeds. Scores: accuracy or R² on "
        f"a quarter held out, mean ± standard deviation. Ratios: scikit-learn's time to fastmlp's, "
        f"median of {TURNS} a seed (least to most).",
        "",
        "| data | size | scikit-learn | fastmlp | fit | predict one row |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in arguments.data:
        lines.append(row(name, arguments.seeds))
        print(lines[-1], flush=True)
    part = arguments.output.with_suffix(".part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(part, arguments.output)


if __name__ == "__main__":
    main()
