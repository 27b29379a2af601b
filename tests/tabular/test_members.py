"""Endings of the training of several models: Ctrl-C, divergence, and trials that diverge."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

import fastmlp
from fastmlp.tabular import TabularRegressor, model_training, trials
from fastmlp.training.division import dividing

QUICK = {"quality": "fast", "epochs": 2, "hidden_layer_sizes": (4,), "random_state": 0}


@pytest.fixture
def table():
    """Return 180 rows of three shops, and a target."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"shop": np.repeat(["a", "b", "c"], 60), "x": rng.normal(size=180)})
    return table, table["x"].to_numpy() + rng.normal(0, 0.1, 180)


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("per", [None, "shop"])
def test_ctrl_c_before_the_first_epoch_leaves_the_estimator_as_it_was(monkeypatch, table, per):
    model = TabularRegressor(per=per, **QUICK)
    monkeypatch.setattr(model_training, "run_jobs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*table)
    with pytest.raises(NotFittedError):
        model.predict(table[0])


def test_ctrl_c_in_one_of_several_processes_is_not_kept_from_the_others(monkeypatch, table):
    """A process that went on to exchange its networks would wait for the others for ever."""
    exchanged = []
    two = SimpleNamespace(
        n_processes=2,
        own=range,
        of_first=lambda value: value,
        require_equal=lambda value, what: None,
        exchange=lambda trained, error: exchanged.append(trained),
    )
    monkeypatch.setattr(model_training, "run_jobs", interrupted)
    with dividing(two), pytest.raises(KeyboardInterrupt):
        TabularRegressor(**QUICK).fit(*table)
    assert exchanged == []


def test_other_networks_of_a_value_that_diverged_are_not_trained(table):
    trained = []

    class Records(fastmlp.Callback):
        def __init__(self, number):
            self.number = number

        def on_epoch_end(self, net, history):
            trained.append(self.number)
            if self.number == 3:  # of shop a, after the two of the shared model
                raise fastmlp.TrainingDiverged("too fast", history=history)

    numbers = iter(range(8))
    model = TabularRegressor(per="shop", n_members=2, n_threads=1, **QUICK)
    with pytest.warns(UserWarning, match="training diverged for 1 values of 'shop'"):
        model.fit(*table, callbacks=lambda net: [Records(next(numbers))])
    assert sorted(trained) == [0, 0, 1, 1, 3, 4, 4, 5, 5, 6, 6, 7, 7]  # 3 before 2, it is larger
    assert list(model.by_value_.models) == ["b", "c"]


def test_a_trial_that_diverges_ends_the_shared_model_and_leaves_out_a_value(monkeypatch, table):
    tried = []

    def diverges(job, *_):
        tried.append(job)
        raise fastmlp.TrainingDiverged("too fast", history=job.net.history)

    monkeypatch.setattr(trials, "train_member", diverges)
    model = TabularRegressor(time_limit=100, **QUICK)
    with pytest.raises(fastmlp.TrainingDiverged, match="too fast"):
        model.fit(*table)
    assert len(tried) == 1
    model_job = replace(tried[0].model, plan=SimpleNamespace(networks=[tried[0].plan]))
    assert trials.trial(model_job, 1, math.inf) == math.inf
    assert len(tried) == 2
