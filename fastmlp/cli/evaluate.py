"""Score a model on a table with known labels, beside its scores and baselines in training.

The model is one that fastmlp train TABLE saved. Rows without a label are left out.
"""

import argparse
from pathlib import Path

from .models import load_table_model
from .tables import TABLE_HELP, add_format_options

EXAMPLES = """\
  fastmlp evaluate iris-model.npz more.csv
  fastmlp evaluate houses-model.npz sold.csv --label price_paid
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_model_and_table(parser)
    add_format_options(parser)


def add_model_and_table(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, TABLE and ``--label``."""
    add = parser.add_argument
    add("model", type=Path, metavar="MODEL", help="a file that fastmlp train TABLE wrote")
    add("table", type=Path, metavar="TABLE", help=TABLE_HELP)
    add(
        "--label",
        metavar="COLUMN",
        help="the column that holds what the model predicts (default: as in training)",
    )


def run(args: argparse.Namespace) -> None:
    """Print the scores."""
    model = load_table_model(args.model, "evaluate")
    from .evaluate_table import evaluate  # needs the extra tabular

    evaluate(model, args)
