"""Training of the networks of models, side by side, each on its own part of the rows.

Each network leaves out some of the rows: its validation rows.  Its outputs for them, in the best
epoch by the metric, are what the model knows of its own errors: temperature, intervals and the
reported scores come from them.
"""

from __future__ import annotations

import math
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..callbacks import Callback, of_network, require_own
from ..history import History, TrainingDiverged
from ..losses import Loss
from ..network import MLP
from ..optimizers import AdamW, GradientDescent
from ..schedules import OneCycle
from ..support import threads
from ..training import Stop, run_jobs
from ..training.division import division
from ..training.many import Task, fit_task
from .best_epoch import BestEpoch, finite_outputs
from .columns import Codes, TableEncoder
from .metrics import Metric
from .plan import FEWEST_EPOCHS, NetworkPlan, Plan
from .time_limits import seconds_of_epochs, within_time

__all__ = ["Callbacks", "Job", "Member", "Rows", "Trained", "Training", "train_models"]

Array = NDArray[Any]
Callbacks = Callable[[MLP], Iterable[Callback]]  # from a network to the callbacks of its fit

BETA_2 = 0.95  # of AdamW, as in RealMLP: the second moment follows the schedule
TRIAL_EPOCHS = 2  # that are timed when there is a time limit
RESERVE = 0.9  # of the time left, for training by the plan


@dataclass(frozen=True)
class Rows:
    """The training set of a model."""

    codes: Codes
    targets: Array  # (m,) classes, or standardized values
    weights: Array | None  # (m,) sample weights
    validation: tuple[NDArray[np.intp], ...]  # the rows that each network does not see

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Member:
    """A trained network of a model."""

    network: MLP
    encoding: str  # of numbers
    validation_rows: NDArray[np.intp]
    validation_outputs: Array  # (n, n_out), of the epoch that was kept
    best_epoch: int
    epochs: int  # that were trained


@dataclass(frozen=True)
class Job:
    """What is common to all networks of a model."""

    encoder: TableEncoder
    rows: Rows
    n_outputs: int
    loss: str | Loss
    score: Callable[[Array, NDArray[np.intp]], float]  # (outputs, rows) → less is better
    metric: Metric  # by which `score` judges
    patience: int | None
    seed: int
    callbacks: Callbacks | None = None

    def targets(self, rows: NDArray[np.intp]) -> Array:
        """Return the targets of some rows as a network takes them."""
        targets = self.rows.targets[rows]
        return targets if self.n_outputs > 1 else targets[:, None]


@dataclass(frozen=True)
class Training:
    """A model to be trained."""

    job: Job
    plan: Plan


@dataclass(frozen=True)
class Trained:
    """What became of the models that were to be trained together."""

    members: list[list[Member]]  # of each model, the networks with at least one whole epoch
    diverged: dict[int, TrainingDiverged]  # why a model, by number, has no networks
    interrupted: bool  # whether Ctrl-C ended training

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


@dataclass(frozen=True)
class NetworkJob:
    """A network to be trained."""

    job: Job
    model: int  # the number of its model
    number: int  # in its model
    plan: NetworkPlan
    net: MLP
    callbacks: tuple[Callback, ...]

    @classmethod
    def of(cls, job: Job, model: int, number: int, plan: NetworkPlan) -> Self:
        """Return the job of a network's plan, with the network."""
        net = make_network(job, plan, number)
        callbacks = () if job.callbacks is None else tuple(of_network(job.callbacks, net))
        return cls(job, model, number, plan, net, callbacks)

    @property
    def work(self) -> float:
        """About how long training takes, relative to other networks."""
        return float(len(self.job.rows)) * self.plan.epochs * self.net.n_parameters


