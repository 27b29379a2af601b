"""Steps and epochs of fastmlp and of the NumPy reference, and where a step's time goes.

Grouped by case, a row for each library.  Each asserts that what was timed was right, and has the
time of a step in its extra_info (`pytest benchmarks --benchmark-json=FILE`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastmlp
from benchmarks.cases import CASES, Case, make_data
from fastmlp import reference

OPTIMIZERS = {"sgd": fastmlp.GradientDescent, "adam": fastmlp.Adam}
TRAINED = [c.name for c in CASES.values() if not (c.predicts or c.stored or c.busy)]
PREDICTED = [c.name for c in CASES.values() if c.predicts]


class Work:
    """The first steps of a case, and each library's network with the case's parameters."""

    def __init__(self, case: Case, steps: int) -> None:
        self.case, self.steps, data = case, steps, make_data(case)
        self.X, self.y = data["X"][: steps * case.batch], data["y"][: steps * case.batch]
        self.labels = data.get("labels", self.y)[: steps * case.batch]
        layers = range(len(case.sizes) - 1)
        W, b = [data[f"W{l}"] for l in layers], [data[f"b{l}"] for l in layers]
        self.net = fastmlp.MLP(case.sizes, init=(W, b), dtype=case.dtype, uint8_scale=1 / 255)
        self.optimizer = OPTIMIZERS[case.optimizer](case.rate)

        kinds = ["relu"] * (len(W) - 1) + ["softmax"]
        self.plain = reference.Network(case.sizes, kinds, "cross_entropy", case.dtype, 1 / 255)
        self.plain.weights, self.plain.biases = W, b
        self.rule = reference.Optimizer(self.optimizer.name)

    def train_fastmlp(self) -> float:
        """An epoch of these steps; its cost."""
        given = {"epochs": 1, "batch_size": self.case.batch, "shuffle": False}
        return self.net.fit(self.X, self.y, optimizer=self.optimizer, **given).cost[0]

    def train_reference(self) -> float:
        """The same epoch in NumPy."""
        order, rates = np.arange(len(self.X)), np.full(self.steps, self.case.rate)
        total, weight = self.plain.train(
            self.X, self.y, order, self.case.batch, rates, self.rule
        )
        return total / weight

    def predict_fastmlp(self) -> Any:
        return self.net.predict(self.X)

    def predict_reference(self) -> Any:
        return self.plain.forward(self.X).argmax(axis=1)

    def phases(self) -> dict[tuple[str, int], float]:
        """Seconds of thread 0 in training so far, by phase and layer."""
        return self.net.state.phase_seconds()


@pytest.mark.parametrize("library", ["fastmlp", "reference"])
@pytest.mark.parametrize("name", TRAINED)
def test_steps(benchmark: Any, name: str, library: str) -> None:
    """A few steps, from the same parameters over the same batches."""
    case = CASES[name]
    work = Work(case, case.few)
    train = {"fastmlp": work.train_fastmlp, "reference": work.train_reference}
    costs = {kind: run() for kind, run in train.items()}
    assert costs["fastmlp"] == pytest.approx(costs["reference"], rel=1e-3)

    benchmark.group = f"{case.few} steps, {case.title}"
    rounds = 2 if case.operations > 1e9 else 10
    assert benchmark.pedantic(train[library], rounds=rounds) < costs[library]
    benchmark.extra_info["step_us"] = benchmark.stats.stats.median / work.steps * 1e6


@pytest.mark.parametrize("library", ["fastmlp", "reference"])
def test_epoch_of_mnist(benchmark: Any, library: str) -> None:
    """All 55,000 images once: what a user waits for."""
    case = CASES["mnist-adam"]
    work = Work(case, case.batches)
    train = {"fastmlp": work.train_fastmlp, "reference": work.train_reference}[library]
    first = train()

    benchmark.group = f"epoch, {case.title}"
    rounds = {"fastmlp": 5, "reference": 1}[library]
    assert benchmark.pedantic(train, rounds=rounds) < first < 0.4
    benchmark.extra_info["step_us"] = benchmark.stats.stats.median / work.steps * 1e6


@pytest.mark.parametrize("library", ["fastmlp", "reference"])
@pytest.mark.parametrize("name", PREDICTED)
def test_prediction(benchmark: Any, name: str, library: str) -> None:
    """One call."""
    case = CASES[name]
    work = Work(case, 1)
    predict = {"fastmlp": work.predict_fastmlp, "reference": work.predict_reference}[library]

    benchmark.group = case.title
    calls = {"rounds": 3} if case.batch > 1 else {"rounds": 200, "iterations": 10}
    found = benchmark.pedantic(predict, warmup_rounds=1, **calls)
    assert np.mean(found == work.labels) > 0.999


@pytest.mark.parametrize("name", ["mnist-sgd", "mnist-adam", "mnist-32", "gaussian"])
def test_phases(benchmark: Any, remark: Callable[[str], None], name: str) -> None:
    """Microseconds of a step by phase and layer, as thread 0 spends them."""
    case = CASES[name]
    work = Work(case, case.batches)
    first = work.train_fastmlp()
    before = work.phases()

    benchmark.group = f"epoch by phases, {case.title}"
    rounds = 5
    assert benchmark.pedantic(work.train_fastmlp, rounds=rounds) < first
    phases = {
        f"{phase} {layer + 1}": (seconds - before[phase, layer]) / (rounds * work.steps) * 1e6
        for (phase, layer), seconds in work.phases().items()
        if seconds > before[phase, layer]
    }
    benchmark.extra_info["phase_us"] = phases
    told = ", ".join(f"{phase} {us:.1f}" for phase, us in phases.items() if us >= 0.05)
    remark(f"{told}; step {sum(phases.values()):.1f} µs")
