"""Text from outside, made safe to show."""

from __future__ import annotations

import numpy as np

__all__ = ["printable", "repr_of"]


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


def repr_of(entry: object) -> str:
    """Return the repr of an array's entry, without the name of NumPy's class.

    Examples
    --------
    >>> import numpy as np
    >>> repr_of(np.array(["a"])[0]), repr_of(np.array([2.5])[0]), repr_of(np.datetime64("2020"))
    ("'a'", '2.5', '2020')
    """
    if isinstance(entry, (np.datetime64, np.timedelta64)):
        return str(entry)
    return repr(entry.item() if isinstance(entry, np.generic) else entry)
