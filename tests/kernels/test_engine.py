"""Engine: its parameters, its state, what `train` returns, when it stops, what it leaves alone.

That its numbers are right is tested in test_agreement.py, test_gradients.py and test_bits.py.
"""

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

LOSSES = [
    ("squared_error", "identity"), ("cross_entropy", "softmax"), ("binary_cross_entropy", "sigmoid")
]  # fmt: skip
OPTIMIZERS = [
    ("gradient_descent", 0.0, 0.0),
    ("gradient_descent", 0.9, 1.0),
    ("adam", 0.9, 0.999, 1e-8),
    ("adamw", 0.9, 0.999, 1e-8, 0.01),
    ("rmsprop", 0.99, 1e-8, 0.5),
]
FOREVER = 60.0
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)


@pytest.fixture
def problem(build, engine, sparse, rng):
    """An engine and 50 examples with targets for its loss, and perhaps weights."""

    def problem(
        loss: str = "squared_error",
        output: str = "identity",
        m: int = 50,
        weighted: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, Any]:
        made = engine((6, 9, 4), output=output, loss=loss, **kwargs)
        if loss == "cross_entropy":
            y = rng.integers(0, 4, m).astype(np.int32)
        else:
            y = rng.random((m, 4)).astype(build.dtype)
        s = rng.random(m).astype(build.dtype) if weighted else None
        return made, build.engine.Data(made, sparse(m, 6), y, s)

    return problem


def rates(n: int, rate: float = 0.01) -> np.ndarray:
    return np.full(n, rate)


# -------------------------------------------------------------------------- parameters, state


def test_sizes_and_dtype_are_told(build, engine):
    made = engine((3, 5, 2))
    assert made.sizes == (3, 5, 2) and made.steps == 0
    assert build.engine.DTYPE == build.dtype == made.get_layer(0)[0].dtype


def test_parameters_are_zero_at_first(build):
    made = build.engine.Engine((3, 70, 2), [("relu", 0.0), ("identity", 0.0)], "squared_error", 1)
    for layer in range(2):
        assert not any(array.any() for array in made.get_layer(layer))


def test_what_is_handed_out_is_a_copy(engine, parameters):
    made = engine((3, 5, 2))
    before = parameters(made)
    for array in parameters(made):
        array[:] = 7
    assert all(np.array_equal(x, y) for x, y in zip(parameters(made), before, strict=True))


def test_a_snapshot_brings_the_parameters_back(problem):
    made, data = problem()
    before = made.snapshot()
    made.train(data, np.arange(50), 10, 0, rates(5), 0.0, 1, FOREVER)
    after = made.snapshot()
    assert after != before
    made.restore(before)
    assert made.snapshot() == before
    made.restore(after)
    assert made.snapshot() == after


@every_optimizer
def test_state_is_like_the_parameters_and_empty_at_first(engine, optimizer, parameters):
    made = engine((3, 70, 2), optimizer=optimizer)
    slots = made.get_state()
    plain = optimizer[0] == "gradient_descent"
    assert len(slots) == ((optimizer[1] != 0) if plain else 2)
    for slot in slots:
        flat = [array for layer in slot for array in layer]
        assert [x.shape for x in flat] == [x.shape for x in parameters(made)]
        assert not any(array.any() for array in flat)


@every_optimizer
def test_state_and_steps_carry_a_training_over(problem, optimizer, build):
    """Parameters, state and steps are all there is: another engine goes on from them."""
    made, data = problem(optimizer=optimizer)
    made.train(data, np.arange(50), 10, 0, rates(5), 0.01, 1, FOREVER)
    other, _ = problem(optimizer=optimizer)
    other.restore(made.snapshot())
    other.set_state(made.get_state(), made.steps)
    for each in (made, other):
        each.train(data, np.arange(50), 10, 0, rates(5), 0.01, 1, FOREVER)
    assert made.steps == other.steps == 10
    assert made.snapshot() == other.snapshot()


@every_optimizer
def test_two_epochs_are_one_of_twice_the_length(problem, optimizer):
    """The count of steps goes on over the end of an epoch: Adam's correction depends on it."""
    made, data = problem(optimizer=optimizer)
    other, _ = problem(optimizer=optimizer)
    for _ in range(2):
        made.train(data, np.arange(50), 10, 0, rates(5), 0.01, 1, FOREVER)
    other.train(data, np.tile(np.arange(50), 2), 10, 0, rates(10), 0.01, 1, FOREVER)
    assert made.steps == other.steps == 10
    assert made.snapshot() == other.snapshot()


def test_setting_the_optimizer_forgets_the_last(problem):
    made, data = problem(optimizer=("adam", 0.9, 0.999, 1e-8))
    made.train(data, np.arange(50), 10, 0, rates(5), 0.0, 1, FOREVER)
    made.set_optimizer("adam", (0.9, 0.999, 1e-8))
    assert made.steps == 0
    assert not any(a.any() for slot in made.get_state() for layer in slot for a in layer)


