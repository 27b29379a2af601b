"""Times of day are numbers: the seconds since midnight."""

import datetime

import numpy as np
import pandas as pd
import pytest

from fastmlp.experiments.tables import Table
from fastmlp.experiments.targets import read_target
from fastmlp.tabular import TabularRegressor, load
from fastmlp.tabular.frames import kind_of, numbers
from fastmlp.tabular.levels import known_codes
from fastmlp.tabular.reading import read_table

TIMES = [datetime.time(1, 2, 3, 500_000), None, datetime.time(23, 59, 59), datetime.time(0)]
SECONDS = [3723.5, np.nan, 86399, 0]
M = 160
OF_DAY = [datetime.time(i % 24, 7 * i % 60) for i in range(M)]
HOURS = np.array([7 * i % 60 / 60 + i % 24 for i in range(M)])
FAST = {"quality": "fast", "epochs": 20, "n_members": 1, "random_state": 0}


@pytest.fixture(scope="module")
def model() -> TabularRegressor:
    return TabularRegressor(**FAST).fit(pd.DataFrame({"at": OF_DAY}), np.sin(HOURS / 4))


def test_they_are_read_as_seconds():
    column = pd.Series(TIMES, dtype=object)
    assert kind_of(column) == "number"
    np.testing.assert_array_equal(numbers(column), SECONDS)
    beside = [datetime.time(1, tzinfo=datetime.UTC), pd.Timedelta("1 h"), ""]
    np.testing.assert_array_equal(numbers(pd.Series(beside, dtype=object)), [3600, 3600, np.nan])


@pytest.mark.parametrize("other", ["1:00", 3600, pd.Timedelta("1 h"), datetime.date(2020, 1, 1)])
def test_beside_other_cells_they_are_levels_as_before(other):
    assert kind_of(pd.Series([*TIMES, other], dtype=object)) == "category"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_those_of_pyarrow_are_the_same(model, unit):
    arrow = pytest.importorskip("pyarrow")
    kind = (arrow.time32 if unit in ("s", "ms") else arrow.time64)(unit)
    whole = [None if one is None else one.replace(microsecond=0) for one in TIMES]
    array = arrow.array(whole, kind)
    column = pd.Series(pd.array(array, pd.ArrowDtype(kind)), name="at")
    expected = np.floor(SECONDS)
    assert kind_of(column) == "number"
    np.testing.assert_array_equal(numbers(column), expected)
    own = model.predict(pd.DataFrame({"at": pd.Series([*OF_DAY[:3], None], dtype=object)}))
    table = arrow.table({"at": arrow.array([*OF_DAY[:3], None], kind)})
    np.testing.assert_array_equal(model.predict(table), own)


def test_nanoseconds_are_cut_off(tmp_path):
    """Python's times have microseconds."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    array = arrow.array([1_000_001_999, None]).cast(arrow.time64("ns"))
    column = pd.Series(pd.array(array, pd.ArrowDtype(arrow.time64("ns"))))
    np.testing.assert_array_equal(numbers(column), [1.000001, np.nan])
    path = tmp_path / "table.parquet"
    parquet.write_table(arrow.table({"at": array, "x": [1, 2]}), path)
    found = read_table(path)
    assert found["at"].tolist() == [datetime.time(0, 0, 1, 1), None]
    assert found["x"].tolist() == [1, 2]


def test_those_of_polars_are_the_same(model):
    polars = pytest.importorskip("polars")
    expected = model.predict(pd.DataFrame({"at": OF_DAY}))
    np.testing.assert_array_equal(model.predict(polars.DataFrame({"at": OF_DAY})), expected)


def test_a_model_learns_from_them_and_is_saved(model, tmp_path):
    table = pd.DataFrame({"at": OF_DAY})
    assert model.encoder_.kinds == {"at": "number"}
    predicted = model.predict(table)
    assert np.corrcoef(predicted, np.sin(HOURS / 4))[0, 1] > 0.99
    model.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(load(tmp_path / "model.npz").predict(table), predicted)
    later = pd.DataFrame({"at": [datetime.time(12, 34, 56)]})  # not in the training set
    np.testing.assert_allclose(model.predict(later), np.sin(12.58 / 4), atol=0.2)


def test_partial_dependence_is_a_function_of_the_seconds(model):
    curve = model.partial_dependence(pd.DataFrame({"at": OF_DAY}), "at", n_points=3)
    seconds = np.sort(3600 * HOURS)
    np.testing.assert_allclose(curve["at"].iloc[[0, -1]], seconds[[0, -1]])
    assert curve["at"].is_monotonic_increasing
    assert len(curve) == 3
    found = model.feature_importances(pd.DataFrame({"at": OF_DAY}), HOURS)
    assert found["column"].tolist() == ["at"]


def test_per_has_a_model_for_each_of_them():
    table = pd.DataFrame({"at": [datetime.time(6 * (i % 2)) for i in range(M)], "x": HOURS})
    model = TabularRegressor(**FAST, per="at").fit(table, HOURS)
    assert sorted(model.by_value_.models) == ["00:00:00", "06:00:00"]
    curve = model.partial_dependence(table, "at")
    assert curve["at"].tolist() == [datetime.time(0), datetime.time(6)]


def test_a_model_to_which_they_are_levels_knows_them_by_their_text():
    """As models of earlier versions do."""
    column = pd.Series([datetime.time(6), None, datetime.time(0), datetime.time(1)], dtype=object)
    assert known_codes(column, ("00:00:00", "06:00:00")).tolist() == [1, -1, 0, -1]


def test_rows_are_sorted_by_them():
    x = pd.DataFrame({"x": HOURS})
    model = TabularRegressor(**FAST).fit(x, HOURS, time=OF_DAY)
    same = TabularRegressor(**FAST).fit(x, HOURS, time=3600 * HOURS)
    np.testing.assert_array_equal(model.predict(x), same.predict(x))


@pytest.mark.parametrize("cells", [OF_DAY, [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)]])
def test_a_label_that_is_a_date_or_a_time_of_day_is_no_class(cells):
    table = Table("t.parquet", pd.DataFrame({"at": pd.Series(cells, dtype=object)}))
    with pytest.raises(ValueError, match="'at' holds dates or times; to predict them, write them"):
        read_target(table, "at", None)
