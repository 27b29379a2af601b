"""Separator, header and lines of tables in text, and layouts that are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Read = Callable[..., Any]


ROWS = [[1.5, "x"], [-2.25, "y"]]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1.5,x\n-2.25,y\n",
        "a;b\n1.5;x\n-2.25;y\n",
        "a;b\n1,5;x\n-2,25;y\n",
        "a\tb\n1.5\tx\n-2.25\ty\n",
        "a\tb\n1,5\tx\n-2,25\ty\n",
        "a|b\n1.5|x\n-2.25|y\n",
        "a b\n1.5 x\n-2.25 y\n",
        "  a     b  \n  1.5  x\n-2.25 \t y  \n",
        '"a","b"\n"1.5","x"\n"-2.25","y"\n',
        "\ufeffa,b\r\n1.5,x\r\n-2.25,y\r\n",
        "a,b\r1.5,x\r-2.25,y\r",
        " a , b\n 1.5 , x\n -2.25,y ",
        "\n\na,b\n\n1.5,x\n \t\n-2.25,y\n\n",
        "a,b,\n1.5,x,\n-2.25,y,\n",
    ],
    ids=[
        "comma", "semicolon", "decimal comma", "tab", "tab and decimal comma", "bar", "space",
        "aligned", "quoted", "byte order mark", "carriage returns", "spaces", "blank lines",
        "separator at the end",
    ],
)  # fmt: skip
def test_the_layout_of_a_table_is_recognized(read: Read, text: str) -> None:
    frame = read(text)
    assert list(frame.columns) == ["a", "b"]
    assert frame.to_numpy().tolist() == ROWS
    assert frame["a"].dtype == np.float64


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("mean age,n\n1 2,3\n4 5,6\n", ["mean age", "n"]),  # spaces would do as well
        ("2020 2021\nlow high\nno yes\n", ["2020 2021"]),  # text, whatever the header is
        ("a b\nlow 1\nno 2\n", ["a", "b"]),
    ],
)
def test_spaces_divide_cells_only_of_numbers_that_nothing_else_divides(
    read: Read, text: str, columns: list[str]
) -> None:
    assert list(read(text).columns) == columns


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ":"])
def test_a_given_separator_is_taken(read: Read, separator: str) -> None:
    text = f"a,;\t|{separator}b\n".replace(f"{separator}{separator}", separator)
    names = tuple(text.rstrip("\n").split(separator))
    frame = read(text + separator.join("1" * len(names)) + "\n", separator=separator)
    assert tuple(frame.columns) == tuple(name.strip() for name in names)


def test_names_and_cells_may_have_line_ends_and_separators(read: Read) -> None:
    frame = read('"size\n(cm)",b\n1,"x, ""y""\nz"\n\n3,w\n')
    assert list(frame.columns) == ["size\n(cm)", "b"]
    assert frame["b"].tolist() == ['x, "y"\nz', "w"]
    assert frame.index.name == "line"
    assert frame.index.tolist() == [3, 6]  # where each row begins


def test_many_columns_are_read(read: Read) -> None:
    names = [f"c{j}" for j in range(20_000)]
    frame = read(f"{','.join(names)}\n" + f"{','.join('7' * 20_000)}\n" * 2)
    assert list(frame.columns) == names
    assert (frame.to_numpy() == 7).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.csv: the file is empty; a table has a header line"),
        ("\n \n\n", "t.csv: the table is empty; it needs a header line and rows"),
        ("a,b\n", "t.csv: the table has a header line and no rows"),
        ("Report,,\n,,\na,b,c\n", "columns are named ''; give each its own name, and leave"),
        ("1,2,1\n3,4,5\n", "are named '1'; give each its own name, in a header above the rows"),
        ("a,b,a,b\n1,2,3,4\n", "t.csv: several columns are named 'a', 'b'; give each"),
        ("a,b\n1,2\n3\n", "the header has 2 cells, but line 3 has 1; give each row a cell for"),
        ('a,b\n1,"x \\"y, z\\""\n3,4\n', "line 2 has 3; write a double quote within a cell twice"),
        ("a,b\n\n1,2\n3,4,5\n", "the header has 2 cells, but line 4 has 3; put cells"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2 has 3, line 3 has 3; name every column in the header"),
        ("a,b\n1,2\n" + "3\n" * 9, "line 6 has 1, line 7 has 1, and 4 more rows; give each"),
        ('a,b\n"x\ny",2\n3\n', "but line 4 has 1"),
        ("# made by us\na,b\n1,2\n", "line 3 has 2; remove the lines of comments before"),
        ("sep=;\na;b\n1\n", "the header has 2 cells, but line 3 has 1; name every column"),
        ("a\tb\n1,5\t2\n1,6\t3\n4,5\n", "the header has 2 cells, but line 4 has 1"),
        ("a,b\n1,2\n" * 4_000 + "3\n", "line 8001 has 1"),
        ('a,b\n1,"2\n3,4\n', "t.csv, line 2: a quote is opened and not closed"),
        ('a,b\n1,2\n"', "t.csv, line 3: a quote is opened and not closed"),
        (f"a,b\n1,{'y' * 131_073}\n", "line 2: a cell has more than 131,072 characters"),
        (bytes(range(256)), "t.csv is not a table: it holds bytes that are not text"),
        (b"\x01\x02\x03\x04" * 50, "t.csv is not a table: it holds bytes that are not text"),
        ("a,b\n1,\0\n".encode("utf-16"), "t.csv, line 2: a NUL character"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "t.csv is a workbook; save its sheet as CSV"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(read: Read, text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read(text)


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\r\n', "SEP=; \n", "sep=;\r"])
@pytest.mark.parametrize("given", [None, ";"])
def test_the_first_line_may_name_the_separator(read: Read, first: str, given: str | None) -> None:
    frame = read(f"{first}a;b\n1,5;2\n3,25;4\n", separator=given)
    assert list(frame.columns) == ["a", "b"]
    assert frame["a"].tolist() == [1.5, 3.25]
    assert frame.index.tolist() == [3, 4]


@pytest.mark.parametrize("separator", ["\t", "tab", "\\t"])
def test_a_tab_may_be_named(read: Read, separator: str) -> None:
    assert list(read("a b\tc,d\n1\t2\n", separator=separator).columns) == ["a b", "c,d"]


def test_a_first_line_that_names_no_separator_is_the_header(read: Read) -> None:
    assert list(read("sep=x,b\n1,2\n").columns) == ["sep=x", "b"]
    assert list(read("sep=;b\n1;2\n").columns) == ["sep=", "b"]
