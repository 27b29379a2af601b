"""Training of a model's networks, side by side, each on its own part of the rows.

Each network leaves out some of the rows: its validation rows.  Its outputs for them, in the best
epoch by the metric, are what the model knows of its own errors: temperature, intervals and the
reported scores come from them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..callbacks import Callback
from ..history import History
from ..losses import Loss
from ..network import MLP
from ..optimizers import AdamW
from ..schedules import OneCycle
from ..support import threads
from ..training.division import division
from ..training.side_by_side import StopWhenSet, side_by_side
from .columns import Codes, TableEncoder
from .metrics import Metric
from .plan import FEWEST_EPOCHS, NetworkPlan, Plan

__all__ = ["Callbacks", "Job", "Member", "Rows", "train_members"]

Array = NDArray[Any]
Callbacks = Callable[[MLP], Iterable[Callback]]  # from a network to the callbacks of its fit

BETA_2 = 0.95  # of AdamW, as in RealMLP: the second moment follows the schedule
TRIAL_EPOCHS = 2  # that are timed when there is a time limit
RESERVE = 0.9  # of a time limit, for training by the plan


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


class BestEpoch(Callback):
    """Evaluates the network after each epoch and keeps the parameters of the best one.

    Of epochs that are equally good the last counts.  The metric is recorded in the history.
    """

    def __init__(
        self, loss_of: Callable[[MLP], float], patience: int | None, metric: Metric
    ) -> None:
        self.loss_of, self.patience, self.metric = loss_of, patience, metric
        self.loss, self.epoch = math.inf, 0
        self.snapshot: Any = None

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        """Evaluate; stop after `patience` epochs that were not better."""
        loss = self.loss_of(net)
        value = -loss if self.metric.greater_is_better else loss
        history.metrics.setdefault(self.metric.name, []).append(value)
        if loss <= self.loss or self.snapshot is None:
            self.loss, self.epoch, self.snapshot = loss, history.epochs, net.snapshot()
        return self.patience is not None and history.epochs - self.epoch >= self.patience

    def on_fit_end(self, net: MLP, history: History) -> None:
        """Go back to the best epoch."""
        if self.snapshot is not None:
            net.restore(self.snapshot)


def train_members(
    job: Job, plan: Plan, n_threads: int | None, time_limit: float | None
) -> tuple[list[Member], bool]:
    """Train the networks of a plan.

    Returns
    -------
    members : list of Member
        The networks with at least one whole epoch, in the plan's order.
    interrupted : bool
        Whether Ctrl-C ended training.
    """
    processes = division()
    deadline = math.inf if time_limit is None else perf_counter() + time_limit
    n_threads = threads.get_num_threads() if n_threads is None else n_threads
    if time_limit is not None:
        n_at_once = min(n_threads * processes.n_processes, len(plan.networks))
        plan = processes.of_first(within_time(job, plan, time_limit, n_at_once))
    inputs = {
        encoding: job.encoder.inputs(job.rows.codes, encoding)
        for encoding in {network.encoding for network in plan.networks}
    }
    if processes.n_processes > 1:
        processes.require_equal(checksum(job, plan, inputs), "data or networks")
    numbers = processes.own(len(plan.networks))
    n_jobs = max(1, min(n_threads, len(numbers)))
    members: dict[int, Member | None] = {}

    def job_of(i: int, network: NetworkPlan) -> Callable[[StopWhenSet], None]:
        net = make_network(job, network, i)
        own = () if job.callbacks is None else tuple(job.callbacks(net))

        def run(stop: StopWhenSet) -> None:
            members[i] = train_member(
                job,
                network,
                net,
                inputs[network.encoding],
                i,
                n_threads // n_jobs,
                deadline,
                (stop, *own),
            )

        return run

    # of all networks: their callbacks may be numbered
    jobs = [job_of(i, network) for i, network in enumerate(plan.networks)]
    interrupted, error = False, None
    try:
        side_by_side([jobs[i] for i in numbers], n_jobs)
    except KeyboardInterrupt:
        if processes.n_processes > 1:  # the others do not know of it
            raise
        interrupted = True
    except Exception as raised:
        error = raised
    everything = processes.exchange(members, error)
    found = [everything[i] for i in sorted(everything)]
    return [member for member in found if member is not None], interrupted


def checksum(job: Job, plan: Plan, inputs: Mapping[str, Array]) -> int:
    """Return a checksum of what networks are trained on, and of how."""
    found = zlib.crc32(repr((plan, job.seed)).encode())
    for array in (job.rows.targets, *(inputs[name] for name in sorted(inputs))):
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
    job: Job,
    plan: NetworkPlan,
    net: MLP,
    inputs: Array,
    number: int,
    n_threads: int,
    deadline: float,
    callbacks: Sequence[Callback],
) -> Member | None:
    """Train network `number` of a plan; return None if there was no time for an epoch."""
    validation = job.rows.validation[number]
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
        callbacks = [best, *callbacks]  # first, so that the others see its metric
    history = net.fit(
        inputs[training],
        job.targets(training),
        callbacks=callbacks,
        n_threads=n_threads,
        max_seconds=None if math.isinf(seconds) else seconds,
        **fit_options(job, plan, training),
    )
    if history.epochs == 0:
        return None
    if len(validation):
        outputs = net.forward(inputs[validation])
    else:
        outputs = np.zeros((0, job.n_outputs))
    kept = history.epochs if best is None else best.epoch
    return Member(net, plan.encoding, validation, outputs, kept, history.epochs)


def within_time(job: Job, plan: Plan, seconds: float, n_jobs: int) -> Plan:
    """Return a plan that takes about as long as there is time for, from a trial of two epochs.

    The schedule of rates then ends with the training.  First epochs are left out, then networks.
    """
    started = perf_counter()
    networks: Sequence[NetworkPlan] = plan.networks
    trial = replace(networks[0], epochs=TRIAL_EPOCHS)
    inputs = job.encoder.inputs(job.rows.codes, trial.encoding)
    net = make_network(job, trial, 0)
    everything = np.arange(len(job.rows))
    history = net.fit(
        inputs,
        job.targets(everything),
        n_threads=1,
        max_seconds=seconds / 4,
        **fit_options(job, trial, everything),
    )
    if history.epochs == 0:
        return Plan((replace(networks[0], epochs=1),), plan.validation_fraction)
    per_epoch = min(history.seconds)
    left = RESERVE * (seconds - (perf_counter() - started))
    epochs = int(left / per_epoch * n_jobs / len(networks))
    if epochs < FEWEST_EPOCHS:  # fewer networks
        n = max(1, int(left / per_epoch * n_jobs / FEWEST_EPOCHS))
        networks = networks[:n]
        epochs = max(1, int(left / per_epoch * min(n_jobs, n) / n))
    return Plan(
        tuple(replace(one, epochs=min(one.epochs, epochs)) for one in networks),
        plan.validation_fraction,
    )
