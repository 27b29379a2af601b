"""The three dense products in their place in a step, against the measured FMA peak.

A kernel alone on small arrays tells little: here each runs inside the engine, with the caches as
a step leaves them, its epilogue (activation, ∘ f', update) counted as time but not as work.
tanh keeps every product dense.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fastmlp
from benchmarks import machine

STEPS, ROUNDS = 40, 5
PHASES = ("forward", "delta", "gradient")
THREADS = sorted({1, machine.CPUS})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", THREADS)
def test_peak(benchmark: Any, remark: Callable[[str], None], threads: int, dtype: str) -> None:
    """What all fractions are of."""
    benchmark.group = "multiply-adds on registers"
    peak = benchmark.pedantic(machine.peak, args=(dtype, threads), rounds=5)
    assert not peak <= 0
    benchmark.extra_info["gflops"] = peak / 1e9
    remark(f"{peak / 1e9:.0f} GFLOP/s")


@pytest.mark.skipif(machine.CPUS < 2, reason="there is one core")
def test_latency(benchmark: Any, remark: Callable[[str], None]) -> None:
    """A cache line from one core to another."""
    benchmark.group = "between two cores"
    seconds = benchmark.pedantic(machine.latency, rounds=5)
    benchmark.extra_info["latency_ns"] = seconds * 1e9
    remark(f"{seconds * 1e9:.0f} ns")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(
    ("sizes", "batch"),
    [((784, 256, 256, 10), 100), ((256, 256, 256, 256), 512), ((1000, 1000, 1000, 10), 100)],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else f"batch{value}",
)
def test_products(
    benchmark: Any,
    remark: Callable[[str], None],
    sizes: tuple[int, ...],
    batch: int,
    threads: int,
    dtype: str,
) -> None:
    """Fraction of the peak of these threads that each product reaches, by layer."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((STEPS * batch, sizes[0])).astype(dtype)
    y = rng.integers(0, sizes[-1], len(X)).astype(np.int32)
    net = fastmlp.MLP(sizes, activation="tanh", init="glorot_normal", dtype=dtype)
    sgd = fastmlp.GradientDescent(0.01)

    def epoch() -> float:
        given = {"epochs": 1, "batch_size": batch, "optimizer": sgd, "n_threads": threads}
        return net.fit(X, y, **given).cost[0]

    first = epoch()
    before = net.state.phase_seconds()
    benchmark.group = f"{'-'.join(map(str, sizes))}, batch {batch}, {dtype}"
    assert benchmark.pedantic(epoch, rounds=ROUNDS) < first

    peak = machine.peak(dtype, threads)
    weights = [n_in * n_out for n_in, n_out in pairwise(sizes)]
    operations = {layer: 2 * batch * n for layer, n in enumerate(weights)}
    fractions = {}
    for (phase, layer), seconds in net.state.phase_seconds().items():
        spent = (seconds - before[phase, layer]) / (ROUNDS * STEPS)
        if phase in PHASES and spent > 0:
            fractions[f"{phase} {layer + 1}"] = operations[layer] / spent / peak
    whole = sum(operations.values()) * 3 - operations[0]
    fractions["step"] = whole / (benchmark.stats.stats.median / STEPS) / peak
    benchmark.extra_info["fraction_of_peak"] = fractions
    remark(", ".join(f"{phase} {part:.2f}" for phase, part in fractions.items()))
