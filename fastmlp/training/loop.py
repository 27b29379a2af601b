"""The loop of a fit: epochs, validation, stopping, and what happens when numbers run away.

Python decides between slices of an epoch, the engine computes them: batch after batch, each of
which is steps 1 to 6 of fastmlp/steps.py.  It runs without the GIL for SLICE seconds, then comes
back so that Ctrl-C, `max_seconds`, readers of the parameters and other Python threads get their
turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..callbacks import Callback, claimed
from ..data import batches
from ..data.batches import Batching, Piece, Source, ValidationSource
from ..data.examples import Examples
from ..data.parquet import ParquetFolder
from ..history import History
from ..kernels.calls import Batches, Progress, TrainingOptions
from ..model.state import Snapshot
from ..support import checks, threads
from ..support.user_warnings import warn_user
from . import endings, evaluation
from .config import FitConfig
from .endings import Stop, Stopped, diverged, end_callbacks, reason_of
from .first_reading import PACKED_EPOCHS, Trainable, may_check_later, undone_unless_finite
from .frozen_features import features, trains_encoding
from .scheduled import Scheduled
from .short_epochs import may_run_at_once, n_at_once, record

__all__ = ["Run", "Setup", "fit"]

SLICE = 0.02  # seconds


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
    """Train a network on examples by the options of `config`: the seven steps.

    X, with y None, or `validation_data` may be `Examples`, which several fits share.  `stop` ends
    training from another thread.
    """
    state = net.state
    source = batches.source(
        state, X, y, sample_weight, config.epochs,
        finite_later=may_check_later(state, config, validation_data, callbacks),
    )  # fmt: skip
    rows, validation_set = batches.validation(state, source, validation_data)
    batching = Batching.of(source, rows, config.batch_size)
    return Run(net, config, source, rows, batching, validation_set, callbacks, stop).fit()


class Setup(NamedTuple):
    """What is the same in all epochs of a fit."""

    source: Source  # the examples, or their activations after frozen first layers
    options: TrainingOptions  # of each step, with what is frozen
    scheduled: Scheduled
    n_threads: int  # of a step, at most
    deadline: float  # after which no batch begins, by `perf_counter`; ∞: none
    several_at_once: bool  # whether a call of the engine may run several epochs


@dataclass
class Run:
    """One call of fit, its arguments checked.

    Training reads from top to bottom: `fit`, `train`, `run_epochs`, `run_single_epoch`,
    `run_epoch`, `run_batches`.  The methods after the last line of dashes are those that a fit
    shared by several processes overrides; it extends `check`, `train` and `run_epoch` too.
    """

    net: Trainable
    config: FitConfig
    source: Source
    rows: NDArray[np.int64] | None  # of `source`, to train on; None: all
    batching: Batching
    validation_set: ValidationSource | None
    callbacks: Sequence[Callback]
    stop: Stop | None = None
    team: threads.AdaptiveTeam = field(default_factory=threads.AdaptiveTeam)
    seeds: tuple[int, ...] = ()  # of the order of examples, in addition to the network's

    def __post_init__(self) -> None:
        self.state = self.net.state
        # trackers come last, to log what others record at the end of an epoch
        self.callbacks = sorted(self.callbacks, key=lambda one: one._after_others)

    def fit(self) -> History:
        """Check this call of fit and train; return the record of the training."""
        self.check()
        net, history = self.net, History()
        try:
            with self.state.training_lock, undone_unless_finite(net, self.source):
                self.train(history)
        except KeyboardInterrupt:
            if net.history is not history:  # it never began
                raise
            warn_user(
                f"Training interrupted, whole epochs done: {history.epochs}; the network keeps "
                f"what it has learned",
            )
        except Stopped:
            pass
        return history

    def train(self, history: History) -> None:
        """Train all epochs with the callbacks around them, whatever ends it."""
        with claimed(self.callbacks, self.net):
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
        """Train epoch after epoch until something ends it, step 7; return what that was."""
        state, config, batching, setup = self.state, self.config, self.batching, self.set_up()
        left = config.epochs
        while left > 0:
            if self.stop is not None and self.stop.is_set():
                raise Stopped
            n = 1
            if setup.several_at_once:
                n = n_at_once(state, config, batching, setup.source, history, self.callbacks, SLICE)
            if n > 1:
                n, stopped_by = self.run_short_epochs(setup, history, min(n, left))
            else:
                n, stopped_by = 1, self.run_single_epoch(setup, history)
            if stopped_by is not None:
                return stopped_by
            left -= n
        return "epochs"

    def run_single_epoch(self, setup: Setup, history: History) -> str | None:
        """Train once on every example, validate, record it and call the callbacks.

        Return what stops training, if anything does.
        """
        started = perf_counter()
        if self.time_is_up(setup.deadline):
            return "max_seconds"
        first_step = self.state.steps
        try:
            trained = self.run_epoch(setup, history)
        finally:  # counted by the engine, since Ctrl-C comes right after it returns
            history.unfinished_batches = max(0, self.state.steps - first_step)
        if trained is None:
            return "max_seconds"
        cost, last_rate = trained
        if isinstance(setup.source, Examples):
            setup.source.data.unchecked = False
        if self.validation_set is not None:
            self.validate(self.validation_set, history)
        history.learning_rate.append(last_rate)
        history.cost.append(cost)
        history.seconds.append(perf_counter() - started)
        history.unfinished_batches = 0
        stopped_by = self.end_epoch(history)
        return "cost_below" if cost < self.config.cost_below else stopped_by

    def validate(self, validation_set: ValidationSource, history: History) -> None:
        """Enter the cost and the accuracy of a validation set into the history."""
        sums = evaluation.sums(self.state, validation_set, self.config.n_threads)
        cost, accuracy = evaluation.figures(self.state, *self.total(*sums))
        history.validation_cost.append(cost)
        if accuracy is not None:
            history.validation_accuracy.append(accuracy)

    def run_epoch(self, setup: Setup, history: History) -> tuple[float, float] | None:
        """Train once on every example; return J over the epoch and the last step's learning rate.

        None if the time was up before.
        """
        state, source, options = self.state, setup.source, setup.options
        epoch, good = state.epochs, state.snapshot()
        before, last_rate, progress = 0, 0.0, Progress()
        for piece in self.pieces(source):  # one, unless X is read in pieces
            part = self.part_of(piece, setup.scheduled, epoch, before)
            if options.distortion is not None:
                piece.examples.require_dense()
            state.epochs = epoch + 1
            if before > 0:
                progress = progress._replace(batch=0)
            progress = self.run_batches(setup, piece.examples, part, progress, good)
            if progress.failed is not None:
                raise diverged(history, before + progress.failed, part.rates[progress.failed])
            if progress.batch < len(part.rates):
                return None
            before, last_rate = before + len(part.rates), float(part.rates[-1])
            del piece  # a chunk goes before the next one comes
        total, weight = self.total(progress.cost, progress.weight)
        endings.require_weight(weight)
        penalty = state.penalty(options.l2, options.l2_multipliers)
        return total / weight + penalty, last_rate

    def run_batches(
        self,
        setup: Setup,
        examples: Examples,
        part: Batches,
        progress: Progress,
        good: Snapshot,
    ) -> Progress:
        """Train on batches, slice after slice, and return how far that came.

        It ends before the last batch if the time is up or a number is not finite; then the
        parameters are `good` again.
        """
        n_batches = len(part.rates)
        while progress.batch < n_batches:
            first, started = progress.batch, perf_counter()
            progress = self.state.train(
                examples.data,
                part,
                setup.options,
                progress,
                self.team.size(setup.n_threads),
                min(SLICE, setup.deadline - started),
                good,
            )
            seconds = perf_counter() - started
            self.team.report(seconds / (progress.batch - first), progress.slept / seconds)
            if self.stop is not None and self.stop.is_set():
                raise Stopped
            if progress.failed is not None:
                break
            if progress.batch < n_batches and perf_counter() >= setup.deadline:
                break
        return progress

    def run_short_epochs(
        self, setup: Setup, history: History, n_epochs: int
    ) -> tuple[int, str | None]:
        """Train for up to so many epochs by one call of the engine (short_epochs.py).

        Return how many they were, and what stops training, if anything does.
        """
        source, options = setup.source, setup.options
        assert isinstance(source, Examples)
        state, shuffle = self.state, self.config.shuffle
        n_rows, seed = len(source), state.spec.seed_words if shuffle is True else None
        if isinstance(shuffle, batches.RowOrder):
            order = shuffle.of_epochs(n_rows, n_epochs)
        else:
            order = np.arange(n_rows, dtype=np.int64)
        n_batches = self.batching.n_batches(n_rows)
        part = self.batches_of(order, n_epochs * n_batches, setup.scheduled, state.epochs, 0)
        part = part._replace(n_epochs=n_epochs, seed=seed)
        n_threads, started = self.team.size(setup.n_threads), perf_counter()
        progress = state.train_epochs(source.data, part, options, n_threads, SLICE)
        seconds, before = perf_counter() - started, history.epochs
        stopped_by = record(state, history, progress, part, options, self.end_epoch)
        n_done = history.epochs - before
        self.team.report(seconds / (n_done * n_batches), progress.slept / seconds)
        return n_done, stopped_by

    def batches_of(
        self, order: NDArray[np.int64], n: int, scheduled: Scheduled, epoch: int, before: int
    ) -> Batches:
        """Return the coming n batches, with what follows schedules in them."""
        values = scheduled.values(self.state.steps, n)
        return Batches(
            order,
            self.batching.size,
            values.rates,
            epoch,
            before,
            values.weight_decays,
            values.dropout_factors,
        )

    # --------------------------------------------------------------------- before the first epoch

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
        endings.require_monitored(self.callbacks, state.spec, self.validation_set is not None)
        if self.batching.n_rows is not None:
            self.check_batches(self.batching.n_rows)
        self.schedules_from(0)  # raises if a schedule cannot span this fit

    def check_batches(self, n_rows: int) -> None:
        """So many examples leave none alone in a batch that is normalized."""
        state = self.state
        if not any(state.spec.batch_norm):
            return
        normalized = [
            one and l not in state.frozen for l, one in enumerate(state.spec.batch_norm)
        ]
        checks.normal_batches(normalized, n_rows, self.batching.size)

    def schedules_from(self, first: int) -> Scheduled:
        """Return the schedules of this call of fit, whose first step is `first`."""
        batching, n_steps = self.batching, None
        if batching.n_rows is not None:
            n_steps = self.config.epochs * batching.n_batches(batching.n_rows)
        return Scheduled(self.config, self.state.spec.dtype, first, n_steps)

    def set_up(self) -> Setup:
        """Make the network ready for training, and the examples for being read in each epoch."""
        state, config, optimizer = self.state, self.config, self.config.optimizer
        options = config.step
        if state.frozen or state.encoding_frozen:
            frozen = tuple(l in state.frozen for l in range(state.spec.n_layers))
            options = replace(options, frozen=frozen, frozen_encoding=state.encoding_frozen)
        state.begin_training(
            (optimizer.name, optimizer.constants), options.ema > 0, config.reset_optimizer
        )
        source = features(state, self.source, options, config.n_threads)
        scheduled = self.schedules_from(state.steps)
        n_threads = threads.for_step(state.spec.layer_sizes, self.batching.size, config.n_threads)
        deadline = perf_counter() + config.max_seconds
        if (
            config.epochs >= PACKED_EPOCHS
            and isinstance(source, Examples)
            and options.distortion is None
        ):
            state.pack(source.data, n_threads)
        several_at_once = (
            config.epochs > 1
            and not self.seeds
            and self.validation_set is None
            and may_run_at_once(state.spec, config, source)
        )
        return Setup(source, options, scheduled, n_threads, deadline, several_at_once)

    # --------- what each of several processes does in another way (distributed/shared_run.py)

    def pieces(self, source: Source) -> Iterator[Piece]:
        """Yield the batches of the coming epoch."""
        state, shuffle = self.state, self.config.shuffle
        seed = [state.spec.seed, state.epochs, *self.seeds]
        if not isinstance(source, Examples):
            rng = np.random.default_rng(seed) if shuffle is True else None
            return batches.batches_of_chunks(state, source, self.batching.cuts, rng)
        n_rows = len(source if self.rows is None else self.rows)
        if callable(shuffle):
            order = batches.row_numbers(shuffle, n_rows)
        elif shuffle and self.seeds:
            order = np.random.default_rng(seed).permutation(n_rows)
        elif shuffle:
            order = state.row_order(state.epochs, n_rows)
        else:
            order = np.arange(n_rows, dtype=np.int64)
        rows = order if self.rows is None else self.rows[order]
        return iter([Piece(source, rows, self.batching.starts)])

    def part_of(self, piece: Piece, scheduled: Scheduled, epoch: int, before: int) -> Batches:
        """Return the batches of a piece as the engine takes them; `before` came before them."""
        batching, n_rows = self.batching, len(piece.order)
        if batching.n_rows is None:  # otherwise `check` has done this
            self.check_batches(before * batching.size + n_rows)
        return self.batches_of(piece.order, batching.n_batches(n_rows), scheduled, epoch, before)

    def time_is_up(self, deadline: float) -> bool:
        """Return whether `max_seconds` are over."""
        return perf_counter() >= deadline

    def total(self, *sums: float) -> tuple[float, ...]:
        """Return sums over all examples, from those over the examples of this process."""
        return sums

    def end_epoch(self, history: History) -> str | None:
        """Call every callback; return the name of the first one that stops training."""
        names = [
            type(callback).__name__
            for callback in self.callbacks
            if callback.on_epoch_end(self.net, history)
        ]
        return names[0] if names else None
