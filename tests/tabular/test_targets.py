"""Targets as arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import DataConversionWarning

from fastmlp.tabular.targets import target_column


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        (pd.array([1, 0], dtype="Int64"), np.int64),
        (pd.array([True, False], dtype="boolean"), np.bool_),
        (np.array([1, 0], object), np.int64),
        (np.array([True, False], object), np.bool_),
        (pd.Categorical(["a", "b"]), object),
    ],
)
def test_a_target_has_the_dtype_of_its_entries(y, dtype):
    column = target_column(y, 2)
    assert column.dtype == dtype
    assert column.tolist() == list(y)


def test_a_missing_target_is_named_with_its_row():
    y = np.arange(9.0)
    y[[3, 5]] = np.nan
    with pytest.raises(ValueError, match="y contains NaN or None in 2 of 9 rows, first in row 3 "):
        target_column(y, 9)


def test_what_polars_has_not_computed_is_refused():
    polars = pytest.importorskip("polars")
    for y in (polars.LazyFrame({"y": [1, 2]}), polars.col("y")):
        with pytest.raises(TypeError, match=r"y is a (LazyFrame|Expr) .* pass .*collect"):
            target_column(y, 2)
    assert target_column(polars.Series([1, 2]), 2).tolist() == [1, 2]


def test_a_column_of_targets_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        np.testing.assert_array_equal(target_column(np.ones((3, 1)), 3), np.ones(3))


@pytest.mark.parametrize(
    ("cells", "dtype"), [([True, False], "boolean"), ([2**53, 2**53 + 1], "Int64"), ("ab", "str")]
)
def test_a_frame_of_one_column_has_the_targets_of_its_column(cells, dtype):
    column = pd.Series([*cells], dtype=dtype)
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        of_frame = target_column(column.to_frame("y"), 2)
    assert of_frame.dtype == target_column(column, 2).dtype
    assert of_frame.tolist() == [*cells]
