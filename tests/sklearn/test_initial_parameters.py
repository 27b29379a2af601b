"""Initial weights have the bounds of their layer's activation; the output layer those of the last.

Of one activation they are scikit-learn's own numbers: see test_against_sklearn.py.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fastmlp.activations import Sigmoid  # noqa: E402
from fastmlp.sklearn.options import initial_parameters  # noqa: E402


@pytest.mark.parametrize(
    ("activation", "factors"),
    [
        (["logistic", "tanh"], [2, 6, 6]),
        (["relu", Sigmoid()], [6, 2, 2]),
        ("logistic", [2, 2, 2]),
        ("relu", [6, 6, 6]),
    ],
    ids=str,
)
def test_bounds_are_those_of_the_layers_activation(activation, factors):
    sizes = (7, 5, 4, 3)
    weights, biases = initial_parameters(activation, sizes, np.random.RandomState(3), np.float64)
    rng = np.random.RandomState(3)
    for factor, n_in, n_out, W, b in zip(factors, sizes, sizes[1:], weights, biases, strict=False):
        r = np.sqrt(factor / (n_in + n_out))
        np.testing.assert_array_equal(W, rng.uniform(-r, r, (n_in, n_out)).T)
        np.testing.assert_array_equal(b, rng.uniform(-r, r, n_out))
    assert len(weights) == len(biases) == 3
