"""Losses written in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..support import checks
from .base import ELEMENTWISE, Array, Loss

__all__ = ["Custom", "LossFunction"]

LossFunction = Callable[[Array, Array], ArrayLike]  # of h (m, n_out) and y (m, …)


@dataclass(frozen=True, eq=False, repr=False)
class Custom(Loss):
    """A loss written in Python, as two functions: ``MLP(loss=(value, gradient))``.

    The output activation may be any but softmax; identity is the default.

    Parameters
    ----------
    value : callable
        ``value(h, y)`` returns the cost of each example, (m,).
    gradient : callable
        ``gradient(h, y)`` returns ∂cost/∂h, (m, n_out).  If the cost of an example depends on
        other examples of the batch too, it returns the derivative of the sum of all costs.

    Notes
    -----
    Training calls both functions once for each batch, in the thread that called fit, with new
    arrays: the output activations h (m, n_out) of the batch, and its targets y (m, …) in the shape
    and dtype in which they were passed to fit; NaN may stand for missing targets.  `MLP.cost` and
    validation call `value` with all examples at once, `MLP.gradients` calls both functions.

    While training calls a function, other Python threads that read the same network (predictions,
    costs, parameters) wait until the functions have returned: a function must not wait for such a
    thread.  In its own thread it may predict by the network, but not change it.

    If a function raises an exception, or returns an array with another shape, with another type or
    with numbers that are not finite, training ends with the parameters as they were before that
    batch; the running statistics of batch norm include the batch.
    """

    name = "custom"
    classification = False
    output_activations = ELEMENTWISE
    value: LossFunction
    gradient: LossFunction

    def __post_init__(self) -> None:
        super().__post_init__()
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
        """Call `value` and check the result.

        Parameters
        ----------
        h, y : ndarray
            Output activations (m, n_out) and targets (m, …).

        Returns
        -------
        ndarray, (m,)
            The cost of each example.
        """
        return _checked_result("value", self.value(h, y), h.shape[:1], np.dtype(np.float64))

    def slopes(self, h: Array, y: Array) -> Array:
        """Call `gradient` and check the result.

        Parameters
        ----------
        h, y : ndarray
            Output activations (m, n_out) and targets (m, …).

        Returns
        -------
        ndarray, (m, n_out)
            ∂cost/∂h of each example, in h's dtype.
        """
        return _checked_result("gradient", self.gradient(h, y), h.shape, h.dtype)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return self.slopes(h, y) * slope


def _checked_result(
    function: str, found: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """Return the result of `value` or `gradient` as the engine reads it."""
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
