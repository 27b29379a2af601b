"""Train a model on a table and save it, or train on MNIST by a recipe.

The table is text such as CSV whose first line names the columns, a Parquet file, or an NPZ file of
arrays with one entry or row for each example (a 2-D array X is the columns X[0], X[1], ...).
Separator, encoding, decimal comma and compression are recognized. All columns but the label have to
be numbers. They are scaled to mean 0 and deviation 1 for training,
and the saved model takes them as they are in the table.

A part of the rows is set aside as a validation set: training stops when the cost on it no longer
falls, and the parameters with the lowest validation cost are saved.

With --recipe a network is trained on MNIST instead, as the recipe describes. The seconds of
training and the accuracy on the test images are printed. With --save a model card, FILE.card.json,
is written beside the model.
"""

import argparse
from typing import Any

from fastmlp import activations, optimizers
from fastmlp.experiments.settings import Settings

from . import recipe
from .options import (
    add_page_option,
    add_training_options,
    check_outputs,
    positive,
    run_fit,
    set_threads,
    writable,
)
from .page import write_page
from .problem import Problem, add_table_options, fraction
from .tables import FORMAT

EXAMPLES = """\
  fastmlp train iris.csv --label species --save iris-model.npz
  fastmlp train houses.csv --label price --task regression --save houses-model.npz
  fastmlp train houses.csv --label price --task regression --drop id --drop street \\
      --hidden 128,64 --activation tanh --l2 0.001 --save houses-model.npz
  fastmlp train --list-recipes
  fastmlp train --recipe fast --data benchmarks/mnist --save fast.npz
"""
# Options of a table, with their defaults.  The parser leaves them at None, so that those can be
# refused that are given together with a recipe.
DEFAULTS: dict[str, Any] = {
    "table": None,
    "label": None,
    "task": "classification",
    "drop": [],
    **dict.fromkeys(FORMAT),
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
    """Parse the widths of the hidden layers: "64,64", or "0" for none."""
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
        help="widths of the hidden layers; 0: none, a linear model (default: 64,64)",
    )
    add(
        "--activation",
        choices=ACTIVATIONS,
        metavar="NAME",
        help=f"activation of the hidden layers: {', '.join(ACTIVATIONS)} (default: relu)",
    )

    training = parser.add_argument_group("training")
    add = training.add_argument
    add(
        "--epochs",
        type=positive,
        metavar="N",
        help="greatest number of passes over the rows (default: 200)",
    )
    add(
        "--batch-size",
        type=positive,
        metavar="N",
        help="rows per step (default: 32)",
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
        help="learning rate (default: 0.01 for gradient_descent, otherwise 0.001)",
    )
    add(
        "--l2",
        type=float,
        metavar="X",
        help="factor of the penalty, half the sum of all squared weights (default: 0)",
    )
    add(
        "--validation",
        type=fraction,
        metavar="X",
        help="fraction of the rows for the validation set; 0: train on all rows, for all epochs "
        "(default: 0.2)",
    )
    add(
        "--patience",
        type=positive,
        metavar="N",
        help="stop when the validation cost has not fallen for N epochs (default: 20)",
    )
    recipe.add_options(parser)
    add_page_option(parser)
    add("--quiet", action="store_true", help="do not print a line for each epoch")
    add_training_options(parser)


def run(args: argparse.Namespace) -> None:
    """Train on a table or by a recipe."""
    given = [name for name in DEFAULTS if getattr(args, name) is not None]
    by_recipe = args.recipe is not None or args.list_recipes
    if by_recipe and "table" in given:
        raise ValueError("a recipe trains on MNIST; give TABLE or --recipe, not both")
    if by_recipe and given:
        raise ValueError(f"{_option(given[0])} is for a TABLE; a recipe has its own settings")
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
    """Return the name of an argument on the command line."""
    return "TABLE" if name == "table" else f"--{name.replace('_', '-')}"


def run_on_table(args: argparse.Namespace) -> None:
    """Train on a table."""
    set_threads(args)
    check_outputs({"--save": args.save, "--html": args.html}, {"TABLE": args.table})
    problem = Problem.of(args)
    training, validation = problem.training, problem.validation
    validated = len(validation) > 0
    n_in, n_out = len(problem.columns), len(problem.classes) if problem.classes else 1
    settings = settings_of(args, n_in, n_out, problem.loss)
    net = settings.network(n_in, n_out, args.seed, loss=problem.loss)
    history = run_fit(
        settings.fit,
        net,
        *problem.scaled(training),
        validation_data=problem.scaled(validation) if validated else None,
        early_stopping=args.patience if validated else None,
        verbose=not args.quiet,
    )

    model = problem.model(net)
    for name, rows in {"training": training, "validation": validation}.items():
        if len(rows):
            print(f"{name}: {problem.score(model, rows)} ({len(rows)} rows)")
    model.save(args.save)
    print(f"saved {args.save}")
    if args.html is not None:
        name, judged = ("validation", validation) if validated else ("training", training)
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
                "optimizer": settings.optimizer,
            },
            problem.row_numbers[judged].tolist(),
        )
        print(f"saved {args.html}")


def settings_of(args: argparse.Namespace, n_in: int, n_out: int, loss: str) -> Settings:
    """Return the settings of network and training, with the optimizer's own rate by default."""
    optimizer: dict[str, Any] = {"name": args.optimizer}
    if args.learning_rate is not None:
        optimizer["learning_rate"] = args.learning_rate
    names = ("hidden", "activation", "epochs", "batch_size", "l2")
    given = {name: getattr(args, name) for name in names}
    return Settings.of({**given, "optimizer": optimizer}, n_in, n_out, loss)
