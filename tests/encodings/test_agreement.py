"""Engine, steps and reference encode the same; no bit depends on threads, products or vectors."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, kernels, reference
from fastmlp.encodings import Numeric, OneHot, PiecewiseLinear

DTYPES = ("float32", "float64")


def encoded(table, dtype: str) -> np.ndarray:
    """a(1) by the reference."""
    constants = table.reference
    columns = [reference.ENCODINGS[name].forward(table.X.astype(dtype)[:, j], *rest)
               for j, (name, *rest) in enumerate(constants)]
    return np.hstack(columns)


def by_engine(table, dtype: str, use_sparse: bool) -> np.ndarray:
    """a(1) by the engine: the output of a linear network whose weight is the identity."""
    n = sum(one.n_outputs for one in table.encodings)
    init = [np.eye(n)], [np.zeros(n)]
    net = MLP((len(table.encodings), n), encodings=table.encodings, init=init, dtype=dtype,
              loss="squared_error")
    net.state.use_sparse(use_sparse)
    return net.forward(table.X)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("use_sparse", [True, False], ids=["sparse", "dense"])
def test_the_engine_encodes_like_the_reference(table, dtype, use_sparse):
    np.testing.assert_array_equal(by_engine(table, dtype, use_sparse), encoded(table, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_encode_like_the_reference(table, dtype):
    found = fastmlp.steps.encode(table.X.astype(dtype), table.encodings)
    np.testing.assert_array_equal(found, encoded(table, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("use_sparse", [True, False], ids=["sparse", "dense"])
def test_training_has_the_bits_of_training_on_encoded_columns(table, state, dtype, use_sparse):
    """And so it agrees with the reference, as every training on numbers does."""
    Z, options = encoded(table, dtype), {"dtype": dtype, "input_dropout": 0.2, "seed": 3}
    plain = MLP((Z.shape[1], 70, 3), **options)
    net = MLP((4, 70, 3), encodings=table.encodings, **options)
    for one in (plain, net):
        one.state.use_sparse(use_sparse)
    assert net.state.data(table.X).density == pytest.approx(np.mean(Z != 0), abs=0.03)
    fit = {"epochs": 3, "batch_size": 31, "l2": 1e-3, "validation_data": 0.2}
    plain.fit(Z, table.y, **fit)
    net.fit(table.X, table.y, **fit)
    assert state(net)[1:] == state(plain)[1:]
    np.testing.assert_array_equal(net.forward(table.X), plain.forward(Z))
    assert net.cost(table.X, table.y) == plain.cost(Z, table.y)
    for one, other in zip(
        net.gradients(table.X, table.y), plain.gradients(Z, table.y), strict=True
    ):
        np.testing.assert_array_equal(one[0], other[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_number_of_threads_and_any_instruction_set(
    table, state, fused_isas, monkeypatch, dtype
):
    found = []
    for isa in fused_isas:
        module = kernels.engine(dtype, isa)
        monkeypatch.setattr(kernels, "engine", lambda *_, module=module: module)
        for n_threads in (1, 2, 3):
            for use_sparse in (True, False):
                net = MLP((4, 70, 3), encodings=table.encodings, dtype=dtype)
                net.state.use_sparse(use_sparse)
                net.fit(table.X, table.y, epochs=2, batch_size=40, n_threads=n_threads)
                found.append(state(net))
        monkeypatch.undo()
    assert all(one == found[0] for one in found)


def test_the_reference_network_trains_alike(table):
    net = MLP((4, 20, 3), encodings=table.encodings, dtype="float64", activation="tanh")
    other = reference.Network(
        (50, 20, 3), ["tanh", "softmax"], "cross_entropy", encodings=table.reference
    )
    other.weights, other.biases = net.weights, net.biases
    net.fit(table.X, table.y, epochs=1, batch_size=50, shuffle=False, optimizer="adam")
    other.train(table.X, table.y, np.arange(300), 50, [1e-3] * 6, reference.Optimizer("adam"))
    np.testing.assert_allclose(net.weights[0], other.weights[0], rtol=0, atol=1e-12)


SHAPES = {
    "one column, one output": ((1, 1), [PiecewiseLinear([0, 1])]),
    "one level": ((1, 2), [OneHot(1)]),
    "more bins than a vector": ((1, 5, 2), [PiecewiseLinear(np.arange(100))]),
    "many numbers": ((130, 3, 2), Numeric()),
    "wide one-hot": ((2, 40, 2), [OneHot(3000), OneHot(2)]),
}


@pytest.mark.parametrize(("sizes", "encodings"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("use_sparse", [True, False], ids=["sparse", "dense"])
@pytest.mark.parametrize("m", [1, 2, 130])
def test_degenerate_shapes(rng, sizes, encodings, use_sparse, m):
    X = rng.integers(-1, 1, (m, sizes[0])).astype(float)
    net = MLP(sizes, encodings=encodings, loss="squared_error", dtype="float64")
    net.state.use_sparse(use_sparse)
    Z = fastmlp.steps.encode(X, encodings)
    plain = MLP((Z.shape[1], *sizes[1:]), loss="squared_error", dtype="float64")
    y = rng.normal(size=(m, sizes[-1]))
    net.fit(X, y, epochs=2, batch_size=20)
    plain.fit(Z, y, epochs=2, batch_size=20)
    np.testing.assert_array_equal(net.weights[0], plain.weights[0])
    np.testing.assert_array_equal(net.forward(X), plain.forward(Z))


def test_chunks_and_memory_maps_are_encoded_too(table, state, tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, table.X)
    mapped = np.load(path, mmap_mode="r")
    whole, chunks = (MLP((4, 20, 3), encodings=table.encodings) for _ in range(2))
    whole.fit(table.X, table.y, epochs=2, shuffle=False, batch_size=30)
    pieces = [(table.X[:70], table.y[:70]), (table.X[70:], table.y[70:])]
    chunks.fit(pieces, epochs=2, shuffle=False, batch_size=30)
    assert state(whole) == state(chunks)
    np.testing.assert_array_equal(whole.forward(mapped), whole.forward(table.X))


def test_frozen_first_layers_are_trained_after(table, state):
    """Activations after the encoding and a frozen layer are computed once a fit."""
    Z = fastmlp.steps.encode(table.X.astype(np.float32), table.encodings)
    net = MLP((4, 20, 10, 3), encodings=table.encodings)
    plain = MLP((50, 20, 10, 3))
    for one, X in ((net, table.X), (plain, Z)):
        one.freeze(0)
        one.fit(X, table.y, epochs=2)
    assert state(net)[1:] == state(plain)[1:]
