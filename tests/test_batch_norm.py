"""Batch norm × dropout × noise × activation: gradients, updates, statistics, bits, folding.

The engine's draws are handed to the reference as factors and terms, so both compute the same
function of the same numbers.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import kernels, reference, steps
from fastmlp.kernels.calls import TrainingOptions

SIZES = (11, 37, 70, 5)
M = 24
ACTIVATIONS: dict[str, tuple[str, float]] = {
    "sigmoid": ("sigmoid", 0.0),
    "relu": ("relu", 0.0),
    "leaky_relu": ("leaky_relu", 0.01),
    "tanh": ("tanh", 0.0),
    "elu": ("elu", 1.0),
    "gelu": ("gelu", 0.0),
    "silu": ("silu", 0.0),
    "mish": ("mish", 0.0),
}
DROPOUT = {"without": (0.0, 0.0, 0.0), "with": (0.5, 0.2, 0.3)}  # hidden, input, noise

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_norm = pytest.mark.parametrize("norm", [(True, True), (False, True)], ids=["all", "second"])
every_dropout = pytest.mark.parametrize("dropout", DROPOUT)
every_isa = pytest.mark.parametrize("isa", kernels.isas())


class Problem:
    """A network, its examples, and what it draws in batch 0 of epoch `epoch`."""

    seed = 5

    def __init__(self, activation: str, norm: tuple[bool, bool], dropout: str, m: int = M) -> None:
        rng = np.random.default_rng(3)
        f = ACTIVATIONS[activation]
        self.norm, self.functions = norm, [f, f, ("softmax", 0.0)]
        self.p, self.p_input, self.sigma = DROPOUT[dropout]
        self.weights = [rng.normal(0, n_in**-0.5, (n_out, n_in)) for n_in, n_out in pairwise(SIZES)]
        self.biases = [rng.normal(0, 0.5, n) for n in SIZES[1:]]
        self.scales = [
            rng.uniform(0.5, 1.5, n) if one else None
            for n, one in zip(SIZES[1:], (*norm, False), strict=True)
        ]
        self.X = rng.normal(size=(m, SIZES[0])) * (rng.random((m, SIZES[0])) < 0.7)
        self.y = rng.integers(0, SIZES[-1], m).astype(np.int32)
        self.s = rng.uniform(0.5, 2, m)

    def engine(self, dtype: str = "float64", isa: str | None = None) -> tuple[Any, Any]:
        module = kernels.engine(dtype, isa)
        hidden = [(one, self.p, self.sigma) for one in self.norm]
        engine = module.Engine(
            SIZES, self.functions, "cross_entropy", 1.0, hidden, self.p_input, self.seed
        )
        layers = [
            tuple(x.astype(dtype) for x in layer if x is not None)
            for layer in zip(self.weights, self.biases, self.scales, strict=True)
        ]
        ones = [np.ones(n, dtype) for n in SIZES[1:]]
        statistics = [
            None if scale is None else (0 * one, one)
            for scale, one in zip(self.scales, ones, strict=True)
        ]
        engine.set_layers(layers, statistics)
        return engine, module

    def data(self, engine: Any, module: Any, dtype: str = "float64") -> Any:
        return module.Data(engine, self.X.astype(dtype), self.y, self.s.astype(dtype))

    def oracle(self) -> reference.Network:
        net = reference.Network(SIZES, self.functions, "cross_entropy", batch_norm=self.norm)
        net.weights, net.biases = self.weights.copy(), self.biases.copy()
        net.scales = self.scales.copy()
        return net

    def draws(self, epoch: int, batch: int, m: int) -> reference.Draws:
        """What the engine draws in this batch."""
        ops = kernels.operations("float64")
        where = (self.seed, epoch, batch)
        ps = (self.p_input, self.p, self.p)
        factors = [
            ops.dropout_factors(m, n, p, *where, l) if p else None
            for l, (n, p) in enumerate(zip(SIZES, ps, strict=False))
        ]
        noises = [
            ops.noise(m, n, self.sigma, *where, l) if self.sigma else None
            for l, n in enumerate(SIZES[1:-1], start=1)
        ]
        return reference.Draws([*factors, None], [*noises, None])


def flat(layers: Any) -> np.ndarray:
    return np.concatenate([array.ravel() for layer in layers for array in layer])


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / max(1, np.abs(expected).max()))


# ------------------------------------------------------------------------------- gradients


@every_isa
@every_dropout
@every_norm
@every_activation
def test_gradients_of_a_training_step_are_the_references(activation, norm, dropout, isa):
    problem = Problem(activation, norm, dropout)
    engine, module = problem.engine(isa=isa)
    data, options = problem.data(engine, module), TrainingOptions(l2=0.01)
    _, found = engine.gradients(data, options, 2, training=True, epoch=7)
    net = problem.oracle()
    expected = net.gradients(
        problem.X, problem.y, 0.01, problem.s, True, problem.draws(7, 0, M)
    )
    assert [len(layer) for layer in found] == [3 if s is not None else 2 for s in net.scales]
    assert error(flat(found), flat(expected)) < 1e-11


@every_dropout
@every_norm
@every_activation
def test_gradients_of_a_training_step_are_central_differences(activation, norm, dropout):
    problem = Problem(activation, norm, dropout, m=6)
    engine, module = problem.engine()
    data = problem.data(engine, module)
    _, found = engine.gradients(data, TrainingOptions(), 1, training=True, epoch=2)
    rng = np.random.default_rng(0)
    direction = [
        tuple(rng.normal(size=x.shape) for x in layer) for layer in found
    ]

    def cost_at(t: float) -> float:
        layers = zip(problem.weights, problem.biases, problem.scales, strict=True)
        engine.set_layers([
            tuple(x + t * d for x, d in zip(layer, move, strict=False))
            for layer, move in zip(layers, direction, strict=True)
        ])
        progress, _ = engine.gradients(data, TrainingOptions(), 1, training=True, epoch=2)
        return float(progress.cost) / float(progress.weight)

    h = 1e-6
    slope = (cost_at(h) - cost_at(-h)) / (2 * h)
    assert slope == pytest.approx(float(flat(found) @ flat(direction)), rel=1e-6, abs=1e-8)


@every_norm
@every_activation
def test_gradients_of_prediction_are_central_differences_of_its_cost(activation, norm):
    problem = Problem(activation, norm, "with")
    net = fastmlp.MLP(
        SIZES, activation=activation, batch_norm=list(norm), dropout=0.3, dtype="float64",
        init=(problem.weights, problem.biases),
    )
    net.fit(problem.X, problem.y, epochs=3, batch_size=12)
    found = net.gradients(problem.X, problem.y, 0.02, sample_weight=problem.s)
    rng = np.random.default_rng(0)
    direction = [tuple(rng.normal(size=x.shape) for x in layer) for layer in found]
    layers = list(zip(net.weights, net.biases, net.scales, strict=True))

    def cost_at(t: float) -> float:
        moved = [
            [x if x is None else x + t * d for x, d in zip(layer, [*move, 0], strict=False)]
            for layer, move in zip(layers, direction, strict=True)
        ]
        net.set_parameters(*zip(*moved, strict=True))
        return net.cost(problem.X, problem.y, 0.02, sample_weight=problem.s)

    h = 1e-6
    slope = (cost_at(h) - cost_at(-h)) / (2 * h)
    assert slope == pytest.approx(float(flat(found) @ flat(direction)), rel=1e-6)


@every_dropout
@every_norm
@every_activation
def test_gradients_and_statistics_are_pytorchs(torch, activation, norm, dropout):
    problem = Problem(activation, norm, dropout)
    engine, module = problem.engine()
    data = problem.data(engine, module)
    _, found = engine.gradients(data, TrainingOptions(), 2, training=True, epoch=7)
    factors, noises = problem.draws(7, 0, M)
    names = {"leaky_relu": "leaky_relu", "gelu": "gelu", "elu": "elu", "silu": "silu",
             "mish": "mish"}
    f = (
        getattr(torch.nn.functional, names[activation])
        if activation in names
        else getattr(torch, activation)
    )
    parameters: list[Any] = []
    s = torch.tensor(problem.s)
    share = (s / s.sum())[:, None]  # a weight of 2 is two examples, which PyTorch's layer has not
    a = torch.tensor(problem.X if factors[0] is None else problem.X * factors[0])
    for l in range(3):
        layer = [problem.weights[l], problem.biases[l], problem.scales[l]]
        W, b, *rest = [torch.tensor(x, requires_grad=True) for x in layer if x is not None]
        z = a @ W.T
        if rest:
            mean = (share * z).sum(axis=0)
            variance = (share * (z - mean) ** 2).sum(axis=0)
            z = rest[0] * (z - mean) / torch.sqrt(variance + 1e-5)
        z = z + b
        if l < 2:
            z = z if noises[l] is None else z + torch.tensor(noises[l])
            a = f(z) if factors[l + 1] is None else f(z) * torch.tensor(factors[l + 1])
        parameters.append([W, b, *rest])
    each = torch.nn.functional.cross_entropy(
        z, torch.tensor(problem.y.astype(np.int64)), reduction="none"
    )
    ((each * s).sum() / s.sum()).backward()
    expected = [tuple(p.grad.numpy() for p in layer) for layer in parameters]
    assert error(flat(found), flat(expected)) < 1e-9


# ------------------------------------------------------------- updates: engine = steps = reference


@every_isa
@every_dropout
@every_norm
@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-11), ("float32", 3e-4)])
def test_the_engine_ends_where_the_reference_does(norm, dropout, dtype, tolerance, isa, train):
    problem = Problem("tanh", norm, dropout)
    engine, module = problem.engine(dtype, isa)
    engine.set_optimizer("adam", (0.9, 0.999, 1e-8))
    rng = np.random.default_rng(1)
    net, rule = problem.oracle(), reference.Optimizer("adam")
    data = problem.data(engine, module, dtype)
    for epoch in range(6):
        order, rates = rng.permutation(M), np.full(3, 0.003)
        train(engine, data, order, 8, rates, epoch=epoch, l2=0.01, threads=2)
        net.train(
            problem.X, problem.y, order, 8, rates, rule, 0.01, problem.s,
            lambda batch, m, epoch=epoch: problem.draws(epoch, batch, m),
        )
    assert error(flat(engine.get_layers()), flat(net._parameters())) < tolerance
    for pair, expected in zip(engine.get_statistics(), net.statistics, strict=True):
        assert (pair is None) == (expected is None)
        if pair is not None:
            assert error(flat([pair]), flat([expected])) < tolerance
    outputs = engine.forward(module.Data(engine, problem.X.astype(dtype)), 2)
    assert error(outputs, net.forward(problem.X)) < tolerance


@every_norm
@pytest.mark.parametrize("weighted", [False, True])
def test_the_steps_make_the_engines_step(norm, weighted, train):
    problem = Problem("tanh", norm, "without")
    s = problem.s * (np.arange(M) % 5 > 0) if weighted else None
    total = M if s is None else s.sum()
    engine, module = problem.engine()
    engine.set_optimizer("gradient_descent", (0.0, 0.0))
    data = module.Data(engine, problem.X, problem.y, s)
    train(engine, data, np.arange(M), M, 0.1)
    a, zs, norms = [problem.X], [], []
    for W, b, scale in zip(problem.weights, problem.biases, problem.scales, strict=True):
        u = steps.forward(a[-1], [W], [0 * b], "identity")[0][0]
        if scale is None:
            zs.append(u + b)
            norms.append(None)
        else:
            z, *rest = steps.batch_norm(u, scale, b, sample_weight=s)
            zs.append(z)
            norms.append(rest)
        a.append(np.tanh(zs[-1]))
    y = np.eye(SIZES[-1])[problem.y]
    h = np.exp(zs[-1]) / np.exp(zs[-1]).sum(axis=1, keepdims=True)
    delta = steps.output_delta(y, h, zs[-1], "softmax", "cross_entropy")
    new = []
    for l in (2, 1, 0):
        W, b, scale = problem.weights[l], problem.biases[l], problem.scales[l]
        db = np.average(delta, axis=0, weights=s)
        layer = []
        if norms[l] is not None:
            hat, inverse = norms[l]
            delta, dscale, dshift = steps.batch_norm_delta(delta, hat, scale, inverse, s)
            db = dshift / total
            layer = [scale - 0.1 * dscale / total]
        dW = steps.batch_gradients(delta, a[l], W, sample_weight=s)[0]
        new.insert(0, (W - 0.1 * dW, b - 0.1 * db, *layer))
        if l > 0:
            delta = steps.hidden_deltas(delta, [problem.weights[0], W], [zs[l - 1], zs[l]],
                                        ["tanh", "identity"])[0]
    assert error(flat(engine.get_layers()), flat(new)) < 1e-13


@every_norm
def test_an_example_of_weight_2_is_two_examples(norm, train):
    problem = Problem("tanh", norm, "without")
    weights = np.random.default_rng(2).integers(0, 4, M)
    found = []
    for rows, s in ((np.arange(M), weights), (np.repeat(np.arange(M), weights), None)):
        engine, module = problem.engine()
        engine.set_optimizer("gradient_descent", (0.9, 0.0))
        given = None if s is None else s.astype(float)
        data = module.Data(engine, problem.X[rows], problem.y[rows], given)
        n = len(rows)
        for epoch in range(5):
            train(engine, data, np.arange(n), n, 0.1, epoch=epoch, l2=0.01)
        statistics = [pair for pair in engine.get_statistics() if pair is not None]
        assert len(statistics) == sum(norm)
        found.append(flat(engine.get_layers() + statistics))
    assert error(found[0], found[1]) < 1e-13


def test_an_example_of_weight_0_is_none():
    problem = Problem("relu", (True, True), "without")
    problem.s[::3] = 0
    engine, module = problem.engine()

    def gradients():
        data = problem.data(engine, module)
        return flat(engine.gradients(data, TrainingOptions(), 1, training=True)[1])

    first = gradients()
    problem.X[::3] = 1e6
    assert error(gradients(), first) < 1e-13


@every_isa
def test_a_batch_without_weight_leaves_the_statistics(isa, train):
    problem = Problem("relu", (True, True), "without")
    problem.s[:] = 0
    engine, module = problem.engine(isa=isa)
    engine.set_optimizer("gradient_descent", (0.0, 0.0))
    before = engine.snapshot().tobytes()
    train(engine, problem.data(engine, module), np.arange(M), M, 0.1)
    assert engine.snapshot().tobytes() == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_count_in_proportion_however_small(dtype):
    problem = Problem("tanh", (True, True), "without")
    found = []
    for scale in (1, 1e-25):
        engine, module = problem.engine(dtype)
        data = module.Data(engine, problem.X.astype(dtype), problem.y,
                           (scale * problem.s).astype(dtype))
        found.append(flat(engine.gradients(data, TrainingOptions(), 1, training=True)[1]))
    assert error(found[1], found[0]) < (1e-4 if dtype == "float32" else 1e-12)


# ------------------------------------------------------------------------------------- bits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@every_dropout
def test_same_bits_for_any_threads_lists_and_fused_build(dropout, dtype, fused_isas, train):
    problem = Problem("relu", (True, True), dropout, m=90)
    found = set()
    for isa in fused_isas:
        for threads in (1, 2, 3, 5):
            for use_sparse in (True, False):
                engine, module = problem.engine(dtype, isa)
                engine.use_sparse = use_sparse
                engine.set_optimizer("adam", (0.9, 0.999, 1e-8))
                data = problem.data(engine, module, dtype)
                for epoch in range(3):
                    train(
                        engine, data, np.arange(90), 40, 0.01, epoch=epoch, l2=0.01,
                        threads=threads, max_norm=1.5, clip_norm=0.5, ema=0.9,
                    )
                found.add(b"".join(
                    x.tobytes()
                    for group in (*engine.get_layers(), *engine.get_average(),
                                  *engine.get_statistics()[:2])
                    for x in group
                ))
    assert len(found) == 1
