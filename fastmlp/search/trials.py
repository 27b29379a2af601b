"""A trial: a network made and trained by the parameters that were chosen for it; and the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import optimizers, schedules
from ..callbacks import Callback
from ..data.examples import Examples
from ..history import History, TrainingDiverged
from ..losses import Loss
from ..network import MLP
from ..optimizers import Optimizer
from ..support import checks
from ..training import evaluate
from .examples import Pair
from .space import CONSTANTS, NETWORK, TRAINING, takes

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["OBJECTIVES", "Outcome", "Plan", "Result", "measure"]

OBJECTIVES = ("validation_error", "validation_cost")




@dataclass(frozen=True)
class Plan:
    """What all trials of a search have in common."""

    n_in: int
    n_out: int
    loss: Loss
    dtype: str
    seed: int
    epochs: int

    def network(self, parameters: Mapping[str, Any]) -> MLP:
        """Return the network with these parameters, not trained yet."""
        sizes = (self.n_in, *parameters["hidden"], self.n_out)
        options = {key: parameters[key] for key in NETWORK if key in parameters}
        return MLP(sizes, loss=self.loss, dtype=self.dtype, seed=self.seed, **options)

    def fit(
        self, net: MLP, X: checks.Examples, y: ArrayLike, parameters: Mapping[str, Any],
        **options: Any,
    ) -> History:
        """Train a network with these parameters; `options` are fit's and go before them."""
        own = {key: parameters[key] for key in TRAINING if key in parameters}
        own = {"epochs": self.epochs, "optimizer": _optimizer(parameters), **own, **options}
        if any(net.batch_norm):
            m, size = len(np.asarray(y)), own.get("batch_size", 100)
            while size < m and m % size == 1:  # one example alone cannot be normalized
                size += 1
            own["batch_size"] = size
        return net.fit(X, y, **own)


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes
    ----------
    state : {"complete", "pruned", "diverged", "interrupted"}
    value, cost : float
        The lowest of its objective after an epoch, and the validation cost there; infinite without
        any.
    epoch : int
        In which that was, from 1; of several as low the one with the lowest cost.
    epochs : int
        Whole epochs that it was trained.
    seconds : float
    """

    state: str
    value: float
    cost: float
    epoch: int
    epochs: int
    seconds: float


def measure(
    plan: Plan,
    parameters: Mapping[str, Any],
    training: Pair,
    validation: Pair,
    *,
    objective: str,
    report: Callable[[int, float], bool],
    stopped: Callable[[], bool],
    max_seconds: float | None,
    n_threads: int | None,
) -> Outcome:
    """Train a network and say how it did.

    Parameters
    ----------
    plan, parameters
        The network and its training.
    training, validation : (X, y)
        Examples.
    objective : {"validation_error", "validation_cost"}
        What is to be small.
    report : callable
        Told epoch and objective after each epoch; whether to give the trial up.
    stopped : callable
        Asked after each epoch whether the search was stopped.
    max_seconds, n_threads
        As in `MLP.fit`.
    """
    net = plan.network(parameters)
    watch = _Watch(objective, report, stopped)
    started = perf_counter()
    state = "complete"
    try:
        history = plan.fit(
            net,
            *training,
            parameters,
            validation_data=validation,
            callbacks=[watch],
            max_seconds=max_seconds,
            n_threads=n_threads,
        )
        if history.stopped_by == "max_seconds":  # within an epoch, which counts all the same
            held_out = Examples.checked(net.state, *validation)
            cost, accuracy = evaluate(net.state, held_out, n_threads)
            watch.see(history.epochs + 1, cost, accuracy)
        if history.stopped_by == "interrupt" or stopped():
            state = "interrupted"
        elif watch.given_up:
            state = "pruned"
        elif not isfinite(watch.best[0]):
            state = "diverged"
    except TrainingDiverged as error:
        history, state = error.history, "diverged"
    seconds = perf_counter() - started
    value, cost = watch.best
    return Outcome(state, value, cost, watch.epoch, history.epochs, round(seconds, 4))


class _Watch(Callback):
    """Follows the objective from epoch to epoch."""

    def __init__(
        self, objective: str, report: Callable[[int, float], bool], stopped: Callable[[], bool]
    ) -> None:
        self.objective, self.report, self.stopped = objective, report, stopped
        self.best, self.epoch, self.given_up = (inf, inf), 0, False

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        """Whether to stop."""
        accuracy = history.validation_accuracy[-1] if history.validation_accuracy else None
        figure = self.see(history.epochs, history.validation_cost[-1], accuracy)
        self.given_up = self.report(history.epochs, figure)
        return self.given_up or self.stopped()

    def see(self, epoch: int, cost: float, accuracy: float | None) -> float:
        """Remember the best; return the objective."""
        by_cost = self.objective == "validation_cost" or accuracy is None
        figure = cost if by_cost else 1 - accuracy  # type: ignore[operator]
        if (figure, cost) < self.best:
            self.best, self.epoch = (figure, cost), epoch
        return figure


@dataclass(frozen=True)
class Result:
    """What a search found.

    Attributes
    ----------
    best_parameters : dict
        Those of the trial with the lowest value, of several as low the one with the lowest
        validation cost: ``hidden``, the widths of the hidden layers, and
        the other keys of the space.
    best_value : float
        Its objective after its best epoch.
    best_epoch : int
        Which that was, from 1.
    trials : list of dict
        All finished trials of the study, by number: "number", "state" ("complete", "pruned" or
        "diverged"), "value", "epochs", "seconds" and the parameters.  pandas.DataFrame takes it.
    stopped_by : str
        What ended the search: "n_trials", "max_seconds" or "interrupt".
    study : optuna.Study
        The study, with all that Optuna can do with it.
    """

    best_parameters: dict[str, Any]
    best_value: float
    best_epoch: int
    trials: list[dict[str, Any]] = field(repr=False)
    stopped_by: str
    study: Study = field(repr=False)
    _plan: Plan = field(repr=False)

    def network(self) -> MLP:
        """Make a network with the best parameters.

        Returns
        -------
        MLP
            Not trained yet.
        """
        return self._plan.network(self.best_parameters)

    def refit(self, X: checks.Examples, y: ArrayLike, **options: Any) -> MLP:
        """Return a network trained with the best parameters, up to the epoch that was best.

        On the examples of the search's trials it becomes the best trial's network again.

        Parameters
        ----------
        X, y : array-like
            Examples, as in `MLP.fit`: all there are, as a rule.
        **options
            Others of `MLP.fit`, such as ``verbose=True``; with ``epochs`` all of these are made.

        Returns
        -------
        MLP
            Trained.
        """
        net = self.network()
        callbacks = list(options.pop("callbacks", ()))
        if "epochs" not in options:
            callbacks.append(_StopAfter(self.best_epoch))
        self._plan.fit(net, X, y, self.best_parameters, callbacks=callbacks, **options)
        return net


class _StopAfter(Callback):
    """Ends training after some epochs, whose learning rates are those of a longer one."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        """Whether to stop."""
        return history.epochs >= self.epochs


def _optimizer(parameters: Mapping[str, Any]) -> Optimizer:
    """The optimizer, its learning rate and constants being its own where nothing is said."""
    name = parameters.get("optimizer", "adam")
    own = optimizers.TABLE[name]()  # type: ignore[call-arg]
    rate = parameters.get("learning_rate", own.learning_rate)
    schedule = schedules.TABLE[parameters.get("schedule", "constant")]
    constants = {
        key: parameters[key] for key in CONSTANTS if key in parameters and takes(name, key)
    }
    return optimizers.TABLE[name](schedule(rate), **constants)  # type: ignore[call-arg]
