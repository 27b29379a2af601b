# ruff: noqa: E741 (l is the report's index of a layer)
"""The derivation and the errata of docs/derivation.md on one example, by central differences.

The formulas are written in plain NumPy with the report's indices.  All layers have the same width,
so that shapes do not reveal the errors of the report and only their values do.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "derivation.md"


def sigma(z):
    return 1 / (1 + np.exp(-z))


ACTIVATIONS = {  # of the report: f and f'
    "sigmoid": (sigma, lambda z: sigma(z) * (1 - sigma(z))),
    "relu": (lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0)),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1, 0.2)
    ),
}


def slopes(function, x, h=1e-5):
    """∂function/∂x by central differences; its shape is that of function(x), then that of x."""
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


NL, N = 5, 4


def network(activation):
    """W[l], b[l] for l = 1 … nl−1, z[l], δ[l] for l = 2 … nl, a[l] for l = 1 … nl, y, f and f'."""
    rng = np.random.default_rng(2)
    f, f_prime = ACTIVATIONS[activation]
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


@pytest.fixture(params=ACTIVATIONS)
def net(request):
    return network(request.param)


def cost_from(net, l, z_l):
    """J(W,b;x,y) as a function of z(l)."""
    a = net.f(z_l)
    for k in range(l, NL):
        a = net.f(net.W[k] @ a + net.b[k])
    return ((net.y - a) ** 2).sum() / 2


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


@pytest.mark.parametrize("width", [2, 4, 5, 6])
def test_slip_3_the_sum_of_step_three_runs_over_the_layer_above(width):
    # W leads from 3 neurons to `width` neurons; the cost is a function of these
    rng = np.random.default_rng(4)
    W, y, z = rng.normal(size=(width, 3)), rng.normal(size=width), rng.normal(size=3)

    def delta(n_terms):
        error = W @ sigma(z) - y
        slope = sigma(z) * (1 - sigma(z))
        return np.array([
            sum(W[j, i] * error[j] for j in range(n_terms)) * slope[i] for i in range(3)
        ])

    measured = slopes(lambda z: ((W @ sigma(z) - y) ** 2).sum() / 2, z)
    assert agree(delta(width), measured)
    if width < 3 + 1:
        with pytest.raises(IndexError):
            delta(3 + 1)
    else:
        assert agree(delta(3 + 1), measured) == (width == 3 + 1)
        assert differ(delta(3 + 1), measured) == (width != 3 + 1)


@pytest.mark.parametrize("l", range(1, NL - 1))
def test_slip_4_the_last_hidden_delta_goes_through_the_last_weights(net, l):
    slope = net.f_prime(net.z[NL - 1])
    assert NL not in net.W
    assert agree(net.W[NL - 1].T @ net.delta[NL] * slope, measured_delta(net, NL - 1))
    assert differ(net.W[l].T @ net.delta[NL] * slope, measured_delta(net, NL - 1))


@pytest.mark.parametrize("l", range(1, NL))
def test_slip_5_a_bias_has_one_index(net, l):
    # changing b_i changes z_i once; changing a b_ij for each W_ij changes it n_in times
    measured = slopes(lambda b: cost_from(net, l + 1, net.W[l] @ net.a[l] + b), net.b[l])
    one_index = net.delta[l + 1]
    two_indices = np.repeat(net.delta[l + 1][:, None], N, axis=1)
    assert agree(one_index, measured)
    assert differ(two_indices.sum(axis=1), measured)


def test_slip_6_an_output_is_compared_with_its_own_target(net):
    z = net.z[NL - 1]
    for line in (4, 5, 6):
        assert agree(LINES[line](net, z), measured_delta(net, NL - 1))
        # δ_i by the line in which every target is y_i
        all_y_i = [SimpleNamespace(**{**vars(net), "y": np.full(N, y_i)}) for y_i in net.y]
        printed = [LINES[line](one, z)[i] for i, one in enumerate(all_y_i)]
        assert differ(np.array(printed), measured_delta(net, NL - 1))


