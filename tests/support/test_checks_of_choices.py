"""Checks of names, of one value for all layers or one for each, and of codes of categories."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
import scipy.sparse

import fastmlp
from fastmlp import activations, callbacks, initializers, losses, optimizers
from fastmlp.support import checks
from fastmlp.support.checks import choices, examples


class Part:
    """What the table's names stand for."""


class Other(Part):
    """Another entry of the table."""


TABLE = {"part_one": Part, "other": Other}
KNOWN = {"rmse", "mae", "auc", "log_loss", "accuracy", "validation_error", "hidden", "optimizer",
         "learning_rate", *losses.TABLE, *activations.TABLE, *initializers.TABLE, *optimizers.TABLE,
         *callbacks.MONITORS}  # fmt: skip


def test_a_name_stands_for_a_new_object_and_an_object_for_itself():
    given = Part()
    assert choices.named("kind", given, TABLE, Part) is given
    assert type(choices.named("kind", "other", TABLE, Part)) is Other


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Part-One", "unknown kind 'Part-One'; did you mean 'part_one'? Known: part_one, other"),
        ("xyz", "unknown kind 'xyz'. Known: part_one, other"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(value, message):
    for check in (
        lambda: choices.named("kind", value, TABLE, Part),
        lambda: choices.known("kind", value, TABLE),
    ):
        with pytest.raises(ValueError) as caught:
            check()
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        ("loss", "mse", "squared_error"),
        ("loss", "Sparse-Categorical Crossentropy", "cross_entropy"),
        ("loss", "MAE", "absolute_error"),
        ("activation", "swish", "silu"),
        ("init", "xavier", "glorot_uniform"),
    ],
)
def test_names_of_other_libraries_are_understood(kind, value, meant):
    with pytest.raises(ValueError, match=f"unknown {kind} '{value}'; did you mean '{meant}'"):
        fastmlp.MLP((2, 3, 2), **{kind: value})


def test_a_synonym_counts_where_its_meaning_is_known():
    assert choices.nearest("mse", ["rmse", "mae"]).startswith("; did you mean 'rmse'?")
    assert choices.nearest("mse", ["squared_error"]).startswith("; did you mean 'squared_error'?")
    assert choices.nearest("mse", ["huber"]) == ". Known: huber"
    for meanings in choices.SYNONYMS.values():
        assert {*meanings} <= KNOWN


def test_a_class_in_place_of_an_object_is_told():
    with pytest.raises(TypeError, match=r"kind must be an object, got a class: write Other\(…\)"):
        choices.named("kind", Other, TABLE, Part)


def test_an_object_of_another_library_is_named_with_it():
    with pytest.raises(TypeError, match=r"or 3 things; got Decimal\('2'\) of decimal$"):
        choices.named("kind", Decimal(2), TABLE, Part, otherwise=", or 3 things")


def test_a_known_name_is_returned_and_what_is_no_name_refused():
    assert choices.known("kind", "other", TABLE) == "other"
    with pytest.raises(TypeError, match="kind must be one of 'part_one', 'other'; got 3"):
        choices.known("kind", 3, TABLE)
    with pytest.raises(TypeError, match=r"kind must be one of .*an object such as Part\(\); got 3"):
        choices.named("kind", 3, TABLE, Part)


def test_names_of_columns_are_text():
    assert choices.column("per", "shop") == "shop"
    assert choices.columns("drop", ("a", "b")) == ["a", "b"]
    message = r"^per must be the name of a column, a text, got \('a', 1\); columns of a DataFrame"
    with pytest.raises(TypeError, match=message):
        choices.column("per", ("a", 1))
    with pytest.raises(TypeError, match=r"^drop\[1\] must be the name of a column, a text, got 3"):
        choices.columns("drop", ["a", 3])
    with pytest.raises(TypeError, match=r"^drop must be a list of names .*: write \['ab'\]"):
        choices.columns("drop", "ab")


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_the_name_of_an_argument_begins_the_message(error):
    with pytest.raises(error, match="^sizes: too small$"), choices.within("sizes"):
        raise error("too small")


