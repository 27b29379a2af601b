"""The loop of a fit: epochs, validation, stopping, and what happens when numbers run away.

Python decides between slices of an epoch, the engine computes them: it runs batches without the
GIL for SLICE seconds, then comes back so that Ctrl-C, `max_seconds`, readers of the parameters
and other Python threads get their turn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..callbacks import Callback, EarlyStopping
from ..data import batches
from ..data.batches import Piece, Source, ValidationSource
from ..data.chunks import Chunks
from ..data.examples import Examples
from ..data.parquet import ParquetFolder
from ..history import History
from ..kernels.calls import Batches, Progress, TrainingOptions
from ..model.state import ModelState
from ..support import checks, threads
from . import evaluation
from .config import FitConfig
from .endings import Stop, Stopped, diverged, end_callbacks, reason_of, require_weight
from .first_reading import PACKED_EPOCHS, Trainable, may_check_later, undone_unless_finite
from .frozen_features import features, trains_encoding
from .short_epochs import at_once, record

if TYPE_CHECKING:
    from ..schedules import Rates, Steps

__all__ = ["Run", "fit"]

SLICE = 0.02  # seconds
Values: TypeAlias = "Callable[[Steps], Rates]"


class Scheduled(NamedTuple):
    """What follows schedules in a call of fit, as functions of the step."""

    rate: Values
    weight_decay: Values | None
    dropout: Values | None


def fit(
    net: Trainable,
    X: Any,
    y: ArrayLike | None,
    config: FitConfig,
    *,
    sample_weight: ArrayLike | None = None,
    validation_data: tuple[checks.Examples, ArrayLike] | ParquetFolder | float | None = None,
    callbacks: Sequence[Callback] = (),
    stop: Stop | None = None,
) -> History:
    """Train a network on examples by the options of `config`: steps 2 to 7 of the report.

    X, with y None, or `validation_data` may be `Examples`, which several fits share.  `stop` ends
    training from another thread.
    """
    state = net.state
    source = batches.source(
        state, X, y, sample_weight, config.epochs,
        finite_later=may_check_later(state, config, validation_data, callbacks),
    )  # fmt: skip
    rows, held_out = batches.validation(state, source, validation_data)
    run = Run(net, state, config, source, rows, held_out, callbacks, stop)
    run.check()
    history = History()
    try:
        with state.training_lock, undone_unless_finite(net, source):
            run.train(history)
    except KeyboardInterrupt:
        if net.history is not history:  # it never began
            raise
        warnings.warn(
            f"Training interrupted, whole epochs done: {history.epochs}; the network keeps what "
            f"it has learned",
            stacklevel=3,
        )
    except Stopped:
        pass
    return history


@dataclass
class Run:
    """One call of fit, its arguments checked."""

    net: Trainable
    state: ModelState
    config: FitConfig
    source: Source
    rows: NDArray[np.int64] | None  # of `source`, to train on; None: all
    held_out: ValidationSource | None
    callbacks: Sequence[Callback]
    stop: Stop | None = None
    team: threads.AdaptiveTeam = field(default_factory=threads.AdaptiveTeam)

    def __post_init__(self) -> None:
        # of examples to train on; None if it is not known
        self.n_rows: int | None = None
        self.batch_size = self.config.batch_size
        self.seeds: tuple[int, ...] = ()  # of the order of examples, in addition to the network's
        self.constant_rates = np.empty(0)
        self.starts = np.empty(0, np.int64)  # of batches, where the number of rows is known
        if not isinstance(self.source, Chunks):
            self.n_rows = len(self.source if self.rows is None else self.rows)
            self.batch_size = min(self.batch_size, self.n_rows)
            self.starts = batches.even_starts(self.n_rows, self.batch_size)
        self.cuts = batches.even_cuts(self.batch_size)

    def check(self) -> None:
        """Refuse what does not go together, before anything changes."""
        state, config = self.state, self.config
        if len(state.frozen) == state.spec.n_layers and not trains_encoding(state):
            raise ValueError("every layer is frozen: nothing to train; see MLP.unfreeze")
        if callable(config.shuffle) and not isinstance(self.source, Examples):
            raise ValueError(
                "shuffle must be True or False where X is read in pieces, got a function"
            )
        if config.step.distortion is not None and isinstance(self.source, Examples):
            self.source.require_dense()
        self.check_monitors()
        if self.n_rows is not None:
            self.check_batches(self.n_rows)
        self.schedules_from(0)  # raises if a schedule cannot span this fit

    def check_monitors(self) -> None:
        """Early stopping watches a figure that there will be."""
        available = {"cost"}
        if self.held_out is not None:
            available.add("validation_cost")
            if self.state.spec.loss.classification:
                available.add("validation_accuracy")
        for callback in self.callbacks:
            if isinstance(callback, EarlyStopping) and callback.monitor not in available:
                raise ValueError(
                    f"early stopping watches {callback.monitor}, which this fit does not have; "
                    f"give validation_data, or EarlyStopping(monitor=…) with one of "
                    f"{', '.join(sorted(available))}"
                )

    def check_batches(self, n_rows: int) -> None:
        """So many examples leave none alone in a batch that is normalized."""
        state = self.state
        normalized = [
            one and l not in state.frozen for l, one in enumerate(state.spec.batch_norm)
        ]
        checks.normal_batches(normalized, n_rows, self.batch_size)

    def schedules_from(self, first: int) -> Scheduled:
        """Return what follows schedules from step `first` on."""
        n, config = self.n_rows, self.config
        count = None if n is None else config.epochs * -(-n // self.batch_size)
        rate, decay = config.optimizer.schedule, config.optimizer.decay_schedule
        dropout = config.dropout_schedule
        return Scheduled(
            rate.spanning(first, count),
            None if decay is None else decay.spanning(first, count),
            None if dropout is None else dropout.spanning(first, count),
        )

    def train(self, history: History) -> None:
        """Train all epochs with the callbacks around them, whatever ends it."""
        self.net.history = history
        try:
            for callback in self.callbacks:
                callback.on_fit_begin(self.net, history)
            history.stopped_by = self.run_epochs(history)
        except BaseException as error:
            history.stopped_by = reason_of(error, self.stop)
            raise
        finally:
            end_callbacks(self.callbacks, self.net, history)

    def run_epochs(self, history: History) -> str:
        """Train epoch after epoch until something ends it; return what that was."""
        state, config = self.state, self.config
        options = config.step
        if state.frozen or state.encoding_frozen:
            frozen = tuple(l in state.frozen for l in range(state.spec.n_layers))
            options = replace(options, frozen=frozen, frozen_encoding=state.encoding_frozen)
        optimizer = config.optimizer
        state.begin_training(
            (optimizer.name, optimizer.constants), options.ema > 0, config.reset_optimizer
        )
        source = features(state, self.source, options, config.n_threads)
        scheduled = self.schedules_from(state.steps)
        n_threads = threads.for_step(state.spec.layer_sizes, self.batch_size, config.n_threads)
        deadline = perf_counter() + config.max_seconds
        if (
            config.epochs >= PACKED_EPOCHS
            and isinstance(source, Examples)
            and options.distortion is None
        ):
            state.pack(source.data, n_threads)
        looks_on = (
            bool(self.callbacks or self.seeds) or self.held_out is not None or n_threads > 1
        )
        left = config.epochs
        while left > 0:
            if self.stop is not None and self.stop.is_set():
                raise Stopped
            started = perf_counter()
            if self.time_is_up(deadline):
                return "max_seconds"
            if not looks_on and (n := at_once(state, config, source, history, SLICE)) > 1:
                left -= self.run_short_epochs(history, source, options, scheduled, min(n, left))
                continue
            left -= 1
            done = self.run_epoch(history, source, options, scheduled, n_threads, deadline)
            if done is None:
                return "max_seconds"
            cost, last_rate = done
            if isinstance(source, Examples):
                source.data.unchecked = False
            if self.held_out is not None:
                sums = evaluation.sums(state, self.held_out, config.n_threads)
                validation_cost, accuracy = evaluation.figures(state, *self.total(*sums))
                history.validation_cost.append(validation_cost)
                if accuracy is not None:
                    history.validation_accuracy.append(accuracy)
            history.learning_rate.append(last_rate)
            history.cost.append(cost)
            history.seconds.append(perf_counter() - started)
            history.unfinished_batches = 0
            stopped_by = self.end_epoch(history)
            if cost < config.cost_below:
                return "cost_below"
            if stopped_by:
                return stopped_by[0]
        return "epochs"

    def time_is_up(self, deadline: float) -> bool:
        """Return whether `max_seconds` are over."""
        return perf_counter() >= deadline

    def total(self, *sums: float) -> tuple[float, ...]:
        """Return sums over all examples, from those over the examples of this process."""
        return sums

    def end_epoch(self, history: History) -> list[str]:
        """Call every callback; return the names of those that stop training."""
        return [
            type(callback).__name__
            for callback in self.callbacks
            if callback.on_epoch_end(self.net, history)
        ]

    def run_short_epochs(
        self,
        history: History,
        source: Source,
        options: TrainingOptions,
        scheduled: Scheduled,
        n_epochs: int,
    ) -> int:
        """Train for up to so many epochs, which together take about a slice; return how many.

        One call of the engine runs them, because around a short epoch Python would take longer
        than the epoch itself.
        """
        assert isinstance(source, Examples)
        state = self.state
        n_batches = -(-len(source) // self.batch_size)
        seed = state.spec.seed_words if self.config.shuffle else np.empty(0, np.uint32)
        order = np.arange(len(source), dtype=np.int64)
        part = self.batches_of(order, n_epochs * n_batches, scheduled, state.epochs, 0)
        part = part._replace(n_epochs=n_epochs, seed=seed)
        progress = state.train_epochs(source.data, part, options, SLICE)
        return record(state, history, progress, part, options)

    def pieces(self, source: Source) -> Iterator[Piece]:
        """Yield the batches of the coming epoch."""
        state, shuffle = self.state, self.config.shuffle
        seed = [state.spec.seed, state.epochs, *self.seeds]
        if not isinstance(source, Examples):
            rng = np.random.default_rng(seed) if shuffle is True else None
            return batches.batches_of_chunks(state, source, self.cuts, rng)
        n_rows = len(source if self.rows is None else self.rows)
        if callable(shuffle):
            order = batches.row_numbers(shuffle, n_rows)
        elif shuffle and self.seeds:
            order = np.random.default_rng(seed).permutation(n_rows)
        elif shuffle:
            order = state.row_order(state.epochs, n_rows)
        else:
            order = np.arange(n_rows, dtype=np.int64)
        return iter([Piece(source, order if self.rows is None else self.rows[order], self.starts)])

    def rates_of(self, rate: Values, n_batches: int) -> NDArray[np.float64]:
        """Return the learning rate of each of the coming steps; constant ones are made once."""
        if len(self.constant_rates) == n_batches:
            return self.constant_rates
        rates = checks.rates(self.coming(rate, n_batches), n_batches, self.state.spec.dtype)
        if self.config.optimizer.schedule._is_constant:
            self.constant_rates = rates
        return rates

    def coming(self, values: Values, n_batches: int) -> Rates:
        """Return the values of the coming steps."""
        first = self.state.steps
        with np.errstate(over="ignore"):  # an infinite rate is an error of its own
            return values(np.arange(first, first + n_batches))

    def n_batches(self, n_rows: int) -> int:
        """Return the number of batches with so many examples of this process."""
        return -(-n_rows // self.batch_size)

    def part_of(
        self,
        examples: Examples,
        order: NDArray[np.int64],
        scheduled: Scheduled,
        epoch: int,
        before: int,
    ) -> Batches:
        """Return the coming batches of these examples."""
        return self.batches_of(order, self.n_batches(len(order)), scheduled, epoch, before)

    def batches_of(
        self, order: NDArray[np.int64], n: int, scheduled: Scheduled, epoch: int, before: int
    ) -> Batches:
        """Return the coming n batches, with what follows schedules in them."""
        dtype = self.state.spec.dtype
        decays = factors = None
        if scheduled.weight_decay is not None:
            coming = self.coming(scheduled.weight_decay, n)
            decays = checks.rates(coming, n, dtype, " of weight_decay")
        if scheduled.dropout is not None:
            factors = checks.factors(self.coming(scheduled.dropout, n), n, " of dropout")
        rates = self.rates_of(scheduled.rate, n)
        return Batches(order, self.batch_size, rates, epoch, before, decays, factors)

    def run_epoch(
        self,
        history: History,
        source: Source,
        options: TrainingOptions,
        scheduled: Scheduled,
        n_threads: int,
        deadline: float,
    ) -> tuple[float, float] | None:
        """Train once on every example; return J over the epoch and the last step's learning rate.

        None if the time was up before.
        """
        state, epoch = self.state, self.state.epochs
        good = state.snapshot()
        before, last_rate, progress = 0, 0.0, Progress()
        for examples, order, _ in self.pieces(source):
            if isinstance(source, Chunks):  # of other sources this is known before
                self.check_batches(before * self.batch_size + len(order))
            if options.distortion is not None:
                examples.require_dense()
            part = self.part_of(examples, order, scheduled, epoch, before)
            n_batches = len(part.rates)
            state.epochs = epoch + 1
            if before > 0:
                progress = progress._replace(batch=0)
            while progress.batch < n_batches:
                first, started = progress.batch, perf_counter()
                progress = state.train(
                    examples.data,
                    part,
                    options,
                    progress,
                    self.team.size(n_threads),
                    min(SLICE, deadline - started),
                )
                seconds = perf_counter() - started
                self.team.report(seconds / (progress.batch - first), progress.slept / seconds)
                history.unfinished_batches = before + progress.batch
                if self.stop is not None and self.stop.is_set():
                    raise Stopped
                if progress.failed is not None:
                    state.roll_back(good)
                    history.unfinished_batches = 0
                    rate = part.rates[progress.failed]
                    raise diverged(history, before + progress.failed, rate)
                if progress.batch < n_batches and perf_counter() >= deadline:
                    return None
            before, last_rate = before + n_batches, float(part.rates[-1])
            del examples  # a chunk goes before the next one comes
        total, weight = self.total(progress.cost, progress.weight)
        require_weight(weight)
        penalty = state.penalty(options.l2, options.l2_multipliers)
        return total / weight + penalty, last_rate
