"""Epochs whose end nobody has to see are trained together, with the results of one at a time."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.preprocessing import scale  # noqa: E402

import fastmlp  # noqa: E402
from fastmlp.model.state import ModelState  # noqa: E402
from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402
from fastmlp.sklearn.stochastic import EpochEnd  # noqa: E402


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


@pytest.fixture
def calls(monkeypatch):
    """The numbers of epochs of the engine's calls for several."""
    found = []
    train_epochs = ModelState.train_epochs

    def counted(state, *arguments):
        progress = train_epochs(state, *arguments)
        found.append(len(progress.epochs))
        return progress

    monkeypatch.setattr(ModelState, "train_epochs", counted)
    return found


def learned(model):
    return (
        model.network_.snapshot().tobytes(),
        model.loss_curve_,
        model.n_iter_,
        model.t_,
        model._rate,
        model.network_.history.cost,
    )


OPTIONS = {
    "until it converges": {"tol": 1e-2, "max_iter": 400},
    "to the last epoch": {"max_iter": 37, "tol": 0},
    "sgd": {"solver": "sgd", "tol": 1e-2},
    "adaptive": {
        "solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.5, "tol": 1e-2,
    },
    "without end": {"n_iter_no_change": np.inf, "max_iter": 30},
    "unshuffled": {"shuffle": False, "max_iter": 30},
    "class weights": {"class_weight": {0: 3.0}, "max_iter": 30},
    "dropout and average": {"dropout": 0.2, "ema": 0.9, "max_iter": 30},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_results_are_those_of_one_epoch_at_a_time(iris, calls, monkeypatch, options):
    def fitted():
        rng = np.random.RandomState(1)
        model = MLPClassifier((9,), random_state=rng, **{"max_iter": 200, **options})
        return learned(model.fit(*iris)), rng.random_sample()

    together = fitted()
    assert max(calls) > 1
    calls.clear()
    monkeypatch.setattr(EpochEnd, "_epochs_at_once", lambda self: 1)
    assert together == fitted()
    assert calls == []


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_losses_of_samples_with_weights_and_constants_are_right(iris, calls, monkeypatch):
    X, y = iris
    weight = np.linspace(0, 2, len(y))

    def fitted():
        model = MLPRegressor("poisson", (9,), random_state=1, max_iter=30)
        return learned(model.fit(X, y, sample_weight=weight))

    together = fitted()
    assert max(calls) > 1
    monkeypatch.setattr(EpochEnd, "_epochs_at_once", lambda self: 1)
    assert together == fitted()


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    "options",
    [
        {"early_stopping": True},
        {"verbose": True},
        {"callbacks": [fastmlp.Callback()]},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"max_seconds": 60.0},
    ],
    ids=lambda options: list(options)[-1],
)
def test_what_sees_or_changes_each_epoch_keeps_them_apart(iris, calls, options):
    MLPClassifier((9,), max_iter=20, **options).fit(*iris)
    assert calls == []
