"""Training by a recipe, and its continuation after an interruption.

Schedules span all epochs of the recipe, not those of a single call of fit, so that a run ends with
the same bits wherever it was interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..callbacks import Callback, Checkpoint
from ..ensemble import Ensemble
from ..experiments.fingerprint import fingerprint
from ..experiments.histories import joined
from ..history import History, recorded
from ..network import MLP
from ..optimizers import Optimizer
from ..schedules import Schedule
from ..support import checks
from ..support.progress_bars import epoch_line
from ..training import Stop, run_jobs
from ..training.division import division
from ..training.many import Shared, Task, fit_task
from . import checkpoints
from .checkpoints import SaveCheckpoint
from .recipe import Recipe, read

__all__ = ["Outcome", "run_recipe", "train"]

Pair = tuple[checks.Examples, ArrayLike]


@dataclass(frozen=True)
class Outcome:
    """The result of training by a recipe.

    Attributes
    ----------
    recipe : Recipe
        The recipe.
    seed : int
        The seed.
    model : MLP or Ensemble
        The trained network or networks.
    histories : list of History
        One for each network; epochs before an interruption are included.
    seconds : float
        The time of training; that of earlier processes up to their last checkpoint is included.
    resumed : list of int
        For each network the number of epochs at which it was resumed; 0 for a new one.
    """

    recipe: Recipe
    seed: int
    model: MLP | Ensemble
    histories: list[History]
    seconds: float
    resumed: list[int]


def train(
    recipe: str | os.PathLike[str] | Recipe,
    X: checks.Examples,
    y: ArrayLike,
    *,
    seed: int = 0,
    n_threads: int | None = None,
    validation_data: Pair | None = None,
    verbose: bool = False,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
) -> tuple[MLP | Ensemble, History | list[History]]:
    """Train a network or an ensemble by a recipe.

    Parameters
    ----------
    recipe : str, path-like or Recipe
        One of `names()`, a TOML file, or what `read` returned.
    X, y : array-like
        Examples and targets of a classification, as in `MLP.fit`.  The number of classes is the
        number of columns of y or, if y has labels, the greatest label plus one.
    seed : int, default 0
        The seed of the network.  The networks of an ensemble of n have the seeds n · seed,
        n · seed + 1, ….
    n_threads : int, optional
        The greatest number of threads; for an ensemble the number of networks trained at once,
        each on one thread.  The result is the same bit for bit.  Default:
        `fastmlp.get_num_threads()`.
    validation_data : (X, y), optional
        Examples to evaluate after each epoch.
    verbose : bool, default False
        Print a line for each epoch.
    checkpoint : path-like or fastmlp.Checkpoint, optional
        A file that is written at most 20 times during training, or as often as a Checkpoint says,
        and after the last epoch.  If it exists, training continues from it.  Each network of an
        ensemble has a file of its own, with .1, .2, … appended to the name.

    Returns
    -------
    (MLP, History) or (Ensemble, list of History)
        The latter for an ensemble.

    Raises
    ------
    ValueError
        Also if the checkpoint is that of another recipe, seed or data.

    Examples
    --------
    >>> recipe = {
    ...     "name": "small", "description": "For the digits.",
    ...     "network": {"hidden": [32]}, "training": {"epochs": 3},
    ... }
    >>> net, history = fastmlp.recipes.train(fastmlp.recipes.parse(recipe), X, y)
    >>> net.sizes
    (64, 32, 10)
    """
    outcome = run_recipe(
        recipe,
        X,
        y,
        seed=seed,
        n_threads=n_threads,
        validation_data=validation_data,
        verbose=verbose,
        checkpoint=checkpoint,
    )
    single = isinstance(outcome.model, MLP)
    return outcome.model, outcome.histories[0] if single else outcome.histories


def run_recipe(
    recipe: str | os.PathLike[str] | Recipe,
    X: checks.Examples,
    y: ArrayLike,
    *,
    seed: int = 0,
    n_threads: int | None = None,
    validation_data: Pair | None = None,
    verbose: bool = False,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    callbacks: Callable[[MLP], Iterable[Callback]] | None = None,
    fit: Callable[..., History] = MLP.fit,
) -> Outcome:
    """Train as `train` does, with the same parameters, and return times and resumptions too.

    `callbacks` is called with each network in turn and returns the callbacks of its fit.  `fit`
    takes the place of `MLP.fit`, of which it has the arguments, where there is one network; several
    may be divided among processes (training/division.py).
    """
    started = perf_counter()
    if not isinstance(recipe, Recipe):
        recipe = read(recipe)
    seed = checks.whole("seed", seed, least=0, most=inf)
    sizes = _sizes(X, y, validation_data)
    checks.flag("verbose", verbose)
    saves, data = None, {}
    if checkpoint is not None:
        saves = checkpoints.checked(checkpoint, recipe.settings.epochs)
        data = {
            "data": _description(X, y),
            "validation_data": None if validation_data is None else _description(*validation_data),
        }
    size = recipe.ensemble_size
    members = []
    for k in range(size):
        own = None if saves is None else replace(saves, path=_path(saves, k, size))
        title = f"network {k + 1}/{size}  " if size > 1 else ""
        identity = checkpoints.identity(recipe.to_json(), size * seed + k, data)
        members.append(_Member.begun(recipe, sizes, size * seed + k, own, identity, title))
    resumed = [member.earlier.epochs for member in members]
    before = max(member.seconds for member in members)

    def seconds() -> float:
        return before + perf_counter() - started

    tasks = [
        member.task(
            X,
            y,
            validation_data,
            seconds,
            n_threads if size == 1 else 1,
            [] if callbacks is None else list(callbacks(member.net)),
            verbose,
        )
        for member in members
    ]
    if size == 1:  # in this thread, for Ctrl-C to reach fit
        members[0].train(
            tasks[0],
            lambda task: fit(task.net, task.X, task.y, callbacks=task.callbacks, **task.options),
        )
        nets = [members[0].net]
    else:
        nets = _side_by_side(members, tasks, n_threads)
    histories = [net.history for net in nets]
    model = nets[0] if size == 1 else Ensemble(nets)
    return Outcome(recipe, seed, model, histories, seconds(), resumed)


def _side_by_side(
    members: Sequence[_Member], tasks: Sequence[Task], n_threads: int | None
) -> list[MLP]:
    """Train the networks of this process; return those of all processes."""
    processes, error = division(), None
    own = processes.own(len(members))
    shared = Shared([tasks[k] for k in own])

    def job_of(k: int) -> Callable[[Stop], None]:
        return lambda stop: members[k].train(tasks[k], lambda task: fit_task(task, shared, stop))

    try:
        run_jobs([*map(job_of, own)], n_threads)
    except Exception as raised:
        error = raised
    everything = processes.exchange({k: members[k].net for k in own}, error)
    return [everything[k] for k in range(len(members))]


@dataclass
class _Member:
    """One network of a run, and what an earlier process has done for it."""

    recipe: Recipe
    net: MLP
    earlier: History
    seconds: float  # of training, in earlier processes
    checkpoint: Checkpoint | None
    identity: dict[str, Any]
    title: str

    @classmethod
    def begun(
        cls,
        recipe: Recipe,
        sizes: tuple[int, int],
        seed: int,
        checkpoint: Checkpoint | None,
        identity: dict[str, Any],
        title: str,
    ) -> _Member:
        """A new network, or that of the checkpoint if there is one."""
        if checkpoint is not None and os.path.exists(checkpoint.path):
            net, earlier, seconds = checkpoints.resume(checkpoint.path, identity)
        else:
            net, earlier, seconds = recipe.settings.network(*sizes, seed), History(), 0.0
        return cls(recipe, net, earlier, seconds, checkpoint, identity, title)

    def task(
        self,
        X: checks.Examples,
        y: ArrayLike,
        validation_data: Pair | None,
        seconds: Callable[[], float],
        n_threads: int | None,
        callbacks: list[Callback],
        verbose: bool,
    ) -> Task:
        """Return what is to be trained: the remaining epochs, at least one."""
        settings, earlier = self.recipe.settings, self.earlier
        if verbose:
            callbacks = [_Lines(settings.epochs, earlier.epochs, self.title), *callbacks]
        if self.checkpoint is not None:
            save = SaveCheckpoint(self.checkpoint, self.identity, settings.epochs, earlier, seconds)
            callbacks = [save, *callbacks]
        n_examples = _shape(X)[0]
        steps = settings.epochs * -(-n_examples // settings.batch_size)
        options = settings.options(
            epochs=max(1, settings.epochs - earlier.epochs),
            optimizer=_with_spanning_schedules(settings.optimizer, steps),
            dropout_schedule=_spanning(settings.dropout_schedule, steps),
            validation_data=validation_data,
            n_threads=n_threads,
        )
        return Task(self.net, X, y, options, callbacks)

    def train(self, task: Task, fit: Callable[[Task], Any]) -> None:
        """Train for the remaining epochs; the network's history is that of all epochs."""
        if self.earlier.epochs >= self.recipe.settings.epochs:
            self.net.history = replace(self.earlier, stopped_by="epochs")
            return
        try:
            fit(task)
        finally:
            self.net.history = joined(self.earlier, self.net.history)


