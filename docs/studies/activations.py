"""Sigmoid, ReLU and LeakyReLU: what happens to δ on the way back, and which units stop learning?

The networks are those of activations.toml, of which `fastmlp ablate` measures the accuracies. Here
they are trained again, from the same seeds, to look inside: at the size of δ in each hidden layer
before and after training, and at the units whose slope f'(z) is at most 0.01 on every training
image, which hardly learn any more.

    fastmlp ablate docs/studies/activations.toml
    python docs/studies/activations.py --run

trains on one thread and writes activations/layers.csv, a row for each hidden layer of each network;
then activations.md and, where matplotlib is installed, activations.png beside this file.

    python docs/studies/activations.py

writes activations.md and activations.png from activations/layers.csv and activations/runs.csv.
"""

from __future__ import annotations

import argparse
import csv
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from study_files import read_runs, write_page, write_runs

import fastmlp
from fastmlp import steps
from fastmlp.ablation import study as studies
from fastmlp.ablation.images import Images
from fastmlp.ablation.summary import student_t

HERE = Path(__file__).parent
ACTIVATIONS = {"sigmoid": "sigmoid", "relu": "ReLU", "leaky_relu": "LeakyReLU"}
INITS, RATES = ("N(0, 1)", "Glorot", "He"), ("0.01", "0.1", "1")
SMALL_SLOPE, SEEDS = 0.01, 5
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Array = NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """A hidden layer of a trained network, a row of layers.csv."""

    activation: str
    init: str
    rate: str
    seed: int
    layer: int  # 2 for the first hidden layer, as in the report
    delta_first: float  # root mean square of δ before training
    delta_last: float  # and after; NaN if training diverged
    inactive_first: int  # units whose slope is small on every training image, before training
    inactive_last: int  # and after; -1 if training diverged


def inside(
    net: fastmlp.MLP, activations: tuple[Any, ...], X: Array, y: Array
) -> list[tuple[float, int]]:
    """Return the root mean square of δ and the number of inactive units of each hidden layer."""
    functions = [*activations, "softmax"]
    W = [one.astype("float64") for one in net.weights]
    z, a = steps.forward(X.astype("float64"), W, net.biases, functions)
    delta_out = steps.output_delta(y, a[-1], z[-1], "softmax", "cross_entropy")
    deltas = steps.hidden_deltas(delta_out, W, z, functions)
    return [
        (
            float(np.sqrt(np.mean(delta**2))),
            int((slope(f.name, z_l) <= SMALL_SLOPE).all(axis=0).sum()),
        )
        for delta, z_l, f in zip(deltas[:-1], z[:-1], activations, strict=True)
    ]


def slope(activation: str, z: Array) -> Array:
    """Return f'(z); the slope of LeakyReLU is the default, 0.01."""
    if activation == "sigmoid":
        f = 1 / (1 + np.exp(-np.clip(z, -500, 500)))
        return np.asarray(f * (1 - f))
    return np.where(z > 0, 1.0, 0.01 if activation == "leaky_relu" else 0.0)


def run(path: Path) -> None:
    """Train the networks of activations.toml and write what they look like inside."""
    fastmlp.set_num_threads(1)
    study = studies.read(HERE / "activations.toml")
    data = Images.load("digits", 0)
    layers = []
    for seed in study.seeds:
        for combination in combinations(study):
            settings = combination[3]
            net = settings.network(data.X.shape[1], 10, seed)
            first = inside(net, settings.activation, data.X, data.y)
            try:
                settings.fit(net, data.X, data.y, n_threads=1)
                last = inside(net, settings.activation, data.X, data.y)
            except fastmlp.TrainingDiverged:
                last = [(float("nan"), -1)] * len(first)
            for l, (before, after) in enumerate(zip(first, last, strict=True), start=2):
                layers.append(Layer(*combination[:3], seed, l, before[0], after[0], before[1],
                                    after[1]))
        print(f"seed {seed}: done", flush=True)
    write_runs(layers, path)


