"""Weights in panels: every number finds its place and the way back, and the padding stays zero."""

from itertools import pairwise

import numpy as np
import pytest

SIZES = (*range(1, 35), 63, 64, 65, 127, 128, 129, 130, 200)


def numbered(n_out: int, n_in: int, dtype: str) -> np.ndarray:
    """A matrix of which every number is another one, and none zero."""
    return np.arange(1, n_out * n_in + 1, dtype=dtype).reshape(n_out, n_in)


@pytest.mark.parametrize("n_in", [1, 2, 5, 16, 33, 64, 65])
def test_layers_come_back_as_they_were_put(build, engine, n_in):
    for n_out in SIZES:
        made = engine((n_in, n_out, n_in))
        layers = [
            (numbered(n_out, n_in, build.dtype), np.arange(n_out, dtype=build.dtype) - 7),
            (-numbered(n_in, n_out, build.dtype), np.arange(n_in, dtype=build.dtype) + 9),
        ]
        made.set_layers(layers)
        for got, (weight, bias) in zip(made.get_layers(), layers, strict=True):
            assert np.array_equal(got[0], weight) and np.array_equal(got[1], bias), n_out


def test_the_forward_product_of_unit_vectors_reads_the_weight(build):
    for n_in in SIZES:
        for n_out in (1, 7, 16, 63, 64, 65, 130):
            W = numbered(n_out, n_in, build.dtype)
            unit, b = np.eye(n_in, dtype=build.dtype), np.zeros(n_out, build.dtype)
            z = build.operations.forward(unit, W, b)
            assert np.array_equal(z, W.T), (n_in, n_out)


def test_the_hidden_delta_of_unit_vectors_reads_the_transposed_weight(build):
    for n_in in SIZES:
        for n_out in (1, 7, 16, 63, 64, 65, 130):
            W = numbered(n_out, n_in, build.dtype)
            delta = build.operations.hidden_delta(np.eye(n_out, dtype=build.dtype), W)
            assert np.array_equal(delta, W), (n_in, n_out)


def test_the_weight_gradient_of_unit_vectors_fills_every_place(build):
    for n_in in SIZES:
        for n_out in (1, 7, 16, 63, 64, 65, 130):
            W = numbered(n_out, n_in, build.dtype)
            gradient = build.operations.weight_gradient(np.eye(n_in, dtype=build.dtype), W.T.copy())
            assert np.array_equal(gradient, W), (n_in, n_out)


@pytest.mark.parametrize(
    "optimizer",
    [
        ("gradient_descent", 0.9, 1.0),
        ("adam", 0.9, 0.999, 1e-8),
        ("adamw", 0.9, 0.999, 1e-8, 0.01),
        ("rmsprop", 0.99, 1e-8, 0.9),
    ],
    ids=lambda optimizer: optimizer[0],
)
def test_training_leaves_the_padding_zero(build, engine, sparse, optimizer, train):
    """f(0) and f'(0) are not 0 for sigmoid and softplus: none of it may reach a parameter."""
    for hidden in ("sigmoid", "softplus", "tanh", "relu"):
        sizes = (5, 13, 67, 3)
        made = engine(sizes, hidden, optimizer=optimizer)
        data = build.engine.Data(made, sparse(40, 5), sparse(40, 3))
        order = np.arange(40)
        train(made, data, order, 8, 0.01, l2=1e-3, threads=2)
        numbers = np.frombuffer(made.snapshot().tobytes(), build.dtype)
        n_parameters = sum(n_out * (n_in + 1) for n_in, n_out in pairwise(sizes))
        assert np.count_nonzero(numbers) == n_parameters, hidden


@pytest.mark.parametrize("kind", ["adam", "rmsprop"])
@pytest.mark.parametrize("density", [0.2, 1.0], ids=["sparse", "dense"])
def test_a_weight_too_large_for_one_threads_cache_trains_to_the_same_bits(
    build, engine, train, rng, density, kind
):
    """One thread prefetches its parameters and the optimizer's state; four need not."""
    optimizer = {"adam": ("adam", 0.9, 0.999, 1e-8), "rmsprop": ("rmsprop", 0.9, 1e-8, 0.5)}[kind]
    sizes = (700, 400, 2)
    assert 700 * 400 * np.dtype(build.dtype).itemsize > 1 << 20
    X = (rng.normal(size=(12, 700)) * (rng.random((12, 700)) < density)).astype(build.dtype)
    y = rng.normal(size=(12, 2)).astype(build.dtype)
    found = []
    for threads in (1, 4):
        made = engine(sizes, "relu", optimizer=optimizer)
        train(made, build.engine.Data(made, X, y), np.arange(12), 4, 0.01, threads=threads)
        found.append(made.snapshot().tobytes())
    assert found[0] == found[1]
    assert np.isfinite(np.frombuffer(found[0], build.dtype)).all()
