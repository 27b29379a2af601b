"""Taking some of the examples, and setting some aside."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from fastmlp import MLP
from fastmlp.examples import Examples, hold_out


@pytest.fixture
def examples(net, classes) -> Examples:
    return Examples.checked(net, *classes)


@pytest.mark.parametrize("fraction", [0.01, 0.25, 0.999])
def test_every_example_is_trained_on_or_held_out(net, examples, classes, fraction):
    X, y = classes
    kept, held_out = hold_out(net, examples, fraction)
    rest = np.setdiff1d(np.arange(len(y)), kept)
    assert len(kept) + len(held_out) == len(y)
    assert len(held_out) == min(max(1, round(fraction * len(y))), len(y) - 1)
    np.testing.assert_array_equal(held_out.X, X[rest])
    np.testing.assert_array_equal(held_out.y, y[rest])


def test_choice_depends_on_the_seed_alone(net, classes):
    def kept(seed):
        other = MLP((6, 16, 3), seed=seed)
        return hold_out(other, Examples.checked(other, *classes), 0.3)[0]

    np.testing.assert_array_equal(kept(1), kept(1))
    assert not np.array_equal(kept(1), kept(2))


def test_sparse_rows_are_taken_like_dense_ones(net, rng):
    X = rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.2)
    y, index = rng.integers(0, 3, 40), np.array([39, 3, 3, 0, 17])
    data, indices, pointers = (
        Examples.checked(net, scipy.sparse.csr_array(X), y).take(net, index).X
    )
    found = scipy.sparse.csr_array((data, indices, pointers), shape=(5, 6))
    np.testing.assert_array_equal(found.toarray(), X[index])
    assert pointers.dtype == np.int64


def test_joined_examples_follow_each_other(net, rng):
    X = rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.2)
    y, s = rng.integers(0, 3, 40), rng.random(40).astype(np.float32)
    for kind in (np.asarray, scipy.sparse.csr_array):
        parts = [Examples.checked(net, kind(X[i]), y[i], s[i])
                 for i in (slice(0, 3), slice(3, 4), slice(4, 40))]
        joined, whole = Examples.joined(net, parts), Examples.checked(net, kind(X), y, s)
        for one, other in zip((*joined.X, joined.y, joined.weight),
                              (*whole.X, whole.y, whole.weight), strict=True):
            np.testing.assert_array_equal(one, other)


def test_weights_go_with_their_examples(net, classes, rng):
    X, y = classes
    s = rng.random(len(y)).astype(np.float32)
    examples = Examples.checked(net, X, y, s)
    kept, held_out = hold_out(net, examples, 0.2)
    np.testing.assert_array_equal(held_out.weight, np.delete(s, kept))


def test_sample_weights_must_not_all_be_zero_in_a_part(net, classes):
    X, y = classes
    kept, _ = hold_out(net, Examples.checked(net, X, y), 0.2)
    s = np.zeros(len(y))
    s[kept] = 1
    with pytest.raises(ValueError, match="sample_weight is zero for all the validation examples"):
        hold_out(net, Examples.checked(net, X, y, s), 0.2)


def test_one_example_cannot_be_divided(net, classes):
    X, y = classes
    with pytest.raises(ValueError, match="needs at least 2 examples, got 1"):
        hold_out(net, Examples.checked(net, X[:1], y[:1]), 0.5)
