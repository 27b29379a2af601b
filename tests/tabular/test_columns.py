"""From columns to a network's inputs."""

import datetime
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from fastmlp import steps
from fastmlp.tabular.columns import ENCODINGS, MOST_LEVELS, TableEncoder
from fastmlp.tabular.frames import dates
from fastmlp.tabular.levels import known_codes, text


def inputs_of(table, encoding="raw", new=None):
    return encoded(TableEncoder.learn(table), table if new is None else new, encoding)


def encoded(encoder, table, encoding):
    """Return what a network's first weights see, if nothing of it is learned."""
    X = encoder.inputs(encoder.read(table), encoding)
    return steps.encode(X, encoder.encodings(encoding))


def test_a_number_is_scaled_by_its_quartiles_and_clipped_smoothly():
    x = np.array([0.0, 1, 2, 3, 4, 1000])
    z = (x - 2.5) / (np.quantile(x, 0.75) - np.quantile(x, 0.25))
    expected = z / np.sqrt(1 + (z / 3) ** 2)
    np.testing.assert_allclose(inputs_of(pd.DataFrame({"x": x}))[:, 0], expected, rtol=1e-6)


def test_a_number_without_spread_between_its_quartiles_is_scaled_by_half_its_range():
    x = np.array([0.0] * 10 + [4.0])
    assert inputs_of(pd.DataFrame({"x": x}))[-1, 0] == pytest.approx(2 / np.sqrt(1 + 4 / 9))


def test_a_missing_number_is_zero_with_an_input_of_its_own():
    inputs = inputs_of(pd.DataFrame({"x": [1.0, 2.0, 3.5, np.nan, 7.0]}))
    assert inputs.shape == (5, 2)
    np.testing.assert_array_equal(inputs[:, 1], [0, 0, 0, 1, 0])
    assert inputs[3, 0] == 0


def test_the_piecewise_linear_code_counts_bins_from_below():
    x = np.linspace(0, 16, 17)
    codes = inputs_of(pd.DataFrame({"x": x}), encoding="piecewise_linear")[:, 1:]
    assert codes.shape == (17, 16)
    for i, row in enumerate(codes):  # the edges are 0, 1, …, 16
        np.testing.assert_allclose(row, [1.0] * i + [0.0] * (16 - i), atol=1e-6)


def test_piecewise_linear_codes_are_linear_within_a_bin_and_flat_beyond_the_edges():
    encoder = TableEncoder.learn(pd.DataFrame({"x": np.linspace(0, 16, 17)}))
    new = pd.DataFrame({"x": [-5.0, 2.25, 99.0]})
    codes = encoded(encoder, new, "piecewise_linear")[:, 1:]
    np.testing.assert_allclose(codes.sum(axis=1), [0, 2.25, 16], atol=1e-5)


def test_quantiles_are_those_of_a_normal_distribution():
    x = np.random.default_rng(0).lognormal(0, 2, 5000)
    z = inputs_of(pd.DataFrame({"x": x}), encoding="quantile")[:, 0]
    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.std() == pytest.approx(1, abs=0.02)
    oracle = scipy.stats.norm.ppf((scipy.stats.rankdata(x) - 0.5) / len(x))
    middle = np.abs(oracle) < 2
    np.testing.assert_allclose(z[middle], oracle[middle], atol=0.02)


def test_equal_numbers_have_the_quantile_of_their_middle():
    z = inputs_of(pd.DataFrame({"x": [0.0, 0, 0, 5, 5, 9]}), encoding="quantile")[:, 0]
    shares = scipy.stats.norm.cdf(z[[0, 3, 5]])
    np.testing.assert_allclose(shares, [0.25, 4 / 6, 5.5 / 6], rtol=1e-6)


def test_levels_beyond_two_have_an_input_each_and_two_share_one():
    inputs = inputs_of(pd.DataFrame({"two": ["a", "b", "a"] * 4, "three": ["u", "v", "w"] * 4}))
    np.testing.assert_array_equal(
        inputs[:3], [[1, 1, 0, 0], [-1, 0, 1, 0], [1, 0, 0, 1]]
    )


def test_unknown_and_missing_levels_are_zeros():
    table = pd.DataFrame({"c": ["a", "b", "c", None] * 3})
    new = pd.DataFrame({"c": ["z", None, "b"]})
    np.testing.assert_array_equal(inputs_of(table, new=new), [[0, 0, 0], [0, 0, 0], [0, 1, 0]])


