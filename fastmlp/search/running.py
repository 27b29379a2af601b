"""Running a search: trial after trial, or several in threads, until there are as many as wanted."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from math import inf
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, DTypeLike

from .. import losses
from ..history import TrainingDiverged
from ..support import checks
from . import examples, studies
from .examples import Pair
from .space import SPACE, Space
from .storage import Company
from .trials import OBJECTIVES, Outcome, Plan, Result, measure

if TYPE_CHECKING:
    from optuna import Study, Trial

__all__ = ["minimize"]


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
        to choose from, or a range (low, high) or (low, high, "log").  What is not in it is as in
        `MLP` and `MLP.fit`.  Default: `fastmlp.search.SPACE`; ``{**SPACE, "dropout": 0.0}``
        changes a part of it.
    n_trials : int, default 50
        Finished trials that the study is to have in the end, those of earlier calls and of other
        processes included.
    epochs : int, default 20
        Of each trial.
    validation_data : (X, y) or float, default 0.1
        Examples to measure trials by, or the fraction of the given ones to set aside for it: at
        random by the seed, the same ones for all trials.
    objective : {"validation_error", "validation_cost"}, optional
        What is to be small, after a trial's best epoch: the part of the validation data that is
        predicted wrong, which is the default for classification, or its cost.
    loss : str, Loss or pair of functions, default "cross_entropy"
        As in `MLP`.
    sampler : {"tpe", "gp", "random"}, default "tpe"
        Who proposes trials, after the ten first ones at random: Optuna's tree-structured Parzen
        estimator, a Gaussian process (`fastmlp.search.gaussian_process`), or chance.
    pruning : bool, default True
        Give a trial up when its best epoch so far is worse than what the median trial had reached
        after as many.
    storage : path-like, optional
        A file for the study, made if it is not there: a journal, or a SQLite database if it ends
        in .db, .sqlite or .sqlite3.  A call with the file of an earlier one goes on where that
        ended, however it ended; several processes may work on one file at once.  Default: none.
    study_name : str, default "fastmlp"
        The study's name in its file.
    n_jobs : int, default 1
        Trials side by side in threads, each of them on one.  With more than one the order in
        which trials end, and so the result, depends on chance.
    max_seconds : float, optional
        Begin no trial when so much time has passed.
    max_seconds_per_trial : float, optional
        Stop a trial's training when so much time has passed, if need be within an epoch.
    dtype : {"float32", "float64"}, default "float32"
        As in `MLP`.
    seed : int or None, default 0
        Of every trial's network, the choice of validation data and the sampler.
    verbose : bool, default False
        Print a line for each trial.

    Returns
    -------
    Result
        The best parameters, the table of trials, and `Result.refit`, which trains with the best.

    Raises
    ------
    ImportError
        If Optuna is not installed, or for "gp" SciPy.
    TrainingDiverged
        If the cost or a parameter became infinite or NaN in all trials.

    Notes
    -----
    A trial that diverges is finished, and the sampler learns from it.  A killed process loses the
    trials it was at; the next one begins them anew.  Ctrl-C ends the search with a warning.

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
    training, validation = examples.split(X, y, validation_data, seed)
    n_in, n_out = examples.sizes(training, validation, loss)
    with checks.within("space"):
        checked.check_sizes(n_in, n_out)
    plan = Plan(
        n_in,
        n_out,
        loss,
        checks.real_dtype(dtype).name,
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

    with studies.opened(storage, study_name, sampler, seed, pruning) as (study, company):
        studies.agree(
            study,
            {
                "space": checked.plain,
                "examples": examples.checksum(training, validation),
                "objective": objective,
                "loss": repr(loss) if any(vars(loss).values()) else loss.name,
                "epochs": plan.epochs,
                "max_seconds_per_trial": max_seconds_per_trial,
                "dtype": plan.dtype,
                "seed": seed,
            },
        )
        search = _Search(
            study=study,
            company=company,
            space=checked,
            plan=plan,
            training=training,
            validation=validation,
            objective=objective,
            pruning=pruning,
            n_trials=n_trials,
            n_jobs=n_jobs,
            deadline=perf_counter() + seconds,
            max_seconds_per_trial=max_seconds_per_trial,
            verbose=verbose,
        )
        stopped_by = search.run()
        return search.result(stopped_by)


@dataclass
class _Search:
    """One call of minimize, its arguments checked."""

    study: Study
    company: Company | None
    space: Space
    plan: Plan
    training: Pair
    validation: Pair
    objective: str
    pruning: bool
    n_trials: int
    n_jobs: int
    deadline: float
    max_seconds_per_trial: float | None
    verbose: bool
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> str:
        """All trials that are still wanted; what ended them."""
        if self.company is None or self.company.alone():
            studies.fail_running(self.study)
        self.tell_header()
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Training interrupted")
                while True:
                    if self.company is not None:
                        self.company.join()
                    self.work_side_by_side()
                    # Trials that others began and were killed at had to count as under way.
                    if (
                        self.stop.is_set()
                        or self.company is None
                        or not self.company.alone()
                        or not studies.fail_running(self.study)
                    ):
                        break
        except KeyboardInterrupt:
            self.stop.set()
        if self.stop.is_set():
            n_finished = len(studies.finished(self.study))
            if n_finished == 0:
                raise KeyboardInterrupt
            warnings.warn(f"Search interrupted, finished trials: {n_finished}", stacklevel=3)
            return "interrupt"
        return "max_seconds" if perf_counter() >= self.deadline else "n_trials"

    def work_side_by_side(self) -> None:
        """`work` in as many threads as wanted; one alone is this one, so that it hears Ctrl-C."""
        if self.n_jobs == 1:
            self.work()
            return
        with ThreadPoolExecutor(self.n_jobs, "fastmlp-search") as pool:
            try:
                for worker in as_completed([pool.submit(self.work) for _ in range(self.n_jobs)]):
                    worker.result()
            except BaseException:
                self.stop.set()
                raise

    def work(self) -> None:
        """Trial after trial until there are enough, or the time is up."""
        from optuna.trial import TrialState

        while (begun := self.begin()) is not None:
            trial, parameters = begun
            try:
                outcome = measure(
                    self.plan,
                    parameters,
                    self.training,
                    self.validation,
                    objective=self.objective,
                    report=partial(self.report, trial),
                    stopped=self.stop.is_set,
                    max_seconds=self.max_seconds_per_trial,
                    n_threads=1 if self.n_jobs > 1 else None,
                )
            except BaseException:
                self.study.tell(trial, state=TrialState.FAIL)
                raise
            self.finish(trial, outcome)

    def begin(self) -> tuple[Trial, dict[str, Any]] | None:
        """The next trial and its parameters, or None if there is to be none.

        Between looking and asking another process may ask too; then the later ones step back.
        """
        from optuna.trial import TrialState

        with self.lock:
            if self.stop.is_set() or perf_counter() >= self.deadline:
                return None
            if len(studies.begun(self.study)) >= self.n_trials:
                return None
            trial = self.study.ask()
            if sum(one.number < trial.number for one in studies.begun(self.study)) >= self.n_trials:
                self.study.tell(trial, state=TrialState.FAIL)
                return None
            return trial, self.space.suggest(trial)

    def report(self, trial: Trial, epoch: int, figure: float) -> bool:
        """Tell Optuna of an epoch; whether to give the trial up."""
        if not self.pruning:
            return False
        trial.report(figure, epoch)
        return trial.should_prune()

    def finish(self, trial: Trial, outcome: Outcome) -> None:
        """Tell Optuna of the end, at which it becomes a finished trial."""
        from optuna.trial import TrialState

        if outcome.state == "interrupted":
            self.study.tell(trial, state=TrialState.FAIL)
            self.stop.set()  # also when it was fit that heard Ctrl-C
            return
        studies.keep(trial, outcome)
        if outcome.state == "complete":
            self.study.tell(trial, outcome.value)
        else:
            if outcome.state == "diverged":
                trial.report(inf, outcome.epochs + 1)  # for samplers: as bad as can be
            self.study.tell(trial, state=TrialState.PRUNED)
        self.tell_line(trial.number)

    def result(self, stopped_by: str) -> Result:
        """The best of the study's finished trials."""
        finished = studies.finished(self.study)
        rows = [studies.row(one, self.space) for one in finished]
        complete = [one for one, row in zip(finished, rows, strict=True)
                    if row["state"] == "complete"]
        if not complete:
            if finished:
                raise TrainingDiverged(
                    f"the cost or a parameter became infinite or NaN in all {len(finished)} "
                    f"trials; give lower learning rates, or scale X so that its columns are about "
                    f"1 in size"
                )
            raise ValueError("max_seconds was over before the first trial had ended; give more")
        best = min(complete, key=lambda one: (studies.value(one), studies.kept(one)["cost"]))
        return Result(
            best_parameters=self.space.parameters(best.params),
            best_value=studies.value(best),
            best_epoch=studies.kept(best)["epoch"],
            trials=rows,
            stopped_by=stopped_by,
            study=self.study,
            _plan=self.plan,
        )

    def tell_header(self) -> None:
        """Print the table's first line, and what is there already."""
        if not self.verbose:
            return
        if n_finished := len(studies.finished(self.study)):
            print(f"{min(n_finished, self.n_trials)} of {self.n_trials} trials are there already")
        name = self.objective.replace("_", " ")
        print(f"trial  {name:>16}  {'best':>10}  epochs  seconds  parameters", flush=True)

    def tell_line(self, number: int) -> None:
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
