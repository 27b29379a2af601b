"""Batch normalization: how much does it gain, and on what does the gain depend?

    python docs/studies/batch_norm.py

computes batch_norm.md from the runs of two studies, report/runs.csv and strong/runs.csv, each of
which has networks that differ only in batch normalization.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path
from statistics import fmean, stdev

from fastmlp.ablation.summary import student_t

HERE = Path(__file__).parent
LIFTED = "He, AdamW one-cycle"
# title of the comparison; study; rows without and with batch normalization
COMPARISONS = (
    ("784-256-256-10, N(0, 1), Adam with rate 0.001, 15 epochs", "report",
     ("base", ""), ("batch_norm", "on")),
    ("784-256-256-10, He, AdamW with a one-cycle schedule, 15 epochs", "report",
     ("lifted", LIFTED), ("lifted", f"{LIFTED}, batch norm")),
    ("784-1024-1024-10, He, dropout, distortions, one-cycle, a fifth of the epochs of `strong`",
     "strong", ("batch_norm", "off"), ("base", "")),
)

Runs = dict[tuple[str, str, str], list[float]]


def read(folder: Path) -> Runs:
    """Read test accuracies in percent by study, factor and value, in the order of the seeds."""
    found: Runs = {}
    for study in ("report", "strong"):
        with (folder / study / "runs.csv").open(encoding="utf-8", newline="") as file:
            for row in sorted(csv.DictReader(file), key=lambda row: int(row["seed"])):
                key = study, row["factor"], row["value"]
                found.setdefault(key, []).append(100 * float(row["accuracy"]))
    return found


def difference(without: list[float], with_: list[float]) -> tuple[float, float]:
    """Return the mean difference over the seeds, and the margin of its 95 % interval."""
    d = [b - a for a, b in zip(without, with_, strict=True)]
    return fmean(d), student_t(0.95, len(d) - 1) * stdev(d) / math.sqrt(len(d))


def signed(value: float) -> str:
    """Return a number with its sign and two decimals."""
    return f"{value:+.2f}".replace("-", "−")


def page(runs: Runs) -> str:
    """Return batch_norm.md."""
    rows, gains = [], []
    for title, study, off, on in COMPARISONS:
        without, with_ = runs[(study, *off)], runs[(study, *on)]
        mean, margin = difference(without, with_)
        gains.append(mean)
        rows.append(
            f"| {title} | {len(without)} | {fmean(without):.2f} ± {stdev(without):.2f} | "
            f"{fmean(with_):.2f} ± {stdev(with_):.2f} | {signed(mean)} [{signed(mean - margin)}, "
            f"{signed(mean + margin)}] |"
        )
    remedy = fmean(runs["report", "init", "he_normal"]) - fmean(runs["report", "base", ""])
    return "\n".join([
        "# Batch normalization on MNIST",
        "",
        "**Question.** How much test accuracy does batch normalization gain, and does the gain "
        "depend on how the network begins and is trained?",
        "",
        "**Method.** Pairs of networks that differ only in batch normalization, which comes before "
        "the activation function of each hidden layer ([derivation](../derivation.md"
        "#batch-normalization)). Both of a pair start from the same weights and see the same "
        "batches, and are compared seed by seed. The runs are those of the studies [report]"
        "(report/table.md), the network of Tao Hu, \"A technical report about Deep Learning\", "
        "and [strong](strong/table.md).",
        "",
        "| network and training | seeds | without, % | with, % | difference, points |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "Mean ± standard deviation of the seeds; in brackets the 95 % confidence interval of the "
        "mean difference (Student's t).",
        "",
        f"**Conclusion.** The difference is {signed(gains[0])} points where weights from N(0, 1) "
        f"give activations and logits that are far too large, a scale that batch normalization "
        f"removes. Where the initialization already has the right scale, it is {signed(gains[1])} "
        f"and {signed(gains[2])} points. He initialization alone gains more than batch "
        f"normalization alone ({signed(remedy)} against {signed(gains[0])} points), and costs no "
        f"time. No other data set and no deeper network was tried.",
        "",
        "The runs are in [report/runs.csv](report/runs.csv) and [strong/runs.csv]"
        "(strong/runs.csv), from which `python docs/studies/batch_norm.py` computes this page.",
        "",
    ])


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, which has no options."""
    return argparse.ArgumentParser(description="The report on batch normalization.")


def main() -> None:
    """Write the page."""
    parser().parse_args()
    (HERE / "batch_norm.md").write_text(page(read(HERE)), encoding="utf-8")


if __name__ == "__main__":
    main()
