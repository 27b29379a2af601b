"""What is reported of a table in text, its chosen columns, and the options of the reader."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastmlp.tabular.reading import read_columns

Read = Callable[..., Any]


def test_a_column_of_numbers_with_a_few_other_cells_is_reported(read: Read) -> None:
    cells = [str(i) for i in range(100)]
    for i in (7, 20, 31, 50, 60, 70):
        cells[i] = f"about {i}"
    with pytest.warns(UserWarning) as caught:
        frame = read('"x\ny",a\n' + "".join(f"1,{cell}\n" for cell in cells))
    assert frame["a"].tolist() == cells
    message = str(caught[0].message)
    assert "line 10, column 'a': 'about 7'; line 23, column 'a': 'about 20'" in message
    assert "; and 1 more" in message


def test_chosen_columns_come_in_the_requested_order(read: Read) -> None:
    frame = read("a,b,c\n1,2,x\n3,4,y\n", columns=["c", "a"])
    assert list(frame.columns) == ["c", "a"]
    assert frame.to_numpy().tolist() == [["x", 1], ["y", 3]]
    with pytest.raises(ValueError, match="no column 'd'; there are 'a', 'b', 'c'$"):
        read("a,b,c\n1,2,x\n", columns=["d"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("ab", "columns must be a list of names of columns: write ['ab']"),
        ([0], "columns[0] must be the name of a column, a text, got 0"),
    ],
)
def test_chosen_columns_are_a_list_of_names(read: Read, columns: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        read("a,b\n1,2\n", columns=columns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": ""}, "separator must be one ASCII character"),
        ({"separator": ",,"}, "separator must be one ASCII character"),
        ({"separator": "x"}, "separator must be one ASCII character"),
        ({"separator": '"'}, "separator must be one ASCII character"),
        ({"separator": "→"}, "separator must be one ASCII character"),
        ({"decimal": ";"}, "decimal must be '.' or ','; got ';'"),
        ({"thousands": "1"}, "thousands must be one character"),
        ({"thousands": "."}, "both '.'; give the option decimal as ','"),
        ({"thousands": ",", "decimal": ","}, "both ','; give the option decimal as '.'"),
        ({"encoding": "klingon"}, "unknown encoding 'klingon'; give a name such as 'utf-8'"),
        ({"encoding": "base64"}, "unknown encoding 'base64'"),
        ({"encoding": "ascii"}, "t.csv, line 2: the text is not in the encoding ascii"),
        ({"columns": ["B"]}, "t.csv: no column 'B'; did you mean 'b'?"),
        ({"separator": ";", "columns": ["a"]}, "no column 'a'; there are 'a,b'"),
    ],
)
def test_options_that_cannot_be_are_refused(
    read: Read, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read("a,b\n1,ä\n", **options)


ADVICE = "If the cells of a column are quantities, write them with a decimal point"


def test_columns_of_codes_are_reported_with_a_cell_of_each(read: Read) -> None:
    with pytest.warns(UserWarning, match=ADVICE) as caught:
        read("zip,n,card\n10001,1,4111111111111111\n02139,2,12\n00501,3,\n")
    (message,) = (str(one.message) for one in caught)
    assert "t.csv: 2 columns are read as text because of cells that are codes: line 3" in message
    assert "line 3, column 'zip': '02139'; line 2, column 'card': '4111111111111111'." in message


def test_only_chosen_columns_are_reported(read: Read) -> None:
    """A warning names the cells of the columns that are read, at the line of the call."""
    text = "zip,card,n\n02139,4111111111111111,1\n" + "10001,12,2\n" * 30 + "10001,13,about 3\n"
    with pytest.warns(UserWarning) as caught:
        frame = read(text, columns=["card"])
    assert list(frame.columns) == ["card"]
    (one,) = caught
    assert "a column is read as text because of cells that are codes: line 2, column 'card'" in str(
        one.message
    )
    assert Path(one.filename).name == "conftest.py"  # where read_table is called
    with pytest.warns(UserWarning, match="are not numbers: line 33, column 'n': 'about 3'"):
        read(text.replace("4111111111111111", "12"), columns=["n"])
    whole = read("a,b,c\n1,02139,x\n2,3,y\n", columns=["c", "a"])
    assert whole.to_numpy().tolist() == [["x", 1], ["y", 2]]


@pytest.mark.parametrize("columns", [["b"], ["c", "b"]])
def test_chosen_columns_have_the_values_that_they_have_among_all(
    read: Read, columns: list[str]
) -> None:
    """Numbers of one column say how those of another are written."""
    text = "a|b|c\n1,5|1,234|x\n2,25|5,678|y\n"
    assert read(text)["b"].tolist() == [1.234, 5.678]
    assert read(text, columns=columns)["b"].tolist() == [1.234, 5.678]


def test_a_guessed_decimal_separator_is_reported_for_chosen_columns_alone(read: Read) -> None:
    text = "a|b|c\n1,234|5,678|x\n2,345|6,789|y\n"
    with pytest.warns(UserWarning, match="the commas in the numbers of column 'b' are read as"):
        assert read(text, columns=["b"])["b"].tolist() == [5678, 6789]
    assert read(text, columns=["c"])["c"].tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # pandas takes the mark for the beginning of its file, and csv for a character
        ('a,b\n\ufeff"x,1\n2,3\n', "t.csv: Error tokenizing data. C error: EOF inside string"),
        ("a\n\ufeff\n1\n", "t.csv: pandas finds 1 rows and csv 2; put cells that contain quotes"),
    ],
)
def test_what_csv_and_pandas_read_differently_is_refused(
    read: Read, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read(text)


def test_cells_that_are_levels_of_their_column_are_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n$5,None,1.50\n$7,x,2.50\n,,TRUE\n")
    levels = {"a": {"$5"}, "b": {"None"}, "c": None, "d": {"x"}}
    frame = read_columns(path, levels=levels)
    assert frame.loc[[2, 3], "a"].tolist() == ["$5", 7]
    assert frame["b"].tolist()[:2] == ["None", "x"]
    assert frame["c"].tolist() == ["1.50", "2.50", "TRUE"]
    assert frame.isna().sum().tolist() == [1, 1, 0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["None", "mild", "None", "NA"], "'label' is 'None' in 2, 'NA' in 1 of 4 rows, which"),
        (["mild", "", "None ", "ill"], "the label 'label' is 'None' in 1 of 4 rows"),
        (["mild", "", "ill", "mild"], None),
        (["1", "None", "2", "NA"], None),
    ],
)
def test_names_of_missing_values_that_may_be_a_class_are_reported(
    tmp_path: Path, cells: list[str], said: str | None
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,label\n" + "".join(f"1,{cell}\n" for cell in cells))
    read_columns(path, label="a")
    if said is None:
        read_columns(path, label="label")
    else:
        with pytest.warns(UserWarning, match=f"^.*t.csv: .*{said}"):
            read_columns(path, label="label")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("text", "likely", "expected", "attrs"),
    [
        ("a;b\n1.234;2\n", None, 1.234, {}),
        ("a;b\n1.234;2\n", ",", 1234, {"decimal": ","}),
        ("a;b\n1.234;0.5\n", ",", 1.234, {}),
        ("a;b\n1,234;2\n", ",", 1.234, {"decimal": ","}),
        ("a;b\n1,234;2\n", ".", 1234, {}),
        ("a;b\n1.234.567;2\n", None, 1234567, {"decimal": ","}),
        ("a,b\n1.234,2\n", ",", 1.234, {}),
    ],
)
def test_the_likely_decimal_separator_is_taken_where_numbers_allow_both(
    tmp_path: Path, text: str, likely: str | None, expected: float, attrs: dict[str, str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    frame = read_columns(path, likely_decimal=likely)
    assert frame["a"].tolist() == [expected]
    assert frame.attrs == {**attrs, "signs": {}}


def test_a_first_line_of_numbers_may_be_a_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("5.1,3.5,setosa\n4.9,3.0,setosa\n")
    with pytest.warns(UserWarning, match=r"t.csv: the first line is taken .*'5.1'. If it is a row"):
        read_columns(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("header", ["place,1990,1991", "x0,x1.5,-1", "1,234,5"])
def test_names_that_are_whole_numbers_are_names(tmp_path: Path, header: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n1,2,3\n")
    assert list(read_columns(path)) == header.split(",")


MANY = 20


@pytest.mark.parametrize("sep", [";", "\t"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("cells", "odd"),
    [
        (["12,50", "7,25"], "on request"),
        (["12,50 €", "1.207,25 €"], "n.v."),
        (["5%", "7%"], "9"),
        (["$5", "$7"], "free"),
        (["1.234.567", "2.345"], "many"),
    ],
)
def test_a_few_odd_cells_are_named_in_any_notation(
    tmp_path: Path, cells: list[str], odd: str, first: bool, sep: str
) -> None:
    path = tmp_path / "t.csv"
    column = [odd, *cells * MANY] if first else [*cells * MANY, odd]
    path.write_text(f"a{sep}b\n" + "".join(f"{cell}{sep}{i}\n" for i, cell in enumerate(column)))
    line = 2 if first else len(column) + 1
    message = f"because of cells that are not numbers: line {line}, column 'a': '{odd}'. Correct"
    with pytest.warns(UserWarning, match=re.escape(message)):
        assert read_columns(path)["a"].tolist() == column


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("cells", "b"),
    [
        (["12,50", "x", "7,25"], 1.5),  # a third of the cells
        (["1,5", "1.5"] * MANY, 1.5),
        (["5%", "7"] * MANY, 1.5),
    ],
)
def test_many_odd_cells_say_nothing_about_the_decimal_separator(
    tmp_path: Path, cells: list[str], b: float | str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;b\n" + "".join(f"{cell};1.5\n" for cell in cells))
    assert read_columns(path)["b"].tolist()[0] == b


@pytest.mark.parametrize(
    ("header", "row", "decimal", "kinds"),
    [
        ("a;b;c", "1.5;{0},{0};0.25", "'.'", "fOf"),  # such as pairs in a column of text
        ("a;b;c", "1.5;{0},5;x", "','", "OfO"),
    ],
)
def test_decimal_commas_beside_points_are_reported(
    tmp_path: Path, header: str, row: str, decimal: str, kinds: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n" + "".join(row.format(i) + "\n" for i in range(1, 9)))
    message = f"numbers of column 'b' have decimal commas, those of column 'a' points.*{decimal},"
    with pytest.warns(UserWarning, match=message):
        frame = read_columns(path)
    assert "".join(frame[name].dtype.kind for name in frame) == kinds
