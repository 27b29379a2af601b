"""Engine.gradients against central differences of Engine.cost, and against PyTorch's autograd.

In float64, for every activation × loss × depth, with λ and sample weights, by the parameters and
by the input.  An error is relative to the largest number of its array, or to 1 where that is less:
the cost itself is of order 1.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from fastmlp import kernels
from fastmlp.kernels.calls import TrainingOptions

M = 7
SIZES = {1: (5, 3), 2: (5, 6, 3), 3: (5, 6, 4, 3)}  # by number of layers of weights
WIDE = (50, 70, 66, 9)  # lists of zeros, several panels; with 300 rows several chunks as well
ACTIVATIONS: dict[str, tuple[str, float]] = {  # name of the case: name and parameter
    "identity": ("identity", 0.0),
    "sigmoid": ("sigmoid", 0.0),
    "relu": ("relu", 0.0),
    "leaky_relu": ("leaky_relu", 0.01),
    "leaky_relu(0.3)": ("leaky_relu", 0.3),
    "tanh": ("tanh", 0.0),
    "softplus": ("softplus", 0.0),
    "elu": ("elu", 1.0),
    "elu(0.7)": ("elu", 0.7),
    "selu": ("selu", 0.0),
    "silu": ("silu", 0.0),
    "gelu": ("gelu", 0.0),
    "mish": ("mish", 0.0),
}
OUTPUTS = {
    "cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "poisson": "exponential",
    "gamma": "exponential",
}
CONSTANTS = {"huber": (0.5,), "quantile": (0.1, 0.5, 0.7)}
GROUPS = {3: (3,), 7: (3, 2, 2), 9: (4, 2, 3)}  # by number of outputs
TARGETS = (
    "squared_error", "cross_entropy", "cross_entropy of rows", "cross_entropy of groups",
    "binary_cross_entropy", "absolute_error", "huber", "quantile", "poisson", "gamma",
)

every_isa = pytest.mark.parametrize("isa", kernels.isas())
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_target = pytest.mark.parametrize("target", TARGETS)


class Problem:
    """A network and examples in float64; the output has `activation` too where its loss lets it."""

    def __init__(self, activation: str, target: str, sizes: tuple[int, ...], m: int = M) -> None:
        rng = np.random.default_rng(11)
        self.sizes = sizes
        self.loss = target.split(" of ")[0]
        self.constants = CONSTANTS.get(target, ())
        if target == "cross_entropy of groups":
            self.constants = GROUPS[sizes[-1]]
        hidden = ACTIVATIONS[activation]
        output = OUTPUTS.get(self.loss)
        self.functions = [hidden] * (len(sizes) - 2) + [(output, 0.0) if output else hidden]
        self.weights = [rng.normal(0, n_in**-0.5, (n_out, n_in)) for n_in, n_out in pairwise(sizes)]
        self.biases = [rng.normal(0, 0.5, n) for n in sizes[1:]]
        self.X = rng.normal(size=(m, sizes[0]))
        self.y: Any = {
            "cross_entropy": rng.integers(0, sizes[-1], m).astype(np.int32),
            "cross_entropy of rows": rng.dirichlet(np.ones(sizes[-1]), m),
            "cross_entropy of groups": np.hstack(
                [rng.dirichlet(np.ones(n), m) for n in GROUPS.get(sizes[-1], (1,))]
            ),
            "binary_cross_entropy": rng.uniform(size=(m, sizes[-1])),
            "quantile": rng.normal(size=(m, sizes[-1] // 3)),
            "poisson": rng.poisson(2, (m, sizes[-1])).astype(float),
            "gamma": rng.gamma(3, 1, (m, sizes[-1])),
        }.get(target, rng.normal(size=(m, sizes[-1])))
        self.s: Any = rng.uniform(0.5, 2, m)

    def engine(self, isa: str | None = None) -> tuple[Any, Any]:
        """The engine with these parameters, and its module."""
        module = kernels.engine("float64", isa)
        engine = module.Engine(
            self.sizes, self.functions, self.loss, 1.0, loss_constants=self.constants
        )
        engine.set_layers(list(zip(self.weights, self.biases, strict=True)))
        return engine, module


def gradients(problem: Problem, isa: str | None, l2: float, threads: int = 1) -> list[np.ndarray]:
    """∂J/∂W(1), ∂J/∂b(1), ∂J/∂W(2), …, ∂J/∂X by the engine."""
    engine, module = problem.engine(isa)
    data = module.Data(engine, problem.X, problem.y, problem.s)
    options = TrainingOptions(l2=l2)
    pairs = engine.gradients(data, options, threads)[1]
    return [x for pair in pairs for x in pair] + [engine.gradients(data, options, threads, True)[1]]


def central_differences(problem: Problem, isa: str, l2: float, h: float = 1e-5) -> list[np.ndarray]:
    """The same from J at ± h, an entry at a time."""
    engine, module = problem.engine(isa)
    data = module.Data(engine, problem.X, problem.y, problem.s)

    def J() -> float:
        engine.set_layers(list(zip(problem.weights, problem.biases, strict=True)))
        cost, weight = engine.evaluate(data, 1)[:2]
        penalty = l2 / 2 * sum(float((W**2).sum()) for W in problem.weights)
        return float(cost) / float(weight) + penalty

    slopes = []
    pairs = zip(problem.weights, problem.biases, strict=True)
    for array in [*(x for pair in pairs for x in pair), problem.X]:
        slope = np.empty_like(array)
        for i in np.ndindex(array.shape):
            kept = array[i]
            array[i] = kept + h
            above = J()
            array[i] = kept - h
            slope[i] = (above - J()) / (2 * h)
            array[i] = kept
        slopes.append(slope)
    return slopes


def error(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The largest |found − expected| of all arrays, relative to its array's largest number or 1."""
    errors = [
        np.abs(x - y).max() / max(1, np.abs(y).max()) for x, y in zip(found, expected, strict=True)
    ]
    return float(np.max(errors))  # NaN if any is


