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
        The figures of all epochs in order; the reason for which training ended and the unfinished
        batches are those of the second.
    """
    values = {field.name: getattr(second, field.name) for field in fields(History)}
    joined_lists = {
        name: getattr(first, name) + value
        for name, value in values.items()
        if isinstance(value, list)
    }
    metrics = {
        name: first.metrics.get(name, []) + second.metrics.get(name, [])
        for name in {**first.metrics, **second.metrics}
    }
    return History(**{**values, **joined_lists, "metrics": metrics})
