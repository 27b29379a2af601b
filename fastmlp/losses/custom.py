"""A loss written in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..support import checks
from .base import ELEMENTWISE, Array, Loss

__all__ = ["Custom", "Written"]

Written = Callable[[Array, Array], ArrayLike]  # of h (m, n_out) and y (m, …)


@dataclass(frozen=True)
class Custom(Loss):
    """A loss written in Python, which ``MLP(loss=(value, gradient))`` makes.

    Both functions are called once for each batch of training, with the GIL, in fit's own thread,
    with fresh arrays: h (m, n_out), the batch's output activations, and y (m, …), its targets as
    they were given, whatever their shape and type of number; NaN may stand for what is missing.
    `MLP.cost` and validation call `value` with all their examples at once, `MLP.gradients` both.

    What one of them raises, and what its results lack in shape, type or finiteness, ends training
    with the parameters as they were before that batch (batch norm's running statistics have seen
    it).  Any output activation but softmax, identity unless another is chosen.

    Parameters
    ----------
    value : callable
        ``value(h, y)`` returns the cost of each example, (m,).
    gradient : callable
        ``gradient(h, y)`` returns ∂cost/∂h, (m, n_out).  A cost may depend on other examples of
        the batch too; this is then the derivative of the sum of all.
    """

    name = "custom"
    classification = False
    outputs = ELEMENTWISE
    value: Written
    gradient: Written

    def __post_init__(self) -> None:
        for what in ("value", "gradient"):
            if not callable(getattr(self, what)):
                raise TypeError(
                    f"loss=(value, gradient) takes two functions; {what} is "
                    f"{getattr(self, what)!r}"
                )

    def __repr__(self) -> str:
        names = [getattr(f, "__qualname__", repr(f)) for f in (self.value, self.gradient)]
        return f"({', '.join(names)})"

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = checks.array("y", y)
        checks.length("y", y, n_rows)
        return np.ascontiguousarray(y)

    def costs(self, h: Array, y: Array) -> NDArray[np.float64]:
        """Return what `value` returns, checked.

        Parameters
        ----------
        h, y : ndarray
            Output activations (m, n_out), and targets (m, …).

        Returns
        -------
        ndarray, (m,)
            The cost of each example.
        """
        return _answer("value", self.value(h, y), h.shape[:1], np.dtype(np.float64))

    def slopes(self, h: Array, y: Array) -> Array:
        """Return what `gradient` returns, checked.

        Parameters
        ----------
        h, y : ndarray
            Output activations (m, n_out), and targets (m, …).

        Returns
        -------
        ndarray, (m, n_out)
            ∂cost/∂h of each example, in h's dtype.
        """
        return _answer("gradient", self.gradient(h, y), h.shape, h.dtype)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return self.slopes(h, y) * slope


def _answer(function: str, found: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """What a function of a loss written in Python returned, as the engine reads it."""
    name = f"the loss's {function}(h, y)"
    result = checks.array(name, found)
    if result.shape != shape:
        raise ValueError(f"{name} returned shape {result.shape}; expected {shape}")
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(result, dtype)
    finite = np.isfinite(result)
    if not finite.all():
        index = np.argwhere(~finite)[0]
        raise ValueError(
            f"{name} must be finite, but at [{', '.join(map(str, index))}] it is "
            f"{result[tuple(index)]}"
        )
    return result
