"""What ``fastmlp train --recipe`` does: train on MNIST by a recipe, test, write a model card."""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp import kernels

from .clock import process_seconds
from .options import different, positive, writable
from .page import write_page
from .predict import whole_file

if TYPE_CHECKING:
    from fastmlp.recipes.running import Outcome

CLASSES = 10
OPTIONS = ("data", "held_out", "checkpoint")  # that make sense with a recipe only


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command that go with a recipe."""
    group = parser.add_argument_group("recipes, on MNIST, in place of a table")
    add = group.add_argument
    add("--list-recipes", action="store_true", help="show the recipes that come with fastmlp")
    add("--recipe", metavar="NAME", help="train by this recipe, or by a file NAME.toml")
    add(
        "--data",
        metavar="DIR",
        help="folder of MNIST's four IDX files, gzipped or not (default: $FASTMLP_DATA, else the "
        "user's cache, filled by a download when empty)",
    )
    add(
        "--held-out",
        type=positive,
        metavar="N",
        help="leave out the last N training images and print the accuracy on them, not on the "
        "test images: for choosing (default: train on all, test on the test images)",
    )
    add(
        "--checkpoint",
        type=writable,
        metavar="FILE",
        help="save to FILE every few epochs, and go on from it where it exists",
    )


def show() -> None:
    """Print the recipes, each with a line about it."""
    for name in fastmlp.recipes.names():
        print(f"{name:<12} {fastmlp.recipes.read(name).description}")


def run(args: argparse.Namespace) -> None:
    """Train by the recipe and print seconds and accuracy."""
    from fastmlp.recipes.running import carry_out  # the other commands do without it

    recipe = fastmlp.recipes.read(args.recipe)
    card = None
    if args.save is not None:
        card = writable_card(args.save)
    different(save=args.save, checkpoint=args.checkpoint, html=args.html)
    X, y, X_test, y_test = fastmlp.datasets.mnist(args.data)
    tested = "test images"
    if args.held_out is not None:
        if args.held_out >= len(X):
            raise ValueError(f"--held-out {args.held_out} leaves none of {len(X)} images to train")
        X_test, y_test = X[-args.held_out :], y[-args.held_out :]
        X, y = X[: -args.held_out], y[: -args.held_out]
        tested = "training images held out"

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training interrupted")
        outcome = carry_out(
            recipe,
            X,
            y,
            seed=args.seed,
            n_threads=args.threads,
            verbose=not args.quiet,
            checkpoint=args.checkpoint,
        )
    seconds, since = process_seconds()
    if any(history.stopped_by == "interrupt" for history in outcome.histories):
        raise KeyboardInterrupt

    print(f"Seconds of training: {outcome.seconds:.3f}")
    print(f"Seconds since {since}: {seconds:.3f}")
    if any(outcome.resumed):
        print(f"Resumed after epochs: {', '.join(map(str, outcome.resumed))}")
    predicted = outcome.model.predict(X_test)
    accuracy = float(np.mean(predicted == y_test))
    print(f"Tested on: {len(y_test)} {tested}")
    print(f"Accuracy: {accuracy:.4f}")
    if card is not None:
        outcome.model.metadata |= {"recipe": recipe.name, "seed": outcome.seed}
        outcome.model.save(args.save, with_optimizer=False)
        contents = describe(outcome) | {
            "seconds": {"training": round(outcome.seconds, 3), f"since {since}": round(seconds, 3)},
            "images": {"trained on": len(y), "tested on": len(y_test), "these are": tested},
            "accuracy": accuracy,
            "wrong": int(np.sum(predicted != y_test)),
            "confusion matrix, rows the true digit": confusion(y_test, predicted).tolist(),
        }
        with whole_file(card) as file:
            file.write(laid_out(contents))
        print(f"saved {args.save} and {card}")
    if args.html is not None:
        write_page(
            args.html,
            outcome.model,
            X_test,
            y_test,
            outcome.histories,
            f"MNIST by the recipe {recipe.name}",
            configuration(outcome, f"{len(y_test):,} {tested}"),
        )
        print(f"saved {args.html}")


def writable_card(model: Path) -> Path:
    """The model card's file, beside the model's; refused now, not after training."""
    card = Path(f"{model}.card.json")
    try:
        return writable(str(card))
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"--save: {error}") from None


def describe(outcome: Outcome) -> dict[str, Any]:
    """Return what a model card says about how the model came to be."""
    recipe, model = outcome.recipe, outcome.model
    nets = model.networks if isinstance(model, fastmlp.Ensemble) else (model,)
    return {
        "recipe": {"name": recipe.name, "description": recipe.description, **recipe.plain},
        "seed": outcome.seed,
        "layers": list(nets[0].sizes),
        "parameters": model.n_parameters,
        "fastmlp": fastmlp.__version__,
        "threads": fastmlp.get_num_threads(),
        "instruction set": kernels.isa,
        "resumed after epochs": outcome.resumed,
        "histories": [
            {
                "seed": net.seed,
                "cost": history.cost,
                "learning rate at the end": history.learning_rate,
                "seconds": [round(one, 4) for one in history.seconds],
            }
            for net, history in zip(nets, outcome.histories, strict=True)
        ],
    }


def configuration(outcome: Outcome, tested: str) -> dict[str, object]:
    """Return what a page says about how the model came to be, a line for each thing."""
    recipe = outcome.recipe
    return {
        "recipe": f"{recipe.name}: {recipe.description}",
        "seed": outcome.seed,
        "tested on": tested,
        **{
            name.replace("_", " "): json.dumps(value)
            for name, value in recipe.settings.plain.items()
        },
    }


def confusion(y: NDArray[Any], predicted: NDArray[Any]) -> NDArray[np.int64]:
    """Return how often each digit (row) was read as each digit (column)."""
    found = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(found, (y, predicted), 1)
    return found


def laid_out(contents: dict[str, Any]) -> str:
    """Return JSON with a line for each thing, and for each row of a matrix."""
    lines = []
    for key, value in contents.items():
        text = json.dumps(value)
        if isinstance(value, list) and value and isinstance(value[0], (list, dict)):
            text = "[\n" + ",\n".join(f"    {json.dumps(one)}" for one in value) + "\n  ]"
        lines.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
