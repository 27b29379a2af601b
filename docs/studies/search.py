"""Bayesian optimization: does it find better networks for MNIST than random search?

For each of several seeds each sampler of `fastmlp.search` (TPE, a Gaussian process, random choice)
makes 40 trials in the same space. A trial is a network that is trained for five epochs on 20,000 of
the first 30,000 training images, and is measured by its error on the other 10,000 after its best
epoch. Nothing is pruned. The first ten trials of a seed are sampled at random and are the same for
all samplers, with the same errors: a trial is limited by epochs and not by seconds, because the
number of epochs that fit into a second depends on what else the computer does.

    python docs/studies/search.py --scratch FOLDER

trains on one thread and writes search/runs.csv, a row for each trial, search.md and, where
matplotlib is installed, search.png beside this file. The studies are kept in FOLDER: after an
interruption the same command continues.

    python docs/studies/search.py

writes search.md and search.png from search/runs.csv.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from study_files import new_axes, read_runs, write_page, write_runs

import fastmlp
from fastmlp.ablation.summary import student_t

HERE = Path(__file__).parent
SAMPLERS = {"tpe": "TPE", "gp": "Gaussian process", "random": "random search"}
SPACE = {**fastmlp.search.SPACE, "width": (32, 256, "log")}
IMAGES, VALIDATION = 30_000, 10_000
EPOCHS = 5
STARTUP = 10  # trials that every sampler makes at random
STEPS = (10, 20, 30, 40, 60, 80, 100)  # numbers of trials in the table

Array = NDArray[Any]


@dataclass(frozen=True)
class Trial:
    """A trial, a row of runs.csv."""

    sampler: str
    seed: int
    trial: int
    state: str  # "complete" or "diverged"
    error: float  # on the validation images after the best epoch; infinite if diverged
    seconds: float  # of training
    hidden: str  # "128-128"
    activation: str
    dropout: float
    learning_rate: float
    batch_size: int
    l2: float


@dataclass(frozen=True)
class Plan:
    """How many trials are made, and where their files are."""

    data: Path
    scratch: Path
    trials: int
    repetitions: int


def search(plan: Plan, sampler: str, seed: int) -> list[Trial]:
    """Return the trials of one study; those that are in its file are not made again."""
    fastmlp.set_num_threads(1)
    data = fastmlp.datasets.mnist(plan.data)
    result = fastmlp.search.minimize(
        data.X_train[:IMAGES],
        data.y_train[:IMAGES],
        SPACE,
        n_trials=plan.trials,
        epochs=EPOCHS,
        validation_data=VALIDATION / IMAGES,
        sampler=sampler,
        pruning=False,
        storage=plan.scratch / f"{sampler}-{seed}.journal",
        uint8_scale=1 / 255,
        seed=seed,
    )
    print(f"{SAMPLERS[sampler]}, seed {seed}: done", flush=True)
    return [trial(sampler, seed, k, row) for k, row in enumerate(result.trials)]


def trial(sampler: str, seed: int, k: int, row: dict[str, Any]) -> Trial:
    """Return a row of `Result.trials` as a row of runs.csv."""
    names = ("activation", "dropout", "learning_rate", "batch_size", "l2")
    return Trial(
        sampler, seed, k, row["state"], round(row["value"], 4), row["seconds"],
        "-".join(map(str, row["hidden"])), **{name: row[name] for name in names},
    )


def study(plan: Plan, jobs: int) -> list[Trial]:
    """Return the trials of all samplers with all seeds, each study in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, max_tasks_per_child=1) as pool:
        pending = [
            pool.submit(search, plan, sampler, seed)
            for seed in range(plan.repetitions)
            for sampler in SAMPLERS
        ]
        return [one for future in pending for one in future.result()]


def read(path: Path) -> list[Trial]:
    """Read runs.csv."""
    return read_runs(Trial, path)


def curves(trials: list[Trial], sampler: str) -> Array:
    """Return the best error so far after each trial, in percent: (repetitions, trials)."""
    own = [one for one in trials if one.sampler == sampler]
    seeds = sorted({one.seed for one in own})
    errors = np.array([[one.error for one in own if one.seed == seed] for seed in seeds])
    return np.asarray(100 * np.minimum.accumulate(errors, axis=1))


