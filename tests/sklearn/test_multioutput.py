"""Several columns of classes at once: MLPClassifier on a multiclass-multioutput y."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import compute_sample_weight

from fastmlp.sklearn import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"learning_rate_init": 0.01, "max_iter": 60, "random_state": 0}


@pytest.fixture
def X():
    return StandardScaler().fit_transform(load_iris().data)


@pytest.fixture
def y(X):
    """The species; two sizes; one class alone."""
    return np.column_stack([load_iris().target, np.where(X[:, 0] > 0, 5, 3), np.full(150, 7)])


def in_words(y):
    return np.column_stack([
        np.array(["setosa", "versicolor", "virginica"])[y[:, 0]],
        np.where(y[:, 1] == 5, "large", "small"),
        np.full(len(y), "plant"),
    ])


KINDS = {
    "numbers": lambda y: y,
    "reals": lambda y: y.astype(float),
    "bytes": lambda y: y.astype(np.uint8),
    "words": in_words,
    "objects": lambda y: in_words(y).astype(object),
    "lists": lambda y: in_words(y).tolist(),
    "two classes a column": lambda y: y[:, [1, 1]],
    "the same class everywhere": lambda y: y[:, [2, 2]],
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_results_have_the_form_of_scikit_learns_estimators(X, y, kind):
    """A decision tree's classes, predictions and probabilities, by shape and dtype."""
    y = kind(y)
    ours = MLPClassifier(**OPTIONS).fit(X, y)
    theirs = DecisionTreeClassifier().fit(X, y)
    for found, expected in zip(ours.classes_, theirs.classes_, strict=True):
        assert found.dtype == expected.dtype and found.tolist() == expected.tolist()
    found, expected = ours.predict(X), theirs.predict(X)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    shapes = [one.shape for one in theirs.predict_proba(X)]
    for proba, logs in ((ours.predict_proba(X), ours.predict_log_proba(X)),):
        assert isinstance(proba, list) and [one.shape for one in proba] == shapes
        for p, log_p in zip(proba, logs, strict=True):
            assert p.sum(axis=1) == pytest.approx(np.ones(150))
            np.testing.assert_array_equal(log_p, np.log(p))
    assert np.mean(found == np.asarray(y)) > 0.9
    for column, classes, p in zip(found.T, ours.classes_, ours.predict_proba(X), strict=True):
        assert column.tolist() == classes[p.argmax(axis=1)].tolist()


def test_fitted_attributes(X, y):
    model = MLPClassifier((8,), **OPTIONS).fit(X, y)
    assert (model.n_outputs_, model.out_activation_, model.n_layers_) == (7, "softmax", 3)
    assert [W.shape for W in model.coefs_] == [(4, 8), (8, 7)]
    assert model.network_.loss.groups == (3, 2, 2)
    assert model.network_.cost(X, model._labels.encode(y)) < model.loss_ < model.loss_curve_[0]


def test_a_data_frame_of_columns(X, y):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(in_words(y), columns=["species", "size", "kingdom"])
    model = MLPClassifier(**OPTIONS).fit(X, frame)
    np.testing.assert_array_equal(
        model.predict(X), MLPClassifier(**OPTIONS).fit(X, in_words(y)).predict(X)
    )
    assert model.score(X, frame) == model.score(X, in_words(y))


@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_every_solver_learns(X, y, solver):
    model = MLPClassifier(solver=solver, **{**OPTIONS, "max_iter": 200}).fit(X, y)
    assert model.score(X, y) > 0.9


def test_without_hidden_layers_columns_are_independent(X):
    """The network consists of one for each column, and so do loss and probabilities."""
    species = load_iris().target
    thirds = np.digitize(X[:, 1], [-0.5, 0.5])
    options = {"solver": "lbfgs", "alpha": 1.0, "tol": 1e-9, "max_iter": 2000, "random_state": 0}
    both = MLPClassifier((), **options).fit(X, np.column_stack([species, thirds]))
    alone = [MLPClassifier((), **options).fit(X, one) for one in (species, thirds)]
    assert both.loss_ == pytest.approx(sum(one.loss_ for one in alone), rel=1e-6)
    for found, one in zip(both.predict_proba(X), alone, strict=True):
        np.testing.assert_allclose(found, one.predict_proba(X), atol=1e-3)


