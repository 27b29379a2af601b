"""A loss written in Python: what comes of it, how it may fail, and its files."""

from __future__ import annotations

import copy
import pickle
import sys

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, kernels, reference, steps
from fastmlp.activations import Tanh
from fastmlp.losses import Custom

M, N_OUT = 300, 3


def value(h, y):
    return np.log(np.cosh(h - y)).sum(axis=1)


def gradient(h, y):
    return np.tanh(h - y)


def half_square(h, y):
    return ((h - y) ** 2).sum(axis=1) / 2


def difference(h, y):
    return h - y


LOG_COSH = (value, gradient)
SQUARED = (half_square, difference)


@pytest.fixture
def examples(rng):
    """X, y and sample weights."""
    return rng.normal(size=(M, 6)), rng.normal(size=(M, N_OUT)), rng.uniform(0.5, 2, M)


def network(loss=LOG_COSH, sizes=(6, 70, N_OUT), **options):
    return MLP(sizes, **{"activation": "tanh", "loss": loss, "dtype": "float64", **options})


def bits(net):
    return b"".join(x.tobytes() for x in [*net.weights, *net.biases])


# ------------------------------------------------------------------------------- what comes of it


@pytest.mark.parametrize("output", ["identity", "sigmoid", "softplus"])
@pytest.mark.parametrize("sizes", [(6, N_OUT), (6, 70, N_OUT), (6, 9, 8, N_OUT)])
@pytest.mark.parametrize("m", [1, 2, 7, M])
def test_gradients_are_central_differences_and_those_of_the_reference(examples, output, sizes, m):
    X, y, s = (x[:m] for x in examples)
    net = network(sizes=sizes, output_activation=output)
    twin = reference.Network(
        sizes,
        [*["tanh"] * (len(sizes) - 2), output],
        reference.Loss(lambda z, h, y: value(h, y), None, gradient),
    )
    twin.weights, twin.biases = net.weights, net.biases
    assert net.cost(X, y, 0.1, sample_weight=s) == pytest.approx(twin.cost(X, y, 0.1, s), rel=1e-13)
    found = net.gradients(X, y, 0.1, sample_weight=s)
    for ours, theirs in zip(found, twin.gradients(X, y, 0.1, s), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-14)
    by_input = net.gradients(X, y, wrt="input", sample_weight=s)
    np.testing.assert_allclose(by_input, twin.input_gradient(X, y, s), rtol=1e-10, atol=1e-14)
    direction = np.random.default_rng(0).normal(size=net.weights[0].shape)
    above, below = (
        net.set_parameters([twin.weights[0] + h * direction, *twin.weights[1:]], twin.biases)
        or net.cost(X, y, 0.1, sample_weight=s)
        for h in (1e-6, -1e-6)
    )
    expected = (above - below) / 2e-6
    assert np.sum(found[0][0] * direction) == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [1, 50, 299, 1000])