def test_codes_are_known_by_their_digits_where_a_table_has_them_as_numbers():
    table = pd.DataFrame({"zip": ["02139", "10001", "00501", None] * 3})
    for cells in ([2139, 501, 10001, 7], [2139.0, 501.0, 10001.0, np.nan]):
        found = TableEncoder.learn(table).read(pd.DataFrame({"zip": cells})).categories[:, 0]
        np.testing.assert_array_equal(found, [0, 2, 1, -1])
    texts = pd.DataFrame({"zip": ["02139", "2139", "10001"]})
    found = TableEncoder.learn(table).read(texts).categories[:, 0]
    np.testing.assert_array_equal(found, [0, -1, 1])  # a text is a level as it is written


@pytest.mark.parametrize(
    "cells",
    [
        pd.array([2139, None, 501], dtype="Int64"),
        pd.Categorical([2139, None, 501]),
        np.array([2139, None, 501], object),
        np.array([Decimal(2139), None, 501.0], object),
    ],
    ids=["nullable", "categories", "objects", "decimals"],
)
def test_codes_as_numbers_are_known_whatever_holds_them(cells):
    table = pd.DataFrame({"zip": ["02139", "10001", "00501", None] * 3})
    found = TableEncoder.learn(table).read(pd.DataFrame({"zip": cells})).categories[:, 0]
    np.testing.assert_array_equal(found, [0, -1, 2])


TRUTHS = {
    "booleans": [True, False, True],
    "booleans with None": [True, False, True, None],
    "integers": [1, 0, 1],
    "floats": [1.0, 0.0, 1.0, np.nan],
    "text of Python": ["True", "False", "True"],
    "text of JSON": ["true", "false", "true", ""],
    "text of R": ["TRUE", "FALSE", "TRUE"],
    "digits": ["1", "0", "1"],
}


@pytest.mark.parametrize("new", TRUTHS.values(), ids=TRUTHS)
@pytest.mark.parametrize("cells", TRUTHS.values(), ids=TRUTHS)
def test_truth_values_are_known_in_any_form(cells, new):
    encoder = TableEncoder.learn(pd.DataFrame({"c": pd.Categorical(cells * 4)}))
    found = encoder.read(pd.DataFrame({"c": new})).categories[:, 0]
    np.testing.assert_array_equal(found, [0, 1, 0, -1][: len(new)])


@pytest.mark.parametrize(
    ("levels", "new"),
    [
        (["True", "False", "maybe"], [1, 0]),
        (["True", "False", "1"], [0, "true"]),
        (["2", "1"], [True]),
    ],
)
def test_levels_that_are_more_than_truth_values_are_known_as_written(levels, new):
    encoder = TableEncoder.learn(pd.DataFrame({"c": pd.Categorical(levels * 4)}))
    found = encoder.read(pd.DataFrame({"c": np.array(new, object)})).categories[:, 0]
    assert set(found) == {-1}


DAYS = pd.Series(pd.to_datetime(["2024-01-31", "2024-02-29", "2024-03-01"]))
OTHER_DAYS = {
    "text": DAYS.dt.strftime("%Y-%m-%d"),
    "text with a time": DAYS.astype(str) + "T00:00",
    "dates": DAYS.dt.date,
    "periods": DAYS.dt.to_period("D"),
    "UTC": DAYS.dt.tz_localize("UTC"),
    "another zone": DAYS.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
}


@pytest.mark.parametrize("new", OTHER_DAYS.values(), ids=OTHER_DAYS)
def test_dates_that_are_levels_are_known_in_any_form(new):
    for learned, other in ((DAYS, new), (new, DAYS)):
        levels = tuple(map(text, pd.factorize(learned)[1]))
        np.testing.assert_array_equal(known_codes(other[::-1], levels), [2, 1, 0])
        later = other + (datetime.timedelta(1) if other.dtype != "str" else "x")
        assert known_codes(later[2:], levels).tolist() == [-1]


def test_levels_that_are_not_all_dates_are_known_as_written():
    assert known_codes(pd.Series([DAYS[0]]), ("2024-01-31", "never")).tolist() == [-1]
    same = ("2024-01-31", "2024-01-31T00:00")  # which of them is not known
    assert known_codes(pd.Series([DAYS[0]]), same).tolist() == [-1]


