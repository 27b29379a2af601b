"""Write the predictions of a model for each row of a table.

The table needs the columns that the model was trained on, by their names and in any order; other
columns are ignored. A category that the model does not know counts as missing, and the number of
such rows is printed. A network without names of columns (saved from Python) takes all of them in
their order. A model may be one in 8-bit integers, as export --quantized writes it. The output is
CSV: a header line, then one line for each row of the table.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fastmlp import MLP, Ensemble
from fastmlp.export import Quantized
from fastmlp.support.atomic_files import whole_text
from fastmlp.support.labels import class_labels, group_labels
from fastmlp.support.text import printable

from .models import load_predictor
from .options import check_outputs, share, writable_or_standard
from .tables import TABLE_HELP, add_format_options, format_options, open_table

Network = MLP | Ensemble | Quantized

EXAMPLES = """\
  fastmlp predict iris-model.npz new.csv
  fastmlp predict iris-model.npz new.csv --proba --output predicted.csv
  fastmlp predict houses-model.npz new.csv --id street --interval 0.9
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="a file that train, report, net.save or export --quantized wrote",
    )
    parser.add_argument("table", type=Path, metavar="TABLE", help=TABLE_HELP)
    parser.add_argument("--proba", action="store_true", help="add each class's probability")
    parser.add_argument(
        "--interval",
        type=share,
        metavar="X",
        help="add the ends of an interval that holds the value with this probability, such as 0.9 "
        "(regressions by fastmlp train)",
    )
    parser.add_argument(
        "--id",
        action="append",
        metavar="COLUMN,...",
        help="write these columns of TABLE before the predictions; may be given again",
    )
    parser.add_argument(
        "--output",
        type=writable_or_standard,
        metavar="FILE",
        help="write to FILE instead of the standard output, which is also written -",
    )
    add_format_options(parser)


def run(args: argparse.Namespace) -> None:
    """Write the predictions."""
    check_outputs({"--output": args.output}, {"MODEL": args.model, "TABLE": args.table})
    model = load_predictor(args.model)
    if isinstance(model, (MLP, Ensemble, Quantized)):
        output = network_predictions(model, args)
    else:
        from .predict_table import table_predictions  # needs the extra tabular

        output = table_predictions(model, args)
    if args.output is None:
        write(printable_cells(output) if sys.stdout.isatty() else output, sys.stdout)
        return
    with whole_text(args.output) as file:
        write(output, file)


def network_predictions(net: Network, args: argparse.Namespace) -> dict[str, NDArray[Any]]:
    """Return the columns of the output of a network."""
    for option in ("interval", "id"):
        if getattr(args, option) is not None:
            raise ValueError(f"--{option} is for models of tables; {args.model} holds a network")
    check_label(net, args.model)
    X = inputs(net, args.model, args.table, format_options(args))
    output = predictions(net, X)
    if args.proba:
        output |= probabilities(net, X)
    return output


def inputs(
    net: Network, model: Path, path: Path, options: dict[str, str | None]
) -> NDArray[Any]:
    """Return the inputs of the network of the file `model` from the table at `path`."""
    columns = column_names(net, model)
    table = open_table(path, options)
    columns = table.names if columns is None else columns
    if len(columns) != net.n_in:
        raise ValueError(f"{table.name} has {len(columns)} columns, but {model} takes {net.n_in}")
    return table.numbers(columns)


def column_names(net: Network, model: Path) -> Sequence[str] | None:
    """Return the names of a model's columns, or None if the file `model` has none."""
    columns = net.metadata.get("columns")
    if columns is None:
        return None
    if not isinstance(columns, (list, tuple)) or not all(isinstance(one, str) for one in columns):
        raise ValueError(f"{model}: 'columns' of its metadata must be a list of names")
    return columns


def check_label(net: Network, model: Path) -> None:
    """Raise ValueError if the model of the file `model` has no proper name of what it predicts."""
    if not isinstance(net.metadata.get("label", "prediction"), str):
        raise ValueError(f"{model}: 'label' of its metadata must be a name")


def predictions(net: Network, X: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the predicted labels or values of each row, as named columns."""
    label = net.metadata.get("label", "prediction")
    predicted = net.predict(X)
    if net.loss.groups:
        columns = zip(group_classes(net, net.loss.groups), predicted.T, strict=True)
        return {f"{label}[{j}]": names[k] for j, (names, k) in enumerate(columns)}
    if net.loss.single_label(net.n_out):
        names = class_labels(net.metadata.get("classes"), max(net.n_out, 2))
        predicted = predicted if names is None else names[predicted]
    if predicted.ndim == 1:
        return {label: predicted}
    return {f"{label}[{j}]": column for j, column in enumerate(predicted.T)}


def probabilities(net: Network, X: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the probability of each class for each row, as named columns."""
    p = net.predict_proba(X)
    if net.loss.groups:
        label = net.metadata.get("label", "prediction")
        groups = enumerate(group_classes(net, net.loss.groups))
        classes = [f"{label}[{j}]={name}" for j, names in groups for name in names]
    elif net.loss.single_label(net.n_out):
        if net.n_out == 1:
            p = np.hstack([1 - p, p])
        names = class_labels(net.metadata.get("classes"), p.shape[1])
        classes = [str(name) for name in (range(p.shape[1]) if names is None else names)]
    else:
        classes = [str(j) for j in range(net.n_out)]
    columns: dict[str, NDArray[Any]] = {}
    for name, column in zip(classes, p.T, strict=True):
        key = f"P({name})"  # twice the same where only one class is known
        columns[key] = columns[key] + column if key in columns else column
    return columns


def group_classes(net: Network, groups: Sequence[int]) -> list[NDArray[Any]]:
    """Return the names of the classes of each group if the model has them, otherwise numbers."""
    names = group_labels(net.metadata.get("classes"), groups)
    return [
        np.arange(size) if one is None else one for one, size in zip(names, groups, strict=True)
    ]


def write(columns: dict[str, NDArray[Any]], file: TextIO) -> None:
    """Write named columns as CSV, numbers with as many digits as their dtype holds."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    cells = (
        map(shortest, column) if column.dtype.kind == "f" else column
        for column in columns.values()
    )
    writer.writerows(zip(*cells, strict=True))


def printable_cells(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the columns with the control characters of names and labels as escapes."""
    return {
        printable(name): column
        if column.dtype.kind in "biuf"
        else np.array([printable(cell) for cell in column], object)
        for name, column in columns.items()
    }


def shortest(value: np.floating[Any]) -> str:
    """Return the fewest digits that are read back as the same number."""
    positional = value == 0 or 1e-4 <= abs(value) < 1e16
    write = np.format_float_positional if positional else np.format_float_scientific
    return write(value, trim="-")
