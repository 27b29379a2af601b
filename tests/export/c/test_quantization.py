"""fastmlp.export.quantize: networks in 8-bit integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP, activations, reference
from fastmlp.export import Quantized, quantize, to_c

Array = NDArray[Any]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)

HIDDEN = [name for name in activations.TABLE if name not in ("softmax", "exponential")]


def regression(sizes: tuple[int, ...], rng: np.random.Generator, **options: Any) -> MLP:
    """A network with biases, whose outputs are z."""
    net = MLP(sizes, loss="squared_error", seed=3, **options)
    net.set_parameters(net.weights, [rng.normal(size=n) for n in sizes[1:]])
    return net


def in_whole_numbers(net: Quantized, x: Array) -> list[float]:
    """Compute one example by the formulas of the module's description, in Python's integers."""
    scaling = net.input_scaling
    offsets, inverses = (np.broadcast_to(one, x.shape) for one in (scaling.offset, scaling.inverse))
    p = [(value - o) * i for value, o, i in zip(x, offsets, inverses, strict=True)]
    for rounding, layer in zip(net.roundings, net.layers, strict=True):
        # Python's round() rounds halves to even, as C's lrintf does
        k = [round(float(min(max(one, rounding.low), rounding.high))) - rounding.low for one in p]
        q = k if rounding.table is None else [int(rounding.table[one]) for one in k]
        sums = [
            int(bias) + sum(int(w) * one for w, one in zip(row, q, strict=True))
            for row, bias in zip(layer.weight, layer.bias, strict=True)
        ]
        assert max(map(abs, sums)) < 2**31
        p = [np.float32(s) * m for s, m in zip(sums, layer.multiplier, strict=True)]
    return [float(one) for one in p]


@pytest.mark.parametrize("name", ["relu", "elu", "tanh"])
def test_computes_the_formulas_in_whole_numbers(rng: np.random.Generator, name: str) -> None:
    net = quantize(regression((5, 9, 7, 3), rng, activation=name), rng.normal(size=(50, 5)))
    X = 1.5 * rng.normal(size=(20, 5)).astype(np.float32)
    np.testing.assert_array_equal(net.forward(X), [in_whole_numbers(net, x) for x in X])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", HIDDEN)
def test_is_near_the_network_for_every_activation(
    rng: np.random.Generator, name: str, dtype: str
) -> None:
    net = regression((8, 30, 30, 4), rng, activation=name, output_activation=name, dtype=dtype)
    X = rng.uniform(-1, 1, (500, 8))
    h, found = net.forward(X), quantize(net, X).forward(X)
    assert (found.dtype, found.shape) == (np.float32, h.shape)
    spread = h.max() - h.min()
    assert np.abs(found - h).max() < 0.05 * spread
    assert np.abs(found - h).mean() < 0.01 * spread


def test_weights_and_values_are_rounded_by_half_a_step_at_most(rng: np.random.Generator) -> None:
    net = regression((6, 5), rng)
    X = rng.uniform(-2, 3, (400, 6)).astype(np.float32)
    X[:2] = [[-2], [3]]
    W, b = net.weights[0].astype(float), net.biases[0]
    x_step, w_step = (X.max() - X.min()) / 255, np.abs(W).max(axis=1) / 127
    # |Δz| ≤ Σ |w| Δx + Δw Σ |x| + Σ Δw Δx + Δb
    most = (
        np.abs(W).sum(axis=1) * x_step / 2
        + w_step / 2 * np.abs(X).sum(axis=1, keepdims=True)
        + 6 * w_step * x_step / 4
        + w_step * x_step / 2
    )
    difference = np.abs(quantize(net, X).forward(X) - (X.astype(float) @ W.T + b))
    assert (difference <= 1.0001 * most).all()


def test_tables_hold_the_function(rng: np.random.Generator) -> None:
    net = quantize(regression((4, 12, 2), rng, activation="sigmoid"), 9 * rng.normal(size=(99, 4)))
    rounding = net.roundings[1]
    places = np.arange(rounding.low, rounding.high + 1)
    sigmoid = reference.ACTIVATIONS["sigmoid"](places * _step(net))[0] * 255
    # of 0 … 1, which the outputs nearly reach: a quarter of a step for the ends that they miss
    assert np.abs(rounding.table - sigmoid).max() < 0.75


def _step(net: Quantized) -> float:
    """What one place of the first table is worth of z: the first unit's weight tells."""
    x_step = 1 / float(net.input_scaling.inverse)
    layer = net.layers[0]
    reached = np.abs(layer.weight).max(axis=1)
    assert (reached == 127).all()
    W = MLP(net.sizes, loss="squared_error", seed=3).weights[0]
    return float((np.abs(W).max(axis=1) / 127 * x_step / layer.multiplier).mean())


