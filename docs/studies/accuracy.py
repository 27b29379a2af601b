"""The pictures of docs/accuracy.md, from model cards and a saved model, and the model's mistakes.

    python docs/studies/accuracy.py --cards FOLDER/*.card.json --model FOLDER/record.npz

`fastmlp train --recipe NAME --seed S --save FILE` writes FILE and its card, FILE.card.json.  Drawn
are

    time.png         test accuracy against seconds of training, for each recipe, mean and standard
                     deviation over the cards of its seeds
    mistakes.png     the test images that the model reads wrong, with what it took them for
    distortions.png  training images as they are, and by the affine, the elastic and both parts of a
                     recipe's distortions

in the folder docs/accuracy.  It needs matplotlib.  With --model the number of misclassified test
images is printed and, for an ensemble, how many of these all of its networks misclassify.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

import fastmlp
from fastmlp.datasets.mnist import MNIST
from fastmlp.plotting.canvas import COLORS, MARKERS

HERE = Path(__file__).parent
LARGEST = 150_000  # bytes of a picture

# Test accuracy in percent of others' multilayer perceptrons on MNIST's pixels, as published.
ANCHORS = (
    (94.74, "the report"),
    (97.76, "scikit-learn's benchmark"),
    (98.40, "Keras' example"),
    (99.05, "dropout, max-norm (2014)"),
    (99.30, "Simard et al. (2003), elastic"),
    (99.36, "virtual adversarial (2017)"),
    (99.43, "ladder network (2015)"),
    (99.447, "small affine, batch norm, EMA"),
    (99.51, "Cireşan et al. (2010), 2 layers"),
    (99.65, "Cireşan et al. (2010), 5 layers"),
    (99.69, "Cireşan et al. (2011), ensemble"),
)
LOWEST = 94
TICKS = (95, 96, 97, 98, 98.5, 99, 99.3, 99.5, 99.6, 99.7, 99.8)


@dataclass(frozen=True)
class Runs:
    """What the cards of one recipe say, an entry for each seed."""

    recipe: str
    accuracies: list[float]  # percent, on the test images
    seconds: list[float]  # of training


def read(paths: list[Path]) -> list[Runs]:
    """The runs of each recipe, the fastest first; each seed counts once, tested on all images."""
    cards: dict[str, dict[int, dict[str, Any]]] = {}
    for path in paths:
        card = json.loads(path.read_text(encoding="utf-8"))
        name, seed = card["recipe"]["name"], card["seed"]
        if card["images"]["these are"] != "test images":
            raise SystemExit(f"{path}: tested on {card['images']['these are']}, not on test images")
        if seed in cards.setdefault(name, {}):
            raise SystemExit(f"{path}: there is another card of {name} with seed {seed}")
        cards[name][seed] = card
    found = [
        Runs(
            name,
            [100 * card["accuracy"] for card in own.values()],
            [card["seconds"]["training"] for card in own.values()],
        )
        for name, own in cards.items()
    ]
    return sorted(found, key=lambda runs: np.mean(runs.seconds))


def time_to_accuracy(found: list[Runs]) -> Figure:
    """Accuracy against time; the axis is logarithmic in what is missing to 100 %."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.add_subplot()
    means = [float(np.mean(runs.accuracies)) for runs in found]
    for accuracy, _ in ANCHORS:
        ax.axhline(100 - accuracy, color="#999999", linewidth=0.7, linestyle=":", zorder=0)
    for k, (runs, mean) in enumerate(zip(found, means, strict=True)):
        seconds, several = float(np.mean(runs.seconds)), len(runs.accuracies) > 1
        ax.errorbar(
            seconds,
            100 - mean,
            xerr=np.std(runs.seconds, ddof=1) if several else None,
            yerr=np.std(runs.accuracies, ddof=1) if several else None,
            color=COLORS[k % len(COLORS)],
            marker=MARKERS[k % len(MARKERS)],
            markersize=7,
            capsize=3,
            linestyle="",
            label=f"{runs.recipe}: {mean:.2f} %, {duration(seconds)} ({len(runs.accuracies)})",
        )
    ax.set(xscale="log", yscale="log", ylim=(100 - LOWEST, 0.2))  # more accuracy is higher
    first, last = (float(np.mean(runs.seconds)) for runs in (found[0], found[-1]))
    ax.set_xlim(first / 3, last * 3)
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_locator(FixedLocator([100 - one for one in TICKS]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(lambda missing, place: f"{100 - missing:g}")
    ax.set(xlabel="seconds of training", ylabel="test accuracy, %")
    ax.grid(alpha=0.25, axis="x")
    ax.legend(title="recipe: mean of its seeds (how many)", fontsize=8, title_fontsize=8,
              loc="lower right")

    # names of the lines at the right, moved apart where they would touch
    place = ax.transData.transform
    heights = apart([place((1, 100 - accuracy))[1] for accuracy, _ in ANCHORS], 11.5)
    for (accuracy, name), height in zip(ANCHORS, heights, strict=True):
        y = ax.transAxes.inverted().transform((0, height))[1]
        ax.annotate(
            f"{accuracy:g} {name}", (1, 100 - accuracy), (1.04, y), ax.get_yaxis_transform(),
            ax.transAxes, fontsize=7.5, va="center", color="#555555",
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6},
        )
    return figure


def duration(seconds: float) -> str:
    """Two digits or more, and a unit."""
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:,.0f} s"


