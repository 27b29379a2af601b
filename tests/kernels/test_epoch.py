"""A training by the engine: what `train` returns, when it stops, what it leaves alone."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest

from fastmlp.kernels.calls import Progress, TrainingOptions

LOSSES = [
    ("squared_error", "identity"), ("cross_entropy", "softmax"),
    ("binary_cross_entropy", "sigmoid"), ("absolute_error", "identity"), ("huber", "identity"),
    ("quantile", "identity"), ("poisson", "exponential"), ("gamma", "exponential"),
]  # fmt: skip
OPTIMIZERS = [
    ("gradient_descent", 0.0, 0.0),
    ("gradient_descent", 0.9, 1.0),
    ("adam", 0.9, 0.999, 1e-8),
    ("adamw", 0.9, 0.999, 1e-8, 0.01),
    ("rmsprop", 0.99, 1e-8, 0.5),
]
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)


@pytest.mark.parametrize("weighted", [False, True])
def test_train_returns_the_costs_it_met(problem, build, weighted, train):
    """With a learning rate of 0 nothing moves, and they are the cost of all examples."""
    for loss, output in LOSSES:
        made, data = problem(loss, output, weighted=weighted)
        before = made.snapshot().tobytes()
        progress = train(made, data, np.arange(50), 8, 0.0, l2=0.1)
        assert (progress.batch, progress.failed) == (7, None), loss
        assert made.snapshot().tobytes() == before, loss
        expected = pytest.approx(made.evaluate(data, 1)[:2], rel=1e-12)
        assert (progress.cost, progress.weight) == expected, loss


@pytest.mark.parametrize("batch_size", [1, 7, 49, 50, 51, 1000])
def test_the_last_batch_takes_what_is_left(problem, batch_size, train):
    made, data = problem()
    n_batches = -(-50 // batch_size)
    progress = train(made, data, np.arange(50), batch_size, 0.01)
    assert progress.batch == made.steps == n_batches
    assert (progress.weight, progress.failed) == (50, None)


def test_every_batch_has_its_own_learning_rate(problem, train):
    """A rate of 0 leaves the parameters of its batch, and of no other."""
    made, data = problem()
    other, _ = problem()
    order = np.arange(50)
    train(made, data, order, 10, [0.1, 0.0, 0.2, 0.0, 0.0])
    kept = np.concatenate([order[:10], order[20:30]])
    train(other, data, kept, 10, [0.1, 0.2])
    assert made.snapshot().tobytes() == other.snapshot().tobytes()


@pytest.mark.parametrize("weighted", [False, True])
def test_l2_per_weight_is_divided_by_the_weight_of_the_batch(problem, weighted, train):
    made, data = problem(weighted=weighted)
    other, _ = problem(weighted=weighted)
    train(made, data, np.arange(50), 20, 0.01, l2=0.5, l2_per_weight=True)
    for rows in np.split(np.arange(50), [20, 40]):
        order = np.ascontiguousarray(rows)
        weight = train(other, data, order, 20, 0.0).weight
        train(other, data, order, 20, 0.01, l2=0.5 / weight)
    assert made.snapshot().tobytes() == other.snapshot().tobytes()


def test_without_time_one_batch_is_run_at_a_call(problem, train):
    made, data = problem()
    whole, _ = problem()
    train(whole, data, np.arange(50), 10, 0.01)
    for number in range(5):
        progress = train(made, data, np.arange(50), 10, 0.01, first=number, seconds=0.0)
        assert progress[:4] == (number + 1, progress.cost, 10, None)
    assert made.snapshot().tobytes() == whole.snapshot().tobytes()
    assert made.steps == whole.steps == 5


def test_an_order_without_rows_trains_nothing():
    """In a process of its own: what is tested for is a loop without end."""
    finish_in_a_process("""
        before = made.snapshot().tobytes()
        batches = Batches(np.empty(0, np.int64), 10, np.empty(0))
        assert made.train(data, batches, options, Progress(), 1, 60.0)[:4] == (0, 0.0, 0.0, None)
        assert made.snapshot().tobytes() == before and made.steps == 0
    """)


def test_nothing_is_left_to_train_behind_the_last_batch():
    finish_in_a_process("""
        batches = Batches(np.arange(4), 2, np.full(2, 0.1))
        assert made.train(data, batches, options, Progress(2), 1, 60.0)[:4] == (2, 0.0, 0.0, None)
        assert made.steps == 0
    """)


def test_gradients_of_no_example_are_those_of_the_penalty():
    finish_in_a_process("""
        empty = module.Data(made, np.zeros((0, 3)), np.zeros((0, 2)))
        sums, found = made.gradients(empty, options, 1)
        assert (sums.cost, sums.weight) == (0, 0)
        for (dW, db), (W, _) in zip(found, made.get_layers()):
            assert np.array_equal(dW, 0.5 * W) and not db.any()
        assert made.gradients(empty, options, 1, True)[1].shape == (0, 3)
    """)


def finish_in_a_process(code: str) -> None:
    """Run code on an engine (3, 4, 2) with four examples; it must come to its end."""
    setup = """
        import numpy as np
        from fastmlp import kernels
        from fastmlp.kernels.calls import Batches, Progress, TrainingOptions
        options = TrainingOptions(l2=0.5)
        module = kernels.engine("float64")
        made = module.Engine((3, 4, 2), [("tanh", 0.0), ("identity", 0.0)], "squared_error", 1.0)
        made.set_layers([(np.ones((4, 3)), np.ones(4)), (np.ones((2, 4)), np.ones(2))])
        data = module.Data(made, np.ones((4, 3)), np.zeros((4, 2)))
    """
    lines = (line[8:] for line in (setup + code).splitlines())
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=20)


@pytest.mark.parametrize("m", [1, 2, 5])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_batch_may_be_smaller_than_the_threads(problem, m, threads, train):
    made, data = problem(m=m)
    one, _ = problem()
    for each, n in ((made, threads), (one, 1)):
        train(each, data, np.arange(m), 1, 0.01, threads=n)
    assert made.snapshot().tobytes() == one.snapshot().tobytes()


def test_batches_without_weight_change_nothing_but_by_the_penalty(build, engine, sparse, train):
    made = engine((4, 5, 2))
    X, y, s = sparse(20, 4), sparse(20, 2), np.zeros(20, build.dtype)
    data = build.engine.Data(made, X, y, s)
    before = made.snapshot().tobytes()
    assert train(made, data, np.arange(20), 5, 0.01)[:4] == (4, 0, 0, None)
    assert made.snapshot().tobytes() == before
    for dW, db in made.gradients(data, TrainingOptions(), 1)[1]:
        assert not dW.any() and not db.any()


def test_an_example_of_weight_two_counts_like_two(build, engine, sparse):
    X, y = sparse(6, 4), sparse(6, 2)
    s = np.array([1, 2, 0, 1, 3, 1], build.dtype)
    repeated = np.repeat(np.arange(6), s.astype(int))
    made = engine((4, 5, 2))
    given = build.engine.Data(made, X, y, s), build.engine.Data(made, X[repeated], y[repeated])
    weighted, counted = (made.gradients(data, TrainingOptions(l2=0.1), 1)[1] for data in given)
    for x, z in zip(weighted, counted, strict=True):
        for one, other in zip(x, z, strict=True):
            assert one == pytest.approx(other, rel=50 * build.eps, abs=50 * build.eps)


@pytest.mark.parametrize(("threads", "times"), [(2, 100), (5, 20)])
@pytest.mark.parametrize("sizes", [(300, 5), (40, 70, 5), (40, 70, 50, 66)])
def test_input_gradients_do_not_depend_on_the_threads(
    build, engine, sparse, sizes, threads, times
):
    """Many times over, since threads that do not wait for one another fail now and then only.

    The more threads there are than processors, the longer a call takes, and the oftener it fails.
    """
    made = engine(sizes, "relu")
    data = build.engine.Data(made, sparse(100, sizes[0]), sparse(100, sizes[-1]))
    expected = made.gradients(data, TrainingOptions(), 1, True)[1].tobytes()
    for _ in range(times):
        assert made.gradients(data, TrainingOptions(), threads, True)[1].tobytes() == expected


@pytest.mark.parametrize("threads", [2, 5])
@pytest.mark.parametrize("sizes", [(300, 5), (40, 70, 5), (40, 70, 50, 66)])
def test_gradients_do_not_depend_on_the_shares_of_threads(
    build, engine, sparse, sizes, threads, rng
):
    """Other shares in each call, and results stored past the caches in some of them."""
    made = engine(sizes, "relu")
    data = build.engine.Data(made, sparse(100, sizes[0]), sparse(100, sizes[-1]))
    expected = made.gradients(data, TrainingOptions(), 1, True)[1].tobytes()
    for _ in range(20):
        found = made.gradients(data, TrainingOptions(), threads, True)[1].tobytes()
        assert found == expected
        made.passing.shares = rng.dirichlet(np.ones(len(made.passing.shares)))


def test_gradients_leave_nothing_to_the_next_call(build, engine, sparse):
    """Their memory is kept: neither fewer rows nor numbers that were not finite tell."""
    sizes = (40, 70, 5)
    made, fresh = engine(sizes), lambda: engine(sizes)
    X, y = sparse(130, 40), sparse(130, 5)
    broken = np.full_like(X, np.inf)
    for rows, threads, wrt_input in [(130, 1, False), (129, 2, False), (7, 1, True), (7, 2, False)]:
        options = TrainingOptions(l2=0.1), threads, wrt_input
        made.gradients(build.engine.Data(made, broken[:rows], y[:rows]), *options)
        (sums, found), (expected_sums, expected) = (
            one.gradients(build.engine.Data(one, X[:rows], y[:rows]), *options)
            for one in (made, fresh())
        )
        assert (sums.cost, sums.weight) == (expected_sums.cost, expected_sums.weight)
        if wrt_input:
            assert found.tobytes() == expected.tobytes()
            continue
        for x, z in zip(found, expected, strict=True):
            assert [one.tobytes() for one in x] == [one.tobytes() for one in z]


def test_python_threads_take_gradients_at_once(build, engine, sparse):
    made = engine((40, 70, 5))
    sets = [build.engine.Data(made, sparse(100, 40), sparse(100, 5)) for _ in range(4)]

    def by_input(data):
        return made.gradients(data, TrainingOptions(), 1, True)[1].tobytes()

    expected = [by_input(data) for data in sets]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            assert list(pool.map(by_input, sets)) == expected


# ------------------------------------------------------------------------------ non-finite


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layer", [0, 1])
def test_a_parameter_that_is_not_finite_stops_at_its_batch(problem, layer, value, threads, train):
    made, data = problem()
    layers = made.get_layers()
    layers[layer][0][-1, -1] = value
    made.set_layers(layers)
    progress = train(made, data, np.arange(50), 10, 0.01, threads=threads)
    assert (progress.batch, progress.failed) == (1, 0)


@pytest.mark.parametrize(("loss", "output"), LOSSES)
def test_an_example_that_is_not_finite_stops_at_its_batch(
    build, problem, sparse, rng, loss, output, train
):
    for optimizer, threads in product(OPTIMIZERS, (1, 2)):
        made, _ = problem(loss, output, optimizer=optimizer)
        X = sparse(50, 6)
        X[37, 2] = np.nan
        y = (
            rng.integers(0, 4, 50).astype(np.int32)
            if loss == "cross_entropy"
            else rng.random((50, 2 if loss == "quantile" else 4)).astype(build.dtype)
        )
        data = build.engine.Data(made, X, y)
        progress = train(made, data, np.arange(50), 10, 0.01, threads=threads)
        assert (progress.batch, progress.failed, made.steps) == (4, 3, 0), (optimizer, threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_learning_rate_too_large_is_found_out(problem, threads, train):
    made, data = problem()
    order = np.tile(np.arange(50), 20)
    progress = train(made, data, order, 10, 1e6, threads=threads)
    assert 0 < progress.failed < 99 and progress.batch == progress.failed + 1


@pytest.mark.parametrize("threads", [1, 2])
def test_a_cost_alone_can_be_found_out(build, engine, sparse, threads, train):
    """One target is so far away that its square overflows; at this rate no parameter does."""
    made = engine((6, 9, 4))
    huge = float(np.finfo(build.dtype).max) ** 0.6
    y = sparse(50, 4)
    y[37, 1] = huge
    data = build.engine.Data(made, sparse(50, 6), y)
    progress = train(made, data, np.arange(50), 10, 1 / huge / huge, threads=threads)
    assert (progress.batch, progress.cost, progress.failed) == (4, np.inf, 3)
    assert np.isfinite(np.frombuffer(made.snapshot().tobytes(), build.dtype)).all()


def test_a_bias_alone_can_be_found_out(build, engine, sparse, train):
    """The inputs, and so the weight's gradient, are 0; the bias overflows, the cost does not."""
    made = engine((3, 2))
    y = np.full((4, 2), 1e10, build.dtype)
    data = build.engine.Data(made, np.zeros((4, 3), build.dtype), y)
    rate = float(np.finfo(build.dtype).max) / 10
    progress = train(made, data, np.arange(4), 4, rate)
    weight, bias = made.get_layers()[0]
    assert np.isfinite(progress.cost) and np.isfinite(weight).all() and np.isinf(bias).all()
    assert progress.failed == 0


