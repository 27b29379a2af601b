"""Numbers in every notation, booleans, codes and missing cells."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Read = Callable[..., Any]


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
        (["\u22125", "-0.5", "1e\u22122"], [-5, -0.5, 0.01], {}),
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
              ["1'234,567"], ["1e999", "x"], ["0x10", "1"], ["2024-01-05"], ["1e5", "3f2"]]
)  # fmt: skip
def test_other_cells_stay_text(read: Read, cells: list[str]) -> None:
    assert read("a,b\n" + "".join(f'"{cell}",x\n' for cell in cells))["a"].tolist() == cells


def test_thousands_and_decimal_comma_of_one_file_go_together(read: Read) -> None:
    with pytest.warns(UserWarning, match="column 'b' have decimal commas, those of column 'c' po"):
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
    frame = read("a,b,c\nTrue,NA,True\nfalse, True,x\ntrue,FALSE,y\n")
    assert frame["a"].dtype == bool
    assert frame["a"].tolist() == [True, False, True]
    assert frame["b"].dtype == "boolean"
    assert frame["b"].isna().tolist() == [True, False, False]
    assert frame["b"][1:].tolist() == [True, False]
    assert frame["c"].tolist() == ["True", "x", "y"]


def test_whole_numbers_are_integers_where_float64_has_them_exactly(read: Read) -> None:
    """The commas between thousands make pandas read text, which this module converts."""
    frame = read("a;b;c\n1,000;1,000.5;1,000\n3;3;1e20\n", decimal=".")
    assert frame["a"].dtype == np.int64
    assert frame["a"].tolist() == [1000, 3]
    assert frame["b"].tolist() == [1000.5, 3.0]
    assert frame["c"].dtype == np.float64
    assert frame["c"].tolist() == [1000.0, 1e20]


def test_numbers_keep_their_precision(read: Read, rng: np.random.Generator) -> None:
    values = rng.normal(size=200) * 10.0 ** rng.integers(-30, 30, 200)
    frame = read("a\n" + "\n".join(map(repr, values.tolist())))
    np.testing.assert_allclose(frame["a"], values, rtol=1e-15)


CODES = {
    "postal codes": ["02139", "10001", "94105"],
    "postal codes with a missing one": ["02139", None, "94105"],
    "two digits": ["05", "12"],
    "zeros": ["00", "1"],
    "card numbers": ["4111111111111111", "5500005555555559"],
    "card numbers with a missing one": ["4111111111111111", None, "5500005555555559"],
    "beyond 64 bits": ["9" * 30, "1"],
    "telephone numbers": ["+491711234567", "+4930123456"],
    "telephone numbers with spaces": ["+49 171 123 456", "+1 212 555 0100"],
}


@pytest.mark.parametrize("cells", CODES.values(), ids=CODES)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.filterwarnings("ignore:.*cells that are codes")
def test_codes_keep_their_digits_as_text(
    read: Read, cells: list[str | None], separator: str
) -> None:
    text = "".join(f"1.5{separator}{cell or ''}{separator}7\n" for cell in cells)
    frame = read(separator.join("abc") + "\n" + text)
    assert [None if cell != cell else cell for cell in frame["b"]] == cells
    assert frame["a"].dtype == np.float64
    assert frame["c"].dtype == np.int64


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["0", "1"], [0, 1]),
        (["0.5", "00.5"], [0.5, 0.5]),
        (["007", "5.5"], [7, 5.5]),
        (["-05", "12"], [-5, 12]),
        (["+3", "-3"], [3, -3]),
        (["999999999999999", "1"], [999999999999999, 1]),
        (["1234567890123456.0", "2"], [1234567890123456, 2]),
        (["0.1234567890123456789", "2"], [0.12345678901234568, 2]),
        (["1e5", "2e3"], [1e5, 2e3]),
    ],
)
def test_numbers_that_look_like_codes_are_numbers(
    read: Read, cells: list[str], numbers: list[float]
) -> None:
    frame = read("a,b\n" + "".join(f"{cell},x\n" for cell in cells))
    assert frame["a"].dtype.kind in "if"
    assert frame["a"].tolist() == numbers


@pytest.mark.parametrize(
    ("cells", "numbers", "options"),
    [
        (["12%", "13.5 %", "-1%"], [12, 13.5, -1], {}),
        (["$1,200", "$15", "-$5.50", "$-2"], [1200, 15, -5.5, -2], {}),
        (["1.200,50 €", "€3", "+4€"], [1200.5, 3, 4], {"decimal": ","}),
        (["£ 5", "£\u00a06"], [5, 6], {}),
        (["\u2212$5", "$\u22126"], [-5, -6], {}),
    ],
)
def test_signs_of_percent_and_currencies_are_left_out(
    read: Read, cells: list[str], numbers: list[float], options: dict[str, str]
) -> None:
    frame = read("a,b\n" + "".join(f'"{cell}",x\n' for cell in cells) + "NA,x\n", **options)
    assert frame["a"].tolist()[:-1] == numbers
    assert frame["a"].isna().tolist() == [False] * len(cells) + [True]


@pytest.mark.parametrize(
    "cells", [["12%", "5"], ["$3", "€3"], ["5$5", "1$2"], ["%", "1%"], ["$$3", "$1"], ["1%%"]]
)
def test_cells_whose_signs_differ_stay_text(read: Read, cells: list[str]) -> None:
    assert read("a,b\n" + "".join(f"{cell},x\n" for cell in cells))["a"].tolist() == cells
