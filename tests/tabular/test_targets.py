"""Targets as arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

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
