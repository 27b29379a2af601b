"""Training of the networks of models, side by side.

Where time is limited, trials shorten the plans first.  All networks become jobs, of which each
process trains its own in threads; in the end every process has what became of all of them.
"""

from __future__ import annotations

import math
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..callbacks import require_own
from ..history import TrainingDiverged
from ..network import MLP
from ..optimizers import GradientDescent
from ..support import threads
from ..training import Stop, run_jobs
from ..training.division import division
from .members import Member, ModelJob, NetworkJob, train_member
from .trials import shortened

__all__ = ["Trained", "train_models"]

Array = NDArray[Any]
Outcome: TypeAlias = Member | TrainingDiverged | None  # of a job; None if there was no time for it


@dataclass(frozen=True)
class Trained:
    """What became of the models that were to be trained together."""

    members: list[list[Member]]  # of each model, the networks with at least one whole epoch
    diverged: dict[int, TrainingDiverged]  # why a model, by number, has no networks
    interrupted: bool  # whether Ctrl-C ended training

    @classmethod
    def of(
        cls,
        n_models: int,
        jobs: Sequence[NetworkJob],
        outcomes: Mapping[int, Outcome],
        interrupted: bool,
    ) -> Self:
        """Return the result for models from the outcomes of jobs, by the numbers of the jobs."""
        diverged = {
            jobs[number].model_number: outcome
            for number, outcome in outcomes.items()
            if isinstance(outcome, TrainingDiverged)
        }
        members: list[list[Member]] = [[] for _ in range(n_models)]
        for number in sorted(outcomes, key=lambda number: jobs[number].network_number):
            model_number, outcome = jobs[number].model_number, outcomes[number]
            if isinstance(outcome, Member) and model_number not in diverged:
                members[model_number].append(outcome)
        return cls(members, diverged, interrupted)

    def require_first(self, time_limit: float | None) -> None:
        """Raise an error if the first model has no network: Ctrl-C, or too little time."""
        if self.members[0]:
            return
        if self.interrupted:
            raise KeyboardInterrupt
        raise ValueError(
            f"time_limit={time_limit:g} seconds are too few for an epoch of one network; "
            f"allow more, or use fewer rows"
        )


def train_models(
    models: Sequence[ModelJob], n_threads: int | None, time_limit: float | None = None
) -> Trained:
    """Train the networks of models, all side by side, the largest first.

    A model other than the first may diverge; then its other networks are not trained.

    Parameters
    ----------
    models : sequence of ModelJob
        The models.
    n_threads : int, optional
        Threads, each of which trains a network if there are enough of them.
    time_limit : float, optional
        Seconds for training, of all networks together.  A model other than the first whose
        networks it does not reach has none.
    """
    deadline = math.inf if time_limit is None else perf_counter() + time_limit
    n_threads = threads.get_num_threads() if n_threads is None else n_threads
    if time_limit is not None:
        models = shortened(models, n_threads, deadline)
    require_same_models(models)
    jobs = network_jobs(models)
    own_jobs = {number: jobs[number] for number in division().own(len(jobs))}
    local = LocalTraining(own_jobs, n_threads, deadline, drops_optimizer_states=len(models) > 1)
    outcomes, interrupted = outcomes_of_all_processes(local)
    return Trained.of(len(models), jobs, outcomes, interrupted)


def require_same_models(models: Sequence[ModelJob]) -> None:
    """Raise an error in every process if they would not train the same models."""
    processes = division()
    if processes.n_processes > 1:
        processes.require_equal([checksum(model) for model in models], "data or networks")


def checksum(model: ModelJob) -> int:
    """Return a checksum of what a model's networks are trained on, and of how."""
    described = repr((model.plan, model.seed, model.encoder.to_json()))
    result = zlib.crc32(described.encode())
    codes = model.rows.codes
    for array in (codes.numbers, codes.categories, model.rows.targets):
        result = zlib.crc32(np.ascontiguousarray(array).tobytes(), result)
    return result


