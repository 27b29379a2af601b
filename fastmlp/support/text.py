"""Text from outside, made safe to show."""

from __future__ import annotations

__all__ = ["printable"]


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
