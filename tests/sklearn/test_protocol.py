"""scikit-learn's own callbacks."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn.callback")
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


class Notes:
    """Notes what it is told; stops after `last` epochs."""

    def __init__(self, last=None):
        self.last = last
        self.told = []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.told.append(f"end {context.task_name}")
        if fitted_estimator is not None and X is not None:
            fitted_estimator.predict(X)
        return self.told.count("end epoch") == self.last


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_epoch_begins_and_ends(iris, solver):
    notes = Notes()
    MLPClassifier(max_iter=3, solver=solver, random_state=0).set_callbacks(notes).fit(*iris)
    epochs = ["begin epoch", "end epoch"] * 3
    assert notes.told == ["setup", "begin fit", *epochs, "end fit", "teardown"]


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_callback_may_stop(iris, solver):
    notes = Notes(last=4)
    model = MLPClassifier(solver=solver, random_state=0).set_callbacks(notes).fit(*iris)
    assert model.n_iter_ == 4 and notes.told[-3:] == ["end epoch", "end fit", "teardown"]


def test_what_is_called_changes_nothing(iris):
    plain = MLPClassifier(max_iter=5, random_state=0).fit(*iris)
    watched = MLPClassifier(max_iter=5, random_state=0).set_callbacks(Notes()).fit(*iris)
    np.testing.assert_array_equal(watched.coefs_[0], plain.coefs_[0])


@pytest.mark.parametrize(
    ("kind", "score"), [(MLPClassifier, "accuracy"), (MLPRegressor, "r2")], ids=str
)
def test_scoring_monitor_sees_every_epoch(iris, kind, score):
    X, y = iris
    monitor = ScoringMonitor(scoring=score)
    model = kind(max_iter=6, random_state=0).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 6
    assert rows[-1][score] == pytest.approx(model.score(X, y))
    assert rows[0][score] != rows[-1][score]


def test_progress_bar_in_a_pipeline(iris):
    pytest.importorskip("rich")
    X, y = iris
    model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=3, random_state=0))
    model.set_callbacks(ProgressBar()).fit(X, y)
    assert model.score(X, y) > 0.3
