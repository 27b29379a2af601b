"""Predictions, the parameters they come from, and the names of classes in files and exports."""

from __future__ import annotations

import copy

import numpy as np
import pytest

pytest.importorskip("sklearn")
import joblib
from scipy import sparse
from sklearn import neural_network
from sklearn.datasets import (
    load_diabetes,
    load_iris,
    make_classification,
    make_multilabel_classification,
)
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import scale

import fastmlp
from fastmlp import sklearn as fastmlp_sklearn
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def by_hand(model, X):
    """The probabilities that `coefs_` and `intercepts_` say, for a softmax after ReLU layers."""
    a = X
    *hidden, (W, b) = zip(model.coefs_, model.intercepts_, strict=True)
    for weight, bias in hidden:
        a = np.maximum(a @ weight + bias, 0)
    z = a @ W + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# ------------------------------------------------------------------------ coefs_ and intercepts_


@pytest.mark.parametrize("ema", [None, 0.5, 0.99])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_coefs_are_what_predicts(iris, ema, early_stopping):
    X, y = iris
    model = MLPClassifier(
        (9, 5), ema=ema, max_iter=4, random_state=0, early_stopping=early_stopping
    )
    model.fit(X, y)
    np.testing.assert_allclose(by_hand(model, X), model.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_setting_coefs_to_themselves_changes_nothing(iris, ema, batch_norm):
    X, y = iris
    model = MLPClassifier((9,), ema=ema, max_iter=4, random_state=0, batch_norm=batch_norm).fit(
        X, y
    )
    before = model.predict_proba(X)
    model.coefs_ = model.coefs_
    np.testing.assert_allclose(model.predict_proba(X), before, rtol=1e-12)
    model.intercepts_ = model.intercepts_
    np.testing.assert_allclose(model.predict_proba(X), before, rtol=1e-12)


def test_averages_can_be_changed(iris):
    X, y = iris
    model = MLPClassifier((9,), ema=0.9, max_iter=4, random_state=0).fit(X, y)
    coefs, intercepts = model.coefs_, model.intercepts_
    model.coefs_ = [2 * coefs[0], coefs[1]]
    np.testing.assert_array_equal(model.coefs_[0], 2 * coefs[0])
    np.testing.assert_array_equal(model.intercepts_[0], intercepts[0])
    np.testing.assert_allclose(by_hand(model, X), model.predict_proba(X), rtol=1e-9)
    model.intercepts_ = [intercepts[0], intercepts[1] + [0, 0, 100]]
    assert set(model.predict(X)) == {2}
    model.partial_fit(X, y)  # averages begin again from there
    assert set(model.predict(X)) == {2}


@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_coefs_are_read_only_copies(iris, name):
    model = MLPClassifier((9,), max_iter=2, random_state=0, ema=0.9).fit(*iris)
    with pytest.raises(ValueError, match="read-only"):
        getattr(model, name)[0][:] = 0
    with pytest.raises(ValueError, match="shape"):
        setattr(model, name, [array[:1] for array in getattr(model, name)])
    for call in (lambda new: getattr(new, name), lambda new: setattr(new, name, [])):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
            call(MLPClassifier())


def test_parameters_of_one_model_can_be_set_in_another(iris):
    X, y = iris
    model = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    other = MLPClassifier(max_iter=1, random_state=1).fit(X, y)
    other.coefs_, other.intercepts_ = model.coefs_, model.intercepts_
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


# --------------------------------------------------------------- a probability of exactly one half


def undecided(module, X, y, **options):
    """A classifier that gives every label a probability of exactly ½."""
    model = module.MLPClassifier((3,), max_iter=1, random_state=0, **options).fit(X, y)
    model.coefs_ = [np.zeros_like(W) for W in model.coefs_]
    model.intercepts_ = [np.zeros_like(b) for b in model.intercepts_]
    return model


@pytest.mark.parametrize("labels", ["binary", "words", "multilabel"])
def test_one_half_is_the_first_class_as_in_scikit_learn(labels):
    if labels == "multilabel":
        X, y = make_multilabel_classification(n_samples=40, random_state=0)
    else:
        X, y = make_classification(n_samples=40, random_state=0)
        y = np.where(y, "yes", "no") if labels == "words" else y
    expected, model = (undecided(module, X, y) for module in (neural_network, fastmlp_sklearn))
    assert (model.predict_proba(X) == 0.5).all()
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.score(X, y) == expected.score(X, y)


@pytest.mark.parametrize("labels", ["binary", "multilabel"])
def test_one_half_scores_as_it_predicts(labels):
    """The validation score of early stopping and `score` count the same predictions."""
    X, y = make_multilabel_classification(n_samples=40, n_classes=1, random_state=0)
    y = y[:, 0] if labels == "binary" else np.hstack([y, 1 - y])
    rates = {"learning_rate_init": 1e-300, "early_stopping": True, "warm_start": True}
    model = undecided(fastmlp_sklearn, X, y, **rates)
    model.fit(X, y, X_val=X, y_val=y)
    assert (model.predict_proba(X) == 0.5).all()
    right = (y == 0).reshape(40, -1).all(axis=1)
    assert model.validation_scores_[-1] == model.score(X, y) == right.mean()


# --------------------------------------------------------------------------- sparse label matrices


@pytest.mark.parametrize(
    "form", [sparse.csr_matrix, sparse.csr_array, sparse.csc_array, sparse.coo_array, np.asarray]
)
@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_label_matrices_come_back_as_scikit_learn_returns_them(form, call):
    X, y = make_multilabel_classification(n_samples=60, random_state=0)
    predictions = []
    for module in (neural_network, fastmlp_sklearn):
        model = module.MLPClassifier(max_iter=20, random_state=0)
        classes = {"classes": np.arange(5)} if call == "partial_fit" else {}
        getattr(model, call)(X, form(y), **classes)
        predictions.append(model.predict(X))
        assert type(model.predict_proba(X)) is np.ndarray
        assert model.score(X, form(y)) == model.score(X, y)
    expected, found = predictions
    assert type(found) is type(expected) and found.dtype == expected.dtype
    if sparse.issparse(expected):
        expected, found = expected.toarray(), found.toarray()
    np.testing.assert_array_equal(found, expected)


def test_the_form_of_labels_is_that_of_the_latest_fit():
    X, y = make_multilabel_classification(n_samples=60, random_state=0)
    model = MLPClassifier(max_iter=2, random_state=0)
    assert sparse.issparse(model.fit(X, sparse.csr_array(y)).predict(X))
    assert sparse.issparse(copy.deepcopy(model).partial_fit(X, y).predict(X))
    assert not sparse.issparse(model.fit(X, y).predict(X))


def test_sparse_labels_work_in_cross_validation():
    X, y = make_multilabel_classification(n_samples=60, random_state=0)
    found = cross_val_predict(
        MLPClassifier(max_iter=5, random_state=0), X, sparse.csr_matrix(y), cv=3
    )
    assert sparse.issparse(found) and found.shape == y.shape


# ------------------------------------------------------------------ names of columns and classes


def test_a_model_file_has_the_names_of_columns_and_classes(iris, tmp_path):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(iris[0], columns=["sepal l", "sepal w", "petal l", "petal w"])
    y = np.array(["setosa", "versicolor", "virginica"])[iris[1]]
    model = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
    model.network_.save(tmp_path / "iris.npz")
    metadata = fastmlp.load(tmp_path / "iris.npz").metadata
    assert metadata["columns"] == list(X.columns)
    assert metadata["classes"] == ["setosa", "versicolor", "virginica"]


LABELS = {
    "words": (lambda y: np.array(["a", "b", "c"])[y], ["a", "b", "c"]),
    "objects": (lambda y: np.array(["a", "b", "c"], object)[y], ["a", "b", "c"]),
    "two": (lambda y: y > 1, [False, True]),
    "numbers": (lambda y: 10 * y, [0, 10, 20]),
    "large numbers": (lambda y: np.uint64(2**63) + (y > 0).astype("u8"), [2**63, 2**63 + 1]),
    "reals": (lambda y: y.astype("f4"), [0.0, 1.0, 2.0]),
    "longdouble": (lambda y: y.astype(np.longdouble), [0.0, 1.0, 2.0]),
    "dates": (lambda y: np.datetime64("2024-02-29") + (y > 1), ["2024-02-29", "2024-03-01"]),
    "nanoseconds": (
        lambda y: np.datetime64("2024-01-01", "ns") + (y > 1),
        ["2024-01-01T00:00:00.000000000", "2024-01-01T00:00:00.000000001"],
    ),
    "time differences": (lambda y: y.astype("m8[D]"), ["0 days", "1 days", "2 days"]),
    "one class": (lambda y: np.full(len(y), "only"), ["only"]),
    "labels": (lambda y: np.column_stack([y > 0, y > 1]), [0, 1]),
    "columns": (lambda y: np.column_stack([y, y + 5]), [[0, 1, 2], [5, 6, 7]]),
}


@pytest.mark.parametrize(("labels", "names"), LABELS.values(), ids=LABELS)
def test_classes_of_every_kind_are_in_the_model_file(iris, labels, names, tmp_path):
    X, y = iris[0], labels(iris[1])
    model = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
    assert model.network_.metadata["classes"] == names
    model.network_.save(tmp_path / "model.npz")
    assert fastmlp.load(tmp_path / "model.npz").metadata == {"classes": names}
    assert fastmlp.export.from_sklearn(model).metadata == {"classes": names}


def test_names_follow_the_latest_fit_and_notes_of_the_user_stay(iris):
    pandas = pytest.importorskip("pandas")
    X, y = iris
    model = MLPClassifier(max_iter=1, random_state=0, warm_start=True).fit(X, y)
    model.network_.metadata["author"] = "me"
    model.fit(X, y)
    assert model.network_.metadata == {"author": "me", "classes": [0, 1, 2]}
    model.set_params(warm_start=False).fit(pandas.DataFrame(X, columns=list("abcd")), y > 0)
    assert model.network_.metadata == {"columns": list("abcd"), "classes": [False, True]}


def test_a_regressor_has_the_names_of_columns():
    pandas = pytest.importorskip("pandas")
    X, y = load_diabetes(return_X_y=True)
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(10)])
    model = MLPRegressor(max_iter=1).fit(frame, scale(y))
    assert model.network_.metadata == {"columns": list(frame.columns)}
    assert MLPRegressor(max_iter=1).fit(X, scale(y)).network_.metadata == {}


