"""Tables that are refused: the message has file, line, column, cell and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pandas = pytest.importorskip("pandas")

from fastmlp.tabular.reading import read_table  # noqa: E402
from fastmlp.tabular.reading_matrix import number_matrix  # noqa: E402

Read = Callable[..., Any]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes text or bytes to a file and reads it as a table."""

    def table(text: str | bytes, **options: Any) -> Any:
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(path, **options)

    return table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table.csv: the file is empty; a table has a header line"),
        ("\n \n\n", "table.csv: the table is empty; it needs a header line and rows"),
        ("a,b\n", "table.csv: the table has a header line and no rows"),
        ("a,b,a,b\n1,2,3,4\n", "table.csv: several columns are named 'a', 'b'; give each"),
        ("a,b\n1,2\n3\n", "the header has 2 cells, but line 3 has 1; put cells that contain ','"),
        ("a,b\n\n1,2\n3,4,5\n", "the header has 2 cells, but line 4 has 3; put cells"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2 has 3, line 3 has 3; name every column in the header"),
        ("a,b\n1,2\n" + "3\n" * 9, "line 6 has 1, line 7 has 1, and 4 more rows; put"),
        ('a,b\n"x\ny",2\n3\n', "but line 4 has 1"),
        ("a,b\n1,2\n" * 4_000 + "3\n", "line 8001 has 1"),
        ('a,b\n1,"2\n3,4\n', "table.csv, line 2: a quote is opened and not closed"),
        ('a,b\n1,2\n"', "table.csv, line 3: a quote is opened and not closed"),
        (f"a,b\n1,{'y' * 131_073}\n", "line 2: a cell has more than 131,072 characters"),
        (bytes(range(256)), "table.csv is not a table: it holds bytes that are not text"),
        (b"\x01\x02\x03\x04" * 50, "table.csv is not a table: it holds bytes that are not text"),
        ("a,b\n1,\0\n".encode("utf-16"), "table.csv, line 2: a NUL character"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "table.csv is a workbook; save its sheet as CSV"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(read: Read, text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read(text)


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
        ({"encoding": "ascii"}, "table.csv, line 2: the text is not in the encoding ascii"),
        ({"separator": ";", "columns": ["a"]}, "no column 'a'; there are 'a,b'"),
    ],
)
def test_options_that_cannot_be_are_refused(
    read: Read, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read("a,b\n1,ä\n", **options)


def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_table(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,2\n3,red\n", "t.csv, line 3, column 'b': 'red' is not a number; correct it"),
        ("1,2\n\n3,red\n", "t.csv, line 4, column 'b': 'red' is not a number"),
        ('1,2\n3,"1\n2"\n', r"t.csv, line 3, column 'b': '1\n2' is not a number"),
        ("1,2\n1_000,4\n", "t.csv, line 3, column 'a': '1_000' is not a number"),
        ("1,2\n3,1e999\n3,x\n", "2 cells are not numbers: line 3, column 'b': '1e999'; line 4"),
        (f"1,2\n3,{'z' * 999}\n", f"line 3, column 'b': '{'z' * 50}…' is not a number"),
        ("1,2\n3,\n", "t.csv, line 3, column 'b': the cell is missing; correct it"),
        ("NA,2\n?,4\n", "t.csv: 2 cells are missing: line 2, column 'a'; line 3, column 'a'. C"),
        ("1,2\n\n-inf,4\n", "line 4, column 'a': '-inf' is not a finite number"),
        ("1,True\n3,False\n", "2 cells are not numbers: line 2, column 'b': 'True'; line 3"),
        ("x,2\n3,y\nz,w\n", "4 cells are not numbers: line 2, column 'a': 'x'; line 3, column 'b'"),
        ("x,2\n" * 8, "line 6, column 'a': 'x'; and 3 more. Correct it"),
        ("cm,kg\n1,2\n3,4\n", "line 2, column 'b': 'kg'. If the header has two lines, make it one"),
        ('"1,5",2\n"2,5",3\n', "decimal comma, give the option decimal as ','"),
        ("x,2\n,4\n", "line 2, column 'a': 'x' is not a number"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*read as text")
def test_cells_that_are_no_numbers_are_named_where_numbers_are_required(
    read: Read, rows: str, message: str
) -> None:
    frame = read("a,b\n" + rows)
    with pytest.raises(ValueError, match=re.escape(message)):
        number_matrix(frame, ["a", "b"], "t.csv", "correct it")


def test_missing_numbers_of_nullable_columns_are_named() -> None:
    """As a Parquet file may have them."""
    frame = pandas.DataFrame({"a": pandas.array([1, None], "Int64"), "b": [0.5, 1]})
    frame.index.name = "row"
    with pytest.raises(ValueError, match="t, row 1, column 'a': the cell is missing"):
        number_matrix(frame, ["a", "b"], "t", "correct it")
    matrix = number_matrix(frame.iloc[:1], ["b", "a"], "t", "correct it")
    np.testing.assert_array_equal(matrix, [[0.5, 1]])
    assert matrix.dtype == np.float64
