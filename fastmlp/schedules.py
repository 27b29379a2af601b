"""Schedules: the learning rate α of each step; a step is one update on one batch.

A schedule is passed to an optimizer in place of a number: ``Adam(OneCycle(0.01))``.  Steps t are
counted from 0, from the first step of the optimizer, and later calls of fit continue the count; an
epoch has ⌈examples / batch_size⌉ steps.  A schedule of your own is a subclass of `Schedule` with
the method `__call__`.

Schedules can also give the weight decay of each step, ``AdamW(weight_decay=FlatCosine(0.02))``, and
the factor in [0, 1] by which each step multiplies the dropout probabilities,
``fit(dropout_schedule=FlatCosine(1))``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .support import checks
from .support.values import Value

__all__ = [
    "TABLE", "Constant", "Cosine", "Exponential", "FlatCosine", "LogCosine", "OneCycle", "Schedule",
    "Step",
]  # fmt: skip

Steps = NDArray[np.integer[Any]]
Rates = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Schedule(Value):
    """Base class of schedules: the learning rate, or another number, as a function of the step.

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
    _rates: ClassVar[tuple[str, ...]] = ()  # attributes that are learning rates
    _whole: ClassVar[tuple[str, ...]] = ()  # attributes that are whole numbers, 1 or more
    _is_checked: ClassVar[bool] = False  # no step has an invalid value if `check` finds no fault

    def __post_init__(self) -> None:
        self.check()
        checks.constants(self)
        for name in self._whole:
            checks.whole(name, getattr(self, name))

    @property
    def _constant(self) -> float | None:
        """The rate of every step, or None if it may change."""
        return None

    def check(self, dtype: np.dtype[Any] | None = None) -> None:
        """Check the learning rates among the attributes.

        Parameters
        ----------
        dtype : dtype, optional
            The dtype of a network, in which the rates must not become 0 or infinite.
        """
        for name in self._rates:
            checks.number(name, getattr(self, name), "[0, inf)", dtype=dtype)

    def __call__(self, steps: Steps) -> Rates:
        """Return the learning rates of steps.

        Parameters
        ----------
        steps : ndarray of int
            Numbers of steps, from 0.

        Returns
        -------
        ndarray of float
            The rate of each step, with the shape of `steps`.
        """
        raise NotImplementedError

    def spanning(self, first: int, count: int | None) -> Callable[[Steps], Rates]:
        """Return the schedule of a call of fit.

        Parameters
        ----------
        first : int
            The first step of the call.
        count : int or None
            The number of steps of the call, or None if it is not known.

        Returns
        -------
        callable
            A function from steps to learning rates, like the schedule itself.
        """
        return self


@dataclass(frozen=True, eq=False, repr=False)
class Constant(Schedule):
    """A constant learning rate: α = rate.

    Parameters
    ----------
    rate : float
        The learning rate, ≥ 0.
    """

    _is_checked = True
    name = "constant"
    _rates = ("rate",)
    rate: float

    @property
    def _constant(self) -> float:
        return self.rate

    def __call__(self, steps: Steps) -> Rates:
        return np.full(checks.array("steps", steps).shape, self.rate, np.float64)


@dataclass(frozen=True, eq=False, repr=False)
class Step(Schedule):
    """A learning rate that changes in equal intervals: α = rate · factor^⌊t / every⌋.

    Parameters
    ----------
    rate : float
        The learning rate of the first steps, ≥ 0.
    every : int
        Number of steps from one change to the next.
    factor : float, default 0.1
        Factor > 0 by which each change multiplies the rate.

    See Also
    --------
    Exponential : The same change, continuously.

    Examples
    --------
    >>> fastmlp.schedules.Step(0.1, every=100, factor=0.5)(np.array([0, 99, 100, 200]))
    array([0.1  , 0.1  , 0.05 , 0.025])
    """

    name = "step"
    _intervals: ClassVar[Mapping[str, str]] = {"factor": "(0, inf)"}
    _rates, _whole = ("rate",), ("every",)
    rate: float
    every: int
    factor: float = 0.1

    def __call__(self, steps: Steps) -> Rates:
        times = checks.array("steps", steps) // self.every
        return np.asarray(self.rate * np.float64(self.factor) ** times)