@dataclass
class _Lines(Callback):
    """Print a line for each epoch, numbered over all processes that a run takes."""

    epochs: int
    before: int
    title: str

    def on_fit_begin(self, net: MLP, history: History) -> None:
        """Print where a resumed run continues."""
        if self.before:
            print(f"{self.title}resumed after epoch {self.before}", flush=True)

    def on_epoch_end(self, net: MLP, history: History) -> None:
        """Print the epoch's line at once."""
        figures = "  ".join(
            f"{name.replace('_', ' ')} {one[-1]:.6g}" for name, one in recorded(history).items()
        )
        done = self.before + history.epochs
        line = epoch_line(done, self.epochs, figures, history.seconds[-1])
        print(self.title + line, flush=True)


def _with_spanning_schedules(optimizer: Optimizer, steps: int) -> Optimizer:
    """The optimizer, with `steps` as the length of those of its schedules that have none."""
    spanning: dict[str, Any] = {
        name: _spanning(value, steps)
        for name, value in vars(optimizer).items()
        if isinstance(value, Schedule)
    }
    return replace(optimizer, **spanning)


def _spanning(schedule: Schedule | None, steps: int) -> Schedule | None:
    """The schedule, with `steps` as its length if it has none of its own."""
    if schedule is not None and getattr(schedule, "total_steps", 0) is None:
        return replace(schedule, **{"total_steps": steps})
    return schedule


