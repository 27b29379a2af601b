"""Prediction: forward, every layer's activations, cost and both at once, however rows are cut."""

from itertools import product

import numpy as np
import pytest

LOSSES = [
    ("squared_error", "identity"), ("cross_entropy", "softmax"),
    ("binary_cross_entropy", "sigmoid"), ("absolute_error", "identity"), ("huber", "identity"),
    ("quantile", "identity"), ("poisson", "exponential"), ("gamma", "exponential"),
]  # fmt: skip


@pytest.mark.parametrize("m", [0, 1, 2, 16, 119, 120, 121, 500])
def test_prediction_does_not_depend_on_how_rows_are_cut(build, engine, sparse, m):
    for threads in (1, 2, 5):
        made = engine((20, 70, 40, 3), "relu")
        X = sparse(m, 20)
        data = build.engine.Data(made, X)
        h = made.forward(data, threads)
        alone = [made.forward(build.engine.Data(made, X[r : r + 1]), 1)[0] for r in range(m)]
        assert h.shape == (m, 3) and h.tobytes() == np.array(alone, build.dtype).tobytes(), threads
        activations = made.activations(data, threads)
        assert [a.shape for a in activations] == [(m, 70), (m, 40), (m, 3)], threads
        assert activations[-1].tobytes() == h.tobytes(), threads


@pytest.mark.parametrize("threads", [1, 2])
def test_no_prediction_depends_on_those_before_it(build, engine, sparse, rng, threads):
    """A few rows take the memory of the call before; each product tries both ways in turn."""

    def output(made, X, level):
        data = build.engine.Data(made, X)
        if level == 3:
            return made.forward(data, threads).tobytes()
        return made.layer_activations(data, level, threads).tobytes()

    sizes = (40, 70, 100, 3)
    used = engine(sizes, "relu")
    dense, zeros = rng.normal(size=(40, 40)).astype(build.dtype), sparse(40, 40)
    calls = [(dense, 1, 3)] * 8 + [
        (dense, 1, 1), (dense, 1, 3), (dense, 32, 3), (dense, 9, 2), (dense, 40, 3), (dense, 1, 3),
        (zeros, 1, 3), (zeros, 9, 3), (zeros, 9, 2), (dense, 1, 3),
        *((dense, m, 3) for m in range(2, 12)), (dense, 1, 3),  # more kinds than are kept
    ]  # fmt: skip
    for X, m, level in calls:
        assert output(used, X[:m], level) == output(engine(sizes, "relu"), X[:m], level)


def test_outputs_that_are_not_finite_are_an_error_on_request(build, engine):
    made = engine((2, 2))
    dtype = build.engine.DTYPE
    made.set_layers([(np.full((2, 2), 2, dtype), np.zeros(2, dtype))])
    data = build.engine.Data(made, np.full((3, 2), np.finfo(dtype).max, dtype))
    assert np.isinf(made.forward(data, 1)).all()
    with pytest.raises(FloatingPointError, match="outputs are not finite"):
        made.forward(data, 1, require_finite=True)
    finite = build.engine.Data(made, np.ones((3, 2), dtype))
    assert (made.forward(finite, 1, require_finite=True) == 4).all()


def test_activations_are_those_of_each_layer(build, engine, sparse, parameters):
    made = engine((20, 70, 40, 3), "sigmoid", "tanh")
    X = a = sparse(33, 20)
    W1, b1, W2, b2, W3, b3 = parameters(made)
    activations = made.activations(build.engine.Data(made, X), 1)
    for activation, W, b, name in zip(
        activations, (W1, W2, W3), (b1, b2, b3), ("sigmoid", "sigmoid", "tanh"), strict=True
    ):
        a, _ = build.operations.activate(build.operations.forward(a, W, b), name)
        assert activation.tobytes() == a.tobytes()


@pytest.mark.parametrize(("loss", "output"), LOSSES)
def test_cost_does_not_depend_on_the_threads(problem, loss, output):
    for threads, weighted in product((1, 2, 5), (False, True)):
        made, data = problem(loss, output, m=90, weighted=weighted)
        assert made.evaluate(data, threads)[:2] == made.evaluate(data, 1)[:2], (threads, weighted)


def test_no_example_has_no_cost(build, engine):
    made = engine((3, 2))
    empty = build.engine.Data(made, np.zeros((0, 3), build.dtype), np.zeros((0, 2), build.dtype))
    assert made.evaluate(empty, 2)[:2] == (0, 0)
    cost, weight, h = made.evaluate(empty, 2)
    assert (cost, weight, h.shape) == (0, 0, (0, 2))


@pytest.mark.parametrize(("loss", "output"), LOSSES)
def test_an_evaluation_is_cost_and_forward_in_one_pass(problem, loss, output):
    for threads in (1, 2, 5):
        made, data = problem(loss, output, m=90, weighted=True)
        cost, weight, h = made.evaluate(data, threads)
        assert (cost, weight) == made.evaluate(data, 1)[:2], threads
        assert h.tobytes() == made.forward(data, 1).tobytes(), threads
