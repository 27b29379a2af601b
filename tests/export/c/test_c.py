"""fastmlp.export.to_c: the compiled file computes what the network does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp import MLP, activations, losses, reference
from fastmlp.export import quantize

Array = NDArray[Any]
MakeNetwork = Callable[..., MLP]  # see conftest.py
RunC = Callable[..., Any]

pytestmark = pytest.mark.filterwarnings("ignore:.* calibration rows are few")

OUTPUTS = [name for name in activations.TABLE if name != "softmax"]
HIDDEN = [name for name in OUTPUTS if name != "exponential"]  # which would overflow through layers
SIZES = [(1, 1), (3, 2), (17, 5), (2, 1, 3), (9, 16, 1), (7, 33, 6, 2), (5, 3, 1, 8, 4)]
# max |f'| where that is not 1
STEEPEST = {"selu": 1.7581, "silu": 1.0999, "gelu": 1.129, "mish": 1.0886}


def allowed(net: MLP, X: Array, dtype: Any) -> Array:
    """Return the bound on the error of h: that stated for each sum, carried through the layers."""
    u = max(np.finfo(net.dtype).eps, np.finfo(dtype).eps) / 2
    rounded = np.dtype(dtype).itemsize < net.dtype.itemsize  # the weights
    a, error = X.astype(np.float64), np.zeros(X.shape)
    functions = (*net.activation, net.output_activation)
    for W, b, f in zip(*net.folded, functions, strict=True):
        sums = np.abs(a) @ np.abs(W.T) + np.abs(b)
        error = (4 + rounded + 2 * np.sqrt(W.shape[1])) * u * sums + error @ np.abs(W.T)
        z = a @ W.T.astype(np.float64) + b
        a = reference.ACTIVATIONS[f.name](z, f.parameter)[0]
        if f.name == "softmax":
            below = z.max(axis=1, keepdims=True) - z
            worst = error.max(axis=1, keepdims=True)
            return a * (np.expm1(2 * worst) + (24 + z.shape[1] + 4 * below) * u)
        if f.name == "exponential":
            error = a * (np.expm1(error) + (24 + 4 * np.abs(z)) * u)
            continue
        # both functions: a few units in the last place; Φ inherits the rounding of z²
        units = 24 + (2 * z**2 if f.name == "gelu" else 0)
        error = max(STEEPEST.get(f.name, 1), abs(f.parameter)) * error + units * u * np.abs(a)
    return error + np.finfo(dtype).tiny


def assert_close(found: Array, net: MLP, X: Array) -> None:
    difference = np.abs(found.astype(np.float64) - net.forward(X))
    assert (difference <= allowed(net, X, found.dtype)).all()


# ----------------------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_every_activation_in_hidden_and_output_layers(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator, name: str, dtype: str
) -> None:
    hidden = name if name in HIDDEN else "tanh"
    net = make_network((6, 11, 8, 3), activation=hidden, output_activation=name, dtype=dtype)
    X = 3 * rng.normal(size=(60, 6)).astype(dtype)
    assert_close(run_c(net, X).h, net, X)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_depth_and_odd_sizes(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator, sizes: tuple[int, ...]
) -> None:
    net = make_network(sizes, activation="tanh")
    X = rng.normal(size=(40, sizes[0])).astype(np.float32)
    assert_close(run_c(net, X).h, net, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_softmax_and_a_class_in_each_group(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator, dtype: str
) -> None:
    loss = losses.CrossEntropy((3, 2, 5))
    net = make_network((6, 9, 10), loss=loss, dtype=dtype)
    X = 3 * rng.normal(size=(60, 6)).astype(dtype)
    found = run_c(net, X)
    np.testing.assert_allclose(found.h, net.forward(X), rtol=200 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(found.y, net.predict(X))
    twin = quantize(net, X)
    found = run_c(twin, X)
    np.testing.assert_array_equal(found.h, twin.forward(X))
    np.testing.assert_array_equal(found.y, twin.predict(X))
    for first, end in net.output_activation.spans:
        np.testing.assert_allclose(found.h[:, first:end].sum(axis=1), 1, rtol=1e-6)


def test_each_layer_its_own_activation(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator
) -> None:
    mix = [
        activations.LeakyReLU(0.2),
        activations.ELU(1.7),
        activations.LeakyReLU(-0.5),
        "gelu",
        activations.LeakyReLU(0.2),
    ]
    net = make_network((4, 9, 8, 7, 6, 5, 3), activation=mix, dtype="float64")
    X = rng.normal(size=(50, 4))
    assert_close(run_c(net, X).h, net, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bound_of_long_sums_holds(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator, dtype: str
) -> None:
    net = make_network((1500, 40), dtype=dtype)
    X = rng.normal(size=(50, 1500)).astype(dtype)
    assert_close(run_c(net, X).h, net, X)
    # terms of one sign, whose rounding errors are the largest
    net.set_parameters([np.abs(net.weights[0])], [np.abs(net.biases[0])])
    assert_close(run_c(net, np.abs(X)).h, net, np.abs(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(512, 32), (300, 71, 3), (700, 64, 300, 9)], ids=str)
def test_large_layers_in_blocks_of_outputs(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator, sizes: tuple[int, ...],
    dtype: str,
) -> None:  # fmt: skip
    net = make_network(sizes, activation="relu", dtype=dtype)
    X = rng.normal(size=(40, sizes[0])).astype(dtype)
    X[:20][rng.random((20, sizes[0])) < 0.8] = 0  # inputs that are 0 are skipped
    assert_close(run_c(net, X, ["-O3"]).h, net, X)
    net.set_parameters([np.abs(W) for W in net.weights], net.biases)  # terms of one sign
    assert_close(run_c(net, np.abs(X), ["-O3"]).h, net, np.abs(X))
    X[0, -1] = np.nan
    assert np.isnan(run_c(net, X, ["-O3"]).h[0]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_read_back_bit_for_bit(
    run_c: RunC, rng: np.random.Generator, dtype: type[Any]
) -> None:
    info = np.finfo(dtype)
    W = rng.normal(size=(30, 9)).astype(dtype) * np.logspace(-30, 30, 30, dtype=dtype)[:, None]
    W[0, :6] = info.max, info.min, info.tiny, info.smallest_subnormal, -0.0, 1
    net = MLP((9, 30), loss="squared_error", dtype=dtype, init=([W], [np.zeros(30)]))
    np.testing.assert_array_equal(run_c(net, np.eye(9, dtype=dtype)).h, W.T)


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize(("own", "dtype"), [("float64", "float32"), ("float32", "float64")])
def test_the_dtype_can_be_chosen(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator, name: str, own: str,
    dtype: str,
) -> None:  # fmt: skip
    hidden = name if name in HIDDEN else "tanh"
    net = make_network((30, 11, 3), activation=hidden, output_activation=name, dtype=own)
    X = rng.normal(size=(60, 30)).astype(np.float32)
    found = run_c(net, X, dtype=dtype).h
    assert found.dtype == dtype
    assert_close(found, net, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_come_from_z_where_probabilities_are_saturated(run_c: RunC, dtype: str) -> None:
    W, b = [[0.0], [1.0], [2.0]], [400.0, 400.0, 400.0]
    net = MLP((1, 3), init=([W], [b]), dtype=dtype)
    X = np.array([[1000.0], [-1000.0], [0.0]])
    np.testing.assert_array_equal(run_c(net, X).y, [2, 0, 0])
    net = MLP((1, 1), loss="binary_cross_entropy", init=([[[1.0]]], [[0.0]]), dtype=dtype)
    tiny = np.finfo(dtype).tiny
    X = np.array([[1000.0], [tiny], [0.0], [-tiny], [-1000.0]])
    np.testing.assert_array_equal(run_c(net, X).y, [1, 1, 0, 0, 0])


def test_batch_norm_is_folded_in(
    run_c: RunC, classes: tuple[Array, Array], rng: np.random.Generator
) -> None:
    X, y = classes
    net = MLP((6, 13, 9, 3), batch_norm=[True, False], dropout=0.2)
    net.fit(X, y, epochs=5, batch_size=23)
    assert_close(run_c(net, X).h, net, X)


def test_averaged_parameters_are_taken_where_the_network_predicts_by_them(
    run_c: RunC, classes: tuple[Array, Array]
) -> None:
    X, y = classes
    net = MLP((6, 13, 3))
    net.fit(X, y, epochs=3, ema=0.9)
    averaged = run_c(net, X)
    assert_close(averaged.h, net, X)
    net.use_average = False
    assert_close(run_c(net, X).h, net, X)
    assert np.abs(averaged.h - net.forward(X)).max() > 1e-3


# ---------------------------------------------------------------------------------- predictions


@pytest.mark.parametrize(
    ("loss", "output", "n_out"),
    [
        ("cross_entropy", None, 2),
        ("cross_entropy", None, 7),
        ("binary_cross_entropy", None, 1),
        ("binary_cross_entropy", None, 4),
        ("squared_error", "identity", 1),
        ("squared_error", "sigmoid", 3),
        ("huber", None, 1),
        ("absolute_error", None, 2),
        ("poisson", None, 1),
        ("gamma", None, 3),
        ("quantile", None, 6),
        (losses.Quantile((0.5,)), None, 1),
        (losses.Quantile((0.1, 0.2, 0.7, 0.9)), "softplus", 4),
        ((lambda h, y: (h - y) ** 2, lambda h, y: 2 * (h - y)), None, 2),
    ],
)
@pytest.mark.parametrize("quantized", [False, True])
def test_predicts_what_the_loss_says(
    make_network: MakeNetwork,
    run_c: RunC,
    rng: np.random.Generator,
    loss: Any,
    output: str | None,
    n_out: int,
    quantized: bool,
) -> None:
    net = make_network((5, 12, n_out), loss=loss, output_activation=output)
    X = rng.normal(size=(100, 5)).astype(np.float32)
    expected = quantize(net, X) if quantized else net
    found = run_c(expected, X)
    np.testing.assert_array_equal(found.y, net.loss.predict(found.h))
    if net.loss.classification or quantized:
        np.testing.assert_array_equal(found.y, expected.predict(X))


def test_what_is_not_finite_has_a_defined_answer(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator
) -> None:
    net = make_network((3, 8, 4), loss="cross_entropy", activation="gelu")
    X = rng.normal(size=(7, 3)).astype(np.float32)
    calibration = X.copy()
    X[1, 0], X[2, 1], X[3, 2], X[4, 0], X[5] = np.nan, np.inf, -np.inf, 3e38, np.nan
    found = run_c(net, X)
    assert np.isfinite(found.h[[0, 6]]).all()
    assert np.isnan(found.h[[1, 5]]).all()
    assert ((0 <= found.y) & (found.y < 4)).all()

    rounded = quantize(net, calibration)
    found = run_c(rounded, X)
    low, high = calibration.min() - 1, calibration.max() + 1  # beyond the range: cut off there
    seen = np.nan_to_num(X, nan=low, posinf=high, neginf=low)
    np.testing.assert_array_equal(found.h, rounded.forward(seen))
