"""TabularClassifier and TabularRegressor as their users call them."""

import os
import pickle
import signal
import threading

import joblib
import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastmlp
from fastmlp.tabular import TabularClassifier, TabularRegressor, load

FAST = {"quality": "fast", "random_state": 0, "n_threads": 1}
SPLIT = "validation rows are picked by their number, so that weight 2 is not a repeated row"


@parametrize_with_checks(
    [TabularClassifier(quality="fast", epochs=8), TabularRegressor(quality="fast", epochs=8)],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": SPLIT
    },
)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def classifier(mixed):
    table, _, label = mixed
    return TabularClassifier(**FAST).fit(table[:300], label[:300])


@pytest.fixture(scope="module")
def regressor(mixed):
    table, value, _ = mixed
    return TabularRegressor(**FAST).fit(table[:300], value[:300])


def test_a_mixed_table_is_learned(classifier, regressor, mixed):
    table, value, label = mixed
    assert classifier.score(table[300:], label[300:]) > 0.8
    assert regressor.score(table[300:], value[300:]) > 0.8


def test_polars_gives_the_same_model_as_pandas(classifier, mixed):
    table, _, label = mixed
    cells = table.astype(object).where(table.notna(), None)
    frame = polars.DataFrame({name: cells[name].tolist() for name in table})
    model = TabularClassifier(**FAST).fit(frame[:300], label[:300])
    np.testing.assert_array_equal(
        model.predict_proba(frame[300:]), classifier.predict_proba(table[300:])
    )


@pytest.mark.parametrize("quality", ["fast", "good"])
def test_the_same_bits_for_any_number_of_threads(mixed, quality):
    table, value, _ = mixed
    models = [
        TabularRegressor(quality=quality, epochs=3, random_state=0, n_threads=n)
        for n in (1, 2, 3)
    ]
    first, *others = (model.fit(table, value).predict(table) for model in models)
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_labels_of_any_type_come_back(mixed):
    table, _, label = mixed
    for labels in (label, label == "high", (label == "high") * 2 - 1, pd.Categorical(label)):
        model = TabularClassifier(**FAST, epochs=2).fit(table, labels)
        assert set(model.predict(table)) <= set(np.asarray(labels).tolist())


def test_probabilities_sum_to_one_and_agree_with_the_labels(classifier, mixed):
    table, _, _ = mixed
    p = classifier.predict_proba(table)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(
        classifier.classes_[p.argmax(axis=1)], classifier.predict(table)
    )


def test_values_stay_within_the_range_of_training(regressor, mixed):
    table, value, _ = mixed
    wild = table.assign(income=1e12)
    assert regressor.predict(wild).max() <= value[:300].max()


def test_intervals_hold_about_their_share(mixed):
    table, value, _ = mixed
    model = TabularRegressor(random_state=0, epochs=30).fit(table[:300], value[:300])
    low, high = model.predict_interval(table[300:], coverage=0.8).T
    assert 0.65 < ((low <= value[300:]) & (value[300:] <= high)).mean() < 0.95
    quantiles = model.predict_quantiles(table[300:], (0.1, 0.9))
    np.testing.assert_allclose(quantiles, np.column_stack([low, high]), rtol=1e-12)


@pytest.mark.parametrize("metric", ["log_loss", "error", "auc", "f1", "balanced_accuracy"])
def test_the_epoch_that_is_kept_is_the_best_by_the_metric(mixed, metric):
    table, _, label = mixed
    options = {**FAST, "n_members": 1, "epochs": 6, "learning_rate": 0.05}
    model = TabularClassifier(metric, **options).fit(table, label)
    by_length = [
        TabularClassifier(metric, **options).fit(table, label).best_epochs_[0] for _ in range(2)
    ]
    assert by_length == [model.best_epochs_[0]] * 2
    assert 1 <= model.best_epochs_[0] <= model.n_epochs_[0] == 6


def test_early_stopping_ends_before_the_plan(mixed):
    table, _, label = mixed
    model = TabularClassifier(**FAST, epochs=500, early_stopping=3).fit(table, label)
    assert model.n_epochs_[0] < 500
    assert model.n_epochs_[0] - model.best_epochs_[0] == 3


def test_a_time_limit_shortens_training(mixed):
    table, value, _ = mixed
    model = TabularRegressor(time_limit=0.3, n_threads=1, epochs=100_000).fit(table, value)
    assert max(model.n_epochs_) < 100_000


def test_sample_weights_of_zero_leave_rows_out(mixed):
    table, value, _ = mixed
    weights = (np.arange(400) < 300).astype(float)
    with_weights = TabularRegressor(**FAST, epochs=3).fit(table, value, weights)
    without = TabularRegressor(**FAST, epochs=3).fit(table[:300], value[:300], np.ones(300))
    np.testing.assert_array_equal(with_weights.predict(table), without.predict(table))


