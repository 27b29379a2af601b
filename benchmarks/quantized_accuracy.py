"""The test accuracy of networks in float, in 8-bit integers, and without floating point.

    python -m benchmarks.quantized_accuracy [--mnist benchmarks/mnist]

wine and breast cancer: 13-32-3 and 30-32-2 on scaled columns; digits: 64-100-10; five random splits
into 70 % for training and calibration and 30 % for the test.  MNIST: 784-512-10 by the recipe
`fast` with two seeds, calibrated on 1,000 training images.  "bins" and "waves": the same networks
with piecewise-linear encodings of eight bins, and with periodic encodings, of every column.
"fastmlp train": the default model of `fastmlp train` for the same columns, on two of the splits.
Every form is measured with each of the ranges of hidden layers, see `fastmlp.export.quantize`;
encodings are always in floating point.

Writes benchmarks/results/quantized_accuracy.csv, and prints the means as a table of Markdown.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Iterator
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp.encodings import Encoding, Periodic, PiecewiseLinear
from fastmlp.export import quantize, quantize_table
from fastmlp.export.ranges import METHODS

from . import ROOT

__all__ = ["forms", "measurements", "table"]

RESULTS = ROOT / "benchmarks" / "results" / "quantized_accuracy.csv"
SEEDS = range(5)
FEW_SEEDS = range(2)
HIDDEN = {"wine": 32, "breast cancer": 32, "digits": 100}
TABLES = ("wine", "breast cancer")
ENCODINGS = ("bins", "waves")
N_BINS = 8
CALIBRATION = 1000
COLUMNS = ("data", "seed", "form", "ranges", "n_test", "correct")

Array = NDArray[Any]
Sets = tuple[Array, Array, Array, Array]  # X and y for training, X and y for the test
Row = dict[str, str | int | float]


def split(name: str, seed: int) -> Sets:
    """Return a small data set with scaled columns, 70 % of it for training."""
    from sklearn import datasets

    if name == "digits":
        X, y = fastmlp.datasets.digits()
    else:
        X, y = getattr(datasets, f"load_{name.replace(' ', '_')}")(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(X))
    first, second = np.split(order, [round(0.7 * len(X))])
    if name != "digits":
        X = (X - X[first].mean(axis=0)) / X[first].std(axis=0)
    X = X.astype(np.float32)
    return X[first], y[first], X[second], y[second]


def trained(
    sets: Sets, n_hidden: int, seed: int, encodings: list[Encoding] | None = None
) -> fastmlp.MLP:
    """Return a network trained on a small data set."""
    X, y, *_ = sets
    sizes = (X.shape[1], n_hidden, int(y.max()) + 1)
    net = fastmlp.MLP(sizes, seed=seed, encodings=encodings)
    net.fit(X, y, epochs=40, batch_size=16)
    return net


def encodings_of(X: Array, name: str) -> list[Encoding]:
    """Return an encoding of each column, by the training set."""
    if name == "waves":
        return [Periodic(sigma=0.3)] * X.shape[1]
    quantiles = np.quantile(X, np.linspace(0, 1, N_BINS + 1), axis=0)
    return [PiecewiseLinear(np.unique(column).tolist()) for column in quantiles.T]


def forms(net: fastmlp.MLP, calibration: Array) -> Iterator[tuple[str, str, Any]]:
    """Yield each form of a network with its name and the method of its ranges."""
    yield "float", "", net
    for integer_only in (False,) if net.encodings else (False, True):
        name = "integers" if integer_only else "8 bits"
        for method in METHODS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield name, method, quantize(
                    net, calibration, integer_only=integer_only, ranges=method
                )


def measurements(name: str, net: fastmlp.MLP, sets: Sets, seed: int) -> Iterator[Row]:
    """Yield the accuracy of all forms of a network."""
    X, _, X_test, y_test = sets
    for form, method, one in forms(net, X[:CALIBRATION]):
        yield row(name, seed, form, method, one.predict(X_test) == y_test)


def table_measurements(name: str, seed: int) -> Iterator[Row]:
    """Yield those of the model of a table that `fastmlp train` makes of a small data set."""
    import pandas as pd

    from fastmlp.tabular import TabularClassifier

    X, y, X_test, y_test = split(name, seed)
    table, test = pd.DataFrame(X).add_prefix("x"), pd.DataFrame(X_test).add_prefix("x")
    model = TabularClassifier(random_state=seed, n_threads=1).fit(table, y)
    found = [("float", "", model)]
    found += [("8 bits", one, quantize_table(model, table, ranges=one)) for one in METHODS]
    for form, method, one in found:
        yield row(f"{name}, fastmlp train", seed, form, method, one.predict(test) == y_test)


def row(name: str, seed: int, form: str, method: str, correct: Array) -> Row:
    """Return an entry of the results."""
    return {
        "data": name,
        "seed": seed,
        "form": form,
        "ranges": method,
        "n_test": len(correct),
        "correct": int(correct.sum()),
    }


def mnist_measurements(folder: str) -> Iterator[Row]:
    """Yield those of the recipe `fast`."""
    sets = fastmlp.datasets.mnist(folder)
    for seed in FEW_SEEDS:
        net, _ = fastmlp.recipes.train("fast", *sets[:2], seed=seed, n_threads=1)
        assert isinstance(net, fastmlp.MLP)
        yield from measurements("MNIST", net, sets, seed)


def encoded_measurements() -> Iterator[Row]:
    """Yield those of networks whose columns have encodings."""
    for name in TABLES:
        for encoding in ENCODINGS:
            for seed in SEEDS:
                sets = split(name, seed)
                net = trained(sets, HIDDEN[name], seed, encodings_of(sets[0], encoding))
                yield from measurements(f"{name}, {encoding}", net, sets, seed)


def all_measurements(mnist: str) -> Iterator[Row]:
    """Yield everything, the quickest first."""
    for name, n_hidden in HIDDEN.items():
        for seed in SEEDS:
            sets = split(name, seed)
            yield from measurements(name, trained(sets, n_hidden, seed), sets, seed)
    yield from mnist_measurements(mnist)
    yield from encoded_measurements()
    for name in TABLES:
        for seed in FEW_SEEDS:
            yield from table_measurements(name, seed)


def table(rows: list[Row]) -> str:
    """Return the mean accuracy in per cent, a line for each data set."""
    columns = dict.fromkeys((one["form"], one["ranges"]) for one in rows)
    lines = ["| data | " + " | ".join(f"{a} {b}".strip() for a, b in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for data in dict.fromkeys(one["data"] for one in rows):
        cells = []
        for column in columns:
            fractions = [
                int(one["correct"]) / int(one["n_test"])
                for one in rows
                if (one["data"], one["form"], one["ranges"]) == (data, *column)
            ]
            cells.append(f"{100 * mean(fractions):.2f}" if fractions else "")
        lines.append(f"| {data} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write the results and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", default=str(ROOT / "benchmarks" / "mnist"))
    args = parser.parse_args()
    rows = []
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for one in all_measurements(args.mnist):
            rows.append(one)
            writer.writerow(one)
            file.flush()
    print(table(rows))


if __name__ == "__main__":
    main()
