"""The validation set, early stopping and its score."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

pytest.importorskip("sklearn")
from scipy import sparse
from sklearn import neural_network
from sklearn.datasets import load_diabetes, make_multilabel_classification
from sklearn.metrics import make_scorer, max_error, mean_poisson_deviance
from sklearn.preprocessing import scale

from fastmlp import sklearn as fastmlp_sklearn
from fastmlp.sklearn import MLPClassifier, MLPRegressor
from fastmlp.sklearn.validation import accepts_sample_weight
from fastmlp.tracking import Tracker

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X / X.std(axis=0), scale(y)


def test_the_loss_on_validation_data_is_recorded(iris):
    X, y = iris
    model = MLPClassifier(max_iter=30, random_state=0)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(model.validation_loss_curve_) == model.n_iter_ and model.validation_scores_ is None
    loss = -np.mean(model.predict_log_proba(X[1::2])[np.arange(75), np.arange(1, 150, 2) // 50])
    assert model.validation_loss_curve_[-1] == pytest.approx(loss)


class Log(Tracker):
    """Keeps what it is to log."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def log(self, figures, step):
        self.rows.append(figures)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_trackers_log_the_figures_of_the_validation_data(iris, early_stopping):
    X, y = iris
    model = MLPClassifier(
        max_iter=5, random_state=0, early_stopping=early_stopping, callbacks=[Log()]
    )
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    rows = model.callbacks_[0].rows
    assert [one["validation_loss"] for one in rows] == model.validation_loss_curve_
    scores = [one["validation_score"] for one in rows if "validation_score" in one]
    assert scores == (model.validation_scores_ or [])


def test_early_stopping_monitors_the_validation_data_of_the_user(iris):
    X, y = iris
    model = MLPClassifier(early_stopping=True, max_iter=200, random_state=0, learning_rate_init=0.1)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert model.t_ == 75 * model.n_iter_  # all samples were trained on
    assert model.best_validation_score_ == model.score(X[1::2], y[1::2])


@pytest.mark.parametrize("missing", ["X_val", "y_val"])
def test_half_of_the_validation_data_is_refused(iris, missing):
    X, y = iris
    given = {"X_val": X, "y_val": y}
    del given[missing]
    with pytest.raises(ValueError, match=f"is provided, but {missing} was not provided"):
        MLPClassifier().fit(X, y, **given)


def test_validation_data_with_other_columns_are_refused(iris):
    X, y = iris
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 4"):
        MLPClassifier().fit(X, y, X_val=X[:, :3], y_val=y)


def test_a_validation_set_has_two_samples_at_least(iris):
    X, _ = iris
    model = MLPRegressor(early_stopping=True, validation_fraction=2 / 150, max_iter=1)
    assert len(model.fit(X, X[:, 0]).validation_scores_) == 1
    with pytest.raises(ValueError, match="The validation set is too small"):
        model.set_params(validation_fraction=1 / 150).fit(X, X[:, 0])


@pytest.mark.parametrize("scoring", ["neg_log_loss", "balanced_accuracy", "loss"])
def test_early_stopping_by_another_score(iris, scoring):
    X, y = iris
    model = MLPClassifier(
        early_stopping=True, scoring=scoring, max_iter=60, random_state=0, learning_rate_init=0.05
    )
    model.fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    if scoring != "balanced_accuracy":
        np.testing.assert_allclose(
            model.validation_scores_, np.negative(model.validation_loss_curve_), rtol=1e-9
        )


def test_early_stopping_restores_the_best_epoch(diabetes):
    X, y = diabetes
    model = MLPRegressor(early_stopping=True, scoring="loss", random_state=0)
    model.set_params(learning_rate_init=0.03, max_iter=300, tol=0)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    residuals = model.predict(X[1::2]) - y[1::2]
    assert model.n_iter_ < 300
    assert model.best_validation_score_ == pytest.approx(-np.mean(residuals**2) / 2)


def test_scores_of_frames_raise_no_warning(iris):
    frames = pytest.importorskip("pandas")
    X, y = iris
    model = MLPClassifier(early_stopping=True, scoring="f1_macro", max_iter=3, random_state=0)
    model.fit(frames.DataFrame(X, columns=list("abcd")), y)
    assert len(model.validation_scores_) == 3


