"""The label column: its task, and the rows that have a label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp.experiments.tables import Table
from fastmlp.experiments.targets import like_training, read_target


def table(cells: object) -> Table:
    """A table with a column of these cells, from line 2 of a file."""
    column = cells if isinstance(cells, pd.Series) else pd.Series(cells)
    frame = pd.DataFrame({"y": column})
    frame.index = pd.RangeIndex(2, 2 + len(frame), name="line")
    return Table("t.csv", frame)


@pytest.mark.parametrize(
    ("cells", "task", "classes"),
    [
        (["b", "a", "b"], "classification", ["a", "b"]),
        ([True, False, True], "classification", [False, True]),
        (pd.Series(["x", "z", "x"], dtype="category"), "classification", ["x", "z"]),
        ([0, 1, 0], "classification", [0, 1]),
        ([0.0, 1.0, np.nan, 1.0], "classification", [0, 1]),
        ([*range(20)] * 5, "classification", [*range(20)]),
        (["1", "x", "x", None, " "], "classification", ["1", "x"]),
        ([True, None, False], "classification", [False, True]),
        (pd.array([True, None, False], "boolean"), "classification", [False, True]),
        (["caf\u00e9", "a", "cafe\u0301"], "classification", ["a", "caf\u00e9"]),
        ([b"\xff", b"a", None, b"a"], "classification", ["\\xff", "a"]),
        ([*range(20)] * 4 + [*range(19)], "regression", None),
        ([*range(21)] * 9, "regression", None),
        ([0, 1, 2], "regression", None),
        ([0.5, 1.0, 0.5], "regression", None),
    ],
)
def test_the_task_is_inferred_from_the_contents(
    cells: object, task: str, classes: list[object] | None
) -> None:
    found = read_target(table(cells), "y", None)
    assert found.task == task
    if classes is not None:
        assert np.unique(found.y).tolist() == classes


def test_rows_without_a_label_are_left_out() -> None:
    found = read_target(table(["a", None, "b", "  ", "a"]), "y", None)
    assert found.rows.tolist() == [0, 2, 4]
    assert found.y.tolist() == ["a", "b", "a"]


def test_numbers_may_be_classes_if_told() -> None:
    found = read_target(table([0.5, 1.5, 0.5]), "y", "classification")
    assert found.y.tolist() == ["0.5", "1.5", "0.5"]


@pytest.mark.parametrize(
    ("cells", "task", "message"),
    [
        (["a", "b", "a"], "regression", "3 cells are not numbers: line 2, column 'y': 'a'"),
        ([1.0, np.inf, 2.0], None, "t.csv, line 3, column 'y': 'inf' is not a finite number"),
        (pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"])), None, "holds dates or times"),
        (pd.Series(pd.to_timedelta([1, 2, 3], "D")), None, "holds dates or times"),
        ([1.5, 2e200], None, "values up to 2e+200, whose squares float64 cannot hold"),
        ([None, None], None, "column 'y' is empty in all rows"),
        (["k1", "k2", "k3"], None, "each row; such names of rows cannot be predicted, so give"),
        (["k1", "k2", "k3"], "classification", "such names of rows cannot be predicted"),
        (["k1", "k2", "k3"], "regression", "column 'y': 'k3'. Correct these cells"),
        (["01", "02", "03"], None, "each row; to predict numbers give --task regression"),
        ([1, 2, 3], "classification", "to predict numbers give --task regression"),
    ],
)
def test_what_cannot_be_predicted_is_an_error(
    cells: object, task: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match="t.csv") as error:
        read_target(table(cells), "y", task)
    assert message in str(error.value)


@pytest.mark.parametrize(("cells", "repeat"), [(["a", "b", "a"], True), (["a", "b", "c"], False)])
def test_classes_are_suggested_where_they_repeat(cells: list[str], repeat: bool) -> None:
    with pytest.raises(ValueError, match="3 cells are not numbers") as error:
        read_target(table(cells), "y", "regression")
    assert str(error.value).endswith("give --task classification") is repeat


def test_labels_of_another_type_are_the_same_class() -> None:
    """A table that holds 1.0 has the class 1, and text that of a boolean."""
    labels, known = like_training(np.array(["True", "no"], object), np.array([False, True]))
    assert labels.tolist()[0] is True
    assert known.tolist() == [True, False]
    labels, known = like_training(np.array([2.0, 1.0]), np.array([1, 2]))
    assert labels.tolist() == [2, 1]
    assert known.all()


@pytest.mark.parametrize(
    ("given", "classes", "expected"),
    [
        ([1, 0], np.array([False, True]), [True, False]),
        (["true", "FALSE"], np.array([False, True]), [True, False]),
        ([True, False], np.array([0, 1]), [1, 0]),
        ([False, True], np.array(["false", "true"], object), ["false", "true"]),
        ([2139, 10001], np.array(["02139", "10001"], object), ["02139", "10001"]),
    ],
)
def test_labels_are_known_in_the_forms_in_which_categories_are(
    given: list[object], classes: Any, expected: list[object]
) -> None:
    labels, known = like_training(np.array(given), classes)
    assert (labels.tolist(), known.tolist()) == (expected, [True, True])


def test_the_column_has_to_exist() -> None:
    with pytest.raises(ValueError, match="no column 'z'"):
        read_target(table([1, 2]), "z", None)


def test_large_whole_numbers_that_float64_takes_for_equal_are_different_labels() -> None:
    base = 2**60
    found = read_target(table([base, base + 1, base]), "y", None)
    assert found.task == "classification"
    assert np.unique(found.y).tolist() == [base, base + 1]
    with pytest.raises(ValueError, match="'y' has numbers that are too close to each other: float"):
        read_target(table([base, base + 1, base]), "y", "regression")
