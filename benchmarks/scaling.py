"""A model of how long a step of data-parallel training takes, and what it predicts.

    python -m benchmarks.scaling --measure    # writes results/scaling.csv: 3 minutes
    python -m benchmarks.scaling              # tables for docs/scaling.md, and docs/scaling.png

A rank with `rows` of a batch, of a network with n weights, needs

    C = rows · n · c + n · u                     to compute: c a row and weight, u a weight's update
    A = 6 ⌈log₂ N⌉ α + 2 (N − 1)/N · bytes · β    for the sum over N ranks, by halves
    T = C + max(κ A, ω A, A − φ C)               for a step

α is the latency, which a long message needs three times (request, answer, data), and 1/β the rate.
The sum goes on during a part φ of the step, from the output layer's gradient until that of the
first layer, of which the last piece, a part ω of all bytes, is sent when nothing remains to be
computed.  A part κ of the sum is work of the rank's own processor, which copies and adds.

c and u are fitted on one rank by steps of two sizes, α and β by sums of two sizes on two ranks, κ
by the step of the wide network on two ranks.  Two ranks of one machine share its memory: there C
takes `slowdown` times as long, which is fitted too.  Other networks between them check the model.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log2
from typing import Any

from . import ROOT, distributed

__all__ = ["Machine", "Network", "predicted"]

FILE = ROOT / "benchmarks" / "results" / "scaling.csv"
PICTURE = ROOT / "docs" / "scaling.png"
PIECE_BYTES = 1 << 20  # as kernels/pieces.pxd has it
PHI = 2 / 3  # of the multiply-adds of a step two thirds are the backward pass
FITTED_ON = (4e9, 0.0)  # rate and delay of the network of which α, β and κ are fitted
NETWORKS = (FITTED_ON, (1e9, 0.0), (1e9, 1e-3))
CASES = ("report 64", "report 512", "wide 128", "wide 512")
RANKS = tuple(2**k for k in range(11))
# latency in seconds and bits a second of what is usual between machines
LINKS = {"1 Gbit/s": (1e-4, 1e9), "10 Gbit/s": (3e-5, 1e10), "100 Gbit/s": (3e-6, 1e11)}
Row = dict[str, str]


@dataclass(frozen=True)
class Machine:
    """What a network costs on one rank."""

    weights: int
    c: float  # seconds a row and weight
    u: float  # seconds a weight
    omega: float  # the last piece's part of the weights

    def step(self, rows: float) -> float:
        return self.weights * (rows * self.c + self.u)


@dataclass(frozen=True)
class Network:
    """What lies between the ranks."""

    alpha: float  # seconds of latency
    beta: float  # seconds a byte
    kappa: float  # seconds of the processor for each second of a sum

    def all_reduce(self, n_bytes: float, n_ranks: int) -> float:
        if n_ranks == 1:
            return 0.0
        latencies = 6 * ceil(log2(n_ranks))
        return latencies * self.alpha + 2 * (n_ranks - 1) / n_ranks * n_bytes * self.beta


def predicted(
    machine: Machine, network: Network, rows: float, n_ranks: int, slowdown: float = 1.0
) -> float:
    """Return the seconds of a step with so many rows on each rank."""
    compute = slowdown * machine.step(rows)
    total = network.all_reduce(4 * machine.weights, n_ranks)
    return compute + max(network.kappa * total, machine.omega * total, total - PHI * compute)


def weights_of(case: str) -> int:
    return sum(a * b for a, b in pairwise(distributed.CASES[case][0]))


def last_piece(case: str) -> float:
    """Return the part of the weights in the last piece of the first layer's gradient."""
    n_in, n_out = distributed.CASES[case][0][:2]
    n_pieces = max(1, 4 * n_in * n_out // PIECE_BYTES)
    return n_in * n_out / n_pieces / weights_of(case)


def measure(seconds: float) -> None:
    """Measure all cases and write the file."""
    rows: list[dict[str, Any]] = []
    for network in (None, *NETWORKS):
        for case in CASES if network is None else ("report 512", "wide 512"):
            n_ranks = 1 if network is None else 2
            found = distributed.run(case, n_ranks, seconds, network and network[::-1])
            rate, delay = network or (0.0, 0.0)
            rows.append({"case": case, "ranks": n_ranks, "rate": rate, "delay": delay, **found})
            print(rows[-1], flush=True)
    with FILE.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{x:.6g}" if isinstance(x, float) else x for k, x in row.items()})


def row_of(rows: list[Row], case: str, rate: float = 0.0, delay: float = 0.0) -> Row:
    for row in rows:
        if (row["case"], float(row["rate"]), float(row["delay"])) == (case, rate, delay):
            return row
    raise ValueError(f"{FILE} has no row of {case} at {rate:g} bit/s and {delay:g} s")


def machines(rows: list[Row]) -> dict[str, Machine]:
    """Fit c and u of both networks."""
    found = {}
    for name, few, many in (("report", 64, 512), ("wide", 128, 512)):
        n = weights_of(f"{name} {few}")
        short, long = (float(row_of(rows, f"{name} {k}")["step"]) for k in (few, many))
        c = (long - short) / n / (many - few)
        u = max(0.0, short / n - few * c)
        found[name] = Machine(n, c, u, last_piece(f"{name} {few}"))
    return found


def fitted(rows: list[Row], own: dict[str, Machine]) -> tuple[Network, dict[str, float]]:
    """Fit α, β and κ on the network FITTED_ON, and how much longer both networks compute there."""
    on_two = {name: row_of(rows, f"{name} 512", *FITTED_ON) for name in own}
    sizes, times, blocking = (
        {name: float(row[key]) for name, row in on_two.items()}
        for key in ("bytes", "all_reduce", "blocking")
    )
    beta = (times["wide"] - times["report"]) / (sizes["wide"] - sizes["report"])
    alpha = max(0.0, times["report"] - beta * sizes["report"]) / 6
    compute = {name: blocking[name] - times[name] for name in own}
    exposed = float(on_two["wide"]["overlapped"]) - compute["wide"]
    network = Network(alpha, beta, max(0.0, exposed / times["wide"]))
    return network, {name: compute[name] / one.step(512) for name, one in own.items()}


def slower(network: Network, rate: float, delay: float) -> Network:
    """Return the network with another rate and more delay; the processor's work stays."""
    beta = 8 / rate
    return Network(network.alpha + delay, beta, min(1.0, network.kappa * network.beta / beta))


def check(
    rows: list[Row], own: dict[str, Machine], network: Network, slowdown: dict[str, float]
) -> None:
    """Print what the model says of networks of which it has not been fitted."""
    print("\n| network | rows a rank | rate | delay | sum | model | step | model | hidden |")
    print("|---|---|---|---|---|---|---|---|---|")
    for rate, delay in NETWORKS:
        link = network if (rate, delay) == FITTED_ON else slower(network, rate, delay)
        for name in ("report", "wide"):
            row = row_of(rows, f"{name} 512", rate, delay)
            total, step = float(row["all_reduce"]), float(row["overlapped"])
            model = link.all_reduce(4 * own[name].weights, 2)
            hidden = (float(row["blocking"]) - step) / total
            print(
                f"| {name} | 512 | {rate / 1e9:g} Gbit/s | {1e3 * delay:g} ms | "
                f"{1e3 * total:.1f} ms | {1e3 * model:.1f} | {1e3 * step:.1f} ms | "
                f"{1e3 * predicted(own[name], link, 512, 2, slowdown[name]):.1f} | "
                f"{hidden:.0%} |"
            )


def table(own: dict[str, Machine], kappa: float) -> None:
    """Print predicted speed-ups."""
    for scaling, rows in (("strong", 8192), ("weak", 512)):
        print(f"\n| {scaling} | link | " + " | ".join(str(n) for n in RANKS[1:]) + " |")
        print("|---" * (len(RANKS) + 1) + "|")
        for name, machine in own.items():
            for link, speedups in curves(machine, kappa, scaling, rows).items():
                cells = " | ".join(f"{one:.3g}" for one in speedups[1:])
                print(f"| {name} | {link} | {cells} |")


def curves(machine: Machine, kappa: float, scaling: str, rows: int) -> dict[str, list[float]]:
    """Return, for each link, examples a second on N ranks as a multiple of those on one."""
    found = {}
    for link, (alpha, rate) in LINKS.items():
        network = slower(Network(alpha, 8 / FITTED_ON[0], kappa), rate, 0.0)
        found[link] = [
            n * machine.step(rows) / predicted(machine, network, rows, n)
            if scaling == "weak"
            else machine.step(rows) / predicted(machine, network, rows / n, n)
            for n in RANKS
        ]
    return found


def picture(own: dict[str, Machine], kappa: float) -> None:
    """Draw the predicted speed-ups into PICTURE."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharex=True, sharey=True)
    colours = dict(zip(LINKS, ("#c44e52", "#dd8452", "#4c72b0"), strict=True))
    for axis, (scaling, rows) in zip(axes, (("strong", 8192), ("weak", 512)), strict=True):
        axis.plot(RANKS, RANKS, color="0.8")
        for name, style in (("report", "--"), ("wide", "-")):
            for link, speedups in curves(own[name], kappa, scaling, rows).items():
                label = f"{'784-256-256-10' if name == 'report' else '784-4096-4096-10'}, {link}"
                axis.plot(RANKS, speedups, style, color=colours[link], label=label)
        axis.set(xscale="log", yscale="log", xlabel="ranks")
        axis.set_xticks(RANKS, [str(n) for n in RANKS])
        batch = f"global batch of {rows:,}" if scaling == "strong" else f"{rows} rows a rank"
        axis.set_title(f"{scaling} scaling, {batch}")
    axes[0].set_ylabel("examples a second, as a multiple of one rank")
    axes[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="measure, and write the file")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    options = parser.parse_args()
    if options.measure:
        measure(options.seconds)
    with FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    own = machines(rows)
    network, slowdown = fitted(rows, own)
    for name, machine in own.items():
        print(
            f"{name}: c = {1e12 * machine.c:.1f} ps, u = {1e9 * machine.u:.2f} ns, "
            f"ω = {machine.omega:.2f}, slowdown {slowdown[name]:.2f}"
        )
    print(
        f"α = {1e6 * network.alpha:.0f} µs, 1/β = {8e-9 / network.beta:.2f} Gbit/s, "
        f"κ = {network.kappa:.2f}"
    )
    check(rows, own, network, slowdown)
    table(own, network.kappa)
    picture(own, network.kappa)


if __name__ == "__main__":
    main()
