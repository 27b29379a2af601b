"""What sending less does to accuracy: MNIST on two ranks with the options for slow networks.

    mpiexec -n 2 python -m benchmarks.sending_less

784-256-256-10, ReLU, Adam, 5 epochs, a global batch of 200, all else by default; three seeds.
Writes results/sending_less.csv, and prints its means: test accuracy after the last epoch, and the
bytes that a rank hands to the sums in an epoch.
"""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
from mpi4py import MPI

import fastmlp
from fastmlp.distributed import communication, sums

from . import ROOT

__all__ = ["run"]

VARIANTS: dict[str, dict[str, Any]] = {
    "none": {},
    'compression="bfloat16"': {"compression": "bfloat16"},
    "accumulate=4": {"accumulate": 4},
    'accumulate=4, compression="bfloat16"': {"accumulate": 4, "compression": "bfloat16"},
    "accumulate=16": {"accumulate": 16},
    "local_steps=4": {"local_steps": 4},
    "local_steps=16": {"local_steps": 16},
    "local_steps=64": {"local_steps": 64},
}
EPOCHS, BATCH_SIZE, SEEDS = 5, 200, (0, 1, 2)
FILE = ROOT / "benchmarks" / "results" / "sending_less.csv"
n_bytes = 0  # sent so far


class CountingSum(sums.GradientSum):
    """Counts the bytes of gradients, in float32."""

    def start(self, numbers: Any) -> None:
        global n_bytes
        n_bytes += numbers.nbytes
        super().start(numbers)


def counting_average(mpi: Any, comm: Any, weight: float, arrays: Any, finite: bool) -> bool:
    """Count the bytes of parameters."""
    global n_bytes
    n_bytes += sum(one.nbytes for one in arrays)
    return sums.average(mpi, comm, weight, arrays, finite)


def run(options: dict[str, Any], seed: int, mnist: Any) -> tuple[float, int]:
    """Return the test accuracy, and the bytes sent in an epoch."""
    global n_bytes
    n_bytes = 0
    comm = MPI.COMM_WORLD
    rows = slice(comm.rank, None, comm.size)
    net = fastmlp.MLP((784, 256, 256, 10), uint8_scale=1 / 255, seed=seed)
    fastmlp.distributed.fit(
        net,
        mnist.X_train[rows],
        mnist.y_train[rows],
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        n_threads=1,
        **options,
    )
    sent = n_bytes // EPOCHS // (2 if "compression" in options else 1)
    return float(np.mean(net.predict(mnist.X_test) == mnist.y_test)), sent


def main() -> None:
    communication.GradientSum = CountingSum  # type: ignore[misc]
    communication.average = counting_average
    mnist = fastmlp.datasets.mnist(ROOT / "benchmarks" / "mnist")
    lines = []
    for name, options in VARIANTS.items():
        found = [run(options, seed, mnist) for seed in SEEDS]
        for seed, (accuracy, sent) in zip(SEEDS, found, strict=True):
            lines.append({"options": name, "seed": seed, "accuracy": accuracy, "bytes": sent})
        if MPI.COMM_WORLD.rank == 0:
            mean = np.mean([accuracy for accuracy, _ in found])
            print(f"| `{name}` | {found[0][1] / 1e6:.1f} | {mean:.2%} |", flush=True)
    if MPI.COMM_WORLD.rank == 0:
        with FILE.open("w", newline="") as file:
            writer = csv.DictWriter(file, lines[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)


if __name__ == "__main__":
    main()