def test_class_weights_move_the_probabilities(mixed):
    table, _, label = mixed
    rare = (np.random.default_rng(1).random(400) < 0.1) | (label == "high") & (table.index < 30)
    plain = TabularClassifier(**FAST).fit(table, rare).predict_proba(table)[:, 1].mean()
    balanced = TabularClassifier(**FAST, class_weight="balanced").fit(table, rare)
    assert balanced.predict_proba(table)[:, 1].mean() > plain + 0.1


def test_groups_and_time_are_taken(mixed):
    table, value, _ = mixed
    options = {**FAST, "epochs": 2}
    TabularRegressor(**options).fit(table, value, groups=np.arange(400) // 4)
    TabularRegressor(**options).fit(table, value, time=table["since"])
    with pytest.raises(ValueError, match="groups has 3 entries for 400 rows"):
        TabularRegressor(**options).fit(table, value, groups=[1, 2, 3])


def test_columns_that_cannot_help_are_named_in_a_warning(mixed):
    table, value, _ = mixed
    bad = table.assign(key=[f"k{i}" for i in range(400)], same=1)
    with pytest.warns(UserWarning, match="2 of 7 columns are not used: 'key', it identifies"):
        model = TabularRegressor(**FAST, epochs=1).fit(bad, value)
    assert set(model.dropped_columns_) == {"key", "same"}


BAD = {
    "missing label": (lambda t, y: (t, np.where(np.arange(400) == 3, np.nan, y)), "NaN or None"),
    "one class": (lambda t, y: (t, ["a"] * 400), "one class alone"),
    "one row": (lambda t, y: (t[:1], [0]), "n_samples=1"),
    "no useful column": (lambda t, y: (t[["age"]].assign(age=1), y > 11), "no column that can"),
    "no rows": (lambda t, y: (t[:0], []), "0 sample"),
    "other length": (lambda t, y: (t, y[:5] > 1), "inconsistent numbers of samples"),
    "continuous labels": (lambda t, y: (t, y), "Unknown label type"),
    "infinite cell": (lambda t, y: (t.assign(age=np.inf), y > 11), "'age'.*inf"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused(mixed, change, message):
    table, value, _ = mixed
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**FAST).fit(*change(table, value))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"quality": "better"}, ValueError, "unknown quality 'better'"),
        ({"metric": "logloss"}, ValueError, "did you mean 'log_loss'"),
        ({"n_members": 0}, ValueError, "n_members must be at least 1"),
        ({"time_limit": -1}, ValueError, "time_limit must be in"),
        ({"encoding": "one"}, ValueError, "unknown encoding 'one'"),
        ({"dropout": 1.0}, ValueError, "dropout must be in"),
        ({"activation": "relux"}, ValueError, "did you mean 'relu'"),
        ({"hidden_layer_sizes": (0,)}, ValueError, r"hidden_layer_sizes\[0\] must be at least 1"),
    ],
)
def test_bad_parameters_are_refused(mixed, parameters, error, message):
    table, _, label = mixed
    with pytest.raises(error, match=message):
        TabularClassifier(**parameters).fit(table, label)


def test_renamed_and_missing_columns_are_refused_at_prediction(classifier, mixed):
    table, _, _ = mixed
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict(table.rename(columns={"age": "Age"}))
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict(table.drop(columns="age"))


def test_a_failed_fit_leaves_the_model_as_it_was(mixed):
    table, value, _ = mixed
    model = TabularRegressor(**FAST, epochs=2).fit(table, value)
    before = model.predict(table)
    with pytest.raises(ValueError, match="NaN or None"):
        model.fit(table[["age", "city"]], np.full(400, np.nan))
    np.testing.assert_array_equal(model.predict(table), before)


def test_ctrl_c_keeps_the_best_so_far(mixed):
    table, value, _ = mixed
    model = TabularRegressor(n_members=2, epochs=1_000_000, n_threads=1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    trained = threading.Event()

    def score(estimator, X, y):  # called after each epoch
        trained.set()
        return 0.0

    def press():
        trained.wait()
        os.kill(os.getpid(), signal.SIGINT)

    model.set_params(metric=score)
    threading.Thread(target=press).start()
    with pytest.warns(UserWarning, match="Training was interrupted"):
        model.fit(table, value)
    signal.signal(signal.SIGINT, before)
    assert len(model.predict(table)) == 400


@pytest.mark.parametrize("copy", [lambda m: pickle.loads(pickle.dumps(m)), "joblib", "file"])
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_a_copy_predicts_the_same_bits(kind, copy, mixed, tmp_path, request):
    model, (table, _, _) = request.getfixturevalue(kind), mixed
    if copy == "joblib":
        joblib.dump(model, tmp_path / "m.joblib")
        again = joblib.load(tmp_path / "m.joblib")
    elif copy == "file":
        model.save(tmp_path / "m.npz")
        again = load(tmp_path / "m.npz")
    else:
        again = copy(model)
    np.testing.assert_array_equal(again.predict(table), model.predict(table))
    assert again.validation_scores_ == model.validation_scores_
    assert again.get_params() == model.get_params()
    assert list(again.feature_names_in_) == list(table.columns)
    if kind == "regressor":
        np.testing.assert_array_equal(again.predict_interval(table), model.predict_interval(table))
    else:
        np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))