def combinations(study: studies.Study) -> list[tuple[str, str, str, Any]]:
    """Return activation, initialization, learning rate and settings of each variant."""
    return [(*names(one.factor, one.value), one.settings) for one in study.variants]


def names(factor: str, value: str) -> tuple[str, str, str]:
    """Return activation, initialization and learning rate of a row of runs.csv."""
    own = {"activation": "sigmoid", "init": "Glorot", "rate": "0.1"}  # of the base
    if factor != "base":
        own |= dict(zip(factor.split(" + "), value.split(" + "), strict=True))
    return own["activation"], own["init"], own["rate"]


def read(path: Path) -> list[Layer]:
    """Read layers.csv."""
    return read_runs(Layer, path)


def accuracies(path: Path) -> dict[tuple[str, str, str], list[float]]:
    """Read runs.csv: accuracies in percent by activation, initialization and rate.

    A network whose training diverged has no accuracy.
    """
    found: dict[tuple[str, str, str], list[float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            own = found.setdefault(names(row["factor"], row["value"]), [])
            if not row["diverged"]:
                own.append(100 * float(row["accuracy"]))
    return found


def of(layers: list[Layer], activation: str, init: str, rate: str | None = None) -> list[Layer]:
    """Return the layers of some networks."""
    return [
        one for one in layers
        if (one.activation, one.init) == (activation, init) and rate in (None, one.rate)
    ]


def delta_by_layer(layers: list[Layer], activation: str, init: str) -> dict[int, float]:
    """Return |δ| of each hidden layer before training: the geometric mean of the seeds."""
    own = of(layers, activation, init, RATES[0])
    return {
        l: float(np.exp(fmean(np.log(one.delta_first) for one in own if one.layer == l)))
        for l in sorted({one.layer for one in own})
    }


def inactive(layers: list[Layer], activation: str, init: str, rate: str | None) -> float | None:
    """Return the inactive units of a network, mean of the seeds; before training without a rate.

    None if all trainings diverged.
    """
    own = of(layers, activation, init, rate or RATES[0])
    counts = [one.inactive_last if rate else one.inactive_first for one in own]
    n_seeds = len({one.seed for one in own if rate is None or one.inactive_last >= 0})
    return sum(n for n in counts if n >= 0) / n_seeds if n_seeds else None


def power(value: float) -> str:
    """Return a number with two digits, small and large ones as a power of ten."""
    if 0.001 <= value < 1000:
        return f"{value:.2g}" if value < 100 else f"{value:.0f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} · 10{str(int(exponent)).translate(RAISED)}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table as lines of Markdown."""
    return ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]


def page(layers: list[Layer], correct: dict[tuple[str, str, str], list[float]]) -> str:
    """Return activations.md."""
    numbers = sorted({one.layer for one in layers})
    pairs = [(activation, init) for activation in ACTIVATIONS for init in INITS]
    deltas, scores, counts = [], [], []
    for activation, init in pairs:
        start = [ACTIVATIONS[activation], init]
        own = delta_by_layer(layers, activation, init)
        ratio = own[numbers[0]] / own[numbers[-1]]
        deltas.append([*start, *[power(own[l]) for l in numbers], power(ratio)])
        scores.append([*start, *[score(correct[activation, init, rate]) for rate in RATES]])
        found = [inactive(layers, activation, init, rate) for rate in (None, *RATES)]
        counts.append([*start, *["diverged" if n is None else f"{n:.0f}" for n in found]])
    rates = [f"rate {rate}" for rate in RATES]
    head = ["activation", "initialization"]
    return "\n".join([
        "# Sigmoid, ReLU and LeakyReLU in a deep network",
        "",
        "**Question.** Tao Hu, \"A technical report about Deep Learning\", derives backpropagation "
        "for the sigmoid, and notes that it is the same for ReLU and LeakyReLU. The formulas are; "
        "is the training? How large is δ in each layer, how many units stop learning, and how does "
        "this depend on the initialization and the learning rate?",
        "",
        f"**Method.** Networks 64-32-32-32-32-32-10 with softmax and cross-entropy are trained on "
        f"1,500 of the digits by gradient descent, in batches of 50 for 20 epochs, with {SEEDS} "
        f"seeds for each of 27 combinations. N(0, 1) is for weights and biases; Glorot and He have "
        f"normal weights with the variances 2/(n_in + n_out) and 2/n_in, and biases 0. LeakyReLU "
        f"has the slope {SMALL_SLOPE} on the left.",
        "",
        "## δ by layer",
        "",
        "Root mean square of δ over the units of a layer and the training images, before training; "
        "geometric mean of the seeds. Layer 2 is the first hidden layer, layer 6 the last. The "
        "last column is how much of δ arrives at the first hidden layer.",
        "",
        *table([*head, *[f"δ({l})" for l in numbers], f"δ({numbers[0]})/δ({numbers[-1]})"], deltas),
        "",
        "![Size of δ by layer](activations.png)",
        "",
        "## Test accuracy",
        "",
        "Percent of the last 297 digits, mean ± standard deviation of the seeds:",
        "",
        *table([*head, *rates], scores),
        "",
        "## Units that stop learning",
        "",
        f"Hidden units, of {32 * len(numbers)}, with f′(z) ≤ {SMALL_SLOPE} on every training "
        f"image, mean of the seeds. For ReLU these are dead units; for LeakyReLU units that are on "
        f"the left side for all images; for the sigmoid units with |z| > 4.6 for all images. "
        f"Networks whose training diverged are not counted.",
        "",
        *table([*head, "before training", *rates], counts),
        "",
        conclusion(layers, correct),
        "",
        "The accuracies are those of [activations/runs.csv](activations/runs.csv), written by "
        "`fastmlp ablate docs/studies/activations.toml`, which has its own [table]"
        "(activations/table.md); δ and units are those of [activations/layers.csv]"
        "(activations/layers.csv), written by `python docs/studies/activations.py --run`. `python "
        "docs/studies/activations.py` computes this page from both.",
        "",
    ])


def score(values: list[float]) -> str:
    """Return mean and standard deviation of accuracies, and how many seeds diverged."""
    if len(values) < 2:
        return f"{values[0]:.1f}, {SEEDS - 1} of {SEEDS} diverged" if values else "diverged"
    missing = f", {SEEDS - len(values)} of {SEEDS} diverged" * (len(values) < SEEDS)
    return f"{fmean(values):.1f} ± {stdev(values):.1f}{missing}"


def arriving(layers: list[Layer], activation: str, init: str) -> str:
    """Return δ of the first hidden layer divided by that of the last."""
    own = delta_by_layer(layers, activation, init)
    return power(own[min(own)] / own[max(own)])


def difference(first: list[float], second: list[float]) -> str:
    """Return the mean difference seed by seed, with its 95 % confidence interval."""
    d = [b - a for a, b in zip(first, second, strict=True)]
    mean, margin = fmean(d), student_t(0.95, len(d) - 1) * stdev(d) / math.sqrt(len(d))
    ends = [f"{value:+.1f}".replace("-", "−") for value in (mean, mean - margin, mean + margin)]
    zero = ", an interval that contains zero" * bool(abs(mean) <= margin)
    return f"{ends[0]} [{ends[1]}, {ends[2]}]{zero}"


def conclusion(layers: list[Layer], correct: dict[tuple[str, str, str], list[float]]) -> str:
    """Return the conclusion: statements whose figures are those of the runs."""
    n_diverged = sum(SEEDS - len(correct[activation, "N(0, 1)", rate])
                     for activation in ("relu", "leaky_relu") for rate in RATES)
    small = [correct["sigmoid", init, rate] for init in ("Glorot", "He") for rate in RATES]
    highest = max(value for values in small for value in values)
    before = {name: inactive(layers, name, "He", None) for name in ("relu", "leaky_relu")}
    compared = {
        init: difference(correct["relu", init, "0.1"], correct["leaky_relu", init, "0.1"])
        for init in ("Glorot", "He")
    }
    return "\n".join([
        "**Conclusion.**",
        "",
        f"- **Sigmoid.** With Glorot or He initialization δ(2) is "
        f"{arriving(layers, 'sigmoid', 'Glorot')} or {arriving(layers, 'sigmoid', 'He')} of δ(6), "
        f"because every layer multiplies by f′ ≤ 1/4: the first layers receive almost no "
        f"gradient, and none of these networks learns (at most {highest:.1f} %). The larger "
        f"weights of N(0, 1) make up for f′: δ(2) is {arriving(layers, 'sigmoid', 'N(0, 1)')} of "
        f"δ(6), and with rate 1 the accuracy is {score(correct['sigmoid', 'N(0, 1)', '1'])} %.",
        f"- **ReLU and LeakyReLU.** The same N(0, 1) makes δ grow "
        f"{arriving(layers, 'relu', 'N(0, 1)')} times on its way back, and {n_diverged} of "
        f"{2 * len(RATES) * SEEDS} trainings diverge. With He initialization δ(2)/δ(6) is "
        f"{arriving(layers, 'relu', 'He')}, as its derivation intends, and with Glorot's "
        f"{arriving(layers, 'relu', 'Glorot')}.",
        f"- **Learning rate.** With rate 1 the ReLU networks end at "
        f"{fmean(correct['relu', 'He', '1']):.1f} % (He): "
        f"{inactive(layers, 'relu', 'He', '1'):.0f} of 160 units are dead, {before['relu']:.0f} "
        f"were so before training. With LeakyReLU no unit is dead, but this does not help: "
        f"{fmean(correct['leaky_relu', 'He', '1']):.1f} %. A dead unit above the first hidden "
        f"layer can come to life again, as the layers below it change: after training with rate "
        f"0.1 only {inactive(layers, 'relu', 'He', '0.1'):.0f} units are dead.",
        f"- **LeakyReLU against ReLU.** With rate 0.1 the differences in points are "
        f"{compared['Glorot']}, with Glorot initialization; and {compared['He']}, with He.",
        "- Each activation function has its own range of initial weights and learning rates. A "
        "comparison with one setting for all three would say more about the setting than about "
        "the functions.",
    ])


def picture(layers: list[Layer], path: Path) -> None:
    """Draw the size of δ by layer, a panel for each initialization."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(9, 3.4), sharey=True, layout="constrained")
    styles = {
        "sigmoid": ("#7570b3", "o-"), "relu": ("#1b9e77", "s-"), "leaky_relu": ("#d95f02", "^--")
    }
    for axes, init in zip(panels, INITS, strict=True):
        for activation, (color, style) in styles.items():
            own = delta_by_layer(layers, activation, init)
            axes.plot(list(own), list(own.values()), style, color=color,
                      label=ACTIVATIONS[activation])
        axes.set(title=init, xlabel="layer", yscale="log", xticks=list(own))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("root mean square of δ")
    panels[0].legend()
    figure.savefig(path, dpi=130)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description="The study of the activation functions.")
    found.add_argument("--run", action="store_true", help="train the networks (default: read them)")
    return found


def main() -> None:
    """Run the study, or read its results, and write the page."""
    args = parser().parse_args()
    path = HERE / "activations/layers.csv"
    if args.run:
        run(path)
    layers, correct = read(path), accuracies(path.with_name("runs.csv"))
    write_page(page(layers, correct), lambda file: picture(layers, file), HERE / "activations.md")


if __name__ == "__main__":
    main()
