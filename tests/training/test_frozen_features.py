"""Activations after frozen layers are computed once, where that changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP, augment
from fastmlp.model.state import ModelState
from fastmlp.training import frozen_features


def trained(monkeypatch, most_features, classes, options, ema=None):
    """A network whose first layer is frozen, after a fit that may keep so many bytes."""
    X, y = classes
    monkeypatch.setattr(frozen_features, "MOST_FEATURES", most_features)
    net = MLP((6, 16, 8, 3), seed=1, **options)
    net.fit(X, y, epochs=2, ema=ema)
    net.freeze(0)
    net.fit(X, y, epochs=2, ema=ema)
    return [*net.weights, *net.biases]


@pytest.mark.parametrize(
    "options",
    [
        {"input_dropout": 0.5},
        {"noise": [0.5, 0.0]},
        {"dropout": [0.5, 0.0]},
        {"noise": [0.0, 0.5]},
        {"dropout": [0.0, 0.5]},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_fit_has_the_same_bits_with_and_without_kept_features(
    monkeypatch, classes, options, ema
):
    with_features = trained(monkeypatch, 1 << 20, classes, options, ema)
    without = trained(monkeypatch, 0, classes, options, ema)
    for one, other in zip(with_features, without, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def kept(monkeypatch):
    """The layers whose activations a fit computed in advance."""
    layers = []
    original = ModelState.layer_activations

    def spy(state, data, layer, n_threads):
        layers.append(layer)
        return original(state, data, layer, n_threads)

    monkeypatch.setattr(ModelState, "layer_activations", spy)
    return layers


@pytest.mark.parametrize(
    ("options", "frozen", "expected"),
    [
        ({}, [0], [1]),
        ({}, [0, 1], [2]),
        ({}, [1], []),
        ({"input_dropout": 0.1}, [0], []),
        ({"dropout": [0.1, 0.0]}, [0], []),
        ({"dropout": [0.0, 0.1]}, [0], [1]),
        ({"dropout": [0.0, 0.1]}, [0, 1], []),
        ({"noise": [0.1, 0.0]}, [0], []),
        ({"noise": [0.0, 0.1]}, [0], [1]),
    ],
    ids=str,
)
def test_features_are_kept_where_no_random_numbers_are_below(
    classes, kept, options, frozen, expected
):
    net = MLP((6, 16, 8, 3), **options)
    net.freeze(frozen)
    net.fit(*classes, epochs=2)
    assert kept == expected


def test_features_that_are_too_large_are_not_kept(monkeypatch, classes, kept):
    X, y = classes
    n_bytes = len(X) * 16 * 4
    for most, expected in ((n_bytes - 1, []), (n_bytes, [1])):
        monkeypatch.setattr(frozen_features, "MOST_FEATURES", most)
        net = MLP((6, 16, 3))
        net.freeze(0)
        net.fit(X, y, epochs=1)
        assert kept == expected


def test_features_of_distorted_images_are_not_kept(rng, kept):
    net = MLP((16, 8, 3))
    net.freeze(0)
    X, y = rng.uniform(size=(20, 16)).astype(np.float32), rng.integers(0, 3, 20)
    net.fit(X, y, epochs=1, augment=augment.Distortion(rotation=10))
    assert kept == []
