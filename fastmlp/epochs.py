"""The epochs of a fit: validation, stopping, and what happens when numbers run away.

Python decides between slices of an epoch, the engine computes them: it runs batches without the
GIL for SLICE seconds, then comes back so that Ctrl-C, `max_seconds` and other Python threads get
their turn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, streaming, threads
from .callbacks import Callback, EarlyStopping
from .examples import Examples, row_numbers
from .history import History, TrainingDiverged
from .optimizers import Optimizer
from .streaming import Mapped, Source

if TYPE_CHECKING:
    from .kernels.engine import Warp
    from .network import MLP
    from .schedules import Rates, Steps

__all__ = ["Run", "evaluate"]

SLICE = 0.02  # seconds
MOST_FEATURES = 512 << 20  # bytes of activations behind frozen layers that are kept during a fit


@dataclass
class Run:
    """One call of fit, its arguments checked."""

    net: MLP
    source: Source
    kept: NDArray[np.int64] | None  # the rows of `source` to train on; None: all
    n_rows: int | None  # how many these are; None: not known
    held_out: Examples | Mapped | None
    epochs: int
    batch_size: int
    optimizer: Optimizer
    reset_optimizer: bool
    l2: float
    shuffle: bool | Callable[[int], ArrayLike]
    label_smoothing: float
    max_norm: float  # 0: none
    clip_norm: float  # 0: none
    ema: float  # 0: none
    rate_multipliers: tuple[float, ...]
    l2_multipliers: tuple[float, ...]
    warp: Warp | None
    cost_below: float
    max_seconds: float
    n_threads: int | None
    callbacks: list[Callback]
    crew: threads.Crew = field(default_factory=threads.Crew)

    def check_monitors(self) -> None:
        """Early stopping watches a figure that there will be."""
        there = {"cost"}
        if self.held_out is not None:
            there.add("validation_cost")
            if self.net.loss.classification:
                there.add("validation_accuracy")
        for callback in self.callbacks:
            if isinstance(callback, EarlyStopping) and callback.monitor not in there:
                raise ValueError(
                    f"early stopping watches {callback.monitor}, which this fit does not have; "
                    f"give validation_data, or EarlyStopping(monitor=…) with one of "
                    f"{', '.join(sorted(there))}"
                )

    def check_batches(self, n_rows: int) -> None:
        """So many examples leave none alone in a batch that is normalized."""
        net = self.net
        normalized = [one and l not in net.frozen for l, one in enumerate(net.batch_norm)]
        checks.normal_batches(normalized, n_rows, self.batch_size)

    def spanning(self, first: int) -> Callable[[Steps], Rates]:
        """The learning rates from step `first` on."""
        n = self.n_rows
        count = None if n is None else self.epochs * -(-n // self.batch_size)
        return self.optimizer.schedule.spanning(first, count)

    def train(self) -> History:
        """All epochs, with the callbacks around them, whatever ends it."""
        net, history = self.net, History()
        net.history = history
        try:
            for callback in self.callbacks:
                callback.on_fit_begin(net, history)
            history.stopped_by = self.run_epochs(history)
        except KeyboardInterrupt:
            history.stopped_by = "interrupt"
            warnings.warn(
                f"Training interrupted, whole epochs done: {history.epochs}; the network keeps "
                f"what it has learned",
                stacklevel=3,
            )
        except BaseException as error:
            history.stopped_by = "divergence" if isinstance(error, TrainingDiverged) else "error"
            raise
        finally:
            for callback in self.callbacks:
                callback.on_fit_end(net, history)
        return history

    def run_epochs(self, history: History) -> str:
        """One epoch after the other until something stops them; what that was."""
        engine = self.net._engine
        engine.label_smoothing = self.label_smoothing
        engine.max_norm = self.max_norm
        engine.clip_norm = self.clip_norm
        engine.ema = self.ema
        engine.set_layers(
            [l in self.net._frozen for l in range(len(self.net.sizes) - 1)],
            self.rate_multipliers,
            self.l2_multipliers,
        )
        engine.set_warp(self.warp)
        if self.ema > 0:
            engine.start_average()
            engine.use_average = True
        else:
            engine.drop_average()
        kind = (self.optimizer.name, self.optimizer.constants)
        if self.reset_optimizer or self.net._optimizer != kind:
            engine.set_optimizer(*kind)
            self.net._optimizer = kind
        source = self.training_source()
        rate = self.spanning(engine.steps)
        n_threads = threads.for_step(self.net.sizes, self.batch_size, self.n_threads)
        deadline = perf_counter() + self.max_seconds
        for _ in range(self.epochs):
            started = perf_counter()
            if started >= deadline:
                return "max_seconds"
            done = self.run_epoch(source, rate, n_threads, deadline)
            if done is None:
                return "max_seconds"
            cost, last_rate = done
            if self.held_out is not None:
                validation_cost, accuracy = evaluate(self.net, self.held_out, self.n_threads)
                history.validation_cost.append(validation_cost)
                if accuracy is not None:
                    history.validation_accuracy.append(accuracy)
            history.learning_rate.append(last_rate)
            history.cost.append(cost)
            history.seconds.append(perf_counter() - started)
            stopped_by = [
                type(callback).__name__
                for callback in self.callbacks
                if callback.on_epoch_end(self.net, history)
            ]
            if cost < self.cost_below:
                return "cost_below"
            if stopped_by:
                return stopped_by[0]
        return "epochs"

    def training_source(self) -> Source:
        """The examples, or their activations behind layers that are frozen and draw nothing.

        Those are the same in every epoch, so they are computed once where they are not too large.
        """
        net, engine = self.net, self.net._engine
        first = min(l for l in range(len(net.sizes) - 1) if l not in net._frozen)
        drawn = any((net.input_dropout, *net.dropout[:first], *net.noise[:first]))
        source = self.source
        if not isinstance(source, Examples) or first == 0 or drawn or self.warp is not None:
            return source
        if len(source) * net.sizes[first] * net.dtype.itemsize > MOST_FEATURES:
            return source
        n_threads = threads.for_pass(net.sizes[: first + 1], len(source), self.n_threads)
        by_average, engine.use_average = engine.use_average, False
        features = engine.level(source.data, first, n_threads)
        engine.use_average = by_average
        data = net._data(engine, features, source.y, source.weight, first)
        return replace(source, X=features, data=data)

    def parts(self, source: Source) -> Iterator[tuple[Examples, NDArray[np.int64]]]:
        """The coming epoch's examples, with the rows to train on in order: whole batches."""
        net = self.net
        rng = np.random.default_rng([net.seed, net.epochs]) if self.shuffle is True else None
        if not isinstance(source, Examples):
            return streaming.parts(net, source, self.batch_size, rng)
        n_rows = len(source if self.kept is None else self.kept)
        if callable(self.shuffle):
            order = row_numbers(self.shuffle(n_rows), n_rows)
        else:
            order = np.arange(n_rows, dtype=np.int64)
            if rng is not None:
                rng.shuffle(order)
        return iter([(source, order if self.kept is None else self.kept[order])])

    def run_epoch(
        self, source: Source, rate: Callable[[Steps], Rates], n_threads: int, deadline: float
    ) -> tuple[float, float] | None:
        """Train once on every example; J over the epoch and the last step's learning rate.

        None if the time was up before.
        """
        net, engine, epoch = self.net, self.net._engine, self.net.epochs
        engine.keep()
        before, total, weight, last_rate = 0, 0.0, 0.0, 0.0
        for examples, order in self.parts(source):
            if self.n_rows is None:  # otherwise at the door
                self.check_batches(before * self.batch_size + len(order))
            if self.warp is not None:
                examples.require_dense()
            n_batches = -(-len(order) // self.batch_size)
            rates = checks.rates(rate(np.arange(engine.steps, engine.steps + n_batches)), n_batches)
            net.epochs = epoch + 1
            batch = 0
            while batch < n_batches:
                first, started = batch, perf_counter()
                batch, total, weight, bad = engine.train(
                    examples.data,
                    order,
                    self.batch_size,
                    batch,
                    rates,
                    self.l2,
                    self.crew.size(n_threads),
                    min(SLICE, deadline - started),
                    total,
                    weight,
                    epoch,
                    before,
                )
                seconds = perf_counter() - started
                self.crew.report(seconds / (batch - first), engine.slept / seconds)
                if bad >= 0:
                    engine.recall()
                    net._optimizer = None  # its state is spoilt too: the next fit begins anew
                    raise self.diverged(before + bad, rates[bad])
                if batch < n_batches and perf_counter() >= deadline:
                    return None
            before, last_rate = before + n_batches, float(rates[-1])
            del examples  # a chunk goes before the next one comes
        if weight == 0:
            raise ValueError("sample_weight is zero for every example")
        return total / weight + net._penalty(self.l2, self.l2_multipliers), last_rate

    def diverged(self, batch: int, rate: float) -> TrainingDiverged:
        """The error that names the place and what may help."""
        epoch = self.net.history.epochs + 1
        return TrainingDiverged(
            f"the cost or a parameter became infinite or NaN in epoch {epoch}, batch {batch + 1}; "
            f"the network is as it was before that epoch. Lower the learning rate (it was "
            f"{rate:g}), or scale X so that its columns are about 1 in size",
            epoch,
            batch + 1,
            self.net.history,
        )


def evaluate(
    net: MLP, source: Examples | Mapped, n_threads: int | None
) -> tuple[float, float | None]:
    """Return the cost of examples without λ and, for classification, the part predicted right."""
    total = weight = right = 0.0
    for examples in source.chunks():
        used = threads.for_pass(net.sizes, len(examples), n_threads)
        cost, counted, outputs = net._engine.evaluate(examples.data, used)
        total, weight = total + cost, weight + counted
        if net.loss.classification:
            hits = net.loss.hits(outputs, examples.y).astype(np.float64)
            right += float(np.sum(hits if examples.weight is None else hits * examples.weight))
    return total / weight, right / weight if net.loss.classification else None
