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
    kind: str = "arrays"  # or "chunks", of 37 rows, "memory map" or "parquet", for all ranks

    @property
    def batch_size(self) -> int:
        return self.options.get("batch_size", BATCH_SIZE)


def half_square(h, y):
    return 0.5 * ((h - y[:, None]) ** 2).sum(axis=1)


def difference(h, y):
    return h - y[:, None]


DECAY = fastmlp.schedules.Exponential(0.5, 1, 0.9)
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
    "batch_norm": Case(network={"batch_norm": True}, options=FIFTY_STEPS),
    "batch_norm_random": Case(network={"batch_norm": [True, False]} | RANDOM, options=LIMITS),
    "batch_norm_uneven": Case(network={"batch_norm": True}, even=False),
    "batch_norm_weights": Case(
        network={"batch_norm": True}, weighted=True, even=False, options={"batch_size": 24}
    ),
    "batch_norm_frozen": Case(network={"batch_norm": True}, frozen=(0,)),
    "batch_norm_encodings": Case(
        network={"batch_norm": True, "encodings": COLUMNS}, options={"optimizer": MOMENTUM}
    ),
    "schedule": Case(options={"optimizer": fastmlp.Adam(fastmlp.schedules.OneCycle(0.01))}),
    "chunks": Case(kind="chunks", options=FIFTY_STEPS),
    "chunks_weights": Case(kind="chunks", weighted=True, network={"batch_norm": True}),
    "uneven_chunks": Case(kind="chunks", even=False),
    "memory_map": Case(kind="memory map", even=False, validated=True),
    "memory_map_weights": Case(kind="memory map", even=False, weighted=True),
    "time": Case(options={"max_seconds": 1000.0}, even=False, weighted=True, network=RANDOM),
    "parquet": Case(kind="parquet", options=FIFTY_STEPS | {"batch_size": 50}),
    "shuffled": Case(options={"shuffle": True, "epochs": 3}),
    "shuffled_chunks": Case(kind="chunks", even=False, options={"shuffle": True, "epochs": 3}),
    "uneven_chunks_decay": Case(  # some ranks have no rows in the last batches
        kind="chunks", even=False, options={"optimizer": fastmlp.AdamW(0.01, weight_decay=DECAY)}
    ),
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


def in_pieces(kind: str, X: Any, y: Any, options: dict[str, Any], path: Path) -> tuple[Any, Any]:
    """Return the examples as chunks, or as a memory map of a file."""
    if kind == "memory map":
        X.tofile(path)
        return np.memmap(path, X.dtype, "r", shape=X.shape), y
    if kind == "parquet":  # the rows of all ranks, in row groups that any N_RANKS can divide
        import pyarrow.parquet

        (X, y), _ = shard(CASES["parquet"], [N_ROWS], 0)
        table = pyarrow.table({"y": y} | {f"x{k}": X[:, k] for k in range(X.shape[1])})
        path.parent.joinpath(path.stem).mkdir()
        rows = path.parent / path.stem / "rows.parquet"
        pyarrow.parquet.write_table(table, rows, row_group_size=25)
        return fastmlp.ParquetFolder(rows.parent, label="y"), None
    if kind == "chunks":
        arrays = [X, y]
        if "sample_weight" in options:
            arrays.append(options.pop("sample_weight"))
        return [tuple(one[k : k + 37] for one in arrays) for k in range(0, len(X), 37)], None
    return X, y


def run(folder: Path, names: list[str]) -> None:
    """Fit the named cases and save networks, their bits and histories."""
    from mpi4py import MPI

    rank, n_ranks = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
    for name in names:
        case = CASES[name]
        net = network(case)
        local, options = shard(case, counts(n_ranks, case.even), rank)
        local = in_pieces(case.kind, *local, options, folder / f"{name}-{n_ranks}-{rank}.rows")
        history = fastmlp.distributed.fit(net, *local, **options)
        figures = asdict(history)
        del figures["seconds"]
        path = folder / f"{name}-{n_ranks}-{rank}"
        path.with_suffix(".json").write_text(json.dumps(figures))
        net.save(path.with_suffix(".npz"), with_optimizer=True)
        path.with_suffix(".bits").write_bytes(net.state.snapshot().tobytes())


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
