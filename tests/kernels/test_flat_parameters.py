"""All weights and biases in one vector: in the same order as the layers, with the same numbers."""

import numpy as np
import pytest

from fastmlp.kernels.calls import TrainingOptions


def flat(layers):
    return np.concatenate([array.ravel() for layer in layers for array in layer])


@pytest.fixture
def made(engine):
    return engine((5, 70, 3))


def test_vector_has_the_layers_one_after_the_other(made):
    vector = made.get_flat()
    np.testing.assert_array_equal(vector, flat(made.get_layers()))
    made.set_flat(2 * vector)
    np.testing.assert_array_equal(flat(made.get_layers()), 2 * vector)


def test_gradient_is_that_of_the_layers(build, made, rng):
    X = rng.normal(size=(300, 5)).astype(build.dtype)  # more than a chunk
    y = rng.normal(size=(300, 3)).astype(build.dtype)
    data = build.engine.Data(made, X, y)
    for options in (TrainingOptions(), TrainingOptions(l2=0.5)):
        sums, gradient = made.gradients(data, options, 1, flat=True)
        expected_sums, layers = made.gradients(data, options, 1)
        assert sums == expected_sums
        np.testing.assert_array_equal(gradient, flat(layers))


def test_a_snapshot_keeps_its_numbers(made):
    snapshot = made.snapshot()
    before = made.get_flat()
    made.set_flat(np.zeros_like(before))
    np.testing.assert_array_equal(flat(made.get_layers(snapshot)), before)


def test_a_vector_of_another_length_is_refused(build, made):
    with pytest.raises(ValueError, match="does not fit"):
        made.set_flat(np.ones(7, build.dtype))
