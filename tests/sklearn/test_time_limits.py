"""Fits of the estimators that a limit of time ends."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

import fastmlp
from fastmlp.sklearn import MLPClassifier
from fastmlp.training import loop

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def end_of_time(monkeypatch):
    """Sets the number of batches after which the time is up."""

    def after(n_batches):
        calls = itertools.count(1)

        def clock():  # read twice before the first batch and three times for each
            call = next(calls)
            return call if call < 2 + 3 * n_batches else 1e6 + call

        monkeypatch.setattr(loop, "perf_counter", clock)
        monkeypatch.setattr(loop, "SLICE", 0.0)  # so long the engine trains before it comes back

    return after


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("n_batches", [1, 3])
def test_time_that_ends_within_the_first_epoch(end_of_time, early_stopping, n_batches):
    """What was learned stays, is scored and recorded, and a warning says so."""
    X, y = load_digits(return_X_y=True)
    weight = np.linspace(0.5, 1, len(y))
    options = {"random_state": 0, "early_stopping": early_stopping, "alpha": 1.0}
    end_of_time(n_batches)
    model = MLPClassifier(max_seconds=1e3, **options)
    message = f"within the first epoch, after {n_batches} of"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        model.fit(X, y, weight)
    assert caught[0].filename == __file__
    assert model.n_iter_ == len(model.loss_curve_) == 1
    assert model.loss_ == model.loss_curve_[0] and 0 < model.loss_ < 50
    assert model.t_ == 200 * n_batches
    start = MLPClassifier(**{**options, "early_stopping": False}, max_iter=1)
    start.set_params(learning_rate_init=1e-300).fit(X, y)
    assert not np.array_equal(model.coefs_[0], start.coefs_[0])
    if early_stopping:
        assert model.validation_scores_ == [model.best_validation_score_]
        assert 0 <= model.best_validation_score_ <= 1
    else:
        assert model.best_loss_ == model.loss_


def test_the_loss_of_an_unfinished_epoch_is_that_of_its_batches(end_of_time):
    X, y = load_digits(return_X_y=True)
    options = {"random_state": 0, "alpha": 1.0, "shuffle": False}
    end_of_time(2)
    model = MLPClassifier(max_seconds=1e3, **options).fit(X, y)
    expected = neural_network.MLPClassifier(max_iter=1, **options).fit(X[: model.t_], y[: model.t_])
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-9)
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-6)


def test_time_that_ends_within_a_later_epoch(end_of_time):
    """Whole epochs are recorded alone, and training simply ends."""
    X, y = load_digits(return_X_y=True)
    end_of_time(9 + 4)
    model = MLPClassifier(max_seconds=1e3, random_state=0).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 1 and model.t_ == len(X)


def test_no_time_at_all_leaves_the_initial_network(iris):
    model = MLPClassifier(max_seconds=1e-9, random_state=0)
    with pytest.warns(ConvergenceWarning, match="after 0 of 1 batches"):
        model.fit(*iris)
    assert model.n_iter_ == 0 and model.loss_curve_ == [] and np.isnan(model.loss_)
    assert model.predict(iris[0]).shape == (150,)


def test_time_that_ends_after_an_epoch_restores_the_best(iris):
    class Late(fastmlp.Callback):
        def on_epoch_end(self, net, history):
            return history.epochs == 5

    stopped = MLPClassifier(early_stopping=True, callbacks=[Late()], random_state=0).fit(*iris)
    assert stopped.n_iter_ == 5
    assert stopped.best_validation_score_ == max(stopped.validation_scores_)
