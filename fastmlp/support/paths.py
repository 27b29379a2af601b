"""Paths that users pass."""

from __future__ import annotations

import os

from .text import shown

__all__ = ["as_text"]


def as_text(path: str | os.PathLike[str], name: str = "path") -> str:
    """Return a path as text.

    A number is refused: the system's functions take it for a file of the process that is open.

    Raises
    ------
    TypeError
        If it is not a path; `name` is that of the argument.
    ValueError
        If it is empty or has a NUL character.

    Examples
    --------
    >>> as_text(b"net.npz")
    'net.npz'
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise TypeError(
            f"{name} must be text or an object such as Path, got {shown(path)}"
        ) from None
    if not text or "\0" in text:
        raise ValueError(f"{name} must be the name of a file or folder, got {path!r}")
    return text