def page(trials: list[Trial]) -> str:
    """Return search.md."""
    repetitions, n_trials = curves(trials, "random").shape
    steps = [n for n in STEPS if n < n_trials] + [n_trials]
    lines = [
        "# Bayesian optimization against random search",
        "",
        f"MNIST, {n_trials} trials for each sampler in each of {repetitions} repetitions. A trial "
        f"is a network with one to three hidden layers of 32 to 256 units that is trained for "
        f"{EPOCHS} epochs on {IMAGES - VALIDATION:,} images and measured on {VALIDATION:,} others "
        f"after its best epoch. Each repetition has a different seed for weights, validation "
        f"images and sampler. The first {STARTUP} trials of a repetition are random and the same "
        f"for all samplers, with the same errors. Best validation error so far in percent: median "
        f"of the repetitions and, in brackets, lowest and highest.",
        "",
        "| after trials | " + " | ".join(SAMPLERS.values()) + " |",
        "| ---: |" + " --- |" * len(SAMPLERS),
    ]
    for n in steps:
        cells = [spread(curves(trials, sampler)[:, n - 1]) for sampler in SAMPLERS]
        lines.append(f"| {n} | " + " | ".join(cells) + " |")
    lines += ["", "![The table as curves](search.png)", ""]
    lines += [compared(trials, one, "random") for one in SAMPLERS if one != "random"]
    lines.append(compared(trials, "gp", "tpe"))
    seconds = sum(one.seconds for one in trials)
    return "\n".join([
        *lines,
        "",
        f"The differences are seed by seed, in percentage points, with the 95 % confidence "
        f"interval of their mean (Student's t, {repetitions} repetitions). They hold for this "
        f"space and this number of trials.",
        "",
        "Trials are limited by epochs, not by seconds. The number of epochs that fit into a second "
        "depends on what else the computer does, so that with a limit in seconds equal settings "
        "have unequal errors, and the samplers already differ after the first trials, whose "
        "settings are the same.",
        "",
        f"All {len(trials):,} trials are in [search/runs.csv](search/runs.csv), from which "
        f"`python docs/studies/search.py` computes this page. `python docs/studies/search.py "
        f"--scratch FOLDER{changed(repetitions, n_trials)}` makes the trials anew; their errors do "
        f"not depend on the computer's load. That took {seconds:,.0f} seconds of training on one "
        f"thread, while many other programs ran.",
        "",
    ])


def changed(repetitions: int, n_trials: int) -> str:
    """Return the options of the command that differ from their defaults."""
    usual = parser()
    given = {"trials": n_trials, "repetitions": repetitions}
    return "".join(
        f" --{name} {value}" for name, value in given.items() if value != usual.get_default(name)
    )


def spread(values: Array) -> str:
    """Return median, lowest and highest value as text."""
    return f"{np.median(values):.2f} [{values.min():.2f}, {values.max():.2f}]"


def compared(trials: list[Trial], sampler: str, other: str) -> str:
    """Return how a sampler ends in comparison with another one, as an item of a list."""
    ours, theirs = curves(trials, sampler), curves(trials, other)
    difference = ours[:, -1] - theirs[:, -1]
    n = len(difference)
    mean = difference.mean()
    margin = student_t(0.95, n - 1) * difference.std(ddof=1) / math.sqrt(n)
    better, level = np.sum(difference < -1e-9), np.sum(np.abs(difference) < 1e-9)
    zero = ", an interval that contains zero" * bool(abs(mean) <= margin)
    text = (
        f"- {SAMPLERS[sampler]} against {SAMPLERS[other]} after {ours.shape[1]} trials: "
        f"{signed(mean)} [{signed(mean - margin)}, {signed(mean + margin)}]{zero}; "
        f"lower in {better} of {n} repetitions{f' and equal in {level}' if level else ''}."
    )
    if other == "random":
        goal = float(np.median(theirs[:, -1]))
        reached = np.flatnonzero(np.median(ours, axis=0) <= goal)
        text += (
            f" Its median reaches the final median of random search, {goal:.2f} %, after "
            f"{reached[0] + 1} trials."
            if len(reached)
            else f" Its median does not reach the final median of random search, {goal:.2f} %."
        )
    return text


def signed(value: float) -> str:
    """Return a number with its sign and two decimals."""
    return f"{value:+.2f}".replace("-", "−")


def picture(trials: list[Trial], path: Path) -> None:
    """Draw the best error so far against trials: medians, and bands from lowest to highest."""
    figure, axes = new_axes()
    top = 0.0
    for sampler, color in zip(SAMPLERS, ("#1b9e77", "#7570b3", "#888888"), strict=True):
        ours = curves(trials, sampler)
        numbers = np.arange(1, ours.shape[1] + 1)
        axes.step(numbers, np.median(ours, axis=0), where="post", color=color,
                  label=SAMPLERS[sampler])
        axes.fill_between(numbers, ours.min(axis=0), ours.max(axis=0), step="post", color=color,
                          alpha=0.15, linewidth=0)
        top = max(top, float(np.max(ours[:, min(5, ours.shape[1]) - 1])))
    axes.axvline(STARTUP, color="#bbbbbb", linewidth=1, linestyle=":")  # random until here
    axes.set(xlabel="trials", ylabel="best validation error so far, %", ylim=(None, top))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    figure.savefig(path, dpi=130)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description="The study of Bayesian optimization.")
    add = found.add_argument
    add("--data", type=Path, default=HERE.parents[1] / "benchmarks/mnist",
        help="folder of MNIST's files (default: the repository's)")
    add("--scratch", type=Path, metavar="FOLDER",
        help="make the trials, and keep the studies in this folder (default: read runs.csv)")
    add("--trials", type=int, default=40, help="of each study (default: 40)")
    add("--repetitions", type=int, default=6, help="studies of each sampler (default: 6)")
    add("--jobs", type=int, default=1, help="studies in parallel (default: 1)")
    add("--out", type=Path, default=HERE,
        help="folder for search.md, search.png and search/runs.csv (default: this file's)")
    return found


def main() -> None:
    """Run the study, or read its trials, and write the page."""
    args = parser().parse_args()
    runs = args.out / "search/runs.csv"
    if args.scratch is not None:
        args.scratch.mkdir(parents=True, exist_ok=True)
        plan = Plan(args.data, args.scratch, args.trials, args.repetitions)
        write_runs(study(plan, args.jobs), runs)
    trials = read(runs)
    write_page(page(trials), lambda path: picture(trials, path), args.out / "search.md")


if __name__ == "__main__":
    main()
