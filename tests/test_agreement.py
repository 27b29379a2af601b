"""Engine = steps = reference: the same parameters after 50 updates.

In float64 they differ by rounding.  The float32 engine may be as far from the float64 reference as
50 updates in float32 bring it; both tolerances are four times the farthest case or more.  No z of
these problems comes so near to 0 that rounding decides on which side of ReLU's kink it falls.
"""

from functools import cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from fastmlp import activations, kernels, losses, reference, steps
from fastmlp.kernels.calls import Batches, Progress, TrainingOptions

UPDATES, BATCH, M = 50, 8, 60
SIZES = (12, 70, 35, 4)
L2 = 0.01
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
OBJECTS = {
    "leaky_relu(0.3)": activations.LeakyReLU(0.3),
    "elu(0.7)": activations.ELU(0.7),
}
CONSTANTS = {"huber": (0.5,), "quantile": (0.2, 0.7)}  # of those losses that have some
LOSSES = {"huber": losses.Huber(0.5), "quantile": losses.Quantile((0.2, 0.7))}  # as steps take them
OPTIMIZERS: dict[str, tuple[str, tuple[float, ...], float]] = {  # name, constants, rate
    "descent": ("gradient_descent", (0.0, 0.0), 0.05),
    "momentum": ("gradient_descent", (0.9, 0.0), 0.01),
    "nesterov": ("gradient_descent", (0.9, 1.0), 0.01),
    "adam": ("adam", (0.9, 0.999, 1e-8), 0.003),
    "adamw": ("adamw", (0.9, 0.999, 1e-8, 0.1), 0.003),
    "rmsprop": ("rmsprop", (0.99, 1e-8, 0.0), 0.001),
    "rmsprop, momentum": ("rmsprop", (0.99, 1e-8, 0.5), 0.001),
}
# ‖parameters − reference's‖ / ‖reference's‖, all parameters as one vector
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}

# with every activation the losses that came first; with tanh the others, whose e^z would run away
# behind activations without bound
every_case = pytest.mark.parametrize(
    ("activation", "loss"),
    [
        *product(ACTIVATIONS, ("squared_error", "cross_entropy", "binary_cross_entropy")),
        *(("tanh", loss) for loss in list(reference.LOSSES)[3:]),
    ],
)
every_loss = pytest.mark.parametrize("loss", reference.LOSSES)
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