def test_dates_from_the_first_year_to_the_last_are_read_in_any_unit():
    ends = pd.Series([datetime.date(1, 1, 1), datetime.date(9999, 12, 31)])
    limits = pd.Series([pd.Timestamp.min, pd.Timestamp.max])  # of nanoseconds
    for learned, new in ((ends, limits), (limits, ends), (limits, limits)):
        encoder = TableEncoder.learn(pd.DataFrame({"d": pd.concat([learned] * 20)}))
        days = encoder.read(pd.DataFrame({"d": new})).numbers[:, 0]
        expected = [(one - dates(learned)[0]).total_seconds() / 86400 for one in dates(new)]
        np.testing.assert_allclose(days, expected)


def test_a_level_that_is_written_as_the_number_comes_first():
    table = pd.DataFrame({"c": ["07", "07", "07", "7", "8"] * 3})
    found = TableEncoder.learn(table).read(pd.DataFrame({"c": [7, 8]})).categories[:, 0]
    assert [["07", "7", "8"][code] for code in found] == ["7", "8"]


def test_rare_levels_of_a_category_with_very_many_are_unknown():
    cells = [f"level {i % 300}" for i in range(900)]
    encoder = TableEncoder.learn(pd.DataFrame({"c": cells}))
    assert len(encoder.categories[0].levels) == MOST_LEVELS


LOCAL = {
    "German": ["31.12.2024", "1.2.2024"],
    "American": ["12/31/2024 10:30", "01/02/2024 9:05"],
    "hyphens": ["31-12-2024", "01-02-2024"],
    "Japanese": ["2024/12/31", "2024/1/2"],
    "years of two digits": ["12/31/24", "1/2/24 10:30"],
    "years of two digits with points": ["31.12.24", "01.02.24"],
}
NOT_LOCAL = {
    "ISO": ["2024-12-31", "2024-01-02"],
    "versions": ["1.2.3", "1.2.10"],
    "addresses": ["10.0.0.1", "10.0.0.2"],
    "one of them": ["31.12.2024", "soon"],
    "two separators": ["31.12-2024", "01.02-2024"],
    "versions of two digits": ["1.2.10", "1.3.11"],
    "no months": ["31.13.2024", "13.14.2024"],
    "no days": ["32.12.2024", "12.32.2024"],
    "zeros": ["0.12.2024", "12.0.2024"],
}


@pytest.mark.parametrize("cells", LOCAL.values(), ids=LOCAL)
def test_columns_of_local_dates_are_text_and_are_known(cells):
    encoder = TableEncoder.learn(pd.DataFrame({"d": cells * 20, "n": np.arange(40) % 7}))
    assert (encoder.kinds["d"], encoder.local_dates()) == ("category", {"d": cells[0]})
    many = [f"{cells[0]} {i}:00" for i in range(40)]
    reason = TableEncoder.learn(pd.DataFrame({"d": many})).dropped["d"]
    assert reason.endswith("40 different texts in 40 rows (write dates as 2024-12-31)")


@pytest.mark.parametrize("cells", NOT_LOCAL.values(), ids=NOT_LOCAL)
def test_other_text_is_not_taken_for_local_dates(cells):
    encoder = TableEncoder.learn(pd.DataFrame({"d": pd.Categorical(cells * 20)}))
    assert encoder.local_dates() == {}


def test_a_date_becomes_numbers_and_categories():
    days = pd.date_range("2020-01-15", periods=60, freq="17D")
    encoder = TableEncoder.learn(pd.DataFrame({"d": days}))
    assert [one.part for one in encoder.numbers] == ["days", "year", "day"]
    assert [one.part for one in encoder.categories] == ["month", "weekday"]
    codes = encoder.read(pd.DataFrame({"d": days[:2]}))
    np.testing.assert_array_equal(codes.numbers[:, 0], [0, 17])
    assert encoder.categories[0].levels[codes.categories[0, 0]] == "1"


def test_dates_as_text_give_the_same_as_timestamps():
    days = pd.date_range("2020-01-15", periods=60, freq="17D")
    as_text = pd.DataFrame({"d": days.strftime("%Y-%m-%d")})
    np.testing.assert_array_equal(inputs_of(as_text), inputs_of(pd.DataFrame({"d": days})))