def above(limit: float, errors: dict[Any, float]) -> dict[Any, float]:
    """The cases whose error is not below the limit."""
    return {case: error for case, error in errors.items() if not error < limit}


# ------------------------------------------------------------------------ central differences


@every_activation
def test_gradients_are_central_differences(activation):
    errors = {}
    for target, depth, isa in product(TARGETS, SIZES, kernels.isas()):
        problem = Problem(activation, target, SIZES[depth])
        found = gradients(problem, isa, 0.1)
        errors[target, depth, isa] = error(found, central_differences(problem, isa, 0.1))
    assert above(1e-7, errors) == {}


@every_target
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_without_weights_of_the_examples_too(target, l2):
    problem = Problem("tanh", target, SIZES[3])
    problem.s = None
    found = gradients(problem, kernels.isa, l2)
    assert error(found, central_differences(problem, kernels.isa, l2)) < 1e-7


@pytest.mark.parametrize("m", [1, 2, 3])
@every_target
def test_of_one_example_and_of_few(target, m):
    problem = Problem("softplus", target, SIZES[2], m)
    found = gradients(problem, kernels.isa, 0.1)
    assert error(found, central_differences(problem, kernels.isa, 0.1)) < 1e-7


@every_isa
@every_activation
def test_of_several_groups(activation, isa):
    problem = Problem(activation, "cross_entropy of groups", (5, 6, 7))
    found = gradients(problem, isa, 0.1)
    assert error(found, central_differences(problem, isa, 0.1)) < 1e-7


def test_a_single_output_with_binary_cross_entropy():
    problem = Problem("tanh", "binary_cross_entropy", (5, 6, 1))
    found = gradients(problem, kernels.isa, 0.1)
    assert error(found, central_differences(problem, kernels.isa, 0.1)) < 1e-7


@every_activation
def test_float32_gradients_are_those_of_float64_rounded(activation):
    errors = {}
    for target, isa in product(TARGETS, kernels.isas()):
        problem = Problem(activation, target, WIDE, 300)
        module = kernels.engine("float32", isa)
        engine = module.Engine(
            WIDE, problem.functions, problem.loss, 1.0, loss_constants=problem.constants
        )
        engine.set_layers([
            (W.astype(np.float32), b.astype(np.float32))
            for W, b in zip(problem.weights, problem.biases, strict=True)
        ])
        y = problem.y if problem.y.dtype == np.int32 else problem.y.astype(np.float32)
        data = module.Data(engine, problem.X, y, problem.s.astype(np.float32))
        found = [x for pair in engine.gradients(data, TrainingOptions(l2=0.1), 2)[1] for x in pair]
        errors[target, isa] = error(found, gradients(problem, isa, 0.1)[:-1])
    assert above(5e-6, errors) == {}


# ------------------------------------------------------------------------------------ PyTorch


