"""Bayesian optimization: does it find better networks for MNIST than trying at random?

For each of several seeds the samplers of `fastmlp.search` (TPE, a Gaussian process, chance) make 40
trials each in the default space. A trial trains for one second on one thread, so a wide network
sees fewer examples than a narrow one, and is measured by the error on 10,000 of the 60,000 training
images after its best epoch. Nothing is pruned: all samplers have the same number of trials of the
same length. The first ten are drawn at random by all of them, and are the same ones.

    python docs/studies/search.py --scratch FOLDER

runs two studies side by side, in a process each, and writes search.md and, where matplotlib is
installed, search.png beside this file. Trials are kept in FOLDER: stopped, the same command goes
on.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp

HERE = Path(__file__).parent
SAMPLERS = {"tpe": "TPE", "gp": "Gaussian process", "random": "random"}
EPOCHS = 100  # more than there is time for
SPACE = {**fastmlp.search.SPACE, "width": (32, 1024, "log"), "batch_size": (16, 512, "log")}
GUESS = 0.9  # the error of a network that diverged: it guesses

Array = NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """How much is tried, and where."""

    data: Path
    scratch: Path
    trials: int
    repetitions: int
    seconds: float  # of a trial
    jobs: int


@dataclass(frozen=True)
class Found:
    """What one sampler found with one seed."""

    sampler: str
    errors: Array  # of each trial
    training: float  # seconds
    proposing: float
    best: fastmlp.search.Result


def search(plan: Plan, sampler: str, seed: int) -> fastmlp.search.Result:
    """One study, or what is left of it, on one thread."""
    fastmlp.set_num_threads(1)
    data = fastmlp.datasets.mnist(plan.data)
    return fastmlp.search.minimize(
        data.X_train,
        data.y_train,
        SPACE,
        n_trials=plan.trials,
        epochs=EPOCHS,
        validation_data=1 / 6,
        sampler=sampler,
        pruning=False,
        storage=plan.scratch / f"{sampler}-{seed}.journal",
        max_seconds_per_trial=plan.seconds,
        uint8_scale=1 / 255,
        seed=seed,
    )


def work(plan: Plan, sampler: str, seed: int) -> None:
    """`search` in a process of its own; its result stays in the file."""
    search(plan, sampler, seed)
    print(f"{SAMPLERS[sampler]}, seed {seed}: done", flush=True)


def study(plan: Plan) -> list[Found]:
    """All samplers with all seeds; what the machine does meanwhile, it does to all of them."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(plan.jobs, context) as pool:
        pending = [
            pool.submit(work, plan, sampler, seed)
            for seed in range(plan.repetitions)
            for sampler in SAMPLERS
        ]
        for one in pending:
            one.result()
    return [found(plan, sampler, seed) for sampler in SAMPLERS for seed in range(plan.repetitions)]


def found(plan: Plan, sampler: str, seed: int) -> Found:
    """The figures of a study that is done."""
    result = search(plan, sampler, seed)
    errors = np.array([row["value"] for row in result.trials])
    training = sum(row["seconds"] for row in result.trials)
    whole = 0.0
    for trial in result.study.trials:
        if trial.datetime_start is not None and trial.datetime_complete is not None:
            whole += (trial.datetime_complete - trial.datetime_start).total_seconds()
    errors = np.where(np.isfinite(errors), errors, GUESS)
    return Found(sampler, errors, training, whole - training, result)


def curves(results: list[Found], sampler: str) -> Array:
    """The best error so far after each trial, in percent: (repetitions, trials)."""
    errors = np.array([one.errors for one in results if one.sampler == sampler])
    return np.asarray(100 * np.minimum.accumulate(errors, axis=1))


def report(plan: Plan, results: list[Found]) -> str:
    """The study as Markdown."""
    steps = [n for n in (10, 20, 30, 40, 60, 80, 100) if n < plan.trials] + [plan.trials]
    seconds = sum(one.training + one.proposing for one in results) / plan.jobs
    lines = [
        "# Bayesian optimization against random search",
        "",
        f"MNIST, {plan.trials} trials of {plan.seconds:g} s on one thread, {plan.repetitions} "
        f"repetitions, each with a different seed for weights, validation images and sampler. The "
        f"first ten trials of a repetition are random and the same for all samplers. Best "
        f"validation error so far in percent: median of the repetitions and, in brackets, lowest "
        f"and highest.",
        "",
        "| after trials | " + " | ".join(SAMPLERS.values()) + " |",
        "| ---: |" + " --- |" * len(SAMPLERS),
    ]
    for n in steps:
        cells = [spread(curves(results, sampler)[:, n - 1]) for sampler in SAMPLERS]
        lines.append(f"| {n} | " + " | ".join(cells) + " |")
    lines += ["", "![The table as curves](search.png)", ""]
    chance = curves(results, "random")
    goal = float(np.median(chance[:, -1]))
    for sampler, name in SAMPLERS.items():
        if sampler == "random":
            continue
        ours = curves(results, sampler)
        better, equal = np.sum(ours[:, -1] < chance[:, -1]), np.sum(ours[:, -1] == chance[:, -1])
        reached = np.flatnonzero(np.median(ours, axis=0) <= goal)
        when = (
            f"reaches the final value of random search, {goal:.2f} %, after {reached[0] + 1}"
            if len(reached)
            else f"does not reach the final value of random search, {goal:.2f} %, in {plan.trials}"
        )
        lines.append(
            f"- {name} ends below random search in {better} of {plan.repetitions} repetitions"
            f"{f' and level with it in {equal}' if equal else ''}; its median {when} trials. A "
            f"trial takes {1000 * proposing(results, sampler):.0f} ms in addition to its training, "
            f"most of it for the proposal; with random search "
            f"{1000 * proposing(results, 'random'):.0f} ms."
        )
    command = f"python docs/studies/search.py --scratch FOLDER{changed(plan)}"
    return "\n".join([
        *lines,
        "",
        best(plan, results),
        "",
        f"`{command}`, {seconds:.0f} seconds with {plan.jobs} studies in parallel.",
        "",
    ])


