"""The rows of a table that have a label, and their division."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp.experiments.splits import test_rows as rows_of_test
from fastmlp.experiments.table_rows import TableRows, divided, labelled
from fastmlp.experiments.tables import Table

COLUMNS = {
    "who": ["a", "a", "b", "b", "c", "c"],
    "day": [3, 1, 2, 6, 5, 4],
    "x,y": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
    "kind": ["u", "v", "u", "v", "u", "v"],
    "label": [1.5, None, 2.5, 3.5, 4.5, 5.5],
}


@pytest.fixture
def table() -> Table:
    return Table("t.csv", pd.DataFrame(COLUMNS, index=pd.RangeIndex(2, 8, name="line")))


def test_rows_have_all_columns_but_label_and_group(table: Table) -> None:
    rows, target = labelled(table, "label", group="who", drop=["day"])
    assert list(rows.X) == ["x,y", "kind"]
    assert rows.X.index.tolist() == [2, 4, 5, 6, 7]
    assert rows.X["kind"].dtype == "category"
    assert rows.y.tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert rows.groups.tolist() == [0, 1, 1, 2, 2]
    assert (target.task, rows.time) == ("regression", None)


def test_the_column_of_time_is_used_too(table: Table) -> None:
    rows, _ = labelled(table, "label", time="day")
    assert "day" in rows.X
    assert rows.time.tolist() == [3, 2, 6, 5, 4]


@pytest.mark.parametrize("use", ["group", "time"])
def test_a_row_without_a_label_needs_no_other_cell(table: Table, use: str) -> None:
    day = table.frame["day"].where(table.frame["label"].notna())
    rows, _ = labelled(Table("t.csv", table.frame.assign(day=day)), "label", **{use: "day"})
    assert len(rows) == 5


@pytest.mark.parametrize(("drop", "left"), [
    (["day,kind"], ["who", "x,y"]), (["x,y"], ["who", "day", "kind"]),
])
def test_a_comma_separates_names_unless_a_column_is_named_so(
    table: Table, drop: list[str], left: list[str]
) -> None:
    assert list(labelled(table, "label", drop=drop)[0].X) == left


@pytest.mark.parametrize(("options", "message"), [
    ({"group": "who", "time": "day"}, "group and time exclude each other"),
    ({"drop": ["who", "day", "x,y", "kind"]}, "no column but the label"),
    ({"drop": ["nobody"]}, "no column 'nobody'"),
    ({"group": "label"}, "group 'label' is the label; name another column"),
    ({"time": "label"}, "time 'label' is the label; name another column"),
])
def test_columns_that_do_not_fit_are_refused(
    table: Table, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        labelled(table, "label", **options)


def test_a_division_has_every_row_once() -> None:
    y = np.repeat([0, 1], 20)
    rows = TableRows(pd.DataFrame({"x": np.arange(40.0)}), y)
    training, test = divided(rows, 0.25, 3, "classification")
    assert test.X["x"].tolist() == rows_of_test(y, 0.25, 3, stratify=True).tolist()
    assert sorted([*training.X["x"], *test.X["x"]]) == list(range(40))
    assert (training.y == y[training.X.index]).all()


def test_a_fingerprint_is_of_cells_labels_and_groups(table: Table) -> None:
    rows, _ = labelled(table, "label")
    changed = [
        TableRows(rows.X.assign(day=0), rows.y),
        TableRows(rows.X, rows.y + 1),
        TableRows(rows.X, rows.y, groups=np.arange(5)),
    ]
    assert len({one.fingerprint() for one in (rows, *changed)}) == 4
    assert labelled(table, "label")[0].fingerprint() == rows.fingerprint()


@pytest.mark.parametrize("first", ["2024-01-01", "2024-01-01 10:00", "1 days"])
def test_a_fingerprint_is_of_moments_of_any_kind(table: Table, first: str) -> None:
    kind = pd.Timedelta if first.endswith("days") else pd.Timestamp
    moments = np.array([kind(first).to_numpy()] * 5) + np.arange(5) * np.timedelta64(1, "D")
    rows, _ = labelled(table, "label")
    by_time = [TableRows(rows.X, rows.y, time=one) for one in (moments, moments[::-1], None)]
    assert len({one.fingerprint() for one in by_time}) == 3
    assert TableRows(rows.X, rows.y, time=moments.copy()).fingerprint() == by_time[0].fingerprint()
