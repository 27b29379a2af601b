"""Checks of single numbers and flags."""

from __future__ import annotations

import math
import operator
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np

from ..text import quoted, shown
from ..values import Value

MAX_WHOLE = 2**63 - 1


def whole(
    name: str, value: object, least: int = 1, most: float = MAX_WHOLE, otherwise: str = ""
) -> int:
    """Return an integer from `least` to `most`, by default one that 64 bits hold.

    `otherwise` as in `number`.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be a whole number{otherwise}, got {shown(value)}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {quoted(number)}")
    if number > most:
        raise ValueError(f"{name} must be at most {most}, got {quoted(number)}")
    return number


def number(
    name: str,
    value: object,
    interval: str = "(-inf, inf)",
    otherwise: str = "",
    *,
    dtype: np.dtype[Any] | None = None,
) -> float:
    """Return a finite float from an interval in the usual notation, such as "[0, 1)".

    With `dtype` the number is also rounded to that dtype, for a network that computes in it: the
    result must lie in the interval too, and must not be 0 where the number is not.  `otherwise`
    ends the message and says what else the argument accepts.
    """
    if type(value) is not float and (not isinstance(value, Real) or isinstance(value, bool)):
        raise TypeError(f"{name} must be a number{otherwise}, got {shown(value)}")
    try:
        x = float(value)
    except OverflowError:
        raise ValueError(
            f"{name} must be in {interval}{otherwise}, got a number beyond the range of float64"
        ) from None
    if not _inside(x, interval):
        raise ValueError(f"{name} must be in {interval}{otherwise}, got {shown(value)}")
    if dtype is not None and x not in (0.0, 1.0):
        rounded = _rounded(x, dtype)
        if not _inside(rounded, interval) or (rounded == 0) != (x == 0):
            raise ValueError(
                f"{name} is {x:.17g}, which is {rounded:g} in a {dtype} network; choose a number "
                f"in {interval} that {dtype} can hold"
            )
    return x


def constants(part: Value, dtype: np.dtype[Any] | None = None) -> None:
    """Check the numbers of an optimizer, a loss or the like; with `dtype` as `number` does."""
    for name, interval in part._intervals.items():
        value = getattr(part, name)
        if isinstance(value, tuple):
            for i, one in enumerate(value):
                number(f"{name}[{i}]", one, interval, dtype=dtype)
        else:
            number(name, value, interval, dtype=dtype)


def flag(name: str, value: object, otherwise: str = "") -> bool:
    """Return True or False; `otherwise` as in `number`."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False{otherwise}, got {shown(value)}")
    return bool(value)


@lru_cache
def _ends(interval: str) -> tuple[float, float]:
    low, high = interval[1:-1].split(",")
    return float(low), float(high)


def _inside(x: float, interval: str) -> bool:
    low, high = _ends(interval)
    return (
        (low <= x if interval[0] == "[" else low < x)
        and (x <= high if interval[-1] == "]" else x < high)
        and math.isfinite(x)
    )


@lru_cache
def _normal_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The least and the greatest normal number of a dtype."""
    limits = np.finfo(dtype)
    return float(limits.smallest_normal), float(limits.max)


def _rounded(x: float, dtype: np.dtype[Any]) -> float:
    """Return a number as the kernels compute with it: subnormal numbers count as 0."""
    least, greatest = _normal_range(dtype)
    if not least <= abs(x) <= greatest:  # one that may become 0 or infinite
        with np.errstate(over="ignore", under="ignore"):
            rounded = float(dtype.type(x))
        return 0.0 if abs(rounded) < least else rounded
    return float(dtype.type(x))
