"""Short epochs, several in one call of the engine.

Around an epoch of a small network Python would take longer than the epoch itself.  Where nothing
looks at each epoch, a call of the engine runs as many of them as take about a slice of training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from ..callbacks import Callback
from ..data.batches import Batching, RowOrder, Source
from ..data.examples import Examples
from ..history import History
from ..kernels.calls import Batches, Progress, TrainingOptions
from ..losses import Custom
from ..model.spec import NetworkSpec
from ..model.state import ModelState
from .config import FitConfig
from .endings import diverged, require_weight

__all__ = ["may_run_at_once", "n_at_once", "record"]

# What an epoch of a small network takes at most, to begin with: for a parameter and example three
# multiply-adds at 0.5 ns.
SECONDS_A_BATCH, SECONDS_A_NUMBER = 1e-5, 1.5e-9
MOST_EPOCHS = 10000  # of one call, where no callback limits them


def may_run_at_once(spec: NetworkSpec, config: FitConfig, source: Source) -> bool:
    """Return whether one call of the engine may run several epochs, with no Python between them.

    Python is needed for orders of rows that must be checked, for values of schedules that must be,
    for a loss written in Python, and for the limits of cost and time.
    """
    schedules = (
        config.optimizer.schedule, config.optimizer.decay_schedule, config.dropout_schedule
    )  # fmt: skip
    return (
        isinstance(source, Examples)
        and all(one is None or one._is_checked for one in schedules)
        and (not callable(config.shuffle) or isinstance(config.shuffle, RowOrder))
        and not isinstance(spec.loss, Custom)
        and config.cost_below == -inf
        and config.max_seconds == inf
    )


def n_at_once(
    state: ModelState,
    config: FitConfig,
    batching: Batching,
    source: Source,
    history: History,
    callbacks: Sequence[Callback],
    seconds: float,
) -> int:
    """Return how many epochs one call of the engine may run, for it to take so many seconds.

    0 or 1 where the next one must be looked at.  `may_run_at_once` is true of this fit.
    """
    assert isinstance(source, Examples)
    most = min((callback._epochs_at_once() for callback in callbacks), default=MOST_EPOCHS)
    if most <= 1 or source.data.unchecked:
        return 0
    n_batches = batching.n_batches(len(source))
    if config.step.batch_sums is not None:
        most = min(most, len(config.step.batch_sums) // n_batches)
    if history.seconds:
        return min(most, int(seconds / history.seconds[-1]))
    numbers = state.spec.n_parameters * len(source)
    return min(most, int(seconds / (SECONDS_A_BATCH * n_batches + SECONDS_A_NUMBER * numbers)))


def record(
    state: ModelState,
    history: History,
    progress: Progress,
    part: Batches,
    options: TrainingOptions,
    end_epoch: Callable[[History], str | None],
) -> str | None:
    """Enter the epochs of one call of the engine into the history, and end each of them.

    What `end_epoch` returns after the last epoch is returned.  It finds the `batch_sums` of an
    epoch in the first rows.  TrainingDiverged is raised for an epoch after them in which a number
    was not finite.
    """
    assert progress.epochs is not None
    n_batches = len(part.rates) // part.n_epochs
    rates = part.rates[n_batches - 1 :: n_batches].tolist()
    stopped_by: str | None = None
    for i, (rate, epoch) in enumerate(zip(rates, progress.epochs.tolist(), strict=False)):
        cost, weight, seconds, *squares = epoch
        require_weight(weight)
        penalty = state.penalty(options.l2, options.l2_multipliers, squares=squares)
        history.learning_rate.append(rate)
        history.cost.append(cost / weight + penalty)
        history.seconds.append(seconds)
        if i > 0 and options.batch_sums is not None:
            options.batch_sums[:n_batches] = options.batch_sums[i * n_batches :][:n_batches]
        stopped_by = end_epoch(history)
    n_done = len(progress.epochs)
    if progress.failed is not None:
        rate = float(part.rates[n_done * n_batches + progress.failed])
        raise diverged(history, progress.failed, rate)
    return stopped_by
