"""Which rows of a table are its test set."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fastmlp.experiments.splits import group_values, test_rows, time_values
from fastmlp.experiments.tables import Table

test_rows.__test__ = False  # type: ignore[attr-defined]


@settings(max_examples=60, deadline=None)
@given(some.lists(some.integers(0, 4), min_size=5, max_size=80), some.floats(0.05, 0.9),
       some.integers(0, 9))  # fmt: skip
def test_each_class_has_its_share_and_remains_in_training(
    labels: list[int], fraction: float, seed: int
) -> None:
    y = np.array(labels)
    if len(np.unique(y)) == len(y):
        y[1] = y[0]
    found = test_rows(y, fraction, seed, stratify=True)
    assert 0 < len(found) < len(y)
    assert (np.diff(found) > 0).all()
    for k in np.unique(y):
        n, chosen = (y == k).sum(), (y[found] == k).sum()
        assert chosen < n
        assert abs(chosen - fraction * n) < 2
    np.testing.assert_array_equal(found, test_rows(y, fraction, seed, stratify=True))


@settings(max_examples=60, deadline=None)
@given(some.lists(some.integers(0, 5), min_size=6, max_size=60), some.floats(0.05, 0.9))
def test_groups_are_not_divided(entries: list[int], fraction: float) -> None:
    groups = np.array(entries)
    if len(np.unique(groups)) < 2:
        groups[0] += 1
    found = test_rows(np.arange(len(groups)), fraction, 0, stratify=False, groups=groups)
    inside = np.isin(np.arange(len(groups)), found)
    assert 0 < len(found) < len(groups)
    assert not set(groups[inside]) & set(groups[~inside])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("counts", "lowest", "highest"),
    [
        ([75, *[5] * 5], 10, 15),
        ([75, *[1] * 25], 12, 13),
        ([75, 25], 25, 25),
        ([60, 20, 20], 20, 20),
    ],
)
def test_a_group_with_most_of_the_rows_is_not_in_the_test_set(
    counts: list[int], lowest: int, highest: int, seed: int
) -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    found = test_rows(np.zeros(100), 0.2, seed, stratify=False, groups=groups)
    assert 0 not in groups[found]
    assert lowest <= len(found) <= highest


def test_the_latest_rows_are_chosen() -> None:
    time = np.array([5, 1, 9, 7, 3, 8, 2, 4, 6, 0])
    found = test_rows(np.zeros(10), 0.3, 0, stratify=True, time=time)
    assert sorted(time[found]) == [7, 8, 9]
    assert len(test_rows(np.zeros(10), 0.99, 0, stratify=True, time=time)) == 8


def test_a_random_part_has_the_size_of_the_fraction() -> None:
    found = test_rows(np.arange(60.0), 0.21, 3, stratify=False)
    expected = np.sort(np.random.default_rng(3).permutation(60)[:13])
    np.testing.assert_array_equal(found, expected)


def table(**columns: object) -> Table:
    return Table("t.csv", pd.DataFrame(columns, index=pd.RangeIndex(2, 5, name="line")))


@pytest.mark.parametrize(
    "column",
    [[3, 1, 2], [3.5, 1.0, 2.0], ["2024-03-01", "2023-12-31", "2024-02-29"],
     pd.to_datetime(["2024-03-01", "2023-12-31", "2024-02-29"])],
)  # fmt: skip
def test_time_is_a_number_or_a_date(column: object) -> None:
    assert np.argsort(time_values(table(t=column), "t", np.arange(3))).tolist() == [1, 2, 0]


@pytest.mark.parametrize("values", [group_values, time_values])
def test_a_missing_entry_is_named_with_its_line(values: object) -> None:
    with pytest.raises(ValueError, match="column 't' is missing in 1 rows, first in line 3"):
        values(table(t=[1.0, None, 2.0]), "t", np.arange(3))
    assert len(values(table(t=[1.0, None, 2.0]), "t", np.array([0, 2]))) == 2
    with pytest.raises(ValueError, match="no column 'g'"):
        values(table(t=[1.0, 2.0, 2.0]), "g", np.arange(3))


def test_text_is_no_time() -> None:
    with pytest.raises(ValueError, match="column 't' holds text, such as 'may'"):
        time_values(table(t=["may", "june", "july"]), "t", np.arange(3))


def test_a_time_that_cannot_be_read_is_named_with_its_file() -> None:
    with pytest.raises(ValueError, match=r"^t\.csv: time: column 't': 1 cells are infinite"):
        time_values(table(t=[1.0, np.inf, 2.0]), "t", np.arange(3))