def _path(checkpoint: Checkpoint, k: int, size: int) -> str:
    """The file of network k of an ensemble, or of a single network."""
    return f"{os.fspath(checkpoint.path)}.{k + 1}" if size > 1 else os.fspath(checkpoint.path)


def _shape(X: Any) -> tuple[int, ...]:
    """The shape of an array, a sparse matrix or nested lists."""
    return tuple(X.shape) if hasattr(X, "shape") else np.shape(checks.array("X", X))


def _sizes(X: Any, y: ArrayLike, validation_data: Pair | None) -> tuple[int, int]:
    """Numbers of inputs and classes."""
    shape = _shape(X)
    if len(shape) != 2:
        raise ValueError(f"X has shape {shape}; expected (m, n), one example a row")
    if shape[0] == 0:
        raise ValueError("X is empty; expected at least one example")
    if validation_data is not None and (
        not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2
    ):
        raise TypeError(f"validation_data must be a pair (X, y), got {type(validation_data)}")
    targets = [checks.array("y", y)]
    if validation_data is not None:
        targets.append(checks.array("validation_data: y", validation_data[1]))
    if targets[0].ndim == 2:
        return shape[1], targets[0].shape[1]
    return shape[1], max(int(one.max(initial=0)) for one in targets) + 1


def _description(X: checks.Examples, y: ArrayLike) -> str:
    """A text that identifies examples."""
    return f"{_shape(X)[0]} examples, {fingerprint(X, y)}"
