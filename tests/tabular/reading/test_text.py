"""What is reported of a table in text, its chosen columns, and the options of the reader."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

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
    with pytest.raises(ValueError, match="no column 'd'; there are 'a', 'b', 'c'"):
        read("a,b,c\n1,2,x\n", columns=["d"])


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
