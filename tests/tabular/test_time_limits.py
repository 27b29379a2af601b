"""What is trained in a limited time: plans from given speeds, and models of values."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp.tabular import TabularRegressor, members, trials
from fastmlp.tabular.plan import FEWEST_EPOCHS, plan_of
from fastmlp.tabular.time_limits import seconds_of_epochs, within_time

EPOCHS = 40
QUICK = {"quality": "fast", "hidden_layer_sizes": (8,), "random_state": 0, "n_threads": 1}
COUNTS = {"a": 60, "b": 120, "c": 80, "d": 10}  # rows of each value
ALL = (sum(COUNTS.values()), *COUNTS.values())


def shortened(n_members, seconds_of, seconds, n_jobs=1, n_rows=(900, 300, 200, 100)):
    """Return the epochs of the networks of each model."""
    plans = [plan_of("good", 100, n_members=n, overrides={"epochs": EPOCHS}) for n in n_members]
    return [
        [one.epochs for one in plan.networks]
        for plan in within_time(plans, n_rows, seconds_of, seconds, n_jobs)
    ]


@pytest.mark.parametrize(
    ("n_members", "seconds_of", "seconds", "n_jobs", "expected"),
    [
        ([2], [1], 1000, 1, [[40, 40]]),
        ([2], [1], 40, 1, [[20, 20]]),
        ([2], [1], 20, 2, [[20, 20]]),
        ([2], [1], 15, 1, [[15]]),  # 16 seconds would be needed for 8 epochs of both
        ([2], [1], 4, 1, [[4]]),
        ([2], [1], 0.1, 2, [[1]]),
        ([2], [1], 0, 2, [[1]]),
        ([2, 1], [0, 0], 0, 2, [[40, 40], [40]]),  # shorter than the clock measures
        ([2], [math.inf], 9, 2, [[1]]),
        ([4], [1], 4, 8, [[4, 4, 4, 4]]),  # more processors than networks
        ([1, 1], [1, 0.5], 30, 1, [[20], [20]]),
        ([2, 2, 2], [1, 0.5, 0.5], 22, 1, [[11], [11], [11]]),
        ([2, 1, 1], [1, 0.5, 0.25], 13.5, 1, [[9], [9], []]),
        ([2, 1, 1], [1, math.inf, math.inf], 5, 1, [[5], [], []]),
        ([1, 1], [1, 0.5], 2, 1, [[2], []]),
    ],
)
def test_epochs_are_left_out_before_networks(n_members, seconds_of, seconds, n_jobs, expected):
    assert shortened(n_members, seconds_of, seconds, n_jobs) == expected


def test_models_of_few_rows_are_left_out_first_whatever_their_place():
    found = shortened([2, 1, 1], [1, 0.5, 0.5], 13.5, n_rows=(900, 100, 300))
    assert found == [[9], [], [9]]


@pytest.mark.parametrize("seconds", [9, 20, 50, 200, 900])
@pytest.mark.parametrize("n_members", [[1], [3], [2, 1, 1, 1], [4, 2, 2]])
def test_networks_have_enough_epochs_and_all_fit_into_the_time(n_members, seconds):
    seconds_of = [1, 0.7, 0.4, 0.3][: len(n_members)]
    epochs = shortened(n_members, seconds_of, seconds)
    assert sum(sum(own) * s for own, s in zip(epochs, seconds_of, strict=True)) <= seconds
    assert all(FEWEST_EPOCHS <= one <= EPOCHS for own in epochs for one in own)
    assert len(epochs[0]) >= 1


def test_a_plan_of_fewer_epochs_keeps_them():
    plans = [plan_of("good", 100, n_members=2, overrides={"epochs": 3})]
    (plan,) = within_time(plans, [50], [1], 6, 1)
    assert [one.epochs for one in plan.networks] == [3, 3]


def test_models_between_two_trials_are_interpolated_by_their_rows():
    trials = {0: 5.0, 2: 3.0, 3: 1.0}
    assert seconds_of_epochs([900, 200, 300, 100], trials.__getitem__) == [5.0, 2.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("n_rows", "trials", "expected"),
    [
        ([9], {0: 5.0}, [5.0]),
        ([9, 4, 4], {0: 5.0, 2: 2.0}, [5.0, 2.0, 2.0]),
        ([9, 4, 2], {0: 5.0, 1: 2.0, 2: math.inf}, [5.0, 2.0, 2.0]),
        ([9, 4, 2], {0: 5.0, 1: math.inf, 2: math.inf}, [5.0, math.inf, math.inf]),
    ],
)
def test_a_trial_serves_models_that_have_none(n_rows, trials, expected):
    assert seconds_of_epochs(n_rows, trials.__getitem__) == expected


@pytest.fixture
def table():
    """A table with a column of values and its targets."""
    rng = np.random.default_rng(0)
    kind = rng.permutation(np.repeat(list(COUNTS), list(COUNTS.values())))
    x = rng.normal(size=len(kind))
    return pd.DataFrame({"kind": kind, "x": x}), x * (kind == "a") + rng.normal(size=len(kind))


def limited(monkeypatch, table, seconds_of, **fit_options):
    """Fit with a time limit of 1,000 seconds, where an epoch of so many rows takes so long."""

    def trial(model, number, deadline):
        return seconds_of[len(model.rows)]

    monkeypatch.setattr(trials, "trial", trial)
    return TabularRegressor(per="kind", time_limit=1000, **QUICK).fit(*table, **fit_options)


def test_models_of_values_share_the_time_and_the_smallest_are_left_to_the_shared_one(
    monkeypatch, table
):
    """900 seconds for training: eight epochs of the shared model and of b and c take 853."""
    with pytest.warns(
        UserWarning,
        match="time_limit=1000 seconds were too few for a model of 1 values of 'kind', which the "
        "shared model predicts: 'a'; allow more",
    ):
        model = limited(monkeypatch, table, {270: 60.0, 120: 25.0, 60: 20.0})  # c takes 21.7
    assert list(model.by_value_.models) == ["b", "c"]
    assert model.by_value_.reasons == {
        "a": "there was no time for its networks",
        "d": "it has 10 rows, fewer than 50",
    }
    assert len(model.by_value_.shared.networks_) == 1 and max(model.n_epochs_) < 28
    rows = (table[0]["kind"] == "a").to_numpy()
    expected = model.by_value_.shared.predict(table[0])
    np.testing.assert_array_equal(model.predict(table[0])[rows], expected[rows])


def test_a_limit_that_is_long_enough_changes_nothing(monkeypatch, table):
    found = limited(monkeypatch, table, dict.fromkeys(ALL, 0.1))
    expected = TabularRegressor(per="kind", **QUICK).fit(*table)
    np.testing.assert_array_equal(found.predict(table[0]), expected.predict(table[0]))
    assert list(found.by_value_.models) == list(expected.by_value_.models)


def test_no_value_is_prepared_when_the_time_of_preparing_is_over(monkeypatch, table):
    monkeypatch.setattr("fastmlp.tabular.fitting_by_value.PREPARING", 0)
    with pytest.warns(UserWarning, match="a model of 3 values of 'kind', which the shared"):
        model = limited(monkeypatch, table, dict.fromkeys(ALL, 0.1))
    assert model.by_value_.models == {} and len(model.n_epochs_) == 2


def test_a_value_s_network_that_the_end_cuts_short_is_not_kept(monkeypatch, table):
    """Of the shared model an epoch is enough; the other values' networks end by themselves."""
    done = []
    fit_task = members.fit_task

    def cut(task, stop=None):
        history = fit_task(task, stop=stop)
        if len(done) < 3:  # the shared model's two networks and that of b, the largest
            history.stopped_by = "max_seconds"
        done.append(task)
        return history

    class StopsAtOnce(fastmlp.Callback):
        def on_epoch_end(self, net, history):
            return True

    monkeypatch.setattr(members, "fit_task", cut)
    with pytest.warns(UserWarning, match="values of 'kind', which the shared model predicts: 'b'"):
        model = limited(
            monkeypatch, table, dict.fromkeys(ALL, 0.1), callbacks=lambda net: [StopsAtOnce()]
        )
    assert model.n_epochs_ == [1, 1, 1, 1]
    assert set(model.by_value_.models) == {"a", "c"}
    assert model.by_value_.reasons["b"] == "there was no time for its networks"


def test_a_limit_too_short_for_one_network_is_an_error(table):
    message = "time_limit=1e-06 seconds are too few for an epoch of one network"
    with pytest.raises(ValueError, match=re.escape(message)):
        TabularRegressor(per="kind", time_limit=1e-6, **QUICK).fit(*table)