def fifth_line(net):
    """Σ_j −(y_j − a_j) … for every i, where … stands for what four readings of the line have."""
    z, error = net.z[NL - 1], -(net.y - net.a[NL])
    by_z = slopes(net.z_out, z)     # ∂z_j(nl)/∂z_i
    product = slopes(               # ∂/∂z_i of f'(z_j(nl)) ∂z_j(nl)/∂z_i, for each i
        lambda z: net.f_prime(net.z_out(z))[:, None] * net.W[NL - 1] * net.f_prime(z), z
    )
    return {
        "struck": error * net.f_prime(net.z[NL]) @ by_z,
        "printed, of f'": error @ (slopes(lambda z: net.f_prime(net.z_out(z)), z) * by_z),
        "printed, of the product": error @ np.diagonal(product, axis1=1, axis2=2),
        "with f": error @ (slopes(lambda z: net.f(net.z_out(z)), z) * by_z),
    }


def test_slip_7_the_fifth_line_has_one_derivative_too_many(net):
    values = fifth_line(net)
    assert agree(values.pop("struck"), measured_delta(net, NL - 1))
    for value in values.values():
        assert differ(value, measured_delta(net, NL - 1))


def test_the_numbers_of_the_fifth_line_are_those_of_the_page():
    net = network("sigmoid")
    paragraph = PAGE.read_text(encoding="utf-8").split("In numbers, for the fourth neuron")[1]
    numbers = re.findall(r"−?\d\.\d{4}", paragraph)
    found = [value[3] for value in fifth_line(net).values()]
    assert found[0] == pytest.approx(measured_delta(net, NL - 1)[3], rel=1e-7)
    assert numbers == [f"{value:.4f}".replace("-", "−") for value in found]


@pytest.mark.parametrize("l", range(1, NL))
def test_slip_8_the_weight_gradient_is_the_slope_of_J_by_z_times_that_of_z_by_W(net, l):
    by_W = slopes(lambda W: cost_from(net, l + 1, W @ net.a[l] + net.b[l]), net.W[l])
    z_by_W = slopes(lambda W: W @ net.a[l] + net.b[l], net.W[l])    # (i, i, j): 0 off the row i
    correct = measured_delta(net, l + 1)[:, None] * np.einsum("iij->ij", z_by_W)
    assert agree(correct, by_W)


def test_slip_9_step_five_has_an_index_for_the_example_and_one_for_the_row():
    # a layer with identity: J = 1/m Σ ½‖W a − y‖², with as many examples as rows of W
    rng = np.random.default_rng(5)
    W, a, y = rng.normal(size=(N, 3)), rng.normal(size=(N, 3)), rng.normal(size=(N, N))
    delta = a @ W.T - y             # (example, row)
    measured = slopes(lambda W: ((a @ W.T - y) ** 2).sum() / (2 * N), W)
    printed = sum(delta[i, i] * a[i] for i in range(N)) / N      # the same for every row of W
    assert agree(delta.T @ a / N, measured)
    assert differ(np.tile(printed, (N, 1)), measured)


def deviations():
    """‖printed − measured‖ / ‖measured‖ of the errata that have a value, sigmoid network."""
    net = network("sigmoid")
    hidden, error = NL - 1, -(net.y - net.a[NL])
    measured = measured_delta(net, hidden)
    all_y_i = [SimpleNamespace(**{**vars(net), "y": np.full(N, y_i)}) for y_i in net.y]
    readings = {
        "step 2": (error * net.f_prime(net.z[hidden]), measured_delta(net, NL)),
        "step 3": (
            net.W[hidden].sum(axis=0) * net.delta[NL] * net.f_prime(net.z[hidden]), measured
        ),
        "biases": (N * net.delta[NL], net.delta[NL]),
        "target": (np.array([LINES[6](one, net.z[hidden])[i] for i, one in enumerate(all_y_i)]),
                   measured),
        "fifth line": (fifth_line(net)["printed, of f'"], measured),
    }
    return {
        name: np.linalg.norm(found - right) / np.linalg.norm(right)
        for name, (found, right) in readings.items()
    }


def test_the_deviations_of_the_errata_are_those_of_the_page():
    page = (PAGE.parent / "reading_the_report.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| .* \| (\d+) % \|$", page, re.MULTILINE)
    assert shown == [f"{100 * value:.0f}" for value in deviations().values()]
