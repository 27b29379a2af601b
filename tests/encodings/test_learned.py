"""Encodings with learned parameters: gradients, training, and the same bits however computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP, AdamW, GradientDescent, kernels, reference
from fastmlp.encodings import Embedding, Encoding, Numeric, OneHot, Periodic, PiecewiseLinear

Array = NDArray[Any]
EDGES = [-1.5, -0.5, 0.0, 0.25, 1.0]

# encodings of the four columns of `table`, and whether the encoded inputs are scaled
LEARNED: dict[str, tuple[list[Encoding], bool]] = {
    "embedding": ([Numeric(), OneHot(5), PiecewiseLinear(EDGES), Embedding(40)], False),
    "scaling": ([Numeric(), OneHot(5), PiecewiseLinear(EDGES), OneHot(40)], True),
    "periodic": ([Periodic(), OneHot(5), Periodic(20, 1, 1.0), OneHot(40)], False),
    "all": ([Periodic(5, 2), Embedding(5, 1), PiecewiseLinear(EDGES), Embedding(40, 3)], True),
}


@pytest.fixture(params=LEARNED.values(), ids=LEARNED)
def make(request: pytest.FixtureRequest) -> Callable[..., MLP]:
    """Makes networks for `table` whose encodings have parameters, all of them random."""
    encodings, input_scaling = request.param

    def made(hidden: tuple[int, ...] = (24, 12), **options: Any) -> MLP:
        options = {"seed": 5, "activation": "tanh", "dtype": "float64"} | options
        net = MLP((4, *hidden, 3), encodings=encodings, input_scaling=input_scaling, **options)
        if input_scaling:
            s = np.random.default_rng(9).normal(1, 0.3, net.input_scale.shape)
            net.set_parameters(net.weights, net.biases, input_scale=s)
        return net

    return made


def reference_of(net: MLP, batch_norm: tuple[bool, ...] = ()) -> reference.Network:
    """The same network in NumPy, with copies of its parameters."""
    constants = []
    for one, p in zip(net.encodings, net.encoding_parameters, strict=True):
        fixed = (one.size,) if isinstance(one, OneHot) else one.constants
        constants.append((one.name, *fixed, *(array.copy() for array in p.values())))
    s = net.input_scale
    other = reference.Network(
        net.state.spec.layer_sizes,
        [f.name for f in (*net.activation, net.output_activation)],
        net.loss.name,
        net.dtype,
        batch_norm=batch_norm,
        encodings=constants,
        input_scale=None if s is None else s.copy(),
    )
    other.weights, other.biases = net.weights, net.biases
    return other


def flat(gradients: tuple[list[dict[str, Array]], Array | None]) -> list[Array]:
    """Every array of a gradient by the encodings' parameters."""
    columns, by_scale = gradients
    found = [array for column in columns for array in column.values()]
    return found if by_scale is None else [*found, by_scale]


def all_parameters(net: MLP) -> list[bytes]:
    return [array.tobytes() for layer in net.state.layers() for array in layer]


def central_differences(net: MLP, X: Array, y: Array, s: Array) -> Iterator[Array]:
    """Derivatives of J by every parameter of the encodings."""
    *layers, encoding = net.state.layers()
    h = 1e-5

    def cost(array: Array, place: Any, value: float) -> float:
        before, array[place] = array[place], value
        net.state.set_layers([*layers, encoding])
        array[place], found = before, net.cost(X, y, sample_weight=s)
        return found

    for array in encoding:
        found = np.empty_like(array)
        for i in np.ndindex(array.shape):
            x = array[i]
            found[i] = (cost(array, i, x + h) - cost(array, i, x - h)) / (2 * h)
        yield found
    net.state.set_layers([*layers, encoding])


