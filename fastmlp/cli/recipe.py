"""The recipes of ``fastmlp train --recipe``: train on MNIST, test, write a model card."""

from __future__ import annotations

import argparse
import json
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp import kernels
from fastmlp.data.split import hold_out_first

from .cards import writable_card, write_card
from .clock import process_seconds
from .options import (
    add_data_option,
    check_outputs,
    data_files,
    log_callbacks,
    positive,
    recipe_file,
    writable,
)
from .page import write_page
from .ranks import divided, fit_on, is_first

if TYPE_CHECKING:
    from fastmlp.recipes.training import Outcome

Labelled: TypeAlias = tuple[NDArray[Any], NDArray[Any]]  # images and their labels

CLASSES = 10
OPTIONS = ("data", "validation_images", "checkpoint")  # only with a recipe


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command that belong to recipes."""
    group = parser.add_argument_group("recipes, on MNIST, in place of a table")
    add = group.add_argument
    add("--list-recipes", action="store_true", help="show the recipes that come with fastmlp")
    add("--recipe", metavar="NAME", help="train by this recipe, or by a file NAME.toml")
    add_data_option(group)
    add(
        "--validation-images",
        type=positive,
        metavar="N",
        help="set aside the first N training images as a validation set and print the accuracy on "
        "these instead of the test images: for a choice between recipes (default: none)",
    )
    add(
        "--checkpoint",
        type=writable,
        metavar="FILE",
        help="save to FILE every few epochs, and continue from it if it exists",
    )


def show() -> None:
    """Print the recipes, each with a line about it."""
    for name in fastmlp.recipes.names():
        print(f"{name:<12} {fastmlp.recipes.read(name).description}")


def run(args: argparse.Namespace) -> None:
    """Train by the recipe and print seconds and accuracy."""
    from fastmlp.recipes.training import run_recipe  # slow to import, and for this command only

    card = None if args.save is None else writable_card(args.save)
    check_outputs(
        {
            "--save": args.save,
            "the model card": card,
            "--checkpoint": args.checkpoint,
            "--html": args.html,
        },
        recipe_file(args.recipe) | data_files(args.data),
    )
    recipe = fastmlp.recipes.read(args.recipe)
    (X, y), (X_test, y_test), tested = images(args)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training interrupted")
        with divided(args.ranks):
            outcome = run_recipe(
                recipe,
                X,
                y,
                seed=args.seed,
                n_threads=args.threads,
                verbose=not args.quiet,
                checkpoint=args.checkpoint,
                callbacks=log_callbacks(args.log_dir),
                fit=fit_on(args.ranks),
            )
    if not is_first(args.ranks):
        return
    seconds, since = process_seconds()
    if any(history.stopped_by == "interrupt" for history in outcome.histories):
        raise KeyboardInterrupt

    print(f"Seconds of training: {outcome.seconds:.3f}")
    print(f"Seconds since {since}: {seconds:.3f}")
    if any(outcome.resumed):
        print(f"Resumed after epochs: {', '.join(map(str, outcome.resumed))}")
    predicted = outcome.model.predict(X_test)
    print(f"Tested on: {len(y_test)} {tested}")
    print(f"Accuracy: {np.mean(predicted == y_test):.4f}")
    if card is not None:
        outcome.model.metadata |= {"recipe": recipe.name, "seed": outcome.seed}
        outcome.model.save(args.save, with_optimizer=False)
        took = {"training": round(outcome.seconds, 3), f"since {since}": round(seconds, 3)}
        n_images = {"trained on": len(y), "tested on": len(y_test), "these are": tested}
        shared = {"seconds": took, "images": n_images}
        write_card(card, describe(outcome) | shared | scores(predicted, y_test))
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


def images(args: argparse.Namespace) -> tuple[Labelled, Labelled, str]:
    """Return the images to train on and those to test on with their labels, and what these are."""
    X, y, X_test, y_test = fastmlp.datasets.mnist(args.data)
    if args.validation_images is None:
        return (X, y), (X_test, y_test), "test images"
    training, validation = hold_out_first(len(X), args.validation_images)
    return (X[training], y[training]), (X[validation], y[validation]), "validation images"


def scores(predicted: NDArray[Any], true: NDArray[Any]) -> dict[str, Any]:
    """Return the part of a model card about its predictions."""
    return {
        "accuracy": float(np.mean(predicted == true)),
        "wrong": int(np.sum(predicted != true)),
        "confusion matrix, rows the true digit": confusion(true, predicted).tolist(),
    }


def describe(outcome: Outcome) -> dict[str, Any]:
    """Return the part of a model card that describes the training."""
    recipe, model = outcome.recipe, outcome.model
    nets = model.networks if isinstance(model, fastmlp.Ensemble) else (model,)
    return {
        "recipe": {"name": recipe.name, "description": recipe.description, **recipe.to_json()},
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
    """Return the part of a page that describes the training, as names and values."""
    recipe = outcome.recipe
    return {
        "recipe": f"{recipe.name}: {recipe.description}",
        "seed": outcome.seed,
        "tested on": tested,
        **{
            name.replace("_", " "): json.dumps(value)
            for name, value in recipe.settings.to_json().items()
        },
    }


def confusion(y: NDArray[Any], predicted: NDArray[Any]) -> NDArray[np.int64]:
    """Return how often each digit (row) was predicted as each digit (column)."""
    found = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(found, (y, predicted), 1)
    return found
