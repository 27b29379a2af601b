"""What a network computes from examples: predictions, costs and gradients."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
import scipy.sparse

from fastmlp import MLP
from fastmlp.activations import ELU, LeakyReLU
from fastmlp.prediction import LARGE
from fastmlp.support import threads as support_threads

DENSE = {
    "list": lambda X: X.tolist(),
    "fortran order": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "from behind": lambda X: X[::-1].copy()[::-1],
    "big-endian": lambda X: X.astype(">f4"),
    "float64": lambda X: X.astype(np.float64),
    "float16": lambda X: X.astype(np.float16),
    "int64": lambda X: X.astype(np.int64),
    "int8": lambda X: X.astype(np.int8),
}
SPARSE = ("csr", "csc", "coo", "lil", "dok", "bsr")


@pytest.fixture
def threads(monkeypatch):
    """Set the number of threads."""
    return lambda n: monkeypatch.setattr(support_threads, "_chosen", n)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_forward_is_the_formula(rng):
    net = MLP((5, 4, 3), activation="tanh", init="normal", dtype="float64")
    X = rng.normal(size=(7, 5))
    (W1, W2), (b1, b2) = net.weights, net.biases
    hidden = np.tanh(X @ W1.T + b1)
    h = softmax(hidden @ W2.T + b2)
    np.testing.assert_allclose(net.forward(X), h, rtol=1e-12)
    np.testing.assert_allclose(net.predict_proba(X), h, rtol=1e-12)
    np.testing.assert_array_equal(net.predict(X), h.argmax(axis=1))
    found = net.activations(X)
    np.testing.assert_allclose(found[0], hidden, rtol=1e-12)
    np.testing.assert_allclose(found[1], h, rtol=1e-12)


def test_parameters_of_activations_count(rng):
    X = rng.normal(size=(7, 5))
    nets = [
        MLP((5, 4, 2), activation=f, loss="squared_error")
        for f in (LeakyReLU(), LeakyReLU(0.5), ELU(), ELU(2.0))
    ]
    results = [net.forward(X) for net in nets]
    assert not np.allclose(results[0], results[1])
    assert not np.allclose(results[2], results[3])


def test_binary_labels_come_from_probabilities_above_one_half(rng):
    X = rng.normal(size=(20, 3))
    one, several = (MLP((3, n), loss="binary_cross_entropy", init="normal") for n in (1, 4))
    assert one.predict_proba(X).shape == (20, 1)
    np.testing.assert_array_equal(one.predict(X), one.forward(X)[:, 0] > 0.5)
    np.testing.assert_array_equal(several.predict(X), several.forward(X) > 0.5)
    assert one.predict(X).dtype.kind == "i"


def test_regression_predicts_values_of_the_shape_of_its_targets(rng):
    X = rng.normal(size=(20, 3))
    one, several = (MLP((3, n), loss="squared_error") for n in (1, 4))
    np.testing.assert_array_equal(one.predict(X), one.forward(X)[:, 0])
    np.testing.assert_array_equal(several.predict(X), several.forward(X))
    with pytest.raises(ValueError, match="values, not probabilities"):
        one.predict_proba(X)


@pytest.mark.parametrize("convert", DENSE.values(), ids=DENSE)
def test_dense_examples_of_any_kind_are_taken(net, rng, convert):
    X = rng.integers(-3, 4, (11, 6)).astype(np.float32)
    np.testing.assert_array_equal(net.forward(convert(X)), net.forward(X))


def test_booleans_are_zero_and_one(net, rng):
    X = rng.random((11, 6)) > 0.5
    np.testing.assert_array_equal(net.forward(X), net.forward(X.astype(np.float32)))


def test_read_only_examples_are_taken(net, rng):
    X = rng.normal(size=(11, 6)).astype(np.float32)
    expected = net.forward(X)
    X.flags.writeable = False
    np.testing.assert_array_equal(net.forward(X), expected)


@pytest.mark.parametrize("scale", [1 / 255, 1.0])
def test_bytes_are_scaled(rng, scale):
    net = MLP((6, 8, 3), uint8_scale=scale)
    X = rng.integers(0, 256, (11, 6)).astype(np.uint8)
    scaled = X.astype(np.float32) * np.float32(scale)
    np.testing.assert_array_equal(net.forward(X), net.forward(scaled))
    np.testing.assert_array_equal(net.forward(scipy.sparse.csr_array(X)), net.forward(scaled))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
@pytest.mark.parametrize("form", SPARSE)
def test_sparse_examples_of_any_format_are_taken(net, rng, form, dtype):
    X = (rng.normal(size=(30, 6)) * (rng.random((30, 6)) < 0.3)).astype(dtype)
    given = scipy.sparse.csr_array(X).asformat(form)
    np.testing.assert_allclose(
        net.forward(given), net.forward(X.astype(np.float32)), rtol=1e-5, atol=1e-6
    )


def test_sparse_examples_may_be_unsorted_and_repeated(net):
    indices, pointers = np.array([4, 1, 1, 0]), np.array([0, 3, 3, 4])
    X = scipy.sparse.csr_array((np.array([1.0, 2.0, 3.0, 4.0]), indices, pointers), shape=(3, 6))
    dense = np.array([[0, 5, 0, 0, 1, 0], [0] * 6, [4, 0, 0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(net.forward(X), net.forward(dense), rtol=1e-6)
    np.testing.assert_array_equal(X.indices, indices)  # what was given stays as it was


def test_several_threads_may_predict_at_once(rng):
    net = MLP((64, 128, 10))
    X = rng.normal(size=(2000, 64)).astype(np.float32)
    expected = net.forward(X)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(net.forward, [X] * 12):
            np.testing.assert_array_equal(found, expected)


def test_several_threads_may_predict_a_few_rows_at_once(rng):
    net = MLP((784, 1024, 10))
    X = rng.normal(size=(400, 4, 784)).astype(np.float32)
    expected = [net.forward(rows) for rows in X]
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(net.forward, X)), expected)


@pytest.mark.parametrize("n_rows", [1, 2, 7])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "tanh", "dtype": "float64"},
        {"batch_norm": True},
        {"loss": "squared_error"},
    ],
    ids=str,
)
def test_threads_that_pass_a_few_rows_together_change_no_bit(rng, threads, n_rows, options):
    """The network has so many parameters that two threads divide the columns of any such pass."""
    net = MLP((700, 1500, 1300, 150), **options)
    X = rng.normal(size=(n_rows, 700)).astype(net.dtype) * (rng.random((n_rows, 700)) < 0.6)
    y = rng.integers(0, 150, n_rows) if net.loss.classification else rng.normal(size=(n_rows, 150))

    def found(n_threads):
        threads(n_threads)
        return [
            *net.activations(X),
            net.forward(X),
            net.forward(scipy.sparse.csr_array(X)),
            np.array(net.cost(X, y)),
        ]

    for one, two in zip(found(1), found(2), strict=True):
        np.testing.assert_array_equal(one, two)


def test_calls_that_follow_one_another_at_once_give_the_same_bits(rng, threads):
    net = MLP((784, 256, 256, 10))
    X = rng.normal(size=(50, 1, 784)).astype(np.float32)
    threads(1)
    expected = [net.forward(row) for row in X]
    threads(2)
    np.testing.assert_array_equal([net.forward(row) for row in X], expected)


def test_calls_of_many_kinds_by_turns_give_the_same_bits(rng, threads):
    """Ten numbers of rows a thread: more than workspaces are kept for."""
    net = MLP((784, 256, 256, 10))
    sizes = (1, 2, 3, 4, 5, 6, 7, 12, 20, 30, 99, 100, 250)
    parts = [rng.normal(size=(n_rows, 784)).astype(np.float32) for n_rows in sizes]

    def found():
        return [one for X in parts for one in (net.forward(X), *net.activations(X))]

    threads(1)
    expected = found()
    threads(2)
    for _ in range(6):
        for one, other in zip(found(), expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n", [1, 2])
def test_numbers_that_are_not_finite_are_named_also_in_a_large_array(rng, threads, n):
    """Whose numbers are checked as they are read; what is found holds for that call alone."""
    net = MLP((100, 40, 3), seed=0)
    threads(n)
    for dtype, value in product((np.float32, np.float64), (np.nan, np.inf, -np.inf, 1e39)):
        X = rng.normal(size=(LARGE // 100 + 1, 100)).astype(dtype)
        expected = net.predict_proba(X[:-1])
        with np.errstate(over="ignore"):
            X[-1, 7] = value
        found = "too large" if dtype == np.float64 and value == 1e39 else "must be finite"
        with pytest.raises(ValueError, match=found) as error:
            net.predict(X)
        assert f"X[{len(X) - 1}, 7] is {X[-1, 7]}" in str(error.value)
        X[-1, 7] = X[-1, 6]
        np.testing.assert_array_equal(net.predict_proba(X)[:-1], expected)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("sizes", [(4, 3), (4, 200), (4, 200, 1)])
def test_outputs_that_are_not_finite_are_an_error_of_their_example_alone(rng, threads, n, sizes):
    net = MLP(sizes, activation="identity", loss="squared_error", seed=0)
    threads(n)
    for m in (1, 3, 8, 500):
        X = rng.normal(size=(m, 4)).astype(np.float32)
        expected = net.forward(X)
        X[m // 2] = 3e38
        with pytest.raises(FloatingPointError, match=rf"output for X\[{m // 2}\] is not finite"):
            net.forward(X)
        X[m // 2] = X[0] if m // 2 else 1
        np.testing.assert_array_equal(np.delete(net.forward(X), m // 2, 0),
                                      np.delete(expected, m // 2, 0))


# --------------------------------------------------------------------- cost and gradients


def test_cost_is_the_formula(rng):
    net = MLP((5, 4, 3), init="normal", dtype="float64")
    X, y, s = rng.normal(size=(9, 5)), rng.integers(0, 3, 9), rng.random(9)
    each = -np.log(net.forward(X)[np.arange(9), y])
    penalty = 0.3 / 2 * sum((W**2).sum() for W in net.weights)
    assert net.cost(X, y) == pytest.approx(each.mean(), rel=1e-12)
    assert net.cost(X, y, l2=0.3) == pytest.approx(each.mean() + penalty, rel=1e-12)
    assert net.cost(X, y, sample_weight=s) == pytest.approx((s * each).sum() / s.sum(), rel=1e-12)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "squared_error"])
def test_gradients_are_central_differences(rng, loss):
    net = MLP((4, 5, 3), activation="gelu", loss=loss, init="normal", dtype="float64")
    X, y, s = rng.normal(size=(6, 4)), rng.random((6, 3)), rng.random(6)
    y /= y.sum(axis=1, keepdims=True)
    weights, biases = ([one.copy() for one in group] for group in (net.weights, net.biases))
    found = net.gradients(X, y, l2=0.1, sample_weight=s)

    def cost() -> float:
        net.set_parameters(weights, biases)
        return net.cost(X, y, l2=0.1, sample_weight=s)

    def slope(array, place) -> float:
        middle, h = array[place], 1e-6
        array[place] = middle + h
        above = cost()
        array[place] = middle - h
        below = cost()
        array[place] = middle
        return (above - below) / (2 * h)

    for layer, (dW, db) in enumerate(found):
        for gradient, array in ((dW, weights[layer]), (db, biases[layer])):
            expected = [slope(array, place) for place in np.ndindex(array.shape)]
            np.testing.assert_allclose(gradient.ravel(), expected, rtol=1e-6, atol=1e-8)
    net.set_parameters(weights, biases)
    expected = [slope(X, place) for place in np.ndindex(X.shape)]
    by_input = net.gradients(X, y, l2=0.1, sample_weight=s, wrt="input")
    np.testing.assert_allclose(by_input.ravel(), expected, rtol=1e-6, atol=1e-8)


def test_unknown_direction_of_a_gradient_is_explained(net, classes):
    with pytest.raises(ValueError, match="unknown wrt 'inputs'; did you mean 'input'"):
        net.gradients(*classes, wrt="inputs")


@pytest.mark.parametrize("call", ["forward", "activations", "predict", "predict_proba"])
def test_examples_are_checked_before_prediction(net, call):
    with pytest.raises(ValueError, match="X has 5 columns; this network has 6 inputs"):
        getattr(net, call)(np.zeros((2, 5)))


@pytest.mark.parametrize("call", ["cost", "gradients", "fit"])
def test_targets_are_checked(net, classes, call):
    X, y = classes
    with pytest.raises(ValueError, match="y has 229 entries for 230 examples in X"):
        getattr(net, call)(X, y[1:])