def where_torch_is(name: str, values: Iterable[Any]) -> pytest.MarkDecorator:
    """Parametrize with every value; without PyTorch with one, which is skipped."""
    cases: list[Any] = list(values)
    if find_spec("torch") is None:
        cases = [pytest.param(cases[0], marks=pytest.mark.skip("PyTorch is not installed"))]
    return pytest.mark.parametrize(name, cases)


with_torch = pytest.mark.usefixtures("torch")  # one thread, which is enough for networks so small


def by_autograd(problem: Problem, l2: float) -> list[np.ndarray]:
    """The same by PyTorch."""
    import torch

    functional = torch.nn.functional
    call = {
        "identity": lambda z, p: z,
        "sigmoid": lambda z, p: torch.sigmoid(z),
        "relu": lambda z, p: functional.relu(z),
        "leaky_relu": lambda z, p: functional.leaky_relu(z, p),
        "tanh": lambda z, p: torch.tanh(z),
        "softplus": lambda z, p: functional.softplus(z, threshold=1e6),
        "elu": lambda z, p: functional.elu(z, p),
        "selu": lambda z, p: functional.selu(z),
        "silu": lambda z, p: functional.silu(z),
        "gelu": lambda z, p: functional.gelu(z),
        "mish": lambda z, p: functional.mish(z),
        "softmax": lambda z, p: z,
        "exponential": lambda z, p: torch.exp(z),
    }
    weights, biases = (
        [torch.tensor(x, requires_grad=True) for x in arrays]
        for arrays in (problem.weights, problem.biases)
    )
    X, s = torch.tensor(problem.X, requires_grad=True), torch.tensor(problem.s)
    y = torch.tensor(problem.y, dtype=torch.int64 if problem.y.ndim == 1 else torch.float64)
    a = X
    for W, b, (name, p) in zip(weights, biases, problem.functions, strict=True):
        z = a @ W.T + b
        a = call[name](z, p)
    if problem.loss == "squared_error":
        cost = ((a - y) ** 2).sum(1) / 2
    elif problem.loss == "absolute_error":
        cost = functional.l1_loss(a, y, reduction="none").sum(1)
    elif problem.loss == "huber":
        cost = functional.huber_loss(a, y, reduction="none", delta=0.5).sum(1)
    elif problem.loss == "quantile":
        r = y.repeat_interleave(3, dim=1) - a
        q = torch.tensor(problem.constants * y.shape[1], dtype=torch.float64)
        cost = torch.maximum(q * r, (q - 1) * r).sum(1)
    elif problem.loss == "poisson":
        cost = functional.poisson_nll_loss(z, y, reduction="none").sum(1)
    elif problem.loss == "gamma":
        cost = (y / a + z).sum(1)
    elif problem.loss == "cross_entropy":
        groups = problem.constants or (z.shape[1],)
        parts = zip(z.split(groups, 1), y.split(groups, 1) if y.ndim == 2 else (y,), strict=True)
        cost = sum(functional.cross_entropy(*part, reduction="none") for part in parts)
    else:
        cost = functional.binary_cross_entropy_with_logits(z, y, reduction="none").sum(1)
    J = (s * cost).sum() / s.sum() + l2 / 2 * sum((W**2).sum() for W in weights)
    J.backward()
    pairs = zip(weights, biases, strict=True)
    return [x.grad.numpy() for x in [*(x for pair in pairs for x in pair), X]]


def relative_error(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The largest |found − expected| of all arrays, relative to its array's largest number."""
    errors = [np.abs(x - y).max() / np.abs(y).max() for x, y in zip(found, expected, strict=True)]
    return float(np.max(errors))  # NaN if any is


@with_torch
@where_torch_is("activation", ACTIVATIONS)
def test_gradients_are_those_of_autograd(activation):
    errors = {}
    for target, (depth, sizes) in product(TARGETS, SIZES.items()):
        problem = Problem(activation, target, sizes)
        expected = by_autograd(problem, 0.1)
        for isa in kernels.isas():
            errors[target, depth, isa] = relative_error(gradients(problem, isa, 0.1), expected)
    assert above(1e-9, errors) == {}


@with_torch
@where_torch_is("activation", ACTIVATIONS)
def test_so_are_those_of_networks_that_fill_panels_and_chunks(activation):
    errors = {}
    for target in TARGETS:
        problem = Problem(activation, target, WIDE, 300)
        expected = by_autograd(problem, 0.1)
        for isa, threads in product(kernels.isas(), (1, 2)):
            found = gradients(problem, isa, 0.1, threads)
            errors[target, isa, threads] = relative_error(found, expected)
    assert above(1e-9, errors) == {}
