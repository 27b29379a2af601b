"""The networks of a model of a table: which are kept when time ends, and trials of their speed."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")

from fastmlp.history import TrainingDiverged  # noqa: E402
from fastmlp.tabular import TabularRegressor, members, trials  # noqa: E402
from fastmlp.tabular.given import Given  # noqa: E402
from fastmlp.training import Stop  # noqa: E402

x = np.random.default_rng(0).normal(size=60)
TABLE = pd.DataFrame({"x": x})


def job_of(**parameters) -> members.ModelJob:
    """Return a model that is to be trained."""
    model = TabularRegressor(quality="fast", n_members=1, n_threads=1, **parameters)
    given = Given.checked(TABLE, x, None, None, None)
    return model._prepare(given, None, np.random.RandomState(0))


@pytest.mark.parametrize(
    ("model", "planned", "epochs", "stopped_by", "kept"),
    [
        (0, 20, 0, "max_seconds", False),
        (0, 20, 1, "max_seconds", True),
        (1, 20, 7, "max_seconds", False),  # the first model can replace it
        (1, 20, 8, "max_seconds", True),
        (1, 3, 2, "max_seconds", False),
        (1, 3, 3, "max_seconds", True),
        (1, 20, 1, "callback", True),
        (1, 20, 0, "callback", False),
    ],
)
def test_a_network_is_kept_that_had_enough_epochs(
    monkeypatch, model, planned, epochs, stopped_by, kept
):
    job = job_of(epochs=planned)
    history = SimpleNamespace(epochs=epochs, stopped_by=stopped_by)
    monkeypatch.setattr(members, "fit_task", lambda task, stop: history)
    assert (member(job, model, math.inf) is not None) is kept


def member(job, model_number, deadline):
    """Train the network of a model."""
    network_job = members.NetworkJob.of(job, model_number, 0)
    inputs = job.encoder.inputs(job.rows.codes, network_job.plan.encoding)
    return members.train_member(network_job, inputs, 1, deadline, Stop())


@pytest.mark.parametrize(("seconds", "limit"), [(0.5, 0.5), (0.0, None), (-0.5, None)])
def test_a_network_has_the_time_that_is_left(monkeypatch, seconds, limit):
    limits = []

    def fit(task, stop):
        limits.append(task.options["max_seconds"])
        return SimpleNamespace(epochs=1, stopped_by="epochs")

    monkeypatch.setattr(members, "fit_task", fit)
    monkeypatch.setattr(members, "perf_counter", lambda: 100.0)
    found = member(job_of(), 0, 100 + seconds)
    assert (limits, found is None) == ([] if limit is None else [limit], limit is None)


def test_a_trial_that_diverges_is_an_error_of_the_first_model_alone():
    job = job_of(learning_rate=1e30)
    with pytest.raises(TrainingDiverged):
        trials.trial(job, 0, math.inf)
    assert trials.trial(job, 1, math.inf) == math.inf
