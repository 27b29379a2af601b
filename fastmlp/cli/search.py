"""Search for the hyperparameters that suit a table, and train a model with the best.

The table is as for fastmlp train, and its columns are scaled in the same way. Trials are networks
with different settings, proposed by Bayesian optimization; each is measured on a validation set
after its best epoch. Trials that do worse than most are stopped early.

With --storage the study is stored in a file. After an interruption, even if the process was killed,
the same command continues it, and several processes with the same command share the work. A file
whose name ends in .db is a SQLite database, any other a journal of Optuna.

--space takes a TOML file of the settings that trials may have: for each key a value, a list of
values to choose from, or a range. The default is:

    depth = { low = 1, high = 3 }           # hidden layers
    width = { low = 32, high = 512, log = true }
    activation = ["relu", "leaky_relu", "elu", "tanh"]
    learning_rate = { low = 1e-4, high = 3e-2, log = true }
    l2 = { low = 1e-7, high = 1e-3, log = true }
    dropout = { low = 0.0, high = 0.6 }
    batch_size = { low = 32, high = 256, log = true }

In place of depth and width, hidden = [[64], [256, 256]] is a choice of the widths of all hidden
layers. Other keys: taper (the width of a layer divided by that of the one before), init,
batch_norm, input_dropout, noise, optimizer, schedule (constant, cosine, one_cycle), momentum,
weight_decay, label_smoothing, max_norm, clip_norm, ema, dropout_schedule.
"""

import argparse
import math
import warnings
from pathlib import Path

import fastmlp
from fastmlp.search.space import SPACE, read
from fastmlp.search.studies import SAMPLERS, describe

from .options import (
    add_jobs_option,
    add_training_options,
    check_outputs,
    positive,
    set_threads,
    writable,
)
from .problem import Problem, add_table_options, fraction

EXAMPLES = """\
  fastmlp search iris.csv --label species --trials 30
  fastmlp search houses.csv --label price --task regression --trials 100 --jobs 2 \\
      --storage houses.journal --save houses-model.npz
  fastmlp search iris.csv --label species --space space.toml --sampler gp --seconds 60
"""


def seconds(text: str) -> float:
    """Parse a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if 0 < value < math.inf:
        return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_table_options(parser, required=True)
    parser.add_argument(
        "--save",
        type=writable,
        metavar="FILE",
        help="train with the best settings on all rows and write the model to FILE",
    )

    search = parser.add_argument_group("search")
    add = search.add_argument
    add(
        "--trials",
        type=positive,
        default=50,
        metavar="N",
        help="number of finished trials at the end (default: 50)",
    )
    add(
        "--epochs",
        type=positive,
        default=20,
        metavar="N",
        help="passes over the rows in each trial (default: 20)",
    )
    add("--space", type=Path, metavar="FILE", help="TOML file of the settings to try")
    add(
        "--sampler",
        choices=SAMPLERS,
        default="tpe",
        help="how trials are proposed: by Optuna's tree-structured Parzen estimator, by a Gaussian "
        "process or at random (default: tpe)",
    )
    add("--no-pruning", action="store_true", help="stop no trial early")
    add(
        "--validation",
        type=fraction,
        default=0.2,
        metavar="X",
        help="fraction of the rows for the validation set, by which trials are measured "
        "(default: 0.2)",
    )
    add(
        "--storage",
        type=writable,
        metavar="FILE",
        help="store the study in FILE, and continue it if it exists",
    )
    add_jobs_option(search, "trials", 1, "; with more than 1 the result depends on chance")
    add("--seconds", type=seconds, metavar="X", help="begin no trial after X seconds")
    add(
        "--trial-seconds",
        type=seconds,
        metavar="X",
        help="stop the training of a trial after X seconds",
    )
    add_training_options(parser)


def run(args: argparse.Namespace) -> None:
    """Search, and train with the best settings if the model is to be saved."""
    set_threads(args)
    check_outputs(
        {"--save": args.save, "--storage": args.storage} | lock_files(args.storage),
        {"TABLE": args.table, "--space": args.space},
    )
    if args.validation == 0:
        raise ValueError("--validation must be above 0: trials are measured on these rows")
    space = SPACE if args.space is None else read(args.space)
    problem = Problem.of(args)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Search interrupted")
            result = fastmlp.search.minimize(
                *problem.scaled(problem.training),
                space,
                n_trials=args.trials,
                epochs=args.epochs,
                validation_data=problem.scaled(problem.validation),
                loss=problem.loss,
                sampler=args.sampler,
                pruning=not args.no_pruning,
                storage=args.storage,
                n_jobs=args.jobs,
                max_seconds=args.seconds,
                max_seconds_per_trial=args.trial_seconds,
                seed=args.seed,
                verbose=True,
            )
    except ImportError as error:  # of Optuna, with the command that installs it
        raise ValueError(str(error)) from None
    if result.stopped_by == "interrupt":
        raise KeyboardInterrupt
    best = describe(result.best_parameters)
    print(f"best of {len(result.trials)} trials: {result.best_value:.6g} in epoch "
          f"{result.best_epoch} with {best}")
    if args.save is None:
        return

    every = slice(None)
    model = problem.model(result.refit(*problem.scaled(every)))
    print(f"trained on all rows: {problem.score(model, every)} ({len(problem.X)} rows)")
    model.save(args.save)
    print(f"saved {args.save}")


def lock_files(storage: Path | None) -> dict[str, Path | None]:
    """Return the files that are created beside a study for its locks."""
    if storage is None:
        return {}
    return {
        f"the lock of --storage, {ending}": storage.with_name(storage.name + ending)
        for ending in (".lock", ".turn", ".workers")
    }
