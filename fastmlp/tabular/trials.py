"""Trials of how long epochs take, by which the plans of models fit into a limited time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np

from ..callbacks import Callback
from ..history import History, TrainingDiverged
from ..network import MLP
from ..training import Stop
from ..training.division import division
from .members import ModelJob, NetworkJob, make_network, train_member
from .time_limits import seconds_of_epochs, within_time

__all__ = ["shortened"]

TRIAL_EPOCHS = 2  # of a trial, the shorter of which counts
TRIALS = 1 / 4  # of the time, for all trials at most
RESERVE = 0.9  # of the time after the trials, for training by the plans


def shortened(models: Sequence[ModelJob], n_threads: int, deadline: float) -> list[ModelJob]:
    """Return the models with plans that can be trained until a time.

    Processes that divide the networks all have the plans of the first process.
    """
    processes = division()
    now = perf_counter()
    trials_end = now + TRIALS * (deadline - now)
    n_networks = sum(len(model.plan.networks) for model in models)
    n_at_once = min(n_threads * processes.n_processes, n_networks)
    n_rows = [len(model.rows) for model in models]
    seconds_of = seconds_of_epochs(
        n_rows, lambda number: trial(models[number], number, trials_end)
    )
    seconds = max(0.0, RESERVE * (deadline - perf_counter()))
    plans = processes.of_first(
        within_time([model.plan for model in models], n_rows, seconds_of, seconds, n_at_once)
    )
    return [replace(model, plan=plan) for model, plan in zip(models, plans, strict=True)]


def trial(model: ModelJob, number: int, deadline: float) -> float:
    """Return the seconds of an epoch of a model's first network, on one thread.

    They are infinite if there was no time for one.
    """
    plan = replace(model.plan.networks[0], epochs=TRIAL_EPOCHS)
    inputs = model.encoder.inputs(model.rows.codes, plan.encoding)
    net, clock = make_network(model, plan, 0), Clock()
    job = NetworkJob(model, number, 0, plan, net, (clock,))
    try:
        train_member(job, inputs, 1, deadline, Stop())
    except TrainingDiverged:
        if not job.is_optional:
            raise
    return float(min(np.diff(clock.times), default=math.inf))


class Clock(Callback):
    """Reads the time at the beginning and at the end of each epoch."""

    def __init__(self) -> None:
        self.times = [perf_counter()]

    def on_epoch_end(self, net: MLP, history: History) -> None:
        """Read the time."""
        self.times.append(perf_counter())