def test_unknown_names_are_errors(build, engine):
    with pytest.raises(KeyError):
        engine((2, 2), output="soft")
    with pytest.raises(KeyError):
        engine((2, 2), loss="hinge")


def test_more_layers_than_a_pass_has_room_for_are_refused(build):
    with pytest.raises(ValueError, match="1000 layers.* 1001"):
        build.engine.Engine((1,) * 1002, [("relu", 0.0)] * 1001, "squared_error", 1.0)


def test_parameters_of_another_layout_or_dtype_are_refused(build, engine):
    made = engine((4, 4))
    W, b = made.get_layer(0)
    other = "float32" if build.dtype == "float64" else "float64"
    for weight, bias in ((W.T, b), (W.astype(other), b), (W, b.astype(other))):
        with pytest.raises(ValueError):
            made.set_layer(0, weight, bias)


# ------------------------------------------------------------------------------ one training


@pytest.mark.parametrize(("loss", "output"), LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_train_returns_the_costs_it_met(problem, build, loss, output, weighted):
    """With a learning rate of 0 nothing moves, and they are the cost of all examples."""
    made, data = problem(loss, output, weighted=weighted)
    before = made.snapshot()
    following, cost, weight, bad = made.train(
        data, np.arange(50), 8, 0, rates(7, 0.0), 0.1, 1, FOREVER
    )
    assert (following, bad) == (7, -1) and made.snapshot() == before
    assert (cost, weight) == pytest.approx(made.cost(data, 1), rel=1e-12)


@pytest.mark.parametrize("batch_size", [1, 7, 49, 50, 51, 1000])
def test_the_last_batch_takes_what_is_left(problem, batch_size):
    made, data = problem()
    n_batches = -(-50 // batch_size)
    result = made.train(data, np.arange(50), batch_size, 0, rates(n_batches), 0.0, 1, FOREVER)
    assert result[0] == made.steps == n_batches
    assert result[2:] == (50, -1)


def test_every_batch_has_its_own_learning_rate(problem):
    """A rate of 0 leaves the parameters of its batch, and of no other."""
    made, data = problem()
    other, _ = problem()
    order = np.arange(50)
    made.train(data, order, 10, 0, np.array([0.1, 0.0, 0.2, 0.0, 0.0]), 0.0, 1, FOREVER)
    kept = np.concatenate([order[:10], order[20:30]])
    other.train(data, kept, 10, 0, np.array([0.1, 0.2]), 0.0, 1, FOREVER)
    assert made.snapshot() == other.snapshot()


def test_without_time_one_batch_is_run_at_a_call(problem):
    made, data = problem()
    whole, _ = problem()
    whole.train(data, np.arange(50), 10, 0, rates(5), 0.0, 1, FOREVER)
    for number in range(5):
        following, _, weight, bad = made.train(
            data, np.arange(50), 10, number, rates(5), 0.0, 1, 0.0
        )
        assert (following, weight, bad) == (number + 1, 10, -1)
    assert made.snapshot() == whole.snapshot() and made.steps == whole.steps == 5


def test_an_order_without_rows_trains_nothing():
    """In a process of its own: what is tested for is a loop without end."""
    finish_in_a_process("""
        before = made.snapshot()
        order, rates = np.empty(0, np.int64), np.empty(0)
        assert made.train(data, order, 10, 0, rates, 0.1, 1, 60.0) == (0, 0.0, 0.0, -1)
        assert made.snapshot() == before and made.steps == 0
    """)


def test_nothing_is_left_to_train_behind_the_last_batch():
    finish_in_a_process("""
        order, rates = np.arange(4), np.full(2, 0.1)
        assert made.train(data, order, 2, 2, rates, 0.1, 1, 60.0) == (2, 0.0, 0.0, -1)
        assert made.steps == 0
    """)


def test_gradients_of_no_example_are_those_of_the_penalty():
    finish_in_a_process("""
        empty = module.Data(made, np.zeros((0, 3)), np.zeros((0, 2)))
        for layer, (dW, db) in enumerate(made.gradients(empty, 0.5, 1)):
            assert np.array_equal(dW, 0.5 * made.get_layer(layer)[0]) and not db.any()
        assert made.gradients(empty, 0.5, 1, True).shape == (0, 3)
    """)


def finish_in_a_process(code: str) -> None:
    """Run code on an engine (3, 4, 2) with four examples; it must come to its end."""
    setup = """
        import numpy as np
        from fastmlp import kernels
        module = kernels.engine("float64")
        made = module.Engine((3, 4, 2), [("tanh", 0.0), ("identity", 0.0)], "squared_error", 1.0)
        made.set_layer(0, np.ones((4, 3)), np.ones(4))
        made.set_layer(1, np.ones((2, 4)), np.ones(2))
        data = module.Data(made, np.ones((4, 3)), np.zeros((4, 2)))
    """
    lines = (line[8:] for line in (setup + code).splitlines())
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=20)


@pytest.mark.parametrize("m", [1, 2, 5])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_batch_may_be_smaller_than_the_threads(problem, m, threads):
    made, data = problem(m=m)
    one, _ = problem()
    for each, n in ((made, threads), (one, 1)):
        each.train(data, np.arange(m), 1, 0, rates(m), 0.0, n, FOREVER)
    assert made.snapshot() == one.snapshot()


def test_batches_without_weight_change_nothing_but_by_the_penalty(build, engine, sparse):
    made = engine((4, 5, 2))
    X, y, s = sparse(20, 4), sparse(20, 2), np.zeros(20, build.dtype)
    data = build.engine.Data(made, X, y, s)
    before = made.snapshot()
    assert made.train(data, np.arange(20), 5, 0, rates(4), 0.0, 1, FOREVER) == (4, 0, 0, -1)
    assert made.snapshot() == before
    for dW, db in made.gradients(data, 0.0, 1):
        assert not dW.any() and not db.any()


def test_an_example_of_weight_two_counts_like_two(build, engine, sparse):
    X, y = sparse(6, 4), sparse(6, 2)
    s = np.array([1, 2, 0, 1, 3, 1], build.dtype)
    repeated = np.repeat(np.arange(6), s.astype(int))
    made = engine((4, 5, 2))
    weighted = made.gradients(build.engine.Data(made, X, y, s), 0.1, 1)
    counted = made.gradients(build.engine.Data(made, X[repeated], y[repeated]), 0.1, 1)
    for x, z in zip(weighted, counted, strict=True):
        for one, other in zip(x, z, strict=True):
            assert one == pytest.approx(other, rel=50 * build.eps, abs=50 * build.eps)


# ------------------------------------------------------------------------------ non-finite


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layer", [0, 1])
def test_a_parameter_that_is_not_finite_stops_at_its_batch(problem, layer, value, threads):
    made, data = problem()
    W, b = made.get_layer(layer)
    W[-1, -1] = value
    made.set_layer(layer, W, b)
    following, _, _, bad = made.train(data, np.arange(50), 10, 0, rates(5), 0.0, threads, FOREVER)
    assert (following, bad) == (1, 0)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("loss", "output"), LOSSES)
