"""Targets, names and options of fit that are not the usual ones."""

import numpy as np
import pandas as pd
import pytest

from fastmlp.tabular import TabularClassifier, TabularRegressor, load
from fastmlp.tabular.metrics import CLASSIFICATION

FAST = {"quality": "fast", "epochs": 2, "random_state": 0, "n_threads": 1}
M = 80
x = np.random.default_rng(0).normal(size=(M, 2))
CLASSES = (x[:, 0] > 0).astype(int)
TABLE = pd.DataFrame(x, columns=["a", "b"])


def test_an_array_is_predicted_by_a_model_of_named_columns_with_a_warning():
    model = TabularClassifier(**FAST).fit(TABLE, CLASSES)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        p = model.predict_proba(x)
    np.testing.assert_array_equal(p, model.predict_proba(TABLE))


@pytest.mark.parametrize(
    "columns", [[0, 1], pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])], ids=["ints", "multi"]
)
def test_columns_whose_names_are_no_texts_are_known_by_their_places(columns, tmp_path):
    table = pd.DataFrame(x, columns=columns)
    model = TabularClassifier(**FAST).fit(table, CLASSES)
    model.save(tmp_path / "model.npz")
    p = model.predict_proba(table)
    np.testing.assert_array_equal(p, load(tmp_path / "model.npz").predict_proba(table))
    np.testing.assert_array_equal(p, TabularClassifier(**FAST).fit(x, CLASSES).predict_proba(x))


@pytest.mark.parametrize("kind", ["M8[D]", "M8[us]", "m8[h]", "longdouble"])
def test_labels_of_types_that_json_lacks_are_saved(kind, tmp_path):
    labels = CLASSES.astype(kind)
    model = TabularClassifier(**FAST).fit(TABLE, labels)
    model.save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.classes_, np.unique(labels))
    assert loaded.classes_.dtype == labels.dtype
    np.testing.assert_array_equal(loaded.predict(TABLE), model.predict(TABLE))


def test_nullable_labels_come_back_in_their_own_type():
    model = TabularClassifier(**FAST).fit(TABLE, pd.array(CLASSES, dtype="Int64"))
    assert model.predict(TABLE).dtype.kind == "i"


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (pd.date_range("2020", periods=M), "y has dates or time differences"),
        (pd.to_timedelta(np.arange(M), "h"), "y has dates or time differences"),
        ([10**400] * M, "beyond the range of float64"),
        (["high"] * M, "y has entries that are not numbers, such as 'high'; for classes use"),
        (x[:, 0] * 1e300, "range that float64 cannot square"),
        (x[:, 0] * 1e-300, "range that float64 cannot square"),
        (np.where(CLASSES, 1.7e308, -1.7e308), "range that float64 cannot square"),
        (np.where(CLASSES, np.inf, 0.0), r"y contains infinite numbers \(inf\); leave out"),
    ],
)
def test_values_that_cannot_be_learned_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        TabularRegressor(**FAST).fit(TABLE, y)


def test_infinite_labels_are_refused():
    with pytest.raises(ValueError, match=r"y contains infinite labels \(inf\); leave out these"):
        TabularClassifier(**FAST).fit(TABLE, np.where(CLASSES, np.inf, 0.0))


def latest_by(time):
    """Return which rows the network is validated on, from a fit on rows in order of time."""
    return TabularRegressor(**FAST).fit(TABLE, x[:, 0], time=time).validation_scores_


def test_time_as_text_is_ordered_as_dates_and_numbers_are():
    days = pd.date_range("2020", periods=M)[np.random.default_rng(1).permutation(M)]
    expected = latest_by(days)
    assert latest_by(days.strftime("%Y-%m-%d")) == expected
    assert latest_by(days.tz_localize("UTC")) == expected
    hours = (days - days.min()).days
    assert latest_by([str(hour) for hour in hours]) == expected  # "10" after "9"
    assert latest_by([f"{hour:04d}" for hour in hours]) == expected


def test_time_that_is_no_date_is_refused():
    with pytest.raises(ValueError, match="time has entries that are neither numbers nor dates"):
        TabularClassifier(**FAST).fit(TABLE, CLASSES, time=["31/12/2020"] * M)


def test_entries_that_are_refused_are_those_that_are_wrong_as_python_writes_them():
    with pytest.raises(ValueError, match="such as 'soon'; write them so"):
        TabularClassifier(**FAST).fit(TABLE, CLASSES, time=["2020-12-31"] * (M - 1) + ["soon"])
    with pytest.raises(ValueError, match="time has numbers beside dates; write all entries as"):
        TabularClassifier(**FAST).fit(TABLE, CLASSES, time=["2020-12-31"] * (M - 1) + ["7"])
    with pytest.raises(ValueError, match="not numbers, such as 'seven'; for classes use"):
        TabularRegressor(**FAST).fit(TABLE, np.array(["7"] * (M - 1) + ["seven"]))
    with pytest.raises(ValueError, match="one class alone, 'yes'; a classifier needs"):
        TabularClassifier(**FAST).fit(TABLE, np.array(["yes"] * M))
    model = TabularClassifier(**FAST).fit(TABLE, CLASSES)
    with pytest.raises(ValueError, match="classes of the training set, such as 7$"):
        model.feature_importances(TABLE, np.full(M, 7))
    with pytest.raises(ValueError, match="'a': 1 cells are infinite .inf.: inf in row 0"):
        model.predict(TABLE.assign(a=[np.inf] + [0.0] * (M - 1)))


