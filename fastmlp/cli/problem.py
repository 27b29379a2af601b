"""A problem given by a table: the examples of train and search, and the model that they save.

    options → table → Problem: examples, split and scaled → a network → a model for the table
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import MLP
from fastmlp.data.split import hold_out

from .scaling import Scaling, fold
from .tables import TABLE_HELP, Table, add_format_options, format_options, open_table

Rows = NDArray[np.int64]


def fraction(text: str) -> float:
    """Parse a number from 0 to below 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if 0 <= value < 1:
        return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to below 1")


def add_table_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add TABLE, ``--label``, ``--task``, ``--drop`` and the options of the table's format.

    If a table is not required, they are None where they are not given.
    """
    add = parser.add_argument
    add(
        "table",
        nargs=None if required else "?",
        type=Path,
        metavar="TABLE",
        help=TABLE_HELP,
    )
    add(
        "--label",
        required=required,
        metavar="COLUMN",
        help=f"the column to predict (required{'' if required else ' with TABLE'})",
    )
    add(
        "--task",
        choices=("classification", "regression"),
        default="classification" if required else None,
        help="predict a class (integers or text in the label column) or a number "
        "(default: classification)",
    )
    add(
        "--drop",
        action="append",
        default=[] if required else None,
        metavar="COLUMN",
        help="a column to leave out; give it again for another",
    )
    add_format_options(parser)


@dataclass(frozen=True)
class Problem:
    """The examples of a table, and how they are scaled for training."""

    task: str
    label: str
    columns: list[str]
    row_numbers: Rows  # (m,), of each row in the file: lines of text, otherwise from 0
    X: NDArray[Any]  # (m, n)
    y: NDArray[Any]  # (m,), class numbers, or values where there are no classes
    classes: list[Any] | None  # by class number; None for regression
    training: Rows
    validation: Rows  # empty without validation
    inputs: Scaling
    outputs: Scaling | None  # None for classification

    @classmethod
    def of(cls, args: argparse.Namespace) -> "Problem":
        """Read the table of a command."""
        table = open_table(args.table, **format_options(args))
        columns = input_columns(table, args)
        X, y, classes = read_examples(table, columns, args)
        training, validation = split(len(X), args.validation, args.seed)
        outputs = None if classes else Scaling.of(y[training, np.newaxis])
        if outputs and np.isinf(outputs.deviation).any():
            value = f"{y[training[0]]:g}"
            raise ValueError(f"{table.name}: column {args.label!r} is {value} in all training rows")
        inputs = Scaling.of(X[training])
        return cls(
            args.task,
            args.label,
            columns,
            table.row_numbers,
            X,
            y,
            classes,
            training,
            validation,
            inputs,
            outputs,
        )

    @property
    def loss(self) -> str:
        """The name of the loss."""
        return "cross_entropy" if self.classes else "squared_error"

    def scaled(self, rows: Rows | slice) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return X and y of some rows as a network is trained on them."""
        y = self.y[rows]
        return self.inputs.apply(self.X[rows]), (
            self.outputs.apply(y[:, np.newaxis]) if self.outputs else y
        )

    def model(self, net: MLP) -> MLP:
        """Return the network whose inputs and outputs are the table's columns, not scaled."""
        model = MLP(
            net.sizes,
            activation=net.activation,
            loss=net.loss,
            seed=net.seed,
            dtype="float64",
        )
        model.set_parameters(*fold(*net.folded, self.inputs, self.outputs))
        model.state.epochs = net.epochs
        model.metadata = {"task": self.task, "label": self.label, "columns": self.columns}
        if self.classes:
            model.metadata["classes"] = self.classes
        return model

    def score(self, model: MLP, rows: Rows | slice) -> str:
        """Describe how good a model is on some rows: accuracy, or root mean square error and R²."""
        predicted, y = model.predict(self.X[rows]), self.y[rows]
        if self.classes:
            return f"accuracy {np.mean(predicted == y):.4f}"
        error, variance = np.mean((predicted - y) ** 2), np.var(y)
        explained = f", R2 {1 - error / variance:.4f}" if variance > 0 else ""
        return f"RMSE {np.sqrt(error):.6g}{explained}"


def input_columns(table: Table, args: argparse.Namespace) -> list[str]:
    """Return the names of the inputs: all columns except the label and those to leave out."""
    for name in (args.label, *args.drop):
        table.require(name)
    columns = [name for name in table.names if name != args.label and name not in args.drop]
    if "" in columns:
        raise ValueError(f"{table.name}: a column has no name; name it, or leave it out: --drop ''")
    if not columns:
        raise ValueError(f"{table.name}: there is no column but the label")
    return columns


def read_examples(
    table: Table, columns: list[str], args: argparse.Namespace
) -> tuple[NDArray[Any], NDArray[Any], list[Any] | None]:
    """Return the inputs (m, n), the targets (m,) and the classes by number.

    For regression the targets are values, and the classes None.
    """
    if args.task == "classification":
        X, labels = table.numbers(columns), table.labels(args.label)
        classes, y = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"{table.name}: column {args.label!r} is {classes[0]} in all rows")
        if len(classes) == len(y):
            raise ValueError(
                f"{table.name}: column {args.label!r} has a class of its own in each row; to "
                f"predict numbers give --task regression"
            )
        return X, y.astype(np.int32), classes.tolist()
    both = table.numbers([*columns, args.label])
    return both[:, :-1], both[:, -1].astype(np.float64), None


def split(m: int, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Return the row numbers to train on and those of the validation set, none for a fraction of 0.

    They are chosen by `hold_out` with the random numbers of default_rng(seed).
    """
    if fraction == 0:
        return np.arange(m, dtype=np.int64), np.arange(0, dtype=np.int64)
    return hold_out(m, fraction, np.random.default_rng(seed))