def test_items_are_counted_where_there_must_be_so_many():
    assert choices.items("x", (1, 2)) == choices.items("x", iter((1, 2)), 2) == [1, 2]
    with pytest.raises(ValueError, match="x must have 3 entries, got 2"):
        choices.items("x", [1, 2], 3)
    with pytest.raises(TypeError, match="x must be a sequence, got 5"):
        choices.items("x", 5)


def test_one_value_is_for_all_layers_or_one_for_each():
    found = choices.one_or_each("kind", "other", 2, TABLE, Part)
    assert [type(one) for one in found] == [Other, Other]
    found = choices.one_or_each("kind", ["other", Part()], 2, TABLE, Part)
    assert [type(one) for one in found] == [Other, Part]
    with pytest.raises(ValueError, match="kind has 1 entries for 2 hidden layers"):
        choices.one_or_each("kind", ["other"], 2, TABLE, Part)
    with pytest.raises(ValueError, match=r"unknown kind\[1\] 'x'"):
        choices.one_or_each("kind", ("other", "x"), 2, TABLE, Part)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, (("x", 3), ("x", 3))),
        ([3, 4], (("x[0]", 3), ("x[1]", 4))),
        (np.array([3, 4]), (("x[0]", 3), ("x[1]", 4))),
        (np.array(3), (("x", 3), ("x", 3))),
    ],
    ids=str,
)
def test_each_value_is_checked_under_its_own_name(value, expected):
    assert choices.each("x", value, 2, lambda *given: given, "layers") == expected
    with pytest.raises(ValueError, match="x has 3 entries for 2 layers"):
        choices.each("x", [1, 2, 3], 2, lambda *given: given, "layers")


# ------------------------------------------------------------------------------- examples


def test_codes_of_categories_are_from_minus_1_to_the_last_level():
    X = np.array([[0.5, -1, 0], [7.5, 2, 1]])
    examples.codes("X", X, {})
    examples.codes("X", X, {1: 3, 2: 2})


@pytest.mark.parametrize(
    ("place", "value"), [((1, 1), 3), ((0, 1), 0.5), ((1, 2), -2), ((2, 2), 2), ((2, 1), np.nan)]
)
@pytest.mark.parametrize("chunk", [1, 4, 1 << 20])
def test_the_first_wrong_code_is_named(monkeypatch, place, value, chunk):
    """Whatever number of rows is looked at together."""
    monkeypatch.setattr(examples, "CHUNK", chunk)
    X = np.zeros((4, 3))
    X[3, 1] = 9
    X[place] = value
    n_levels = {1: 3, 2: 2}
    expected = rf"X\[{place[0]}, {place[1]}\] is {value:g}; .* its {n_levels[place[1]]} levels"
    with pytest.raises(ValueError, match=expected):
        examples.codes("X", X, n_levels)


def test_sparse_rows_in_any_order_and_with_duplicates_are_summed(rng):
    rows, columns = rng.integers(0, 6, 40), rng.integers(0, 5, 40)
    values = rng.integers(1, 9, 40).astype(float)
    X = scipy.sparse.csr_array((6, 5))
    order = np.argsort(rows, kind="stable")
    X.data, X.indices = values[order], columns[order].astype(np.int32)
    X.indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=6))).astype(np.int32)
    dense = np.zeros((6, 5))
    np.add.at(dense, (rows, columns), values)
    data, indices, pointers = checks.rows(X, 5, np.dtype(np.float64))
    assert len(data) == np.count_nonzero(dense) and checks.n_rows((data, indices, pointers)) == 6
    for i in range(6):
        own = slice(pointers[i], pointers[i + 1])
        assert (np.diff(indices[own]) > 0).all()
        np.testing.assert_array_equal(data[own], dense[i, indices[own]])


def test_an_output_that_is_not_finite_is_named():
    h = np.array([[1.0, 2.0], [3.0, np.inf], [np.nan, 0.0]])
    examples.finite_outputs(h[:1])
    with pytest.raises(
        FloatingPointError, match=r"output for X\[1\] is not finite, got \[3.0, inf"
    ):
        examples.finite_outputs(h)
