"""Categories: texts of cells, levels and their codes."""

import numpy as np
import pandas as pd
import pytest

from fastmlp.tabular.columns import TableEncoder
from fastmlp.tabular.frames import kind_of
from fastmlp.tabular.levels import known_codes, texts


@pytest.mark.parametrize("cells", [[True, 1, "a", 0, False], ["a", False, 0, 1, True]])
def test_a_truth_value_is_another_level_than_the_number_that_equals_it(cells):
    column = pd.Series(cells, dtype=object)
    codes, levels = texts(column)
    assert [levels[code] for code in codes] == [str(cell) for cell in cells]
    known = known_codes(column, tuple(levels))
    alone = [known_codes(column[i : i + 1], tuple(levels))[0] for i in range(len(cells))]
    assert known.tolist() == alone == codes.tolist()


@pytest.mark.parametrize("cells", [[True, 0, 2], [2, 0, 1.0, True], [2, None, 1, True]])
def test_numbers_among_truth_values_are_a_category_in_any_order(cells):
    assert kind_of(pd.Series(cells, dtype=object)) == "category"
    assert kind_of(pd.Series(cells[::-1], dtype=object)) == "category"


@pytest.mark.parametrize("dtype", [object, "string", "category", "string[pyarrow]"])
def test_truth_values_as_text_in_several_forms_are_two_levels(dtype):
    column = pd.Series(["True", "FALSE", "true", " TRUE ", None, "false"], dtype=dtype)
    codes, levels = texts(column)
    assert levels == ["True", "False"]
    assert codes.tolist() == [0, 1, 0, 0, -1, 1]
    encoder = TableEncoder.learn(pd.DataFrame({"c": column}))
    assert encoder.categories[0].levels == ("True", "False")


@pytest.mark.parametrize("cells", [["TRUE", "False"], ["True", "true", "?"], ["true", "True", "1"]])
def test_other_levels_are_as_they_are_written(cells):
    assert texts(pd.Series(cells))[1] == cells


@pytest.mark.parametrize("number", [1.5, np.float32(1.5)])
def test_a_number_is_the_level_that_is_the_same_number_in_another_notation(number):
    known = ("XL", "1.50", "2.0", "1e3", "+7", "nan", "12")
    cells = pd.Series([number, 2, 1000.0, 7, 12.0, 3, np.nan], dtype=object)
    assert known_codes(cells, known).tolist() == [1, 2, 3, 4, 6, -1, -1]


def test_a_text_is_the_level_of_the_same_text_alone():
    assert known_codes(pd.Series(["1.5", "1.500"]), ("XL", "1.50")).tolist() == [-1, -1]


def test_a_number_in_the_notation_of_a_level_is_that_level():
    assert known_codes(pd.Series([1.5, 2.5]), ("1.50", "1.5", "2.50")).tolist() == [1, 2]


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"  # the same letters


@pytest.mark.parametrize("dtype", [object, "string", "category"])
@pytest.mark.parametrize("first", [COMPOSED, DECOMPOSED])
def test_texts_of_the_same_letters_are_one_level(first, dtype):
    column = pd.Series([first, "tea", COMPOSED, DECOMPOSED, None, ""], dtype=dtype)
    codes, levels = texts(column)
    assert levels == [first, "tea"]
    assert codes.tolist() == [0, 1, 0, 0, -1, -1]
    assert known_codes(column, (first, "tea")).tolist() == codes.tolist()


def test_a_level_in_just_these_characters_comes_first():
    known = (DECOMPOSED, COMPOSED)  # of a model in which they are two
    assert known_codes(pd.Series([COMPOSED, DECOMPOSED]), known).tolist() == [1, 0]
