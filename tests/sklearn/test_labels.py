"""Class labels: targets of another kind than the first ones, a single class, lists of classes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy.sparse import csr_array, csr_matrix  # noqa: E402
from sklearn import neural_network  # noqa: E402
from sklearn.preprocessing import OneHotEncoder  # noqa: E402

from fastmlp.sklearn import MLPClassifier  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
LABELS = np.arange(30) % 3
ONE_HOT = np.eye(3, dtype=int)[LABELS]
BOTH = np.column_stack([LABELS, LABELS > 0])

OTHER_KINDS = {
    "labels, one-hot": (LABELS, ONE_HOT, "not fitted with several columns"),
    "labels, probabilities": (LABELS, ONE_HOT * 1.0, "not fitted with several columns"),
    "labels, sparse": (LABELS, csr_matrix(ONE_HOT), "not fitted with several columns"),
    "labels, columns of classes": (LABELS, BOTH, "not fitted with several columns"),
    "two classes, one-hot": (LABELS > 0, ONE_HOT[:, :2], "not fitted with several columns"),
    "indicators, labels": (ONE_HOT, LABELS, r"shape \(30,\); expected 3 columns"),
    "indicators, fewer": (ONE_HOT, ONE_HOT[:, :2], r"shape \(30, 2\); expected 3 columns"),
    "sparse indicators, labels": (csr_array(ONE_HOT), LABELS, "expected 3 columns"),
    "indicators, signs": (ONE_HOT, 2 * ONE_HOT - 1, "other values than 0 and 1"),
    "indicators, 1 and 2": (ONE_HOT, ONE_HOT + 1, "other values than 0 and 1"),
    "columns of classes, labels": (BOTH, LABELS, r"shape \(30,\); expected 2 columns"),
}


@pytest.mark.parametrize("call", ["partial_fit", "warm_start", "y_val"])
@pytest.mark.parametrize(("first", "other", "message"), OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_further_targets_have_the_kind_of_the_first(first, other, message, call):
    model = MLPClassifier((3,), max_iter=2, random_state=0).fit(X, first)
    before = model.coefs_[0]
    with pytest.raises(ValueError, match=message):
        if call == "partial_fit":
            model.partial_fit(X, other)
        elif call == "warm_start":
            model.set_params(warm_start=True).fit(X, other)
        else:
            model.fit(X, first, X_val=X, y_val=other)
    np.testing.assert_array_equal(model.coefs_[0], before)


@pytest.mark.parametrize("form", [csr_array, np.asfortranarray, np.ndarray.tolist])
def test_indicators_may_come_in_another_form(form):
    model = MLPClassifier((3,), max_iter=2, random_state=0).fit(X, ONE_HOT)
    expected = MLPClassifier((3,), max_iter=2, random_state=0).fit(X, ONE_HOT)
    model.partial_fit(X, form(ONE_HOT))
    np.testing.assert_array_equal(model.coefs_[0], expected.partial_fit(X, ONE_HOT).coefs_[0])


@pytest.mark.parametrize("label", [0, 3, 2.0, "a", True])
def test_a_single_class_is_always_right(label):
    y = np.full(30, label)
    options = {"early_stopping": True, "max_iter": 3, "random_state": 0}
    theirs = neural_network.MLPClassifier((3,), **options).fit(X, y)
    ours = MLPClassifier((3,), **options).fit(X, y)
    assert ours.validation_scores_ == theirs.validation_scores_ == [1.0] * 3
    assert ours.best_validation_score_ == ours.score(X, y) == 1.0


def test_classes_may_be_a_column_like_y():
    in_column = np.unique(LABELS)[:, np.newaxis]
    theirs, ours = (
        kind((3,), random_state=0).partial_fit(X, LABELS, classes=in_column)
        for kind in (neural_network.MLPClassifier, MLPClassifier)
    )
    for model in (theirs, ours):
        model.partial_fit(X, LABELS, classes=in_column).partial_fit(X, LABELS, classes=[0, 1, 2])
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0])


@pytest.mark.parametrize(
    ("y", "classes"),
    [(LABELS, [[0, 1, 2]]), (LABELS, [[0, 1, 2], [0, 1]]), (BOTH, [[0, 1, 2]]),
     (LABELS, OneHotEncoder().fit(LABELS[:, np.newaxis]).categories_)],
    ids=["one list", "two lists", "too few lists", "categories_"],
)  # fmt: skip
def test_lists_of_classes_are_as_many_as_columns(y, classes):
    with pytest.raises(ValueError, match=r"`classes` holds . lists, each for a column of y"):
        MLPClassifier((3,)).partial_fit(X, y, classes=classes)