def test_an_onnx_file_predicts_the_names_of_classes(iris, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    X = iris[0].astype("f4")
    y = np.array(["setosa", "versicolor", "virginica"])[iris[1]]
    model = MLPClassifier(max_iter=30, random_state=0).fit(X, y)
    fastmlp.export.to_onnx(model.network_, tmp_path / "iris.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "iris.onnx")
    assert session.run(["label"], {"X": X})[0].tolist() == model.predict(X).tolist()


# -------------------------------------------------------------------------------- memory maps


@pytest.fixture
def on_disk(tmp_path):
    """Arrays as joblib's workers get them: memory maps, read-only."""

    def mapped(*arrays):
        path = tmp_path / "arrays.joblib"
        joblib.dump(arrays, path)
        return joblib.load(path, mmap_mode="r")

    return mapped


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1"])
def test_memory_maps_are_arrays_in_memory(iris, on_disk, solver, dtype):
    X, y = (10 * (iris[0] + 3)).astype(dtype), iris[1]
    weight = np.linspace(0.5, 1, 150)
    X_map, y_map, weight_map = on_disk(X, y, weight)
    assert isinstance(X_map, np.memmap)
    options = {"solver": solver, "max_iter": 5, "random_state": 0, "early_stopping": True}
    expected = MLPClassifier(**options).fit(X, y, weight)
    model = MLPClassifier(**options).fit(X_map, y_map, weight_map)
    np.testing.assert_array_equal(model.coefs_[0], expected.coefs_[0])
    for call in ("predict", "predict_proba"):
        np.testing.assert_array_equal(getattr(model, call)(X_map), getattr(expected, call)(X))
    assert model.score(X_map, y_map, weight_map) == expected.score(X, y, weight)
    for one, arrays in ((model, (X_map, y_map, X_map, y_map)), (expected, (X, y, X, y))):
        X_one, y_one, X_val, y_val = arrays
        one.fit(X_one, y_one, X_val=X_val, y_val=y_val)
    np.testing.assert_array_equal(model.coefs_[0], expected.coefs_[0])


def test_memory_maps_are_arrays_in_memory_for_a_regressor(on_disk):
    X, y = load_diabetes(return_X_y=True)
    X_map, y_map = on_disk(X, scale(y))
    options = {"max_iter": 5, "random_state": 0, "loss": "huber"}
    expected = MLPRegressor(**options).fit(X, scale(y))
    model = MLPRegressor(**options).fit(X_map, y_map)
    np.testing.assert_array_equal(model.predict(X_map), expected.predict(X))
    model.partial_fit(X_map, y_map)


@pytest.mark.parametrize("trained", [np.float32, np.float64])
@pytest.mark.parametrize("predicted", [np.float16, np.float32, np.float64, np.int64])
def test_predictions_have_the_precision_of_training(iris, trained, predicted):
    X, y = iris
    classifier = MLPClassifier((3,), max_iter=1, random_state=0).fit(X.astype(trained), y)
    regressor = MLPRegressor(max_iter=1, random_state=0).fit(X.astype(trained), y)
    assert classifier.predict_proba(X.astype(predicted)).dtype == trained
    assert regressor.predict(X.astype(predicted)).dtype == trained
