# ruff: noqa: E741 (l is the report's index of a layer)
"""Every formula of docs/derivation.md, settled by central differences.

The first part follows one example with the report's indices, in plain NumPy; all layers are of
one width there, so that the report's slips have the right shapes too and only their numbers tell.
The second part asks the same of steps.py, for all activations and losses.
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
THE_REPORTS = ["sigmoid", "relu", "leaky_relu"]


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


def differ(found, measured):
    return np.linalg.norm(found - measured) > 1e-2 * np.linalg.norm(measured)


# ----------------------------------------------------------- one example, with the report's indices

NL, N = 5, 4


@pytest.fixture(params=THE_REPORTS)
def net(request):
    """W[l], b[l] for l = 1 … nl−1, z[l], δ[l] for l = 2 … nl, a[l] for l = 1 … nl, y, f and f'."""
    rng = np.random.default_rng(2)
    _, f, f_prime = ACTIVATIONS[request.param]
    W = {l: rng.normal(size=(N, N)) for l in range(1, NL)}
    b = {l: rng.normal(size=N) for l in range(1, NL)}
    a, z, y = {1: rng.normal(size=N)}, {}, rng.normal(size=N)
    for l in range(1, NL):
        z[l + 1] = W[l] @ a[l] + b[l]
        a[l + 1] = f(z[l + 1])
    delta = {NL: -(y - a[NL]) * f_prime(z[NL])}
    for l in range(NL - 1, 1, -1):
        delta[l] = W[l].T @ delta[l + 1] * f_prime(z[l])
    return SimpleNamespace(
        W=W, b=b, z=z, a=a, y=y, f=f, f_prime=f_prime, delta=delta,
        z_out=lambda z_last: W[NL - 1] @ f(z_last) + b[NL - 1],  # z(nl) as a function of z(nl−1)
    )


def cost_from(net, l, z_l):
    """J(W,b;x,y) as a function of z(l)."""
    a = net.f(z_l)
    for k in range(l, NL):
        a = net.f(net.W[k] @ a + net.b[k])
    return COSTS["squared_error"](a, net.y)


def measured_delta(net, l):
    return slopes(lambda z_l: cost_from(net, l, z_l), net.z[l])


@pytest.mark.parametrize("l", range(2, NL + 1))
def test_delta_is_the_slope_of_the_cost_by_z(net, l):
    assert agree(net.delta[l], measured_delta(net, l))


LINES = {  # of the document, from the cost to δ(nl−1), where z is z(nl−1)
    4: lambda n, z: slopes(lambda z: (n.y - n.f(n.z_out(z))) ** 2, z).sum(axis=0) / 2,
    5: lambda n, z: -(n.y - n.f(n.z[NL])) @ slopes(lambda z: n.f(n.z_out(z)), z),
    6: lambda n, z: -(n.y - n.f(n.z[NL])) * n.f_prime(n.z[NL]) @ slopes(n.z_out, z),
    7: lambda n, z: n.delta[NL] @ slopes(n.z_out, z),
    8: lambda n, z: n.delta[NL] @ slopes(lambda z: n.W[NL - 1] @ n.f(z), z),
    9: lambda n, z: np.array([
        sum(n.delta[NL][j] * n.W[NL - 1][j, i] * n.f_prime(z[i]) for j in range(N))
        for i in range(N)
    ]),
    10: lambda n, z: n.W[NL - 1].T @ n.delta[NL] * n.f_prime(z),
}


@pytest.mark.parametrize("line", LINES)
def test_each_line_from_the_cost_to_the_last_hidden_delta_has_the_same_value(net, line):
    assert agree(LINES[line](net, net.z[NL - 1]), measured_delta(net, NL - 1))


@pytest.mark.parametrize("l", range(1, NL))
def test_the_gradient_of_one_example_is_delta_times_a(net, l):
    by_W = slopes(lambda W: cost_from(net, l + 1, W @ net.a[l] + net.b[l]), net.W[l])
    by_b = slopes(lambda b: cost_from(net, l + 1, net.W[l] @ net.a[l] + b), net.b[l])
    assert agree(np.outer(net.delta[l + 1], net.a[l]), by_W)
    assert agree(net.delta[l + 1], by_b)


@pytest.mark.parametrize("l", range(2, NL))
def test_slip_1_step_two_takes_the_slope_at_z_nl(net, l):
    right = -(net.y - net.a[NL]) * net.f_prime(net.z[NL])
    wrong = -(net.y - net.a[NL]) * net.f_prime(net.z[l])
    assert agree(right, measured_delta(net, NL))
    assert differ(wrong, measured_delta(net, NL))


@pytest.mark.parametrize("l", range(2, NL))
def test_slip_2_step_three_sums_over_delta_j(net, l):
    W, delta, slope = net.W[l], net.delta[l + 1], net.f_prime(net.z[l])
    right = [sum(W[j, i] * delta[j] for j in range(N)) * slope[i] for i in range(N)]
    wrong = [sum(W[j, i] * delta[i] for j in range(N)) * slope[i] for i in range(N)]
    assert agree(right, measured_delta(net, l))
    assert differ(wrong, measured_delta(net, l))


@pytest.mark.parametrize("l", range(1, NL - 1))
def test_slip_3_the_last_hidden_delta_goes_through_the_last_weights(net, l):
    slope = net.f_prime(net.z[NL - 1])
    assert agree(net.W[NL - 1].T @ net.delta[NL] * slope, measured_delta(net, NL - 1))
    assert differ(net.W[l].T @ net.delta[NL] * slope, measured_delta(net, NL - 1))


@pytest.mark.parametrize("l", range(1, NL))
def test_slip_4_a_bias_has_one_index(net, l):
    # moving b_i moves z_i once; a b_ij beside every W_ij would move it n_in times
    measured = slopes(lambda b: cost_from(net, l + 1, net.W[l] @ net.a[l] + b), net.b[l])
    one_index = net.delta[l + 1]
    two_indices = np.repeat(net.delta[l + 1][:, None], N, axis=1)
    assert agree(one_index, measured)
    assert differ(two_indices.sum(axis=1), measured)


def test_slip_5_the_fifth_line_differentiates_f(net):
    error = -(net.y - net.f(net.z[NL]))
    right = error @ slopes(lambda z: net.f(net.z_out(z)), net.z[NL - 1])
    wrong = error @ slopes(lambda z: net.f_prime(net.z_out(z)), net.z[NL - 1])
    assert agree(right, measured_delta(net, NL - 1))
    assert differ(wrong, measured_delta(net, NL - 1))


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
