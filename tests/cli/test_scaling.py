"""Scaling: what it makes of columns, and that folding it into a network changes no output."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.cli.scaling import Scaling, fold


@pytest.fixture
def columns(rng: np.random.Generator) -> np.ndarray:
    """X (100, 3): years, seconds since 1970, and a constant."""
    return rng.normal(size=(100, 3)) * [5, 1e5, 0] + [2000, 1.6e9, 0.1]


def test_columns_get_mean_0_and_deviation_1(columns: np.ndarray) -> None:
    scaled = Scaling.of(columns).apply(columns)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 0], rtol=1e-5)


def test_a_constant_column_becomes_0_whatever_comes_later(columns: np.ndarray) -> None:
    scaling = Scaling.of(columns)
    np.testing.assert_array_equal(scaling.apply(columns + 1000)[:, 2], 0)


def test_bytes_are_scaled_without_wrapping_around() -> None:
    X = np.array([[0], [255], [0], [255]], np.uint8)
    np.testing.assert_array_equal(Scaling.of(X).apply(X)[:, 0], [-1, 1, -1, 1])


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_the_folded_network_gives_unscaled_outputs_from_unscaled_inputs(
    columns: np.ndarray, rng: np.random.Generator, hidden: tuple[int, ...], loss: str
) -> None:
    net = MLP((3, *hidden, 2), activation="tanh", loss=loss, dtype="float64", seed=3)
    inputs = Scaling.of(columns)
    outputs = Scaling(rng.normal(size=2), np.array([3.0, 1e4])) if loss == "squared_error" else None
    expected = net.forward((columns - inputs.mean) / inputs.deviation)
    if outputs:
        expected = expected * outputs.deviation + outputs.mean

    folded = MLP((3, *hidden, 2), activation="tanh", loss=loss, dtype="float64")
    folded.set_parameters(*fold(net.weights, net.biases, inputs, outputs))
    np.testing.assert_allclose(folded.forward(columns), expected, rtol=1e-9)
