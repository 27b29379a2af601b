"""Training of one network of a model of a table, on its own part of the rows.

Each network leaves out some of the rows: its validation rows.  Its outputs for them, in the best
epoch by the metric, are what the model knows of its own errors: temperature, intervals and the
reported scores come from them.  fastmlp/tabular/model_training.py trains all networks of models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..callbacks import Callback, of_network
from ..losses import Loss
from ..network import MLP
from ..optimizers import AdamW
from ..schedules import OneCycle
from ..training import Stop
from ..training.many import Task, fit_task
from .best_epoch import BestEpoch, finite_outputs
from .columns import Codes, TableEncoder
from .metrics import Metric
from .plan import FEWEST_EPOCHS, NetworkPlan, Plan

__all__ = ["Callbacks", "Member", "ModelJob", "NetworkJob", "Rows", "make_network", "train_member"]

Array = NDArray[Any]
Callbacks = Callable[[MLP], Iterable[Callback]]  # from a network to the callbacks of its fit

BETA_2 = 0.95  # of AdamW, as in RealMLP: the second moment follows the schedule


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
    validation_outputs: Array  # (n, n_out), of the best epoch
    best_epoch: int
    epochs: int  # that were trained


@dataclass(frozen=True)
class ModelJob:
    """A model whose networks are to be trained."""

    plan: Plan
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
class NetworkJob:
    """A network that is to be trained."""

    model: ModelJob
    model_number: int  # among the models that are trained together
    network_number: int  # in its model
    plan: NetworkPlan
    net: MLP
    callbacks: tuple[Callback, ...]

    @classmethod
    def of(cls, model: ModelJob, model_number: int, network_number: int) -> Self:
        """Return the job of a network in the plan of its model."""
        plan = model.plan.networks[network_number]
        net = make_network(model, plan, network_number)
        callbacks = () if model.callbacks is None else tuple(of_network(model.callbacks, net))
        return cls(model, model_number, network_number, plan, net, callbacks)

    @property
    def work(self) -> float:
        """About how long training takes, relative to other networks."""
        return float(len(self.model.rows)) * self.plan.epochs * self.net.n_parameters

    @property
    def is_optional(self) -> bool:
        """Whether its model can be left out, because the first model predicts in its place."""
        return self.model_number > 0


def make_network(model: ModelJob, plan: NetworkPlan, network_number: int) -> MLP:
    """Return the network of a plan, untrained."""
    encodings = model.encoder.encodings(plan.encoding)
    return MLP(
        (len(encodings), *plan.hidden, model.n_outputs),
        encodings=encodings,
        activation=plan.activation,
        loss=model.loss,
        dropout=plan.dropout if plan.hidden else 0.0,
        seed=model.seed + network_number,
    )


def fit_options(model: ModelJob, plan: NetworkPlan, rows: NDArray[np.intp]) -> dict[str, Any]:
    """Return the options of the network's fit on some rows."""
    weights = model.rows.weights
    classification = model.n_outputs > 1
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
    job: NetworkJob, inputs: Array, n_threads: int, deadline: float, stop: Stop
) -> Member | None:
    """Train a network; return None if there was no time for it.

    That is time for an epoch, and for FEWEST_EPOCHS if its model is optional.
    """
    model, net, callbacks = job.model, job.net, job.callbacks
    validation_rows = model.rows.validation[job.network_number]
    training_rows = np.delete(np.arange(len(model.rows)), validation_rows)
    seconds = deadline - perf_counter()
    if seconds <= 0:
        return None

    best = None
    if len(validation_rows):
        validation_inputs = inputs[validation_rows]
        best = BestEpoch(
            lambda net: model.score(net.forward(validation_inputs), validation_rows),
            model.patience,
            model.metric,
        )
        callbacks = (best, *callbacks)  # first, so that the others see its metric
    options = {
        **fit_options(model, job.plan, training_rows),
        "n_threads": n_threads,
        "max_seconds": None if math.isinf(seconds) else seconds,
    }
    targets = model.targets(training_rows)
    task = Task(net, inputs[training_rows], targets, options, callbacks)
    with finite_outputs(net):
        history = fit_task(task, stop=stop)

    fewest = 1
    if job.is_optional and history.stopped_by == "max_seconds":
        fewest = min(FEWEST_EPOCHS, job.plan.epochs)
    if history.epochs < fewest:
        return None
    if best is None:
        outputs, best_epoch = np.zeros((0, model.n_outputs)), history.epochs
    else:
        outputs, best_epoch = net.forward(validation_inputs), best.epoch
    return Member(net, job.plan.encoding, validation_rows, outputs, best_epoch, history.epochs)
