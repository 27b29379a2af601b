"""TOML files of experiments, read and checked with errors that name the file, table and key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from ..support import checks

__all__ = ["check_keys", "located", "read", "table"]

Result = TypeVar("Result")

MAX_BYTES = 1 << 20  # of a file


def read(path: str | PathLike[str], parse: Callable[[dict[str, Any]], Result]) -> Result:
    """Return what `parse` makes of the contents of a TOML file.

    Parameters
    ----------
    path : path-like
        The file.
    parse : callable
        Checks the contents.

    Returns
    -------
    object
        The result of `parse`.

    Raises
    ------
    ValueError
        If the file is not TOML, or `parse` raises TypeError or ValueError.  The message begins
        with the file's name.
    OSError
        If the file cannot be read.
    """
    with Path(path).open("rb") as file, located(str(path)):
        text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError(f"longer than {MAX_BYTES:,} bytes, too long for a TOML file")
        try:
            return parse(_contents(text))
        except RecursionError:
            raise ValueError("not TOML that can be read: it is nested too deeply") from None


def _contents(text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode())
    except ValueError as error:  # UnicodeDecodeError included
        raise ValueError(f"not TOML: {error}") from None


@contextmanager
def located(place: str) -> Iterator[None]:
    """Turn a TypeError or ValueError into a ValueError whose message begins with the place."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}") from None


def table(name: str, value: object) -> Mapping[str, Any]:
    """Return a value that has to be a table."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a table, [{name}], got {value!r}")
    return value


def check_keys(
    given: Mapping[str, Any],
    known: Collection[str],
    place: str = "",
    hint: Callable[[str, Collection[str]], str] = checks.nearest,
) -> None:
    """Raise ValueError at the first unknown key of a table.

    Parameters
    ----------
    given : mapping
        The table.
    known : collection of str
        The keys that it may have.
    place : str, default ""
        The table's name, with which the message begins.
    hint : callable, default checks.nearest
        Returns the end of the message for an unknown key and the known keys.
    """
    for key in given:
        if key not in known:
            where = f"{place}: " if place else ""
            raise ValueError(f"{where}unknown key {key!r}{hint(key, known)}")
