"""The fingerprint of data changes with everything that a training depends on."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.experiments.fingerprint import fingerprint

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_equal_arrays_have_equal_fingerprints() -> None:
    assert fingerprint(X) == fingerprint(X.copy())
    assert len(fingerprint(X)) == 16


def test_the_layout_in_memory_does_not_matter() -> None:
    wide = np.zeros((4, 6), np.float32)
    wide[:, ::2] = X
    assert fingerprint(np.asfortranarray(X)) == fingerprint(wide[:, ::2]) == fingerprint(X)


@pytest.mark.parametrize(
    "other",
    [
        X.reshape(3, 4),
        X.reshape(12),
        X + np.eye(4, 3, dtype=np.float32),
        X[::-1],
        X.view(np.int32),
        X.view(np.uint32),
        X.astype(np.float64),
        X[:0],
    ],
    ids=["shape", "axes", "a value", "order", "int32", "uint32", "float64", "no rows"],
)
def test_shape_values_and_dtype_count(other: np.ndarray) -> None:
    assert fingerprint(other) != fingerprint(X)


def test_two_empty_arrays_differ_by_dtype_and_shape() -> None:
    empty = [np.empty(shape, dtype) for shape in ((0, 3), (0, 4)) for dtype in ("f4", "f8")]
    assert len({fingerprint(one) for one in empty}) == 4


def test_the_boundary_between_arrays_counts() -> None:
    assert fingerprint(X[:2], X[2:]) != fingerprint(X[:3], X[3:])
    assert fingerprint(X, X[:1]) != fingerprint(X[:1], X)


def test_a_sparse_matrix_counts_with_values_places_and_shape() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.csr_array(X)
    moved = sparse.csr_array(X[:, ::-1])
    wider = sparse.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(4, 5))
    found = [fingerprint(one) for one in (matrix, 2 * matrix, moved, wider, X)]
    assert len(set(found)) == 5
    assert fingerprint(matrix.tocoo()) == found[0]
    ones = [sparse.csr_array(np.roll([[1.0, 0.0, 0.0]], k)) for k in range(3)]
    assert len({fingerprint(one) for one in ones}) == 3
    rows = [sparse.csr_array([[1.0, 1.0], [0.0, 1.0]]), sparse.csr_array([[1.0, 0.0], [1.0, 1.0]])]
    assert fingerprint(rows[0]) != fingerprint(rows[1])
