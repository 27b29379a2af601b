"""Partial dependence on columns whose cells or names are not the usual ones."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from fastmlp.tabular import TabularClassifier, TabularRegressor
from fastmlp.tabular.insight import dependence_grid

FAST = {"quality": "fast", "epochs": 2, "random_state": 0, "n_threads": 1}
M = 40
x = np.random.default_rng(0).normal(size=M)
DAYS = [pd.Timestamp("2024-01-10"), pd.Timestamp("2024-07-10")]  # 0 h UTC, winter and summer
FORMS_OF_DAYS = {
    "timestamps": DAYS,
    "nanoseconds": pd.Series(DAYS).astype("datetime64[ns]"),
    "datetime.date": [day.date() for day in DAYS],
    "periods": pd.PeriodIndex(DAYS, freq="D"),
    "dates of PyArrow": pd.array([day.date() for day in DAYS], dtype="date32[pyarrow]"),
    "text": ["2024-01-10", "2024-07-10"],
    "text of two offsets": ["2024-01-10T01:00+01:00", "2024-07-10T02:00+02:00"],
    "datetimes of two zones": [
        DAYS[0].tz_localize("UTC").tz_convert("Europe/Berlin"),
        DAYS[1].tz_localize("UTC").tz_convert("US/Pacific"),
    ],
    "datetimes with a zone and without": [DAYS[0].tz_localize("UTC"), DAYS[1].to_pydatetime()],
}


@pytest.mark.parametrize("cells", FORMS_OF_DAYS.values(), ids=FORMS_OF_DAYS)
def test_dates_in_any_form_have_the_same_dependence(cells):
    table = pd.DataFrame({"x": x, "day": DAYS * (M // 2)})
    model = TabularRegressor(**FAST).fit(table, x)
    given = pd.Series(cells).repeat(M // 2).reset_index(drop=True)
    curve = model.partial_dependence(table.assign(day=given), "day")
    assert pd.to_datetime(curve["day"]).tolist() == DAYS
    expected = [model.predict(table.assign(day=[day] * M)).mean() for day in DAYS]
    np.testing.assert_allclose(curve["prediction"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "cells",
    [["3", " 1 ", "2.5", ""], [Decimal("3"), 1, 2.5, None], pd.Categorical([3.0, 1.0, 2.5, None])],
    ids=["text", "decimals", "categories"],
)
def test_numbers_that_are_not_stored_as_such_ascend_as_numbers(cells):
    assert dependence_grid("number", pd.Series(cells), 3) == [1, 2.5, 3]


def test_time_differences_remain_such():
    hours = [datetime.timedelta(hours=1), datetime.timedelta(hours=3)]
    assert dependence_grid("number", pd.Series(hours), 2) == hours
    of_pyarrow = pd.Series(pd.array(hours, dtype="duration[ms][pyarrow]"))
    assert dependence_grid("number", of_pyarrow, 2) == hours


def test_levels_of_several_types_are_in_order_of_their_text():
    cells = pd.Series([2, "b", 10, "a", 2], dtype=object)
    assert dependence_grid("category", cells, 9) == [10, 2, "a", "b"]
    assert dependence_grid("category", cells, 1) == [2]


def test_levels_are_those_of_the_rows_and_not_of_the_dtype():
    cells = pd.Series(pd.Categorical(["low", "high"], categories=["low", "middle", "high"]))
    assert dependence_grid("category", cells, 9) == ["high", "low"]


def test_levels_of_an_ordered_dtype_are_in_its_order():
    sizes = pd.CategoricalDtype(["low", "middle", "high"], ordered=True)
    cells = pd.Series(["high", "low", "middle", "low"], dtype=sizes)
    assert dependence_grid("category", cells, 9) == ["low", "middle", "high"]
    assert dependence_grid("category", cells, 1) == ["low"]


def test_a_column_may_be_named_like_an_output():
    table = pd.DataFrame({"yes": x, "prediction": x[::-1]})
    classifier = TabularClassifier(**FAST).fit(table, np.where(x > 0, "yes", "no"))
    curve = classifier.partial_dependence(table, "yes", n_points=3)
    assert curve.columns.tolist() == ["yes", "no", "yes"]
    assert curve.iloc[:, 0].is_monotonic_increasing
    np.testing.assert_allclose(curve.iloc[:, 1:].sum(axis=1), 1)
    regressor = TabularRegressor(**FAST).fit(table, x)
    curve = regressor.partial_dependence(table, "prediction", n_points=2)
    assert curve.columns.tolist() == ["prediction", "prediction"]
    assert curve.iloc[:, 0].tolist() == [x.min(), x.max()]


def mean_error(model, table):
    return np.abs(model.predict(table) - x).mean()


def test_importances_are_mean_increases_of_the_metric_over_shuffles():
    table = pd.DataFrame({"z": np.arange(M) % 3 - 1.0, "day": DAYS * (M // 2), "x": x})
    model = TabularRegressor(**FAST | {"epochs": 20}).fit(table, x)
    found = model.feature_importances(table, x, metric="mae", n_repeats=3, random_state=5)
    rng, expected = np.random.RandomState(5), {}
    for name in table:
        shuffled = [table.assign(**{name: table[name].array[rng.permutation(M)]}) for _ in range(3)]
        rises = [mean_error(model, one) - mean_error(model, table) for one in shuffled]
        expected[name] = np.mean(rises), np.std(rises)
    assert found["importance"].is_monotonic_decreasing
    assert found["column"][0] == "x"
    for row in found.itertuples():
        rise, deviation = expected[row.column]
        assert row.importance == pytest.approx(rise, rel=1e-5, abs=1e-9)
        assert row.deviation == pytest.approx(deviation, rel=1e-4, abs=1e-9)


def test_numbers_that_are_levels_are_no_axis(rng):
    """Their order and their distances mean nothing, also where pandas has them as categories."""
    pytest.importorskip("matplotlib").use("Agg")
    from fastmlp.plotting.table_page import dependence

    table = pd.DataFrame({"x": x, "code": pd.Categorical(rng.integers(4, 7, M))})
    model = TabularRegressor(**FAST).fit(table, x)
    curve = model.partial_dependence(table, "code")
    assert curve["code"].dtype == object
    assert curve["code"].tolist() == [4, 5, 6]
    (line,) = dependence(curve).lines
    assert line.get_linestyle() == "None"
    (line,) = dependence(model.partial_dependence(table, "x")).lines
    assert line.get_linestyle() == "-"


def test_dependence_is_a_mean_over_evenly_spaced_rows():
    table = pd.DataFrame({"x": x, "z": np.arange(M) % 7})
    model = TabularRegressor(**FAST).fit(table, x)
    curve = model.partial_dependence(table, "x", n_points=5, n_rows=4)
    assert curve["x"].tolist() == np.quantile(x, np.linspace(0, 1, 5), method="nearest").tolist()
    rows = table.iloc[[0, 13, 26, 39]]
    expected = [model.predict(rows.assign(x=value)).mean() for value in curve["x"]]
    np.testing.assert_allclose(curve["prediction"], expected, rtol=1e-6)


def test_a_column_without_a_name_is_known_by_its_place():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({0: rng.normal(size=40), 1: rng.normal(size=40), 2: 1})
    with pytest.warns(UserWarning, match="'x2', it has the same value"):
        model = TabularRegressor(quality="fast", epochs=1, random_state=0).fit(table, table[0])
    assert list(model.partial_dependence(table, "x1").columns) == ["x1", "prediction"]
    with pytest.raises(TypeError, match="^column must be the name of a column, a text, got 1; "):
        model.partial_dependence(table, 1)
    with pytest.raises(TypeError, match=r"^column must be the name of a column, .*, got \['x1'\]"):
        model.partial_dependence(table, ["x1"])
    with pytest.raises(ValueError, match="^unknown column '1': .* are x0 to x1 by their places; "):
        model.partial_dependence(table, "1")
    with pytest.raises(ValueError, match="^column 'x2' is not used: it has the same value"):
        model.partial_dependence(table, "x2")


def test_levels_that_have_no_order_are_sorted_as_text():
    """Python says so by TypeError, by ValueError or by OverflowError."""
    for cells in (["b", 1], [(1, 2), np.int8(3)], [2**63, np.int8(-1), "a"]):
        column = pd.Series(cells * 3, dtype=object)
        found = dependence_grid("category", column, 9)
        assert found == sorted(cells, key=str)


def test_a_table_with_other_columns_is_refused():
    model = TabularRegressor(**FAST).fit(pd.DataFrame({"x": x, "z": x[::-1]}), x)
    other = pd.DataFrame({"x": x, "y": x})
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_dependence(other, "x")
    with pytest.raises(ValueError, match="feature names should match"):
        model.feature_importances(other, x)


def test_dependence_has_20_points_over_500_rows_unless_others_are_chosen():
    z = np.random.default_rng(1).normal(size=600)
    model = TabularRegressor(**FAST | {"epochs": 1}).fit(pd.DataFrame({"x": z, "z": z**2}), z)
    table = pd.DataFrame({"x": z, "z": z[::-1]})
    curve = model.partial_dependence(table, "x")
    assert len(curve) == 20
    pd.testing.assert_frame_equal(
        curve, model.partial_dependence(table, "x", n_points=20, n_rows=500)
    )
    of_all = model.partial_dependence(table, "x", n_rows=501)
    assert (curve["prediction"] != of_all["prediction"]).any()


def test_importances_by_a_metric_that_the_rows_do_not_have_are_refused():
    table = pd.DataFrame({"x": x})
    classifier = TabularClassifier(**FAST).fit(table, x > 0)
    regressor = TabularRegressor(**FAST).fit(table, x)
    with pytest.raises(ValueError, match="^metric 'auc' does not exist for these rows"):
        classifier.feature_importances(table[x > 0], [True] * (x > 0).sum(), metric="auc")
    with pytest.raises(ValueError, match="^metric 'r2' does not exist for these rows"):
        regressor.feature_importances(table, np.ones(M), metric="r2")
