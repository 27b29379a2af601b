"""The tables of the commands: their options, and how they are read."""

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from fastmlp.experiments.tables import Table

TABLE_HELP = ".csv and other text with a header line, compressed or not, .parquet or .npz; -: stdin"
Used = Collection[str] | Callable[[Sequence[str]], Collection[str]] | None
Levels = Mapping[str, Collection[str] | None] | None
FORMAT = ("separator", "encoding", "decimal", "thousands")  # the options of text files


def add_format_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a table in text is written."""
    group = parser.add_argument_group("format of TABLE, where it is not recognized")
    add = group.add_argument
    add("--separator", metavar="C", help="the character between cells, 'tab' or 'whitespace'")
    add("--encoding", metavar="NAME", help="encoding of the text, such as cp1252")
    add("--decimal", choices=(".", ","), help="the decimal separator")
    add("--thousands", metavar="C", help="the character between groups of three digits")


def format_options(args: argparse.Namespace) -> dict[str, str | None]:
    """Return the arguments of `read_table` that the options of `add_format_options` give."""
    return {name: getattr(args, name) for name in FORMAT}


def open_table(
    path: Path,
    options: Mapping[str, str | None] | None = None,
    used: Used = None,
    levels: Levels = None,
    label: str | None = None,
    likely_decimal: str | None = None,
) -> Table:
    """Read a table; `options` are those of `read_table`.

    Warnings are those about the columns `used`, by default all, or about those that a function
    chooses from the names of all columns.  Cells that are `levels` of their columns, or all cells
    of a column whose levels are None, are text.  Names of missing values in the column `label` are
    reported.  Numbers that allow a decimal comma or a point have the `likely_decimal`.
    """
    from fastmlp.tabular.reading import read_columns
    from fastmlp.tabular.reading.files import display_name

    frame = read_columns(
        path, **(options or {}), used=used, levels=levels, label=label,
        likely_decimal=likely_decimal,
    )  # fmt: skip
    return Table(display_name(path), frame)
