"""Parameters of the estimators in JSON's types: as a file keeps them, and as they are shown.

A file keeps types that JSON lacks as a dictionary of one entry: {"tuple": […]}, {"dict": [[key,
value], …]}, whose keys may be numbers, and {"activation": {…}}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import activations
from ..model.headers import entry_of, part_of

__all__ = ["kept", "restored", "shown"]

SIMPLE = (bool, int, float, str, type(None))


def kept(name: str, value: Any) -> Any:
    """Return a parameter in JSON's types, from which `restored` makes an equal one.

    Raises
    ------
    ValueError
        If the parameter is an object that a file without pickle cannot keep, such as a function.
    """
    if isinstance(value, np.generic) and isinstance(value.item(), SIMPLE):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, SIMPLE):
        return value
    if isinstance(value, (list, tuple)):
        entries = [kept(name, one) for one in value]
        return {"tuple": entries} if isinstance(value, tuple) else entries
    if isinstance(value, Mapping):
        return {"dict": [[kept(name, key), kept(name, one)] for key, one in value.items()]}
    if isinstance(value, activations.Activation):
        return {"activation": entry_of(value)}
    raise ValueError(
        f"{name} is {value!r}, which a file without pickle cannot keep; before save, set it to a "
        f"name or a number, or to None for the default, by model.set_params({name}=None), which "
        f"does not change the predictions"
    )


def restored(value: Any) -> Any:
    """Return the parameter that `kept` described."""
    if isinstance(value, list):
        return [restored(one) for one in value]
    match value:
        case {"tuple": [*entries]}:
            return tuple(restored(one) for one in entries)
        case {"dict": [*entries]}:
            return {restored(key): restored(one) for key, one in entries}
        case {"activation": dict(entry)}:
            return part_of(entry, activations.TABLE)
    return value


def shown(value: Any) -> Any:
    """Return a parameter in JSON's types, for people: a function or an object by its text."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [shown(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): shown(one) for key, one in value.items()}
    return value if isinstance(value, SIMPLE) else str(value)
