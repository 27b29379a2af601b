"""Examples in memory: taking some of them, and joining several to one."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from fastmlp.data.examples import Examples


def test_rows_are_taken_with_their_targets_and_weights(net, classes, rng):
    X, y = classes
    s, index = rng.random(len(y)).astype(np.float32), np.array([229, 3, 3, 0, 17])
    taken = Examples.checked(net.state, X, y, s).take(net.state, index)
    assert len(taken) == 5
    for found, expected in ((taken.X, X), (taken.y, y), (taken.weight, s)):
        np.testing.assert_array_equal(found, expected[index])


def test_sparse_rows_are_taken_like_dense_ones(net, rng):
    X = rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.2)
    y, index = rng.integers(0, 3, 40), np.array([39, 3, 3, 0, 17])
    examples = Examples.checked(net.state, scipy.sparse.csr_array(X), y)
    data, indices, pointers = examples.take(net.state, index).X
    found = scipy.sparse.csr_array((data, indices, pointers), shape=(5, 6))
    np.testing.assert_array_equal(found.toarray(), X[index])
    assert pointers.dtype == np.int64


def test_joined_examples_follow_each_other(net, rng):
    X = rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.2)
    y, s = rng.integers(0, 3, 40), rng.random(40).astype(np.float32)
    for kind in (np.asarray, scipy.sparse.csr_array):
        parts = [
            Examples.checked(net.state, kind(X[i]), y[i], s[i])
            for i in (slice(0, 3), slice(3, 4), slice(4, 40))
        ]
        joined = Examples.joined(net.state, parts)
        whole = Examples.checked(net.state, kind(X), y, s)
        for one, other in zip(
            (*joined.X, joined.y, joined.weight), (*whole.X, whole.y, whole.weight), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_examples_are_one_chunk_of_themselves(net, classes):
    examples = Examples.checked(net.state, *classes)
    assert list(examples.chunks()) == [examples]
