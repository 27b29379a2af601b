"""The time of the dense products at every width from 1 to 600, on one thread.

    python -m benchmarks.widths [--rounds 7] [--step 1]

A network n-n-n trains on batches of 100 dense examples.  Timed are the forward pass, the hidden
delta and the weight gradient of its second layer in their place in a step, with the delta's
product with f' and the update of the weights, by the clock of the training loop.  tanh leaves no
zeros to skip.  Every round measures all widths in a random order, and a time is the median over
the rounds.  Each width is compared with the straight line between the times at the multiples of
64 on both sides of it (below 64, between 1 and 64).

Writes benchmarks/results/widths.csv and widths.png.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
from itertools import pairwise

import numpy as np

import fastmlp

from . import ROOT, machine

__all__ = ["line", "measure", "picture"]

BATCH, WIDEST, GRID = 100, 600, 64
KNOTS = [1, *range(GRID, WIDEST + GRID, GRID)]  # between which the lines are drawn
PHASES = ("forward", "delta", "gradient")
RESULTS = ROOT / "benchmarks" / "results"
TOLERANCE = 1.12


def measure(n: int) -> dict[str, float]:
    """Seconds of each product of n × n weights: the fastest of three epochs after a first one."""
    steps = max(3, min(100, int(1e8 / (BATCH * (6 * n * n + 2_000)))))
    rng = np.random.default_rng(n)
    X = rng.standard_normal((steps * BATCH, n), dtype=np.float32)
    y = rng.standard_normal((steps * BATCH, n), dtype=np.float32)
    net = fastmlp.MLP(
        (n, n, n), activation="tanh", output_activation="identity", loss="squared_error"
    )
    sgd = fastmlp.GradientDescent(1e-3)
    clocks = []
    for _ in range(4):
        net.fit(X, y, epochs=1, batch_size=BATCH, optimizer=sgd, n_threads=1)
        clocks.append(net.state.phase_seconds())
    return {
        phase: min(after[phase, 1] - before[phase, 1] for before, after in pairwise(clocks)) / steps
        for phase in PHASES
    }


def line(n: int, seconds: dict[int, float]) -> float:
    """The time at width n on the line between the times of the neighbouring multiples of 64."""
    above = next(knot for knot in KNOTS if knot >= n)
    below = max([knot for knot in KNOTS if knot <= n])
    if above == below:
        return seconds[n]
    return float(np.interp(n, [below, above], [seconds[below], seconds[above]]))


def picture(rows: list[dict[str, str]]) -> None:
    """Draw fraction of peak and time against the line, over the width."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib.figure import Figure

    n = [int(row["width"]) for row in rows]
    figure = Figure(figsize=(9, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot(n, [float(row["of peak"]) for row in rows], color="#1f77b4", linewidth=1)
    upper.set_ylabel("fraction of FMA peak")
    upper.set_ylim(0, 1)
    lower.plot(n, [float(row["to line"]) for row in rows], color="#1f77b4", linewidth=1)
    lower.axhline(TOLERANCE, color="#d62728", linewidth=1, label=f"{TOLERANCE} times the line")
    lower.axhline(1, color="0.5", linewidth=1)
    lower.set_ylabel("time / line between multiples of 64")
    lower.set_xlabel("width n of n-n-n")
    lower.set_xlim(0, WIDEST)
    lower.set_xticks(range(0, WIDEST + 1, GRID))
    lower.legend(loc="lower right")
    for axes in (upper, lower):
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
    figure.suptitle(
        f"Three dense products, float32, batch {BATCH}, one thread, {machine.cpu_name()}",
        fontsize=9,
    )
    figure.savefig(RESULTS / "widths.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--step", type=int, default=1, help="measure every so many widths")
    given = parser.parse_args()
    widths = sorted({*range(1, WIDEST + 1, given.step), *KNOTS})
    times: dict[int, list[dict[str, float]]] = {n: [] for n in widths}
    peaks = []
    order = random.Random(0)
    for _ in range(given.rounds):
        peaks.append(machine.peak("float32", 1))
        for n in order.sample(widths, len(widths)):
            times[n].append(measure(n))
    peak = max(peaks)
    medians = {
        n: {phase: statistics.median(run[phase] for run in runs) for phase in PHASES}
        for n, runs in times.items()
    }
    totals = {n: sum(products.values()) for n, products in medians.items()}
    rows = []
    for n in widths:
        row = {"width": str(n)}
        row |= {f"{phase} µs": f"{1e6 * medians[n][phase]:.2f}" for phase in PHASES}
        row["of peak"] = f"{6 * BATCH * n * n / totals[n] / peak:.3f}"
        row["to line"] = f"{totals[n] / line(n, totals):.3f}"
        rows.append(row)
    with (RESULTS / "widths.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    picture(rows)
    print(f"{machine.cpu_name()}, {fastmlp.kernels.isa} kernels, peak {peak / 1e9:.0f} GFLOP/s")
    slow = [n for n in widths if totals[n] > TOLERANCE * line(n, totals)]
    print(f"above {TOLERANCE} times the line: {', '.join(map(str, slow)) or 'none'}")


if __name__ == "__main__":
    main()
