"""Tables in text: values, missing cells and layouts, with the lines of the file."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pandas = pytest.importorskip("pandas")

from fastmlp.tabular.reading import read_table  # noqa: E402

Read = Callable[..., Any]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes text or bytes to a file and reads it as a table."""

    def table(text: str | bytes, **options: Any) -> Any:
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(path, **options)

    return table


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


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ":"])
def test_a_given_separator_is_taken(read: Read, separator: str) -> None:
    text = f"a,;\t|{separator}b\n".replace(f"{separator}{separator}", separator)
    names = tuple(text.rstrip("\n").split(separator))
    frame = read(text + separator.join("1" * len(names)) + "\n", separator=separator)
    assert tuple(frame.columns) == tuple(name.strip() for name in names)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1", "utf-16-le"]
)
@pytest.mark.parametrize("given", [True, False])
def test_the_encoding_is_recognized_or_given(read: Read, encoding: str, given: bool) -> None:
    data = "größe,b\n1,naïve\n2,x\n".encode(encoding)
    if not given and encoding == "utf-16-le":
        with pytest.raises(ValueError, match="give the encoding 'utf-16-le' or"):
            read(data)
    elif not given and encoding in ("cp1252", "latin-1"):
        with pytest.warns(UserWarning, match=r"table\.csv, line 1: the byte 0xf6 is not UTF-8; .*"
                          "read as cp1252"):
            assert read(data)["größe"].tolist() == [1, 2]
    else:
        frame = read(data, encoding=encoding if given else None)
        assert list(frame.columns) == ["größe", "b"]
        assert frame["b"].tolist() == ["naïve", "x"]


def test_a_byte_without_meaning_in_windows_1252_is_read_as_latin_1(read: Read) -> None:
    with pytest.warns(UserWarning, match="line 2.* read as latin-1"):
        assert read(b"a,b\n1,\x81\xe4\n")["b"].tolist() == ["\x81ä"]


def test_names_and_cells_may_have_line_ends_and_separators(read: Read) -> None:
    frame = read('"size\n(cm)",b\n1,"x, ""y""\nz"\n\n3,w\n')
    assert list(frame.columns) == ["size\n(cm)", "b"]
    assert frame["b"].tolist() == ['x, "y"\nz', "w"]
    assert frame.index.name == "line"
    assert frame.index.tolist() == [3, 6]  # where each row begins


@pytest.mark.parametrize(
    "cell", ["", "NA", "?", "-", ".", "N/A", "nan", "NULL", "  ", " NA ", '""', "#N/A", "\u00a0"]
)
def test_names_of_missing_values_are_missing(read: Read, cell: str) -> None:
    frame = read(f"a,b,c\n1,{cell},{cell}\n2,3,x\n{cell},4,y\n")
    missing = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]], bool)
    np.testing.assert_array_equal(frame.isna(), missing)
    assert frame["a"].dtype == frame["b"].dtype == np.float64


@pytest.mark.parametrize(
    ("cells", "numbers", "options"),
    [
        (["1", "-20", "+3"], [1, -20, 3], {}),
        (["1e3", ".5", "2."], [1e3, 0.5, 2], {}),
        (["1 ", "2\u00a0", "\u0663"], [1, 2, 3], {}),
        (["1,234", "12", "1,234,567.5"], [1234, 12, 1234567.5], {}),
        (["1'234", "12", "1'234'567"], [1234, 12, 1234567], {}),
        (["1 234", "12", "1\u202f234"], [1234, 12, 1234], {}),
        (["1.234,5", "12", "1.234.567"], [1234.5, 12, 1234567], {"decimal": ","}),
        (["1,5", "2", "-0,25"], [1.5, 2, -0.25], {"decimal": ","}),
        (["1_234", "5"], [1234, 5], {"thousands": "_"}),
    ],
)
def test_numbers_are_read_in_their_notation(
    read: Read, cells: list[str], numbers: list[float], options: dict[str, str]
) -> None:
    frame = read("a,b\n" + "".join(f'"{cell}",x\n' for cell in cells), **options)
    assert frame["a"].dtype.kind in "if"
    assert frame["a"].tolist() == numbers


@pytest.mark.parametrize(
    "cells", [["1_000", "2"], ["12,34", "2"], ["0,123", "2"], ["1,23,456"], ["1,234", "x"],
              ["1'234,567"], ["1e999", "x"], ["0x10", "1"], ["2024-01-05"], ["9" * 30, "1"]]
)  # fmt: skip
def test_other_cells_stay_text(read: Read, cells: list[str]) -> None:
    assert read("a,b\n" + "".join(f'"{cell}",x\n' for cell in cells))["a"].tolist() == cells


def test_thousands_and_decimal_comma_of_one_file_go_together(read: Read) -> None:
    frame = read("a;b;c\n1.234;0,5;1.5\n2.000;1,25;2.5\n")
    assert frame["a"].tolist() == [1234, 2000]
    assert frame["b"].tolist() == [0.5, 1.25]
    assert frame["c"].tolist() == ["1.5", "2.5"]  # two points: neither decimal nor thousands


@pytest.mark.parametrize(("separator", "number"), [(";", 1.5), ("\t", 1500)])
def test_a_comma_that_may_be_either_is_reported(read: Read, separator: str, number: float) -> None:
    text = f"a{separator}b\n1,500{separator}x\n"
    with pytest.warns(UserWarning, match="the commas in the numbers of column 'a' are read as"):
        assert read(text)["a"].tolist() == [number]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(text, decimal=",")["a"].tolist() == [1.5]
        assert read(text, decimal=".")["a"].tolist() == [1500]


def test_booleans_are_booleans_with_and_without_missing_cells(read: Read) -> None:
    frame = read("a,b,c\nTrue,NA,True\nfalse, True,x\n")
    assert frame["a"].dtype == bool
    assert frame["b"].dtype == "boolean"
    assert frame["b"].isna().tolist() == [True, False]
    assert frame["c"].tolist() == ["True", "x"]


def test_numbers_keep_their_precision(read: Read, rng: np.random.Generator) -> None:
    values = rng.normal(size=200) * 10.0 ** rng.integers(-30, 30, 200)
    frame = read("a\n" + "\n".join(map(repr, values.tolist())))
    np.testing.assert_allclose(frame["a"], values, rtol=1e-15)


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


def test_standard_input_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    given("a,b\n1,2\n")
    assert read_table("-").to_numpy().tolist() == [[1, 2]]
    given("a,b\n1\n")
    with pytest.raises(ValueError, match="^standard input: the header has 2 cells, but line 2"):
        read_table("-")


def test_many_columns_are_read(read: Read) -> None:
    names = [f"c{j}" for j in range(100_000)]
    frame = read(f"{','.join(names)}\n" + f"{','.join('7' * 100_000)}\n" * 2)
    assert list(frame.columns) == names
    assert (frame.to_numpy() == 7).all()
