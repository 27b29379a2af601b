"""The NumPy network against central differences, numbers computed by hand, SciPy and PyTorch."""

import ast
import math
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from fastmlp import reference
from fastmlp.reference import ACTIVATIONS, LOSSES, Network, Optimizer

OUTPUT = ("softmax", "exponential")  # at the output alone
HIDDEN = [*(name for name in ACTIVATIONS if name not in OUTPUT), ("leaky_relu", 0.3), ("elu", 0.7)]
CONSTANTS = {"huber": (0.5,), "quantile": (0.2, 0.5, 0.7)}
SIZES = {1: (4, 3), 2: (4, 5, 3), 3: (4, 5, 6, 3)}  # by number of weight layers
M = 6


def network(activation, loss, depth=2, dtype="float64", **options):
    """A network with random parameters; its output has `activation` too if the loss lets it."""
    rng = np.random.default_rng(depth)
    output = LOSSES[loss].output or activation
    kind = (loss, *CONSTANTS.get(loss, ()))
    net = Network(SIZES[depth], [activation] * (depth - 1) + [output], kind, dtype, **options)
    net.weights = [rng.normal(0, 0.7, W.shape).astype(dtype) for W in net.weights]
    net.biases = [rng.normal(0, 0.7, b.shape).astype(dtype) for b in net.biases]
    return net


def examples(loss, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(M, 4))
    targets = {
        "cross_entropy": rng.dirichlet(np.ones(3), M),
        "binary_cross_entropy": rng.uniform(size=(M, 3)),
        "quantile": rng.normal(size=(M, 1)),
        "poisson": rng.poisson(2, (M, 3)).astype(float),
        "gamma": rng.gamma(3, 1, (M, 3)),
    }
    return X, targets.get(loss, rng.normal(size=(M, 3))), rng.uniform(0.5, 2, M)


def central_differences(J, array, h=1e-5):
    """∂J/∂array, an entry at a time, where J() reads the array."""
    slope = np.empty_like(array)
    for i in np.ndindex(array.shape):
        kept = array[i]
        array[i] = kept + h
        above = J()
        array[i] = kept - h
        slope[i] = (above - J()) / (2 * h)
        array[i] = kept
    return slope


def distance(found, expected):
    """Relative, of lists of arrays as one vector."""
    found, expected = (np.concatenate([x.ravel() for x in xs]) for xs in (found, expected))
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def flat(pairs):
    return [array for pair in pairs for array in pair]