def test_a_network_is_no_model_of_a_table(tmp_path):
    fastmlp.MLP((2, 1), loss="squared_error").save(tmp_path / "net.npz")
    with pytest.raises(ValueError, match=r"not a model of a table; fastmlp\.load reads it"):
        load(tmp_path / "net.npz")


def test_fastmlp_load_names_the_function_for_tables(classifier, tmp_path):
    classifier.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=r"fastmlp\.tabular\.load"):
        fastmlp.load(tmp_path / "model.npz")


def test_clone_pipeline_and_grid_search(mixed):
    table, _, label = mixed
    model = TabularClassifier(**FAST, epochs=2)
    assert clone(model).get_params() == model.get_params()
    pipeline = make_pipeline(FunctionTransformer(), model).fit(table, label)
    assert len(pipeline.predict(table)) == 400
    grid = GridSearchCV(model, {"dropout": [0.0, 0.5]}, cv=2).fit(table, label)
    assert grid.best_params_["dropout"] in (0.0, 0.5)


def test_importances_find_the_columns_that_matter(regressor, mixed):
    table, value, _ = mixed
    found = regressor.feature_importances(table[300:], value[300:])
    assert set(found["column"]) == set(table.columns)
    assert set(found["column"][:2]) == {"age", "income"}
    assert (found["importance"].diff().dropna() <= 0).all()


def test_partial_dependence_follows_the_column(regressor, classifier, mixed):
    table, _, _ = mixed
    by_income = regressor.partial_dependence(table, "income")
    assert by_income["prediction"].iloc[-1] > by_income["prediction"].iloc[0] + 1
    by_city = classifier.partial_dependence(table, "city").set_index("city")
    assert by_city.loc["Oslo", "high"] > by_city.loc["Bergen", "high"]
    by_date = regressor.partial_dependence(table, "since", n_points=5)
    assert pd.api.types.is_datetime64_any_dtype(by_date["since"])
    with pytest.raises(ValueError, match="unknown column 'incom'; did you mean 'income'"):
        regressor.partial_dependence(table, "incom")


def test_importances_and_dependence_refuse_what_the_model_does_not_know(classifier, mixed):
    table, _, label = mixed
    with pytest.raises(ValueError, match="not among the classes of the training set.* 'unheard'"):
        classifier.feature_importances(table[:3], ["low", "unheard", "high"])
    X = pd.DataFrame({"a": np.sqrt(np.arange(40.0)), "same": 1})
    with pytest.warns(UserWarning, match="'same'"):
        model = TabularClassifier(**FAST, epochs=1).fit(X, np.arange(40) % 2)
    with pytest.raises(ValueError, match="'same' is not used: it has the same value in every row"):
        model.partial_dependence(X, "same")


@pytest.mark.parametrize(
    ("quantiles", "error", "message"),
    [
        ([0.9, 0.1], ValueError, "quantiles must ascend, got"),
        ([0.1, 0.1], ValueError, "quantiles must ascend, got"),
        ([0.1, 1.0], ValueError, r"quantiles\[1\] must be in \(0, 1\), got 1"),
        ([[0.1, 0.9]], ValueError, r"quantiles must be a list of levels, got shape \(1, 2\)"),
        ("median", TypeError, "quantiles must be an array of numbers, got"),
        (None, TypeError, "quantiles must be an array of numbers, got None"),
    ],
)
def test_levels_of_quantiles_that_cannot_be_are_named(regressor, mixed, quantiles, error, message):
    with pytest.raises(error, match=message):
        regressor.predict_quantiles(mixed[0], quantiles)


def test_a_model_without_validation_rows_knows_no_quantiles():
    X = pd.DataFrame({"a": np.sqrt(np.arange(10.0))})
    model = TabularRegressor(**FAST, epochs=1).fit(X, X["a"])
    with pytest.raises(ValueError, match="too small to leave out rows for validation"):
        model.predict_interval(X)


def test_messages_name_rows_of_the_table_that_was_passed(mixed):
    """Also where rows without weight are left out, and of the rows of one value."""
    table, value, _ = mixed
    bad = table.copy()
    bad.loc[bad.index[300], "income"] = np.inf
    weights = np.arange(400) >= 200
    for given, more in (({}, {"sample_weight": weights}), ({"per": "city"}, {})):
        with pytest.raises(ValueError, match="'income': 1 cells are infinite .*: inf in row 300"):
            TabularRegressor(**FAST, epochs=1, **given).fit(bad, value, **more)
