"""A trial: a network with the parameters that were chosen, its training and the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..callbacks import Callback
from ..data.examples import Examples
from ..experiments.settings import Settings
from ..history import History, TrainingDiverged
from ..losses import Loss
from ..network import MLP
from ..support import checks
from ..training import Stop, evaluate
from ..training.many import Task, fit_task
from .data import Pair
from .space import CONSTANTS, takes

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
    uint8_scale: float
    seed: int
    epochs: int

    def settings(self, parameters: Mapping[str, Any]) -> Settings:
        """Return the settings of a trial with these parameters."""
        given = {
            key: value
            for key, value in parameters.items()
            if key not in ("optimizer", "learning_rate", *CONSTANTS)
        }
        name = parameters.get("optimizer", "adam")
        optimizer = {
            key: parameters[key]
            for key in ("learning_rate", *CONSTANTS)
            if key in parameters and takes(name, key)
        }
        given |= {
            "optimizer": {"name": name, **optimizer},
            "dtype": self.dtype,
            "uint8_scale": self.uint8_scale,
            "epochs": self.epochs,
        }
        return Settings.of(given, self.n_in, self.n_out, self.loss)

    def network(self, parameters: Mapping[str, Any]) -> MLP:
        """Return the network with these parameters, not trained yet."""
        settings = self.settings(parameters)
        return settings.network(self.n_in, self.n_out, self.seed, loss=self.loss)

    def fit(
        self, net: MLP, X: checks.Examples, y: ArrayLike, parameters: Mapping[str, Any],
        **options: Any,
    ) -> History:
        """Train a network with these parameters; keywords of `MLP.fit` replace them."""
        return net.fit(X, y, **self.options(net, y, parameters, **options))

    def options(
        self, net: MLP, y: ArrayLike, parameters: Mapping[str, Any], **others: Any
    ) -> dict[str, Any]:
        """Return the keywords of `MLP.fit` for these parameters, with others that replace them."""
        settings = self.settings(parameters)
        if any(net.batch_norm):
            m, size = len(np.asarray(y)), others.get("batch_size", settings.batch_size)
            while size < m and m % size == 1:  # a single example cannot be normalized
                size += 1
            others["batch_size"] = size
        return settings.options(**others)


@dataclass(frozen=True)
class Outcome:
    """The result of a trial.

    Attributes
    ----------
    state : {"complete", "pruned", "diverged", "interrupted"}
        How it ended.
    value, cost : float
        The lowest objective after an epoch, and the validation cost of that epoch; infinite if
        there is none.
    epoch : int
        The number of that epoch, from 1; of several with the same value, the one with the lowest
        cost.
    epochs : int
        The number of whole epochs of training.
    seconds : float
        The time of training.
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
    report: Callable[[int, float], bool],
    stop: Stop,
    *,
    training: Pair,
    validation: Pair,
    objective: str,
    max_seconds: float | None,
    n_threads: int | None,
) -> Outcome:
    """Train a network and return how well it did.

    Parameters
    ----------
    plan : Plan
        What the trial has in common with all others.
    parameters : dict
        Its own parameters.
    report : callable
        Called with epoch and objective after each epoch; returns whether to prune the trial.
    stop : Stop
        Ends training when the search has been stopped.
    training, validation : (X, y)
        Examples.
    objective : {"validation_error", "validation_cost"}
        The figure to minimize.
    max_seconds, n_threads
        As in `MLP.fit`.

    Returns
    -------
    Outcome
        The result.
    """
    net = plan.network(parameters)
    watch = _Watch(objective, report)
    started = perf_counter()
    state = "complete"
    try:
        options = plan.options(
            net,
            training[1],
            parameters,
            validation_data=validation,
            max_seconds=max_seconds,
            n_threads=n_threads,
        )
        history = fit_task(Task(net, *training, options, [watch]), stop=stop)
        if history.stopped_by == "max_seconds":  # within an epoch, whose result counts too
            examples = Examples.checked(net.state, *validation)
            cost, accuracy = evaluate(net.state, examples, n_threads)
            watch.update(history.epochs + 1, cost, accuracy)
        if history.stopped_by in ("interrupt", stop.reason):
            state = "interrupted"
        elif watch.pruned:
            state = "pruned"
        elif not isfinite(watch.best[0]):
            state = "diverged"
    except TrainingDiverged as error:
        history, state = error.history, "diverged"
    seconds = perf_counter() - started
    value, cost = watch.best
    return Outcome(state, value, cost, watch.epoch, history.epochs, round(seconds, 4))


class _Watch(Callback):
    """Follows the objective from epoch to epoch, and ends training if the trial is pruned."""

    def __init__(self, objective: str, report: Callable[[int, float], bool]) -> None:
        self.objective, self.report = objective, report
        self.best, self.epoch, self.pruned = (inf, inf), 0, False

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        """Return whether to prune the trial."""
        accuracy = history.validation_accuracy[-1] if history.validation_accuracy else None
        figure = self.update(history.epochs, history.validation_cost[-1], accuracy)
        self.pruned = self.report(history.epochs, figure)
        return self.pruned

    def update(self, epoch: int, cost: float, accuracy: float | None) -> float:
        """Remember the best epoch; return the objective of this one."""
        by_cost = self.objective == "validation_cost" or accuracy is None
        figure = cost if by_cost else 1 - accuracy  # type: ignore[operator]
        if (figure, cost) < self.best:
            self.best, self.epoch = (figure, cost), epoch
        return figure


@dataclass(frozen=True)
class Result:
    """The result of a search.

    Attributes
    ----------
    best_parameters : dict
        The parameters of the best trial, which is the one with the lowest value or, of several
        with the same value, with the lowest validation cost: ``hidden``, the widths of the hidden
        layers, and the other keys of the space.
    best_value : float
        The objective of the best trial after its best epoch.
    best_epoch : int
        The number of that epoch, from 1.
    trials : list of dict
        All finished trials of the study, by number: "number", "state" ("complete", "pruned" or
        "diverged"), "value", "epochs", "seconds" and the parameters.  pandas.DataFrame takes it.
    stopped_by : str
        The reason for which the search ended: "n_trials", "max_seconds" or "interrupt".
    study : optuna.Study
        Optuna's study.
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
        """Train a network with the best parameters, for as many epochs as the best trial's best.

        On the examples on which the trials were trained, it becomes the best trial's network again.

        Parameters
        ----------
        X, y : array-like
            Examples, as in `MLP.fit`: usually all that there are.
        **options
            Keywords of `MLP.fit`, such as ``verbose=True``.  With ``epochs`` the network is trained
            for that many epochs.

        Returns
        -------
        MLP
            Trained.
        """
        net = self.network()
        callbacks = checks.items("callbacks", options.pop("callbacks", ()))
        if "epochs" not in options:
            callbacks.append(_StopAfter(self.best_epoch))
        self._plan.fit(net, X, y, self.best_parameters, callbacks=callbacks, **options)
        return net


class _StopAfter(Callback):
    """Ends training early, so that the learning rates are those of the longer training."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        """Return whether to stop."""
        return history.epochs >= self.epochs
