"""Short epochs, several in one call of the engine.

Around an epoch of a small network Python would take longer than the epoch itself.  Where nothing
looks at each epoch, a call of the engine runs as many of them as take about a slice of training.
"""

from __future__ import annotations

from math import inf

from ..data.batches import Source
from ..data.examples import Examples
from ..history import History
from ..kernels.calls import Batches, Progress, TrainingOptions
from ..losses import Custom
from ..model.state import ModelState
from .config import FitConfig
from .endings import diverged, require_weight

__all__ = ["at_once", "record"]

# What an epoch of a small network takes at most, to begin with: for a parameter and example three
# multiply-adds at 0.5 ns.
SECONDS_A_BATCH, SECONDS_A_NUMBER = 1e-5, 1.5e-9


def at_once(
    state: ModelState, config: FitConfig, source: Source, history: History, seconds: float
) -> int:
    """Return how many epochs one call of the engine may run, for it to take so many seconds.

    0 where each must be looked at.
    """
    schedules = (
        config.optimizer.schedule, config.optimizer.decay_schedule, config.dropout_schedule
    )  # fmt: skip
    if (
        not isinstance(source, Examples)
        or source.data.unchecked
        or not all(one is None or one._is_checked for one in schedules)
        or callable(config.shuffle)
        or isinstance(state.spec.loss, Custom)
        or config.step.batch_sums is not None
        or config.cost_below > -inf
        or config.max_seconds < inf
    ):
        return 0
    if history.seconds:
        return int(seconds / history.seconds[-1])
    n_batches = -(-len(source) // config.batch_size)
    numbers = state.spec.n_parameters * len(source)
    return int(seconds / (SECONDS_A_BATCH * n_batches + SECONDS_A_NUMBER * numbers))


def record(
    state: ModelState,
    history: History,
    progress: Progress,
    part: Batches,
    options: TrainingOptions,
) -> int:
    """Enter the epochs of one call of the engine into the history; return how many.

    TrainingDiverged is raised for an epoch after them in which a number was not finite.
    """
    assert progress.epochs is not None
    n_batches = len(part.rates) // part.n_epochs
    rates = part.rates[n_batches - 1 :: n_batches].tolist()
    for rate, epoch in zip(rates, progress.epochs.tolist(), strict=False):
        cost, weight, seconds, *squares = epoch
        require_weight(weight)
        penalty = state.penalty(options.l2, options.l2_multipliers, squares=squares)
        history.learning_rate.append(rate)
        history.cost.append(cost / weight + penalty)
        history.seconds.append(seconds)
    n_done = len(progress.epochs)
    if progress.failed is not None:
        rate = float(part.rates[n_done * n_batches + progress.failed])
        raise diverged(history, progress.failed, rate)
    return n_done
