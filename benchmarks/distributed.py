"""Scaling of data-parallel training by MPI, from one rank to two or more, of one thread each.

    python -m benchmarks.distributed [--ranks 2] [--seconds 2] [--output results.json]
    python -m benchmarks.distributed --rate 2e9 [--delay 0.0005]

    weak scaling     784-256-256-10, ReLU, Adam, 512 rows a rank: seconds a step on one rank divided
                     by those on N
    strong scaling   1024-2048-2048-100, a global batch of 1,024: the same quotient; N is perfect

Random examples, the same number of steps on every rank, each rank on a processor of its own.  Each
figure is the least of several fits, which alternate: what else runs on the machine can only add to
it.  Measured are

    step         as fastmlp.distributed.fit runs it
    blocking     with all sums after the whole backward pass
    overlapped   with sums that go on during the backward pass
    all-reduce   the sums alone, while nothing is computed
    apart        a network of each rank on its rows, at the same time: scaling without any sum

and the share of the all-reduce that overlap hides is (blocking − overlapped) / all-reduce.  On one
machine `fit` takes the blocking way, on several the overlapped one.  With `--rate`, two ranks in
two network namespaces are joined by a network of so many bits a second (two_hosts.py).

It needs mpi4py and an mpiexec: ``pip install "fastmlp[mpi]"``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from . import ROOT, two_hosts

CASES: dict[str, tuple[tuple[int, ...], int, bool]] = {  # sizes, batch, whether it is of each rank
    "weak": ((784, 256, 256, 10), 512, True),
    "strong": ((1024, 2048, 2048, 100), 1024, False),
    # for scaling.py
    "report 64": ((784, 256, 256, 10), 64, True),
    "report 512": ((784, 256, 256, 10), 512, True),
    "wide 128": ((784, 4096, 4096, 10), 128, True),
    "wide 512": ((784, 4096, 4096, 10), 512, True),
}
SCALING = ("weak", "strong")
FIT_FLOP = 6e10  # floating-point operations of a rank in a fit, about


def measure(name: str, seconds: float) -> dict[str, float]:
    """Measure a case on this program's ranks; the figures are those of the slowest rank."""
    from mpi4py import MPI

    import fastmlp
    from fastmlp.distributed import communication, sums

    comm = MPI.COMM_WORLD
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[comm.rank % len(processors)]})
    sizes, batch_size, of_each = CASES[name]
    weights = sum(a * b for a, b in pairwise(sizes))
    n_local = batch_size if of_each else batch_size // comm.size
    overlaps = {"step": None, "blocking": False, "overlapped": True}
    way = "step"
    pieces: list[Any] = []  # of the last batch

    class ChosenSum(sums.GradientSum):
        """Overlaps as the benchmark says, and remembers the arrays."""

        def __init__(self, mpi: Any, comm: Any, begin: Any, overlap: bool) -> None:
            chosen = overlaps[way]
            super().__init__(mpi, comm, begin, overlap if chosen is None else chosen)

        def start(self, numbers: Any) -> None:
            pieces.append(numbers)
            super().start(numbers)

    begin = partial(sums.ExactSum, MPI, comm.Dup())
    alone = sums.GradientSum(MPI, comm, begin, overlap=False)

    def all_reduce() -> float:
        arrays = [np.ones_like(one) for one in pieces[-len(pieces) // steps :]]
        comm.Barrier()
        started = perf_counter()
        for one in arrays:
            alone.start(one)
        alone.finish(len(arrays))
        return perf_counter() - started

    communication.GradientSum = ChosenSum  # type: ignore[misc]
    rng = np.random.default_rng(comm.rank)
    steps = max(2, min(16, int(FIT_FLOP / (6 * n_local * weights))))
    X = rng.normal(size=(n_local * steps, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], len(X))
    net = fastmlp.MLP(sizes, seed=0)
    apart = fastmlp.MLP(sizes, seed=0)
    least = {**dict.fromkeys(overlaps, np.inf), "all_reduce": np.inf, "apart": np.inf}
    end = perf_counter() + seconds
    while not comm.bcast(perf_counter() > end) or not np.isfinite(least["all_reduce"]):
        for way in overlaps:
            pieces.clear()
            comm.Barrier()
            history = fastmlp.distributed.fit(
                net, X, y, epochs=1, batch_size=n_local * comm.size, shuffle=False, n_threads=1
            )
            longest = comm.allreduce(history.seconds[0] / steps, MPI.MAX)
            least[way] = min(least[way], longest)
        comm.Barrier()
        history = apart.fit(X, y, epochs=1, batch_size=n_local, shuffle=False, n_threads=1)
        least["apart"] = min(least["apart"], comm.allreduce(history.seconds[0] / steps, MPI.MAX))
        least["all_reduce"] = min(least["all_reduce"], comm.allreduce(all_reduce(), MPI.MAX))
    return {**least, "bytes": sum(one.nbytes for one in pieces) / steps}


def run(
    name: str, n_ranks: int, seconds: float, network: tuple[float, float] | None = None
) -> dict[str, float]:
    """Measure a case in a program of so many ranks; on two hosts with a delay and a rate."""
    own = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(own) if own.exists() else "mpiexec"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        output = Path(folder, "figures.json")
        program = [sys.executable, "-m", "benchmarks.distributed", "--case", name]
        program += ["--seconds", str(seconds), "--output", str(output)]
        command = [mpiexec, "-n", str(n_ranks), *program]
        if network is not None:
            names = stack.enter_context(two_hosts.hosts(*network))
            command = stack.enter_context(two_hosts.command_on(names, program))
        subprocess.run(command, check=True, timeout=600, env=environment, cwd=ROOT)
        found: dict[str, float] = json.loads(output.read_text())
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rate", type=float, help="of a network of two hosts, bits a second")
    parser.add_argument("--delay", type=float, default=0.0, help="of this network, seconds")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", choices=SCALING, help="one of the two cases")
    parser.add_argument("--case", choices=[*CASES], help=argparse.SUPPRESS)  # of a rank
    options = parser.parse_args()
    if options.case:
        figures = measure(options.case, options.seconds)
        from mpi4py import MPI

        if MPI.COMM_WORLD.rank == 0:
            options.output.write_text(json.dumps(figures))
        return
    network = None if options.rate is None else (options.delay, options.rate)
    n_ranks = options.ranks if network is None else 2
    results: dict[str, Any] = {"ranks": n_ranks, "network": network}
    for name in [options.only] if options.only else SCALING:
        one = run(name, 1, options.seconds)
        many = run(name, n_ranks, options.seconds, network)
        ratio = one["step"] / many["step"]
        hidden = (many["blocking"] - many["overlapped"]) / many["all_reduce"]
        results[name] = {"one": one, "many": many, "ratio": ratio, "hidden": hidden}
        times = ", ".join(
            f"{key} {1e3 * many[key]:.1f}"
            for key in ("apart", "blocking", "overlapped", "all_reduce")
        )
        print(
            f"{name:<7} 1 rank {1e3 * one['step']:.1f} ms, {n_ranks} ranks "
            f"{1e3 * many['step']:.1f} ms: {ratio:.2f}; {times} ms of "
            f"{many['bytes'] / 1e6:.1f} MB: {hidden:.0%} hidden",
            flush=True,
        )
    if options.output:
        options.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
