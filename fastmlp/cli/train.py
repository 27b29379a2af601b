"""Train a model on a table and save it, or train on MNIST by a recipe.

The table is a CSV file (.csv; .tsv with tabs) whose first line names the columns, or an NPZ file of
arrays with one entry or row for each example (a 2-D array X is the columns X[0], X[1], ...). All
columns but the label have to be numbers. They are scaled to mean 0 and deviation 1 for training,
and the saved model takes them as they are in the table.

A part of the rows is kept aside as validation data: training stops when the cost there no longer
falls, and the parameters with the lowest are kept.

A recipe takes the place of a table: it says which network is trained on MNIST and how. The seconds
of training and the accuracy on the test images are printed. With --save a model card,
FILE.card.json, is written beside the model.
"""

import argparse
import dataclasses
from typing import Any

from fastmlp import MLP, activations, optimizers
from fastmlp.optimizers import Optimizer
from fastmlp.support import checks

from . import recipe
from .options import (
    add_page_option,
    add_training_options,
    different,
    fit,
    positive,
    set_threads,
    writable,
)
from .page import write_page
from .problem import Problem, add_table_options, fraction
from .tables import open_table

EXAMPLES = """\
  fastmlp train iris.csv --label species --save iris-model.npz
  fastmlp train houses.csv --label price --task regression --save houses-model.npz
  fastmlp train houses.csv --label price --task regression --drop id --drop street \\
      --hidden 128,64 --activation tanh --l2 0.001 --save houses-model.npz
  fastmlp train --list-recipes
  fastmlp train --recipe fast --data benchmarks/mnist --save fast.npz
"""
# Options of a table, which are None where they are not given: a recipe allows none of them.
DEFAULTS: dict[str, Any] = {
    "table": None,
    "label": None,
    "task": "classification",
    "drop": [],
    "hidden": (64, 64),
    "activation": "relu",
    "epochs": 200,
    "batch_size": 32,
    "optimizer": "adam",
    "learning_rate": None,
    "l2": 0.0,
    "validation": 0.2,
    "patience": 20,
}
COSTS = {
    "classification": "with columns scaled to mean 0 and deviation 1",
    "regression": "with columns and label scaled to mean 0 and deviation 1",
}
ACTIVATIONS = [name for name in activations.TABLE if name != "softmax"]


def sizes(text: str) -> tuple[int, ...]:
    """Parse the sizes of the hidden layers: "64,64", or "0" for none."""
    return () if text == "0" else tuple(positive(size) for size in text.split(","))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_table_options(parser, required=False)
    parser.add_argument(
        "--save",
        type=writable,
        metavar="FILE",
        help="write the model to FILE (required with TABLE)",
    )

    network = parser.add_argument_group("network")
    add = network.add_argument
    add(
        "--hidden",
        type=sizes,
        metavar="N,N,...",
        help="sizes of the hidden layers; 0: none, a linear model (default: 64,64)",
    )
    add(
        "--activation",
        choices=ACTIVATIONS,
        metavar="NAME",
        help=f"of the hidden layers: {', '.join(ACTIVATIONS)} (default: relu)",
    )

    training = parser.add_argument_group("training")
    add = training.add_argument
    add(
        "--epochs",
        type=positive,
        metavar="N",
        help="most passes over the rows (default: 200)",
    )
    add(
        "--batch-size",
        type=positive,
        metavar="N",
        help="rows for each step (default: 32)",
    )
    add(
        "--optimizer",
        choices=optimizers.TABLE,
        metavar="NAME",
        help=f"{', '.join(optimizers.TABLE)} (default: adam)",
    )
    add(
        "--learning-rate",
        type=float,
        metavar="X",
        help="size of the steps (default: the "
        "optimizer's own: 0.01 for gradient_descent, otherwise 0.001)",
    )
    add(
        "--l2",
        type=float,
        metavar="X",
        help="weight of the penalty, half the sum of all squared weights (default: 0)",
    )
    add(
        "--validation",
        type=fraction,
        metavar="X",
        help="fraction of the rows kept aside; 0: train on all, for all epochs (default: 0.2)",
    )
    add(
        "--patience",
        type=positive,
        metavar="N",
        help="stop when the validation cost has not fallen for N epochs (default: 20)",
    )
    recipe.add_options(parser)
    add_page_option(parser)
    add("--quiet", action="store_true", help="no line for each epoch")
    add_training_options(parser)


