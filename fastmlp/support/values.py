"""The base of optimizers, schedules, losses, activations and initializers: comparison by value."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

import numpy as np

from .keywords import WithKeywords

__all__ = ["Value"]


class Value(WithKeywords):
    """An immutable object that equals another object of its class with equal attributes.

    The comparison sees every attribute, also those of a subclass that is not a dataclass.
    """

    _intervals: ClassVar[Mapping[str, str]] = {}  # of attributes: see `checks.constants`

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        own, others = vars(self), vars(other)
        return own.keys() == others.keys() and all(_equal(own[name], others[name]) for name in own)

    def __hash__(self) -> int:
        values = tuple(one for one in vars(self).values() if isinstance(one, Hashable))
        try:
            return hash((type(self), values))
        except TypeError:  # a tuple with something that has no hash
            return hash(type(self))

    def __repr__(self) -> str:
        attributes = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({attributes})"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)