def test_a_loss_in_python_trains_as_its_twin_in_the_kernels(examples, dtype, batch_size):
    X, y, s = examples
    ours, theirs = (network(loss, dtype=dtype) for loss in (SQUARED, "squared_error"))
    options = {
        "epochs": 3,
        "batch_size": batch_size,
        "sample_weight": s,
        "l2": 0.01,
        "optimizer": fastmlp.GradientDescent(0.01),
        "validation_data": (X[:50], y[:50]),
    }
    one, other = ours.fit(X, y, **options), theirs.fit(X, y, **options)
    tolerance = {"float64": 1e-12, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(one.cost, other.cost, rtol=tolerance)
    np.testing.assert_allclose(one.validation_cost, other.validation_cost, rtol=tolerance)
    for found, expected in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_the_steps_do_the_same(examples):
    X, y, s = examples
    net = network(output_activation="tanh")
    z, a = steps.forward(X, net.weights, net.biases, "tanh")
    delta = steps.output_delta(y, a[-1], z[-1], "tanh", LOG_COSH)
    dW, _ = steps.batch_gradients(delta, a[-2], net.weights[-1], 0.1, s)
    np.testing.assert_allclose(dW, net.gradients(X, y, 0.1, sample_weight=s)[-1][0], rtol=1e-10)
    J = steps.cost(y, a[-1], z[-1], net.weights, LOG_COSH, 0.1, s)
    assert J == pytest.approx(net.cost(X, y, 0.1, sample_weight=s), rel=1e-13)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_same_bits_for_any_number_of_threads(examples, dtype, batch_norm):
    X, y, s = examples
    nets = [network(dtype=dtype, batch_norm=batch_norm, dropout=0.2) for _ in range(3)]
    for net, threads in zip(nets, (1, 2, 5), strict=True):
        net.fit(X, y, epochs=3, batch_size=200, sample_weight=s, n_threads=threads)
    assert bits(nets[0]) == bits(nets[1]) == bits(nets[2])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_same_bits_in_every_build_with_fused_products(examples, dtype, fused_isas, train):
    X, y, _ = (x.astype(dtype) for x in examples)
    found = set()
    for isa in fused_isas:
        module = kernels.engine(dtype, isa)
        loss = Custom(*SQUARED)
        engine = module.Engine((6, 9, N_OUT), [("tanh", 0.0)] * 2, "custom", 1.0, custom=loss)
        rng = np.random.default_rng(1)
        parameters = [
            (rng.normal(size=(n_out, n_in)), rng.normal(size=n_out))
            for n_in, n_out in [(6, 9), (9, N_OUT)]
        ]
        engine.set_layers([(W.astype(dtype), b.astype(dtype)) for W, b in parameters])
        engine.set_optimizer("adam", (0.9, 0.999, 1e-8))
        data = module.Data(engine, X, y)
        train(engine, data, np.arange(M), 100, 0.01, l2=0.1, threads=2)
        found.add(b"".join(x.tobytes() for layer in engine.get_layers() for x in layer))
    assert len(found) == 1


# --------------------------------------------------------------------------------- how it fails

WRONG = {
    "raises": (lambda h, y: 1 / 0, ZeroDivisionError, "division by zero"),
    "interrupted": (lambda h, y: exec("raise SystemExit(3)"), SystemExit, "3"),
    "None": (lambda h, y: None, TypeError, r"\(h, y\) must be an array of numbers, got None"),
    "text": (lambda h, y: ["a"] * len(h), TypeError, r"\(h, y\) has dtype <U1"),
    "complex": (lambda h, y: h * 1j, TypeError, r"\(h, y\) has dtype complex128"),
    "a number": (lambda h, y: 1.0, ValueError, r"\(h, y\) returned shape \(\); expected"),
    "too long": (lambda h, y: np.zeros((len(h) + 1, 3)), ValueError, "returned shape .* expected"),
    "NaN": (lambda h, y: from_5(h, np.nan), ValueError, r"finite, but at \[5(, 0)?\] it is nan"),
    "infinite": (lambda h, y: from_5(h, -np.inf), ValueError, r"at \[5(, 0)?\] it is -inf"),
}


def from_5(h, wrong):
    """As many numbers as h, the sixth and the seventh row `wrong`."""
    found = np.ones_like(h)
    found[5:7] = wrong
    return found


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("which", ["value", "gradient"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_failure_leaves_the_parameters_as_before_its_batch(examples, threads, which, wrong):
    X, y, _ = examples
    function, error, message = WRONG[wrong]
    batches = []

    def failing(h, y):
        batches.append(len(h))
        result = function(h, y) if len(batches) == 3 else None
        if len(batches) != 3:
            return half_square(h, y) if which == "value" else difference(h, y)
        if which == "value" and isinstance(result, np.ndarray) and result.ndim == 2:
            return result[:, 0]
        return result

    pair = (failing, difference) if which == "value" else (half_square, failing)
    net, other = network(pair), network(SQUARED)
    with pytest.raises(error, match=message):
        net.fit(X, y, batch_size=50, shuffle=False, n_threads=threads)
    assert len(batches) == 3 and net.history.stopped_by == "error" and net.history.epochs == 0
    other.fit(X[:100], y[:100], epochs=1, batch_size=50, shuffle=False)
    assert bits(net) == bits(other)
    net.fit(X, y, epochs=2, batch_size=50, n_threads=threads)  # and it can go on
    assert net.history.epochs == 2


def test_ctrl_c_inside_ends_training_as_anywhere(examples):
    X, y, _ = examples

    def interrupted(h, y):
        raise KeyboardInterrupt

    net = network((half_square, interrupted))
    before = bits(net)
    with pytest.warns(UserWarning, match="Training interrupted"):
        history = net.fit(X, y, n_threads=2)
    assert history.stopped_by == "interrupt" and bits(net) == before


@pytest.mark.parametrize("call", ["cost", "gradients"])
@pytest.mark.parametrize("wrong", ["raises", "None", "NaN", "too long"])
def test_failures_outside_of_training_are_told_too(examples, call, wrong):
    X, y, _ = examples
    function, error, message = WRONG[wrong]
    bad = (lambda h, y: function(h, y)[:, 0]) if wrong in ("NaN", "too long") else function
    with pytest.raises(error, match=message):
        getattr(network((bad, difference)), call)(X, y)


def test_outputs_that_are_not_finite_are_divergence(examples):
    X, y, _ = examples
    asked = []

    def cost(h, y):
        asked.append(np.isfinite(h).all())
        return np.zeros(len(h))

    net = network((cost, lambda h, y: np.full_like(h, 1e200)), sizes=(6, N_OUT))
    before = bits(net)
    optimizer = fastmlp.GradientDescent(1e200)
    with pytest.raises(fastmlp.TrainingDiverged):
        net.fit(X, y, batch_size=100, optimizer=optimizer, n_threads=2)
    assert all(asked) and bits(net) == before
    net.set_parameters([np.full((N_OUT, 6), 1e308)], [np.zeros(N_OUT)])
    with pytest.raises(FloatingPointError, match="outputs for these examples are not finite"):
        net.gradients(X * 1e3, y)


def test_no_reference_is_kept(examples):
    X, y, _ = examples
    net = network(SQUARED)
    before = sys.getrefcount(half_square)
    for _ in range(20):
        net.cost(X, y)
        net.gradients(X, y)
        net.fit(X, y, epochs=1)
    assert sys.getrefcount(half_square) <= before + 1


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        ((value,), ValueError, r"loss as a pair is \(value, gradient\).*got 1 entries"),
        ((value, gradient, value), ValueError, "got 3 entries"),
        ((value, None), TypeError, "takes two functions; gradient is None"),
        (("huber", gradient), TypeError, "takes two functions; value is 'huber'"),
        (value, TypeError, "loss must be one of 'squared_error'"),
    ],
)
def test_what_is_no_loss_is_refused(loss, error, message):
    with pytest.raises(error, match=message):
        network(loss)


def test_targets_are_as_many_as_examples_and_numbers(examples):
    X, y, _ = examples
    with pytest.raises(ValueError, match="y has 299 entries for 300 examples"):
        network().cost(X, y[1:])
    with pytest.raises(TypeError, match="y has dtype <U1"):
        network().fit(X, np.full(M, "a"))
    with pytest.raises(ValueError, match="'softmax' does not go with loss 'custom'"):
        network(output_activation="softmax")
    with pytest.raises(ValueError, match="label_smoothing is for classification"):
        network().fit(X, y, label_smoothing=0.1)


# -------------------------------------------------------------------------------- files, copies


def test_a_file_says_that_there_was_one_and_load_takes_it_again(examples, tmp_path):
    X, y, _ = examples
    path = tmp_path / "net.npz"
    net = network(output_activation=Tanh())
    net.fit(X, y, epochs=1)
    net.save(path, with_optimizer=True)
    loaded = fastmlp.load(path, loss=LOG_COSH)
    assert loaded.loss == net.loss and repr(loaded) == repr(net)
    for one in (net, loaded):
        one.fit(X, y, epochs=1)
    assert bits(loaded) == bits(net)
    with pytest.raises(ValueError, match=r"net.npz has a network whose loss was written in Python"):
        fastmlp.load(path)
    with pytest.raises(TypeError, match="loss must be one of"):
        fastmlp.load(path, loss=value)
    fastmlp.MLP((2, 2)).save(path)
    with pytest.raises(ValueError, match=r"net.npz holds its network's loss: leave out loss"):
        fastmlp.load(path, loss=LOG_COSH)


def test_so_does_that_of_an_ensemble(examples, tmp_path):
    X, y, _ = examples
    ensemble = fastmlp.Ensemble([network(seed=seed) for seed in range(2)])
    ensemble.fit(X, y, epochs=1)
    ensemble.save(tmp_path / "ensemble.npz")
    loaded = fastmlp.load(tmp_path / "ensemble.npz", loss=LOG_COSH)
    np.testing.assert_array_equal(loaded.predict(X), ensemble.predict(X))
    with pytest.raises(ValueError, match=r"pass loss=\(value, gradient\)"):
        fastmlp.load(tmp_path / "ensemble.npz")


@pytest.mark.parametrize("how", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_and_pickles_have_it(examples, how):
    X, y, _ = examples
    net = network()
    net.fit(X, y, epochs=1)
    made = how(net)
    assert made.loss == net.loss
    for one in (net, made):
        one.fit(X, y, epochs=1)
    assert bits(made) == bits(net)


def test_what_cannot_be_pickled_says_so():
    net = network((lambda h, y: value(h, y), gradient))
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda|local object"):
        pickle.dumps(net)


def test_representation_names_the_functions():
    assert "loss=(value, gradient)" in repr(network())