@every_optimizer
def test_an_example_that_is_not_finite_stops_at_its_batch(
    build, problem, sparse, rng, loss, output, optimizer, threads
):
    made, _ = problem(loss, output, optimizer=optimizer)
    X = sparse(50, 6)
    X[37, 2] = np.nan
    y = (
        rng.integers(0, 4, 50).astype(np.int32)
        if loss == "cross_entropy"
        else rng.random((50, 4)).astype(build.dtype)
    )
    data = build.engine.Data(made, X, y)
    following, _, _, bad = made.train(data, np.arange(50), 10, 0, rates(5), 0.0, threads, FOREVER)
    assert (following, bad) == (4, 3) and made.steps == 4


@pytest.mark.parametrize("threads", [1, 2])
def test_a_learning_rate_too_large_is_found_out(problem, threads):
    made, data = problem()
    order = np.tile(np.arange(50), 20)
    following, _, _, bad = made.train(data, order, 10, 0, rates(100, 1e6), 0.0, threads, FOREVER)
    assert 0 < bad < 99 and following == bad + 1


@pytest.mark.parametrize("threads", [1, 2])
def test_a_cost_alone_can_be_found_out(build, engine, sparse, threads):
    """One target is so far away that its square overflows; at this rate no parameter does."""
    made = engine((6, 9, 4))
    huge = float(np.finfo(build.dtype).max) ** 0.6
    y = sparse(50, 4)
    y[37, 1] = huge
    data = build.engine.Data(made, sparse(50, 6), y)
    result = made.train(
        data, np.arange(50), 10, 0, rates(5, 1 / huge / huge), 0.0, threads, FOREVER
    )
    assert result[0] == 4 and result[1] == np.inf and result[3] == 3
    assert np.isfinite(np.frombuffer(made.snapshot(), build.dtype)).all()


def test_a_bias_alone_can_be_found_out(build, engine, sparse):
    """The inputs, and so the weight's gradient, are 0; the bias overflows, the cost does not."""
    made = engine((3, 2))
    y = np.full((4, 2), 1e10, build.dtype)
    data = build.engine.Data(made, np.zeros((4, 3), build.dtype), y)
    rate = float(np.finfo(build.dtype).max) / 10
    _, cost, _, bad = made.train(data, np.arange(4), 4, 0, rates(1, rate), 0.0, 1, FOREVER)
    weight, bias = made.get_layer(0)
    assert np.isfinite(cost) and np.isfinite(weight).all() and np.isinf(bias).all()
    assert bad == 0