def spread(values: Array) -> str:
    """Median, lowest and highest."""
    return f"{np.median(values):.2f} [{values.min():.2f}, {values.max():.2f}]"


def proposing(results: list[Found], sampler: str) -> float:
    """Seconds that a trial takes beside its training: its proposal, and what is written."""
    chosen = [one for one in results if one.sampler == sampler]
    return sum(one.proposing for one in chosen) / sum(len(one.errors) for one in chosen)


def best(plan: Plan, results: list[Found]) -> str:
    """The best configuration of all, and how it does on the test images, which nothing chose."""
    one = min(results, key=lambda one: float(one.errors.min()))
    data = fastmlp.datasets.mnist(plan.data)
    net = one.best.refit(data.X_train, data.y_train)
    accuracy = np.mean(net.predict(data.X_test) == data.y_test)
    settings = ", ".join(
        f"{key} {'-'.join(map(str, value)) if isinstance(value, tuple) else label(value)}"
        for key, value in one.best.best_parameters.items()
    )
    return (
        f"The best of all {sum(len(one.errors) for one in results)} trials, by "
        f"{SAMPLERS[one.sampler]}: {settings}. Its validation error is "
        f"{100 * one.best.best_value:.2f} % in epoch {one.best.best_epoch}, which is "
        f"slightly optimistic, because it is the lowest of so many. Trained again on all 60,000 "
        f"images for the same number of epochs, its test accuracy is {100 * accuracy:.2f} %."
    )


def label(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def changed(plan: Plan) -> str:
    """The options that are not as usual, for the command in the text."""
    usual = parser()
    return "".join(
        f" --{name} {getattr(plan, name):g}"
        for name in ("trials", "repetitions", "seconds", "jobs")
        if getattr(plan, name) != usual.get_default(name)
    )


def picture(results: list[Found], path: Path) -> None:
    """The best error so far against trials: medians, and bands from lowest to highest."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    top = 0.0
    for sampler, color in zip(SAMPLERS, ("#1b9e77", "#7570b3", "#888888"), strict=True):
        ours = curves(results, sampler)
        trials = np.arange(1, ours.shape[1] + 1)
        axes.step(trials, np.median(ours, axis=0), where="post", color=color,
                  label=SAMPLERS[sampler])
        axes.fill_between(trials, ours.min(axis=0), ours.max(axis=0), step="post", color=color,
                          alpha=0.15, linewidth=0)
        top = max(top, float(np.max(ours[:, min(5, ours.shape[1]) - 1])))
    axes.axvline(10, color="#bbbbbb", linewidth=1, linestyle=":")  # random until here
    axes.set(xlabel="trials", ylabel="best validation error so far, %", ylim=(None, top))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    figure.savefig(path, dpi=130)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description="The study of Bayesian optimization.")
    add = found.add_argument
    add("--data", type=Path, default=HERE.parents[1] / "benchmarks/mnist",
        help="folder of MNIST's files (default: the repository's)")
    add("--scratch", type=Path, required=True, help="folder for the trials, made if need be")
    add("--trials", type=int, default=40, help="of each study (default: 40)")
    add("--repetitions", type=int, default=7, help="studies of each sampler (default: 7)")
    add("--seconds", type=float, default=1.0, help="of training in a trial (default: 1)")
    add("--jobs", type=int, default=2, help="studies side by side (default: 2)")
    add("--out", type=Path, default=HERE, help="folder for search.md and search.png")
    return found


def main() -> None:
    args = vars(parser().parse_args())
    out = args.pop("out")
    plan = Plan(**args)
    plan.scratch.mkdir(parents=True, exist_ok=True)
    results = study(plan)
    fastmlp.set_num_threads(plan.jobs)
    text = report(plan, results)
    (out / "search.md").write_text(text)
    print(text)
    try:
        picture(results, out / "search.png")
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
