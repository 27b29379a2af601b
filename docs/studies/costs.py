"""The costs that the report prints: what does each choice that it leaves open do to them?

The report is Tao Hu, "A technical report about Deep Learning". Its run on MNIST prints the mean
cost of each of 15 epochs; its settings are those of a public example program (see
docs/reading_the_report.md). One setting at a time is changed here, with three seeds.

    python docs/studies/costs.py --run

trains on one thread, and after each network adds a row to costs/runs.csv for it; a network that has
its row is not trained again. It then writes costs.md and, where matplotlib is installed, costs.png
beside this file.

    python docs/studies/costs.py

writes costs.md and costs.png from costs/runs.csv.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from study_files import new_axes, read_runs, write_page, write_runs

import fastmlp
from fastmlp.initializers import Normal

HERE = Path(__file__).parent
SEEDS = 3
EPOCHS = 3  # of the 15 that the report prints
USUAL = {"activation": "relu", "init": Normal(1.0), "rate": 0.001, "batch": 100, "images": 55_000,
         "biases": True}
CHOICES: dict[str, dict[str, Any]] = {
    "the example program": {},
    "no activation function": {"activation": "identity"},
    "sigmoid": {"activation": "sigmoid"},
    "biases 0 at first": {"biases": False},
    "weights and biases N(0, 0.25)": {"init": Normal(0.5)},
    "He, biases 0": {"init": "he_normal"},
    "learning rate 0.0007": {"rate": 0.0007},
    "batches of 50": {"batch": 50},
    "60,000 images": {"images": 60_000},
}
# The first costs that the example program's own notebook prints, in its revision 7cb5e78:
# notebooks/3_NeuralNetworks/multilayer_perceptron.ipynb of TensorFlow-Examples
NOTEBOOK = (156.996673402, 39.684346855, 24.919986066)
LATER = range(2, EPOCHS + 1)
REPORT = (212.4, 42.6, 27.1)  # the report's, rounded



@dataclass(frozen=True)
class Run:
    """A trained network, a row of runs.csv."""

    choice: str
    seed: int
    costs: str  # mean cost of each epoch, separated by spaces


def train(choice: str, seed: int, data: Any) -> Run:
    """Train the network of a choice."""
    own = {**USUAL, **CHOICES[choice]}
    net = fastmlp.MLP(
        (784, 256, 256, 10), activation=own["activation"], init=own["init"], seed=seed,
        uint8_scale=1 / 255,
    )
    if not own["biases"]:
        net.set_parameters(net.weights, [np.zeros_like(b) for b in net.biases])
    first = len(data.X_train) - own["images"]
    history = net.fit(
        data.X_train[first:], data.y_train[first:], epochs=EPOCHS, batch_size=own["batch"],
        optimizer=fastmlp.Adam(own["rate"]),
    )
    return Run(choice, seed, " ".join(f"{J:.6g}" for J in history.cost))


def run(folder: Path, path: Path) -> None:
    """Train what is missing in runs.csv."""
    fastmlp.set_num_threads(1)
    data = fastmlp.datasets.mnist(folder)
    runs = read(path) if path.exists() else []
    for seed in range(SEEDS):
        for choice in CHOICES:
            if (choice, seed) not in {(one.choice, one.seed) for one in runs}:
                runs.append(train(choice, seed, data))
                write_runs(runs, path)
                print(f"{choice}, seed {seed}: {runs[-1].costs}", flush=True)


def read(path: Path) -> list[Run]:
    """Read runs.csv."""
    return read_runs(Run, path)


def costs_of(runs: list[Run], choice: str) -> list[list[float]]:
    """Return the costs by epoch, a list for each seed."""
    return [[float(J) for J in one.costs.split()] for one in runs if one.choice == choice]


def digits(value: float) -> str:
    """Return a cost with three significant digits, or as a whole number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def page(runs: list[Run]) -> str:
    """Return costs.md."""
    lines = [
        "# The report's printed costs, one choice at a time",
        "",
        "**Question.** Tao Hu, \"A technical report about Deep Learning\", prints the cost of each "
        "epoch of a 784-256-256-10 network on MNIST, but not all settings of the run. What does "
        "each setting do to the printed costs? [How the report was read]"
        "(../reading_the_report.md) says where the settings come from.",
        "",
        f"**Method.** One setting of the example program is changed at a time: ReLU, all weights "
        f"and biases from N(0, 1), Adam with rate 0.001, shuffled batches of 100, the last 55,000 "
        f"training images. The cost of an epoch is the mean cross-entropy over its batches, each "
        f"before its update. The first {EPOCHS} epochs; means of {SEEDS} seeds, for the first "
        f"epoch also the range.{fewer(runs)}",
        "",
        "| setting | epoch 1 (range) | " + " | ".join(f"epoch {n}" for n in LATER) + " |",
        "|---|---|" + "---|" * len(LATER),
    ]
    for choice in CHOICES:
        own = costs_of(runs, choice)
        first = [costs[0] for costs in own]
        cells = [digits(fmean(costs[n - 1] for costs in own)) for n in LATER]
        lines.append(
            f"| {choice} | {digits(fmean(first))} ({digits(min(first))} to {digits(max(first))}) | "
            + " | ".join(cells) + " |"
        )
    for name, printed in (("the notebook of the program", NOTEBOOK), ("the report", REPORT)):
        lines.append(f"| *{name}* | " + " | ".join(map(digits, printed)) + " |")
    return "\n".join([*lines, "", "![The costs by epoch](costs.png)", "", conclusion(runs), ""])


