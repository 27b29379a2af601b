"""Fits with the options for slow networks; as a program, the ranks' part.

    mpiexec -n N python slow_networks.py FOLDER CASE …

Each rank fits on its shard and saves its network.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp

SIZES = (6, 20, 5)
N_ROWS, BATCH_SIZE = 240, 24  # 10 batches an epoch
RATE, EPOCHS = 0.5, 2
COMMON = {"optimizer": fastmlp.GradientDescent(RATE), "l2": 0.01}


@dataclass(frozen=True)
class Case:
    """Arguments of a network and of distributed.fit."""

    options: dict[str, Any]
    network: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float64"
    even: bool = True


CASES = {
    "accumulate": Case({"accumulate": 3}),
    "local": Case({"local_steps": 4}),
    "local_uneven": Case({"local_steps": 3}, even=False),
    "local_accumulate": Case({"local_steps": 2, "accumulate": 2}),
    "local_adam": Case({"local_steps": 4, "optimizer": fastmlp.Adam(0.01), "ema": 0.9}),
    "local_clipped": Case({"local_steps": 4, "clip_norm": 0.1, "max_norm": 1.0}, even=False),
    "bfloat16": Case({"compression": "bfloat16"}),
    "bfloat16_single": Case({"compression": "bfloat16"}, dtype="float32", even=False),
}


def counts(case: Case, n_ranks: int) -> list[int]:
    """Return the number of rows of each rank."""
    if case.even or n_ranks == 1:
        return [N_ROWS // n_ranks] * n_ranks
    return [N_ROWS - 8 * (n_ranks - 1), *[8] * (n_ranks - 1)]  # some batches have none of a rank


def network(case: Case) -> fastmlp.MLP:
    return fastmlp.MLP(SIZES, activation="tanh", dtype=case.dtype, seed=3, **case.network)


def examples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 5, N_ROWS)
    return rng.normal(size=(N_ROWS, 6)) + 0.3 * y[:, None], y


def shard(case: Case, n_ranks: int, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the examples of a rank."""
    X, y = examples()
    ends = np.cumsum([0, *counts(case, n_ranks)])
    rows = slice(ends[rank], ends[rank + 1])
    return X[rows], y[rows]


def run(folder: Path, names: list[str]) -> None:
    """Fit the named cases and save networks and the optimizer's state."""
    from mpi4py import MPI

    rank, n_ranks = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
    for name in names:
        case = CASES[name]
        net = network(case)
        options = {**COMMON, "batch_size": BATCH_SIZE, "epochs": EPOCHS, "shuffle": False}
        fastmlp.distributed.fit(net, *shard(case, n_ranks, rank), **{**options, **case.options})
        net.save(folder / f"{name}-{n_ranks}-{rank}.npz", with_optimizer=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
