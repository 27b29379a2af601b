"""fit: epochs, validation, stopping, and what happens when numbers run away.

Python decides between slices of an epoch, the engine computes them: it runs batches without the
GIL for SLICE seconds, then comes back so that Ctrl-C, `max_seconds` and other Python threads get
their turn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, optimizers, streaming, threads
from .augment import Distortion
from .callbacks import Callback, EarlyStopping, Progress, checked, stopping
from .examples import Examples, row_numbers
from .history import History, TrainingDiverged
from .optimizers import Optimizer
from .schedules import Rates, Steps
from .streaming import Chunks, Mapped, Source

if TYPE_CHECKING:
    from .kernels.engine import Warp
    from .network import MLP

__all__ = ["TrainingDiverged", "fit"]

SLICE = 0.02  # seconds
MOST_FEATURES = 512 << 20  # bytes of activations behind frozen layers that are kept during a fit


def fit(
    net: MLP,
    X: checks.Examples | streaming.Given,
    y: ArrayLike | None = None,
    *,
    epochs: int = 15,
    batch_size: int = 100,
    optimizer: str | Optimizer = "adam",
    l2: float = 0.0,
    validation_data: tuple[checks.Examples, ArrayLike] | float | None = None,
    sample_weight: ArrayLike | None = None,
    callbacks: Iterable[Callback] = (),
    cost_below: float | None = None,
    max_seconds: float | None = None,
    early_stopping: bool | int | EarlyStopping | None = None,
    shuffle: bool | Callable[[int], ArrayLike] = True,
    verbose: bool = False,
    label_smoothing: float = 0.0,
    max_norm: float | None = None,
    clip_norm: float | None = None,
    ema: float | None = None,
    rate_multipliers: Sequence[float] | None = None,
    l2_multipliers: Sequence[float] | None = None,
    augment: Distortion | None = None,
    n_threads: int | None = None,
    reset_optimizer: bool = False,
) -> History:
    """Train the network on examples: steps 2 to 7 of the report.

    A later call goes on from the parameters, and from the optimizer's state (moments and number
    of steps) if name and constants of the optimizer are the same; its learning rate may differ.
    Each epoch of a network's life has an order of its own, drawn from the network's seed.

    Parameters
    ----------
    X : array-like or SciPy sparse matrix, (m, n_in)
        Examples, one a row.  float32, float64, uint8 and CSR are read as they lie, without a
        copy; uint8 counts as value × `uint8_scale`.  Other numbers are converted.  A numpy.memmap
        is read in pieces.  Alone, without y: an iterable of chunks (X, y) or (X, y, sample_weight),
        gone through once an epoch, or a function that returns one.  See Notes.
    y : array-like, optional
        Targets.  For "cross_entropy" labels (m,) from 0 to n_out − 1, or probabilities
        (m, n_out); for "quantile" values (m, n_targets); for a loss of your own whatever it takes,
        an entry for each example; otherwise values (m, n_out), or (m,) with one output.
    epochs : int, default 15
        Passes over the examples, at most.
    batch_size : int, default 100
        Examples a step; the last batch of an epoch has what is left.  One batch of all if there
        are fewer.
    optimizer : str or Optimizer, default "adam"
        "gradient_descent", "adam", "adamw", "rmsprop", or an object such as
        ``fastmlp.Adam(0.01)``, whose learning rate may be a schedule (fastmlp.schedules).
    l2 : float, default 0.0
        λ of the penalty λ/2 Σ W², on weights, not on biases.
    validation_data : (X, y) or float, optional
        Examples to measure each epoch by, or the fraction, in (0, 1), of the given ones to set
        aside for it: at random by the network's seed, the same ones in each call.
    sample_weight : array-like, (m,), optional
        Weights s ≥ 0 of the examples in J.  Default: all 1.
    callbacks : iterable of Callback, optional
        Called before and after training and after each epoch, in this order.
    cost_below : float, optional
        Stop after the first epoch whose cost (`History.cost`) is smaller.
    max_seconds : float, optional
        Stop when so much time has passed, if need be within an epoch; that epoch then counts
        for the parameters but has no entry in the history.
    early_stopping : bool, int or EarlyStopping, optional
        True, a patience in epochs, or an object: stop when the validation cost has not become
        lower for so long, and go back to the best parameters.
    shuffle : bool or callable, default True
        Draw a new order of the examples for each epoch; False keeps theirs.  A function is given
        the number m of examples to train on and returns m row numbers, each from 0 to m − 1, for
        the coming epoch; not where X is read in pieces.
    verbose : bool, default False
        Show the figures of each epoch.
    label_smoothing : float, default 0.0
        s in [0, 1): train towards (1 − s)·y + s/K instead of y, K being the number of classes, or 2
        for "binary_cross_entropy" (Szegedy et al. 2016).  Validation takes y.
    max_norm : float, optional
        c: after each step the weights into a unit are scaled down to norm c if it is larger
        (Srivastava et al. 2014).
    clip_norm : float, optional
        Scale a step's gradient, λW included, down to this norm over all trained parameters if it
        is larger (Pascanu et al. 2013).
    ema : float, optional
        Keep an exponential moving average of the parameters with this decay in (0, 1), in the
        first steps min(ema, (1 + t)/(10 + t)), beside them.  Validation and, from then on, the
        network's predictions use it: see `MLP.use_average`.  A fit without it ends it.
    rate_multipliers, l2_multipliers : sequences of float, optional
        Factors ≥ 0 of the learning rate and of λ, one for each layer of weights.  Default: all 1.
    augment : fastmlp.augment.Distortion, optional
        Train on distorted copies of the images, made anew for each batch; X is then dense.
    n_threads : int, optional
        Most threads for this call.  Default: `fastmlp.get_num_threads()`, but one where a step
        is too small to share.  The result is the same bit for bit.
    reset_optimizer : bool, default False
        Begin with a new optimizer state in any case.

    Returns
    -------
    History
        Cost, validation figures, learning rate and seconds of each whole epoch, and what ended
        the training.  Also kept as ``net.history``.

    Raises
    ------
    TrainingDiverged
        If the cost or a parameter becomes infinite or NaN.
    RuntimeError
        If the network is in training already, in another Python thread or in a callback's caller.

    Notes
    -----
    Ctrl-C ends training within a few hundredths of a second, or one batch, with a warning; the
    history so far is returned.

    Chunks are checked as they come, and what has been learned before a bad one stays.  Rows left
    over at a chunk's end share a batch with the next chunk's first ones: unshuffled, a fit on
    chunks gives the same bits as one on all rows in one array.  Shuffled, rows change places within
    their chunk only.  A memmap is read in chunks of 32 MiB, shuffled of blocks of 1 MiB from all
    over the file.  Curves that span a fit (`Cosine`, `OneCycle`) need `total_steps` for chunks.
    For chunks and memmaps validation_data is a pair; it may be of memmaps itself, in any fit.

    Examples
    --------
    >>> net = fastmlp.MLP((64, 100, 10), dropout=0.2)
    >>> history = net.fit(X, y, epochs=100, validation_data=0.1, early_stopping=5)
    >>> history.stopped_by, history.validation_accuracy[-1] > 0.95
    ('EarlyStopping', True)
    """
    epochs = checks.whole("epochs", epochs)
    source = streaming.source(net, X, y, sample_weight, epochs)
    kept, held_out = streaming.validation(net, source, validation_data)
    n_rows = None if isinstance(source, Chunks) else len(source if kept is None else kept)
    batch_size = checks.whole("batch_size", batch_size)
    n_layers = len(net.sizes) - 1
    if len(net.frozen) == n_layers:
        raise ValueError("every layer is frozen: nothing to train; see MLP.unfreeze")
    label_smoothing = checks.number("label_smoothing", label_smoothing, "[0, 1)")
    if label_smoothing > 0 and not net.loss.classification:
        raise ValueError(
            f"label_smoothing is for classification; the network's loss is {net.loss.name}"
        )
    if callable(shuffle) and not isinstance(source, Examples):
        raise ValueError("shuffle must be True or False where X is read in pieces, got a function")
    run = _Run(
        net=net,
        source=source,
        kept=kept,
        n_rows=n_rows,
        held_out=held_out,
        epochs=epochs,
        batch_size=batch_size if n_rows is None else min(batch_size, n_rows),
        optimizer=checks.named("optimizer", optimizer, optimizers.TABLE, Optimizer),
        reset_optimizer=checks.flag("reset_optimizer", reset_optimizer),
        l2=checks.number("l2", l2, "[0, inf)"),
        shuffle=_shuffle(shuffle, source),
        label_smoothing=label_smoothing,
        max_norm=0.0 if max_norm is None else checks.number("max_norm", max_norm, "(0, inf)"),
        clip_norm=0.0 if clip_norm is None else checks.number("clip_norm", clip_norm, "(0, inf)"),
        ema=0.0 if ema is None else checks.number("ema", ema, "(0, 1)"),
        rate_multipliers=_multipliers("rate_multipliers", rate_multipliers, n_layers),
        l2_multipliers=_multipliers("l2_multipliers", l2_multipliers, n_layers),
        warp=_warp(net, source, augment),
        cost_below=-inf if cost_below is None else checks.number("cost_below", cost_below),
        max_seconds=inf
        if max_seconds is None
        else checks.number("max_seconds", max_seconds, "(0, inf)"),
        n_threads=None if n_threads is None else checks.whole("n_threads", n_threads),
        callbacks=[
            *stopping(early_stopping),
            *checked(callbacks),
            *([Progress(epochs)] if checks.flag("verbose", verbose) else []),
        ],
    )
    run.check_monitors()
    if n_rows is not None:
        run.check_batches(n_rows)
    run.spanning(0)  # refuses here what it cannot span
    if not net._lock.acquire(blocking=False):
        raise RuntimeError(
            "this network is in training already; wait until that call of fit returns, or train "
            "a copy (copy.deepcopy)"
        )
    try:
        return run.train()
    finally:
        net._lock.release()


@dataclass
class _Run:
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
        deadline = perf_counter() + self.max_seconds
        for _ in range(self.epochs):
            started = perf_counter()
            if started >= deadline:
                return "max_seconds"
            done = self.run_epoch(source, rate, deadline)
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
        order = np.arange(len(source), dtype=np.int64) if self.kept is None else self.kept
        if rng is not None:
            order = rng.permutation(order)
        elif callable(self.shuffle):
            order = order[row_numbers(self.shuffle(len(order)), len(order))]
        return iter([(source, order)])

    def run_epoch(
        self, source: Source, rate: Callable[[Steps], Rates], deadline: float
    ) -> tuple[float, float] | None:
        """Train once on every example; J over the epoch and the last step's learning rate.

        None if the time was up before.
        """
        net, engine, epoch = self.net, self.net._engine, self.net.epochs
        n_threads = threads.for_step(net.sizes, self.batch_size, self.n_threads)
        engine.keep()
        before, total, weight, last_rate = 0, 0.0, 0.0, 0.0
        for examples, order in self.parts(source):
            if self.n_rows is None:  # otherwise at the door
                self.check_batches(before * self.batch_size + len(order))
            if self.warp is not None:
                _dense(examples)
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


def _warp(net: MLP, source: Source, augment: Distortion | None) -> Warp | None:
    """The distortion of these examples as the engine takes it."""
    if augment is None:
        return None
    if not isinstance(augment, Distortion):
        raise TypeError(f"augment must be a fastmlp.augment.Distortion, got {augment!r}")
    if isinstance(source, Examples):
        _dense(source)
    return augment._warp(net.sizes[0], net.dtype.name)


def _dense(examples: Examples) -> None:
    if isinstance(examples.X, tuple):
        raise TypeError("augment distorts dense images; X is a sparse matrix")


def _shuffle(
    given: bool | Callable[[int], ArrayLike], source: Source
) -> bool | Callable[[int], ArrayLike]:
    """How the order of examples is drawn."""
    if not callable(given):
        return checks.flag("shuffle", given)
    if not isinstance(source, Examples):
        raise TypeError("shuffle as a function orders examples in memory; give True or False")
    return given


def _multipliers(name: str, given: Sequence[float] | None, n_layers: int) -> tuple[float, ...]:
    """One factor ≥ 0 for each layer of weights."""
    def check(name: str, value: object) -> float:
        return checks.number(name, value, "[0, inf)")

    return checks.each(name, 1.0 if given is None else given, n_layers, check, "layers of weights")
