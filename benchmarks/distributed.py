"""Scaling of data-parallel training by MPI, from one rank to two or more, of one thread each.

    python benchmarks/distributed.py [--ranks 2] [--seconds 2] [--output results.json]

    weak scaling     784-256-256-10, ReLU, Adam, 512 rows a rank: seconds a step on one rank divided
                     by those on N
    strong scaling   1024-2048-2048-100, a global batch of 1,024: the same quotient; N is perfect

Random examples, the same number of steps on every rank.  Each figure is the least of several fits:
what else runs on the machine can only add to it.  `exposed` is the time that a step spends in
starting the sums and waiting for them, `at the end` the same where all sums start after the whole
backward pass.  The fits of both kinds alternate.  The share of the all-reduce that overlaps with
computation is 1 − exposed / at the end.

It needs mpi4py and an mpiexec: ``pip install "fastmlp[mpi]"``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

CASES: dict[str, tuple[tuple[int, ...], int, bool]] = {  # sizes, batch, whether it is of each rank
    "weak": ((784, 256, 256, 10), 512, True),
    "strong": ((1024, 2048, 2048, 100), 1024, False),
}


def measure(name: str, seconds: float) -> dict[str, float]:
    """Measure a case on this program's ranks; the figures are those of the slowest rank."""
    from mpi4py import MPI

    import fastmlp
    from fastmlp.distributed import communication

    comm = MPI.COMM_WORLD
    sizes, batch_size, of_each = CASES[name]
    n_local = batch_size if of_each else batch_size // comm.size
    waited, n_bytes, overlapping = 0.0, 0, True

    class TimedSum(communication.GradientSum):
        """Records the time spent in calls, and the bytes added up."""

        def start(self, numbers: Any) -> None:
            nonlocal waited, n_bytes
            n_bytes += numbers.nbytes
            started = perf_counter()
            if overlapping:
                super().start(numbers)
            else:
                self.__dict__.setdefault("later", []).append(numbers)
            waited += perf_counter() - started

        def finish(self) -> None:
            nonlocal waited
            started = perf_counter()
            for numbers in self.__dict__.pop("later", ()):
                super().start(numbers)
            super().finish()
            waited += perf_counter() - started

    communication.GradientSum = TimedSum  # type: ignore[misc]
    rng = np.random.default_rng(comm.rank)
    steps = 16 if of_each else 3
    X = rng.normal(size=(n_local * steps, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], len(X))
    net = fastmlp.MLP(sizes, seed=0)
    step, exposed = np.inf, {True: np.inf, False: np.inf}
    end = perf_counter() + seconds
    while not comm.bcast(perf_counter() > end) or not np.isfinite(exposed[False]):
        waited, n_bytes = 0.0, 0
        comm.Barrier()
        history = fastmlp.distributed.fit(
            net, X, y, epochs=1, batch_size=n_local * comm.size, shuffle=False, n_threads=1
        )
        longest = comm.allreduce(waited / steps, MPI.MAX)
        exposed[overlapping] = min(exposed[overlapping], longest)
        if overlapping:
            step = min(step, comm.allreduce(history.seconds[0] / steps, MPI.MAX))
        overlapping = not overlapping
    return {
        "step": step,
        "bytes": n_bytes / steps,
        "exposed": exposed[True],
        "at_the_end": exposed[False],
    }


def run(name: str, n_ranks: int, seconds: float) -> dict[str, float]:
    """Measure a case in a program of so many ranks."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "figures.json")
        command = [
            str(mpiexec) if mpiexec.exists() else "mpiexec",
            *("-n", str(n_ranks), sys.executable, __file__, "--case", name),
            *("--seconds", str(seconds), "--output", str(output)),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run(command, check=True, timeout=600, env=environment)
        found: dict[str, float] = json.loads(output.read_text())
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--case", choices=[*CASES], help=argparse.SUPPRESS)  # of a rank
    options = parser.parse_args()
    if options.case:
        figures = measure(options.case, options.seconds)
        from mpi4py import MPI

        if MPI.COMM_WORLD.rank == 0:
            options.output.write_text(json.dumps(figures))
        return
    results: dict[str, Any] = {"ranks": options.ranks}
    for name in CASES:
        one = run(name, 1, options.seconds)
        many = run(name, options.ranks, options.seconds)
        ratio = one["step"] / many["step"]
        hidden = 1 - many["exposed"] / many["at_the_end"]
        results[name] = {"one": one, "many": many, "ratio": ratio, "hidden": hidden}
        print(
            f"{name:<7} 1 rank {1e3 * one['step']:8.3f} ms, {options.ranks} ranks "
            f"{1e3 * many['step']:8.3f} ms: {ratio:.2f}; all-reduce of "
            f"{many['bytes'] / 1e6:.1f} MB {1e3 * many['exposed']:.3f} ms, at the end "
            f"{1e3 * many['at_the_end']:.3f} ms: {hidden:.0%} hidden",
            flush=True,
        )
    if options.output:
        options.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
