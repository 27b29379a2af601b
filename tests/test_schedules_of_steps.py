"""What a fit changes from step to step: weight decay and dropout; and learning rates of biases."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Adam, AdamW, GradientDescent, RMSprop, kernels, reference, schedules
from fastmlp.schedules import Constant, FlatCosine, LogCosine, Step

SIZES = (40, 37, 70, 5)
M, BATCH, EPOCHS = 50, 16, 3
BATCHES = -(-M // BATCH)
STEPS = np.arange(EPOCHS * BATCHES)
P_INPUT, P = 0.2, (0.5, 0.3)
SEED = 4
BIAS_RATES = (0.1, 3.0, 0.0)
RATE = LogCosine(0.01, cycles=2, total_steps=len(STEPS))
DECAY = FlatCosine(2.0, total_steps=len(STEPS))
DROPOUT = FlatCosine(1.0, flat=0.25, total_steps=len(STEPS))
OPTIMIZERS = [
    GradientDescent(0.1), GradientDescent(0.1, momentum=0.5), Adam(0.1), RMSprop(0.1)
]  # fmt: skip


@cache
def examples() -> tuple[np.ndarray, np.ndarray]:
    """A third of the numbers is not zero, so that they are read as sparse rows too."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(M, SIZES[0])) * (rng.random((M, SIZES[0])) < 0.3)
    return X, rng.integers(0, SIZES[-1], M)


def network(**options: Any) -> MLP:
    options = {"dropout": list(P), "input_dropout": P_INPUT, "dtype": "float64"} | options
    return MLP(SIZES, batch_norm=[True, False], seed=SEED, **options)


def fit(net: MLP, **options: Any) -> MLP:
    net.fit(*examples(), epochs=EPOCHS, batch_size=BATCH, shuffle=False, **options)
    return net


def parameters(net: MLP) -> np.ndarray:
    scales = [scale for scale in net.scales if scale is not None]
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases, *scales)])


def same(one: MLP, other: MLP) -> bool:
    return parameters(one).tobytes() == parameters(other).tobytes()


def by_reference(decay: bool, dropout: bool, bias_rates: bool) -> np.ndarray:
    """The parameters after all steps, by NumPy, with random numbers from the kernel alone."""
    start = network()
    functions = ["relu", "relu", "softmax"]
    net = reference.Network(SIZES, functions, "cross_entropy", batch_norm=[True, False])
    net.weights, net.biases = list(start.weights), list(start.biases)
    rule = reference.Optimizer("adamw", *((0.9, 0.999, 1e-8) if decay else ()))
    factors = DROPOUT(STEPS) if dropout else np.ones(len(STEPS))
    factors_of = kernels.operations("float64").dropout_factors

    for epoch in range(EPOCHS):
        steps = slice(epoch * BATCHES, (epoch + 1) * BATCHES)

        def draws(k: int, m: int, epoch: int = epoch) -> reference.Draws:
            factor = factors[epoch * BATCHES + k]
            found = [
                factors_of(m, n, p * factor, SEED, epoch, k, l)
                for l, (n, p) in enumerate(zip(SIZES, (P_INPUT, *P), strict=False))
            ]
            return reference.Draws([*found, None], [None] * 3)

        net.train(
            *examples(), np.arange(M), BATCH, RATE(STEPS[steps]), rule, draws=draws,
            weight_decays=DECAY(STEPS[steps]) if decay else None,
            rate_multipliers=(1.0, 0.5, 2.0) if bias_rates else None,
            bias_rate_multipliers=BIAS_RATES if bias_rates else None,
        )
    scales = [scale for scale in net.scales if scale is not None]
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases, *scales)])


def options_of(decay: bool, dropout: bool, bias_rates: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"optimizer": AdamW(RATE, weight_decay=DECAY if decay else 0.01)}
    if dropout:
        options["dropout_schedule"] = DROPOUT
    if bias_rates:
        options |= {"rate_multipliers": (1, 0.5, 2), "bias_rate_multipliers": BIAS_RATES}
    return options


EACH = [(True, False, False), (False, True, False), (False, False, True), (True, True, True)]
every_part = pytest.mark.parametrize(
    "parts", EACH, ids=["decay", "dropout", "bias rates", "all"]
)  # fmt: skip


@every_part
def test_a_fit_ends_where_the_reference_does(parts):
    found = parameters(fit(network(), **options_of(*parts)))
    np.testing.assert_allclose(found, by_reference(*parts), rtol=1e-10, atol=1e-12)


@every_part
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "CSR"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bits_are_the_same_for_any_threads_and_paths(parts, sparse, dtype):
    X, y = examples()
    rows = X.astype(dtype)
    given = pytest.importorskip("scipy.sparse").csr_matrix(rows) if sparse else rows
    found = set()
    for threads in (1, 2, 3):
        for use_sparse in (True, False):
            net = network(dtype=dtype)
            net.state.use_sparse(use_sparse)
            net.fit(given, y, epochs=2, batch_size=BATCH, n_threads=threads, **options_of(*parts))
            found.add(parameters(net).tobytes())
    assert len(found) == 1