@pytest.mark.parametrize("scale", [1.0, 1 / 255])
def test_bytes_are_taken_as_they_are(rng: np.random.Generator, scale: float) -> None:
    net = MLP((9, 5, 3), uint8_scale=scale)
    X = rng.integers(0, 256, (200, 9)).astype(np.uint8)
    rounded = quantize(net, X // 2)  # also those that are larger than any in calibration
    rows = X.astype(np.float32) * np.float32(scale)
    np.testing.assert_array_equal(rounded.roundings[0](rounded.input_scaling(rows)), X)
    np.testing.assert_array_equal(rounded.forward(X), rounded.forward(rows))


def test_labels_are_those_of_the_network(classes: tuple[Array, Array]) -> None:
    X, y = classes
    net = MLP((6, 16, 16, 3), activation=["gelu", "relu"], batch_norm=True)
    net.fit(X, y, epochs=20, batch_size=23)
    rounded = quantize(net, X[:100])
    assert np.mean(rounded.predict(X) == net.predict(X)) > 0.97
    np.testing.assert_allclose(rounded.forward(X).sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(rounded.predict_proba(X), rounded.forward(X))


@pytest.mark.parametrize("integer_only", [False, True])
def test_z_of_0_has_the_label_of_the_network(integer_only: bool) -> None:
    net = MLP((1, 3), loss="binary_cross_entropy", dtype="float64")
    net.set_parameters([[[1.0], [0.0], [-1.0]]], [[0.0, 0.0, 0.0]])
    X = np.array([[-255.0], [0], [1], [255]])  # of whole steps of 2, and half of one
    rounded = quantize(net, X, integer_only=integer_only)
    np.testing.assert_array_equal(rounded.forward(X)[:, 1], 0.5)
    np.testing.assert_array_equal(rounded.predict(X)[:, 1], net.predict(X)[:, 1])
    np.testing.assert_array_equal(rounded.predict(X[[0, 1, 3]]), net.predict(X[[0, 1, 3]]))


def test_what_is_out_of_range_is_cut_off(rng: np.random.Generator) -> None:
    X = rng.uniform(-1, 2, (100, 3)).astype(np.float32)
    net = quantize(regression((3, 8, 2), rng), X)
    far = np.array([[50, -50, 3e38]], np.float32)
    ends = np.array([[X.max(), X.min(), X.max()]])
    np.testing.assert_array_equal(net.forward(far), net.forward(ends))


def test_averages_count_where_the_network_predicts_by_them(classes: tuple[Array, Array]) -> None:
    X, y = classes
    net = MLP((6, 8, 3))
    net.fit(X, y, epochs=3, ema=0.9)
    averaged = quantize(net, X).layers[0].weight
    net.use_average = False
    assert (averaged != quantize(net, X).layers[0].weight).any()


def test_units_without_weights_keep_their_bias() -> None:
    net = MLP((3, 2, 4), loss="squared_error", dtype="float64")
    net.set_parameters(
        [[[0, 0, 0], [1e-3, 0, 0]], [[0, 0], [1, 0], [0, 1e-9], [0, 0]]], [[5, 0], [0, 0, 7, -1e6]]
    )
    X = np.array([[1.0, 2, 3], [0, 0, 0]])
    np.testing.assert_allclose(quantize(net, X).forward(X), net.forward(X), rtol=1e-6, atol=1e-7)


def test_examples_without_any_range_are_enough() -> None:
    net = MLP((2, 3, 2), activation="tanh")
    np.testing.assert_allclose(quantize(net, np.zeros((1, 2))).forward([[0, 0]]), [[0.5, 0.5]])


def test_more_rows_than_a_block(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    net = regression((3, 5, 2), rng, activation="silu")
    X = rng.normal(size=(50, 3))
    whole = quantize(net, X)
    expected = whole.forward(X)
    monkeypatch.setattr("fastmlp.export.blocks.ROWS_AT_ONCE", 7)
    np.testing.assert_array_equal(quantize(net, X).forward(X), expected)


def test_too_many_inputs_for_32_bits_are_refused() -> None:
    net = MLP((70_000, 2), init=([np.ones((2, 70_000))], [np.zeros(2)]))
    with pytest.raises(ValueError, match="layer 1 has 70,000 inputs, too many for sums of 32 bits"):
        quantize(net, np.ones((1, 70_000)))


@pytest.mark.parametrize(
    ("weight", "message"),
    [(1e200, "layer 2 can reach values beyond the range of float32"), (1e308, "infinite or NaN")],
)
def test_values_beyond_float_are_refused(weight: float, message: str) -> None:
    net = MLP((2, 2, 1), loss="squared_error", dtype="float64")
    net.set_parameters([np.full((2, 2), weight), [[1, 1]]], [[0, 0], [0]])
    with pytest.raises(ValueError, match=message):
        quantize(net, [[1.0, 1.0]])


@pytest.mark.parametrize(
    ("calibration", "error", "message"),
    [
        (np.zeros((2, 3)), ValueError, "calibration: X has 3 columns; this network has 2 inputs"),
        (np.zeros((0, 2)), ValueError, "calibration: X is empty"),
        (np.zeros(2), ValueError, r"calibration: X has shape \(2,\)"),
        ([[0, np.nan]], ValueError, "calibration: X must be finite"),
        (
            scipy.sparse.csr_array((3, 2)),
            TypeError,
            r"calibration: X is sparse; give X.toarray\(\)",
        ),
        (None, TypeError, "calibration: X must be an array of numbers, got None"),
        ([["a", "b"]], TypeError, "calibration: X has dtype"),
    ],
)
def test_bad_examples_are_refused(calibration: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        quantize(MLP((2, 2)), calibration)


def test_only_single_networks_are_taken() -> None:
    with pytest.raises(TypeError, match="net must be an MLP"):
        quantize(fastmlp.Ensemble([MLP((2, 2))]), np.zeros((1, 2)))


@pytest.mark.parametrize("integer_only", [False, True])
def test_networks_equal_themselves_alone(rng: np.random.Generator, integer_only: bool) -> None:
    net, X = regression((3, 5, 2), rng), rng.normal(size=(100, 3))
    one, other = (quantize(net, X, integer_only=integer_only) for _ in range(2))
    assert [one, other].index(other) == 1
    assert {one: 1, other: 2}[one] == 1
    for name in (
        "columns",
        "input_scaling",
        "roundings",
        "layers",
        *["fixed_points"] * integer_only,
    ):
        parts, others = ([*np.atleast_1d(getattr(net, name))] for net in (one, other))
        assert set(parts).isdisjoint(others)


@pytest.mark.parametrize("integer_only", [False, True])
def test_the_representation_has_no_arrays(rng: np.random.Generator, integer_only: bool) -> None:
    net = regression((3, 5, 2), rng)
    net.metadata["note"] = "long"
    shown = repr(quantize(net, rng.normal(size=(100, 3)), integer_only=integer_only))
    assert "sizes=(3, 5, 2), activation=(ReLU(),), output_activation=Identity()" in shown
    for hidden in ("array", "metadata", "columns", "scaling", "rounding", "layers", "fixed_points"):
        assert hidden not in shown


# -------------------------------------------------------------- columns of different units


def folded(net: MLP, deviation: Array, mean: Array) -> MLP:
    """Return a network of raw columns, as `fastmlp train` folds their scaling into layer 1."""
    raw = MLP(net.sizes, activation=net.activation, loss=net.loss, dtype="float64")
    W = [weight.astype(np.float64) for weight in net.weights]
    W[0] /= deviation
    b = [bias.astype(np.float64) for bias in net.biases]
    b[0] -= W[0] @ mean
    raw.set_parameters(W, b)
    return raw


DEVIATION = np.array([1e-4, 1, 10, 3e5, 5, 0.5])
MEAN = np.array([0, 1, -40, 2e5, 2000, 1e4])  # the last two are far from 0


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error", "poisson"])
def test_columns_of_different_units_cost_no_more_than_scaled_ones(
    classes: tuple[Array, Array], loss: str
) -> None:
    X, y = classes
    net = MLP((6, 24, 3 if loss == "cross_entropy" else 1), loss=loss)
    net.fit(X, y, epochs=30, batch_size=20)
    quantized = quantize(folded(net, DEVIATION, MEAN), X * DEVIATION + MEAN)
    assert quantized.agreement > 0.97
    expected = net.forward(X)
    error = np.abs(quantized.forward(X * DEVIATION + MEAN) - expected).max()
    scaled = np.abs(quantize(net, X).forward(X) - expected).max()
    assert error < 1.5 * scaled


def test_outputs_beyond_float32_are_refused_and_large_ones_compared(tmp_path: Path) -> None:
    net = MLP((2, 1), loss="poisson", dtype="float64", init=([np.ones((1, 2))], [np.zeros(1)]))
    rows = np.kron(np.eye(2), np.linspace(0, 80, 100)[:, np.newaxis])
    quantized = quantize(net, rows)  # outputs up to e⁸⁰ ≈ 10³⁵, whose squares float32 lacks
    assert 0 < quantized.agreement <= 1
    with pytest.raises(FloatingPointError, match="calibration: the network's output for X.1. is"):
        quantize(net, [[0, 0], [50, 50]])
    both = [[0, 0], [80, 80]]
    for use in (quantized.forward, lambda X: to_c(quantized, tmp_path / "net.c", examples=X)):
        with pytest.raises(FloatingPointError, match="the network's output for X.1. is not finite"):
            use(both)


@pytest.mark.parametrize("name", ["load_wine", "load_breast_cancer"])
def test_models_of_tables_keep_their_accuracy(name: str) -> None:
    """One step for all columns cost 33 % and 36 % of it."""
    X, y = getattr(pytest.importorskip("sklearn.datasets"), name)(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = np.split(order, [int(0.7 * len(X))])
    mean, deviation = X[train].mean(axis=0), X[train].std(axis=0)
    net = MLP((X.shape[1], 64, 64, int(y.max()) + 1))
    net.fit((X[train] - mean) / deviation, y[train], epochs=60, batch_size=32)
    raw = folded(net, deviation, mean)
    quantized = quantize(raw, X[train])
    accuracy = np.mean(raw.predict(X[test]) == y[test])
    assert accuracy > 0.9
    assert quantized.agreement > 0.99
    assert np.mean(quantized.predict(X[test]) == y[test]) > accuracy - 0.01


def test_an_offset_column_does_not_have_0_in_its_range(rng: np.random.Generator) -> None:
    years = rng.integers(1990, 2021, (400, 1)).astype(np.float64)
    years[:2, 0] = 1990, 2020
    net = MLP((1, 1), loss="squared_error", dtype="float64", init=([[[0.2]]], [[-401.0]]))
    quantized = quantize(net, years)
    # of 30 years a byte is an eighth
    assert np.abs(quantized.forward(years) - net.forward(years)).max() <= 0.2 * 30 / 255
    low, high = quantized.forward([[0.0], [3000.0]])  # clipped to the range
    np.testing.assert_allclose(
        [low[0], high[0]], net.forward([[1990.0], [2020.0]])[:, 0], atol=0.01
    )


def test_a_constant_column_counts_as_its_value(rng: np.random.Generator) -> None:
    X = rng.normal(size=(300, 3)) * [1, 1e-3, 0] + [0, 0, 2020]
    net = MLP((3, 8, 2), loss="squared_error", dtype="float64")
    net = folded(net, np.array([1, 1e-3, 5]), np.array([0, 0, 2020]))
    quantized = quantize(net, X)
    assert quantized.agreement > 0.999
    other = X + [0, 0, 50]
    np.testing.assert_array_equal(quantized.forward(other), quantized.forward(X))


def test_images_share_one_scale_and_keep_unseen_ink(digits_net: MLP) -> None:
    X, _ = fastmlp.datasets.digits()
    quantized = quantize(digits_net, X[:300])
    assert quantized.input_scaling.inverse.shape == ()
    assert quantized.input_scaling.inverse == np.float32(255)
    assert quantized.roundings[0].low == 0
    ink = np.ones((1, 64))  # also where the calibration rows have none
    np.testing.assert_array_equal(quantized.roundings[0](quantized.input_scaling(ink)), 255)
