"""Run an ablation study: change parts of a model and compare the variants.

On a table, with --label, the parts of the default model of fastmlp train are changed one at a time:
encoding of numbers, width and number of layers, activation, dropout, weight decay, learning rate
and number of networks. With each seed, a fifth of the rows tests what is trained on the others. The
test set of fastmlp train is not used.

Any other study is a TOML file with three tables. [study] may set title, seeds (a number or a list),
factorial (true: all combinations; otherwise one factor at a time), data ("mnist" or "digits") and
validation_images (the number of training images, the first, to set aside as a validation set).
[base] is a configuration: hidden (the widths of the hidden layers), activation, init, batch_norm,
dropout, input_dropout, noise, dtype, uint8_scale, optimizer, schedule, epochs, batch_size, l2,
label_smoothing, max_norm, clip_norm, ema, dropout_schedule, augment. [factors] has for each factor
what to try in place of the base: a list of values, or a table of named variants, each a table of
keys to set.

    [base]
    hidden = [256, 256]
    [factors]
    dropout = [0.2, 0.5]
    optimizer = ["rmsprop", { name = "gradient_descent", learning_rate = 0.1 }]
    [factors.depth]
    "one layer" = { hidden = [256] }

For a table, [study] has data (the file), label, and perhaps metric, task, drop, group or time, like
the options. The keys of [base], which may be missing, and [factors] are then quality, n_members,
hidden_layer_sizes, activation, dropout, learning_rate, weight_decay, label_smoothing, batch_size,
epochs, encoding, early_stopping and class_weight.

Each finished run is recorded in the folder's runs.jsonl. After an interruption, even if the process
was killed, the same command continues the study; after a change to the study only what is new is
run. At the end the folder has runs.csv, table.md (the metric, and differences from the base with
confidence intervals) and, if matplotlib is installed, a plot such as accuracy.png.
"""

import argparse
from pathlib import Path
from typing import Any

import fastmlp

from .options import add_data_option, add_jobs_option, folder, positive
from .tables import add_format_options, format_options, open_table
from .train import add_column_options, add_metric_option

EXAMPLES = """\
  fastmlp ablate iris.csv --label species --quality fast
  fastmlp ablate houses.csv --label price --metric mae --seeds 10 --jobs 2
  fastmlp ablate study.toml
  fastmlp ablate docs/studies/report.toml --data benchmarks/mnist --jobs 2
"""
# keys of [study] by the options of a table
STUDY = ("label", "metric", "task", "drop", "group", "time", "seeds")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add = parser.add_argument
    add("study", type=Path, metavar="STUDY", help="TOML file; or a table, with --label")
    add(
        "--out",
        type=folder,
        metavar="FOLDER",
        help="folder for the results (default: beside STUDY, named like it without .toml; of "
        "a table like houses.csv, houses-ablation)",
    )
    add_jobs_option(parser, "runs", default=None)
    add_data_option(parser)
    table = parser.add_argument_group("study of a table")
    table.add_argument(
        "--label",
        metavar="COLUMN",
        help="the column to predict; rows in which it is empty are left out",
    )
    add_column_options(table)
    add_metric_option(table)
    table.add_argument(
        "--quality",
        choices=("fast", "good", "best"),
        help="how much training the models get (default: good)",
    )
    table.add_argument(
        "--seeds",
        type=positive,
        metavar="N",
        help="number of runs of each variant, each with another division of the rows (default: 5)",
    )
    add_format_options(parser)


def run(args: argparse.Namespace) -> None:
    """Run the study and print where its results are."""
    study: Path | dict[str, Any] = args.study
    data, out = args.data, args.out
    if args.label is not None:
        if data is not None:
            raise ValueError("--data is the folder of MNIST, and --label is for a table")
        if out is None:
            out = folder_beside(args.study)
        from fastmlp.experiments.table_rows import all_but  # needs the extra tabular

        used = all_but(args.drop or ())
        table = open_table(args.study, format_options(args), used, label=args.label)
        study, data = study_of_table(args, table.name), table.frame
    else:
        refuse_table_options(args)
        if out is None:
            out = args.study.with_suffix("")
    try:
        results = fastmlp.ablation.run(study, out, n_jobs=args.jobs, data=data, verbose=True)
    except ValueError as error:
        if args.label is None and "not TOML" in str(error):
            raise ValueError(f"{error}; for a table give --label COLUMN") from None
        raise
    print(f"{results.n_runs} runs in {results.elapsed:.1f} s: {out / 'table.md'}")
    if results.picture is not None:
        print(f"picture: {results.picture}")
    else:
        print("no picture: matplotlib is not installed; pip install 'fastmlp[plot]'")


def study_of_table(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """Return the study that the options describe, of the table with this name."""
    given = {key: getattr(args, key) for key in STUDY if getattr(args, key) is not None}
    return {
        "study": {
            "title": f"Parts of the model of {args.label} in {Path(name).name}",
            "data": name,
            **given,
        },
        "base": {} if args.quality is None else {"quality": args.quality},
    }


def folder_beside(table: Path) -> Path:
    """Return the default folder for the results of a table's study."""
    if str(table) == "-":
        raise ValueError("a table from the standard input needs a folder for the results, --out")
    return table.with_name(f"{table.name.split('.')[0] or table.name}-ablation")


def refuse_table_options(args: argparse.Namespace) -> None:
    """Raise ValueError if an option of tables is given without --label."""
    options = {**format_options(args), **{key: getattr(args, key) for key in STUDY},
               "quality": args.quality}  # fmt: skip
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"--{name} is for a table: give --label COLUMN; a study in a file "
                             f"sets the like itself")
