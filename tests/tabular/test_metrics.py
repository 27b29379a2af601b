"""Metrics against scikit-learn's."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn import metrics as oracle

from fastmlp.tabular import TabularClassifier
from fastmlp.tabular.metrics import CLASSIFICATION, REGRESSION, metric_of

rng = np.random.default_rng(0)
Y2, P2 = rng.integers(0, 2, 60), rng.dirichlet([1, 1], 60)
Y3, P3 = rng.integers(0, 3, 60), rng.dirichlet([1, 1, 1], 60)
T, H = rng.normal(size=60), rng.normal(size=60)
W = rng.uniform(0, 2, 60)

EXPECTED = {
    "log_loss": lambda y, p, w: oracle.log_loss(y, p, sample_weight=w),
    "error": lambda y, p, w: 1 - oracle.accuracy_score(y, p.argmax(1), sample_weight=w),
    "accuracy": lambda y, p, w: oracle.accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: oracle.balanced_accuracy_score(
        y, p.argmax(1), sample_weight=w
    ),
    "auc": lambda y, p, w: (
        oracle.roc_auc_score(y, p[:, 1], sample_weight=w)
        if p.shape[1] == 2
        else np.mean([oracle.roc_auc_score(y == k, p[:, k], sample_weight=w) for k in range(3)])
    ),
    "f1": lambda y, p, w: oracle.f1_score(
        y, p.argmax(1), average="binary" if p.shape[1] == 2 else "macro", sample_weight=w
    ),
    "rmse": lambda y, h, w: oracle.root_mean_squared_error(y, h, sample_weight=w),
    "mae": lambda y, h, w: oracle.mean_absolute_error(y, h, sample_weight=w),
    "r2": lambda y, h, w: oracle.r2_score(y, h, sample_weight=w),
}


@pytest.mark.parametrize("weights", [None, W], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(("y", "p"), [(Y2, P2), (Y3, P3)], ids=["two", "three"])
@pytest.mark.parametrize("name", CLASSIFICATION)
def test_a_metric_of_probabilities_is_scikit_learns(name, y, p, weights):
    found = CLASSIFICATION[name].measure(y, p, weights)
    assert found == pytest.approx(EXPECTED[name](y, p, weights))


@pytest.mark.parametrize("weights", [None, W], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("name", REGRESSION)
def test_a_metric_of_values_is_scikit_learns(name, weights):
    found = REGRESSION[name].measure(T, H, weights)
    assert found == pytest.approx(EXPECTED[name](T, H, weights))


@pytest.mark.parametrize("name", [*CLASSIFICATION, *REGRESSION])
def test_less_is_better_of_a_loss(name):
    metric = {**CLASSIFICATION, **REGRESSION}[name]
    if name in CLASSIFICATION:
        perfect, poor = np.eye(2)[Y2], np.eye(2)[1 - Y2]
        assert metric.loss(Y2, perfect, None) < metric.loss(Y2, poor, None)
    else:
        assert metric.loss(T, T, None) < metric.loss(T, H, None)


@pytest.mark.parametrize("weights", [None, W], ids=["unweighted", "weighted"])
def test_a_tie_of_two_scores_counts_half(weights):
    p = P2.round(1)  # eleven values, each of rows of both classes
    found = CLASSIFICATION["auc"].measure(Y2, p, weights)
    assert found == pytest.approx(EXPECTED["auc"](Y2, p, weights))


def test_a_class_without_weight_is_left_out_of_the_balanced_accuracy():
    found = CLASSIFICATION["balanced_accuracy"].measure(Y3, P3, W * (Y3 != 2))
    y, p, w = (each[Y3 != 2] for each in (Y3, P3, W))
    rights = [np.average(p[y == k].argmax(1) == k, weights=w[y == k]) for k in range(2)]
    assert found == pytest.approx(np.mean(rights))


def test_a_metric_that_does_not_exist_is_infinitely_bad():
    assert CLASSIFICATION["auc"].loss(np.zeros(5, int), P2[:5], None) == np.inf


@pytest.mark.parametrize("weights", [None, W], ids=["unweighted", "weighted"])
def test_a_scorer_sees_labels_and_probabilities(weights):
    scorer = oracle.make_scorer(
        oracle.roc_auc_score, response_method="predict_proba", greater_is_better=True
    )
    metric = metric_of(scorer, CLASSIFICATION, np.array(["no", "yes"]))
    expected = oracle.roc_auc_score(Y2, P2[:, 1], sample_weight=weights)
    assert metric.loss(Y2, P2, weights) == pytest.approx(-expected)


def test_a_scorer_without_weights_is_called_without_them():
    def scorer(estimator, X, y):
        return -np.abs(estimator.predict(X) - y).max()

    metric = metric_of(scorer, REGRESSION, None)
    assert metric.loss(T, H, W) == pytest.approx(np.abs(T - H).max())


def test_an_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'log_loss'"):
        metric_of("logloss", CLASSIFICATION, None)


def test_a_scorer_of_labels_sees_those_of_the_classes():
    classes = np.array(["no", "yes"])
    metric = metric_of(oracle.get_scorer("accuracy"), CLASSIFICATION, classes)
    assert metric.loss(Y2, P2, W) == pytest.approx(
        -oracle.accuracy_score(Y2, P2.argmax(1), sample_weight=W)
    )


@pytest.mark.parametrize("function", [lambda y, p: 1.0, oracle.accuracy_score, len])
def test_a_function_that_is_no_scorer_is_refused_with_the_remedy(function):
    with pytest.raises(TypeError, match=r"scorer\(estimator, X, y\), got .*make_scorer makes one"):
        metric_of(function, CLASSIFICATION, None)


def test_a_function_without_a_signature_is_taken():
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(max)
    assert metric_of(max, REGRESSION, None).greater_is_better


@pytest.mark.parametrize("metric", [*CLASSIFICATION, oracle.get_scorer("neg_log_loss")], ids=str)
def test_a_model_chosen_by_any_metric_can_be_pickled(metric):
    options = {"quality": "fast", "epochs": 1, "random_state": 0, "n_threads": 1}
    model = TabularClassifier(metric=metric, **options).fit(P2[:, :1], Y2)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(P2[:, :1]), model.predict_proba(P2[:, :1]))
    found, expected = (one.metric_.measure(Y2, P2, None) for one in (again, model))
    assert found == expected
