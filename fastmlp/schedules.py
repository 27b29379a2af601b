"""Learning-rate schedules: the rate α at every step, a step being one update on one batch.

Give one to an optimizer in place of a number: ``Adam(OneCycle(0.01))``.  Steps t are counted from 0
where the optimizer began, on through later calls of fit; an epoch has ⌈examples / batch_size⌉ of
them.  A schedule of your own is a subclass of `Schedule` with `__call__`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .support import checks

__all__ = ["TABLE", "Constant", "Cosine", "Exponential", "OneCycle", "Schedule", "Step"]

Steps = NDArray[np.integer[Any]]
Rates = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """The learning rate as a function of the step.

    Examples
    --------
    >>> class Triangle(fastmlp.schedules.Schedule):
    ...     name = "triangle"
    ...
    ...     def __call__(self, steps):
    ...         return 0.01 * (1 - np.abs(steps % 200 - 100) / 100)
    >>> history = net.fit(X, y, epochs=2, optimizer=fastmlp.Adam(Triangle()))
    """

    name: ClassVar[str]

    def __call__(self, steps: Steps) -> Rates:
        """Return the rate at each of these steps, an array of their shape."""
        raise NotImplementedError

    def spanning(self, first: int, count: int | None) -> Callable[[Steps], Rates]:
        """Return the rates for a call of fit.

        Parameters
        ----------
        first : int
            The step that it begins with.
        count : int or None
            The number of steps that it makes; None: nobody knows.

        Returns
        -------
        callable
            From an array of steps to the rates at each, as the schedule itself.
        """
        return self


@dataclass(frozen=True)
class Constant(Schedule):
    """α = rate.

    Parameters
    ----------
    rate : float
        The rate, ≥ 0.
    """

    name = "constant"
    rate: float

    def __post_init__(self) -> None:
        checks.number("rate", self.rate, "[0, inf)")

    def __call__(self, steps: Steps) -> Rates:
        return np.full(np.shape(steps), self.rate, np.float64)


@dataclass(frozen=True)
class Step(Schedule):
    """α = rate · factor^⌊t / every⌋.

    Parameters
    ----------
    rate : float
        The rate at first, ≥ 0.
    every : int
        Steps from one change to the next.
    factor : float, default 0.1
        What each change multiplies the rate by, > 0.

    Examples
    --------
    >>> fastmlp.schedules.Step(0.1, every=100, factor=0.5)(np.array([0, 99, 100, 200]))
    array([0.1  , 0.1  , 0.05 , 0.025])
    """

    name = "step"
    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        checks.number("rate", self.rate, "[0, inf)")
        checks.whole("every", self.every)
        checks.number("factor", self.factor, "(0, inf)")

    def __call__(self, steps: Steps) -> Rates:
        return np.asarray(self.rate * np.float64(self.factor) ** (np.asarray(steps) // self.every))


@dataclass(frozen=True)
class Exponential(Schedule):
    """α = rate · factor^(t / every).

    Parameters
    ----------
    rate : float
        The rate at first, ≥ 0.
    every : int
        Steps in which the rate changes by `factor`.
    factor : float, default 0.1
        What it is multiplied by in that many steps, > 0.

    Examples
    --------
    >>> fastmlp.schedules.Exponential(0.1, every=100, factor=0.25)(np.array([0, 50, 100]))
    array([0.1  , 0.05 , 0.025])
    """

    name = "exponential"
    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        checks.number("rate", self.rate, "[0, inf)")
        checks.whole("every", self.every)
        checks.number("factor", self.factor, "(0, inf)")

    def __call__(self, steps: Steps) -> Rates:
        return np.asarray(self.rate * np.float64(self.factor) ** (np.asarray(steps) / self.every))


@dataclass(frozen=True)
class _Curve(Schedule):
    """A schedule over T steps, which holds its last rate after them."""

    total_steps: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.total_steps is not None:
            checks.whole("total_steps", self.total_steps)

    def spanning(self, first: int, count: int | None) -> Callable[[Steps], Rates]:
        if self.total_steps is not None:
            return self
        if count is None:
            raise ValueError(
                f"{self} needs total_steps where examples come in chunks, whose number is not "
                f"known: epochs × ⌈examples / batch_size⌉"
            )
        curve = replace(self, total_steps=count)
        return lambda steps: curve(steps - first)

    def progress(self, steps: Steps) -> Rates:
        """t / T, at most 1."""
        if self.total_steps is None:
            raise ValueError(f"{self} needs total_steps; only fit can fill it in")
        return np.minimum(np.asarray(steps) / self.total_steps, 1.0)


@dataclass(frozen=True)
class Cosine(_Curve):
    """α = final + (rate − final) (1 + cos πt/T) / 2; Loshchilov and Hutter 2017.

    Parameters
    ----------
    rate : float
        The rate at first, ≥ 0.
    final : float, default 0.0
        The rate from step T on, ≥ 0.
    total_steps : int, optional
        T.  Default: the steps of a call of fit, each call beginning the curve anew; not for a fit
        on chunks, which does not know them.

    Examples
    --------
    >>> fastmlp.schedules.Cosine(0.1, total_steps=100)(np.array([0, 50, 100, 200]))
    array([0.1 , 0.05, 0.  , 0.  ])
    """

    name = "cosine"
    rate: float
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("rate", self.rate, "[0, inf)")
        checks.number("final", self.final, "[0, inf)")

    def __call__(self, steps: Steps) -> Rates:
        return _half_cosine(self.rate, self.final, self.progress(steps))


@dataclass(frozen=True)
class OneCycle(_Curve):
    """Up to `rate` while warming up, then down to almost nothing, each along half a cosine.

    Smith and Topin 2018.

    Parameters
    ----------
    rate : float
        The highest rate, ≥ 0.
    warm_up : float, default 0.3
        The part of T before it, in (0, 1).
    start_factor : float, default 0.04
        The rate at first, as a multiple of `rate`.
    final_factor : float, default 4e-6
        The rate from step T on, as a multiple of `rate`.
    total_steps : int, optional
        T.  Default: the steps of a call of fit, each call beginning the cycle anew; not for a fit
        on chunks, which does not know them.

    Examples
    --------
    >>> fastmlp.schedules.OneCycle(0.1, total_steps=100)(np.array([0, 15, 30]))
    array([0.004, 0.052, 0.1  ])
    """

    name = "one_cycle"
    rate: float
    warm_up: float = 0.3
    start_factor: float = 0.04
    final_factor: float = 4e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("rate", self.rate, "[0, inf)")
        checks.number("warm_up", self.warm_up, "(0, 1)")
        checks.number("start_factor", self.start_factor, "[0, inf)")
        checks.number("final_factor", self.final_factor, "[0, inf)")

    def __call__(self, steps: Steps) -> Rates:
        done = self.progress(steps)
        up = np.minimum(done / self.warm_up, 1.0)
        down = np.maximum((done - self.warm_up) / (1 - self.warm_up), 0.0)
        return np.where(
            done < self.warm_up,
            _half_cosine(self.rate * self.start_factor, self.rate, up),
            _half_cosine(self.rate, self.rate * self.final_factor, down),
        )


def _half_cosine(first: float, last: float, done: Rates) -> Rates:
    """From first at done = 0 to last at done = 1, level at both ends."""
    return np.asarray(last + (first - last) * (1 + np.cos(np.pi * done)) / 2)


TABLE: dict[str, type[Schedule]] = {
    kind.name: kind for kind in (Constant, Step, Exponential, Cosine, OneCycle)
}
