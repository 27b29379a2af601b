"""The same bits whatever the threads, the zeros skipped, the form of X, the build, the chunks.

Compared are all parameters, the optimizer's state and the cost after a training, never within a
tolerance.  What everything is compared with is the composition of the kernels alone on arrays:
one thread, whole batches, dense tiles.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from fastmlp import kernels
from fastmlp.kernels.calls import Batches, Progress, TrainingOptions

# wide enough for lists of zeros in every product: of the input, of a(2) and a(3), of δ(3)
SIZES = (70, 130, 96, 67, 10)
M = 330
ACTIVATIONS = {
    "identity": 0.0, "sigmoid": 0.0, "relu": 0.0, "leaky_relu": 0.01, "tanh": 0.0,
    "softplus": 0.0, "elu": 1.0, "selu": 0.0, "silu": 0.0, "gelu": 0.0,
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
    skip_zeros: bool = True
    pauses: tuple[int, ...] = field(default=())  # batches before which everything moves house

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
    engine.skip_zeros = run.skip_zeros
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
def train(run: Run) -> Fingerprints:
    """Parameters, state and (Σ s·cost, Σ s) after the run, by the engine."""
    engine, data = engine_of(run)
    batches, options = Batches(run.order, run.batch_size, run.rates), TrainingOptions(l2=L2)
    n_batches, progress = len(run.rates), Progress()
    for stop in (*run.pauses, n_batches):
        while progress.batch < stop and progress.failed is None:
            # with pauses a call at a time, so that the last before one ends where it should
            seconds = 0.0 if run.pauses else 60.0
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


every_isa = pytest.mark.parametrize("isa", kernels.isas())
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_activation = pytest.mark.parametrize("hidden", ACTIVATIONS)
every_case = pytest.mark.parametrize(
    ("hidden", "loss"),
    [
        *product(ACTIVATIONS, ("squared_error", "cross_entropy", "binary_cross_entropy")),
        *(("relu", loss) for loss in list(OUTPUTS)[3:]),
    ],
)


# ------------------------------------------------- the engine against the kernels, one by one


@every_isa
@every_dtype
@every_case
def test_the_engine_is_its_kernels_one_after_the_other(isa, dtype, hidden, loss):
    run = Run(isa, dtype, hidden, loss)
    assert train(run) == kernel_by_kernel(run)


@every_isa
@every_dtype
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_so_it_is_with_every_optimizer_and_with_weights(isa, dtype, optimizer, weighted):
    run = Run(isa, dtype, optimizer=optimizer, weighted=weighted, loss="squared_error")
    assert train(run) == kernel_by_kernel(run)


@every_isa
@every_dtype
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch_size", [1, 5, 64, 127, 128, 129, 300, 329, 330, 1000])
def test_chunks_of_a_batch_and_a_small_last_batch_leave_no_trace(isa, dtype, batch_size, threads):
    """Batches of more rows than the workspace has pass in chunks; 330 leaves every rest behind."""
    run = Run(isa, dtype, batch_size=batch_size)
    assert train(replace(run, threads=threads)) == kernel_by_kernel(run)


@every_isa
@every_dtype
@pytest.mark.parametrize(
    "sizes",
    [(70, 10), (70, 64, 10), (3, 1), (1, 1, 1), (33, 65, 129), (20, 100, 1), (20, 70, 200, 3)],
)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_networks_of_any_shape(isa, dtype, sizes, threads):
    run = Run(isa, dtype, sizes=sizes, loss="squared_error")
    assert train(replace(run, threads=threads)) == kernel_by_kernel(run)


@pytest.mark.parametrize("threads", [1, 2])
def test_networks_too_large_for_a_cache_take_larger_chunks(threads):
    run = Run(sizes=(1200, 1100, 900, 10), batch_size=M, optimizer="descent")
    assert train(replace(run, threads=threads)) == kernel_by_kernel(run)


# ------------------------------------------------------------------- threads, zeros, inputs


@every_isa
@every_dtype
@every_activation
@pytest.mark.parametrize("threads", [2, 5])
def test_any_number_of_threads(isa, dtype, hidden, threads):
    run = Run(isa, dtype, hidden)
    assert train(replace(run, threads=threads)) == train(run)


@pytest.mark.parametrize("threads", [3, 4, 7, 16, 33])
def test_more_threads_than_cores_or_panels(threads):
    assert train(Run(threads=threads)) == train(Run())


@pytest.mark.parametrize("threads", [2, 3, 4, 6])
@pytest.mark.parametrize("skip_zeros", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_hidden_levels_in_whole_panels_and_in_pieces_of_them(dtype, skip_zeros, threads):
    """Widths that the threads share by columns, by rows of a panel, and by both."""
    run = Run(
        dtype=dtype, sizes=(60, 100, 256, 208, 300, 10), density=0.4, skip_zeros=skip_zeros
    )
    assert train(replace(run, threads=threads)) == train(run)


@every_isa
@every_dtype
@pytest.mark.parametrize("density", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("threads", [1, 2])
def test_zeros_skipped_or_not(isa, dtype, density, threads):
    run = Run(isa, dtype, density=density, threads=threads)
    assert train(run) == train(replace(run, skip_zeros=False))


@every_isa
@every_dtype
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("hidden", ["relu", "tanh"])
@pytest.mark.parametrize("batch_size", [32, 300])
def test_any_form_of_the_examples(isa, dtype, form, hidden, batch_size):
    run = Run(isa, dtype, hidden, batch_size=batch_size)
    assert train(replace(run, form=form, threads=2)) == train(replace(run, skip_zeros=False))


# ---------------------------------------------------------------------------------- builds

FUSED = [isa for isa in kernels.isas() if isa != "baseline"]
two_builds = pytest.mark.skipif(
    len(FUSED) < 2, reason="fewer than two builds with a fused multiply-add run here"
)


@two_builds
@every_dtype
@every_case
def test_every_build_with_fused_products(dtype, hidden, loss):
    first, *others = (train(Run(isa, dtype, hidden, loss, threads=2)) for isa in FUSED)
    assert all(other == first for other in others)


@two_builds
@every_dtype
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_build_with_every_optimizer(dtype, optimizer):
    runs = (Run(isa, dtype, optimizer=optimizer, weighted=True, batch_size=100) for isa in FUSED)
    first, *others = map(train, runs)
    assert all(other == first for other in others)


@two_builds
@every_dtype
@pytest.mark.parametrize("sizes", [(70, 10), (3, 1), (1, 1, 1), (33, 65, 129), (300, 17, 31, 257)])
def test_every_build_at_any_shape(dtype, sizes):
    runs = (Run(isa, dtype, sizes=sizes, loss="squared_error") for isa in FUSED)
    first, *others = map(train, runs)
    assert all(other == first for other in others)


# ------------------------------------------------------------------------- pause and resume


@every_isa
@every_dtype
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("pauses", [(5,), (1, 4, 10)], ids=str)
def test_a_training_resumed_in_the_middle_of_an_epoch(isa, dtype, optimizer, pauses):
    """In a new engine, from a snapshot, the state and the number of steps."""
    run = Run(isa, dtype, optimizer=optimizer)
    assert train(replace(run, pauses=pauses, threads=2)) == train(run)


def test_the_same_training_twice():
    run = Run(threads=2)
    assert train.__wrapped__(run) == train.__wrapped__(run)


def test_different_trainings_are_told_apart():
    """All these equalities would hold as well if nothing were trained."""
    runs = Run(), Run(hidden="tanh"), Run(optimizer="descent"), Run(batch_size=33)
    assert len({train(run)["W(1)"] for run in runs}) == len(runs)


# --------------------------------------------------------- cost, gradients and activations


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


@every_isa
@every_dtype
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_gradients_and_cost_of_any_form_of_examples(isa, dtype, form, threads):
    check_gradients_and_cost(Run(isa, dtype, form=form, threads=threads))


@every_isa
@every_dtype
@every_case
def test_gradients_and_cost_of_any_network(isa, dtype, hidden, loss):
    check_gradients_and_cost(Run(isa, dtype, hidden, loss, weighted=True, threads=2))


@every_isa
@every_dtype
@pytest.mark.parametrize("hidden", ["relu", "tanh"])
@pytest.mark.parametrize("form", FORMS)
def test_activations_of_given_examples(isa, dtype, hidden, form):
    base, data = engine_of(Run(isa, dtype, hidden, skip_zeros=False))
    expected = list(map(fingerprint, base.activations(data, 1)))
    engine, data = engine_of(Run(isa, dtype, hidden, form=form))
    for threads in (1, 2, 5):
        assert list(map(fingerprint, engine.activations(data, threads))) == expected
        assert fingerprint(engine.forward(data, threads)) == expected[-1]
