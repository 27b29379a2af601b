"""Train a model on a table and save it, or train on MNIST by a recipe.

The table is text such as CSV whose first line names the columns, a Parquet file, or an NPZ file of
arrays with one entry or row for each example (a 2-D array X is the columns X[0], X[1], ...).
Separator, encoding, decimal comma and compression are recognized. The columns may hold numbers,
text, categories, booleans and dates, with missing values.

Text, booleans and a few different whole numbers in the label column are classes to predict, other
numbers are values (--task overrides). A fifth of the rows is set aside as the test set; the scores
on it are printed beside those of baselines. The model is one file; a model card, FILE.card.json, is
written beside it. If training diverges, nothing is saved and the exit status is 1. Ctrl-C ends
training with the best epochs so far.

With --recipe a network is trained on MNIST instead, as the recipe describes. The seconds of
training and the accuracy on the test images are printed. With --save a model card, FILE.card.json,
is written beside the model.

On several ranks of MPI (mpiexec -n N fastmlp train ...) the networks of a table's model are divided
among the ranks; a recipe's single network is trained on all of them.
"""

import argparse
from pathlib import Path

from fastmlp import activations

from . import recipe
from .options import (
    above_zero,
    add_log_option,
    add_page_option,
    add_training_options,
    fraction,
    not_negative,
    positive,
    set_threads,
    writable,
)
from .tables import FORMAT, TABLE_HELP, add_format_options

EXAMPLES = """\
  fastmlp train iris.csv --label species --save iris-model.npz
  fastmlp train houses.csv --label price --drop id,street --html houses.html
  fastmlp train visits.csv --label ill --group patient --metric auc --quality best
  fastmlp train sales.csv.gz --label units --time date --time-limit 60 --save sales-model.npz
  fastmlp train sales.csv.gz --label units --per shop --quality fast --save shops-model.npz
  fastmlp train --list-recipes
  fastmlp train --recipe fast --data benchmarks/mnist --save fast.npz
"""
DATA = ("task", "drop", "test", "test_fraction", "group", "time", *FORMAT)
FITTING = ("metric", "quality", "members", "time_limit", "class_weight", "per", "config")
NETWORKS = (
    "hidden", "activation", "epochs", "batch_size", "learning_rate", "weight_decay", "patience",
)  # fmt: skip
OF_TABLES = ("table", "label", *DATA, *FITTING, *NETWORKS)  # refused together with a recipe
REMOVED = {  # options of earlier versions, and what to use instead
    "optimizer": "the networks are trained by AdamW; --learning-rate and --weight-decay are its "
    "settings",
    "l2": "--weight-decay takes its place",
    "validation": "each network is validated on a part of the training rows; --test-fraction is "
    "the part of the rows for the test",
}
ACTIVATIONS = list(activations.HIDDEN)


def sizes(text: str) -> tuple[int, ...]:
    """Parse the widths of the hidden layers: "64,64", or "0" for none."""
    return () if text == "0" else tuple(positive(size) for size in text.split(","))


def add_table_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add TABLE and what says which of its rows and columns are used, and for what."""
    add = parser.add_argument
    add(
        "table", nargs=None if required else "?", type=Path, metavar="TABLE", help=TABLE_HELP
    )
    add(
        "--label",
        required=required,
        metavar="COLUMN",
        help=f"the column to predict (required{'' if required else ' with TABLE'}); rows in which "
        "it is empty are left out",
    )
    add_column_options(parser)
    add("--test", type=Path, metavar="FILE", help="a table whose rows are the test set")
    add(
        "--test-fraction",
        type=fraction,
        metavar="X",
        help="fraction of the rows for the test set; 0: train on all rows (default: 0.2)",
    )


def add_column_options(parser: argparse._ActionsContainer) -> None:
    """Add the options that say for what the columns are used."""
    add = parser.add_argument
    add(
        "--task",
        choices=("classification", "regression"),
        help="predict a class or a number (default: by the contents of the label column)",
    )
    add(
        "--drop",
        action="append",
        metavar="COLUMN,...",
        help="columns to leave out; may be given again",
    )
    add(
        "--group",
        metavar="COLUMN",
        help="rows with equal entries in this column, such as those of one patient, are never "
        "divided between training and test; the column is not used to predict",
    )
    add(
        "--time",
        metavar="COLUMN",
        help="the latest rows by this column, numbers or dates, are the test set",
    )


def add_metric_option(
    parser: argparse._ActionsContainer,
    purpose: str = "what the model is to be best by",
    default: str = "log_loss or rmse",
) -> None:
    """Add ``--metric``."""
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help=f"{purpose}: log_loss, error, accuracy, balanced_accuracy, auc, f1; rmse, mae, r2 "
        f"(default: {default})",
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_table_options(parser, required=False)
    add = parser.add_argument
    add("--save", type=writable, metavar="FILE", help="write the model to FILE")
    add_page_option(parser)
    add_log_option(parser)
    add("--quiet", action="store_true", help="print scores alone")

    fitting = parser.add_argument_group("training on a table")
    add_metric_option(fitting)
    add = fitting.add_argument
    add(
        "--quality",
        choices=("fast", "good", "best"),
        help="how much training the model gets (default: good)",
    )
    add("--members", type=positive, metavar="N", help="number of networks (default: by quality)")
    add("--time-limit", type=above_zero, metavar="S", help="seconds that training may take")
    add(
        "--class-weight",
        choices=("balanced",),
        help="give rare classes as much weight as frequent ones",
    )
    add(
        "--per",
        metavar="COLUMN",
        help="train a model for each value of this column that has at least 50 rows, such as each "
        "shop, and one for all other rows",
    )
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file of parameters of the estimator, such as fastmlp search --save-config "
        "writes; options have precedence",
    )

    network = parser.add_argument_group(
        "networks for a table, where they are to differ from those of the quality"
    )
    add = network.add_argument
    add(
        "--hidden",
        type=sizes,
        metavar="N,N,...",
        help="widths of the hidden layers; 0: none, a linear model",
    )
    add(
        "--activation",
        choices=ACTIVATIONS,
        metavar="NAME",
        help=f"activation of the hidden layers: {', '.join(ACTIVATIONS)}",
    )
    add("--epochs", type=positive, metavar="N", help="passes over the rows")
    add("--batch-size", type=positive, metavar="N", help="rows per step")
    add("--learning-rate", type=above_zero, metavar="X", help="highest learning rate")
    add("--weight-decay", type=not_negative, metavar="X", help="AdamW's weight decay")
    add(
        "--patience",
        type=positive,
        metavar="N",
        help="stop a network after N epochs without a better metric on its validation rows",
    )
    for name in REMOVED:
        add(f"--{name}", help=argparse.SUPPRESS)
    add_format_options(parser)
    recipe.add_options(parser)
    add_training_options(parser)


def run(args: argparse.Namespace) -> None:
    """Train on a table or by a recipe."""
    for name, instead in REMOVED.items():
        if getattr(args, name) is not None:
            raise ValueError(f"there is no --{name} any more: {instead}")
    given = [name for name in OF_TABLES if getattr(args, name) is not None]
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
    missing = [_option(name) for name in ("table", "label") if getattr(args, name) is None]
    if missing:
        raise ValueError(
            f"the following arguments are required: {', '.join(missing)} (see fastmlp train --help)"
        )
    from .train_table import run_on_table  # needs the extra tabular

    run_on_table(args)


def _option(name: str) -> str:
    """Return the name of an argument on the command line."""
    return "TABLE" if name == "table" else f"--{name.replace('_', '-')}"
