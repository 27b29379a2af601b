"""Which rows each network leaves out."""

import numpy as np
import pytest

from fastmlp.tabular.folds import FEWEST_ROWS, free_rows, row_values, validation_rows


def rows_of(n, fraction, y, **options):
    rng = np.random.RandomState(0)
    return validation_rows(n, fraction, rng, y, **{"stratify": False, **options})


@pytest.mark.parametrize(("n", "fraction"), [(1, 0.1), (4, 0.1), (10, 0.1), (12, 0.1), (3, 0.5)])
def test_each_network_leaves_out_the_fraction(n, fraction):
    for rows in rows_of(n, fraction, np.zeros(1000)):
        assert len(rows) == pytest.approx(1000 * fraction, abs=2)


def test_validation_rows_do_not_overlap_while_there_are_enough():
    rows = np.concatenate(rows_of(10, 0.1, np.zeros(1000)))
    assert len(np.unique(rows)) == len(rows) == 1000


def test_classes_keep_their_proportions():
    y = np.repeat([0, 1, 2], [900, 90, 10])
    for rows in rows_of(5, 0.1, y, stratify=True):
        np.testing.assert_allclose(np.bincount(y[rows], minlength=3), [90, 9, 1], atol=1)


def test_groups_stay_together():
    groups = np.random.default_rng(0).integers(0, 40, 1000)
    found = rows_of(4, 0.1, np.zeros(1000), groups=groups)
    assert any(len(rows) for rows in found)
    for rows in found:
        left = np.delete(groups, rows)
        assert not np.isin(left, groups[rows]).any()


def test_groups_that_are_too_few_are_refused():
    with pytest.raises(ValueError, match="groups has 2 different entries"):
        rows_of(4, 0.1, np.zeros(100), groups=np.arange(100) % 2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [1, 2, 4, 24])
def test_a_group_with_most_of_the_rows_stays_in_training(n, seed):
    groups = np.repeat([0, *range(1, 26)], [750, *[10] * 25])
    rng = np.random.RandomState(seed)
    with pytest.warns(UserWarning, match="one entry of groups has 75% of the rows"):
        found = validation_rows(n, 0.15, rng, np.zeros(1000), stratify=False, groups=groups)
    for rows in found:
        assert 0 not in groups[rows]
        assert 100 <= len(rows) <= 150  # half of the other rows, less or more a group
        assert not np.isin(np.delete(groups, rows), groups[rows]).any()


def test_one_other_group_beside_a_large_one_is_too_few():
    with pytest.raises(ValueError, match="2 different entries, too few .* smaller groups, or no"):
        rows_of(4, 0.15, np.zeros(100), groups=np.repeat([0, 1], [75, 25]))
    with pytest.raises(ValueError, match="1 different entries, too few"):
        rows_of(4, 0.15, np.zeros(100), groups=np.zeros(100))


def test_with_time_the_latest_rows_are_left_out():
    time = np.random.default_rng(0).permutation(100)
    for rows in rows_of(3, 0.1, np.zeros(100), time=time):
        assert sorted(time[rows]) == list(range(90, 100))


def test_very_small_tables_are_trained_on_as_a_whole():
    assert all(len(rows) == 0 for rows in rows_of(2, 0.1, np.zeros(FEWEST_ROWS - 1)))


def test_the_smallest_table_that_is_divided():
    assert [len(rows) for rows in rows_of(2, 0.25, np.zeros(FEWEST_ROWS))] == [5, 5]


@pytest.mark.parametrize(
    ("fraction", "share"),
    [(0.1, 0.25), (0.15, 0.375), (0.3, 0.5)],  # of the 400 rows that are free; at most half
)
def test_rows_beside_a_large_group_are_left_out_for_all_rows(fraction, share):
    groups = np.repeat([0, *range(1, 41)], [600, *[10] * 40])
    free, found = free_rows(groups, fraction)
    np.testing.assert_array_equal(free, groups != 0)
    assert found == pytest.approx(share)


def test_a_group_of_half_of_the_rows_may_be_left_out():
    free, found = free_rows(np.repeat([0, 1, 2], [50, 25, 25]), 0.1)
    assert free.all()
    assert found == 0.1


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("groups", [1, 2], "groups has 2 entries for 3 rows of X"),
        ("groups", "shop", r"groups has shape \(\); give one entry for each row of X"),
        ("groups", ["a", None, "b"], "groups has 1 missing entries"),
        ("time", [np.inf, 1.0, "x"], "column 'time': 1 cells are infinite"),
        ("time", ["soon", "later", "never"], "neither numbers nor dates .*, such as 'soon'"),
    ],
)
def test_entries_of_rows_that_are_refused(name, values, message):
    with pytest.raises(ValueError, match=message):
        row_values(name, values, 3)


@pytest.mark.parametrize("values", [[3, 1, 2], ["2024-12-31", "2023-01-01", "2024-01-01"]], ids=str)
def test_times_are_numbers_or_dates_in_their_order(values):
    assert np.argsort(row_values("time", values, 3)).tolist() == [1, 2, 0]


def test_groups_of_text_and_numbers_are_kept_apart():
    found = row_values("groups", np.array([1, "a", 1, "1", "a"], object), 5)
    np.testing.assert_array_equal(found, [0, 1, 0, 2, 1])
    np.testing.assert_array_equal(row_values("groups", ["b", "a", "b"], 3), ["b", "a", "b"])