# ------------------------------------------------------------- what the process has around it


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", ["train", "forward", "cost", "gradients"])
def test_denormal_numbers_survive_the_engine(problem, call, threads):
    """They are flushed to zero inside only; NumPy gets the processor back as it was."""
    made, data = problem()
    tiny = np.full(100, 1e-310)
    expected = (tiny * 1).tobytes()  # their bits: a comparison would take them for zeros as well
    assert any(expected)
    if call == "train":
        made.train(data, np.arange(50), 10, 0, rates(5), 0.0, threads, FOREVER)
    elif call == "gradients":
        made.gradients(data, 0.0, threads)
    else:
        getattr(made, call)(data, threads)
    assert (tiny * 1).tobytes() == expected


def test_other_python_threads_run_meanwhile(build, engine, sparse):
    """This thread sees the weights move, spoils the examples, and so ends a long training."""
    made = engine((200, 200, 1))
    X = sparse(64, 200)
    data = build.engine.Data(made, X, sparse(64, 1))
    order = np.tile(np.arange(64), 5000)
    results: list[tuple[int, float, float, int]] = []
    before = made.snapshot()
    trainer = threading.Thread(
        target=lambda: results.append(
            made.train(data, order, 64, 0, rates(5000, 1e-6), 0.0, 1, FOREVER)
        )
    )
    trainer.start()
    while made.snapshot() == before and trainer.is_alive():
        pass
    X[:] = np.nan
    trainer.join()
    assert 0 < results[0][3] < 4999


def test_larger_batches_and_more_threads_need_more_memory(engine):
    made = engine((30, 70, 10))
    sizes = [made.workspace_bytes(n) for n in (1, 10, 100)]
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    assert made.workspace_bytes(100, 2) > sizes[2]


def test_the_memory_of_a_pass_does_not_grow_with_the_batch_beyond_its_chunk(engine):
    made = engine((30, 70, 10))
    assert made.workspace_bytes(100_000) <= 2 * made.workspace_bytes(128)


# ----------------------------------------------------------------------- forward, cost, layers


@pytest.mark.parametrize("m", [0, 1, 2, 16, 119, 120, 121, 500])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_prediction_does_not_depend_on_how_rows_are_cut(build, engine, sparse, m, threads):
    made = engine((20, 70, 40, 3), "relu")
    X = sparse(m, 20)
    data = build.engine.Data(made, X)
    h = made.forward(data, threads)
    alone = [made.forward(build.engine.Data(made, X[r : r + 1]), 1)[0] for r in range(m)]
    assert h.shape == (m, 3) and h.tobytes() == np.array(alone, build.dtype).tobytes()
    levels = made.activations(data, threads)
    assert [a.shape for a in levels] == [(m, 70), (m, 40), (m, 3)]
    assert levels[-1].tobytes() == h.tobytes()


def test_activations_are_those_of_each_layer(build, engine, sparse, parameters):
    made = engine((20, 70, 40, 3), "sigmoid", "tanh")
    X = a = sparse(33, 20)
    W1, b1, W2, b2, W3, b3 = parameters(made)
    levels = made.activations(build.engine.Data(made, X), 1)
    for level, W, b, name in zip(
        levels, (W1, W2, W3), (b1, b2, b3), ("sigmoid", "sigmoid", "tanh"), strict=True
    ):
        a, _ = build.operations.activate(build.operations.forward(a, W, b), name)
        assert level.tobytes() == a.tobytes()


@pytest.mark.parametrize(("loss", "output"), LOSSES)
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_cost_is_the_sum_over_the_examples(problem, loss, output, threads, weighted):
    made, data = problem(loss, output, m=90, weighted=weighted)
    assert made.cost(data, threads) == made.cost(data, 1)


def test_no_example_has_no_cost(build, engine):
    made = engine((3, 2))
    empty = build.engine.Data(made, np.zeros((0, 3), build.dtype), np.zeros((0, 2), build.dtype))
    assert made.cost(empty, 2) == (0, 0)


@pytest.mark.parametrize("threads", [2, 5])
@pytest.mark.parametrize("sizes", [(300, 5), (40, 70, 5), (40, 70, 50, 66)])
def test_input_gradients_do_not_depend_on_the_threads(build, engine, sparse, sizes, threads):
    """Many times over, since threads that do not wait for one another fail now and then only."""
    made = engine(sizes, "relu")
    data = build.engine.Data(made, sparse(100, sizes[0]), sparse(100, sizes[-1]))
    expected = made.gradients(data, 0.0, 1, True).tobytes()
    for _ in range(100):
        assert made.gradients(data, 0.0, threads, True).tobytes() == expected
