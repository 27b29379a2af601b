"""What follows schedules in a call of fit: learning rate, weight decay and dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..support import checks
from .config import FitConfig

if TYPE_CHECKING:  # imported when a schedule is made
    from ..schedules import Rates, Schedule, Steps

__all__ = ["Scheduled", "StepValues"]

Values: TypeAlias = "Callable[[Steps], Rates]"


class StepValues(NamedTuple):
    """The values of n consecutive steps that follow schedules, as `Batches` takes them."""

    rates: NDArray[np.float64]  # (n,) the learning rates α
    weight_decays: NDArray[np.float64] | None  # (n,) None: the optimizer's constant
    dropout_factors: NDArray[np.float64] | None  # (n,) None: 1


class Scheduled:
    """The schedules of a call of fit.

    Parameters
    ----------
    config : FitConfig
        The options of the call.
    dtype : numpy.dtype
        Of the network, in which each value must be finite.
    first : int
        The first step of the call.
    n_steps : int or None
        The number of its steps, or None if it is not known.

    Raises
    ------
    ValueError
        If a schedule needs the number of steps, which is not known.
    """

    def __init__(
        self, config: FitConfig, dtype: np.dtype[np.floating], first: int, n_steps: int | None
    ) -> None:
        def spanning(schedule: Schedule | None) -> Values | None:
            return None if schedule is None else schedule.spanning(first, n_steps)

        optimizer = config.optimizer
        self.dtype = dtype
        self.rate = optimizer.schedule.spanning(first, n_steps)
        self.weight_decay = spanning(optimizer.decay_schedule)
        self.dropout = spanning(config.dropout_schedule)
        self.constant_rate = optimizer.schedule._constant

    def values(self, first: int, n: int) -> StepValues:
        """Return the values of n steps from step `first` on.

        Raises
        ------
        ValueError
            If one is negative, infinite or NaN, or a factor of dropout is greater than 1.
        """
        def of_steps(values: Values) -> Rates:
            with np.errstate(over="ignore"):  # an infinite value is an error of its own
                return values(np.arange(first, first + n))

        dtype, decays, factors = self.dtype, None, None
        if self.weight_decay is not None:
            decays = checks.rates(of_steps(self.weight_decay), n, dtype, " of weight_decay")
        if self.dropout is not None:
            factors = checks.factors(of_steps(self.dropout), n, " of dropout")
        if self.constant_rate is None:
            rates = checks.rates(of_steps(self.rate), n, dtype)
        else:  # checked with the optimizer
            rates = np.full(n, self.constant_rate, np.float64)
        return StepValues(rates, decays, factors)
