"""How the cost of a training step grows: with width, depth, batch, density and threads.

    python -m benchmarks.growth [--rounds 7]

Each figure is the median over the rounds of an epoch's seconds divided by its steps, the rows of
a table taken in turn within a round.  "of peak" is the dense arithmetic of the step at that time
against the multiply-add rate measured beside it.
"""

from __future__ import annotations

import argparse
import statistics
from itertools import pairwise

import numpy as np

import fastmlp

from . import machine

OPTIMIZER = fastmlp.GradientDescent(0.01)


class Step:
    """A network and random data for a few of its steps."""

    def __init__(
        self, sizes: tuple[int, ...], batch: int, density: float = 1.0, threads: int | None = None
    ) -> None:
        self.sizes, self.batch, self.threads = sizes, batch, threads
        self.steps = max(3, min(300, int(3e10 / self.operations)))
        rng = np.random.default_rng(0)
        shape = (batch * min(self.steps, 30), sizes[0])
        self.X = rng.standard_normal(shape, dtype=np.float32)
        self.X[rng.random(shape) >= density] = 0
        self.y = rng.integers(0, sizes[-1], len(self.X))
        self.net = fastmlp.MLP(sizes)
        self.seconds: list[float] = []

    @property
    def operations(self) -> int:
        """Of the dense arithmetic of a step: forward and gradient, and delta but for layer 1."""
        weights = [n_in * n_out for n_in, n_out in pairwise(self.sizes)]
        return 2 * self.batch * (3 * sum(weights) - weights[0])

    def run(self) -> None:
        """Take the median of a few epochs as one more figure."""
        epochs = max(1, self.steps * self.batch // len(self.X))
        history = self.net.fit(
            self.X, self.y, epochs=epochs, batch_size=self.batch, optimizer=OPTIMIZER,
            n_threads=self.threads,
        )
        steps = len(self.X) // self.batch
        self.seconds.append(statistics.median(history.seconds) / steps)


def table(title: str, column: str, rows: dict[str, Step], rounds: int) -> None:
    """Measure the rows in turn and print them."""
    for _ in range(rounds + 1):
        for step in rows.values():
            step.run()
    peak = machine.peak("float32", machine.CPUS)
    print(f"\n### {title}\n\n| {column} | µs a step | GFLOP/s | of peak |\n|---|---|---|---|")
    for name, step in rows.items():
        seconds = statistics.median(step.seconds[1:])  # the first warms up
        rate = step.operations / seconds
        row = (name, f"{seconds * 1e6:.1f}", f"{rate / 1e9:.0f}", f"{rate / peak:.2f}")
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(f"{machine.cpu_name()}, {machine.CPUS} processors, {fastmlp.kernels.isa} kernels")
    table(
        "Width: n-n-n-10, batch 100, dense input", "n",
        {str(n): Step((n, n, n, 10), 100) for n in (16, 32, 64, 128, 256, 512, 1024, 2048)}, rounds,
    )
    table(
        "Depth: 256 units a layer, batch 100, dense input", "hidden layers",
        {str(n): Step((256,) * (n + 1) + (10,), 100) for n in (1, 2, 4, 8, 16)}, rounds,
    )
    table(
        "Batch: 784-256-256-10, dense input", "batch",
        {str(m): Step((784, 256, 256, 10), m) for m in (1, 10, 32, 100, 128, 300, 1000)}, rounds,
    )
    table(
        "Density of the input: 784-256-256-10, batch 100", "non-zero",
        {f"{d:.2f}": Step((784, 256, 256, 10), 100, d) for d in (0.02, 0.1, 0.2, 0.4, 0.6, 1.0)},
        rounds,
    )
    for sizes in ((32, 32, 32, 10), (64, 64, 64, 10), (128, 128, 128, 10), (784, 256, 256, 10)):
        shape = "-".join(map(str, sizes))
        counts = [*range(1, machine.CPUS + 1), None]
        table(
            f"Threads: {shape}, batch 100, dense input", "threads",
            {str(n or "chosen"): Step(sizes, 100, threads=n) for n in counts}, rounds,
        )


if __name__ == "__main__":
    main()
