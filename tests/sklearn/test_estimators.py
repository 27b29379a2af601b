"""Input formats, pickles, and the options that scikit-learn's estimators do not have."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
import joblib
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.preprocessing import scale
from sklearn.utils import get_tags

import fastmlp
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X / X.std(axis=0), scale(y)


def same(one, other):
    return all(np.array_equal(x, y) for x, y in zip(one.coefs_, other.coefs_, strict=True))


# ------------------------------------------------------------------------------------- input


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
def test_sparse_rows_are_the_same_rows(form):
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16, y[:300]
    dense = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    got = MLPClassifier(max_iter=5, random_state=0).fit(form(X), y)
    assert same(dense, got)
    np.testing.assert_array_equal(got.predict_proba(form(X)), dense.predict_proba(X))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_of_columns_are_stored_and_compared(iris, library):
    frames = pytest.importorskip(library)
    X, y = iris
    frame = frames.DataFrame({f"x{i}": X[:, i] for i in range(4)})
    model = MLPClassifier(max_iter=5, random_state=0).fit(frame, frames.Series(y))
    assert list(model.feature_names_in_) == ["x0", "x1", "x2", "x3"]
    np.testing.assert_array_equal(model.predict(frame), model.predict(frame))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["x1", "x0", "x2", "x3"]])


def test_a_single_row_is_predicted_alike_in_every_format(iris):
    X, y = iris
    model = MLPClassifier(max_iter=30, random_state=0).fit(X, y)
    for row in (X[:1], X[:1].tolist(), np.asfortranarray(X[:1]), X[:1].astype(object)):
        assert model.predict(row) == model.predict(X)[:1]


def test_integers_of_one_byte_are_numbers_not_pixels():
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.predict(X.astype(np.uint8)), model.predict(X))
    assert same(model, MLPClassifier(max_iter=5, random_state=0).fit(X.astype(np.uint8), y))
    np.testing.assert_array_equal(model.network_.predict(X.astype(np.uint8)), model.predict(X))


def test_targets_of_a_regression_may_be_numbers_as_objects(diabetes):
    X, y = diabetes
    model = MLPRegressor(max_iter=2, random_state=0)
    assert same(clone(model).fit(X, y.astype(object)), model.fit(X, y))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_targets_in_one_column_are_warned_of_and_taken(diabetes, kind):
    X, y = diabetes[0], np.arange(len(diabetes[0])) % 2
    model = kind(max_iter=2, random_state=0)
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        in_column = clone(model).fit(X, y[:, None])
    assert same(in_column, model.fit(X, y)) and in_column.predict(X).shape == y.shape
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        in_column.partial_fit(X, y[:, None])
    assert same(in_column, model.partial_fit(X, y))


@pytest.mark.parametrize(
    ("loss", "is_positive"),
    [("squared_error", False), ("poisson", True), ("gamma", True),
     (fastmlp.losses.from_spec("poisson"), True), (fastmlp.losses.Huber(), False)],
    ids=str,
)  # fmt: skip
def test_tags_say_whether_a_loss_is_for_positive_targets(loss, is_positive):
    assert get_tags(MLPRegressor(loss=loss)).target_tags.positive_only == is_positive


# ----------------------------------------------------------------------- pickles and copies


def test_pickles_and_copies_predict_the_same_and_go_on(iris, tmp_path):
    X, y = iris
    model = MLPClassifier(max_iter=5, random_state=0)
    model.partial_fit(X, y, classes=np.unique(y))
    joblib.dump(model, tmp_path / "model.joblib")
    for copy in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")):
        np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
        copy.partial_fit(X, y)
    model.partial_fit(X, y)
    assert same(model, copy) and copy.t_ == model.t_ == 2 * len(X)
    assert not hasattr(clone(model), "network_")


def test_a_stream_does_not_make_pickles_grow(iris, monkeypatch):
    monkeypatch.setattr("fastmlp.sklearn.stochastic.MAX_CURVE_LENGTH", 5)
    X, y = iris
    model = MLPClassifier(random_state=0)
    sizes = []
    for _ in range(12):
        model.partial_fit(X, y, classes=np.unique(y))
        sizes.append(len(pickle.dumps(model)))
    assert len(model.loss_curve_) == 5
    assert max(sizes[5:]) - min(sizes[5:]) < 32


def test_a_stream_keeps_its_last_1000_losses(iris):
    X, y = iris
    model = MLPClassifier((2,), random_state=0)
    for _ in range(1002):
        model.partial_fit(X[::50], y[::50], classes=np.unique(y))
    assert len(model.loss_curve_) == 1000 and model.loss_curve_[-1] == model.loss_


def test_all_activations_end_in_the_probabilities(iris):
    X, y = iris
    model = MLPClassifier((7, 5), max_iter=5, random_state=0).fit(X, y)
    found = model.all_activations(X)
    assert [a.shape for a in found] == [(150, 7), (150, 5), (150, 3)]
    np.testing.assert_allclose(found[-1], model.predict_proba(X), rtol=1e-12)
    np.testing.assert_allclose(
        found[0], np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0), atol=1e-12
    )


def test_all_activations_of_other_columns_are_refused(iris):
    X, y = iris
    model = MLPClassifier(max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 4"):
        model.all_activations(X[:, :3])
    assert model.n_features_in_ == 4


# ----------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.3},
        {"dropout": [0.3, 0.0]},
        {"batch_norm": True},
        {"batch_norm": [True, False]},
        {"activation": "gelu"},
        {"activation": ["selu", fastmlp.activations.LeakyReLU(0.2)]},
        {"label_smoothing": 0.2},
        {"ema": 0.9},
        {"learning_rate": fastmlp.schedules.OneCycle(0.02)},
    ],
    ids=str,
)
def test_every_option_changes_training_and_still_learns(iris, options):
    X, y = iris
    plain = MLPClassifier((30, 30), max_iter=100, random_state=0).fit(X, y)
    model = clone(plain).set_params(**options).fit(X, y)
    assert not np.array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert model.score(X, y) > 0.88
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert pickle.loads(pickle.dumps(model)).score(X, y) == model.score(X, y)


def test_dropout_is_seeded_by_random_state(iris):
    models = [MLPClassifier(dropout=0.1, max_iter=1, random_state=n) for n in (0, 0, 1, 2)]
    seeds = [model.fit(*iris).network_.seed for model in models]
    assert seeds[0] == seeds[1] and len(set(seeds)) == 3


def test_a_schedule_sets_the_rate_of_adam(iris):
    X, y = iris
    still = fastmlp.schedules.Constant(0.0)
    model = MLPClassifier(learning_rate=still, max_iter=3, random_state=0).fit(X, y)
    assert model.loss_curve_[0] == pytest.approx(model.loss_curve_[-1], rel=1e-12)


def test_batches_of_one_example_are_avoided_with_batch_norm(iris):
    X, y = iris
    X, y = np.vstack([X, X[:51]]), np.concatenate([y, y[:51]])  # 201: batches of 200 leave one
    assert MLPClassifier(batch_norm=True, max_iter=3, random_state=0).fit(X, y).n_iter_ == 3


@pytest.mark.parametrize("options", [{"dropout": 0.1}, {"batch_norm": [True]}, {"ema": 0.9},
                                     {"label_smoothing": 0.1}, {"max_seconds": 1.0}], ids=str)
def test_lbfgs_refuses_what_it_cannot_do(iris, options):
    with pytest.raises(ValueError, match="needs solver='sgd' or solver='adam'"):
        MLPClassifier(solver="lbfgs", **options).fit(*iris)


def test_copies_of_callbacks_are_called_and_stored(iris, capsys):
    stopping = fastmlp.EarlyStopping(monitor="cost", patience=2, min_delta=10.0)
    model = MLPClassifier(callbacks=[stopping], random_state=0).fit(*iris)
    assert model.n_iter_ == 3 and model.callbacks_[0].best_epoch == 1
    assert stopping.best_epoch == 0  # a parameter stays as it was passed
    assert capsys.readouterr().out == ""


def test_sizes_that_are_no_whole_numbers_are_named_as_the_parameter(iris):
    with pytest.raises(TypeError, match=r"hidden_layer_sizes\[1\] must be a whole number, got 5.0"):
        MLPClassifier((8, 5.0), max_iter=1).fit(*iris)


def test_threads_change_no_bit():
    X, y = load_digits(return_X_y=True)
    one, two = (
        MLPClassifier((300,), n_threads=n, max_iter=2, batch_size=500, random_state=0).fit(X, y)
        for n in (1, 2)
    )
    assert same(one, two)


def test_divergence_is_an_error_unless_early_stopping_has_a_best_epoch(diabetes):
    X, y = diabetes
    model = MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        model.fit(X, y)
    model.set_params(early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="Training has diverged in epoch 2"):
        model.fit(X, y)
    assert np.isnan(model.validation_scores_[-1]) and np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("warm_start", [False, True])
def test_divergence_in_the_first_epoch_is_an_error_with_early_stopping_too(iris, kind, warm_start):
    X, y = iris[0], np.arange(150) % 3
    options = {"solver": "sgd", "batch_size": 10, "max_iter": 3, "random_state": 0}
    model = kind(hidden_layer_sizes=(3,), early_stopping=True, warm_start=warm_start, **options)
    if warm_start:
        before = model.fit(X, y).coefs_[0]
    model.set_params(learning_rate_init=1e200)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        model.fit(X, y)
    assert hasattr(model, "network_") == warm_start
    if warm_start:
        np.testing.assert_array_equal(model.coefs_[0], before)


def test_one_class_is_always_predicted(iris):
    model = MLPClassifier(max_iter=3, random_state=0).fit(iris[0], ["only"] * 150)
    assert set(model.predict(iris[0])) == {"only"}


@pytest.mark.filterwarnings("always::sklearn.exceptions.ConvergenceWarning")
def test_the_warning_of_convergence_is_that_of_the_line_that_calls_fit(iris, recwarn):
    MLPClassifier(max_iter=1, random_state=0).fit(*iris)
    (warning,) = recwarn
    assert warning.category is ConvergenceWarning and warning.filename == __file__


def test_convergence_ends_without_a_warning(iris, recwarn):
    MLPClassifier(tol=1.0, n_iter_no_change=2, random_state=0).fit(*iris)
    assert not [one for one in recwarn if one.category is ConvergenceWarning]
