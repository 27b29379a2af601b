"""A rank that is slower than the others, for which they wait in every step."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.calls import GradientSum

__all__ = ["RankTimes", "TimedSum", "about_slow_rank"]

Result = TypeVar("Result")
MIN_RATIO = 1.3  # of the slowest rank's seconds to the median of the others
MIN_LOST = 5.0  # seconds that the others have waited


class RankTimes(NamedTuple):
    """How a rank has spent the time of training so far."""

    busy: float  # seconds in which it computed
    total: float  # seconds
    n_rows: int | None  # its examples, where their number is known
    host: str


class TimedSum:
    """A `GradientSum` that measures how long this rank waits in it.

    Attributes
    ----------
    seconds : float
        The time of waiting so far.
    """

    def __init__(self, of: GradientSum) -> None:
        self.of = of
        self.seconds = 0.0

    def start(self, numbers: NDArray[np.floating[Any]]) -> None:
        """Begin to replace each number by its sum over the ranks."""
        self.of.start(numbers)

    def finish(self, count: int) -> None:
        """Wait for the first `count` of the sums that have not been waited for."""
        self.timed(self.of.finish)(count)

    def add_up(self, numbers: NDArray[np.floating[Any]]) -> None:
        """Replace each number by its sum over the ranks."""
        self.timed(self.of.add_up)(numbers)

    def timed(self, function: Callable[..., Result]) -> Callable[..., Result]:
        """Return a function that waits for other ranks too, and is measured likewise."""

        def measured(*arguments: Any) -> Result:
            started = perf_counter()
            result = function(*arguments)
            self.seconds += perf_counter() - started
            return result

        return measured


def about_slow_rank(times: Sequence[RankTimes]) -> str | None:
    """Return what to tell the user of a slow rank; None if there is none.

    Parameters
    ----------
    times : sequence of RankTimes
        Those of each rank, two or more.
    """
    slow = max(range(len(times)), key=lambda rank: times[rank].busy)
    others = [one for rank, one in enumerate(times) if rank != slow]
    usual = statistics.median(one.busy for one in others)
    lost = times[slow].busy - usual
    if lost < MIN_LOST or times[slow].busy < MIN_RATIO * usual:
        return None
    rows = [one.n_rows for one in others if one.n_rows is not None]
    n_rows = times[slow].n_rows
    remedy = "See what else runs on its machine and how many threads it has (n_threads)"
    if rows and n_rows is not None and n_rows > MIN_RATIO * statistics.median(rows):
        remedy = (
            f"It has {n_rows:,} examples, the others {statistics.median(rows):,.0f}: divide them "
            f"evenly"
        )
    return (
        f"rank {slow} of {len(times)} (host {times[slow].host}) is slow: it has computed for "
        f"{times[slow].busy:.1f} of {times[slow].total:.1f} seconds, the median of the others is "
        f"{usual:.1f}. They have waited {lost:.1f} seconds for it. {remedy}"
    )
