"""The formulas of docs/derivation.md against central differences: steps.py, on batches.

They are checked for all activations and losses of the page's tables.  The derivation itself and the
errata of the report are checked in test_derivation_errata.py, on one example in plain NumPy.
"""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from fastmlp import steps
from fastmlp.activations import ELU, LeakyReLU
from fastmlp.kernels import operations
from fastmlp.losses import Huber, Quantile

_erf = np.vectorize(math.erf, otypes=[float])


def sigma(z):
    return 1 / (1 + np.exp(-z))


def normal_cdf(z):
    return (1 + _erf(z / math.sqrt(2))) / 2


SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
ACTIVATIONS = {  # the document's table: what steps take, f, f'
    "identity": ("identity", lambda z: z, lambda z: np.ones_like(z)),
    "sigmoid": ("sigmoid", sigma, lambda z: sigma(z) * (1 - sigma(z))),
    "relu": ("relu", lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0)),
    "leaky_relu": (
        LeakyReLU(0.2), lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1, 0.2)
    ),
    "tanh": ("tanh", np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "softplus": ("softplus", lambda z: np.log(1 + np.exp(z)), sigma),
    "elu": (
        ELU(0.7),
        lambda z: np.where(z > 0, z, 0.7 * (np.exp(z) - 1)),
        lambda z: np.where(z > 0, 1, 0.7 * np.exp(z)),
    ),
    "selu": (
        "selu",
        lambda z: SCALE * np.where(z > 0, z, ALPHA * (np.exp(z) - 1)),
        lambda z: SCALE * np.where(z > 0, 1, ALPHA * np.exp(z)),
    ),
    "silu": (
        "silu", lambda z: z * sigma(z), lambda z: sigma(z) + z * sigma(z) * (1 - sigma(z))
    ),
    "gelu": (
        "gelu",
        lambda z: z * normal_cdf(z),
        lambda z: normal_cdf(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "mish": (
        "mish",
        lambda z: z * np.tanh(np.log(1 + np.exp(z))),
        lambda z: (t := np.tanh(np.log(1 + np.exp(z)))) + z * (1 - t**2) * sigma(z),
    ),
    "exponential": ("exponential", np.exp, np.exp),
}


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


COSTS = {  # of each row, from h and y
    "squared_error": lambda h, y: ((y - h) ** 2).sum(axis=-1) / 2,
    "cross_entropy": lambda h, y: -(y * np.log(h)).sum(axis=-1),
    "binary_cross_entropy": lambda h, y: -(y * np.log(h) + (1 - y) * np.log(1 - h)).sum(axis=-1),
    "absolute_error": lambda h, y: abs(h - y).sum(axis=-1),
    "huber": lambda h, y: np.where(
        abs(h - y) <= 0.5, (h - y) ** 2 / 2, 0.5 * (abs(h - y) - 0.25)
    ).sum(axis=-1),
    "quantile": lambda h, y: np.where(
        y > h, QUANTILES * (y - h), (1 - QUANTILES) * (h - y)
    ).sum(axis=-1),
    "poisson": lambda h, y: (h - y * np.log(h)).sum(axis=-1),
    "gamma": lambda h, y: (y / h + np.log(h)).sum(axis=-1),
}
QUANTILES = np.array([0.2, 0.5, 0.7])
LOSSES = {"huber": Huber(0.5), "quantile": Quantile(tuple(QUANTILES))}  # as steps take them


def slopes(function, x, h=1e-5):
    """∂function/∂x by central differences; its shape is that of function(x), then that of x."""
    x = np.array(x, float)
    columns = []
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        columns.append((function(x + step) - function(x - step)) / (2 * h))
    return np.stack(columns, axis=-1).reshape(np.shape(columns[0]) + x.shape)


def agree(found, measured):
    return np.linalg.norm(found - measured) <= 1e-7 * np.linalg.norm(measured)


# ------------------------------------------------------------- the tables of activations and losses


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_slopes_are_those_of_the_table(name):
    function, f, f_prime = ACTIVATIONS[name]
    z = np.concatenate([np.linspace(-6, -0.01, 50), np.linspace(0.01, 6, 50)])
    parameter = getattr(function, "parameter", 0.0)
    a, slope = operations("float64").activate(z, name, parameter)
    np.testing.assert_allclose(a, f(z), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(slope, f_prime(z), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(slope, (f(z + 1e-5) - f(z - 1e-5)) / 2e-5, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "from_a"),
    [
        ("sigmoid", lambda z, a: a * (1 - a)),
        ("relu", lambda z, a: 1.0 * (a > 0)),
        ("leaky_relu", lambda z, a: np.where(a > 0, 1, 0.2)),
        ("tanh", lambda z, a: 1 - a**2),
        ("softplus", lambda z, a: 1 - np.exp(-a)),
        ("elu", lambda z, a: np.where(z > 0, 1, a + 0.7)),
        ("selu", lambda z, a: np.where(z > 0, SCALE, a + SCALE * ALPHA)),
        ("silu", lambda z, a: a + sigma(z) * (1 - a)),
    ],
)
def test_slopes_from_the_activation_are_those_of_the_table(name, from_a):
    _, f, f_prime = ACTIVATIONS[name]
    z = np.linspace(-6, 6, 100)
    np.testing.assert_allclose(from_a(z, f(z)), f_prime(z), rtol=1e-12, atol=1e-14)


def test_selu_of_a_standard_normal_z_has_mean_0_and_variance_1():
    z = np.linspace(-12, 12, 240_001)
    a = operations("float64").activate(z, "selu", 0.0)[0]
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    assert np.trapezoid(a * density, z) == pytest.approx(0, abs=1e-8)
    assert np.trapezoid(a**2 * density, z) == pytest.approx(1, abs=1e-8)


def test_the_slope_at_the_kink_is_that_of_the_left_side():
    kernels = operations("float64")
    for name, parameter, left in [("relu", 0, 0), ("leaky_relu", 0.2, 0.2), ("elu", 0.7, 0.7)]:
        assert kernels.activate(np.zeros(1), name, parameter)[1] == left


def test_a_row_of_softmax_changes_by_h_j_times_kronecker_minus_h_i():
    z = np.array([0.3, -1.2, 0.8])
    h = softmax(z)
    np.testing.assert_allclose(slopes(softmax, z), np.diag(h) - np.outer(h, h), atol=1e-10)


# ---------------------------------------------------------- the seven steps, all rows of the tables

SIZES, M, L2 = (4, 5, 4, 3), 5, 0.1
CASES = [
    *(("squared_error", name) for name in ACTIVATIONS if name != "exponential"),
    *((loss, "tanh") for loss in list(COSTS)[1:]),
]


@pytest.fixture(params=CASES, ids="-".join)
def batch(request):
    """X, y, weights and biases; f, one for each layer, as steps take it and as written here."""
    loss, name = request.param
    rng = np.random.default_rng(0)
    y = {
        "cross_entropy": rng.dirichlet(np.ones(3), M),
        "binary_cross_entropy": rng.uniform(size=(M, 3)),
        "quantile": rng.normal(size=(M, 1)),
        "poisson": rng.poisson(2, (M, 3)),
        "gamma": rng.gamma(3, 1, (M, 3)),
    }.get(loss, rng.normal(size=(M, 3)))
    function, f, _ = ACTIVATIONS[name]
    output = {
        "cross_entropy": ("softmax", softmax),
        "binary_cross_entropy": ("sigmoid", sigma),
        "poisson": ("exponential", np.exp),
        "gamma": ("exponential", np.exp),
    }.get(loss, (function, f))
    return SimpleNamespace(
        loss=loss,
        kind=LOSSES.get(loss, loss),
        X=rng.normal(size=(M, SIZES[0])),
        y=y,
        weights=[rng.normal(size=(n_out, n_in)) for n_in, n_out in pairwise(SIZES)],
        biases=[rng.normal(size=n) for n in SIZES[1:]],
        functions=[function, function, output[0]],
        f=[f, f, output[1]],
    )


def costs(batch, weights, biases):
    """J(W,b;x,y) of every example as the document has it: a neuron and a term at a time."""
    found = []
    for x, y in zip(batch.X, batch.y, strict=True):
        a = x
        for W, b, f in zip(weights, biases, batch.f, strict=True):
            z = [sum(W[i, j] * a[j] for j in range(len(a))) + b[i] for i in range(len(b))]
            a = f(np.array(z))
        found.append(COSTS[batch.loss](a, y))
    return np.array(found)


def J(batch, weights, biases):
    """J(W,b) = 1/m Σ J(W,b;x,y) + λ/2 Σ W²."""
    return costs(batch, weights, biases).mean() + L2 / 2 * sum((W**2).sum() for W in weights)


def with_(items, layer, item):
    """The list with another item in one place."""
    return [*items[:layer], item, *items[layer + 1 :]]


def deltas(batch):
    z, a = steps.forward(batch.X, batch.weights, batch.biases, batch.functions)
    delta_out = steps.output_delta(batch.y, a[-1], z[-1], batch.functions[-1], batch.kind)
    return z, a, steps.hidden_deltas(delta_out, batch.weights, z, batch.functions)


def gradients(batch):
    _, a, delta = deltas(batch)
    layers = zip(delta, a[:-1], batch.weights, strict=True)
    return [steps.batch_gradients(*layer, l2=L2) for layer in layers]


def test_step_1_is_the_sum_over_the_layer_below(batch):
    z, a = steps.forward(batch.X, batch.weights, batch.biases, batch.functions)
    for i, (W, b, f) in enumerate(zip(batch.weights, batch.biases, batch.f, strict=True)):
        expected = [[sum(row * x) + shift for row, shift in zip(W, b, strict=True)] for x in a[i]]
        np.testing.assert_allclose(z[i], expected, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(a[i + 1], f(z[i]), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_steps_2_and_3_are_the_slopes_of_each_cost_by_z(batch, layer):
    z, _, delta = deltas(batch)
    above = slice(layer + 1, None)

    def total(z_l):
        a = batch.f[layer](z_l)
        for W, b, f in zip(batch.weights[above], batch.biases[above], batch.f[above], strict=True):
            a = f(a @ W.T + b)
        return COSTS[batch.loss](a, batch.y).sum()

    assert agree(delta[layer], slopes(total, z[layer]))


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_step_4_is_the_slope_of_each_cost_by_the_parameters(batch, layer):
    _, a, delta = deltas(batch)
    dW, db = steps.example_gradients(delta[layer], a[layer])
    W, b = batch.weights, batch.biases
    assert agree(dW, slopes(lambda W_l: costs(batch, with_(W, layer, W_l), b), W[layer]))
    assert agree(db, slopes(lambda b_l: costs(batch, W, with_(b, layer, b_l)), b[layer]))


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_step_5_is_the_slope_of_J_by_the_parameters(batch, layer):
    dW, db = gradients(batch)[layer]
    W, b = batch.weights, batch.biases
    assert agree(dW, slopes(lambda W_l: J(batch, with_(W, layer, W_l), b), W[layer]))
    assert agree(db, slopes(lambda b_l: J(batch, W, with_(b, layer, b_l)), b[layer]))


def test_step_6_lowers_J_by_alpha_times_the_squared_gradient(batch):
    slope = gradients(batch)
    parameters = list(zip(batch.weights, batch.biases, strict=True))
    squared = sum((g**2).sum() for pair in slope for g in pair)

    def after(alpha):
        return J(batch, *zip(*steps.update(parameters, slope, alpha), strict=True))

    assert (after(1e-6) - after(-1e-6)) / 2e-6 == pytest.approx(-squared, rel=1e-6)


def test_step_7_is_J(batch):
    z, a = steps.forward(batch.X, batch.weights, batch.biases, batch.functions)
    found = steps.cost(batch.y, a[-1], z[-1], batch.weights, batch.kind, L2)
    assert found == pytest.approx(J(batch, batch.weights, batch.biases), rel=1e-13)


def test_the_derivative_by_x_is_the_first_weights_times_delta_2(batch):
    _, _, delta = deltas(batch)

    def total(X):
        return costs(SimpleNamespace(**{**vars(batch), "X": X}), batch.weights, batch.biases).sum()

    assert agree(delta[0] @ batch.weights[0], slopes(total, batch.X))


# ------------------------------------------------------------------------------ batch normalization


@pytest.fixture
def normalized():
    """u, γ and β of a layer with batch norm, and a cost that depends on every z of the batch."""
    rng = np.random.default_rng(3)
    target = rng.normal(size=(6, 4))
    return SimpleNamespace(
        u=rng.normal(size=(6, 4)), gamma=rng.normal(size=4), beta=rng.normal(size=4),
        delta_of=lambda z: np.cos(z) - target,
        summed_cost=lambda z: (np.sin(z) - target * z).sum(),
    )


def test_a_normalized_u_changes_with_every_u_of_its_batch(normalized):
    u = normalized.u[:, :1]
    m = len(u)
    _, u_hat, inverse = steps.batch_norm(u, [1.0], [0.0])
    measured = slopes(lambda u: steps.batch_norm(u, [1.0], [0.0])[1], u)[:, 0, :, 0]
    assert agree(inverse * (np.eye(m) - 1 / m - u_hat @ u_hat.T / m), measured)


def test_batch_norm_delta_is_the_slope_of_the_summed_cost_by_u(normalized):
    n = normalized
    z, u_hat, inverse = steps.batch_norm(n.u, n.gamma, n.beta)
    delta_u, _, _ = steps.batch_norm_delta(n.delta_of(z), u_hat, n.gamma, inverse)
    measured = slopes(lambda u: n.summed_cost(steps.batch_norm(u, n.gamma, n.beta)[0]), n.u)
    assert agree(delta_u, measured)


def test_batch_norm_gradients_by_bias_and_scale_are_means(normalized):
    n = normalized
    m = len(n.u)

    def mean_cost(gamma, beta):
        return n.summed_cost(steps.batch_norm(n.u, gamma, beta)[0]) / m

    z, u_hat, inverse = steps.batch_norm(n.u, n.gamma, n.beta)
    delta = n.delta_of(z)
    by_beta = slopes(lambda beta: mean_cost(n.gamma, beta), n.beta)
    by_gamma = slopes(lambda gamma: mean_cost(gamma, n.beta), n.gamma)
    assert agree(delta.mean(axis=0), by_beta)
    assert agree((delta * u_hat).mean(axis=0), by_gamma)
    _, sum_gamma, sum_beta = steps.batch_norm_delta(delta, u_hat, n.gamma, inverse)
    assert agree(sum_beta / m, by_beta)
    assert agree(sum_gamma / m, by_gamma)
