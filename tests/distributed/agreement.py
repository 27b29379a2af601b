"""Fits that several ranks and one process must do alike; as a program, the ranks' part.

    mpiexec -n N python agreement.py FOLDER CASE …

Each rank fits on its shard and saves what came out.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp
from fastmlp import encodings

BATCH_SIZE = 60
N_ROWS = 300  # 5 batches an epoch


@dataclass(frozen=True)
class Case:
    """Arguments of a network and of fit."""

    network: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    even: bool = True  # shards of equal size
    weighted: bool = False
    validated: bool = False
    frozen: tuple[int, ...] = ()

    @property
    def batch_size(self) -> int:
        return self.options.get("batch_size", BATCH_SIZE)


def half_square(h, y):
    return 0.5 * ((h - y[:, None]) ** 2).sum(axis=1)


def difference(h, y):
    return h - y[:, None]


FIFTY_STEPS = {"epochs": 10}
MOMENTUM = fastmlp.GradientDescent(0.1, 0.9)
RANDOM = {"dropout": 0.3, "input_dropout": 0.1, "noise": 0.2}
LIMITS = {"clip_norm": 0.5, "max_norm": 1.5, "ema": 0.9}
COLUMNS = [encodings.Periodic(4, 5, 1.0), encodings.Embedding(7, 3), *[encodings.Numeric()] * 4]
CASES = {
    "adam": Case(options=FIFTY_STEPS),
    "momentum": Case(options={"optimizer": MOMENTUM, "l2": 0.01} | FIFTY_STEPS),
    "random": Case(network=RANDOM),
    "limits": Case(options=LIMITS),
    "weights": Case(weighted=True),
    "uneven": Case(even=False),
    "uneven_weights": Case(even=False, weighted=True, options={"batch_size": 23}),
    "one_batch": Case(even=False, options={"batch_size": 10_000, "epochs": 5}),
    "validation": Case(
        validated=True,
        even=False,
        options={"early_stopping": 1, "epochs": 8, "optimizer": fastmlp.Adam(0.1)},
    ),
    "frozen_output": Case(frozen=(2,)),
    "frozen_input": Case(frozen=(0,)),
    "python_loss": Case(network={"loss": (half_square, difference)}),
    "encodings": Case(network={"encodings": COLUMNS, "input_scaling": True}),
    "schedule": Case(options={"optimizer": fastmlp.Adam(fastmlp.schedules.OneCycle(0.01))}),
    "shuffled": Case(options={"shuffle": True, "epochs": 3}),
}


def counts(n_ranks: int, even: bool) -> list[int]:
    """Return the number of rows of each rank; uneven: some batches have none of a rank."""
    if even or n_ranks == 1:
        return [N_ROWS // n_ranks] * n_ranks
    return [N_ROWS - 3 * (n_ranks - 1), *[3] * (n_ranks - 1)]


def network(case: Case) -> fastmlp.MLP:
    net = fastmlp.MLP((6, 20, 16, 5), dtype="float64", seed=3, **case.network)
    net.freeze(case.frozen)
    return net


def examples(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X, y and sample weights."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 5, N_ROWS)
    X = rng.normal(size=(N_ROWS, 6)) + 0.3 * y[:, None]
    X[:, 1] = rng.integers(0, 7, N_ROWS)
    return X, y, rng.uniform(0.5, 2, N_ROWS)


def shard(case: Case, counts: list[int], rank: int) -> tuple[tuple[Any, Any], dict[str, Any]]:
    """Return the examples of a rank, and what goes with them."""
    X, y, weight = examples(case)
    rows = slice(sum(counts[:rank]), sum(counts[: rank + 1]))
    options: dict[str, Any] = {"batch_size": BATCH_SIZE, "epochs": 2, "shuffle": False}
    options |= case.options
    if case.weighted:
        options["sample_weight"] = weight[rows]
    if case.validated:
        options["validation_data"] = X[rows][::-1] + 0.5, y[rows][::-1]
    return (X[rows], y[rows]), options


def run(folder: Path, names: list[str]) -> None:
    """Fit the named cases and save networks, their bits and histories."""
    from mpi4py import MPI

    rank, n_ranks = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
    for name in names:
        case = CASES[name]
        net = network(case)
        local, options = shard(case, counts(n_ranks, case.even), rank)
        history = fastmlp.distributed.fit(net, *local, **options)
        figures = asdict(history)
        del figures["seconds"]
        path = folder / f"{name}-{n_ranks}-{rank}"
        path.with_suffix(".json").write_text(json.dumps(figures))
        net.save(path.with_suffix(".npz"), with_optimizer=True)
        path.with_suffix(".bits").write_bytes(net.state.snapshot().tobytes())


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