def test_gradients_agree_with_central_differences(make, table, rng):
    net, s = make(hidden=(7,)), rng.uniform(0.5, 2, 300)
    found = flat(net.gradients(table.X, table.y, wrt="encoding", sample_weight=s))
    for g, expected in zip(found, central_differences(net, table.X, table.y, s), strict=True):
        np.testing.assert_allclose(g, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_gradients_agree_with_the_reference(make, table, rng, training, batch_norm):
    net, s = make(batch_norm=batch_norm), rng.uniform(0.5, 2, 300)
    other = reference_of(net, (batch_norm,) * 2)
    options = {"sample_weight": s, "training": training}
    found = flat(net.gradients(table.X, table.y, wrt="encoding", **options))
    columns, by_scale = other.encoding_gradients(table.X, table.y, s, training=training)
    expected = [g for column in columns for g in column]
    expected += [by_scale] if net.input_scaling else []
    for one, g in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, g, rtol=0, atol=1e-14)


def test_gradients_agree_with_autograd(torch, make, table):
    net = make()
    X, y = torch.tensor(table.X), torch.tensor(table.y)
    parameters = [
        {name: torch.tensor(p, requires_grad=True) for name, p in column.items()}
        for column in net.encoding_parameters
    ]
    parts = []
    for x, one, p in zip(X.T, net.encodings, parameters, strict=True):
        if isinstance(one, Periodic):
            angle = 2 * torch.pi * x[:, None] * p["frequencies"] + p["phases"]
            parts.append(torch.column_stack([x, angle.cos() @ p["weight"].T + p["bias"]]))
        elif isinstance(one, Embedding):
            row = torch.nn.functional.embedding(x.long().clamp(min=0), p["table"])
            parts.append(row * (x >= 0)[:, None])
        else:
            parts.append(torch.tensor(fastmlp.steps.encode(x[:, None].numpy(), [one])))
    s = torch.tensor(np.ones(1) if net.input_scale is None else net.input_scale)
    s.requires_grad_()
    a = torch.hstack(parts) * s
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        a = torch.tanh(a @ torch.tensor(W).T + torch.tensor(b))
    z = a @ torch.tensor(net.weights[-1]).T + torch.tensor(net.biases[-1])
    torch.nn.functional.cross_entropy(z, y).backward()
    expected = [p.grad for column in parameters for p in column.values()]
    expected += [s.grad] if net.input_scaling else []
    found = flat(net.gradients(table.X, table.y, wrt="encoding"))
    for one, g in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, g.numpy(), rtol=0, atol=1e-9)


def test_steps_agree_with_the_network(make, table, rng):
    net, s = make(), rng.uniform(0.5, 2, 300)
    columns = net.encodings, net.encoding_parameters, net.input_scale
    f = ["tanh", "tanh", "softmax"]
    a1 = fastmlp.steps.encode(table.X, *columns)
    z, a = fastmlp.steps.forward(a1, net.weights, net.biases, f)
    np.testing.assert_allclose(a[-1], net.forward(table.X), rtol=0, atol=1e-14)
    delta = fastmlp.steps.output_delta(table.y, a[-1], z[-1], "softmax", "cross_entropy")
    deltas = fastmlp.steps.hidden_deltas(delta, net.weights, z, f)
    by_columns, by_scale = fastmlp.steps.encoding_gradients(
        deltas[0], net.weights[0], table.X, *columns, sample_weight=s
    )
    found = flat((by_columns, by_scale if net.input_scaling else None))
    expected = flat(net.gradients(table.X, table.y, wrt="encoding", sample_weight=s))
    for one, g in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, g, rtol=0, atol=1e-14)