# ------------------------------------------------------------- what the process has around it


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", ["train", "forward", "evaluate", "gradients"])
def test_denormal_numbers_survive_the_engine(problem, call, threads, train):
    """They are flushed to zero inside only; NumPy gets the processor back as it was."""
    made, data = problem()
    tiny = np.full(100, 1e-310)
    expected = (tiny * 1).tobytes()  # their bits: a comparison would take them for zeros as well
    assert any(expected)
    if call == "train":
        train(made, data, np.arange(50), 10, 0.01, threads=threads)
    elif call == "gradients":
        made.gradients(data, TrainingOptions(), threads)
    else:
        getattr(made, call)(data, threads)
    assert (tiny * 1).tobytes() == expected


def test_other_python_threads_run_meanwhile(build, engine, sparse, train):
    """This thread sees that batches go by, spoils the examples, and so ends a long training.

    They are read where they lie, also by the batch under way.
    """
    made = engine((200, 200, 1))
    X = sparse(64, 200)
    data = build.engine.Data(made, X, sparse(64, 1))
    order = np.tile(np.arange(64), 5000)
    results: list[Progress] = []
    trainer = threading.Thread(
        target=lambda: results.append(train(made, data, order, 64, 1e-6))
    )
    trainer.start()
    for phase in ("gather", "gradient", "gather"):  # the first batch is over, another one runs
        before = made.phase_seconds().get((phase, 0), 0)
        while made.phase_seconds().get((phase, 0), 0) == before and trainer.is_alive():
            pass
    X[:] = np.nan
    trainer.join()
    assert 0 < results[0].failed < 4999
