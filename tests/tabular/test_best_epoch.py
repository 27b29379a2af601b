"""The epoch of a network that is kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp.tabular import TabularClassifier
from fastmlp.tabular.best_epoch import BestEpoch, finite_outputs
from fastmlp.tabular.metrics import CLASSIFICATION


@pytest.fixture
def table():
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=60)})
    return X, (X["x"] > 0).astype(int)


@pytest.mark.parametrize("time_limit", [None, 1000])
def test_outputs_that_are_not_finite_are_divergence(table, time_limit):
    """One batch is an epoch: its cost is finite, and the parameters after it are too large."""
    model = TabularClassifier(
        quality="fast", epochs=3, batch_size=60, learning_rate=1e25, time_limit=time_limit,
        hidden_layer_sizes=(4, 4), random_state=0,
    )  # fmt: skip
    with pytest.raises(fastmlp.TrainingDiverged, match="not finite after epoch 1: choose a lower"):
        model.fit(*table)
    assert not hasattr(model, "networks_")


def test_other_errors_are_not_divergence():
    net = fastmlp.MLP((1, 2))
    own = fastmlp.TrainingDiverged("too fast", history=net.history)
    for error in (own, ValueError("other")):
        with pytest.raises(type(error)) as caught, finite_outputs(net):
            raise error
        assert caught.value is error


def test_of_equally_good_epochs_the_last_is_kept(table):
    def undefined(estimator, X, y):
        return np.nan

    for metric in (undefined, lambda estimator, X, y: 1.0):
        model = TabularClassifier(metric, "fast", epochs=3, random_state=0).fit(*table)
        assert model.best_epochs_ == [3, 3]


class Counted:
    """A network whose parameters are the number of its epochs."""

    def __init__(self):
        self.epoch = 0

    def snapshot(self):
        return self.epoch

    def restore(self, snapshot):
        self.epoch = snapshot


@pytest.mark.parametrize(("patience", "stopped"), [(None, 5), (1, 3), (2, 4)])
@pytest.mark.parametrize("name", ["log_loss", "accuracy"])
def test_training_stops_after_epochs_that_are_no_better_and_goes_back(patience, stopped, name):
    losses = [3.0, 1.0, 2.0, 1.5, 1.2]
    net, history, metric = Counted(), fastmlp.History(), CLASSIFICATION[name]
    best = BestEpoch(lambda net: losses[net.epoch - 1], patience, metric)
    best.on_fit_end(net, history)
    assert (net.epoch, best.epoch) == (0, 0)  # there is nothing to go back to
    for _ in losses:
        net.epoch += 1
        history.cost.append(0.0)
        if best.on_epoch_end(net, history):
            break
    assert net.epoch == history.epochs == stopped
    best.on_fit_end(net, history)
    assert (net.epoch, best.epoch, best.loss) == (2, 2, 1.0)
    sign = -1 if name == "accuracy" else 1
    assert history.metrics == {name: [sign * loss for loss in losses[:stopped]]}
