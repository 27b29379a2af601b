"""Text from outside, made safe to show."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

__all__ = ["printable", "quoted", "shown", "some_of"]

MOST_CHARACTERS = 80  # of a value in a message
MOST_NUMBERS = 8  # of an array whose numbers a message shows


def printable(text: object) -> str:
    """Return text with its control characters as escapes, so that it cannot control a terminal.

    Examples
    --------
    >>> printable("a\\x1b[2J")
    'a\\\\x1b[2J'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )


def quoted(value: object) -> str:
    """Return the repr of a value of a user's array as that of Python's own type, cut if it is long.

    Examples
    --------
    >>> quoted(np.array(["yes"])[0]), quoted(np.float64("inf")), quoted(np.datetime64("2020"))
    ("'yes'", 'inf', '2020')
    """
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return str(value)
    try:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    except ValueError:  # of an integer with more digits than Python writes
        return f"{type(value).__name__} of thousands of digits"
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def some_of(entries: Iterable[str], n: int, separator: str = ", ", more: str = "more") -> str:
    """Return the first of n entries side by side, and how many more there are.

    Examples
    --------
    >>> some_of(["'a'", "'b'"], 5)
    "'a', 'b', and 3 more"
    """
    found = list(entries)
    if n > len(found):
        found.append(f"and {n - len(found):,} {more}")
    return separator.join(found)


def shown(value: object) -> str:
    """Return how a message shows an argument that is not what was expected: short, on one line.

    Examples
    --------
    >>> shown("adam"), shown(np.zeros((300, 64))), shown([0.0] * 1000)[:20]
    ("'adam'", 'ndarray of shape (300, 64)', '[0.0, 0.0, 0.0, 0.0,')
    """
    shape = getattr(value, "shape", ())
    if isinstance(shape, tuple) and math.prod(shape) > MOST_NUMBERS:
        return f"{type(value).__name__} of shape {shape}"
    return " ".join(quoted(value).split())