def network_jobs(models: Sequence[ModelJob]) -> list[NetworkJob]:
    """Return the jobs of all networks, those that take longest first.

    Those of other processes are among them, since their callbacks may be numbered.
    """
    jobs = [
        NetworkJob.of(model, model_number, network_number)
        for model_number, model in enumerate(models)
        for network_number in range(len(model.plan.networks))
    ]
    require_own([job.callbacks for job in jobs])
    return sorted(jobs, key=lambda job: -job.work)


class Inputs:
    """The inputs of a model's networks, made for the first of them and dropped after the last."""

    def __init__(self, model: ModelJob) -> None:
        self.model = model
        self.n_waiting: Counter[str] = Counter()  # networks that still need an encoding
        self.made: dict[str, Array] = {}
        self.lock = threading.Lock()

    @contextmanager
    def of(self, encoding: str) -> Iterator[Array]:
        """Return the inputs by an encoding of numbers, for one network."""
        with self.lock:
            if encoding not in self.made:
                self.made[encoding] = self.model.encoder.inputs(self.model.rows.codes, encoding)
            inputs = self.made[encoding]
        try:
            yield inputs
        finally:
            with self.lock:
                self.n_waiting[encoding] -= 1
                if not self.n_waiting[encoding]:
                    del self.made[encoding]


class LocalTraining:
    """The training of this process's networks, in threads.

    Attributes
    ----------
    outcomes : dict
        What became of the jobs that were begun, by their numbers.
    """

    def __init__(
        self,
        jobs: Mapping[int, NetworkJob],
        n_threads: int,
        deadline: float,
        drops_optimizer_states: bool,
    ) -> None:
        self.jobs, self.deadline = jobs, deadline
        self.drops_optimizer_states = drops_optimizer_states
        self.n_at_once = max(1, min(n_threads, len(jobs)))
        self.n_threads = n_threads // self.n_at_once  # of each network
        self.outcomes: dict[int, Outcome] = {}
        self.diverged: set[int] = set()  # numbers of models
        self.inputs: dict[int, Inputs] = {}  # by the numbers of models
        for job in jobs.values():
            inputs = self.inputs.setdefault(job.model_number, Inputs(job.model))
            inputs.n_waiting[job.plan.encoding] += 1

    def train_all(self) -> None:
        """Train the networks in the order of the jobs."""
        run_jobs([partial(self.train, number) for number in self.jobs], self.n_at_once)

    def train(self, number: int, stop: Stop) -> None:
        """Train a network, unless another one of its model has diverged."""
        job = self.jobs[number]
        if job.model_number in self.diverged:
            return
        try:
            with self.inputs[job.model_number].of(job.plan.encoding) as inputs:
                self.outcomes[number] = train_member(
                    job, inputs, self.n_threads, self.deadline, stop
                )
        except TrainingDiverged as error:
            if not job.is_optional:
                raise
            self.diverged.add(job.model_number)
            self.outcomes[number] = error
        if self.drops_optimizer_states:
            drop_optimizer_state(job.net)


def drop_optimizer_state(net: MLP) -> None:
    """Free the memory of AdamW's state, twice that of the parameters."""
    stateless = GradientDescent(1.0)
    net.state.begin_training((stateless.name, stateless.constants), ema=False, reset_optimizer=True)


def outcomes_of_all_processes(local: LocalTraining) -> tuple[dict[int, Outcome], bool]:
    """Train the networks of all processes.

    Returns
    -------
    outcomes : dict
        What became of the jobs, by their numbers.
    interrupted : bool
        Whether Ctrl-C ended training.
    """
    processes = division()
    interrupted, error = False, None
    try:
        local.train_all()
    except KeyboardInterrupt:
        if processes.n_processes > 1:  # the others do not know of it
            raise
        interrupted = True
    except Exception as raised:
        error = raised
    return processes.exchange(local.outcomes, error), interrupted
