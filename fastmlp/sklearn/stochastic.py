"""Training by solver "sgd" or "adam": one fit of the network, with scikit-learn's bookkeeping.

The network trains whole epochs in compiled code; after each, `Progress` does what scikit-learn
does there: loss curve, validation, learning rate, stopping.  What differs in form:

    scikit-learn   v ← μv − αg,  W ← W + v       the velocity v has the rate in it
    fastmlp        v ← μv + g,   W ← W − αv      so v is scaled where the rate changes

    scikit-learn   g = (Σ s_i ∂cost_i + alpha·W) / Σ s_i   over a batch
    fastmlp        g =  Σ s_i ∂cost_i / Σ s_i + λW         λ = alpha / Σ s_i by `l2_per_weight`
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ..callbacks import Callback, of_fit
from ..history import TrainingDiverged
from ..schedules import Schedule
from ..training import FitConfig, fit
from . import options
from .protocol import Tasks
from .validation import Part, Watch

if TYPE_CHECKING:
    from ..history import History
    from ..model.state import Snapshot
    from ..network import MLP

__all__ = ["LONGEST_CURVE", "train"]

LEAST_RATE = 1e-6  # below which "adaptive" stops, as in scikit-learn
LONGEST_CURVE = 1000  # losses that partial_fit keeps, so that a stream's estimator does not grow


@dataclass(frozen=True)
class Rate(Schedule):
    """The learning rate that the estimator has come to, as `Progress` sets it after an epoch."""

    name = "estimator"
    estimator: Any

    def __call__(self, steps: Any) -> NDArray[np.float64]:
        return np.full(np.shape(steps), self.estimator._rate)


class Order:
    """The order of examples, shuffled again for each epoch, by scikit-learn's draws."""

    def __init__(self, rng: np.random.RandomState) -> None:
        self.rng = rng
        self.order: NDArray[np.int64] | None = None

    def __call__(self, n_rows: int) -> NDArray[np.int64]:
        picked = np.arange(n_rows)
        self.rng.shuffle(picked)
        self.order = picked if self.order is None else self.order[picked]
        return self.order