def test_score_counts_what_is_right_in_every_column(X, y):
    model = MLPClassifier(**OPTIONS).fit(X, y)
    right = (model.predict(X) == y).all(axis=1)
    assert model.score(X, y) == right.mean()
    weight = np.arange(150.0)
    assert model.score(X, y, weight) == pytest.approx(np.average(right, weights=weight))
    several = MultiOutputClassifier(DecisionTreeClassifier(max_depth=1)).fit(X, y)
    assert several.score(X, y) == (several.predict(X) == y).all(axis=1).mean()
    with pytest.raises(ValueError, match=r"y has shape \(150,\); expected \(150, 3\)"):
        model.score(X, y[:, 0])
    for wrong in (np.full(150, np.nan), np.zeros(150), np.ones(3), np.ones((150, 2))):
        with pytest.raises(ValueError, match=r"[Ss]ample[_ ]weight|inconsistent numbers"):
            model.score(X, y, wrong)


# ------------------------------------------------------------------------------------ fitting


def test_early_stopping_monitors_the_score(X, y):
    model = MLPClassifier(early_stopping=True, **OPTIONS).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert 0.8 < model.best_validation_score_ <= 1
    given = MLPClassifier(early_stopping=True, **OPTIONS).fit(X, y, X_val=X, y_val=y)
    assert given.best_validation_score_ == given.score(X, y)


@pytest.mark.parametrize(
    "class_weight", ["balanced", [{0: 3, 1: 1, 2: 0.5}, {3: 2, 5: 0.1}, {7: 1}]], ids=str
)
def test_class_weights_are_those_of_compute_sample_weight(X, y, class_weight):
    weights = np.random.default_rng(0).uniform(0.5, 2, 150) if class_weight != "balanced" else None
    model = MLPClassifier(class_weight=class_weight, **OPTIONS).fit(X, y, sample_weight=weights)
    same = compute_sample_weight(class_weight, y) * (1 if weights is None else weights)
    expected = MLPClassifier(**OPTIONS).fit(X, y, sample_weight=same)
    np.testing.assert_array_equal(model.coefs_[0], expected.coefs_[0])


def test_sample_weight_counts_rows(X, y):
    weight = np.random.default_rng(0).integers(0, 3, 150)
    options = {"solver": "lbfgs", "alpha": 1.0, "tol": 1e-9, "max_iter": 2000, "random_state": 0}
    rows = np.repeat(np.arange(150), weight)
    for class_weight in (None, "balanced"):
        one = MLPClassifier((), class_weight=class_weight, **options)
        weighted = one.fit(X, y, sample_weight=weight).predict_proba(X)
        repeated = clone(one).fit(X[rows], y[rows]).predict_proba(X)
        np.testing.assert_allclose(np.hstack(weighted), np.hstack(repeated), atol=1e-4)


@pytest.mark.parametrize("in_one", [list, np.array], ids=["list", "array"])
def test_a_stream_needs_the_classes_of_each_column(X, y, in_one):
    """Batches that have some classes only, and would pass for other kinds of targets alone."""
    y = np.column_stack([y[:, 0], load_iris().target[::-1]])
    classes = in_one([np.array([2, 1, 0]), np.array([0, 1, 2])])
    stream = MLPClassifier(**OPTIONS)
    for _ in range(30):
        for rows in np.array_split(np.arange(150), 6):
            stream.partial_fit(X[rows], y[rows], classes=classes)
    assert [one.tolist() for one in stream.classes_] == [[0, 1, 2]] * 2
    assert stream.score(X, y) > 0.9
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stream)).predict(X), stream.predict(X))
    stream.partial_fit(X, y)


def test_one_column_may_come_as_several(X, y):
    """A list of one column's classes: its results keep their second axis."""
    stream = MLPClassifier(**OPTIONS).partial_fit(X, y[:, :1], classes=[np.arange(3)])
    assert stream.predict(X).shape == (150, 1) and len(stream.predict_proba(X)) == 1


def test_warm_start_goes_on(X, y):
    model = MLPClassifier(warm_start=True, **{**OPTIONS, "max_iter": 5})
    first = model.fit(X, y).loss_
    assert model.fit(X, y).loss_ < first
    with pytest.raises(ValueError, match="same classes as in the previous call"):
        model.fit(X, np.column_stack([y[:, 0] + 1, y[:, 1:]]))
    with pytest.raises(ValueError, match="same classes as in the previous call"):
        model.fit(X, np.column_stack([np.minimum(y[:, 0], 1), y[:, 1:]]))


def test_the_next_fit_may_have_another_kind_of_targets(X, y):
    model = MLPClassifier(**OPTIONS)
    assert model.fit(X, y).predict(X).shape == (150, 3)
    assert model.fit(X, y[:, 0]).predict(X).shape == (150,)
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        assert model.fit(X, y[:, :1]).predict(X).shape == (150,)


