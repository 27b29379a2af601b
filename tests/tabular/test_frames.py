"""Tables as users pass them, and the kinds of their columns."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars
import pytest
import scipy.sparse

from fastmlp.tabular.frames import are_local_dates, dates, kind_of, numbers
from fastmlp.tabular.input_tables import frame_of, numbered
from fastmlp.tabular.levels import text, texts

KINDS = {
    "integers": ([1, 2, 3], "number"),
    "floats with NaN": ([1.5, np.nan, 2.0], "number"),
    "nullable integers": (pd.array([1, None, 3], dtype="Int64"), "number"),
    "numbers as text": (["1", "2.5", None], "number"),
    "numbers with a minus of typesetting": (["1", "\u22122.5"], "number"),
    "codes with leading zeros": (["02139", "10001", "94105"], "category"),
    "numbers of more digits than float64 keeps": (["4111111111111111", "12"], "category"),
    "telephone numbers": (["+491711234567", None, "+4930123456"], "category"),
    "text": (["a", "b", "a"], "category"),
    "booleans": ([True, False, True], "category"),
    "booleans with None": ([True, None, False], "category"),
    "pandas categories of numbers": (pd.Categorical([3, 1, 3]), "category"),
    "text and numbers": (["a", 1, 2.5], "category"),
    "timestamps": (pd.to_datetime(["2020-01-01", None, "2021-05-06"]), "date"),
    "periods": (pd.period_range("2020-01", periods=3, freq="M"), "date"),
    "ISO dates as text": (["2020-01-01", "2021-05-06T10:00", ""], "date"),
    "ISO dates of single digits": (["2024-1-1", "2024-1-2"], "date"),
    "datetime.date": ([datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1)], "date"),
    "decimals": ([Decimal("1.5"), None, Decimal("NaN")], "number"),
    "dates of PyArrow": (
        pd.array([datetime.date(2020, 1, 1), None], dtype="date32[pyarrow]"), "date"
    ),
    "time differences of PyArrow": (
        pd.array([datetime.timedelta(1), None], dtype="duration[ns][pyarrow]"), "number"
    ),
    "time differences": (pd.to_timedelta([1, 2, 3], "h"), "number"),
}


@pytest.mark.parametrize(("cells", "kind"), KINDS.values(), ids=KINDS)
def test_the_kind_of_a_column(cells, kind):
    assert kind_of(pd.Series(cells, name="c")) == kind


def test_polars_columns_have_the_same_kinds_and_cells():
    frame = polars.DataFrame(
        {
            "x": [1.0, None, 3.0],
            "text": ["a", None, "b"],
            "flag": [True, False, None],
            "day": [datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 3)],
            "level": polars.Series(["u", "v", "u"], dtype=polars.Categorical),
        }
    )
    table = frame_of(frame)
    assert [kind_of(table[name]) for name in table] == [
        "number", "category", "category", "date", "category"
    ]
    np.testing.assert_array_equal(numbers(table["x"]), [1, np.nan, 3])
    assert texts(table["level"])[1] == ["u", "v"]


def test_the_columns_of_an_array_are_named_by_their_numbers():
    assert list(frame_of(np.zeros((2, 3))).columns) == ["x0", "x1", "x2"]


def test_lists_of_rows_keep_numbers_beside_text():
    table = frame_of([[1, "a"], [2, "b"]])
    assert [kind_of(table[name]) for name in table] == ["number", "category"]


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (np.zeros(3), ValueError, "Reshape your data"),
        (scipy.sparse.eye(3, format="csr"), TypeError, "sparse"),
        (np.zeros((2, 2), complex), ValueError, "Complex data not supported"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "two columns named 'a'"),
        ([[1, 2], [3]], ValueError, "different lengths"),
    ],
)
def test_what_is_no_table_is_refused(table, error, message):
    with pytest.raises(error, match=message):
        frame_of(table)


class Partitioned:
    """Has what the DataFrame of Dask has."""

    columns = ("a",)
    compute = len

    def __array__(self, dtype=None, copy=None):
        return np.ones((1, 1))


class Wrapped:
    """Has what narwhals' DataFrame has."""

    collect_schema = to_native = len


