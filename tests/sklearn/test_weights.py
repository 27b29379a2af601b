"""Sample weights and class weights."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import SGDClassifier
from sklearn.utils import compute_sample_weight

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def same(one, other):
    return all(np.array_equal(x, y) for x, y in zip(one.coefs_, other.coefs_, strict=True))


# --------------------------------------------------------------------------------- sample weights

NEGATIVE = r"sample_weight must be ≥ 0, but sample_weight\[7\] is -0\.5"
ZERO = "sample_weight is zero for every example"


def weights(n, negative):
    return np.where(np.arange(n) == 7, -0.5, 1.0) if negative else np.zeros(n)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_negative_weights_are_refused(iris, kind, solver):
    X = iris[0]
    y = iris[1] if kind is MLPClassifier else X[:, 0]
    with pytest.raises(ValueError, match=NEGATIVE):
        kind(solver=solver).fit(X, y, sample_weight=weights(150, negative=True))


def test_weights_of_validation_data_are_checked(iris):
    X, y = iris
    model = MLPClassifier(max_iter=2)
    with pytest.raises(ValueError, match=NEGATIVE):
        model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weights(150, negative=True))
    with pytest.raises(ValueError, match="must contain at least one non-zero"):  # scikit-learn's
        model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weights(150, negative=False))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_class_weights_that_leave_no_weight_are_refused(iris, solver, early_stopping):
    X, y = iris
    none = {"setosa": 0, "versicolor": 0, "virginica": 0}
    model = MLPClassifier(class_weight=none, solver=solver, early_stopping=early_stopping)
    with pytest.raises(ValueError, match=ZERO):
        model.fit(X, y)
    model.set_params(class_weight={"setosa": 0})
    with pytest.raises(ValueError, match=ZERO):
        model.fit(X, y, sample_weight=(y == "setosa").astype(float))


def test_a_chunk_of_a_stream_without_weight_is_refused(iris):
    X, y = iris
    model = MLPClassifier(class_weight={"setosa": 0, "versicolor": 1}, random_state=0)
    with pytest.raises(ValueError, match=ZERO):
        model.partial_fit(X[:50], y[:50], classes=np.unique(y))
    model.partial_fit(X, y, classes=np.unique(y))


def test_weights_that_vanish_in_single_precision_are_refused(iris):
    X, y = iris
    with pytest.raises(ValueError, match="is 1e-60, which is 0 in a float32 network"):
        MLPClassifier().fit(X.astype("f4"), y, sample_weight=np.full(150, 1e-60))


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_split_that_leaves_a_part_without_weight_is_refused(iris, part):
    X, y = iris
    chosen = np.zeros(150)

    class Recorder:
        def __call__(self, estimator, X_val, y_val):
            is_validation = (X[:, None] == X_val[None]).all(axis=2).any(axis=1)
            chosen[:] = ~is_validation if part == "validation" else is_validation
            return 0.5

    model = MLPClassifier(early_stopping=True, max_iter=1, random_state=0, scoring=Recorder())
    model.fit(X, y)
    with pytest.raises(ValueError, match=f"zero for all the {part} examples"):
        model.fit(X, y, sample_weight=chosen)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array, sparse.coo_matrix])
def test_sparse_targets_of_a_regression_are_refused(iris, form):
    X = iris[0]
    for y in (X[:, :2], X[:, :1]):
        with pytest.raises(TypeError, match=r"y is sparse; give y\.toarray\(\)"):
            MLPRegressor().fit(X, form(y))


# ---------------------------------------------------------------------------------- class weights


def test_balanced_class_weights_are_equivalent_to_sample_weights(iris):
    X, y = iris
    keep = np.r_[0:50, 50:60, 100:120]
    weight = np.array([80 / 3 / 50, 80 / 3 / 10, 80 / 3 / 20])
    options = {"max_iter": 20, "random_state": 0}
    balanced = MLPClassifier(class_weight="balanced", **options).fit(X[keep], y[keep])
    weighted = MLPClassifier(**options).fit(
        X[keep], y[keep], sample_weight=np.repeat(weight, [50, 10, 20])
    )
    np.testing.assert_allclose(balanced.coefs_[0], weighted.coefs_[0], rtol=1e-9)
    named = dict(zip(balanced.classes_, weight, strict=True))
    assert same(weighted, MLPClassifier(class_weight=named, **options).fit(X[keep], y[keep]))


PRESENT = [["setosa"], ["virginica"], ["setosa", "virginica"], ["setosa", "versicolor"]]
WEIGHTS = [{"virginica": 5.0}, {"setosa": 2.0, "virginica": 0.5}, {"versicolor": 3.0}, {}]


@pytest.mark.parametrize("present", PRESENT, ids=str)
@pytest.mark.parametrize("class_weight", WEIGHTS, ids=str)
def test_class_weights_of_classes_that_a_call_lacks(iris, present, class_weight):
    """As SGDClassifier: the dict refers to all classes of the estimator."""
    X, y = iris
    rows = np.isin(y, present)
    SGDClassifier(class_weight=class_weight).partial_fit(X[rows], y[rows], classes=np.unique(y))
    model = MLPClassifier(class_weight=class_weight, random_state=0)
    model.partial_fit(X[rows], y[rows], classes=np.unique(y))
    weight = np.array([class_weight.get(label, 1.0) for label in y[rows]])
    expected = MLPClassifier(random_state=0)
    expected.partial_fit(X[rows], y[rows], sample_weight=weight, classes=np.unique(y))
    assert same(model, expected)


@pytest.mark.parametrize("present", PRESENT, ids=str)
def test_balanced_classes_are_those_that_a_call_has(iris, present):
    X, y = iris
    rows = np.flatnonzero(np.isin(y, present))[10:]
    model = MLPClassifier(class_weight="balanced", random_state=0)
    model.partial_fit(X[rows], y[rows], classes=np.unique(y))
    weight = compute_sample_weight("balanced", y[rows])
    expected = MLPClassifier(random_state=0)
    expected.partial_fit(X[rows], y[rows], sample_weight=weight, classes=np.unique(y))
    assert same(model, expected)


def test_classes_without_weight_are_not_balanced(iris):
    X, y = iris
    rows = y != "setosa"
    counts = np.where(np.arange(150) % 3, 1.0, 2.0)
    model = MLPClassifier(class_weight="balanced", random_state=0, max_iter=3)
    model.fit(X, y, sample_weight=counts * rows)
    balanced = np.zeros(150)
    for label in np.unique(y[rows]):
        balanced[y == label] = counts[rows].sum() / 2 / counts[y == label].sum()
    expected = MLPClassifier(random_state=0, max_iter=3)
    expected.fit(X, y, sample_weight=counts * balanced)
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-9)


def test_class_weights_of_unknown_classes_are_refused_as_in_scikit_learn(iris):
    X, y = iris
    errors = []
    for kind in (SGDClassifier, MLPClassifier):
        with pytest.raises(ValueError) as caught:
            kind(class_weight={"virginia": 5.0}).partial_fit(X, y, classes=np.unique(y))
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@pytest.mark.parametrize("present", [1, 2])
def test_class_weights_of_two_classes_when_a_call_has_one(iris, present):
    X, y = iris[0][:100], np.arange(100) // 50
    rows = y < present
    model = MLPClassifier(class_weight={1: 5.0}, random_state=0)
    model.partial_fit(X[rows], y[rows], classes=[0, 1])
    expected = MLPClassifier(random_state=0)
    expected.partial_fit(X[rows], y[rows], np.where(y[rows] == 1, 5.0, 1.0), classes=[0, 1])
    assert same(model, expected)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_class_weights_of_labels_that_a_call_lacks(form):
    """A multilabel column with 0 alone, and a dict that names 1 alone."""
    X, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
    y[:, 1] = 0
    class_weight = [{1: 5.0}, {1: 2.0}, {0: 3.0, 1: 0.5}]
    model = MLPClassifier(class_weight=class_weight, max_iter=5, random_state=0).fit(X, form(y))
    weight = np.where(y[:, 0] == 1, 5.0, 1.0) * np.where(y[:, 2] == 1, 0.5, 3.0)
    expected = MLPClassifier(max_iter=5, random_state=0).fit(X, form(y), sample_weight=weight)
    assert same(model, expected)


def test_balanced_labels_are_those_of_compute_sample_weight():
    X, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
    options = {"max_iter": 5, "random_state": 0}
    model = MLPClassifier(class_weight="balanced", **options).fit(X, y)
    weight = compute_sample_weight("balanced", y)
    np.testing.assert_allclose(
        model.coefs_[0], MLPClassifier(**options).fit(X, y, weight).coefs_[0], rtol=1e-9
    )


def test_balanced_labels_count_sample_weights():
    """A sample weight of 2 is equivalent to repeating the row, a weight of 0 to leaving it out."""
    X, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
    weight = np.random.default_rng(0).integers(0, 3, 60)
    rows = np.repeat(np.arange(60), weight)
    model = MLPClassifier((), class_weight="balanced", solver="lbfgs", alpha=1.0, max_iter=500)
    weighted = model.set_params(random_state=0, tol=1e-8).fit(X, y, sample_weight=weight)
    repeated = clone(model).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("class_weight", [{0: 1.0}, [{0: 1.0}]], ids=str)
def test_class_weights_of_labels_need_a_dict_for_each(class_weight):
    X, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
    with pytest.raises(ValueError, match="a list of dicts, one for each of the 3 columns"):
        MLPClassifier(class_weight=class_weight).fit(X, y)


def test_class_weights_of_columns_that_a_call_lacks(iris):
    X, species = iris
    y = np.column_stack([species, np.where(X[:, 0] > 0, "large", "small")])
    classes = [np.unique(column) for column in y.T]
    class_weight = [{"virginica": 5.0}, {"large": 2.0}]
    rows = (species != "virginica") & (X[:, 0] <= 0)
    model = MLPClassifier(class_weight=class_weight, random_state=0)
    model.partial_fit(X[rows], y[rows], classes=classes)
    expected = MLPClassifier(random_state=0).partial_fit(X[rows], y[rows], classes=classes)
    assert same(model, expected)


@pytest.mark.parametrize(
    "labels", [["0", "1"], ["01", "1"], ["1", "b"], np.array(["2023", "2024"], "datetime64[Y]")]
)
def test_class_weights_name_labels_as_they_are(iris, labels):
    """Text of digits is no number, nor is a date."""
    X, codes = iris[0][:100], np.arange(100) // 50
    labels = np.array(labels)
    options = {"max_iter": 3, "random_state": 0}
    model = MLPClassifier(class_weight=dict(zip(labels, (1.0, 5.0), strict=True)), **options)
    expected = MLPClassifier(class_weight={0: 1.0, 1: 5.0}, **options).fit(X, codes)
    assert same(model.fit(X, labels[codes]), expected)