class Problem:
    """Examples, first parameters, and the plan of 50 updates, the last of a smaller batch."""

    def __init__(self, activation: str, loss: str, dtype: str) -> None:
        rng = np.random.default_rng(8)
        hidden = ACTIVATIONS[activation]
        output = reference.LOSSES[loss].output
        self.functions = [hidden, hidden, (output, 0.0) if output else hidden]
        self.loss = loss
        self.dtype = dtype
        self.weights = [rng.normal(0, n_in**-0.5, (n_out, n_in)) for n_in, n_out in pairwise(SIZES)]
        self.biases = [rng.normal(0, 0.3, n) for n in SIZES[1:]]
        self.X = rng.normal(size=(M, SIZES[0]))
        self.y: Any = {
            "cross_entropy": rng.integers(0, SIZES[-1], M).astype(np.int32),
            "binary_cross_entropy": rng.uniform(size=(M, SIZES[-1])),
            "quantile": rng.normal(size=(M, SIZES[-1] // 2)),
            "poisson": rng.poisson(2, (M, SIZES[-1])),
            "gamma": rng.gamma(3, 1, (M, SIZES[-1])),
        }.get(loss, rng.normal(size=(M, SIZES[-1])))
        self.s = rng.uniform(0.5, 2, M)
        self.order = np.concatenate([rng.permutation(M) for _ in range(7)])[: UPDATES * BATCH - 3]
        self.decay = np.linspace(1, 0.5, UPDATES)

    def real(self, array: np.ndarray) -> np.ndarray:
        """The array in the dtype; labels stay labels."""
        return array if array.dtype == np.int32 else array.astype(self.dtype)

    def batches(self) -> list[np.ndarray]:
        return [self.order[k : k + BATCH] for k in range(0, len(self.order), BATCH)]


@cache
def by_reference(activation: str, loss: str, optimizer: str) -> np.ndarray:
    """The parameters after 50 updates, by NumPy in float64."""
    problem = Problem(activation, loss, "float64")
    name, constants, rate = OPTIMIZERS[optimizer]
    net = reference.Network(SIZES, problem.functions, (loss, *CONSTANTS.get(loss, ())))
    net.weights, net.biases = problem.weights, problem.biases
    rule = reference.Optimizer(name, *constants)
    rates = rate * problem.decay
    net.train(problem.X, problem.y, problem.order, BATCH, rates, rule, L2, problem.s)
    return flat(zip(net.weights, net.biases, strict=True))


def by_engine(
    activation: str, loss: str, optimizer: str, dtype: str, isa: str | None = None
) -> np.ndarray:
    """The same by the engine, on two threads."""
    problem = Problem(activation, loss, dtype)
    name, constants, rate = OPTIMIZERS[optimizer]
    module = kernels.engine(dtype, isa)
    constants_of_loss = CONSTANTS.get(loss, ())
    engine = module.Engine(
        SIZES, problem.functions, loss, 1.0, loss_constants=constants_of_loss
    )
    engine.set_layers([
        (problem.real(W), problem.real(b))
        for W, b in zip(problem.weights, problem.biases, strict=True)
    ])
    engine.set_optimizer(name, constants)
    data = module.Data(engine, *map(problem.real, (problem.X, problem.y, problem.s)))
    rates = rate * problem.decay
    batches = Batches(problem.order, BATCH, rates)
    progress = engine.train(data, batches, TrainingOptions(l2=L2), Progress(), 2, 60.0)
    assert (progress.batch, progress.failed) == (UPDATES, None)
    return flat(engine.get_layers())


def by_steps(activation: str, loss: str, optimizer: str, dtype: str) -> np.ndarray:
    """The same by the seven steps; what they have no update for, by its kernel alone."""
    problem = Problem(activation, loss, dtype)
    name, constants, rate = OPTIMIZERS[optimizer]
    update = kernels.operations(dtype).update_step_on
    output = reference.LOSSES[loss].output
    hidden = OBJECTS.get(activation, activation)
    functions = [hidden, hidden, output or hidden]
    weights, biases = ([problem.real(x) for x in xs] for xs in (problem.weights, problem.biases))
    X, y, s = map(problem.real, (problem.X, problem.y, problem.s))
    slots: list[Any] = [[np.zeros_like(p)] * 2 for p in weights + biases]
    for t, (i, decay) in enumerate(zip(problem.batches(), problem.decay, strict=True), start=1):
        z, a = steps.forward(X[i], weights, biases, functions)
        delta_out = steps.output_delta(y[i], a[-1], z[-1], functions[-1], LOSSES.get(loss, loss))
        deltas = steps.hidden_deltas(delta_out, weights, z, functions)
        gradients = [
            steps.batch_gradients(delta, a_l, W, L2, s[i])
            for delta, a_l, W in zip(deltas, a[:-1], weights, strict=True)
        ]
        if optimizer == "descent":
            pairs = steps.update(zip(weights, biases, strict=True), gradients, rate * decay)
            weights, biases = (list(arrays) for arrays in zip(*pairs, strict=True))
            continue
        slopes = [dW for dW, _ in gradients] + [db for _, db in gradients]
        for k, (p, slope) in enumerate(zip(weights + biases, slopes, strict=True)):
            kept = slots[k][: 1 if name == "gradient_descent" else 2]
            is_weight = p.ndim == 2
            p, slots[k] = update(
                p, slope, kept, name, constants, rate * decay, step=t, is_weight=is_weight
            )
            (weights if is_weight else biases)[k % len(weights)] = p
    return flat(zip(weights, biases, strict=True))


def flat(layers: Any) -> np.ndarray:
    return np.concatenate([array.ravel() for layer in layers for array in layer])


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@every_case
def test_the_engine_ends_where_the_reference_does(activation, loss):
    """Every optimizer with tanh: an update knows the gradients alone, not what made them."""
    optimizers = OPTIMIZERS if activation == "tanh" else ("descent", "adam")
    distances = {
        (optimizer, dtype, isa): distance(
            by_engine(activation, loss, optimizer, dtype, isa),
            by_reference(activation, loss, optimizer),
        )
        for optimizer, dtype, isa in product(optimizers, TOLERANCE, kernels.isas())
    }
    too_far = {case: d for case, d in distances.items() if not d < TOLERANCE[case[1]]}
    assert too_far == {}


@every_dtype
@every_case
def test_the_steps_end_where_the_engine_does(activation, loss, dtype):
    found = by_steps(activation, loss, "descent", dtype)
    assert distance(found, by_engine(activation, loss, "descent", dtype)) < TOLERANCE[dtype]


@every_dtype
@every_optimizer
def test_the_steps_end_where_the_engine_does_with_every_optimizer(optimizer, dtype):
    for loss in reference.LOSSES:
        found = by_steps("tanh", loss, optimizer, dtype)
        far = distance(found, by_engine("tanh", loss, optimizer, dtype))
        assert far < TOLERANCE[dtype], loss


@every_optimizer
def test_fifty_updates_go_somewhere(optimizer):
    """The agreement above is not that of parameters which hardly moved."""
    problem = Problem("tanh", "squared_error", "float64")
    before = flat(zip(problem.weights, problem.biases, strict=True))
    assert distance(by_reference("tanh", "squared_error", optimizer), before) > 0.01


# ------------------------------------------------------------------- and PyTorch, where it is


@every_optimizer
@every_loss
def test_the_engine_ends_where_pytorch_does(torch, optimizer, loss):
    functional = torch.nn.functional
    problem = Problem("tanh", loss, "float64")
    name, constants, rate = OPTIMIZERS[optimizer]
    weights, biases = (
        [torch.tensor(x, requires_grad=True) for x in xs]
        for xs in (problem.weights, problem.biases)
    )
    decay = {"adamw": constants[-1]}.get(name, 0.0)
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]
    if name == "gradient_descent":
        rule = torch.optim.SGD(groups, rate, momentum=constants[0], nesterov=bool(constants[1]))
    elif name == "rmsprop":
        rule = torch.optim.RMSprop(
            groups, rate, alpha=constants[0], eps=constants[1], momentum=constants[2]
        )
    else:
        kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
        rule = kind(groups, rate, betas=constants[:2], eps=constants[2])
    for i, factor in zip(problem.batches(), problem.decay, strict=True):
        a = torch.tensor(problem.X[i])
        for W, b in zip(weights, biases, strict=True):
            z = a @ W.T + b
            a = torch.tanh(z)
        if loss == "squared_error":
            cost = ((a - torch.tensor(problem.y[i])) ** 2).sum(1) / 2
        elif loss == "absolute_error":
            cost = functional.l1_loss(a, torch.tensor(problem.y[i]), reduction="none").sum(1)
        elif loss == "huber":
            y = torch.tensor(problem.y[i])
            cost = functional.huber_loss(a, y, reduction="none", delta=0.5).sum(1)
        elif loss == "quantile":
            r = torch.tensor(problem.y[i]).repeat_interleave(2, dim=1) - a
            q = torch.tensor(CONSTANTS[loss] * 2, dtype=torch.float64)
            cost = torch.maximum(q * r, (q - 1) * r).sum(1)
        elif loss == "poisson":
            y = torch.tensor(problem.y[i])
            cost = functional.poisson_nll_loss(z, y, reduction="none").sum(1)
        elif loss == "gamma":
            cost = (torch.tensor(problem.y[i]) / torch.exp(z) + z).sum(1)
        elif loss == "cross_entropy":
            y = torch.tensor(problem.y[i], dtype=torch.int64)
            cost = functional.cross_entropy(z, y, reduction="none")
        else:
            y = torch.tensor(problem.y[i])
            cost = functional.binary_cross_entropy_with_logits(z, y, reduction="none").sum(1)
        s = torch.tensor(problem.s[i])
        J = (s * cost).sum() / s.sum() + L2 / 2 * sum((W**2).sum() for W in weights)
        rule.zero_grad()
        J.backward()
        for group in rule.param_groups:
            group["lr"] = rate * factor
        rule.step()
    expected = flat(
        (W.detach().numpy(), b.detach().numpy()) for W, b in zip(weights, biases, strict=True)
    )
    found = by_engine("tanh", loss, optimizer, "float64")
    assert distance(found, expected) < TOLERANCE["float64"]
