"""Columns that would be numbers or dates without a few of their cells."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest

from fastmlp.tabular import TabularRegressor, odd_cells
from fastmlp.tabular.odd_cells import about_odd_cells
from fastmlp.tabular.reading.numbers import TextColumn

QUICK = {"quality": "fast", "epochs": 1, "n_members": 1, "hidden_layer_sizes": 8}
NUMBERS = [str(i % 7 + 0.5) for i in range(40)]
DAYS = [f"2024-01-{1 + i % 28:02d}" for i in range(40)]
MOMENTS = list(map(datetime.date.fromisoformat, DAYS))


def with_odd(cells, *odd):
    return [*cells[:5], *odd, *cells[5:]]


@pytest.mark.parametrize("dtype", [object, "str", "string"])
@pytest.mark.parametrize(
    ("cells", "kind", "places"),
    [
        (with_odd(NUMBERS, "?", "", "?"), "numbers", "2 cells .*'.' in row 5, '.' in row 7 .rows"),
        (with_odd(DAYS, "05.01.2024"), "dates", "1 cells .*: '05.01.2024' in row 5 .rows counted"),
    ],
)
def test_a_few_cells_that_make_a_column_a_category_are_named(cells, kind, places, dtype):
    about = about_odd_cells(pd.Series(cells, dtype=dtype, name="c"))
    assert about.startswith("column 'c': ")
    assert f"are not {kind}, which makes it a category" in about
    with pytest.raises(ValueError, match=places):
        raise ValueError(about)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (with_odd([1.5, 2, np.int8(3)] * 9, "x"), "numbers"),
        (with_odd([1, 2, 3] * 9, True), "numbers"),
        (with_odd(MOMENTS, "soon"), "dates"),
    ],
)
def test_cells_of_objects_are_named(cells, kind):
    assert f"are not {kind}" in about_odd_cells(pd.Series(cells, dtype=object, name="c"))


NOT_ODD = {
    "numbers": NUMBERS,
    "dates": [*DAYS, "", None],
    "more than a tenth": [*NUMBERS[:36], *"abcd"],
    "categories": pd.Categorical([*NUMBERS, "x"]),
    "text": ["a", "b"] * 20,
    "codes": ["02139", "01 001"] * 20,
    "signs alone": ["%", "$"] * 20,
    "different notations": ["1,5", "1.5"] * 20,
    "missing": ["n/a", "?"] * 20,
    "text beside numbers": ["1,5", 10**5000] * 20,
    "empty": [None] * 9,
    "spaces": ["", " "] * 9,
    "booleans": [True, False, None] * 9,
}


@pytest.mark.parametrize("cells", NOT_ODD.values(), ids=NOT_ODD)
def test_nothing_is_said_of_other_columns(cells):
    assert about_odd_cells(pd.Series(cells)) == ""


@pytest.mark.parametrize("dtype", [object, "str", "string[pyarrow]"])
@pytest.mark.parametrize("form", ["{}%", "$ {}", "1,00{}", "-{},5", "1 00{}.5", "1'00{},5"])
def test_numbers_in_another_notation_are_named(form, dtype):
    cells = [form.format(i % 7) for i in range(40)]
    about = about_odd_cells(pd.Series([None, "", *cells, "n/a"], dtype=dtype, name="c"))
    assert about.startswith("column 'c' is read as text, because its numbers are in another")
    assert f"such as {cells[0]!r}; " in about
    assert "pandas.to_numeric" in about
    lines = pd.RangeIndex(2, 42, name="line")
    for meant in (pd.Series(cells, lines), pd.Series(cells, dtype="category")):
        assert about_odd_cells(meant) == ""


@pytest.mark.parametrize(
    ("first", "read"), [("1 of 2", [odd_cells.FIRST_ROWS]), ("1%", [odd_cells.FIRST_ROWS, 201])]
)
def test_all_rows_of_text_are_read_only_where_the_first_are_numbers(monkeypatch, first, read):
    lengths = []

    def text_column(column):
        lengths.append(len(column))
        return TextColumn(column)

    monkeypatch.setattr(odd_cells, "TextColumn", text_column)
    assert about_odd_cells(pd.Series([first] * 200 + ["full"])) == ""
    assert lengths == read


def test_numbers_in_a_file_of_text_are_left_to_its_reader():
    lines = pd.RangeIndex(2, 43, name="line")
    assert about_odd_cells(pd.Series([*NUMBERS, "x"], lines)) == ""
    about = about_odd_cells(pd.Series([*DAYS, "never"], lines, name="day"))
    assert "'never' in line 42; correct" in about


def test_fit_warns_of_columns_with_odd_cells_though_they_are_not_used():
    identifying = [*(f"2024-01-01T{i // 60:02d}:{i % 60:02d}" for i in range(99)), "never"]
    X = pd.DataFrame({"a": np.arange(100) % 7, "b": [*NUMBERS, *NUMBERS, *NUMBERS[:19], "x"],
                      "when": identifying})
    with pytest.warns(UserWarning) as caught:
        TabularRegressor(**QUICK).fit(X, X["a"])
    said = " ".join(str(one.message) for one in caught)
    assert "column 'b': 1 cells are not numbers" in said
    assert "column 'when': 1 cells are not dates" in said
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TabularRegressor(**QUICK).fit(X[["a", "b"]].astype({"b": "category"}), X["a"])