DROPPED = {
    "constant number": ([3.0] * 40, "the same value"),
    "constant text": (["a"] * 40, "the same value"),
    "empty": ([None] * 40, "empty"),
    "row numbers": (np.random.default_rng(0).permutation(40), "numbers the rows"),
    "names": ([f"person {i}" for i in range(40)], "identifies the rows"),
    "constant date": (pd.to_datetime(["2020-01-01"] * 40), "the same value"),
}


@pytest.mark.parametrize(("cells", "reason"), DROPPED.values(), ids=DROPPED)
def test_columns_that_cannot_help_are_left_out_with_a_reason(cells, reason):
    encoder = TableEncoder.learn(pd.DataFrame({"bad": cells, "good": np.arange(40) % 7}))
    assert list(encoder.kinds) == ["good"]
    assert reason in encoder.dropped["bad"]


@pytest.mark.parametrize(("m", "kinds"), [(29, ["number", "name", "x"]), (30, ["x"])])
def test_fewer_than_30_rows_have_no_identifiers(m, kinds):
    table = pd.DataFrame({"number": range(m), "name": [f"n {i}" for i in range(m)]})
    encoder = TableEncoder.learn(table.assign(x=np.arange(m) % 7))
    assert list(encoder.kinds) == kinds


def test_knots_of_many_numbers_reach_from_the_smallest_to_the_largest():
    x = np.random.default_rng(0).normal(size=5000)
    (number,) = TableEncoder.learn(pd.DataFrame({"x": x})).numbers
    assert (number.knots[0], number.knots[-1]) == (x.min(), x.max())
    assert 100 < len(number.knots) < 5000
    ends = scipy.stats.norm.ppf([0.5 / 5000, 1 - 0.5 / 5000])
    np.testing.assert_allclose([number.scores[0], number.scores[-1]], ends, rtol=1e-9)


def test_one_value_and_missing_cells_are_kept_for_the_missing_cells():
    table = pd.DataFrame({"x": [1.0, np.nan] * 20, "c": ["a", None] * 20})
    encoder = TableEncoder.learn(table)
    assert list(encoder.kinds) == ["x", "c"]
    assert len(np.unique(encoder.inputs(encoder.read(table), "raw"), axis=0)) == 2


def test_huge_numbers_at_prediction_stay_finite(mixed):
    table, _, _ = mixed
    encoder = TableEncoder.learn(table)
    new = table.head(2).assign(income=[1e308, -1e308])
    assert np.isfinite(encoded(encoder, new, "piecewise_linear")).all()


def test_a_range_that_cannot_be_scaled_is_refused():
    with pytest.raises(ValueError, match="'x' has numbers of a range"):
        TableEncoder.learn(pd.DataFrame({"x": [-1.7e308, 1.7e308, 1e308, -1e308]}))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_keeps_the_encoder(mixed, encoding):
    table, _, _ = mixed
    encoder = TableEncoder.learn(table)
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    codes = encoder.read(table)
    inputs = encoder.inputs(codes, encoding)
    assert inputs.shape[1] == len(encoder.encodings(encoding))
    np.testing.assert_array_equal(again.inputs(again.read(table), encoding), inputs)


def test_other_types_at_prediction_give_the_same_inputs(mixed):
    table, _, _ = mixed
    encoder = TableEncoder.learn(table)
    as_text = table.astype({"age": object, "income": str}).assign(
        member=table["member"].map({True: "True", False: "False"}),
        since=table["since"].dt.strftime("%Y-%m-%d"),
    )
    np.testing.assert_array_equal(
        encoder.inputs(encoder.read(as_text), "quantile"),
        encoder.inputs(encoder.read(table), "quantile"),
    )


@pytest.mark.parametrize("cells", [
    pd.Series([pd.NaT] * 3, dtype="datetime64[ns]"),
    pd.Series(pd.Categorical([None] * 3, ["a"])),
], ids=["dates", "categories"])
def test_empty_columns_of_any_kind_are_left_out(cells):
    encoder = TableEncoder.learn(pd.DataFrame({"x": [1.0, 2.0, 4.0], "gone": cells}))
    assert encoder.dropped == {"gone": "it is empty"}
