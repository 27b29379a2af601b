"""The estimators inside scikit-learn's pipelines, searches, ensembles and other tools."""

from __future__ import annotations

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")
import joblib
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate, learning_curve
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
QUICK = {"max_iter": 40, "learning_rate_init": 0.02, "random_state": 0}


def test_pipeline(iris):
    X, y = iris
    model = make_pipeline(StandardScaler(), MLPClassifier(**QUICK)).fit(100 + 50 * X, y)
    assert model.score(100 + 50 * X, y) > 0.9


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.filterwarnings("ignore::UserWarning:joblib")
def test_grid_search_in_processes_and_threads(iris, backend):
    X, y = iris
    grid = {"hidden_layer_sizes": [(5,), (20,)], "dropout": [0.0, 0.2]}
    with joblib.parallel_backend(backend):
        search = GridSearchCV(MLPClassifier(**QUICK), grid, cv=3, n_jobs=2).fit(X, y)
    alone = GridSearchCV(MLPClassifier(**QUICK), grid, cv=3).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


def test_calibration(iris):
    X, y = iris
    model = CalibratedClassifierCV(MLPClassifier(**QUICK), cv=3).fit(X, y)
    assert model.score(X, y) > 0.9


def test_bagging(iris):
    X, y = iris
    model = BaggingClassifier(MLPClassifier(**QUICK), n_estimators=4, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9


def test_boosting_by_sample_weights(iris):
    X, y = iris
    model = AdaBoostClassifier(MLPClassifier(**QUICK), n_estimators=4, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9


def test_permutation_importance(iris):
    X, y = iris
    model = MLPClassifier(**QUICK).fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=3, random_state=0)
    assert found.importances_mean.max() > 0.05


def test_cross_validation_of_both():
    X, y = load_diabetes(return_X_y=True)
    regressor = MLPRegressor(max_iter=60, learning_rate_init=0.01, random_state=0)
    scores = cross_val_score(make_pipeline(StandardScaler(), regressor), X, scale(y), cv=3)
    assert scores.mean() > 0.3
    X, y = load_iris(return_X_y=True)
    assert cross_val_score(MLPClassifier(**QUICK), scale(X), y, cv=3).mean() > 0.9


def test_several_targets_one_network_each(iris):
    X, y = iris
    Y = np.column_stack([y, y == "setosa"])
    model = MultiOutputClassifier(MLPClassifier(**QUICK)).fit(X, Y)
    assert model.score(X, Y) > 0.85


def test_learning_curve(iris):
    X, y = iris
    order = np.random.default_rng(0).permutation(len(X))
    sizes, _, scores = learning_curve(
        MLPClassifier(**QUICK), X[order], y[order], train_sizes=[0.3, 1.0], cv=3
    )
    assert len(sizes) == 2 and scores[-1].mean() > 0.9


def test_learning_curve_by_partial_fit(iris):
    X, y = iris
    order = np.random.default_rng(0).permutation(len(X))
    _, _, scores = learning_curve(
        MLPClassifier(random_state=0), X[order], y[order], cv=3,
        exploit_incremental_learning=True,
    )
    assert scores.shape == (5, 3)


def test_sample_weights_are_routed(iris):
    X, y = iris
    weight = np.where(y == "setosa", 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**QUICK).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        found = cross_validate(
            model, X, y, cv=3, params={"sample_weight": weight}, return_estimator=True
        )
    assert not any("setosa" in one.predict(X[50:]) for one in found["estimator"])


def test_validation_data_pass_through_a_pipeline(iris):
    X, y = iris
    X = 100 + 50 * X
    with sklearn.config_context(enable_metadata_routing=True):
        mlp = MLPClassifier(**QUICK).set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(StandardScaler(), mlp, transform_input=["X_val"])
        model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert model[-1].validation_loss_curve_[-1] < 0.3
