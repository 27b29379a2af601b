"""The loop over the trials of a search, one at a time or several, until there are enough."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from math import inf
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, DTypeLike

from .. import losses
from ..experiments.fingerprint import fingerprint
from ..history import TrainingDiverged
from ..support import checks
from ..support.user_warnings import warn_user
from ..training import Stop, run_jobs
from . import data, studies
from .locks import SharedLock
from .space import SPACE, Space
from .trials import OBJECTIVES, Outcome, Plan, Result, measure

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

__all__ = ["Search", "minimize"]


def minimize(
    X: checks.Examples,
    y: ArrayLike,
    space: dict[str, Any] | None = None,
    *,
    n_trials: int = 50,
    epochs: int = 20,
    validation_data: tuple[checks.Examples, ArrayLike] | float = 0.1,
    objective: str | None = None,
    loss: losses.LossSpec = "cross_entropy",
    sampler: str = "tpe",
    pruning: bool = True,
    storage: str | PathLike[str] | None = None,
    study_name: str = "fastmlp",
    n_jobs: int = 1,
    max_seconds: float | None = None,
    max_seconds_per_trial: float | None = None,
    dtype: DTypeLike = "float32",
    uint8_scale: float = 1.0,
    seed: int | None = 0,
    verbose: bool = False,
) -> Result:
    """Search for the hyperparameters with which a network does best on validation data.

    Parameters
    ----------
    X, y : array-like
        Examples and targets, as in `MLP.fit`.
    space : dict, optional
        The settings that trials may have: for each key of `fastmlp.search.space` a value, a list
        of values to choose from, or a range (low, high) or (low, high, "log").  A setting that is
        not in it has the default of `MLP` and `MLP.fit`.  Default: `fastmlp.search.SPACE`;
        ``{**SPACE, "dropout": 0.0}`` is the default space with another entry for dropout.
    n_trials : int, default 50
        Number of finished trials that the study has at the end, those of earlier calls and of
        other processes included.
    epochs : int, default 20
        Number of epochs of each trial.
    validation_data : (X, y) or float, default 0.1
        Examples by which trials are measured, or the fraction of the examples to set aside for it:
        chosen at random by the seed, the same for all trials.
    objective : {"validation_error", "validation_cost"}, optional
        The figure to minimize, after a trial's best epoch: the fraction of the validation examples
        that is predicted incorrectly, which is the default for classification, or their cost.
    loss : str, Loss or pair of functions, default "cross_entropy"
        As in `MLP`.
    sampler : {"tpe", "gp", "random"}, default "tpe"
        How trials are proposed, after ten random ones: by Optuna's tree-structured Parzen
        estimator, by a Gaussian process (`fastmlp.search.gaussian_process`), or at random.
    pruning : bool, default True
        Stop a trial when its best epoch so far is worse than what the median trial had reached
        after as many epochs.
    storage : path-like, optional
        A file for the study, created if it does not exist: a journal, or a SQLite database if the
        name ends in .db, .sqlite or .sqlite3.  Or the URL of a database,
        ``"postgresql://USER@HOST/NAME"`` or ``"mysql://USER@HOST/NAME"``, for processes on several
        machines.  A call with the storage of an earlier one continues where that ended, however it
        ended; several processes may work on one study at once.  Default: none.
    study_name : str, default "fastmlp"
        The study's name in its storage.
    n_jobs : int, default 1
        Number of trials at a time, each on one thread.  With more than one, the order in which
        trials end, and so the result, depends on chance.
    max_seconds : float, optional
        Time in seconds after which no trial begins.
    max_seconds_per_trial : float, optional
        Time in seconds after which a trial's training stops, if need be within an epoch.  The
        result of a trial then depends on the load of the computer.  Default: no limit.
    dtype : {"float32", "float64"}, default "float32"
        As in `MLP`.
    uint8_scale : float, default 1.0
        As in `MLP`: uint8 examples count as value × uint8_scale, with 1/255 for most images.
    seed : int or None, default 0
        Seed of every trial's network, the choice of validation examples and the sampler.
    verbose : bool, default False
        Print a line for each trial.

    Returns
    -------
    Result
        The best parameters, the table of trials, and `Result.refit`, which trains with the best.

    Raises
    ------
    ImportError
        If Optuna is not installed or, for "gp", SciPy.
    TrainingDiverged
        If the cost or a parameter became infinite or NaN in all trials.

    Notes
    -----
    A trial that diverges is finished, and the sampler learns from it.  A killed process loses its
    running trials; the next process makes them anew, so that a search with one job that was killed
    and continued has the same trials as one that was not.  Ctrl-C ends the search with a warning.

    Examples
    --------
    >>> space = {"hidden": [(32,), (64,), (64, 32)], "learning_rate": (1e-4, 1e-2, "log")}
    >>> result = fastmlp.search.minimize(X, y, space, n_trials=3, epochs=2)
    >>> result.best_parameters
    {'hidden': (...), 'learning_rate': 0.00...}
    >>> net = result.refit(X, y)
    """
    studies.require(checks.known("sampler", sampler, studies.SAMPLERS))
    with checks.within("space"):
        checked = Space.of(SPACE if space is None else space)
    n_trials = checks.whole("n_trials", n_trials)
    n_jobs = checks.whole("n_jobs", n_jobs)
    loss = losses.from_spec(loss)
    seed = checks.seed(seed)
    training, validation = data.split(X, y, validation_data, seed)
    n_in, n_out = data.sizes(training, validation, loss)
    with checks.within("space"):
        checked.check_sizes(n_in, n_out)
    plan = Plan(
        n_in,
        n_out,
        loss,
        checks.real_dtype(dtype).name,
        checks.number("uint8_scale", uint8_scale, "(0, inf)"),
        seed,
        checks.whole("epochs", epochs),
    )
    best = "validation_error" if loss.classification else "validation_cost"
    objective = checks.known("objective", best if objective is None else objective, OBJECTIVES)
    if objective == "validation_error" and not loss.classification:
        raise ValueError(f"objective 'validation_error' is for classification, not {loss.name}")
    seconds = inf if max_seconds is None else checks.number("max_seconds", max_seconds, "(0, inf)")
    if max_seconds_per_trial is not None:
        checks.number("max_seconds_per_trial", max_seconds_per_trial, "(0, inf)")
    pruning = checks.flag("pruning", pruning)
    verbose = checks.flag("verbose", verbose)

    settings = {
        "space": checked.to_json(),
        "examples": fingerprint(*training, *validation),
        "objective": objective,
        "loss": repr(loss) if any(vars(loss).values()) else loss.name,
        "epochs": plan.epochs,
        "max_seconds_per_trial": max_seconds_per_trial,
        "dtype": plan.dtype,
        "uint8_scale": plan.uint8_scale,
        "seed": seed,
    }
    run_trial = partial(
        measure,
        plan,
        training=training,
        validation=validation,
        objective=objective,
        max_seconds=max_seconds_per_trial,
        n_threads=1 if n_jobs > 1 else None,
    )
    with studies.opened(storage, study_name, sampler, seed, pruning) as (study, lock):
        studies.check_settings(study, settings)
        search = Search(
            study=study,
            shared_lock=lock,
            space=checked,
            measure=run_trial,
            objective=objective.replace("_", " "),
            pruning=pruning,
            n_trials=n_trials,
            n_jobs=n_jobs,
            deadline=perf_counter() + seconds,
            verbose=verbose,
        )
        stopped_by = search.run()
        winner = search.best()
        return Result(
            best_parameters=checked.parameters(winner.params),
            best_value=studies.value(winner),
            best_epoch=studies.outcome(winner)["epoch"],
            trials=search.rows(),
            stopped_by=stopped_by,
            study=study,
            _plan=plan,
        )


@dataclass
class Search:
    """The trials of a study, made until there are enough.

    Attributes
    ----------
    study : Study
        Optuna's.
    shared_lock : SharedLock or None
        That of the processes that work on the study.
    space : Space
        What trials choose from.
    measure : callable
        Makes a trial: from its parameters, a function to report to, and what ends it when the
        search has been stopped.
    objective : str
        The name of the figure to minimize.
    """

    study: Study
    shared_lock: SharedLock | None
    space: Space
    measure: Callable[[dict[str, Any], Callable[[int, float], bool], Stop], Outcome]
    objective: str
    pruning: bool
    n_trials: int
    n_jobs: int
    deadline: float
    verbose: bool
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> str:
        """Run the trials that are missing; return the reason for which the search ended."""
        if self.shared_lock is None or self.shared_lock.try_exclusive():
            studies.fail_running(self.study)
        self.print_header()
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Training interrupted")
                while True:
                    if self.shared_lock is not None:
                        self.shared_lock.share()
                    self.run_jobs()
                    # Running trials of other processes counted, and some of these processes may
                    # have been killed since.
                    if (
                        self.shared_lock is None
                        or not self.shared_lock.try_exclusive()
                        or not studies.fail_running(self.study)
                    ):
                        break
        except KeyboardInterrupt:
            n_finished = len(studies.finished(self.study))
            if n_finished == 0:
                raise
            warn_user(f"Search interrupted, finished trials: {n_finished}")
            return "interrupt"
        return "max_seconds" if perf_counter() >= self.deadline else "n_trials"

    def run_jobs(self) -> None:
        """Run trials in `n_jobs` threads."""
        if self.n_jobs == 1:  # in this thread, for Ctrl-C to reach fit
            for job in self.jobs():
                job(Stop())
        else:
            run_jobs(self.jobs(), min(self.n_jobs, self.n_trials))

    def jobs(self) -> Iterator[Callable[[Stop], None]]:
        """Yield a trial as a job, one after the other, until there are enough or time is over."""
        while (begun := self.begin()) is not None:
            yield partial(self.run_trial, *begun)

    def run_trial(self, trial: Trial, parameters: dict[str, Any], stop: Stop) -> None:
        """Run a trial that has begun.

        KeyboardInterrupt is raised if Ctrl-C or `stop` ended it.
        """
        from optuna.trial import TrialState

        try:
            outcome = self.measure(parameters, partial(self.report, trial), stop)
            if outcome.state == "interrupted":
                raise KeyboardInterrupt
        except BaseException:
            self.study.tell(trial, state=TrialState.FAIL)
            raise
        self.finish(trial, outcome)

    def begin(self) -> tuple[Trial, dict[str, Any]] | None:
        """Begin the next trial and return it with its parameters, or None if there is to be none.

        Processes begin trials one after the other.  If a process does so nevertheless at the same
        time, because it has an earlier version, those with the highest numbers give theirs up.
        """
        from optuna.trial import TrialState

        turn = nullcontext() if self.shared_lock is None else self.shared_lock.turn()
        with self.lock, turn:
            if perf_counter() >= self.deadline:
                return None
            if len(studies.begun(self.study)) >= self.n_trials:
                return None
            trial = studies.begin(self.study)
            if sum(one.number < trial.number for one in studies.begun(self.study)) >= self.n_trials:
                self.study.tell(trial, state=TrialState.FAIL)
                return None
            return trial, self.space.suggest(trial)

    def report(self, trial: Trial, epoch: int, figure: float) -> bool:
        """Report the objective after an epoch to Optuna; return whether to prune the trial."""
        if not self.pruning:
            return False
        trial.report(figure, epoch)
        return trial.should_prune()

    def finish(self, trial: Trial, outcome: Outcome) -> None:
        """Report the outcome to Optuna, for which the trial is then finished."""
        from optuna.trial import TrialState

        studies.store(trial, outcome)
        if outcome.state == "complete":
            self.study.tell(trial, outcome.value)
        else:
            if outcome.state == "diverged":
                trial.report(inf, outcome.epochs + 1)  # so that samplers take it for the worst
            self.study.tell(trial, state=TrialState.PRUNED)
        self.print_line(trial.number)

    def rows(self) -> list[dict[str, Any]]:
        """Return the table of finished trials."""
        return [studies.row(one, self.space) for one in studies.finished(self.study)]

    def best(self) -> FrozenTrial:
        """Return the best of all finished trials of the study."""
        finished = studies.finished(self.study)
        complete = [one for one in finished if studies.outcome(one)["state"] == "complete"]
        if not complete:
            if finished:
                raise TrainingDiverged(
                    f"the cost or a parameter became infinite or NaN in all {len(finished)} "
                    f"trials; give lower learning rates, or scale X so that its columns are about "
                    f"1 in size"
                )
            raise ValueError("max_seconds passed before the first trial ended; give more")
        return min(complete, key=lambda one: (studies.value(one), studies.outcome(one)["cost"]))

    def print_header(self) -> None:
        """Print the first line of the table, and how many trials the study already has."""
        if not self.verbose:
            return
        if n_finished := len(studies.finished(self.study)):
            print(f"{min(n_finished, self.n_trials)} of {self.n_trials} trials are there already")
        print(f"trial  {self.objective:>16}  {'best':>10}  epochs  seconds  parameters", flush=True)

    def print_line(self, number: int) -> None:
        """Print a finished trial's line."""
        if not self.verbose:
            return
        with self.lock:
            finished = studies.finished(self.study)
            best = min((studies.value(one) for one in finished if one.state.name == "COMPLETE"),
                       default=inf)
            row = next(studies.row(one, self.space) for one in finished if one.number == number)
            value = f"{row['value']:.6g}" if row["state"] == "complete" else row["state"]
            print(
                f"{number:>5}  {value:>16}  {best:>10.6g}  {row['epochs']:>6}  "
                f"{row['seconds']:>7.2f}  {studies.describe(row)}",
                flush=True,
            )
