"""One history of a training that took several calls of fit."""

from __future__ import annotations

from dataclasses import fields

from ..history import History

__all__ = ["joined"]


def joined(first: History, second: History) -> History:
    """Return the history of two calls of fit, one after the other.

    Parameters
    ----------
    first, second : History
        Their histories, which are not changed.

    Returns
    -------
    History
        The figures of all epochs in order; what is no list (the reason for which training ended,
        the unfinished batches) is that of the second.
    """
    values = {field.name: getattr(second, field.name) for field in fields(History)}
    return History(
        **{
            name: getattr(first, name) + value if isinstance(value, list) else value
            for name, value in values.items()
        }
    )
