"""The columns of Parquet files: which there are, whether they are of numbers, and their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..support.extras import imported
from ..support.text import some_of

__all__ = [
    "Column", "check_names", "check_scalars", "check_types", "column_of", "files_of", "reading",
    "values_of",
]  # fmt: skip

MOST_SHOWN = 8  # names in a message

Array = NDArray[Any]


@dataclass(frozen=True)
class Column:
    """A column of numbers, or of vectors of `width` numbers."""

    name: str
    dtype: np.dtype[Any]
    width: int


def files_of(path: Path) -> list[Path]:
    """Return the Parquet files of a folder, sorted, or the file itself."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: there is no such folder or file")
    found = sorted(
        file
        for file in path.rglob("*.parquet")
        if file.is_file()
        and not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
    )
    if not found:
        raise ValueError(f"{path} has no file *.parquet")
    return found


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Name the file in the errors of its reading."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{file}: {error}") from None
    except ValueError as error:  # pyarrow's are ValueErrors too
        raise ValueError(f"{file}: {error}") from None


def check_names(chosen: Sequence[str], others: set[str], types: dict[str, Any]) -> None:
    """Refuse columns that the first file does not have, or that are given twice."""
    for name in [*chosen, *others]:
        if name not in types:
            from difflib import get_close_matches  # here, because only a mistake needs it

            close = get_close_matches(str(name), types, n=1)
            guess = f"; did you mean {close[0]!r}?" if close else "."
            names = some_of(list(types)[:MOST_SHOWN], len(types))
            raise ValueError(f"there is no column {name!r}{guess} The columns: {names}")
    for name in chosen:
        if name in others:
            raise ValueError(f"column {name!r} is in columns and is also a label or weight")
        if list(chosen).count(name) > 1:
            raise ValueError(f"column {name!r} is given more than once in columns")
    if not chosen:
        raise ValueError("no column is left for X")


def check_types(first: dict[str, Any], types: dict[str, Any], file: Path) -> None:
    """Refuse a file whose columns are missing or of other types than those of the first file."""
    missing = [name for name in first if name not in types]
    if missing:
        raise ValueError(
            f"column {missing[0]!r} is missing, which {file} has; all files must have the same "
            f"columns"
        )
    for name, kind in first.items():
        if types[name] != kind:
            raise ValueError(
                f"column {name!r} is of the type {types[name]}, in {file} of {kind}; write all "
                f"files with the same types"
            )


def column_of(name: str, kind: Any) -> Column:
    """Return a column of numbers or of vectors of them."""
    types = imported("pyarrow.types", "parquet")
    width, numbers = 1, kind
    if types.is_fixed_size_list(kind):
        width, numbers = kind.list_size, kind.value_type
    if types.is_boolean(numbers):
        return Column(name, np.dtype(np.uint8), width)
    if not (types.is_integer(numbers) or types.is_floating(numbers)):
        remedy = (
            "write it as a list of a fixed size"
            if types.is_list(kind)
            else "encode it as numbers, or name the columns of X by columns=[…]; the estimators of "
            "fastmlp.tabular read text and dates"
        )
        raise ValueError(f"column {name!r} is of the type {kind}, not of numbers; {remedy}")
    return Column(name, np.dtype(numbers.to_pandas_dtype()), width)


def check_scalars(columns: Sequence[Column]) -> None:
    """Refuse vectors where a number is expected."""
    for one in columns:
        if one.width > 1:
            raise ValueError(f"column {one.name!r} has vectors; labels and weights are numbers")


def values_of(batch: Any, column: Column, first: int) -> Array:
    """Return a column of some rows, the first of which has this number in the file, (n, width)."""
    values, each = batch.column(column.name), 1
    if column.width > 1 and not values.null_count:
        values, each = values.flatten(), column.width
    if values.null_count:
        position = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
        raise ValueError(_not_a_number(column, first + position // each, "empty"))
    found: Array = values.to_numpy(zero_copy_only=False).reshape(-1, column.width)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        row = int(np.argmin(np.isfinite(found).all(axis=1)))
        bad = found[row][~np.isfinite(found[row])][0]
        raise ValueError(_not_a_number(column, first + row, str(bad)))
    return found


def _not_a_number(column: Column, row: int, what: str) -> str:
    return (
        f"column {column.name!r} is {what} in row {row:,}; replace such entries, or leave their "
        f"rows out"
    )