NO_TABLES = {
    "a row": ({"a": 1.0, "b": "u"}, r"a dict; pass pandas.DataFrame\(\[X\]\) if it is a row"),
    "rows": ([{"a": 1.0}, {"a": 2.0}], "a list; pass pandas.DataFrame.X., of which each dict is a"),
    "a row of a DataFrame": (pd.DataFrame({"a": [1], "b": [2]}).iloc[0], "a Series; pass X.to_fr"),
    "records": (np.zeros(3, [("a", float)]), "a ndarray; pass .*, as it is an array of records"),
    "a table of Dask": (Partitioned(), r"a Partitioned; pass X.compute\(\)"),
    "a table of narwhals": (Wrapped(), r"a Wrapped; pass X.to_native\(\)"),
    "a query of polars": (polars.DataFrame({"a": [1]}).lazy(), r"a LazyFrame; pass X.collect\(\)"),
}


@pytest.mark.parametrize(("X", "message"), NO_TABLES.values(), ids=NO_TABLES)
def test_what_holds_names_but_is_no_table_is_refused_with_the_remedy(X, message):
    with pytest.raises(TypeError, match=f"X is no table but {message}"):
        frame_of(X)


def test_a_table_of_pyarrow_keeps_its_names_and_kinds():
    import pyarrow as pa

    frame = frame_of(pa.table({"day": [datetime.date(2020, 1, 1)], "n": [1], "level": ["a"]}))
    assert {name: kind_of(frame[name]) for name in frame} == {
        "day": "date", "n": "number", "level": "category"
    }


def test_cells_that_are_no_numbers_are_named_all_at_once():
    column = pd.Series(["1", "x", "2", "y", "x"], name="size")
    with pytest.raises(ValueError, match=r"'size': 3 cells are not numbers: 'x' in row 1, 'y' in"):
        numbers(column)


def test_the_minus_sign_of_typesetting_is_a_minus():
    np.testing.assert_array_equal(numbers(pd.Series(["\u22121.5", "-2", "3"])), [-1.5, -2, 3])


@pytest.mark.parametrize(("n", "end"), [(5, "row 4 [(]rows"), (6, "row 4, and 1 more [(]rows")])
def test_five_cells_are_quoted(n, end):
    with pytest.raises(ValueError, match=f"{n} cells are not numbers: 'q' in row 0, .*{end}"):
        numbers(pd.Series(["q"] * n + ["1"], name="c"))


def test_infinite_numbers_are_refused():
    with pytest.raises(ValueError, match=r"inf.* in row 1"):
        numbers(pd.Series([1.0, np.inf], name="c"))


@pytest.mark.parametrize("cell", [20240101, 2024.0, True], ids=["integer", "float", "boolean"])
@pytest.mark.filterwarnings("error")
def test_a_number_is_no_date(cell):
    with pytest.raises(ValueError, match="'when': 1 cells are not dates: .* in row 1"):
        dates(pd.Series(["2020-01-01", cell], name="when", dtype=object))
    with pytest.raises(ValueError, match="'when': 2 cells are not dates"):
        dates(pd.Series([cell, cell], name="when"))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_dates_are_the_same_in_any_unit(unit):
    moment = pd.Timestamp("2024-03-05 06:07:08")
    found = dates(pd.Series([moment, None]).astype(f"datetime64[{unit}]"))
    assert found[0] - pd.Timestamp("0001-01-01") == moment - pd.Timestamp("0001-01-01")


def test_cells_that_are_no_dates_are_named():
    with pytest.raises(ValueError, match="'when': 1 cells are not dates: 'soon' in row 1"):
        dates(pd.Series(["2020-01-01", "soon"], name="when"))


def test_cells_of_lists_are_refused_with_the_column():
    with pytest.raises(TypeError, match="'c' has cells of type list"):
        kind_of(pd.Series([[1], [2]], name="c"))


@pytest.mark.parametrize("cells", [[1, 2, 1], [1.0, 2.0, 1.0], ["1", "2", " 1 "],
                                   np.array([1, 2, 1], np.int8)])
def test_a_level_has_the_same_text_whatever_its_type(cells):
    codes, levels = texts(pd.Series(cells, dtype=object))
    assert levels == ["1", "2"]
    np.testing.assert_array_equal(codes, [0, 1, 0])


def test_dates_with_time_zones_are_compared_in_utc():
    zoned = pd.Series(pd.to_datetime(["2020-01-01T02:00+02:00"]))
    assert dates(zoned)[0] == pd.Timestamp("2020-01-01")


