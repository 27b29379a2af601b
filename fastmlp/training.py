"""fit: epochs, validation, stopping, and what happens when numbers run away.

Python decides between slices of an epoch, the engine computes them: it runs batches without the
GIL for SLICE seconds, then comes back so that Ctrl-C, `max_seconds` and other Python threads get
their turn.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, optimizers, threads
from .augment import Distortion
from .callbacks import Callback, EarlyStopping, Progress
from .examples import Examples, hold_out
from .history import History
from .optimizers import Optimizer

if TYPE_CHECKING:
    from .kernels.engine import Data, Warp
    from .network import MLP

__all__ = ["TrainingDiverged", "fit"]

SLICE = 0.02  # seconds
MOST_FEATURES = 512 << 20  # bytes of activations behind frozen layers that are kept during a fit


class TrainingDiverged(FloatingPointError):
    """The cost or a parameter became infinite or NaN in training.

    The network is as it was before that epoch, and its optimizer begins anew.

    Attributes
    ----------
    epoch, batch : int
        Where it happened, both counted from 1.
    history : History
        The epochs before it.
    """

    def __init__(
        self, message: str, epoch: int = 0, batch: int = 0, history: History | None = None
    ) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.batch = batch
        self.history = history if history is not None else History()


def fit(
    net: MLP,
    X: checks.Examples,
    y: ArrayLike,
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
    shuffle: bool = True,
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
        copy; uint8 counts as value × `uint8_scale`.  Other numbers are converted.
    y : array-like
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
    shuffle : bool, default True
        Draw a new order of the examples for each epoch; False keeps theirs.
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
    """
    examples = Examples.checked(net, X, y, sample_weight)
    kept, held_out = hold_out(net, examples, validation_data)
    epochs = checks.whole("epochs", epochs)
    n_layers = len(net.sizes) - 1
    if len(net.frozen) == n_layers:
        raise ValueError("every layer is frozen: nothing to train; see MLP.unfreeze")
    label_smoothing = checks.number("label_smoothing", label_smoothing, "[0, 1)")
    if label_smoothing > 0 and not net.loss.classification:
        raise ValueError(
            f"label_smoothing is for classification; the network's loss is {net.loss.name}"
        )
    run = _Run(
        net=net,
        examples=examples,
        kept=kept,
        held_out=held_out,
        epochs=epochs,
        batch_size=min(checks.whole("batch_size", batch_size), len(kept)),
        optimizer=checks.named("optimizer", optimizer, optimizers.TABLE, Optimizer),
        reset_optimizer=checks.flag("reset_optimizer", reset_optimizer),
        l2=checks.number("l2", l2, "[0, inf)"),
        shuffle=checks.flag("shuffle", shuffle),
        label_smoothing=label_smoothing,
        max_norm=0.0 if max_norm is None else checks.number("max_norm", max_norm, "(0, inf)"),
        clip_norm=0.0 if clip_norm is None else checks.number("clip_norm", clip_norm, "(0, inf)"),
        ema=0.0 if ema is None else checks.number("ema", ema, "(0, 1)"),
        rate_multipliers=_multipliers("rate_multipliers", rate_multipliers, n_layers),
        l2_multipliers=_multipliers("l2_multipliers", l2_multipliers, n_layers),
        warp=_warp(net, examples, augment),
        cost_below=-inf if cost_below is None else checks.number("cost_below", cost_below),
        max_seconds=inf
        if max_seconds is None
        else checks.number("max_seconds", max_seconds, "(0, inf)"),
        n_threads=None if n_threads is None else checks.whole("n_threads", n_threads),
        callbacks=[
            *_early_stopping(early_stopping),
            *_callbacks(callbacks),
            *([Progress(epochs)] if checks.flag("verbose", verbose) else []),
        ],
    )
    run.check_monitors()
    checks.normal_batches(
        [one and l not in net.frozen for l, one in enumerate(net.batch_norm)],
        len(kept),
        run.batch_size,
    )
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
    examples: Examples
    kept: NDArray[np.int64]  # the rows of `examples` to train on
    held_out: Examples | None
    epochs: int
    batch_size: int
    optimizer: Optimizer
    reset_optimizer: bool
    l2: float
    shuffle: bool
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
        data = self.training_data()
        n_batches = -(-len(self.kept) // self.batch_size)
        rate = self.optimizer.schedule.spanning(engine.steps, self.epochs * n_batches)
        deadline = perf_counter() + self.max_seconds
        for _ in range(self.epochs):
            started = perf_counter()
            if started >= deadline:
                return "max_seconds"
            rates = checks.rates(rate(np.arange(engine.steps, engine.steps + n_batches)), n_batches)
            cost = self.run_epoch(data, rates, deadline)
            if cost is None:
                return "max_seconds"
            if self.held_out is not None:
                validation_cost, accuracy = evaluate(self.net, self.held_out, self.n_threads)
                history.validation_cost.append(validation_cost)
                if accuracy is not None:
                    history.validation_accuracy.append(accuracy)
            history.learning_rate.append(float(rates[-1]))
            history.cost.append(cost)
            history.seconds.append(perf_counter() - started)
            stopping = [
                type(callback).__name__
                for callback in self.callbacks
                if callback.on_epoch_end(self.net, history)
            ]
            if cost < self.cost_below:
                return "cost_below"
            if stopping:
                return stopping[0]
        return "epochs"

    def training_data(self) -> Data:
        """The examples, or their activations behind layers that are frozen and draw nothing.

        Those are the same in every epoch, so they are computed once where they are not too large.
        """
        net, engine = self.net, self.net._engine
        first = min(l for l in range(len(net.sizes) - 1) if l not in net._frozen)
        drawn = any((net.input_dropout, *net.dropout[:first], *net.noise[:first]))
        size = len(self.examples) * net.sizes[first] * net.dtype.itemsize
        if first == 0 or drawn or self.warp is not None or size > MOST_FEATURES:
            return self.examples.data
        n_threads = threads.for_pass(net.sizes[: first + 1], len(self.examples), self.n_threads)
        by_average, engine.use_average = engine.use_average, False
        features = engine.level(self.examples.data, first, n_threads)
        engine.use_average = by_average
        return net._data(engine, features, self.examples.y, self.examples.weight, first)

    def run_epoch(
        self, data: Data, rates: NDArray[np.float64], deadline: float
    ) -> float | None:
        """Train once on every example; J over the epoch, or None if the time was up before."""
        net, engine = self.net, self.net._engine
        n_threads = threads.for_step(net.sizes, self.batch_size, self.n_threads)
        engine.keep()
        order = self.kept
        if self.shuffle:
            order = np.random.default_rng([net.seed, net.epochs]).permutation(order)
        epoch = net.epochs
        net.epochs += 1
        batch, total, weight = 0, 0.0, 0.0
        while batch < len(rates):
            first, started = batch, perf_counter()
            batch, total, weight, bad = engine.train(
                data,
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
            )
            seconds = perf_counter() - started
            self.crew.report(seconds / (batch - first), engine.slept / seconds)
            if bad >= 0:
                engine.recall()
                net._optimizer = None  # its state is spoilt too: the next fit begins anew
                raise self.diverged(bad, rates[bad])
            if batch < len(rates) and perf_counter() >= deadline:
                return None
        return total / weight + net._penalty(self.l2, self.l2_multipliers)

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


def evaluate(net: MLP, examples: Examples, n_threads: int | None) -> tuple[float, float | None]:
    """Return the cost of examples without λ and, for classification, the part predicted right."""
    used = threads.for_pass(net.sizes, len(examples), n_threads)
    total, weight, outputs = net._engine.evaluate(examples.data, used)
    if not net.loss.classification:
        return total / weight, None
    hits = net.loss.hits(outputs, examples.y)
    return total / weight, float(np.average(hits, weights=examples.weight))


def _warp(net: MLP, examples: Examples, augment: Distortion | None) -> Warp | None:
    """The distortion of these examples as the engine takes it."""
    if augment is None:
        return None
    if not isinstance(augment, Distortion):
        raise TypeError(f"augment must be a fastmlp.augment.Distortion, got {augment!r}")
    if isinstance(examples.X, tuple):
        raise TypeError("augment distorts dense images; X is a sparse matrix")
    return augment._warp(net.sizes[0], net.dtype.name)


def _multipliers(name: str, given: Sequence[float] | None, n_layers: int) -> tuple[float, ...]:
    """One factor ≥ 0 for each layer of weights."""
    def check(name: str, value: object) -> float:
        return checks.number(name, value, "[0, inf)")

    return checks.each(name, 1.0 if given is None else given, n_layers, check, "layers of weights")


def _early_stopping(wanted: bool | int | EarlyStopping | None) -> list[EarlyStopping]:
    """What fit's argument asks for, as callbacks."""
    if wanted is None or wanted is False:
        return []
    if wanted is True:
        return [EarlyStopping()]
    if isinstance(wanted, EarlyStopping):
        return [wanted]
    return [EarlyStopping(patience=checks.whole("early_stopping", wanted))]


def _callbacks(given: Iterable[Callback]) -> list[Callback]:
    """Fit's callbacks, each of them one."""
    if isinstance(given, Callback):
        raise TypeError(f"callbacks must be a list of callbacks, got one: write [{given!r}]")
    found = list(given)
    for i, callback in enumerate(found):
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks[{i}] must be an object of a subclass of fastmlp.Callback, got "
                f"{callback!r}"
            )
    return found
