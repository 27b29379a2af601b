"""What fit is passed, on its way to whole batches."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.data import batches, split
from fastmlp.data.chunks import Chunks
from fastmlp.data.examples import Examples
from fastmlp.data.memory_maps import MemoryMap


def test_sources_are_arrays_maps_or_chunks(net, classes, tmp_path, mapped):
    X, y = classes
    kinds = {Examples: (X, y), MemoryMap: (mapped(tmp_path / "X.npy", X), y), Chunks: ([], None)}
    for kind, given in kinds.items():
        assert type(batches.source(net.state, *given, None, epochs=1)) is kind


@pytest.mark.parametrize("fraction", [0.01, 0.25, 0.999])
def test_validation_examples_are_those_that_are_not_trained_on(net, classes, fraction):
    X, y = classes
    training_rows, held_out = batches.validation(
        net.state, Examples.checked(net.state, X, y), fraction
    )
    others = np.setdiff1d(np.arange(len(y)), training_rows)
    np.testing.assert_array_equal(held_out.X, X[others])
    np.testing.assert_array_equal(held_out.y, y[others])
    expected = split.hold_out(len(y), fraction, split.validation_stream(net.seed, 2))[0]
    np.testing.assert_array_equal(training_rows, expected)


def test_the_choice_depends_on_the_seed_alone(classes):
    def training_rows(seed):
        state = MLP((6, 16, 3), seed=seed).state
        return batches.validation(state, Examples.checked(state, *classes), 0.3)[0]

    np.testing.assert_array_equal(training_rows(1), training_rows(1))
    assert not np.array_equal(training_rows(1), training_rows(2))


def test_weights_go_with_their_examples(net, classes, rng):
    X, y = classes
    s = rng.random(len(y)).astype(np.float32)
    examples = Examples.checked(net.state, X, y, s)
    training_rows, held_out = batches.validation(net.state, examples, 0.2)
    np.testing.assert_array_equal(held_out.weight, np.delete(s, training_rows))


@pytest.mark.parametrize("part", ["training", "validation"])
def test_sample_weights_must_not_all_be_zero_in_a_part(net, classes, part):
    X, y = classes
    training_rows, _ = batches.validation(net.state, Examples.checked(net.state, X, y), 0.2)
    s = np.full(len(y), float(part == "training"))
    s[training_rows] = part == "validation"
    examples = Examples.checked(net.state, X, y, s)
    with pytest.raises(ValueError, match=f"sample_weight is zero for all the {part} examples"):
        batches.validation(net.state, examples, 0.2)


def test_a_pair_is_checked_and_everything_else_trained_on(net, classes):
    training_rows, held_out = batches.validation(
        net.state, Examples.checked(net.state, *classes), classes
    )
    assert training_rows is None
    np.testing.assert_array_equal(held_out.X, classes[0])


@pytest.mark.parametrize("n_rows", [1, 5])
def test_row_numbers_of_a_shuffle_are_copied(n_rows):
    own = np.arange(n_rows)[::-1]
    order = batches.row_numbers(lambda m: own, n_rows)
    np.testing.assert_array_equal(order, own)
    assert not np.shares_memory(order, own)


@pytest.mark.parametrize(
    "order", [[0, 1], [0, 1, 3], [-1, 0, 1], [0.0, 1.0, 2.0], [[0, 1, 2]], [True, False, True]]
)
def test_what_is_no_order_of_the_rows_is_refused(order):
    with pytest.raises(ValueError, match="shuffle must return 3 row numbers from 0 to 2, got"):
        batches.row_numbers(lambda m: order, 3)


def test_batches_of_one_size_end_where_the_rows_end():
    np.testing.assert_array_equal(batches.even_starts(23, 10), [0, 10, 20, 23])
    np.testing.assert_array_equal(batches.even_starts(20, 10), [0, 10, 20])


@pytest.mark.parametrize(
    ("cuts", "batch", "end", "expected"),
    [
        (batches.even_cuts(10), 0, 9, [0]),
        (batches.even_cuts(10), 1, 30, [10, 20, 30]),
        (batches.even_cuts(10), 1, 39, [10, 20, 30]),
        (batches.cuts_at(np.array([0, 4, 11, 15])), 0, 10, [0, 4]),
        (batches.cuts_at(np.array([0, 4, 11, 15])), 1, 11, [4, 11]),
        (batches.cuts_at(np.array([0, 4, 11, 15])), 1, 15, [4, 11, 15]),
    ],
)
def test_cuts_are_where_batches_begin_and_end_in_the_rows_so_far(cuts, batch, end, expected):
    np.testing.assert_array_equal(cuts(batch, end), expected)