def apart(heights: list[float], least: float) -> list[float]:
    """Ascending heights, none nearer to the one below it than `least`, moved as little as need be.

    Neighbours that touch are joined into a block, which stays in the middle of what it names.
    """
    blocks: list[list[float]] = []

    def ends(block: list[float]) -> tuple[float, float]:
        middle, half = float(np.mean(block)), least * (len(block) - 1) / 2
        return middle - half, middle + half

    for height in heights:
        blocks.append([height])
        while len(blocks) > 1 and ends(blocks[-1])[0] < ends(blocks[-2])[1] + least:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return [
        float(height)
        for block in blocks
        for height in np.linspace(*ends(block), len(block))
    ]


def misclassified(model: fastmlp.MLP | fastmlp.Ensemble, X: Any, y: Any) -> tuple[int, int]:
    """Return how many examples a model misclassifies, and how many all of its networks do."""
    wrong = model.predict(X) != y
    by_all = wrong.copy()
    if isinstance(model, fastmlp.Ensemble):
        for net in model.networks:
            by_all &= net.predict(X) != y
    return int(wrong.sum()), int(by_all.sum())


def mistakes(model: fastmlp.MLP | fastmlp.Ensemble, data: MNIST, most: int) -> Figure:
    """Return a picture of the test images that a model misclassifies."""
    figure = Figure(figsize=(8, 0.4 + 0.82 * -(-most // 12)), layout="constrained")
    ax = figure.add_subplot()
    fastmlp.plotting.errors(model, data.X_test, data.y_test, most=most, columns=12, ax=ax)
    return figure


def distortions(name: str, data: MNIST) -> Figure:
    """A row for each digit: as it is, then draws of each part of a recipe's distortions."""
    whole = fastmlp.recipes.read(name).settings.augment
    if whole is None:
        raise SystemExit(f"the recipe {name} distorts nothing")
    parts = {
        "original": None,
        "affine": replace(whole, elastic=0.0),
        "elastic": replace(whole, rotation=0.0, scale=0.0, shear=0.0, translation=0.0),
        "affine and elastic": whole,
    }
    if not whole.elastic:
        parts = {"original": None, "affine": whole}
    digits = [int(np.flatnonzero(data.y_train == digit)[0]) for digit in range(10)]
    X, y = data.X_train[digits] / 255, data.y_train[digits]
    columns, headings, place = [], [], 0
    for title, part in parts.items():
        draws = [X] if part is None else [part(X, y, seed=0, epoch=k) for k in range(4)]
        headings.append((place + len(draws) / 2, title))
        place += len(draws)
        columns += draws
    figure = Figure(figsize=(0.55 * len(columns), 0.4 + 0.55 * len(digits)), layout="constrained")
    ax = figure.add_subplot()
    sheet = np.stack(columns, axis=1).reshape(-1, X.shape[1])
    fastmlp.plotting.images(sheet, columns=len(columns), limits=(0, 1), ax=ax)
    for x, title in headings:
        ax.text(x, 0, title, ha="center", va="bottom", fontsize=9)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a picture, which has to be small enough for a repository."""
    figure.savefig(path, dpi=110)
    size = path.stat().st_size
    print(f"{path}: {size / 1000:.0f} kB")
    if size > LARGEST:
        raise SystemExit(f"{path} is larger than {LARGEST / 1000:.0f} kB")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description="The pictures of docs/accuracy.md.")
    add = found.add_argument
    add("--cards", type=Path, nargs="+", metavar="CARD", help="model cards: draws time.png")
    add("--model", type=Path, metavar="FILE", help="a saved model: draws mistakes.png")
    add("--most", type=int, default=60, help="mistakes to draw (default: 60)")
    add("--recipe", default="record", metavar="NAME",
        help="whose distortions are drawn (default: record)")
    add("--data", type=Path, default=HERE.parents[1] / "benchmarks/mnist",
        help="folder of MNIST's files (default: the repository's)")
    add("--out", type=Path, default=HERE.parent / "accuracy",
        help="folder for the pictures (default: docs/accuracy)")
    return found


def main() -> None:
    """Draw the pictures."""
    args = parser().parse_args()
    args.out.mkdir(exist_ok=True)
    data = fastmlp.datasets.mnist(args.data)
    if args.cards:
        save(time_to_accuracy(read(args.cards)), args.out / "time.png")
    if args.model:
        model = fastmlp.load(args.model)
        wrong, by_all = misclassified(model, data.X_test, data.y_test)
        every = f", {by_all} of them by all networks" * isinstance(model, fastmlp.Ensemble)
        print(f"misclassified: {wrong} of {len(data.y_test):,}{every}")
        save(mistakes(model, data, args.most), args.out / "mistakes.png")
    save(distortions(args.recipe, data), args.out / "distortions.png")


if __name__ == "__main__":
    main()