def fewer(runs: list[Run]) -> str:
    """Return a sentence on the settings that were not trained with every seed."""
    counts = {choice: len(costs_of(runs, choice)) for choice in CHOICES}
    found = [f"{choice} ({n})" for choice, n in counts.items() if n < SEEDS]
    return f" Settings with fewer seeds, and their number: {', '.join(found)}." * bool(found)


def near(runs: list[Run], printed: tuple[float, ...], first: int) -> str:
    """Return the settings whose mean costs, from this epoch on, are within 10 % of the printed."""
    found = [
        choice for choice in CHOICES
        if all(
            abs(fmean(costs[n] for costs in costs_of(runs, choice)) / printed[n] - 1) < 0.1
            for n in range(first - 1, EPOCHS)
        )
    ]
    return "; ".join(found) or "none"


def conclusion(runs: list[Run]) -> str:
    """Return the conclusion: which settings give the printed costs."""
    base = [costs[0] for costs in costs_of(runs, "the example program")]
    slow = [costs[0] for costs in costs_of(runs, "learning rate 0.0007")]
    return (
        f"**Conclusion.** The printed costs tell the settings apart: another activation function "
        f"or another scale of the initial weights changes them by a factor, in every epoch. "
        f"Settings whose mean costs are within 10 % of those that the program's notebook prints, "
        f"in all {EPOCHS} epochs: {near(runs, NOTEBOOK, 1)}. Of those that the report prints: "
        f"{near(runs, REPORT, 1)}; from the second epoch on: {near(runs, REPORT, 2)}. So the "
        f"program's settings explain the report's costs except for the first, {digits(REPORT[0])}, "
        f"where they give {digits(min(base))} to {digits(max(base))} here. A learning rate of "
        f"0.0007 would give it ({digits(min(slow))} to {digits(max(slow))}), but later costs that "
        f"are too high. Whether the biases begin at 0 cannot be seen in the costs.\n\n"
        f"The costs of the last epoch, with the accuracies, are in the [study of the report's "
        f"network](report/table.md). The {len(runs)} runs are in [costs/runs.csv](costs/runs.csv), "
        f"from which `python docs/studies/costs.py` computes this page; `python "
        f"docs/studies/costs.py --run` trains the networks that the file does not have."
    )


def picture(runs: list[Run], path: Path) -> None:
    """Draw the mean costs by epoch, and those of the notebook."""
    figure, axes = new_axes()
    epochs = np.arange(1, EPOCHS + 1)
    for k, choice in enumerate(CHOICES):
        mean = np.mean(costs_of(runs, choice), axis=0)
        axes.plot(epochs, mean, label=choice, color=f"C{k % 10}", linewidth=2.5 if k == 0 else 1.2,
                  linestyle="-" if k < 10 else "--")
    axes.plot(epochs, NOTEBOOK, "k.", label="notebook")
    axes.plot(epochs, REPORT, "k*", label="report")
    axes.set(xlabel="epoch", ylabel="mean cost of the epoch", yscale="log",
             xticks=epochs)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=130)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description="The study of the report's printed costs.")
    found.add_argument("--data", type=Path, default=HERE.parents[1] / "benchmarks/mnist",
                       help="folder of MNIST's files (default: the repository's)")
    found.add_argument("--run", action="store_true", help="train what is missing in runs.csv")
    return found


def main() -> None:
    """Run the study, or read its runs, and write the page."""
    args = parser().parse_args()
    path = HERE / "costs/runs.csv"
    if args.run:
        run(args.data, path)
    runs = read(path)
    write_page(page(runs), lambda file: picture(runs, file), HERE / "costs.md")


if __name__ == "__main__":
    main()