class Inputs:
    """The inputs of a model's networks, made for the first of them and dropped after the last."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.left: Counter[str] = Counter()  # networks that still need an encoding
        self.made: dict[str, Array] = {}
        self.lock = threading.Lock()

    @contextmanager
    def of(self, encoding: str) -> Iterator[Array]:
        """Return the inputs by an encoding of numbers, for one network."""
        with self.lock:
            if encoding not in self.made:
                self.made[encoding] = self.job.encoder.inputs(self.job.rows.codes, encoding)
            inputs = self.made[encoding]
        try:
            yield inputs
        finally:
            with self.lock:
                self.left[encoding] -= 1
                if not self.left[encoding]:
                    del self.made[encoding]


def train_models(
    trainings: Sequence[Training], n_threads: int | None, time_limit: float | None = None
) -> Trained:
    """Train the networks of models, all side by side, the largest first.

    A model other than the first may diverge; then its other networks are not trained.

    Parameters
    ----------
    trainings : sequence of Training
        The models.
    n_threads : int, optional
        Threads, each of which trains a network if there are enough of them.
    time_limit : float, optional
        Seconds for training, of all networks together.  A model other than the first whose
        networks it does not reach has none.
    """
    processes = division()
    deadline = math.inf if time_limit is None else perf_counter() + time_limit
    n_threads = threads.get_num_threads() if n_threads is None else n_threads
    if time_limit is not None:
        n_networks = sum(len(one.plan.networks) for one in trainings)
        n_at_once = min(n_threads * processes.n_processes, n_networks)
        trials_end = perf_counter() + time_limit / 4
        n_rows = [len(one.job.rows) for one in trainings]
        seconds_of = seconds_of_epochs(n_rows, lambda k: trial(trainings[k], k, trials_end))
        left = max(0.0, RESERVE * (deadline - perf_counter()))
        plans = processes.of_first(
            within_time([one.plan for one in trainings], n_rows, seconds_of, left, n_at_once)
        )
        trainings = [replace(one, plan=plan) for one, plan in zip(trainings, plans, strict=True)]
    if processes.n_processes > 1:
        processes.require_equal([checksum(one) for one in trainings], "data or networks")
    # of all networks, also those of other processes: their callbacks may be numbered
    jobs = [
        NetworkJob.of(one.job, k, i, plan)
        for k, one in enumerate(trainings)
        for i, plan in enumerate(one.plan.networks)
    ]
    require_own([one.callbacks for one in jobs])
    jobs.sort(key=lambda one: -one.work)
    numbers = processes.own(len(jobs))
    n_jobs = max(1, min(n_threads, len(numbers)))
    inputs = [Inputs(one.job) for one in trainings]
    for number in numbers:
        inputs[jobs[number].model].left[jobs[number].plan.encoding] += 1
    trained: dict[int, Member | TrainingDiverged | None] = {}
    diverged: dict[int, TrainingDiverged] = {}

    def train(number: int, stop: Stop) -> None:
        one = jobs[number]
        if one.model in diverged:
            return
        try:
            with inputs[one.model].of(one.plan.encoding) as X:
                trained[number] = train_member(one, X, n_threads // n_jobs, deadline, stop)
        except TrainingDiverged as error:
            if one.model == 0:
                raise
            trained[number] = diverged[one.model] = error
        if len(trainings) > 1:
            drop_optimizer_state(one.net)

    interrupted, error = False, None
    try:
        run_jobs([partial(train, number) for number in numbers], n_jobs)
    except KeyboardInterrupt:
        if processes.n_processes > 1:  # the others do not know of it
            raise
        interrupted = True
    except Exception as raised:
        error = raised
    members: list[dict[int, Member]] = [{} for _ in trainings]
    for number, outcome in processes.exchange(trained, error).items():
        one = jobs[number]
        if isinstance(outcome, TrainingDiverged):
            diverged[one.model] = outcome
        elif outcome is not None:
            members[one.model][one.number] = outcome
    of_models = [
        [] if k in diverged else [found[i] for i in sorted(found)]
        for k, found in enumerate(members)
    ]
    return Trained(of_models, diverged, interrupted)


def drop_optimizer_state(net: MLP) -> None:
    """Free the memory of AdamW's state, twice that of the parameters."""
    plain = GradientDescent(1.0)
    net.state.begin_training((plain.name, plain.constants), ema=False, reset_optimizer=True)