@pytest.mark.parametrize("name", ["groups", "time"])
def test_several_entries_for_a_row_are_refused_by_their_name(name):
    with pytest.raises(ValueError, match=rf"{name} has shape \({M}, 2\); give one entry"):
        TabularClassifier(**FAST).fit(TABLE, CLASSES, **{name: [(1, i) for i in range(M)]})


def test_local_dates_are_warned_about_where_the_user_calls_fit():
    table = TABLE.assign(day=["31.12.2024", "1.2.2024"] * (M // 2))
    with pytest.warns(UserWarning, match=r"read as text.* 'day' \('31.12.2024'\); write") as found:
        TabularClassifier(**FAST).fit(table, CLASSES)
    assert [warning.filename for warning in found] == [__file__]


def test_groups_and_time_together_are_refused():
    with pytest.raises(ValueError, match="groups and time exclude each other"):
        TabularClassifier(**FAST).fit(TABLE, CLASSES, groups=np.arange(M), time=np.arange(M))


@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, M)], ids=["unweighted", "weighted"])
def test_auc_counts_ties_as_half(weights):
    from sklearn.metrics import roc_auc_score

    score = np.round(x[:, 1])
    expected = roc_auc_score(CLASSES, score, sample_weight=weights)
    p = np.column_stack([-score, score])
    assert CLASSIFICATION["auc"].measure(CLASSES, p, weights) == pytest.approx(expected)


@pytest.mark.parametrize("weight", [0, -1, np.nan, np.inf])
def test_weights_of_classes_that_are_not_positive_are_refused(weight):
    with pytest.raises(ValueError, match="class_weight must be > 0 and finite, but class 1 has"):
        TabularClassifier(class_weight={0: 1, 1: weight}, **FAST).fit(TABLE, CLASSES)


@pytest.mark.parametrize(
    ("label", "shown"), [("a", "'a'"), (3, "3"), (np.datetime64("2020-01-01"), "2020-01-01")]
)
def test_a_single_class_is_refused_by_its_name(label, shown):
    with pytest.raises(ValueError, match=f"y has one class alone, {shown}; a classifier"):
        TabularClassifier(**FAST).fit(TABLE, np.array([label] * M))


LABELS = {
    "intervals": pd.cut(x[:, 0], 3),
    "periods": pd.Series(pd.PeriodIndex(np.where(CLASSES, "2020-01", "2021-01"), freq="M")),
    "text and numbers": np.array([1, "a"] * (M // 2), object),
    "tuples": pd.Series([(1, 2), (2, 3)] * (M // 2)),
    "beyond int64": np.array([2**63, -1] * (M // 2), object),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_another_type_are_refused_with_the_remedy(labels):
    message = r"y has labels that are neither all text nor all whole numbers, such as .*astype\(str"
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**FAST).fit(TABLE, labels)
    texts = pd.Series(labels).astype(str)
    model = TabularClassifier(**FAST).fit(TABLE, texts)
    assert set(model.classes_) == set(texts)


def test_fractions_as_objects_are_no_labels():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        TabularClassifier(**FAST).fit(TABLE, x[:, 0].astype(object))


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="this NumPy has no such strings")
def test_labels_may_be_strings_of_numpy_of_any_length():
    labels = np.array(["no", "yes"])[CLASSES]
    model = TabularClassifier(**FAST).fit(TABLE, labels.astype(np.dtypes.StringDType()))
    assert model.classes_.tolist() == ["no", "yes"]
    assert np.mean(model.predict(TABLE) == labels) > 0.8


def test_what_is_masked_is_missing():
    """The values behind a mask are never used, as in `MLP`."""
    mask = np.arange(M) < 3
    masked = np.ma.masked_array(np.arange(M) % 4, mask)
    for model in (TabularClassifier(**FAST), TabularRegressor(**FAST)):
        with pytest.raises(ValueError, match="y contains NaN or None in 3 of 80 rows, first in"):
            model.fit(TABLE, masked)
        with pytest.raises(ValueError, match="groups has 3 missing entries"):
            model.fit(TABLE, CLASSES, groups=masked)
        with pytest.raises(TypeError, match="sample_weight has dtype object.* missing values"):
            model.fit(TABLE, CLASSES, sample_weight=masked)
    whole = TabularRegressor(**FAST).fit(TABLE, np.ma.masked_array(x[:, 0], np.zeros(M, bool)))
    expected = TabularRegressor(**FAST).fit(TABLE, x[:, 0])
    np.testing.assert_array_equal(whole.predict(TABLE), expected.predict(TABLE))
    cells = np.ma.masked_array(x, np.column_stack([mask, mask]))
    missing = TabularRegressor(**FAST).fit(np.where(cells.mask, np.nan, x), CLASSES)
    found = TabularRegressor(**FAST).fit(cells, CLASSES)
    np.testing.assert_array_equal(found.predict(cells), missing.predict(cells.filled(np.nan)))


def test_the_model_of_a_date_predicts_its_rows_in_any_form():
    day = pd.Timestamp("2024-01-31") + pd.to_timedelta(np.arange(2 * M) % 2, "D")
    table = pd.DataFrame({"a": np.tile(x[:, 0], 2), "day": day})
    model = TabularRegressor(per="day", **FAST).fit(table, table["a"] * (1 + day.day % 2))
    assert len(model.by_value_.models) == 2
    expected = model.predict(table)
    for form in (day.strftime("%Y-%m-%d"), day.date, day.to_period("D"), day.tz_localize("UTC")):
        np.testing.assert_array_equal(model.predict(table.assign(day=form)), expected)


def test_per_of_a_column_of_lists_names_the_column():
    table = TABLE.assign(shop=[[1]] * M)
    with pytest.raises(TypeError, match="column 'shop' has cells of type list"):
        TabularRegressor(per="shop", **FAST).fit(table, x[:, 0])