def test_adamw_is_pytorchs_with_other_rates_and_decays_in_each_step(torch):
    net = MLP((40, 9, 5), activation="tanh", dtype="float64", seed=SEED)
    groups = [
        [torch.tensor(W.copy(), requires_grad=True) for W in net.weights],
        [torch.tensor(b.copy(), requires_grad=True) for b in net.biases],
    ]
    rule = torch.optim.AdamW([{"params": one} for one in groups])
    X, y = (torch.tensor(one) for one in examples())
    fit(net, optimizer=AdamW(RATE, weight_decay=DECAY), bias_rate_multipliers=0.1)
    for step in STEPS:
        rows = slice(step % BATCHES * BATCH, (step % BATCHES + 1) * BATCH)
        (W, V), (b, c) = groups
        rule.param_groups[0].update(lr=RATE(step), weight_decay=DECAY(step))
        rule.param_groups[1].update(lr=0.1 * RATE(step), weight_decay=0.0)
        rule.zero_grad()
        z = torch.tanh(X[rows] @ W.T + b) @ V.T + c
        torch.nn.functional.cross_entropy(z, y[rows]).backward()
        rule.step()
    expected = np.concatenate([one.detach().numpy().ravel() for group in groups for one in group])
    np.testing.assert_allclose(parameters(net), expected, rtol=1e-9, atol=1e-12)


# --------------------------------------------------------------- special cases that must agree


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constant_schedules_and_multipliers_of_one_change_no_bit(dtype):
    one, other = network(dtype=dtype), network(dtype=dtype)
    fit(one, optimizer=AdamW(0.01, weight_decay=0.3))
    fit(
        other, optimizer=AdamW(0.01, weight_decay=Constant(0.3)),
        dropout_schedule=Constant(1), bias_rate_multipliers=1,
    )  # fmt: skip
    assert same(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_times_zero_is_no_dropout(dtype):
    dropping, whole = network(dtype=dtype), network(dtype=dtype, dropout=0, input_dropout=0)
    assert same(fit(dropping, dropout_schedule=Constant(0)), fit(whole))
    assert not same(fit(dropping), fit(whole))


@pytest.mark.parametrize("options", [{"dropout": 1e-12}, {"dropout_schedule": Constant(0)}])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "softplus", "exponential"])
def test_where_nothing_is_dropped_sparse_rows_end_at_the_last_unit(activation, options):
    """f(0) is not zero for most activations: rows of the layer are padded with it."""
    (X, y), own = examples(), {"dropout": 0.5} | options
    schedule = own.pop("dropout_schedule", None)
    nets = [
        MLP((40, 65, 65, 5), activation=activation, init="lecun_normal", **one)
        for one in ({}, *[own] * 4)
    ]
    for net, factor in zip(nets, (None, *[schedule] * 4), strict=True):
        net.fit(X, y, epochs=12, batch_size=2, dropout_schedule=factor)
    assert all(same(nets[0], net) for net in nets)


def test_dropout_times_a_half_is_half_the_dropout():
    half = network(dropout=[p / 2 for p in P], input_dropout=P_INPUT / 2)
    assert same(fit(network(), dropout_schedule=Constant(0.5)), fit(half))


def test_dropout_of_distorted_images_follows_the_schedule(rng):
    X, y = rng.random((60, 36)), rng.integers(0, 3, 60)
    distortion = fastmlp.augment.Distortion(rotation=10)
    nets = [MLP((36, 20, 3), input_dropout=p, dropout=p) for p in (0.4, 0.2)]
    for net, factor in zip(nets, (0.5, 1), strict=True):
        net.fit(X, y, epochs=2, augment=distortion, dropout_schedule=Constant(factor))
    assert same(*nets)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize(
    "options", [{}, {"clip_norm": 1e6}, {"batch_size": 2000}], ids=["", "clipped", "in chunks"]
)
def test_the_first_step_of_a_bias_is_multiplied(optimizer, options):
    """Of every rule the first step from a fresh state is proportional to the learning rate."""
    X, y = (np.repeat(one, 40, axis=0) for one in examples())  # 2000 rows, more than a chunk
    plain, net = (MLP(SIZES, dtype="float64", seed=SEED) for _ in range(2))
    start = plain.biases
    options = {"epochs": 1, "batch_size": 500, "optimizer": optimizer} | options
    X, y = X[: options["batch_size"]], y[: options["batch_size"]]
    plain.fit(X, y, **options)
    net.fit(X, y, bias_rate_multipliers=BIAS_RATES, **options)
    for factor, first, once, moved in zip(
        BIAS_RATES, start, plain.biases, net.biases, strict=True
    ):
        np.testing.assert_allclose(moved, first + factor * (once - first), rtol=1e-12, atol=1e-14)
    for W, V in zip(plain.weights, net.weights, strict=True):
        np.testing.assert_array_equal(W, V)


