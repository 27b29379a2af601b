"""A training, run by the engine and by the composition of the kernels alone on arrays.

Compared are all parameters, the optimizer's state and the cost after a training, never within a
tolerance.  What everything is compared with is one thread, whole batches, dense tiles.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from fastmlp import kernels
from fastmlp.kernels.calls import Batches, Progress, TrainingOptions

# wide enough for sparse rows in every product: of the input, of a(2) and a(3), of δ(3)
SIZES = (70, 130, 96, 67, 10)
M = 330
ACTIVATIONS = {
    "identity": 0.0, "sigmoid": 0.0, "relu": 0.0, "leaky_relu": 0.01, "tanh": 0.0,
    "softplus": 0.0, "elu": 1.0, "selu": 0.0, "silu": 0.0, "gelu": 0.0,
    "mish": 0.0,
}  # fmt: skip
OUTPUTS = {
    "squared_error": "identity", "cross_entropy": "softmax", "binary_cross_entropy": "sigmoid",
    "absolute_error": "identity", "huber": "identity", "quantile": "identity",
    "poisson": "exponential", "gamma": "exponential",
}  # fmt: skip
CONSTANTS = {"huber": (0.5,), "quantile": (0.3, 0.8)}  # of losses that have some
OPTIMIZERS: dict[str, tuple[str, tuple[float, ...]]] = {
    "descent": ("gradient_descent", (0.0, 0.0)),
    "nesterov": ("gradient_descent", (0.9, 1.0)),
    "adam": ("adam", (0.9, 0.999, 1e-8)),
    "adamw": ("adamw", (0.9, 0.999, 1e-8, 0.01)),
    "rmsprop": ("rmsprop", (0.99, 1e-8, 0.9)),
}
DTYPES = ("float32", "float64")
L2, SCALE = 1e-3, 1 / 255


@dataclass(frozen=True)
class Run:
    """One training, an epoch over M rows in a random order; `train` makes it happen."""

    isa: str = kernels.isa
    dtype: str = "float32"
    hidden: str = "relu"
    loss: str = "cross_entropy"
    optimizer: str = "adam"
    sizes: tuple[int, ...] = SIZES
    form: str = "dense"
    density: float = 0.2
    batch_size: int = 32
    weighted: bool = False
    threads: int = 1
    use_sparse: bool = True
    pauses: tuple[int, ...] = field(default=())  # batches before which another engine takes over
    unequal: bool = False  # the threads get other shares of each batch

    @property
    def activations(self) -> list[tuple[str, float]]:
        hidden = (self.hidden, ACTIVATIONS[self.hidden])
        return [hidden] * (len(self.sizes) - 2) + [(OUTPUTS[self.loss], 0.0)]

    @property
    def order(self) -> np.ndarray:
        return np.random.default_rng(1).permutation(M)

    @property
    def rates(self) -> np.ndarray:
        return np.linspace(0.01, 0.002, -(-M // self.batch_size))

    def parameters(self) -> list[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(2)
        return [
            (
                rng.normal(0, (2 / n_in) ** 0.5, (n_out, n_in)).astype(self.dtype),
                rng.normal(0, 0.1, n_out).astype(self.dtype),
            )
            for n_in, n_out in pairwise(self.sizes)
        ]

    def examples(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """X as bytes, y, sample weights."""
        rng = np.random.default_rng(3)
        n_in, n_out = self.sizes[0], self.sizes[-1]
        X = rng.integers(1, 256, (M, n_in)) * (rng.random((M, n_in)) < self.density)
        y = rng.integers(0, n_out, M).astype(np.int32)
        s = rng.uniform(0.5, 2, M).astype(self.dtype) if self.weighted else None
        if self.loss != "cross_entropy":
            n_targets = n_out // len(CONSTANTS["quantile"]) if self.loss == "quantile" else n_out
            y = rng.uniform(size=(M, n_targets)).astype(self.dtype)
        return X.astype(np.uint8), y, s

    def real(self, X: np.ndarray) -> np.ndarray:
        """Bytes as numbers of the dtype."""
        return X.astype(self.dtype) * np.dtype(self.dtype).type(SCALE)

    def engine(self) -> tuple[Any, Any]:
        """The engine and the examples."""
        return engine_of(self)

    def anew(self) -> "Fingerprints":
        """What the training leaves, by the engine."""
        return train(self)

    def by_engine(self) -> "Fingerprints":
        """The same; a run that was made before is not made again."""
        return trained(self)

    def check_gradients_and_cost(self) -> None:
        """Compare `gradients` (by the parameters and by the input) and `evaluate` with kernels."""
        check_gradients_and_cost(self)

    def by_kernels(self) -> "Fingerprints":
        """The same, from the kernels alone on arrays."""
        return kernel_by_kernel(self)


def csr(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.nonzero(X)
    pointers = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(X)))])
    return X[rows, columns], columns.astype(np.int32), pointers.astype(np.int64)


FORMS: dict[str, Callable[[Run, np.ndarray], Any]] = {
    "dense": lambda run, X: run.real(X),
    "uint8": lambda run, X: X,
    "CSR": lambda run, X: csr(run.real(X)),
    "CSR of uint8": lambda run, X: csr(X),
}


def engine_of(run: Run) -> tuple[Any, Any]:
    """The engine and the examples of a run."""
    module = kernels.engine(run.dtype, run.isa)
    constants = CONSTANTS.get(run.loss, ())
    engine = module.Engine(run.sizes, run.activations, run.loss, SCALE, loss_constants=constants)
    engine.use_sparse = run.use_sparse
    engine.set_layers(run.parameters())
    engine.set_optimizer(*OPTIMIZERS[run.optimizer])
    X, y, s = run.examples()
    return engine, module.Data(engine, FORMS[run.form](run, X), y, s)


Fingerprints = dict[str, Any]


def fingerprint(array: np.ndarray) -> str:
    """The same for the same bits, another for others; it tells −0 from 0."""
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:16]


def fingerprints(
    layers: Iterable[tuple[Any, Any]], slots: Iterable[Iterable[tuple[Any, Any]]], cost: Any
) -> Fingerprints:
    """Of all that a training leaves: W(1), b(1), W(2), …, the same of the state, and the cost."""
    found: Fingerprints = {"cost": cost}
    for of, pairs in ("", layers), *((f"slot {k} of ", slot) for k, slot in enumerate(slots)):
        for layer, (weight, bias) in enumerate(pairs, start=1):
            found[f"{of}W({layer})"] = fingerprint(weight)
            found[f"{of}b({layer})"] = fingerprint(bias)
    return found


@cache
def trained(run: Run) -> Fingerprints:
    """What `train` returns."""
    return train(run)


def train(run: Run) -> Fingerprints:
    """Parameters, state and (Σ s·cost, Σ s) after the run, by the engine."""
    engine, data = engine_of(run)
    batches, options = Batches(run.order, run.batch_size, run.rates), TrainingOptions(l2=L2)
    n_batches, progress = len(run.rates), Progress()
    rng = np.random.default_rng(4)
    engine.pack(data, run.threads)
    for stop in (*run.pauses, n_batches):
        while progress.batch < stop and progress.failed is None:
            # with pauses a call at a time, so that the last before one ends where it should
            seconds = 0.0 if run.pauses or run.unequal else 60.0
            if run.unequal and engine.training is not None:
                engine.training.shares = rng.dirichlet(np.ones(len(engine.training.shares)))
            progress = engine.train(data, batches, options, progress, run.threads, seconds)
        if stop < n_batches:
            snapshot, state, steps = engine.snapshot(), engine.get_state(), engine.steps
            engine, data = engine_of(run)
            engine.restore(snapshot)
            engine.set_state(state, steps)
    assert (progress.batch, progress.failed, engine.steps) == (n_batches, None, n_batches)
    cost = progress.cost, progress.weight
    return fingerprints(engine.get_layers(), engine.get_state(), cost)


def backward(run: Run, layers: Any, X: Any, y: Any, s: Any) -> tuple[list[Any], Any, list[Any]]:
    """Summed gradients (Σ δ aᵀ, Σ δ) by layer, Wᵀδ of the input, and costs, kernel by kernel."""
    alone = kernels.operations(run.dtype, run.isa)
    a, slopes = [run.real(X)], [np.ones((len(X), run.sizes[0]), run.dtype)]
    for (W, b), (name, p) in zip(layers[:-1], run.activations, strict=False):
        values, slope = alone.activate(alone.forward(a[-1], W, b), name, p)
        a.append(values)
        slopes.append(slope)
    z = alone.forward(a[-1], *layers[-1])
    constants = CONSTANTS.get(run.loss, ())
    _, delta, costs = alone.loss(z, y, run.loss, *run.activations[-1], constants=constants)
    if s is not None:
        delta, costs = delta * s[:, None], costs * s
    gradients = []
    for W, _ in reversed(layers):
        gradients.insert(0, (alone.weight_gradient(a.pop(), delta), alone.bias_gradient(delta)))
        delta = alone.hidden_delta(delta, W) * slopes.pop()
    return gradients, delta, costs.tolist()


def sum_in_order(numbers: Iterable[float]) -> float:
    """As the engine adds up: one after the other, in double (`sum` of Python 3.12 does not)."""
    total = 0.0
    for number in numbers:
        total += float(number)
    return total


@cache
def kernel_by_kernel(run: Run) -> Fingerprints:
    """What `train` returns, from the kernels alone on arrays: whole batches, dense, one thread."""
    update = kernels.operations(run.dtype, run.isa).update_step_on
    name, constants = OPTIMIZERS[run.optimizer]
    n_slots = 2 if name != "gradient_descent" else int(constants[0] != 0)
    X, y, s = run.examples()
    layers = run.parameters()
    slots = [[(np.zeros_like(W), np.zeros_like(b)) for W, b in layers] for _ in range(n_slots)]
    all_costs: list[float] = []
    weights: list[float] = []
    starts = range(0, M, run.batch_size)
    for step, (start, rate) in enumerate(zip(starts, run.rates, strict=True), start=1):
        i = run.order[start : start + run.batch_size]
        s_i = None if s is None else s[i]
        weights.append(len(i) if s_i is None else sum_in_order(s_i))
        gradients, _, costs = backward(run, layers, X[i], y[i], s_i)
        all_costs += costs
        for layer, (parameters, sums) in enumerate(zip(layers, gradients, strict=True)):
            new = [
                update(p, g, [slot[layer][k] for slot in slots], name, constants, rate, L2,
                       1 / weights[-1], step, k == 0)
                for k, (p, g) in enumerate(zip(parameters, sums, strict=True))
            ]  # fmt: skip
            layers[layer] = (new[0][0], new[1][0])
            for slot, pair in zip(slots, zip(new[0][1], new[1][1], strict=True), strict=True):
                slot[layer] = pair
    return fingerprints(layers, slots, (sum_in_order(all_costs), sum_in_order(weights)))


def check_gradients_and_cost(run: Run) -> None:
    """`gradients` (by the parameters and by the input) and `cost` against the kernels alone."""
    engine, data = engine_of(run)
    layers = run.parameters()
    sums, input_delta, costs = backward(run, layers, *run.examples())
    s = run.examples()[2]
    weight = float(M) if s is None else sum_in_order(s)
    real = np.dtype(run.dtype).type
    mean, l2 = real(1 / weight), real(L2)
    gradients = [
        (dW * mean + l2 * W, db * mean) for (dW, db), (W, _) in zip(sums, layers, strict=True)
    ]
    options = TrainingOptions(l2=L2)
    progress, found = engine.gradients(data, options, run.threads)
    found_cost = progress.cost, progress.weight
    expected = fingerprints(gradients, (), (sum_in_order(costs), weight))
    assert fingerprints(found, (), found_cost) == expected
    assert engine.evaluate(data, run.threads)[:2] == found_cost
    by_input = engine.gradients(data, options, run.threads, True)[1]
    assert by_input.tobytes() == (input_delta * mean).tobytes()


# ------------------------------------------------------------- what tests of this folder take

CASES = [
    *product(ACTIVATIONS, ("squared_error", "cross_entropy", "binary_cross_entropy")),
    *(("relu", loss) for loss in list(OUTPUTS)[3:]),
]
FUSED = [isa for isa in kernels.isas() if isa != "baseline"]


@pytest.fixture(params=kernels.isas())
def isa(request: pytest.FixtureRequest) -> str:
    """Each build that this processor can run."""
    return request.param


@pytest.fixture(params=DTYPES)
def dtype(request: pytest.FixtureRequest) -> str:
    """Each element type."""
    return request.param


@pytest.fixture(params=ACTIVATIONS)
def hidden(request: pytest.FixtureRequest) -> str:
    """Each activation of hidden layers."""
    return request.param


@pytest.fixture
def cases() -> list[tuple[str, str]]:
    """Activation and loss: the first losses with each activation, the others with one."""
    return CASES


@pytest.fixture(params=OPTIMIZERS)
def optimizer(request: pytest.FixtureRequest) -> str:
    """Each optimizer."""
    return request.param


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """Each form of the examples."""
    return request.param


@pytest.fixture
def fused() -> list[str]:
    """The builds that must agree bit for bit: those with a fused multiply-add."""
    if len(FUSED) < 2:
        pytest.skip("fewer than two builds with a fused multiply-add run here")
    return FUSED


@pytest.fixture(name="Run")
def run_class() -> type[Run]:
    """The description of a training."""
    return Run
