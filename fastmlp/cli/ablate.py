"""Run an ablation study: change parts of a network and compare accuracies.

The study is a TOML file with three tables. [base] is a configuration: hidden (the widths of the
hidden layers), activation, init, batch_norm, dropout, input_dropout, noise, dtype, uint8_scale,
optimizer, schedule, epochs, batch_size, l2, label_smoothing, max_norm, clip_norm, ema,
dropout_schedule, augment.
[factors] has for each factor what to try in place of the base: a list of values, or a table of
named variants, each a table of keys to set. [study] may set title, data ("mnist" or "digits"),
validation_images (the number of training images, the first, to set aside as a validation set),
seeds (a number or a list) and factorial (true: all combinations; otherwise one factor at a time).

    [base]
    hidden = [256, 256]
    [factors]
    dropout = [0.2, 0.5]
    optimizer = ["rmsprop", { name = "gradient_descent", learning_rate = 0.1 }]
    [factors.depth]
    "one layer" = { hidden = [256] }

Each finished run is recorded in the folder's runs.jsonl. After an interruption, even if the process
was killed, the same command continues the study; after a change to the study only what is new is
run. At the end the folder has runs.csv, table.md (accuracies, and differences from the base with
confidence intervals) and, if matplotlib is installed, accuracy.png.
"""

import argparse
from pathlib import Path

import fastmlp

from .options import add_data_option, add_jobs_option

EXAMPLES = """\
  fastmlp ablate study.toml
  fastmlp ablate docs/studies/report.toml --data benchmarks/mnist --jobs 2
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add = parser.add_argument
    add("study", type=Path, metavar="STUDY", help="TOML file")
    add(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for the results (default: beside STUDY, named like it without .toml)",
    )
    add_jobs_option(parser, "runs", default=None)
    add_data_option(parser)


def run(args: argparse.Namespace) -> None:
    """Run the study and print where its results are."""
    out = args.out if args.out is not None else args.study.with_suffix("")
    results = fastmlp.ablation.run(args.study, out, n_jobs=args.jobs, data=args.data, verbose=True)
    print(f"{results.n_runs} runs in {results.elapsed:.1f} s: {out / 'table.md'}")
    if results.picture is not None:
        print(f"picture: {results.picture}")
    else:
        print("no picture: matplotlib is not installed; pip install 'fastmlp[plot]'")
