"""Search for the hyperparameters that suit a table, and train a model with the best.

Table, label, task and test set are as for fastmlp train; the search never sees the test set. Trials
are models with different parameters, proposed by Bayesian optimization and measured on a validation
set, which is a part of the training rows. --save-config writes the best parameters for
fastmlp train --config; --save trains a model with them on all training rows.

With --storage the study is stored in a file. After an interruption, even if the process was killed,
the same command continues it, and several processes with the same command share the work. A file
whose name ends in .db is a SQLite database, any other a journal of Optuna. With the URL of a
database of PostgreSQL or MySQL the processes may run on several machines, one command on each.

--space takes a TOML file of the parameters that trials may have: for each key a value, a list of
values to choose from, or a range. The default is:

    hidden_layer_sizes = [[64, 64], [128, 128], [256, 256], [128, 128, 128], [256, 256, 256]]
    activation = ["silu", "relu", "mish", "selu"]
    dropout = { low = 0.0, high = 0.4 }
    learning_rate = { low = 5e-4, high = 1e-2, log = true }
    weight_decay = { low = 1e-3, high = 0.3, log = true }
    label_smoothing = { low = 0.0, high = 0.2 }
    epochs = { low = 16, high = 96, log = true }
    encoding = ["raw", "piecewise_linear", "quantile", "periodic"]

label_smoothing is for classification. Another key is batch_size.
"""

import argparse
from pathlib import Path

from fastmlp.search.studies import SAMPLERS

from .cards import writable_card
from .options import (
    above_zero,
    add_jobs_option,
    add_training_options,
    check_outputs,
    positive,
    set_threads,
    share,
    writable,
)
from .tables import add_format_options
from .train import add_metric_option, add_table_options

EXAMPLES = """\
  fastmlp search iris.csv --label species --trials 30 --save-config best.toml
  fastmlp train iris.csv --label species --config best.toml --save iris-model.npz
  fastmlp search houses.csv --label price --trials 100 --jobs 2 --metric mae \\
      --storage houses.journal --save houses-model.npz
  fastmlp search iris.csv --label species --space space.toml --sampler gp --seconds 60
  fastmlp search houses.csv --label price --trials 500 --storage postgresql://me@host/studies
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_table_options(parser, required=True)
    add = parser.add_argument
    add(
        "--save",
        type=writable,
        metavar="FILE",
        help="train with the best parameters on all training rows and write the model to FILE",
    )
    add(
        "--save-config",
        type=writable,
        metavar="FILE",
        help="write the best parameters to FILE, for fastmlp train --config",
    )

    search = parser.add_argument_group("search")
    add_metric_option(search)
    add = search.add_argument
    add(
        "--trials",
        type=positive,
        default=30,
        metavar="N",
        help="number of finished trials at the end (default: 30)",
    )
    add("--epochs", type=positive, metavar="N", help="epochs of all trials, which are not searched")
    add(
        "--members",
        type=positive,
        default=1,
        metavar="N",
        help="number of networks in each trial (default: 1)",
    )
    add(
        "--quality",
        choices=("fast", "good", "best"),
        help="quality of the trials and of the model that is saved (default: good)",
    )
    add(
        "--class-weight",
        choices=("balanced",),
        help="give rare classes as much weight as frequent ones",
    )
    add("--space", type=Path, metavar="FILE", help="TOML file of the parameters to try")
    add(
        "--sampler",
        choices=SAMPLERS,
        default="tpe",
        help="how trials are proposed: by Optuna's tree-structured Parzen estimator, by a Gaussian "
        "process or at random (default: tpe)",
    )
    add(
        "--validation",
        type=share,
        default=0.2,
        metavar="X",
        help="fraction of the training rows by which trials are measured (default: 0.2)",
    )
    add(
        "--storage",
        type=place,
        metavar="FILE",
        help="store the study in FILE, or in a database, postgresql://USER@HOST/NAME or "
        "mysql://USER@HOST/NAME, and continue it if it exists",
    )
    add_jobs_option(search, "trials", 1, "; with more than 1 the result depends on chance")
    add("--seconds", type=above_zero, metavar="X", help="begin no trial after X seconds")
    add(
        "--trial-seconds",
        type=above_zero,
        metavar="X",
        help="seconds that the training of a trial may take",
    )
    add("--no-pruning", action="store_true", help=argparse.SUPPRESS)
    add_format_options(parser)
    add_training_options(parser)


def run(args: argparse.Namespace) -> None:
    """Search, and train with the best parameters if the model is to be saved."""
    if args.no_pruning:
        raise ValueError("there is no --no-pruning any more: no trial is stopped early")
    set_threads(args)
    card = None if args.save is None else writable_card(args.save)
    check_outputs(
        {
            "--save": args.save,
            "the model card": card,
            "--save-config": args.save_config,
            **storage_files(args.storage),
        },
        {"TABLE": args.table, "--space": args.space, "--test": args.test},
    )
    from .search_table import search_table  # needs the extra tabular

    search_table(args, card)


def place(text: str) -> Path | str:
    """Parse where a study is stored: the name of a file, or a URL."""
    return text if "://" in text else writable(text)


def storage_files(storage: Path | str | None) -> dict[str, Path | None]:
    """Return the file of a study and those that are created beside it for its locks."""
    if not isinstance(storage, Path):
        return {}
    files: dict[str, Path | None] = {"--storage": storage}
    for ending in (".lock", ".turn", ".workers"):
        files[f"the lock of --storage, {ending}"] = storage.with_name(storage.name + ending)
    return files