def checksum(training: Training) -> int:
    """Return a checksum of what a model's networks are trained on, and of how."""
    job, rows = training.job, training.job.rows
    found = zlib.crc32(repr((training.plan, job.seed, job.encoder.to_json())).encode())
    for array in (rows.codes.numbers, rows.codes.categories, rows.targets):
        found = zlib.crc32(np.ascontiguousarray(array).tobytes(), found)
    return found


def make_network(job: Job, plan: NetworkPlan, number: int) -> MLP:
    """Return the network of a plan, untrained."""
    encodings = job.encoder.encodings(plan.encoding)
    return MLP(
        (len(encodings), *plan.hidden, job.n_outputs),
        encodings=encodings,
        activation=plan.activation,
        loss=job.loss,
        dropout=plan.dropout if plan.hidden else 0.0,
        seed=job.seed + number,
    )


def fit_options(job: Job, plan: NetworkPlan, rows: NDArray[np.intp]) -> dict[str, Any]:
    """Return the options of the network's fit on some rows."""
    weights = job.rows.weights
    classification = job.n_outputs > 1
    return {
        "epochs": plan.epochs,
        "batch_size": plan.batch_size,
        "optimizer": AdamW(
            OneCycle(plan.learning_rate), beta_2=BETA_2, weight_decay=plan.weight_decay
        ),
        "label_smoothing": plan.label_smoothing if classification else 0.0,
        "sample_weight": None if weights is None else weights[rows],
    }


def train_member(
    one: NetworkJob, inputs: Array, n_threads: int, deadline: float, stop: Stop
) -> Member | None:
    """Train a network; return None if there was no time for it.

    That is time for an epoch, and for FEWEST_EPOCHS of a model that the first one can replace.
    """
    job, net, callbacks = one.job, one.net, one.callbacks
    validation = job.rows.validation[one.number]
    training = np.delete(np.arange(len(job.rows)), validation)
    seconds = deadline - perf_counter()
    if seconds <= 0:
        return None
    best = None
    if len(validation):
        own = inputs[validation]
        best = BestEpoch(
            lambda net: job.score(net.forward(own), validation), job.patience, job.metric
        )
        callbacks = (best, *callbacks)  # first, so that the others see its metric
    options = {
        **fit_options(job, one.plan, training),
        "n_threads": n_threads,
        "max_seconds": None if math.isinf(seconds) else seconds,
    }
    task = Task(net, inputs[training], job.targets(training), options, callbacks)
    with finite_outputs(net):
        history = fit_task(task, stop=stop)
    fewest = 1 if one.model == 0 else min(FEWEST_EPOCHS, one.plan.epochs)
    if history.epochs < (fewest if history.stopped_by == "max_seconds" else 1):
        return None
    if len(validation):
        outputs = net.forward(inputs[validation])
    else:
        outputs = np.zeros((0, job.n_outputs))
    kept = history.epochs if best is None else best.epoch
    return Member(net, one.plan.encoding, validation, outputs, kept, history.epochs)


class Clock(Callback):
    """Reads the time at the beginning and at the end of each epoch."""

    def __init__(self) -> None:
        self.times = [perf_counter()]

    def on_epoch_end(self, net: MLP, history: History) -> None:
        """Read the time."""
        self.times.append(perf_counter())


def trial(training: Training, number: int, deadline: float) -> float:
    """Return the seconds of an epoch of a model's first network, on one thread.

    They are infinite if there was no time for one.
    """
    job = training.job
    plan = replace(training.plan.networks[0], epochs=TRIAL_EPOCHS)
    inputs = job.encoder.inputs(job.rows.codes, plan.encoding)
    net, clock = make_network(job, plan, 0), Clock()
    try:
        train_member(NetworkJob(job, 0, 0, plan, net, (clock,)), inputs, 1, deadline, Stop())
    except TrainingDiverged:
        if number == 0:
            raise
    return float(min(np.diff(clock.times), default=math.inf))