def run(args: argparse.Namespace) -> None:
    """Carry out the command, by a table or by a recipe."""
    given = [name for name in DEFAULTS if getattr(args, name) is not None]
    by_recipe = args.recipe is not None or args.list_recipes
    if by_recipe and "table" in given:
        raise ValueError("a recipe trains on MNIST; give TABLE or --recipe, not both")
    if by_recipe and given:
        raise ValueError(f"{_option(given[0])} is for a TABLE; a recipe says itself how to train")
    if args.list_recipes:
        recipe.show()
        return
    if by_recipe:
        set_threads(args)
        recipe.run(args)
        return
    for name in recipe.OPTIONS:
        if getattr(args, name) is not None:
            raise ValueError(f"{_option(name)} needs --recipe")
    missing = [_option(name) for name in ("table", "label", "save") if getattr(args, name) is None]
    if missing:
        raise ValueError(
            f"the following arguments are required: {', '.join(missing)} (see fastmlp train --help)"
        )
    for name, value in DEFAULTS.items():
        if name not in given:
            setattr(args, name, value)
    run_on_table(args)


def _option(name: str) -> str:
    """Return what an argument is called on the command line."""
    return "TABLE" if name == "table" else f"--{name.replace('_', '-')}"


def run_on_table(args: argparse.Namespace) -> None:
    """Train on a table."""
    set_threads(args)
    different(save=args.save, html=args.html)
    for option, path in {"--save": args.save, "--html": args.html}.items():
        if path is not None and path.exists() and path.samefile(args.table):
            raise ValueError(f"{option} {path} would overwrite the table")
    problem = Problem.of(args)
    training, validation = problem.training, problem.validation
    held_out = len(validation) > 0
    net = MLP(
        (len(problem.columns), *args.hidden, len(problem.classes) if problem.classes else 1),
        activation=args.activation,
        loss=problem.loss,
        seed=args.seed,
    )
    history = fit(
        net,
        *problem.scaled(training),
        epochs=args.epochs,
        batch_size=args.batch_size,
        optimizer=make_optimizer(args),
        l2=args.l2,
        validation_data=problem.scaled(validation) if held_out else None,
        early_stopping=args.patience if held_out else None,
        verbose=not args.quiet,
    )

    model = problem.model(net)
    for name, rows in {"training": training, "validation": validation}.items():
        if len(rows):
            print(f"{name}: {problem.score(model, rows)} ({len(rows)} rows)")
    model.save(args.save)
    print(f"saved {args.save}")
    if args.html is not None:
        name, judged = ("validation", validation) if held_out else ("training", training)
        write_page(
            args.html,
            model,
            problem.X[judged],
            problem.y[judged],
            [history],
            f"{args.label}, by {args.table.name}",
            {
                "costs of the epochs": COSTS[args.task],
                "rows": f"{len(training):,} for training, {len(validation):,} for validation",
                "figures are of": f"the {name} rows",
                **{
                    option.replace("_", " "): getattr(args, option)
                    for option in ("task", "batch_size", "l2", "seed")
                },
                "optimizer": make_optimizer(args),
            },
            open_table(args.table).row_numbers()[judged].tolist(),
        )
        print(f"saved {args.html}")


def make_optimizer(args: argparse.Namespace) -> Optimizer:
    """Return the optimizer, with its own learning rate unless one is given."""
    optimizer = checks.named("optimizer", args.optimizer, optimizers.TABLE, Optimizer)
    if args.learning_rate is None:
        return optimizer
    return dataclasses.replace(optimizer, learning_rate=args.learning_rate)