@pytest.mark.parametrize("optimizer", [GradientDescent(0.1, momentum=0.9), AdamW(0.01)], ids=str)
def test_training_agrees_with_the_reference(make, table, optimizer):
    net = make()
    other = reference_of(net)
    rule = reference.Optimizer(optimizer.name, *optimizer.constants)
    options = {"shuffle": False, "batch_size": 32, "optimizer": optimizer, "l2": 1e-2}
    net.fit(table.X, table.y, epochs=2, **options)
    rates = [optimizer.learning_rate] * 10
    for _ in range(2):
        other.train(table.X, table.y, np.arange(300), 32, rates, rule, l2=1e-2)
    arrays = [p for _, *rest in other.encodings for p in rest if isinstance(p, np.ndarray)]
    arrays += [] if other.input_scale is None else [other.input_scale]
    for one, expected in zip(net.state.layers()[-1], arrays, strict=True):
        np.testing.assert_allclose(one, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(net.weights[0], other.weights[0], rtol=0, atol=1e-10)


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "clipped": {"clip_norm": 0.05, "ema": 0.9},
    "max norm": {"max_norm": 0.5, "ema": 0.9},
    "weights": {"sample_weight": np.linspace(0, 2, 300), "label_smoothing": 0.1},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_same_bits_for_any_number_of_threads_product_and_instruction_set(
    make, table, state, fused_isas, monkeypatch, dtype, options
):
    """Batches of 140 pass in chunks."""
    found = set()
    for isa in fused_isas:
        module = kernels.engine(dtype, isa)
        monkeypatch.setattr(kernels, "engine", lambda *_, module=module: module)
        for n_threads in (1, 2, 3):
            for use_sparse in (True, False):
                net = make((70, 40), dtype=dtype, activation="relu", input_dropout=0.2)
                net.state.use_sparse(use_sparse)
                net.fit(table.X, table.y, epochs=2, batch_size=140, n_threads=n_threads, **options)
                found.add(b"".join(state(net)))
        monkeypatch.undo()
    assert len(found) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_embeddings_among_many_categories_have_the_same_bits_in_sparse_rows(rng, state, dtype):
    """Of 115 encoded columns at most 6 are not zero: fewer than any processor's tile is for."""
    encodings = [OneHot(60), Embedding(4, 3), OneHot(50), Embedding(5, 2)]
    X = np.column_stack([rng.integers(-1, n, 90) for n in (60, 4, 50, 5)])  # −1: unknown
    y = rng.normal(size=(90, 40))
    found = []
    for use_sparse in (True, False):
        net = MLP((4, 40), encodings=encodings, loss="squared_error", dtype=dtype, seed=3)
        net.state.use_sparse(use_sparse)
        net.fit(X, y, epochs=3, batch_size=30, optimizer=AdamW(0.01))
        found.append((b"".join(state(net)), net.forward(X).tobytes()))
    assert found[0] == found[1]
    assert np.isfinite(net.forward(X)).all()


def test_one_batch_in_chunks_has_the_gradient_of_all_rows_at_once(make, table):
    """A batch of more rows than a chunk, and batch norm, whose batches pass whole."""
    X, y = np.tile(table.X, (4, 1)), np.tile(table.y, 4)
    net = make()
    for one, g in zip(
        flat(net.gradients(X, y, wrt="encoding")),
        flat(net.gradients(table.X, table.y, wrt="encoding")),
        strict=True,
    ):
        np.testing.assert_allclose(one, g, rtol=0, atol=1e-14)


def test_dropped_inputs_have_no_gradient(make, table):
    """∂J of the batch that training sees, with its factors of dropout."""
    net = make(input_dropout=0.5)
    found = flat(net.gradients(table.X, table.y, wrt="encoding", training=True))
    before = net.cost(table.X, table.y, training=True)
    *layers, encoding = net.state.layers()
    step = 1e-6
    moved = tuple(p - step * g for p, g in zip(encoding, found, strict=True))
    net.state.set_layers([*layers, moved])
    fall = before - net.cost(table.X, table.y, training=True)
    assert fall == pytest.approx(step * sum(float((g**2).sum()) for g in found), rel=1e-4)


def test_a_rate_of_zero_and_freezing_leave_the_parameters(make, table):
    kinds = {
        "rates": {"encoding_rate_multiplier": 0.0, "scaling_rate_multiplier": 0.0},
        "frozen": {},
    }
    results = []
    for kind, options in kinds.items():
        net = make()
        if kind == "frozen":
            net.freeze("encoding")
        before = [p.tobytes() for p in net.state.layers()[-1]]
        net.fit(table.X, table.y, epochs=2, **options)
        assert [p.tobytes() for p in net.state.layers()[-1]] == before
        results.append(all_parameters(net))
    assert results[0] == results[1]


def test_the_encoding_trains_below_frozen_layers(make, table):
    net = make()
    net.freeze([0, 1, 2])
    before, encoding = [*net.weights, *net.biases], net.state.layers()[-1]
    net.fit(table.X, table.y, epochs=2)
    for one, other in zip(before, [*net.weights, *net.biases], strict=True):
        np.testing.assert_array_equal(one, other)
    assert all((p != q).any() for p, q in zip(encoding, net.state.layers()[-1], strict=True))
    net.freeze("encoding")
    assert net.encoding_frozen
    with pytest.raises(ValueError, match="every layer is frozen"):
        net.fit(table.X, table.y)
    net.unfreeze()
    assert (net.frozen, net.encoding_frozen) == ((), False)


def test_rates_multiply_a_step(table):
    """One step of gradient descent from the same parameters."""
    encodings = [Numeric(), OneHot(5), Periodic(), Embedding(40)]
    steps = []
    for rate, scale_rate in ((1.0, 1.0), (0.25, 3.0)):
        net = MLP((4, 9, 3), encodings=encodings, input_scaling=True, dtype="float64")
        before = net.state.layers()[-1]
        net.fit(
            table.X, table.y, epochs=1, batch_size=300, optimizer=GradientDescent(0.1),
            encoding_rate_multiplier=rate, scaling_rate_multiplier=scale_rate,
        )  # fmt: skip
        steps.append([p - q for p, q in zip(net.state.layers()[-1], before, strict=True)])
    for one, other, factor in zip(*steps, [0.25] * 5 + [3.0], strict=True):
        np.testing.assert_allclose(other, factor * one, rtol=1e-9, atol=1e-16)


def test_clipping_counts_the_gradient_of_the_encodings(table):
    encodings = [Numeric(), OneHot(5), Periodic(), Embedding(40)]
    net = MLP((4, 9, 3), encodings=encodings, input_scaling=True, dtype="float64")
    before = net.state.layers()
    layers = net.gradients(table.X, table.y)
    slopes = [*layers, flat(net.gradients(table.X, table.y, wrt="encoding"))]
    norm = np.sqrt(sum(float((g**2).sum()) for part in slopes for g in part))
    net.fit(
        table.X, table.y, epochs=1, batch_size=300, optimizer=GradientDescent(0.5),
        clip_norm=norm / 3,
    )  # fmt: skip
    for new, old, part in zip(net.state.layers(), before, slopes, strict=True):
        for found, p, g in zip(new, old, part, strict=True):
            np.testing.assert_allclose(found, p - 0.5 * g / 3, rtol=1e-9, atol=1e-14)


def test_weight_decay_acts_on_the_scale_alone_and_only_if_asked(table):
    encodings = [Numeric(), OneHot(5), Periodic(), Embedding(40)]
    found = []
    for decay, multiplier in ((0.5, 0.0), (0.0, 4.0), (0.5, 4.0)):
        net = MLP((4, 9, 3), encodings=encodings, input_scaling=True, dtype="float64")
        net.fit(table.X, table.y, epochs=1, batch_size=300,
                optimizer=AdamW(0.01, weight_decay=decay), scaling_rate_multiplier=2.0,
                scaling_decay_multiplier=multiplier, l2=0.1)  # fmt: skip
        found.append(net.state.layers()[-1])
    for none, without, *_ in zip(*found[:2], strict=True):
        np.testing.assert_array_equal(none, without)
    np.testing.assert_allclose(found[2][-1], found[0][-1] - 0.01 * 2 * 4 * 0.5, rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_periodic_outputs_are_exact_to_rounding(dtype):
    """Sine and cosine of angles of up to thousands of turns, near every quarter of a turn."""
    n, rng = 64, np.random.default_rng(1)
    x = np.concatenate([np.linspace(-3, 3, 4001), rng.normal(0, 300, 2000), [0.0]]).astype(dtype)
    net = MLP((1, n + 1), encodings=[Periodic(n, n)], dtype=dtype, loss="squared_error",
              init=([np.eye(n + 1)], [np.zeros(n + 1)]))
    w = (2.0 ** rng.integers(-3, 3, n)).astype(dtype)     # w x is exact
    p = {"frequencies": w, "phases": np.zeros(n), "weight": np.eye(n), "bias": np.zeros(n)}
    net.set_parameters(net.weights, net.biases, encoding_parameters=[p])
    turns = np.outer(x, w).astype(np.float64)
    turns -= np.rint(turns)
    expected = np.cos(2 * np.arccos(np.longdouble(-1)) * turns)
    error = np.abs(net.forward(x[:, None])[:, 1:] - expected).max()
    assert error < 3 * np.finfo(dtype).eps


def test_numbers_too_large_for_an_angle_stay_finite():
    net = MLP((1, 8, 1), encodings=[Periodic()], loss="squared_error")
    assert np.isfinite(net.activations(np.array([[1e30], [-1e36]]))[0]).all()


def test_initial_parameters_are_as_documented():
    net = MLP((2, 3), encodings=[Embedding(5000), Periodic(4000, 3, 0.2)], dtype="float64")
    (table,), periodic = (p.values() for p in net.encoding_parameters)
    frequencies, phases, weight, bias = periodic
    assert abs(table.std() - 1) < 0.02
    assert abs(frequencies.std() / 0.2 - 1) < 0.05
    assert np.abs(phases).max() <= np.pi < np.abs(phases).max() + 0.01
    assert 0.95 / 4000**0.5 < np.abs(weight).max() <= 1 / 4000**0.5
    assert np.abs(bias).max() <= 1 / 4000**0.5
    other = MLP((2, 7, 3), encodings=[Numeric(), Periodic(4000, 3, 0.2)], dtype="float64")
    np.testing.assert_array_equal(other.encoding_parameters[1]["phases"], phases)


@pytest.mark.parametrize("m", [1, 2, 7])
@pytest.mark.parametrize(
    "encodings", [[Embedding(1, 1)], [Periodic(1, 1)], [Periodic(17, 5)], [Embedding(3, 33)]],
    ids=str,
)  # fmt: skip
def test_degenerate_shapes_agree_with_the_reference(encodings, m):
    X, y = np.arange(m)[:, None] % 2 - 1.0, np.linspace(-1, 1, m)
    net = MLP((1, 1), encodings=encodings, input_scaling=True, loss="squared_error",
              dtype="float64")
    other = reference_of(net)
    net.fit(X, y, epochs=1, batch_size=m, optimizer="gradient_descent", shuffle=False)
    other.train(X, y, np.arange(m), m, [0.01], reference.Optimizer("gradient_descent"))
    np.testing.assert_allclose(net.forward(X), other.forward(X), rtol=0, atol=1e-14)
    np.testing.assert_allclose(net.input_scale, other.input_scale, rtol=0, atol=1e-14)


def test_a_network_learns_what_only_a_table_of_categories_knows(rng):
    code = rng.integers(0, 200, 4000)
    truth = rng.normal(size=200)
    net = MLP((1, 16, 1), encodings=[Embedding(200)], loss="squared_error")
    net.fit(code[:, None].astype(float), truth[code], epochs=40, optimizer=fastmlp.Adam(0.01))
    assert np.mean((net.forward(np.arange(200.0)[:, None])[:, 0] - truth) ** 2) < 0.02


def test_parameters_and_encodings_of_the_wrong_kind_are_named():
    net = MLP((1, 2, 1), encodings=Embedding(3, 2), loss="squared_error")
    with pytest.raises(TypeError, match=r"encoding_parameters\[0\] must be a dict, got 7"):
        net.set_parameters(net.weights, net.biases, encoding_parameters=[7])
    with pytest.raises(TypeError, match="encodings must be one for each column or one for all"):
        fastmlp.steps.encode(np.zeros((2, 1)), None)
