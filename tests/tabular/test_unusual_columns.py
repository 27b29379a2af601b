"""Columns whose type few tables have: types of PyArrow, complex cells, a single date."""

import datetime
import uuid

import numpy as np
import pandas as pd
import pytest

from fastmlp.tabular import TabularClassifier
from fastmlp.tabular.by_value import typed
from fastmlp.tabular.columns import TableEncoder
from fastmlp.tabular.frames import kind_of
from fastmlp.tabular.insight import dependence_grid
from fastmlp.tabular.levels import known_codes, texts

pa = pytest.importorskip("pyarrow")

DAY = datetime.date(2024, 2, 29)
IDENTIFIERS = pa.array([uuid.UUID(int=i % 2).bytes for i in range(36)], pa.binary(16))
OF_ARROW = {
    "views of text": pa.array(["u", "v", None] * 12, pa.string_view()),
    "identifiers": pa.ExtensionArray.from_storage(pa.uuid(), IDENTIFIERS),
    "levels of text": pa.array(["u", "v", None] * 12).dictionary_encode(),
    "levels that are numbers": pa.array([7, 2, 7] * 12).dictionary_encode(),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([12, 24, 36]), pa.array([7, None, 2])),
}


@pytest.mark.parametrize("array", OF_ARROW.values(), ids=OF_ARROW)
def test_a_type_of_pyarrow_is_the_same_within_pandas(array):
    within = pd.DataFrame({"c": pd.arrays.ArrowExtensionArray(array)})
    alone = pa.table({"c": array}).to_pandas()
    encoder = TableEncoder.learn(alone)
    assert TableEncoder.learn(within).to_json() == encoder.to_json()
    for found, expected in zip(encoder.read(within), encoder.read(alone), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("cell", [1j, np.complex64(2 + 1j)])
def test_complex_cells_among_objects_are_refused_with_the_column(cell):
    with pytest.raises(ValueError, match="Complex data not supported: column 'z'"):
        kind_of(pd.Series([1.0, cell, None], dtype=object, name="z"))


@pytest.mark.parametrize("dtype", [object, "datetime64[ns]", "str"])
def test_a_single_date_tells_where_it_is_missing(dtype):
    table = pd.DataFrame({"left": pd.Series([DAY, None, None] * 2, dtype=object).astype(dtype)})
    encoder = TableEncoder.learn(table)
    assert (encoder.kinds, encoder.dropped) == ({"left": "date"}, {})
    X = encoder.inputs(encoder.read(table), "raw")
    np.testing.assert_array_equal(X, [[0, 0], [0, 1], [0, 1]] * 2)
    later = encoder.read(pd.DataFrame({"left": [DAY + datetime.timedelta(9)]}))
    np.testing.assert_array_equal(encoder.inputs(later, "raw"), [[0, 0]])


def test_a_single_date_in_every_row_is_not_used():
    dropped = TableEncoder.learn(pd.DataFrame({"day": [DAY] * 3})).dropped
    assert dropped == {"day": "it has the same value in every row"}


MIXED = [[1, "x", True, 2.5, None], [True, 1, "True", "1", 0], [np.True_, False, 1, 0.0]]


@pytest.mark.parametrize("cells", MIXED)
def test_a_typed_column_has_the_levels_of_its_cells(cells):
    """pandas takes True and 1 for equal."""
    column = pd.Series(cells, dtype=object, name="c")
    stored = typed(column.to_frame(), {"c": "category"})["c"]
    levels = texts(column)[1]
    assert texts(stored)[1] == levels
    for known in (levels, levels[::-1]):
        expected = known_codes(column, tuple(known))
        np.testing.assert_array_equal(known_codes(stored, tuple(known)), expected)


def test_truth_values_beside_numbers_are_levels_of_a_column_of_per():
    table = pd.DataFrame({"c": [1, "x", True] * 50, "x": np.arange(150) % 7})
    options = {"quality": "fast", "epochs": 1, "n_members": 1, "random_state": 0}
    model = TabularClassifier(per="c", **options).fit(table, table["x"] > 3)
    assert set(model.by_value_.models) == {"1", "x", "True"}
    assert model.partial_dependence(table, "c")["c"].tolist() == [1, True, "x"]


def test_dependence_has_truth_values_beside_numbers():
    column = pd.Series([True, 1, 1, "x", None], dtype=object)
    assert list(map(repr, dependence_grid("category", column, 9))) == ["1", "True", "'x'"]