def test_the_cells_of_decimals_and_of_pyarrow_are_read():
    np.testing.assert_array_equal(
        numbers(pd.Series([Decimal("1.5"), None, Decimal(2)])), [1.5, np.nan, 2]
    )
    days = pd.Series(pd.array([datetime.date(2020, 1, 31), None], dtype="date32[pyarrow]"))
    assert dates(days)[0] == pd.Timestamp("2020-01-31")
    assert dates(days).isna().tolist() == [False, True]
    spans = pd.Series(pd.array([datetime.timedelta(1), None], dtype="duration[ns][pyarrow]"))
    np.testing.assert_array_equal(numbers(spans), [86400, np.nan])


def test_numbers_beyond_float64_are_refused():
    with pytest.raises(ValueError, match="column 'c': 1 cells are infinite"):
        numbers(pd.Series([10**400, 1], name="c"))


def test_lists_of_pyarrow_are_refused():
    import pyarrow as pa

    column = pd.Series(pd.array([[1], [2]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))), name="c")
    with pytest.raises(TypeError, match="column 'c' has cells of type"):
        kind_of(column)


@pytest.mark.parametrize(
    "cells",
    [
        polars.Series("c", [[1], [2]]),
        polars.Series("c", [[1], [2]], dtype=polars.Array(polars.Int64, 1)),
        polars.Series("c", [{"a": 1}, {"a": 2}]),
    ],
    ids=["lists", "arrays", "records"],
)
def test_nested_columns_of_polars_are_refused(cells):
    with pytest.raises(TypeError, match="column 'c' has cells of type"):
        frame_of(polars.DataFrame([cells]))


def test_integers_of_128_bits_are_numbers():
    frame = frame_of(polars.DataFrame({"c": polars.Series([1, None, 3], dtype=polars.Int128)}))
    np.testing.assert_array_equal(numbers(frame["c"]), [1, np.nan, 3])


def test_decimals_of_polars_and_periods_are_read():
    frame = frame_of(polars.DataFrame({"price": [Decimal("1.50"), None, Decimal("2.25")]}))
    np.testing.assert_array_equal(numbers(frame["price"]), [1.5, np.nan, 2.25])
    months = pd.Series(pd.period_range("2020-01", periods=2, freq="M"))
    assert dates(months).tolist() == [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-02-01")]


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        ([" 2024-02-29", "2024-03-01 "], ["2024-02-29", "2024-03-01"]),
        (["2024-02", "1999-12"], ["2024-02-01", "1999-12-01"]),
        (["2024-02", "2024-02-29", " "], ["2024-02-01", "2024-02-29", pd.NaT]),
    ],
)
def test_dates_between_blanks_and_months_of_a_year_are_dates(cells, days):
    column = pd.Series(cells)
    assert kind_of(column) == "date"
    assert dates(column).tolist() == pd.to_datetime(days).tolist()


@pytest.mark.parametrize("cells", [["2024-13", "2024-01"], ["1234-05", "1234-06"], ["2024-001"]])
def test_codes_with_a_hyphen_are_no_months(cells):
    assert kind_of(pd.Series(cells)) == "category"


def test_cells_whose_text_is_an_address_of_memory_are_refused():
    with pytest.raises(TypeError, match="column 'c' has cells of type object; argument must be"):
        kind_of(pd.Series([object(), "a"], name="c"))


def test_complex_numbers_in_a_column_are_refused():
    with pytest.raises(ValueError, match="column 'c' has complex numbers"):
        kind_of(pd.Series([1j, 2.0], name="c"))


@pytest.mark.parametrize(
    ("levels", "local"),
    [
        (["03.02.2024", "1.2.2024"], True),
        (["31.12.2024"], True),
        (["32.12.2024"], False),
        (["03.02.2024", "soon"], False),
        (["5 Jan 2024", "05-Feb-24", "7 march 2024 10:30"], True),
        (["January 5th, 2024", "Fri, 5 Jan 2024", "Dec 12, 2023"], True),
        (["Jan 2024", "Feb-24"], True),
        (["may", "march"], False),
        (["Jan 2024", "later"], False),
        ([], False),
    ],
)
def test_local_dates_are_in_every_text(levels, local):
    assert are_local_dates(levels) is local


SPANS = [pd.Timedelta("1 day"), None, datetime.timedelta(hours=1), np.timedelta64(90, "s")]
PERIODS = [pd.Period("2020-02", "M"), None, pd.Period("2021Q1", "Q")]


