"""Matrices of numbers: the message of a refusal has file, line, column, cell and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
import pytest

from fastmlp.tabular.reading.matrix import number_matrix

Read = Callable[..., Any]


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
        ("x,y\n3,w\n", "line 2, column 'b': 'y'; line 3, column 'b': 'w'. Correct it"),
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


@pytest.mark.filterwarnings("ignore:.*cells that are codes")
def test_digits_of_codes_are_numbers_where_numbers_are_required(read: Read) -> None:
    frame = read("a,b\n007,1.5\n012,2\n")
    matrix = number_matrix(frame, ["b", "a"], "t.csv", "correct it")
    np.testing.assert_array_equal(matrix, [[1.5, 7], [2, 12]])
    with pytest.raises(ValueError, match="line 3, column 'a': the cell is missing"):
        number_matrix(read("a,b\n007,1.5\n,2\n"), ["a", "b"], "t.csv", "correct it")