def test_scales_of_batch_norm_have_the_learning_rate_of_weights():
    net = fit(network(), bias_rate_multipliers=0)
    assert all((b == 0).all() for b in net.biases)
    assert (net.scales[0] != 1).any()


# -------------------------------------------------------------------------- through files, options


def test_training_resumed_from_a_file_has_the_same_bits(tmp_path):
    options = options_of(True, True, True)
    whole, first = fit(network(), **options), network()
    first.fit(*examples(), epochs=1, batch_size=BATCH, shuffle=False, **options)
    first.save(tmp_path / "net.npz", with_optimizer=True)
    second = fastmlp.load(tmp_path / "net.npz")
    second.fit(*examples(), epochs=EPOCHS - 1, batch_size=BATCH, shuffle=False, **options)
    assert same(whole, second)


def test_another_schedule_of_the_decay_goes_on_with_the_same_moments():
    """As another learning rate does; another constant weight decay begins anew."""
    net = network()
    for optimizer, steps in (
        (AdamW(weight_decay=FlatCosine(0.1)), 12),
        (AdamW(weight_decay=Step(0.1, every=3)), 24),
        (AdamW(weight_decay=0.1), 12),
    ):
        assert fit(net, optimizer=optimizer).state.steps == steps


def test_a_curve_of_decay_or_dropout_spans_a_call_of_fit():
    for curve in (FlatCosine, LogCosine):
        one, other = network(), network()
        fit(one, optimizer=AdamW(weight_decay=curve(0.7)), dropout_schedule=curve(0.9))
        fit(
            other, optimizer=AdamW(weight_decay=curve(0.7, total_steps=len(STEPS))),
            dropout_schedule=curve(0.9, total_steps=len(STEPS)),
        )  # fmt: skip
        assert same(one, other)


def test_a_later_call_begins_a_new_curve_of_decay_and_dropout():
    class Repeated(schedules.Schedule):
        name = "repeated"

        def __init__(self, curve: schedules.Schedule) -> None:
            self.curve = curve

        def __call__(self, steps: Any) -> Any:
            return self.curve(steps % len(STEPS))

    one, other = network(), network()
    for _ in range(2):
        fit(one, optimizer=AdamW(weight_decay=FlatCosine(0.7)),
            dropout_schedule=FlatCosine(1, flat=0.25))
        fit(other, optimizer=AdamW(weight_decay=Repeated(FlatCosine(0.7, total_steps=len(STEPS)))),
            dropout_schedule=Repeated(DROPOUT))
    assert same(one, other)


def test_a_scheduled_decay_is_none_of_the_constants():
    """Files that are saved in between hold the constants, in which it counts as 0."""
    optimizer = AdamW(weight_decay=DECAY)
    assert optimizer.constants == AdamW(weight_decay=0.0).constants
    assert (optimizer.decay_schedule, AdamW().decay_schedule) == (DECAY, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout_schedule": FlatCosine(1)}, r"FlatCosine\(.*needs total_steps"),
        ({"optimizer": AdamW(weight_decay=FlatCosine(1))}, r"FlatCosine\(.*needs total_steps"),
    ],
)
def test_chunks_need_the_number_of_steps(options, message):
    net = network()
    with pytest.raises(ValueError, match=message):
        net.fit([examples()], epochs=1, **options)
    assert net.epochs == 0


class Wrong(schedules.Schedule):
    def __init__(self, values: Any) -> None:
        self.values = values

    def __call__(self, steps: Any) -> Any:
        return self.values


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"dropout_schedule": 0.5}, TypeError, "dropout_schedule must be a schedule such as"),
        ({"dropout_schedule": "cosine"}, TypeError, "dropout_schedule must be a schedule such as"),
        ({"dropout_schedule": Constant(1.5)}, ValueError,
         r"the schedule of dropout returned 1\.5; expected numbers in \[0, 1\]"),
        ({"dropout_schedule": Wrong([0, 1, np.nan, 1])}, ValueError, "of dropout returned nan"),
        ({"dropout_schedule": Wrong([1])}, ValueError, r"of dropout returned shape \(1,\) for 4"),
        ({"optimizer": AdamW(weight_decay=Wrong([1, -1, 1, 1]))}, ValueError,
         "the schedule of weight_decay returned a rate that is negative"),
        ({"optimizer": AdamW(weight_decay=Wrong([1]))}, ValueError,
         r"of weight_decay returned shape \(1,\) for 4 steps"),
        ({"bias_rate_multipliers": [1, 2]}, ValueError, "has 2 entries for 3 layers of weights"),
        ({"bias_rate_multipliers": -1}, ValueError, r"bias_rate_multipliers must be in \[0, inf\)"),
        ({"bias_rate_multipliers": "ten"}, TypeError, "bias_rate_multipliers must be a number"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(options, kind, message):
    net = network()
    with pytest.raises(kind, match=message):
        fit(net, **options)