class Progress(Callback):
    """What happens after each epoch; the estimator's attributes are up to date at any time."""

    def __init__(
        self,
        estimator: Any,
        n_rows: int,
        batch_size: int,
        total_weight: float,
        offset: float,
        watch: Watch | None,
        incremental: bool,
        tasks: Tasks,
    ) -> None:
        self.estimator = estimator
        self.n_rows = n_rows
        self.n_batches = -(-n_rows // batch_size)
        self.l2 = estimator.alpha * self.n_batches / total_weight  # mean of alpha / Σ s_i
        self.offset = offset
        self.watch = watch
        self.incremental = incremental
        self.tasks = tasks
        self.converged = False
        self.best: Snapshot | None = None

    def on_fit_begin(self, net: MLP, history: History) -> None:
        self.estimator.n_iter_ = 0
        self.half_squares = net.state.penalty(1.0)  # ½ Σ W²
        if self.estimator.early_stopping:
            self.best = net.snapshot()
        self.tasks.begin_epoch()

    def on_fit_end(self, net: MLP, history: History) -> None:
        if self.best is not None:
            net.restore(self.best)

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        est = self.estimator
        est.n_iter_ += 1
        est.t_ += self.n_rows
        est.loss_ = self.loss(net, history)
        est.loss_curve_.append(est.loss_)
        if self.incremental:
            del est.loss_curve_[:-LONGEST_CURVE]
        if est.verbose:
            print(f"Iteration {est.n_iter_}, loss = {est.loss_:.8f}")
        self.count_improvements(net)
        if est.solver == "sgd" and est.learning_rate == "invscaling":
            self.set_rate(net, est.learning_rate_init / (est.t_ + 1) ** est.power_t)
        if est._no_improvement_count > est.n_iter_no_change:
            self.converged = self.is_stopping(net)
            if not self.converged:
                est._no_improvement_count = 0
        wanted = self.tasks.end_epoch()
        if self.converged or wanted:
            return True
        if est.n_iter_ < est.max_iter and not self.incremental:
            self.tasks.begin_epoch()
        return False

    def note_divergence(self) -> None:
        """An epoch without finite figures; early stopping has gone back to the best before it."""
        est = self.estimator
        est.n_iter_ += 1
        est.t_ += self.n_rows
        est.loss_ = np.nan
        for curve in (est.loss_curve_, est.validation_loss_curve_, est.validation_scores_):
            curve.append(np.nan)

    def loss(self, net: MLP, history: History) -> float:
        """scikit-learn's: a mean over outputs, and each batch's penalty of the weights before it.

        These are taken to move evenly from the epoch's beginning to its end.
        """
        before, self.half_squares = self.half_squares, net.state.penalty(1.0)
        data = history.cost[-1] - self.estimator.alpha * self.half_squares
        done = (self.n_batches - 1) / (2 * self.n_batches)  # on average
        half_squares = before + done * (self.half_squares - before)
        return float(data / self.estimator._per_output + self.offset + self.l2 * half_squares)

    def count_improvements(self, net: MLP) -> None:
        """Epochs without a better validation score or, without early stopping, training loss."""
        est = self.estimator
        if self.watch is not None:
            loss, score = self.watch.figures()
            est.validation_loss_curve_.append(loss)
        if est.early_stopping:
            est.validation_scores_.append(score)
            if est.verbose:
                print(f"Validation score: {score:f}")
            is_worse = score < est.best_validation_score_ + est.tol
            if score > est.best_validation_score_:
                est.best_validation_score_ = score
                self.best = net.snapshot()
        else:
            is_worse = est.loss_ > est.best_loss_ - est.tol
            est.best_loss_ = min(est.best_loss_, est.loss_)
        est._no_improvement_count = est._no_improvement_count + 1 if is_worse else 0

    def is_stopping(self, net: MLP) -> bool:
        """Stop, or go on with a fifth of the rate."""
        est = self.estimator
        what = "Validation score" if est.early_stopping else "Training loss"
        message = (
            f"{what} did not improve more than tol={est.tol:f} for {est.n_iter_no_change} "
            f"consecutive epochs."
        )
        adaptive = est.solver == "sgd" and est.learning_rate == "adaptive"
        if adaptive and est._rate > LEAST_RATE:
            self.set_rate(net, est._rate / 5)
            message += f" Setting learning rate to {est._rate:f}"
            stopping = False
        else:
            message += " Learning rate too small. Stopping." if adaptive else " Stopping."
            stopping = True
        if est.verbose:
            print(message)
        return stopping

    def set_rate(self, net: MLP, rate: float) -> None:
        """Change the rate, and the velocity with it, from the next step on."""
        if self.estimator.momentum > 0:
            factor = net.dtype.type(self.estimator._rate / rate)
            state = net.state
            slots = [
                [tuple(factor * one for one in layer) for layer in layers]
                for layers in state.optimizer_state()
            ]
            assert state.optimizer is not None
            state.set_optimizer_state(state.optimizer, slots, state.steps)
        self.estimator._rate = rate


def train(
    estimator: Any,
    part: Part,
    watch: Watch | None,
    rng: np.random.RandomState,
    incremental: bool,
    tasks: Tasks,
) -> None:
    """Train `estimator.network_` until it converges, or for one epoch if `incremental`."""
    net, n_rows = estimator.network_, len(part)
    batch_size = estimator.batch_size
    if batch_size == "auto":
        batch_size = min(200, n_rows)
        while any(net.batch_norm) and batch_size > 2 and n_rows % batch_size == 1:
            batch_size -= 1  # nobody is normalized alone
    if any(net.batch_norm) and n_rows == 1:
        raise ValueError("batch_norm needs at least 2 examples in a batch, got n_samples=1")
    if batch_size > n_rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=4,
        )
        batch_size = n_rows
    total_weight = n_rows if part.weight is None else float(np.sum(part.weight))
    if not (incremental and hasattr(estimator, "_rate")):
        estimator._rate = estimator.learning_rate_init
    rate = estimator.learning_rate
    schedule = rate if isinstance(rate, Schedule) else Rate(estimator)
    progress = Progress(
        estimator,
        n_rows,
        batch_size,
        total_weight,
        estimator._offset(part),
        watch,
        incremental,
        tasks,
    )
    config = FitConfig.checked(
        net.state.spec,
        epochs=1 if incremental else estimator.max_iter,
        batch_size=batch_size,
        optimizer=options.optimizer(estimator, schedule),
        l2=estimator.alpha,
        l2_per_weight=True,
        shuffle=Order(rng) if estimator.shuffle else False,
        max_seconds=estimator.max_seconds,
        label_smoothing=getattr(estimator, "label_smoothing", 0.0),
        ema=estimator.ema,
        n_threads=estimator.n_threads,
        reset_optimizer=not incremental,
        by_row_hash=any(net.dropout),  # a repeated row is one with a weight of 2
    )
    callbacks = of_fit([progress, *estimator.callbacks_], None, config.epochs, verbose=False)
    try:
        history = fit(
            net, part.X, part.target, config, sample_weight=part.weight, callbacks=callbacks
        )
    except TrainingDiverged:
        if not estimator.early_stopping:
            raise ValueError(options.DIVERGED) from None
        progress.note_divergence()
        return
    if history.stopped_by == "epochs" and not progress.converged and not incremental:
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
            f"optimization hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=4,
        )
