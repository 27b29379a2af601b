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


class Recorder:
    """Records its calls; stops training after `last` epochs."""

    def __init__(self, last=None):
        self.last = last
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.calls.append(f"end {context.task_name}")
        if fitted_estimator is not None and X is not None:
            fitted_estimator.predict(X)
        return self.calls.count("end epoch") == self.last


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_epoch_begins_and_ends(iris, solver):
    recorder = Recorder()
    MLPClassifier(max_iter=3, solver=solver, random_state=0).set_callbacks(recorder).fit(*iris)
    epochs = ["begin epoch", "end epoch"] * 3
    assert recorder.calls == ["setup", "begin fit", *epochs, "end fit", "teardown"]


def test_a_call_of_partial_fit_is_one_epoch(iris):
    recorder = Recorder()
    model = MLPClassifier(random_state=0).set_callbacks(recorder)
    model.partial_fit(*iris, classes=[0, 1, 2])
    epoch = ["begin epoch", "end epoch"]
    assert recorder.calls == ["setup", "begin fit", *epoch, "end fit", "teardown"]


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_callback_may_stop_training(iris, solver):
    recorder = Recorder(last=4)
    model = MLPClassifier(solver=solver, random_state=0).set_callbacks(recorder).fit(*iris)
    assert model.n_iter_ == 4 and recorder.calls[-3:] == ["end epoch", "end fit", "teardown"]


def test_a_callback_may_stop_lbfgs_which_then_warns_as_in_scipy(iris):
    recorder = Recorder(last=4)
    model = MLPClassifier(solver="lbfgs", random_state=0).set_callbacks(recorder)
    with pytest.warns(UserWarning, match="lbfgs failed to converge after 4 iteration(?s:.*)HALT"):
        model.fit(*iris)
    assert model.n_iter_ == 4 and recorder.calls[-3:] == ["end epoch", "end fit", "teardown"]


def test_callbacks_do_not_change_the_result(iris):
    plain = MLPClassifier(max_iter=5, random_state=0).fit(*iris)
    with_callbacks = MLPClassifier(max_iter=5, random_state=0).set_callbacks(Recorder()).fit(*iris)
    np.testing.assert_array_equal(with_callbacks.coefs_[0], plain.coefs_[0])


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


def test_scoring_monitor_scores_with_the_sample_weights(iris):
    X, y = iris
    weight = np.where(y == 2, 9.0, 1.0)
    monitor = ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(max_iter=6, random_state=0).set_callbacks(monitor).fit(X, y, weight)
    score = monitor.get_logs().data[-1]["accuracy"]
    assert score == pytest.approx(model.score(X, y, weight)) != model.score(X, y)


def test_progress_bar_in_a_pipeline(iris):
    pytest.importorskip("rich")
    X, y = iris
    model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=3, random_state=0))
    model.set_callbacks(ProgressBar()).fit(X, y)
    assert model.score(X, y) > 0.3
