"""Numbers that float64 cannot tell apart."""

from __future__ import annotations

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from fastmlp.tabular import TabularClassifier, TabularRegressor
from fastmlp.tabular.columns import TableEncoder
from fastmlp.tabular.precision import blurred, sortable

BASE = 2**60  # where float64 has every 256th whole number
CLOSE = {
    "int64": np.array([BASE, BASE + 1]),
    "negative": np.array([-BASE, -BASE - 1]),
    "uint64": np.array([2**63, 2**63 + 9], np.uint64),
    "nullable": pd.array([BASE, None, BASE + 1], dtype="Int64"),
    "PyArrow": pd.array([BASE, None, BASE + 1], dtype="int64[pyarrow]"),
    "objects": np.array([BASE, BASE + 1, None], object),
    "beyond int64": np.array([2**90, 2**90 + 1], object),
    "decimals": np.array([Decimal("1.00000000000000000001"), Decimal(1)], object),
    "beside text": np.array([BASE, BASE + 1, "7.0"], object),
    "beside truth values": np.array([BASE, BASE + 1, True, np.True_], object),
    "just beyond": np.array([2**53, 2**53 + 1]),
    "many": BASE + np.arange(1000) * 128,  # two for each of float64's numbers
}
APART = {
    "int64": np.array([BASE, BASE + 256]),
    "small": np.array([2**53 - 1, 2**53]),
    "a few of many": np.concatenate([np.arange(20), [BASE, BASE + 1]]),
    "floats": np.array([1.0, 1.0, 1.0]),
    "text": np.array(["1", "1.0", "01.0"], object),
    "time differences": pd.to_timedelta([1, 2], "ns"),
    "truth values": np.array([True, np.True_, 3], object),
    "missing": pd.array([None, None], dtype="Int64"),
}


@pytest.mark.parametrize("cells", CLOSE.values(), ids=CLOSE)
def test_numbers_that_float64_takes_for_equal_are_noticed(cells):
    assert blurred(pd.Series(cells))


@pytest.mark.parametrize("cells", APART.values(), ids=APART)
def test_numbers_that_float64_tells_apart_are_not(cells):
    assert not blurred(pd.Series(cells))


def test_a_column_is_left_out_with_the_true_reason():
    table = pd.DataFrame({"a": BASE + np.arange(8), "b": np.full(8, BASE), "c": np.arange(8)})
    dropped = TableEncoder.learn(table).dropped
    assert dropped["a"].startswith("its numbers are too close to each other: float64, in which")
    assert dropped["b"] == "it has the same value in every row"
    assert set(dropped) == {"a", "b"}


@pytest.mark.parametrize("per", [None, "shop"])
def test_a_column_in_use_whose_numbers_are_merged_is_reported(per):
    x = np.arange(64)
    table = pd.DataFrame({"id": BASE + 128 * x, "x": x % 7, "shop": np.where(x % 2, "a", "b")})
    model = TabularRegressor(quality="fast", epochs=1, per=per, random_state=0)
    with pytest.warns(UserWarning) as caught:
        model.fit(table, x)
    (message,) = (str(one.message) for one in caught if "no value" not in str(one.message))
    assert message.startswith("column 'id' has numbers that are too close to each other: float64")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no value")
        model.fit(table.assign(id=table["id"] - BASE), x)  # the remedy


def test_values_to_predict_that_float64_takes_for_equal_are_refused():
    X = np.arange(40).reshape(-1, 1) % 9
    with pytest.raises(ValueError, match="^y has numbers that are too close .*; subtract a number"):
        TabularRegressor(quality="fast", epochs=1).fit(X, BASE + np.arange(40))


def test_classes_may_be_large_whole_numbers():
    X = np.arange(40.0).reshape(-1, 1) % 9
    labels = np.array([BASE, BASE + 1])
    y = labels[(X[:, 0] > 4).astype(int)]
    model = TabularClassifier(quality="fast", epochs=1, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.classes_, labels)


@pytest.mark.parametrize(
    "cells",
    [
        BASE + np.array([2, 0, 1, 0]),
        np.array([2**64 - 1, 2**64 - 3, 2**64 - 2, 2**64 - 3], np.uint64),
        ["00000000001152921504606846978", "00000000001152921504606846976",
         "00000000001152921504606846977", "00000000001152921504606846976"],
        ["20240101120000002", "20240101120000000", "20240101120000001", "20240101120000000"],
    ],
    ids=["int64", "uint64", "codes", "codes of times"],
)  # fmt: skip
def test_rows_are_sorted_by_all_digits_of_large_numbers(cells):
    moments = sortable(pd.Series(cells))
    assert moments is not None
    np.testing.assert_array_equal(np.argsort(moments, kind="stable"), [1, 3, 2, 0])


def test_other_numbers_to_sort_by_are_kept():
    np.testing.assert_array_equal(sortable(pd.Series([3, 1, 2.5])), [3, 1, 2.5])
    np.testing.assert_array_equal(sortable(pd.Series(["007", "12"])), [7, 12])
    assert sortable(pd.Series(["a", "b"])) is None