@pytest.mark.parametrize("early", [False, True])
def test_sparse_samples_may_be_split(early):
    X, y = make_multilabel_classification(n_samples=100, random_state=0)
    model = MLPClassifier(max_iter=5, early_stopping=early, random_state=0)
    model.fit(sparse.csc_array(X), sparse.csr_array(y))
    assert model.predict(X).shape == y.shape


def test_validation_scores_are_scikit_learns_with_sample_weights(iris, rng):
    X, y = iris
    weight = rng.exponential(size=150)
    expected, model = (
        module.MLPClassifier(early_stopping=True, max_iter=40, random_state=0).fit(X, y, weight)
        for module in (neural_network, fastmlp_sklearn)
    )
    assert model.validation_scores_ == pytest.approx(expected.validation_scores_)
    assert model.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-6)


def test_the_validation_loss_of_counts_is_half_their_deviance(diabetes, rng):
    X, y = diabetes[0], rng.poisson(np.exp(diabetes[1]))
    weight = rng.uniform(size=len(y))
    model = MLPRegressor(loss="poisson", max_iter=2, random_state=0)
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    deviance = mean_poisson_deviance(y, model.predict(X), sample_weight=weight)
    assert model.validation_loss_curve_[-1] == pytest.approx(deviance / 2)


def test_the_validation_loss_of_several_values_is_their_mean(diabetes):
    X, y = diabetes[0], np.column_stack([diabetes[1], np.abs(diabetes[1])])
    model = MLPRegressor(max_iter=2, random_state=0).fit(X, y, X_val=X, y_val=y)
    squares = (model.predict(X) - y) ** 2
    assert model.validation_loss_curve_[-1] == pytest.approx(np.mean(squares) / 2)


# --------------------------------------------------------------------------- scores that are NaN


def nan_scorer(estimator, X, y):
    return np.nan