def test_time_differences_and_periods_are_read_also_as_objects():
    """A row of a table, `X.iloc[0].to_frame().T`, has columns of objects alone."""
    spans, periods = pd.Series(SPANS, dtype=object), pd.Series(PERIODS, dtype=object)
    assert (kind_of(spans), kind_of(periods)) == ("number", "date")
    np.testing.assert_array_equal(numbers(spans), [86400, np.nan, 3600, 90])
    assert dates(periods).tolist() == [pd.Timestamp("2020-02-01"), pd.NaT, pd.Timestamp(2021, 1, 1)]
    with pytest.raises(ValueError, match="1 cells are not dates: Timedelta"):
        dates(pd.Series([pd.Timestamp(2020, 1, 1), pd.Timedelta("1 day")], dtype=object))
    assert kind_of(pd.Series([1, pd.Timedelta("1 day")], dtype=object)) == "category"


def test_bytes_are_the_text_that_they_encode():
    """As NumPy, HDF5 and some Parquet files hold text."""
    cells = pd.Series([b"Oslo", " Oslo", "Troms\u00f8".encode(), b"\xff"], dtype=object)
    codes, levels = texts(cells)
    assert levels == ["Oslo", "Troms\u00f8", "\\xff"]
    np.testing.assert_array_equal(codes, [0, 0, 1, 2])
    assert kind_of(pd.Series(np.array([b"a", b"b"]))) == "category"


def test_complex_numbers_are_refused_also_where_numbers_are_expected():
    with pytest.raises(ValueError, match="Complex data not supported: column 'c' has complex"):
        numbers(pd.Series([1 + 0j, 2], name="c"))


@pytest.mark.parametrize("name", [None, "line", "row", "other"])
def test_a_part_of_a_table_names_the_places_of_the_whole(name):
    """A file's index has the lines, or the rows of a part of it; any other is ignored."""
    table = pd.DataFrame({"x": [1.0, np.inf, 2.0]}, index=pd.Index([10, 20, 30], name=name))
    place = "line 20;" if name == "line" else f"row {20 if name == 'row' else 1} .rows counted"
    with pytest.raises(ValueError, match=f"inf in {place}"):
        numbers(numbered(table).iloc[[1, 2]]["x"])


def test_time_differences_of_numpy_are_no_numbers():
    """`numpy.timedelta64` is a subclass of NumPy's integers."""
    mixed = pd.Series([np.timedelta64(3, "D"), 2, "x"], dtype=object)
    assert kind_of(mixed) == "category"
    assert texts(mixed)[1] == ["3 days 00:00:00", "2", "x"]
    assert kind_of(pd.Series([np.timedelta64(3, "D"), 2], dtype=object)) == "category"


def test_text_that_cannot_be_written_has_escapes():
    assert texts(pd.Series(["\ud800x", "\u00e9"], dtype=object))[1] == ["\\ud800x", "\u00e9"]


def test_cells_that_pandas_cannot_compare_are_refused_with_their_type():
    with pytest.raises(TypeError, match="'c' has cells of type set"):
        kind_of(pd.Series([1, {1}], name="c", dtype=object))


def test_missing_cells_and_empty_texts_have_no_level():
    codes, levels = texts(pd.Series(["b", " ", None, "a", "", "c"], dtype=object))
    assert (codes.tolist(), levels) == ([0, -1, -1, 1, -1, 2], ["b", "a", "c"])


def test_cells_of_lists_keep_their_types():
    assert frame_of([["a", 1.5], ["b", 2]])["x1"].tolist() == [1.5, 2]
    assert frame_of([[1, 2.5]]).dtypes.tolist() == [np.float64] * 2


def test_one_dict_in_a_list_is_no_table():
    with pytest.raises(TypeError, match="pass pandas.DataFrame.X., of which each dict is a row"):
        frame_of([{"a": 1}])


def test_tables_of_other_libraries_are_not_converted():
    class Foreign:
        columns = ("a",)

        def to_pandas(self):
            return pd.DataFrame({"a": [1]})

    with pytest.raises(TypeError, match="no table but a Foreign; pass a pandas.DataFrame made of"):
        frame_of(Foreign())


def test_what_has_a_dtype_but_no_axes_is_made_an_array():
    class Lazy:
        dtype = np.dtype(float)

        def __array__(self, dtype=None, copy=None):
            return np.ones((2, 3))

    assert frame_of(Lazy()).shape == (2, 3)


@pytest.mark.parametrize("cell", [True, np.True_])
def test_a_truth_value_is_its_name(cell):
    assert text(cell) == "True"