@pytest.mark.parametrize(
    ("labels", "other"), [(["a", 1, "a"], "1"), (["a", None, "a"], "None"), ([["a", 0]] * 3, "0")]
)
def test_labels_of_text_and_of_numbers_are_refused_with_the_remedy(X, labels, other):
    y = np.array(labels, object)
    message = f"text and others, such as {other}, which have no common order; .* y.astype"
    with pytest.raises(TypeError, match=message):
        MLPClassifier().fit(X[:3], y)
    with pytest.raises(TypeError, match=message):
        MLPClassifier().partial_fit(X[:3], y, classes=["a", "b"])


def test_columns_of_zeros_and_ones_are_multilabel(X, y):
    several = (y[:, :2] > [0, 3]).astype(int)
    model = MLPClassifier(**OPTIONS).fit(X, several)
    assert (model.n_outputs_, model.out_activation_) == (2, "logistic")
    assert model.predict_proba(X).shape == (150, 2)


def test_other_pairs_of_numbers_are_classes(X, y):
    """What scikit-learn takes for zeros and ones, whatever the numbers are."""
    several = np.where(y[:, :2] > [0, 3], 2, 1)
    model = MLPClassifier(**OPTIONS).fit(X, several)
    assert [one.tolist() for one in model.classes_] == [[1, 2], [1, 2]]
    assert model.score(X, several) > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: MLPClassifier(class_weight={0: 1}).fit(X, y), "list of dicts, one for each"),
        (lambda X, y: MLPClassifier(class_weight=[{0: 1}]).fit(X, y), "each of the 3 columns of y"),
        (
            lambda X, y: MLPClassifier(class_weight=[{0: 1}]).fit(X, y[:, 0]),
            "class_weight as a list has a dict for each column of y",
        ),
        (lambda X, y: MLPClassifier().fit(X, y / 2.5), "Unknown label type: continuous-mul"),
        (lambda X, y: MLPClassifier().partial_fit(X, y), "classes must be passed on the first"),
        (
            lambda X, y: MLPClassifier().partial_fit(X, y, classes=[0, 1, 2, 3, 5, 7]),
            "must be a list with an array of classes for each of the 3 columns",
        ),
        (
            lambda X, y: stream(X, y).partial_fit(X, y, classes=[[0, 1, 2], [3, 5], [8]]),
            "is not the same as on last call to partial_fit",
        ),
        (
            lambda X, y: stream(X, y).partial_fit(X, y, classes=[0, 1, 2]),
            "is not the same as on last call to partial_fit",
        ),
        (lambda X, y: stream(X, y).partial_fit(X, y + 1), "`y` has classes not in `self.classes_`"),
        (lambda X, y: stream(X, y).partial_fit(X, y[:, :2]), r"y has shape \(150, 2\); expected 3"),
        (lambda X, y: stream(X, y).partial_fit(X, y[:, 0]), r"y has shape \(150,\); expected 3"),
        (
            lambda X, y: MLPClassifier(**OPTIONS).fit(X, y, X_val=X, y_val=y[:, 0]),
            r"y has shape \(150,\); expected 3 columns",
        ),
    ],
)
def test_mistakes_are_refused(X, y, call, message):
    with pytest.raises(ValueError, match=message):
        call(X, y)


def stream(X, y):
    return MLPClassifier(**OPTIONS).partial_fit(X, y, classes=[[0, 1, 2], [3, 5], [7]])


# --------------------------------------------------------- with scikit-learn's other tools


def test_pipelines_searches_and_folds(X, y):
    y = y[:, :2]
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**OPTIONS))
    assert cross_val_score(pipeline, X, y, cv=3).shape == (3,)
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 1e-2]}, cv=3).fit(X, y)
    assert search.score(X, y) > 0.8
    rows = np.random.default_rng(0).permutation(150)
    proba = cross_val_predict(pipeline, X[rows], y[rows], cv=3, method="predict_proba")
    assert [one.shape for one in proba] == [(150, 3), (150, 2)]


def test_tags(X):
    tags = MLPClassifier().__sklearn_tags__()
    assert tags.target_tags.multi_output and tags.target_tags.single_output
    assert tags.classifier_tags.multi_label and tags.classifier_tags.multi_class


def test_pictures_of_one_class_are_refused(X, y):
    pytest.importorskip("matplotlib")
    from fastmlp import plotting

    model = MLPClassifier(**OPTIONS).fit(X, y)
    with pytest.raises(ValueError, match=re.escape("the model has 3 columns of them")):
        plotting.confusion(model, X, y)