def test_it_imports_nothing_but_numpy_and_the_standard_library():
    imports = [
        node
        for path in Path(reference.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    names = {name.name for node in imports if isinstance(node, ast.Import) for name in node.names}
    names |= {"." * n.level + (n.module or "") for n in imports if isinstance(n, ast.ImportFrom)}
    assert {name for name in names if not name.startswith(".")} <= {
        "math", "collections.abc", "itertools", "typing", "numpy", "numpy.typing"
    }
    assert {name for name in names if name.startswith(".")} == {
        ".encodings", ".functions", ".network", ".optimizers"
    }


# ------------------------------------------------------------------------------------ gradients


@pytest.mark.parametrize("activation", HIDDEN, ids=str)
def test_gradients_are_central_differences(activation):
    for loss, depth in product(LOSSES, SIZES):
        net = network(activation, loss, depth)
        X, y, s = examples(loss)

        J = partial(net.cost, X, y, 0.1, s)
        parameters = flat(zip(net.weights, net.biases, strict=True))
        measured = [central_differences(J, p) for p in parameters]
        case = loss, depth
        assert distance(flat(net.gradients(X, y, 0.1, s)), measured) < 1e-7, case
        assert distance([net.input_gradient(X, y, s)], [central_differences(J, X)]) < 1e-7, case


@pytest.mark.parametrize("activation", HIDDEN, ids=str)
def test_slope_is_the_derivative_of_f(activation):
    name, *p = (activation,) if isinstance(activation, str) else activation
    z = np.concatenate([-np.geomspace(1e-3, 20, 40), np.geomspace(1e-3, 20, 40)])
    h = 1e-6 * np.maximum(np.abs(z), 1e-3)
    f = ACTIVATIONS[name]
    measured = (f(z + h, *p)[0] - f(z - h, *p)[0]) / (2 * h)
    np.testing.assert_allclose(f(z, *p)[1], measured, rtol=1e-6, atol=1e-7)


# ----------------------------------------------------------------------------------- optimizers

ROOT_7 = math.sqrt(7)


@pytest.mark.parametrize(
    ("name", "constants", "gradients", "expected"),
    [
        # w = 1, α = 0.1
        ("gradient_descent", (), [2, -1], [0.8, 0.9]),
        # v = 2, 0.5·2 + 3 = 4
        ("gradient_descent", (0.5, 0), [2, 3], [0.8, 0.4]),
        # g + 0.5 v = 2 + 1, 3 + 2
        ("gradient_descent", (0.5, 1), [2, 3], [0.7, 0.2]),
        # m = 1, 1; m̂ = 2, 4/3; v = 1, 1; v̂ = 4, 16/7; m̂/√v̂ = 1, √7/3
        ("adam", (0.5, 0.75, 0.0), [2, 1], [0.9, 0.9 - 0.1 * ROOT_7 / 3]),
        # the same over √v̂ + 2 = 4, (4 + 2√7)/√7
        ("adam", (0.5, 0.75, 2.0), [2, 1], [0.95, 0.95 - 0.1 * 4 / 3 * ROOT_7 / (4 + 2 * ROOT_7)]),
        # each w is first multiplied by 1 − 0.1·0.5
        ("adamw", (0.5, 0.75, 0.0, 0.5), [2, 1], [0.85, 0.85 * 0.95 - 0.1 * ROOT_7 / 3]),
        # s = 1, 0.75·1 + 0.25·13 = 4; g/√s = 2, √13/2
        ("rmsprop", (0.75, 0.0, 0.0), [2, math.sqrt(13)], [0.8, 0.8 - 0.05 * math.sqrt(13)]),
        # g/(√s + 1) = 1, √13/3; v = 1, 0.5 + √13/3
        ("rmsprop", (0.75, 1.0, 0.5), [2, math.sqrt(13)], [0.9, 0.85 - math.sqrt(13) / 30]),
    ],
)
def test_updates_are_those_computed_by_hand(name, constants, gradients, expected):
    optimizer = Optimizer(name, *constants)
    w = [np.array([[1.0]])]
    for g, after in zip(gradients, expected, strict=True):
        w = optimizer.update(w, [np.array([[float(g)]])], 0.1)
        assert w[0].item() == pytest.approx(after, rel=1e-14)


def test_weight_decay_leaves_biases_alone():
    optimizer = Optimizer("adamw", 0.9, 0.999, 1e-8, 0.5)
    parameters = [np.ones((1, 1)), np.ones(1)]
    weight, bias = optimizer.update(parameters, [np.zeros((1, 1)), np.zeros(1)], rate=1)
    assert weight == 0.5
    assert bias == 1


# ------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("loss", LOSSES)
def test_training_is_an_update_by_the_gradients_of_each_batch(loss):
    X, y, s = examples(loss)
    trained, expected = network("tanh", loss), network("tanh", loss)
    order = np.array([5, 2, 0, 3])
    total = trained.train(X, y, order, 3, [0.5, 0.25], Optimizer("gradient_descent"), 0.1, s)

    seen = 0.0
    for rows, rate in (([5, 2, 0], 0.5), ([3], 0.25)):
        batch = X[rows], y[rows]
        seen += expected.cost(*batch, sample_weight=s[rows]) * s[rows].sum()
        gradients = expected.gradients(*batch, 0.1, s[rows])
        for i, (dW, db) in enumerate(gradients):
            expected.weights[i] = expected.weights[i] - rate * dW
            expected.biases[i] = expected.biases[i] - rate * db
    assert distance(trained.weights + trained.biases, expected.weights + expected.biases) < 1e-14
    assert total == pytest.approx((seen, s[order].sum()), rel=1e-14)


def test_training_goes_on_from_the_state_of_its_optimizer():
    X, y, _ = examples("squared_error")
    once, twice = network("tanh", "squared_error"), network("tanh", "squared_error")
    order = np.arange(M)
    once.train(X, y, np.tile(order, 2), 2, [0.1] * 6, Optimizer("adam"))
    optimizer = Optimizer("adam")
    for _ in range(2):
        twice.train(X, y, order, 2, [0.1] * 3, optimizer)
    assert optimizer.steps == 6
    for a, b in zip(once.weights, twice.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("optimizer", reference.OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_float32_stays_float32(loss, optimizer):
    X, y, s = examples(loss)
    net = network("gelu", loss, dtype="float32")
    net.train(X, y, np.arange(M), 4, np.full(2, 0.1), Optimizer(optimizer), 0.1, s)
    found = net.weights + net.biases + net.activations(X) + flat(net.gradients(X, y, 0.1, s))
    assert {array.dtype.name for array in found} == {"float32"}


# ------------------------------------------------------------------------- examples and targets


def test_a_label_is_a_row_with_a_one():
    net = network("tanh", "cross_entropy")
    X, _, _ = examples("cross_entropy")
    labels = np.array([0, 2, 1, 2, 0, 1])
    assert net.cost(X, labels) == net.cost(X, np.eye(3)[labels])


def test_an_example_of_weight_two_is_two_examples():
    net = network("tanh", "squared_error")
    X, y, _ = examples("squared_error")
    weighted = net.gradients(X, y, 0.1, [2] + [1] * (M - 1))
    repeated = net.gradients(np.r_[X[:1], X], np.r_[y[:1], y], 0.1)
    assert distance(flat(weighted), flat(repeated)) < 1e-14


def test_weights_that_are_all_zero_leave_the_penalty_alone():
    net = network("tanh", "squared_error")
    X, y, _ = examples("squared_error")
    gradients = net.gradients(X, y, 0.1, np.zeros(M))
    for (dW, db), W in zip(gradients, net.weights, strict=True):
        np.testing.assert_array_equal(dW, 0.1 * W)
        np.testing.assert_array_equal(db, 0)


@pytest.mark.parametrize("options", [{}, {"uint8_scale": 1 / 255}], ids=str)
def test_bytes_are_scaled(options):
    net = network("tanh", "squared_error", **options)
    X = np.arange(4 * M, dtype=np.uint8).reshape(M, 4) * 10
    scaled = X * options.get("uint8_scale", 1.0)
    np.testing.assert_allclose(net.forward(X), net.forward(scaled), rtol=1e-14)


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        ("squared_error", "softmax"),
        ("cross_entropy", "identity"),
        ("binary_cross_entropy", "softmax"),
    ],
)
def test_a_loss_refuses_an_output_activation_that_does_not_go_with_it(loss, output):
    with pytest.raises(ValueError, match=f"{loss} does not go with the output activation {output}"):
        Network((2, 2), [output], loss)


# -------------------------------------------------------------------------------------- PyTorch


def torch_activation(torch, name, p=None):
    functional = torch.nn.functional
    return {
        "identity": lambda z: z,
        "sigmoid": torch.sigmoid,
        "relu": torch.relu,
        "leaky_relu": lambda z: functional.leaky_relu(z, 0.01 if p is None else p),
        "tanh": torch.tanh,
        "softplus": functional.softplus,
        "elu": lambda z: functional.elu(z, 1.0 if p is None else p),
        "selu": torch.selu,
        "silu": functional.silu,
        "gelu": functional.gelu,
        "mish": functional.mish,
    }[name]


def pinball(torch, h, y):
    q = torch.tensor(CONSTANTS["quantile"], dtype=h.dtype)
    return torch.where(y > h, q * (y - h), (1 - q) * (h - y))


def torch_cost(torch, loss, f, parameters, X, y, s, l2):
    """J of the network in PyTorch, `parameters` alternating W, b."""
    functional = torch.nn.functional
    a = X
    for i in range(0, len(parameters), 2):
        z = a @ parameters[i].T + parameters[i + 1]
        a = f(z)
    each = {
        "squared_error": lambda: functional.mse_loss(a, y, reduction="none").sum(dim=1) / 2,
        "cross_entropy": lambda: functional.cross_entropy(z, y, reduction="none"),
        "binary_cross_entropy": lambda: functional.binary_cross_entropy_with_logits(
            z, y, reduction="none"
        ).sum(dim=1),
        "absolute_error": lambda: functional.l1_loss(a, y, reduction="none").sum(dim=1),
        "huber": lambda: functional.huber_loss(a, y, reduction="none", delta=0.5).sum(dim=1),
        "quantile": lambda: pinball(torch, a, y).sum(dim=1),
        "poisson": lambda: functional.poisson_nll_loss(z, y, reduction="none").sum(dim=1),
        "gamma": lambda: (y / torch.exp(z) + z).sum(dim=1),
    }[loss]()
    return (s * each).sum() / s.sum() + l2 / 2 * sum((W**2).sum() for W in parameters[::2])


@pytest.mark.parametrize("activation", HIDDEN, ids=str)
def test_gradients_are_those_of_autograd(torch, activation):
    for case in product(LOSSES, SIZES):
        loss, depth = case
        net = network(activation, loss, depth)
        X, y, s = examples(loss)
        f = torch_activation(torch, *((activation,) if isinstance(activation, str) else activation))
        arrays = [X, *flat(zip(net.weights, net.biases, strict=True))]
        X_, *parameters = (torch.tensor(array, requires_grad=True) for array in arrays)
        J = torch_cost(torch, loss, f, parameters, X_, torch.tensor(y), torch.tensor(s), 0.1)
        J.backward()
        assert net.cost(X, y, 0.1, s) == pytest.approx(J.item(), rel=1e-13), case
        autograd = [p.grad.numpy() for p in parameters]
        assert distance(flat(net.gradients(X, y, 0.1, s)), autograd) < 1e-12, case
        assert distance([net.input_gradient(X, y, s)], [X_.grad.numpy()]) < 1e-12, case


@pytest.mark.parametrize(
    ("name", "constants", "theirs", "options"),
    [
        ("gradient_descent", (0.9, 0), "SGD", {"momentum": 0.9}),
        ("gradient_descent", (0.9, 1), "SGD", {"momentum": 0.9, "nesterov": True}),
        ("adam", (0.8, 0.9, 1e-4), "Adam", {"betas": (0.8, 0.9), "eps": 1e-4}),
        ("adamw", (0.8, 0.9, 1e-4, 0.1), "AdamW",
         {"betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
        ("rmsprop", (0.9, 1e-4, 0.5), "RMSprop", {"alpha": 0.9, "eps": 1e-4, "momentum": 0.5}),
    ],
)
def test_updates_are_those_of_pytorch(torch, name, constants, theirs, options):
    net = network("tanh", "squared_error")
    X, y, s = examples("squared_error")
    arrays = flat(zip(net.weights, net.biases, strict=True))
    parameters = [torch.tensor(array, requires_grad=True) for array in arrays]
    optimizer = getattr(torch.optim, theirs)(
        [{"params": parameters[::2]}, {"params": parameters[1::2], "weight_decay": 0.0}],
        lr=0.01,
        **options,
    )
    data = [torch.tensor(array) for array in (X, y, s)]
    for _ in range(50):
        optimizer.zero_grad()
        torch_cost(torch, "squared_error", torch.tanh, parameters, *data, 0.1).backward()
        optimizer.step()

    ours = Optimizer(name, *constants)
    for _ in range(50):
        net.train(X, y, np.arange(M), M, [0.01], ours, 0.1, s)
    found = flat(zip(net.weights, net.biases, strict=True))
    assert distance(found, [p.detach().numpy() for p in parameters]) < 1e-12
