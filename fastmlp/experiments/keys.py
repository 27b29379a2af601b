"""The checks of the values that a key of an experiment's file may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..support import checks
from ..support.checks.scalars import MAX_WHOLE

__all__ = ["Key", "number", "whole", "widths"]

Check = Callable[[str, object], Any]  # (name, value) → the value, checked


@dataclass(frozen=True)
class Key:
    """A key: the check of one value, and "real" or "whole" if it may be a range of numbers."""

    check: Check
    numbers: str = ""


def number(interval: str) -> Check:
    """Return the check of a number in an interval."""
    return lambda name, value: checks.number(name, value, interval)


def whole(least: int, most: float = MAX_WHOLE) -> Check:
    """Return the check of a whole number."""
    return lambda name, value: checks.whole(name, value, least, most)


def widths(name: str, value: object) -> tuple[int, ...]:
    """Check the widths of hidden layers."""
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} must be the widths of hidden layers, (256, 256); got {value!r}")
    return tuple(checks.whole(f"{name}[{i}]", width) for i, width in enumerate(value))