@pytest.mark.parametrize(
    ("scoring", "n_validation"), [(None, 1), ("r2", 1), (nan_scorer, 20)]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_score_that_is_nan_is_refused_after_the_first_epoch(diabetes, scoring, n_validation):
    """scikit-learn trains to the end, and then restores the parameters of the beginning."""
    X, y = diabetes
    model = MLPRegressor(early_stopping=True, scoring=scoring, max_iter=5, random_state=0)
    with pytest.raises(ValueError, match=f"score .* is NaN.* of {n_validation} validation samples"):
        model.fit(X, y, X_val=X[:n_validation], y_val=y[:n_validation])
    assert not hasattr(model, "network_")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_score_that_is_nan_is_refused_in_a_warm_start_too(diabetes):
    X, y = diabetes
    model = MLPRegressor(early_stopping=True, max_iter=3, random_state=0, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="score .* is NaN"):
        model.fit(X, y, X_val=X[:1], y_val=y[:1])


def test_validation_outputs_that_are_never_finite_are_refused(diabetes):
    X, y = diabetes[0].astype("f4"), diabetes[1]
    model = MLPRegressor(early_stopping=True, max_iter=3, random_state=0)
    with pytest.raises(ValueError, match="on the validation set was not finite in any epoch"):
        model.fit(X, y, X_val=np.full((3, 10), 3e38, "f4"), y_val=y[:3])


def test_scores_that_are_never_finite_are_refused(diabetes):
    model = MLPRegressor(early_stopping=True, scoring=lambda *_: -np.inf, max_iter=3)
    with pytest.raises(ValueError, match="not finite in any epoch"):
        model.fit(*diabetes)


def test_validation_data_without_early_stopping_need_no_score(diabetes):
    X, y = diabetes
    model = MLPRegressor(max_iter=3, random_state=0).fit(X, y, X_val=X[:1], y_val=y[:1])
    assert len(model.validation_loss_curve_) == 3 and model.validation_scores_ is None


def test_scores_that_are_nan_later_do_not_count(diabetes):
    """As in scikit-learn: they are neither the best nor an epoch without improvement."""
    scores = [0.5, np.nan, 0.7, np.nan, 0.6, 0.6, 0.6]
    calls = []

    def scorer(estimator, X, y):
        calls.append(estimator.coefs_[0])
        return scores[len(calls) - 1]

    model = MLPRegressor(
        early_stopping=True, scoring=scorer, max_iter=20, random_state=0, n_iter_no_change=2
    ).fit(*diabetes)
    np.testing.assert_array_equal(model.validation_scores_, scores)
    assert model.best_validation_score_ == 0.7
    np.testing.assert_array_equal(model.coefs_[0], calls[2])


# ------------------------------------------------------------------- scorers and sample weights


class AcceptsWeight:
    """A scorer that records the weights of its calls."""

    def __init__(self):
        self.weights = []

    def __call__(self, estimator, X, y, sample_weight=None):
        self.weights.append(sample_weight)
        return np.mean(estimator.predict(X) == y)


def without_weight(estimator, X, y):
    return np.mean(estimator.predict(X) == y)


@pytest.mark.parametrize("weights", ["sample_weight", "class_weight", "both"])
def test_a_scorer_without_sample_weight_is_called_without(iris, weights):
    X, y = iris
    options = {"early_stopping": True, "max_iter": 3, "random_state": 0}
    if weights != "sample_weight":
        options["class_weight"] = "balanced"
    sample_weight = None if weights == "class_weight" else np.linspace(0, 1, 150)
    model = MLPClassifier(scoring=without_weight, **options).fit(X, y, sample_weight)
    unweighted = MLPClassifier(scoring=lambda *args: without_weight(*args), **options)
    assert unweighted.fit(X, y, sample_weight).validation_scores_ == model.validation_scores_


def test_a_scorer_with_sample_weight_is_called_with_the_weights_of_the_validation_set(iris):
    X, y = iris
    scorer, weight = AcceptsWeight(), np.linspace(0.5, 1, 150)
    model = MLPClassifier(early_stopping=True, scoring=scorer, max_iter=2, random_state=0)
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    np.testing.assert_array_equal(scorer.weights, [weight, weight])
    model.fit(X, y, X_val=X, y_val=y)
    assert scorer.weights[2:] == [None, None]


def test_a_scorer_with_any_keywords_is_called_with_weights(iris):
    calls = []

    def scorer(estimator, X, y, **keywords):
        calls.append(keywords.keys())
        return 0.5

    MLPClassifier(early_stopping=True, scoring=scorer, max_iter=1, class_weight="balanced").fit(
        *iris
    )
    assert calls == [{"sample_weight"}]


@pytest.mark.parametrize(
    "scoring", ["neg_max_error", make_scorer(max_error, greater_is_better=False)], ids=str
)
def test_scikit_learns_scorers_without_sample_weight_are_called_without(diabetes, scoring):
    X, y = diabetes
    weight = np.linspace(0.5, 1, len(y))
    model = MLPRegressor(early_stopping=True, scoring=scoring, max_iter=3, random_state=0)
    assert len(model.fit(X, y, weight).validation_scores_) == 3


def test_scikit_learns_scorers_are_called_with_sample_weight(iris):
    X, y = iris
    weight = np.where(y == "virginica", 9.0, 1.0)
    model = MLPClassifier(early_stopping=True, scoring="accuracy", max_iter=5, random_state=0)
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    assert model.best_validation_score_ == model.score(X, y, weight) != model.score(X, y)


def test_a_scorer_without_a_signature_takes_no_sample_weight():
    with pytest.raises(ValueError, match="no signature found"):
        inspect.signature(max)
    assert not accepts_sample_weight(max)


@pytest.mark.parametrize("n_columns", [1, 2], ids=["two classes", "several labels"])
def test_a_label_is_predicted_where_its_probability_exceeds_a_half(n_columns):
    y = np.array([[0, 1], [1, 1], [1, 0], [0, 0]])[:, :n_columns]
    model = MLPClassifier((2,), max_iter=1, random_state=0)
    model.fit(np.eye(4), y[:, 0] if n_columns == 1 else y)
    h = np.array([[0.4, 0.7], [0.6, 0.4], [0.2, 0.1], [0.7, 0.3]])[:, :n_columns]
    found = model._labels.correct(h, y.astype(h.dtype))
    assert found.tolist() == ([True, True, False, False] if n_columns == 1
                              else [True, False, False, False])  # fmt: skip
