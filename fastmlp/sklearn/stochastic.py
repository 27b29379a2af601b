"""Training by solver "sgd" or "adam": one fit of the network, with scikit-learn's bookkeeping.

The network trains whole epochs in compiled code; after each epoch, `EpochEnd` does what
scikit-learn does there: loss curve, validation, learning rate, stopping.  Two formulas have another
form:

    scikit-learn   v ← μv − αg,  W ← W + v       the velocity v contains the rate
    fastmlp        v ← μv + g,   W ← W − αv      so v is scaled where the rate changes

    scikit-learn   g = (Σ s_i ∂cost_i + alpha·W) / Σ s_i   over a batch
    fastmlp        g =  Σ s_i ∂cost_i / Σ s_i + λW         λ = alpha / Σ s_i by `l2_per_weight`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..callbacks import Callback, of_fit
from ..data.batches import Batching
from ..history import TrainingDiverged
from ..support.user_warnings import warn_user
from ..training.loop import Run
from . import options
from .epoch_loss import MOST_EPOCHS
from .plan import Plan, initialize_rate, plan_of
from .samples import Samples
from .sklearn_callbacks import FitTasks
from .validation import Validation

if TYPE_CHECKING:
    from ..history import History
    from ..model.state import Layer, Snapshot
    from ..network import MLP

__all__ = ["MAX_CURVE_LENGTH", "train"]

MIN_RATE = 1e-6  # "adaptive" stops below this rate, as in scikit-learn
MARGIN = 2.0**10  # between velocities or rates and the ends of their dtype's range
MAX_CURVE_LENGTH = 1000  # losses that partial_fit keeps, so that a stream's estimator does not grow


class EpochEnd(Callback):
    """Does after each epoch what scikit-learn does there; the estimator's attributes are current.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted.
    plan : Plan
        The fit.
    validation : Validation or None
        The validation set.
    incremental : bool
        Whether this is a call of partial_fit.
    tasks : FitTasks
        The fit as scikit-learn's own callbacks see it.
    """

    def __init__(
        self,
        estimator: Any,
        plan: Plan,
        validation: Validation | None,
        incremental: bool,
        tasks: FitTasks,
    ) -> None:
        self.estimator = estimator
        self.n_rows = plan.n_samples
        self.batch_size = plan.batch_size
        self.loss = plan.loss
        self.shuffle = plan.shuffle
        self.validation = validation
        self.incremental = incremental
        self.tasks = tasks
        self.tol = options.number(estimator, "tol")
        self.patience = options.number(estimator, "n_iter_no_change")
        self.converged = False
        self.unfinished_batches: int | None = None  # of a first epoch that did not end
        self.best: Snapshot | None = None

    def on_fit_begin(self, net: MLP, history: History) -> None:
        self.estimator.n_iter_ = 0
        self.loss.frozen_squares = 0.0
        if net.frozen:
            self.squares_at_begin = net.state.penalty(2.0)  # Σ W²
        if self.estimator.early_stopping:
            self.best = net.snapshot()
        self.tasks.begin_epoch()

    def on_fit_end(self, net: MLP, history: History) -> None:
        """Restore the best parameters; an unfinished first epoch is recorded before."""
        stopped_within = history.stopped_by in ("max_seconds", "interrupt")
        if stopped_within and self.estimator.n_iter_ == 0:
            self.record_unfinished_epoch(net, history.unfinished_batches)
        if self.best is not None:
            net.restore(self.best)

    def _epochs_at_once(self) -> int:
        est = self.estimator
        if (
            est.verbose
            or self.validation is not None
            or self.tasks.has_callbacks
            or (est.solver == "sgd" and est.learning_rate == "invscaling")
        ):
            return 1
        return int(min(MOST_EPOCHS, self.patience - est._no_improvement_count + 1))

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        est = self.estimator
        self.record_epoch(net)
        if self.validation is not None:
            history.metrics.setdefault("loss", []).append(est.validation_loss_curve_[-1])
            if est.early_stopping:
                history.metrics.setdefault("score", []).append(est.validation_scores_[-1])
        if est.solver == "sgd" and est.learning_rate == "invscaling":
            first, power = (options.number(est, name) for name in ("learning_rate_init", "power_t"))
            self.set_rate(net, inverse_scaling(first, est.t_, power))
        if est._no_improvement_count > self.patience:
            self.converged = self.is_stopping(net)
            if not self.converged:
                est._no_improvement_count = 0
        stopped = self.tasks.end_epoch()
        if self.converged or stopped:
            return True
        self.tasks.begin_epoch()
        return False

    def record_unfinished_epoch(self, net: MLP, n_batches: int) -> None:
        """Record the batches of a first epoch that the time limit or Ctrl-C has ended."""
        self.unfinished_batches = n_batches
        if n_batches > 0:
            self.record_epoch(net, n_batches)
        else:
            self.estimator.loss_ = np.nan

    def record_epoch(self, net: MLP, n_batches: int | None = None) -> None:
        """Record the loss and the score of an epoch, or of its first batches."""
        est = self.estimator
        est.n_iter_ += 1
        est.t_ += self.n_rows if n_batches is None else min(
            n_batches * self.batch_size, self.n_rows
        )
        if net.frozen and est.n_iter_ == 1:
            self.loss.frozen_squares = self.squares_at_begin - self.loss.batch_sums[0, 1]
        order = None if self.shuffle is None else self.shuffle.end_epoch()
        est.loss_ = self.loss(order, n_batches)
        est.loss_curve_.append(est.loss_)
        if self.incremental:
            del est.loss_curve_[:-MAX_CURVE_LENGTH]
        if est.verbose:
            print(f"Iteration {est.n_iter_}, loss = {est.loss_:.8f}")
        self.count_improvements(net)

    def record_divergence(self) -> None:
        """Record an epoch whose numbers are not finite; the best parameters are restored."""
        est = self.estimator
        est.n_iter_ += 1
        est.t_ += self.n_rows
        est.loss_ = np.nan
        for curve in (est.loss_curve_, est.validation_loss_curve_, est.validation_scores_):
            curve.append(np.nan)

    def count_improvements(self, net: MLP) -> None:
        """Count epochs without a better validation score or, without it, training loss."""
        est = self.estimator
        if self.validation is not None:
            loss, score = self.validation.evaluate()
            est.validation_loss_curve_.append(loss)
        if est.early_stopping:
            est.validation_scores_.append(score)
            if est.verbose:
                print(f"Validation score: {score:f}")
            is_worse = score < est.best_validation_score_ + self.tol
            if score > est.best_validation_score_:
                est.best_validation_score_ = score
                self.best = net.snapshot()
        else:
            is_worse = est.loss_ > est.best_loss_ - self.tol
            est.best_loss_ = min(est.best_loss_, est.loss_)
        est._no_improvement_count = est._no_improvement_count + 1 if is_worse else 0

    def is_stopping(self, net: MLP) -> bool:
        """Return whether to stop; otherwise divide the learning rate by 5."""
        est = self.estimator
        name = "Validation score" if est.early_stopping else "Training loss"
        message = (
            f"{name} did not improve more than tol={self.tol:f} for {self.patience} "
            f"consecutive epochs."
        )
        adaptive = est.solver == "sgd" and est.learning_rate == "adaptive"
        if adaptive and est._rate > MIN_RATE:
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
        """Change the learning rate, and the velocity with it, from the next step on.

        With momentum the rate is at least one by which velocity and rate are numbers of the
        network's dtype. New gradients change nothing at such a rate, but the velocity still moves
        the parameters.
        """
        if self.estimator.momentum > 0:
            state = net.state
            velocity = state.optimizer_state()
            before = self.estimator._rate
            rate = max(rate, min(before, least_rate(before, velocity, net.dtype)))
            factor = net.dtype.type(before / rate)
            slots = [
                [tuple(factor * array for array in layer) for layer in layers]
                for layers in velocity
            ]
            assert state.optimizer is not None
            state.set_optimizer_state(state.optimizer, slots, state.steps)
        self.estimator._rate = rate


def inverse_scaling(first: float, t: int, power: float) -> float:
    """Return the learning rate first / (t + 1)^power after t samples."""
    try:
        return float(first / float(t + 1) ** float(power))
    except OverflowError:
        return 0.0


def least_rate(rate: float, velocity: Sequence[Sequence[Layer]], dtype: np.dtype[Any]) -> float:
    """Return the least rate to which a rate may change with the velocity, so that both fit."""
    numbers = np.finfo(dtype)
    largest = max(
        float(np.abs(array).max()) for layers in velocity for layer in layers for array in layer
    )
    return max(rate * largest * MARGIN / float(numbers.max), MARGIN * float(numbers.tiny))


def train(
    estimator: Any,
    samples: Samples,
    validation: Validation | None,
    rng: np.random.RandomState,
    incremental: bool,
    tasks: FitTasks,
) -> Callable[[], None]:
    """Train `estimator.network_` until it converges, or for one epoch if `incremental`.

    Returns the function that warns of how training has ended, to be called after the fit.
    """
    net = estimator.network_
    initialize_rate(estimator, incremental)
    plan = plan_of(estimator, samples, incremental)
    if plan.shuffle is not None:
        plan.shuffle.begin_fit(rng)
    epoch_end = EpochEnd(estimator, plan, validation, incremental, tasks)
    callbacks: list[Callback] = [epoch_end]
    if estimator.callbacks_:
        callbacks += of_fit(estimator.callbacks_, None, plan.config.epochs, False)
    examples = samples.examples(net.state)
    run = Run(
        net,
        plan.config,
        examples,
        rows=None,
        batching=Batching.of(examples, None, plan.config.batch_size),
        validation_set=None,
        callbacks=callbacks,
        team=plan.team,
    )
    try:
        history = run.fit()
    except TrainingDiverged:
        if not (estimator.early_stopping and validation is not None and validation.has_score):
            raise ValueError(options.DIVERGED) from None
        epoch_end.record_divergence()
        message = (
            f"Training has diverged in epoch {estimator.n_iter_}, whose numbers are not finite. "
            f"The parameters of the epoch with the best validation score are restored."
        )
        return partial(warn_user, message, ConvergenceWarning)
    if estimator.early_stopping and validation is not None and estimator.n_iter_ > 0:
        validation.require_score()
    messages = []
    if epoch_end.unfinished_batches is not None:
        limit = estimator.max_seconds
        reason = f" (max_seconds={limit})" if history.stopped_by == "max_seconds" else ""
        messages.append(
            f"Training has ended within the first epoch, after {epoch_end.unfinished_batches} of "
            f"{len(epoch_end.loss.n_rows)} batches{reason}."
        )
    if history.stopped_by == "epochs" and not epoch_end.converged and not incremental:
        messages.append(
            f"Stochastic Optimizer: Maximum iterations ({plan.config.epochs}) reached and the "
            f"optimization hasn't converged yet."
        )

    def warn() -> None:
        for message in messages:
            warn_user(message, ConvergenceWarning)

    return warn