@dataclass(frozen=True, eq=False, repr=False)
class Exponential(Schedule):
    """A learning rate that changes exponentially: α = rate · factor^(t / every).

    Parameters
    ----------
    rate : float
        The learning rate of the first step, ≥ 0.
    every : int
        Number of steps in which the rate changes by `factor`.
    factor : float, default 0.1
        Factor > 0 by which the rate is multiplied in that many steps.

    See Also
    --------
    Step : The same change in steps.

    Examples
    --------
    >>> fastmlp.schedules.Exponential(0.1, every=100, factor=0.25)(np.array([0, 50, 100]))
    array([0.1  , 0.05 , 0.025])
    """

    name = "exponential"
    _intervals: ClassVar[Mapping[str, str]] = {"factor": "(0, inf)"}
    _rates, _whole = ("rate",), ("every",)
    rate: float
    every: int
    factor: float = 0.1

    def __call__(self, steps: Steps) -> Rates:
        times = checks.array("steps", steps) / self.every
        return np.asarray(self.rate * np.float64(self.factor) ** times)


@dataclass(frozen=True, eq=False, repr=False)
class _Curve(Schedule):
    """A schedule over T = `total_steps` steps; later steps have the last rate."""

    _is_checked = True
    total_steps: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.total_steps is not None:
            checks.whole("total_steps", self.total_steps)

    def spanning(self, first: int, count: int | None) -> Callable[[Steps], Rates]:
        if self.total_steps is not None:
            return self
        if count is None:
            raise ValueError(
                f"{self} needs total_steps when examples come in chunks, because the number of "
                f"steps is not known before: epochs × ⌈examples / batch_size⌉"
            )
        curve = replace(self, total_steps=count)
        return lambda steps: curve(steps - first)

    def progress(self, steps: Steps) -> Rates:
        """Return t / T, at most 1."""
        if self.total_steps is None:
            raise ValueError(f"{self} needs total_steps unless a call of fit determines it")
        return np.minimum(checks.array("steps", steps) / self.total_steps, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class Cosine(_Curve):
    """Cosine annealing: α = final + (rate − final) (1 + cos πt/T) / 2 (Loshchilov, Hutter 2017).

    Parameters
    ----------
    rate : float
        The learning rate of the first step, ≥ 0.
    final : float, default 0.0
        The learning rate from step T on, ≥ 0.
    total_steps : int, optional
        Number of steps T.  By default T is the number of steps of a call of fit, and each call
        begins a new curve; a fit on chunks does not know this number and needs the argument.

    Examples
    --------
    >>> fastmlp.schedules.Cosine(0.1, total_steps=100)(np.array([0, 50, 100, 200]))
    array([0.1 , 0.05, 0.  , 0.  ])
    """

    name = "cosine"
    _rates = ("rate", "final")
    rate: float
    final: float = 0.0

    def __call__(self, steps: Steps) -> Rates:
        return _half_cosine(self.rate, self.final, self.progress(steps))


@dataclass(frozen=True, eq=False, repr=False)
class OneCycle(_Curve):
    """One-cycle policy: the learning rate rises to its maximum `rate` and then falls almost to 0.

    Both parts are halves of a cosine curve (Smith and Topin 2018).

    Parameters
    ----------
    rate : float
        The maximum learning rate, ≥ 0.
    warm_up : float, default 0.3
        Fraction of the steps, in (0, 1), in which the rate rises.
    start_factor : float, default 0.04
        The learning rate of the first step as a multiple of `rate`, ≥ 0.
    final_factor : float, default 4e-6
        The learning rate from step T on as a multiple of `rate`, ≥ 0.
    total_steps : int, optional
        Number of steps T.  By default T is the number of steps of a call of fit, and each call
        begins a new cycle; a fit on chunks does not know this number and needs the argument.

    Examples
    --------
    >>> fastmlp.schedules.OneCycle(0.1, total_steps=100)(np.array([0, 15, 30]))
    array([0.004, 0.052, 0.1  ])
    """

    name = "one_cycle"
    _intervals: ClassVar[Mapping[str, str]] = {
        "warm_up": "(0, 1)", "start_factor": "[0, inf)", "final_factor": "[0, inf)"
    }
    _rates = ("rate",)
    rate: float
    warm_up: float = 0.3
    start_factor: float = 0.04
    final_factor: float = 4e-6

    def __call__(self, steps: Steps) -> Rates:
        done = self.progress(steps)
        up = np.minimum(done / self.warm_up, 1.0)
        down = np.maximum((done - self.warm_up) / (1 - self.warm_up), 0.0)
        return np.where(
            done < self.warm_up,
            _half_cosine(self.rate * self.start_factor, self.rate, up),
            _half_cosine(self.rate, self.rate * self.final_factor, down),
        )


@dataclass(frozen=True, eq=False, repr=False)
class FlatCosine(_Curve):
    """Constant at first, then cosine annealing to 0.

    α = rate up to t/T = flat, then α = rate (1 + cos π(t/T − flat)/(1 − flat)) / 2.

    RealMLP uses it, with the default of `flat`, for dropout and weight decay (Holzmüller et al.
    2024).

    Parameters
    ----------
    rate : float
        The learning rate of the first steps, ≥ 0.
    flat : float, default 0.5
        Fraction of the steps, in [0, 1), after which the rate begins to fall.
    total_steps : int, optional
        Number of steps T.  By default T is the number of steps of a call of fit, and each call
        begins a new curve; a fit on chunks does not know this number and needs the argument.

    See Also
    --------
    Cosine : The same with ``flat=0``, down to any final rate.

    Examples
    --------
    >>> fastmlp.schedules.FlatCosine(0.1, total_steps=100)(np.array([0, 50, 75, 100]))
    array([0.1 , 0.1 , 0.05, 0.  ])
    """

    name = "flat_cosine"
    _intervals: ClassVar[Mapping[str, str]] = {"flat": "[0, 1)"}
    _rates = ("rate",)
    rate: float
    flat: float = 0.5

    def __call__(self, steps: Steps) -> Rates:
        fallen = np.maximum((self.progress(steps) - self.flat) / (1 - self.flat), 0.0)
        return _half_cosine(self.rate, 0.0, fallen)


@dataclass(frozen=True, eq=False, repr=False)
class LogCosine(_Curve):
    """Cosine cycles, each twice as long as the one before: rising from 0 to `rate` and back to 0.

    α = rate (1 − cos 2π log₂(1 + (2^cycles − 1) t/T)) / 2, the learning rate of RealMLP (Holzmüller
    et al. 2024).

    Parameters
    ----------
    rate : float
        The maximum learning rate, ≥ 0.
    cycles : int, default 4
        Number of cycles.
    total_steps : int, optional
        Number of steps T.  By default T is the number of steps of a call of fit, and each call
        begins a new curve; a fit on chunks does not know this number and needs the argument.

    Examples
    --------
    >>> rates = fastmlp.schedules.LogCosine(0.1, cycles=2, total_steps=3000)
    >>> rates(np.array([0, 414, 1000, 3000])).round(4)
    array([0. , 0.1, 0. , 0. ])
    """

    name = "log_cosine"
    _rates, _whole = ("rate",), ("cycles",)
    rate: float
    cycles: int = 4

    def __call__(self, steps: Steps) -> Rates:
        cycle = np.log2(1 + (2.0**self.cycles - 1) * self.progress(steps))
        return np.asarray(self.rate * (1 - np.cos(2 * np.pi * cycle)) / 2)


def _half_cosine(first: float, last: float, done: Rates) -> Rates:
    """Return a curve from `first` at done = 0 to `last` at done = 1, with slope 0 at both ends."""
    return np.asarray(last + (first - last) * (1 + np.cos(np.pi * done)) / 2)


TABLE: dict[str, type[Schedule]] = {
    kind.name: kind
    for kind in (Constant, Step, Exponential, Cosine, OneCycle, FlatCosine, LogCosine)
}
