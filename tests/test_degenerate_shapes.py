"""Every public compiled function with sizes of 0 and 1: an empty sum, or an error that says why."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastmlp import augment, losses, reference, steps
from fastmlp.activations import Softmax
from fastmlp.kernels import operations

SIZES = (0, 1, 3)
DTYPES = ("float32", "float64")


@pytest.fixture(params=DTYPES)
def kernels(request):
    return operations(request.param)


def close(kernels, found, expected, case=None):
    assert found.shape == np.shape(expected), case
    assert found.dtype == kernels.DTYPE, case
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=str(case))


# ------------------------------------------------------------------------------- the kernels


@pytest.mark.parametrize("way", ["dense", "sparse", "skipping"])
def test_products(rng, kernels, way):
    for sizes in itertools.product(SIZES, SIZES, SIZES):
        m, n_in, n_out = sizes
        a, W, b, delta = (
            rng.normal(size=size).astype(kernels.DTYPE)
            for size in ((m, n_in), (n_out, n_in), n_out, (m, n_out))
        )
        close(kernels, kernels.forward(a, W, b, way), a @ W.T + b, sizes)
        close(kernels, kernels.hidden_delta(delta, W, way), delta @ W, sizes)
        close(kernels, kernels.weight_gradient(a, delta, way), delta.T @ a, sizes)
        close(kernels, kernels.bias_gradient(delta), delta.sum(axis=0), sizes)


@pytest.mark.parametrize(("m", "n"), [*itertools.product(SIZES, SIZES)])
def test_functions_of_single_numbers(rng, kernels, m, n):
    z = rng.normal(size=(m, n)).astype(kernels.DTYPE)
    for one, expected in zip(kernels.activate(z, "tanh"), reference.ACTIVATIONS["tanh"](z),
                             strict=True):
        close(kernels, one, expected)
    close(kernels, kernels.evaluate("exp", z), np.exp(z))
    for random in (kernels.dropout_factors, kernels.noise):
        numbers = random(m, n, 0.5, 1, 2, 3, 0)
        assert numbers.shape == (m, n)
        assert np.isfinite(numbers).all()
    new, slots = kernels.update_step_on(z, z, [z, abs(z)], "adam", (0.9, 0.999, 1e-8), 0.1)
    assert {one.shape for one in (new, *slots)} == {(m, n)}
    assert np.isfinite(new).all()


@pytest.mark.parametrize("loss", losses.TABLE)
def test_losses(rng, kernels, loss):
    for m, n in itertools.product(SIZES, SIZES):
        z, y = rng.normal(size=(m, n)), rng.uniform(size=(m, n))
        constants = {"huber": (1.0,), "quantile": (0.5,)}.get(loss, ())
        h, delta, cost = kernels.loss(
            z.astype(kernels.DTYPE), y.astype(kernels.DTYPE), loss, constants=constants
        )
        assert h.shape == delta.shape == (m, n)
        assert cost.shape == (m,)
        if n == 0:
            assert not cost.any(), m


@pytest.mark.parametrize(("m", "n"), [*itertools.product(SIZES, SIZES)])
def test_batch_norm(rng, kernels, m, n):
    u, scale, shift = (rng.normal(size=size).astype(kernels.DTYPE) for size in ((m, n), n, n))
    ones = np.ones(m, kernels.DTYPE)
    z, normalized, inverse = kernels.batch_norm(u, scale, shift, 1e-5, ones)
    mean = u.mean(axis=0) if m else np.zeros(n)
    variance = u.var(axis=0) if m else np.zeros(n)
    close(kernels, normalized, (u - mean) / np.sqrt(variance + 1e-5))
    close(kernels, z, scale * normalized + shift)
    np.testing.assert_allclose(inverse, 1 / np.sqrt(variance + 1e-5), rtol=1e-3)
    delta = rng.normal(size=(m, n)).astype(kernels.DTYPE)
    delta_u, d_scale, d_shift = kernels.batch_norm_delta(delta, normalized, scale, inverse, ones)
    assert delta_u.shape == (m, n)
    assert np.isfinite(delta_u).all()
    close(kernels, d_scale, (delta * normalized).sum(axis=0))
    close(kernels, d_shift, delta.sum(axis=0))


# --------------------------------------------------------------------------------- the steps


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_seven_steps(rng, dtype):
    for sizes in itertools.product(SIZES, SIZES, SIZES, SIZES):
        check_the_seven_steps(rng, dtype, *sizes)


def check_the_seven_steps(rng, dtype, m, n_in, n_hidden, n_out):
    X = rng.normal(size=(m, n_in)).astype(dtype)
    sizes = ((n_hidden, n_in), (n_out, n_hidden))
    weights = [rng.normal(size=size).astype(dtype) for size in sizes]
    biases = [rng.normal(size=size[0]).astype(dtype) for size in sizes]
    y = rng.normal(size=(m, n_out)).astype(dtype)
    z, a = steps.forward(X, weights, biases, "tanh")
    assert [one.shape for one in z] == [(m, n_hidden), (m, n_out)]
    np.testing.assert_allclose(z[0], X @ weights[0].T + biases[0], rtol=1e-4, atol=1e-5)
    if n_out == 0:
        for step in (lambda: steps.output_delta(y, a[-1], z[-1], "tanh"),
                     lambda: steps.cost(y, a[-1], z[-1], weights)):
            with pytest.raises(ValueError, match="squared_error needs at least 1 output, got 0"):
                step()
        return
    delta_out = steps.output_delta(y, a[-1], z[-1], "tanh")
    deltas = steps.hidden_deltas(delta_out, weights, z, "tanh")
    assert [one.shape for one in deltas] == [(m, n_hidden), (m, n_out)]
    each = [steps.example_gradients(*layer) for layer in zip(deltas, a[:-1], strict=True)]
    gradients = [
        steps.batch_gradients(*layer) for layer in zip(deltas, a[:-1], weights, strict=True)
    ]
    for one, total in zip(each, gradients, strict=True):
        for of_each, of_all in zip(one, total, strict=True):
            assert of_each.shape == (m, *of_all.shape)
            mean = of_each.mean(axis=0) if m else np.zeros(of_all.shape)
            np.testing.assert_allclose(of_all, mean, rtol=1e-4, atol=1e-5)
    parameters = list(zip(weights, biases, strict=True))
    for old, new in zip(parameters, steps.update(parameters, gradients, 0.1), strict=True):
        assert [one.shape for one in old] == [one.shape for one in new]
    cost = steps.cost(y, a[-1], z[-1], weights)
    squares = ((y - a[-1]) ** 2).sum(axis=1) / 2
    assert cost == pytest.approx(squares.mean() if m else 0, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("m", "n"), [*itertools.product(SIZES, SIZES)])
def test_the_steps_of_batch_norm(rng, m, n):
    u, scale, shift = rng.normal(size=(m, n)), np.ones(n), np.zeros(n)
    if m < 2:
        with pytest.raises(ValueError, match="batch norm needs at least 2 examples"):
            steps.batch_norm(u, scale, shift)
        normalized, inverse = u, scale
    else:
        _, normalized, inverse = steps.batch_norm(u, scale, shift)
        assert normalized.shape == (m, n)
    delta_u, d_scale, d_shift = steps.batch_norm_delta(u, normalized, scale, inverse)
    assert (delta_u.shape, d_scale.shape, d_shift.shape) == ((m, n), (n,), (n,))
    assert np.isfinite(delta_u).all()


@pytest.mark.parametrize("loss", losses.TABLE)
def test_output_delta_and_cost_of_every_loss(loss):
    for m, n in itertools.product((0, 1), (0, 1, 2, 3, 4, 6)):
        check_output_delta_and_cost(loss, m, n)


def check_output_delta_and_cost(loss, m, n):
    """The right shapes, or an error that names what is wrong."""
    kind = losses.TABLE[loss]()
    z, h = np.zeros((m, n)), np.full((m, n), 0.5)
    columns = n // 3 if loss == "quantile" else n
    rows = np.full((m, columns), 0.5)
    if loss == "cross_entropy" and n:
        rows = np.full((m, n), 1 / n)
    fits = n >= kind.min_outputs and (loss != "quantile" or n % 3 == 0)
    for y in (rows, np.zeros(m, int)) if loss == "cross_entropy" else (rows,):
        if fits:
            delta = steps.output_delta(y, h, z, kind.output_activations[0], kind)
            assert delta.shape == (m, n)
            assert np.isfinite(steps.cost(y, h, z, loss=kind))
        else:
            with pytest.raises(ValueError, match=r"needs at least|quantiles take as many outputs"):
                steps.output_delta(y, h, z, kind.output_activations[0], kind)
            with pytest.raises(ValueError, match=r"needs at least|quantiles take as many outputs"):
                steps.cost(y, h, z, loss=kind)


@pytest.mark.parametrize("n_out", [0, 1, 4, 6])
def test_groups_of_softmax_take_all_outputs(n_out):
    W, b = np.ones((n_out, 2)), np.zeros(n_out)
    message = r"groups \(2, 3\) of softmax take 5 outputs together, but z has"
    with pytest.raises(ValueError, match=message):
        steps.forward(np.ones((2, 2)), [W], [b], Softmax((2, 3)))
    z = np.zeros((2, n_out))
    with pytest.raises(ValueError, match=r"groups \(2, 3\) of the loss|needs at least 2 outputs"):
        steps.cost(np.zeros((2, 2), int), z, z, loss=losses.CrossEntropy((2, 3)))


# ----------------------------------------------------------------------------- distortions


@pytest.mark.parametrize("elastic", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 4), "images: X is empty"),
        ((0, 2, 2), "images: X is empty"),
        ((0, 0), "images: X is empty"),
        ((3, 0), "distortions are for square images; 0 inputs are not a square"),
        ((3, 0, 0), "distortions are for square images; 0 inputs are not a square"),
        ((3, 0, 2), "distortions are for square images; 0 inputs are not a square"),
        ((3, 2), "distortions are for square images; 2 inputs are not a square"),
        ((3,), r"images must be \(m, n\) or \(m, side, side\)"),
        ((), r"images must be \(m, n\) or \(m, side, side\)"),
        ((1, 1), None),
        ((3, 1, 1), None),
        ((1, 4), None),
        ((1, 2, 2), None),
    ],
)
def test_distortions_of_few_pixels(shape, message, dtype, elastic):
    distortion = augment.Distortion(rotation=5, elastic=elastic)
    if message is None:
        assert distortion(np.ones(shape), dtype=dtype).shape == shape
        labels = np.zeros(shape[0], int)
        assert distortion(np.ones(shape), labels, dtype=dtype).shape == shape
    else:
        with pytest.raises(ValueError, match=message):
            distortion(np.ones(shape), dtype=dtype)
