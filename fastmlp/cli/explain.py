"""Show what a model's predictions depend on: importances of columns, and partial dependence.

The model is one that fastmlp train TABLE saved. The importance of a column is the increase of the
metric when its cells are shuffled (permutation importance); rows that the model was not trained on
give importances for new rows. Partial dependence is the mean prediction as a function of a column,
by default of the three most important.
"""

import argparse

from .evaluate import add_model_and_table
from .models import load_table_model
from .options import add_page_option, check_outputs, positive, seed, writable
from .tables import add_format_options
from .train import add_metric_option

EXAMPLES = """\
  fastmlp explain iris-model.npz iris.csv
  fastmlp explain houses-model.npz sold.csv --columns area,year --html houses.html
  fastmlp explain houses-model.npz sold.csv --importances importances.csv --dependence curves.csv
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_model_and_table(parser)
    add_metric_option(parser, "the metric by which importances are measured", "as in training")
    add = parser.add_argument
    add(
        "--columns",
        action="append",
        metavar="COLUMN,...",
        help="columns whose partial dependence is shown; may be given again",
    )
    add(
        "--repeats",
        type=positive,
        default=5,
        metavar="N",
        help="times that each column is shuffled (default: 5)",
    )
    add("--seed", type=seed, default=0, metavar="N", help="seed of the shuffles (default: 0)")
    add("--importances", type=writable, metavar="FILE", help="write the importances to a CSV file")
    add(
        "--dependence",
        type=writable,
        metavar="FILE",
        help="write partial dependence to a CSV file: column, value, output, prediction",
    )
    add_page_option(parser)
    add_format_options(parser)


def run(args: argparse.Namespace) -> None:
    """Print importances and partial dependence."""
    check_outputs(
        {"--importances": args.importances, "--dependence": args.dependence, "--html": args.html},
        {"MODEL": args.model, "TABLE": args.table},
    )
    model = load_table_model(args.model, "explain")
    from .explain_table import explain  # needs the extra tabular

    explain(model, args)
