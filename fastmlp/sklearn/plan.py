"""The plan of a fit by solver "sgd" or "adam": what it needs apart from the samples themselves.

A call of partial_fit has the same parameters as the previous call and often as many samples; it
takes over that call's plan, because to make one takes as long as a step of a small network.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..data.batches import RowOrder
from ..schedules import Schedule
from ..support import checks, threads
from ..support.user_warnings import warn_user
from ..training import FitConfig
from . import options
from .epoch_loss import EpochLoss
from .samples import Samples

__all__ = ["Plan", "initialize_rate", "plan_of"]

Order = NDArray[np.int64]


@dataclass(frozen=True)
class EstimatorRate(Schedule):
    """The learning rate that `EpochEnd` has set after the previous epoch."""

    name = "estimator"
    _is_checked = True
    estimator: Any

    def __call__(self, steps: Any) -> NDArray[np.float64]:
        return np.full(np.shape(steps), self.estimator._rate)


@dataclass(frozen=True)
class FixedRate(Schedule):
    """The learning rate of an estimator that does not change it.

    Unlike `Constant` it may be 0 in the network's dtype, as in scikit-learn.
    """

    name = "fixed"
    _is_checked = True
    rate: float

    def check(self, dtype: np.dtype[Any] | None = None) -> None:
        if dtype is not None and self.rate > float(np.finfo(dtype).max):
            raise ValueError(
                f"learning_rate_init is {self.rate:g}, which is inf in a {dtype} network; choose "
                f"a smaller number"
            )

    @property
    def _constant(self) -> float:
        return self.rate

    def __call__(self, steps: Any) -> NDArray[np.float64]:
        return np.full(np.shape(steps), self.rate)


class Shuffle(RowOrder):
    """The order of the samples, shuffled again for each epoch, by scikit-learn's random numbers."""

    def begin_fit(self, rng: np.random.RandomState) -> None:
        """Take the random numbers of a fit, which begins with the samples as they are."""
        self.rng = rng
        self.last: Order | None = None
        self.coming: deque[Order] = deque()  # orders of epochs that have not ended

    def __call__(self, n_rows: int) -> Order:
        return self.of_epochs(n_rows, 1)

    def of_epochs(self, n_rows: int, n_epochs: int) -> Order:
        while len(self.coming) < n_epochs:
            permutation = np.arange(n_rows, dtype=np.int64)
            self.rng.shuffle(permutation)
            self.last = permutation if self.last is None else self.last[permutation]
            self.coming.append(self.last)
        return self.coming[0] if n_epochs == 1 else np.concatenate(self.coming)[: n_epochs * n_rows]

    def __getstate__(self) -> dict[str, Any]:
        return {}  # in a copy of the estimator, the next fit begins anew

    def end_epoch(self) -> Order:
        """Return the order of the epoch that has ended."""
        return self.coming.popleft()


@dataclass
class Plan:
    """What a fit needs, made of the estimator's parameters and the number of samples.

    A call of partial_fit takes over the plan of the previous call if nothing of it has changed.

    Attributes
    ----------
    n_samples : int
        The number of samples.
    batch_size : int
        Samples of a step.
    shuffle : Shuffle or None
        The order of the samples; None: as they are.
    loss : EpochLoss
        The training loss of an epoch.
    config : FitConfig
        The options of the network's fit.
    team : AdaptiveTeam
        The number of threads.
    """

    n_samples: int
    batch_size: int
    shuffle: Shuffle | None
    loss: EpochLoss
    config: FitConfig
    team: threads.AdaptiveTeam = field(default_factory=threads.AdaptiveTeam)

    @classmethod
    def of(cls, estimator: Any, samples: Samples, incremental: bool) -> Self:
        """Return the plan of a fit, made anew."""
        net = estimator.network_
        batch_size = effective_batch_size(estimator, len(samples))
        # scikit-learn's max_iter has no upper bound, the epochs of a fit have one
        n_epochs = 1 if incremental else min(options.number(estimator, "max_iter"), sys.maxsize)
        loss = EpochLoss(estimator, samples, batch_size, n_epochs)
        shuffle = Shuffle() if estimator.shuffle else None
        config = FitConfig.checked(
            net.state.spec,
            epochs=n_epochs,
            batch_size=batch_size,
            optimizer=options.optimizer(estimator, learning_rate(estimator)),
            l2=penalty(loss.alpha, net.dtype),
            l2_per_weight=True,
            shuffle=shuffle or False,
            max_seconds=estimator.max_seconds,
            label_smoothing=getattr(estimator, "label_smoothing", 0.0),
            ema=estimator.ema,
            n_threads=estimator.n_threads,
            reset_optimizer=not incremental,
            by_row_hash=any(net.dropout),  # a repeated sample is one with a weight of 2
            max_cost=estimator._max_cost,
            batch_sums=loss.batch_sums,
        )
        return cls(len(samples), batch_size, shuffle, loss, config)

    @property
    def can_be_kept(self) -> bool:
        """Whether this is the plan for other samples as well, if they are as many."""
        rate_is_constant = self.config.optimizer.schedule._constant is not None
        return rate_is_constant and not self.loss.depends_on_samples


def penalty(alpha: float, dtype: np.dtype[Any]) -> float:
    """Return alpha as the network's `l2`: 0 if its dtype has no number so small, as in NumPy."""
    if alpha < float(np.finfo(dtype).tiny):
        return 0.0
    return checks.number("alpha", alpha, "[0, inf)", dtype=dtype)


def effective_batch_size(estimator: Any, n_rows: int) -> int:
    """Return the number of samples of a step."""
    has_batch_norm = any(estimator.network_.batch_norm)
    if has_batch_norm and n_rows == 1:
        raise ValueError("batch_norm needs at least 2 examples in a batch, got n_samples=1")
    batch_size: int = options.number(estimator, "batch_size")
    if estimator.batch_size == "auto":
        batch_size = min(200, n_rows)
        while has_batch_norm and batch_size > 2 and n_rows % batch_size == 1:
            batch_size -= 1  # no batch of one sample
    if batch_size > n_rows:
        warn_user(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
        )
        batch_size = n_rows
    return batch_size


def plan_of(estimator: Any, samples: Samples, incremental: bool) -> Plan:
    """Return the plan of a fit; one for more calls of partial_fit is kept in the estimator."""
    kept: Plan | None = estimator.__dict__.get("_plan")
    if kept is not None and kept.n_samples == len(samples) and samples.weight is None:
        return kept
    plan = Plan.of(estimator, samples, incremental)
    is_clipped = estimator.batch_size not in ("auto", plan.batch_size)  # each call warns of it
    if incremental and plan.can_be_kept and not is_clipped:
        estimator._plan = plan
    return plan


def learning_rate(estimator: Any) -> Schedule:
    """Return the learning rate of a fit as a schedule."""
    rate = estimator.learning_rate
    if isinstance(rate, Schedule):
        return rate
    if estimator.solver == "adam" or rate == "constant":
        return FixedRate(estimator._rate)
    return EstimatorRate(estimator)


def initialize_rate(estimator: Any, incremental: bool) -> None:
    """Set the learning rate of the first epoch; a stream goes on with the rate it has come to."""
    rule = estimator.solver, estimator.learning_rate, estimator.learning_rate_init
    if not incremental or getattr(estimator, "_rate_rule", None) != rule:
        estimator._rate = options.number(estimator, "learning_rate_init")
        estimator._rate_rule = rule
