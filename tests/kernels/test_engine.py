"""Engine: its parameters and its state, their way in and out, what it tells of itself.

Training is tested in test_epoch.py, prediction in test_prediction.py; that the numbers are right
in test_agreement.py, test_gradients.py and bits/.
"""

import numpy as np
import pytest

OPTIMIZERS = [
    ("gradient_descent", 0.0, 0.0),
    ("gradient_descent", 0.9, 1.0),
    ("adam", 0.9, 0.999, 1e-8),
    ("adamw", 0.9, 0.999, 1e-8, 0.01),
    ("rmsprop", 0.99, 1e-8, 0.5),
]
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)


def test_sizes_and_dtype_are_told(build, engine):
    made = engine((3, 5, 2))
    assert made.sizes == (3, 5, 2) and made.steps == 0
    assert build.engine.DTYPE == build.dtype == made.get_layers()[0][0].dtype


def test_parameters_are_zero_at_first(build):
    made = build.engine.Engine((3, 70, 2), [("relu", 0.0), ("identity", 0.0)], "squared_error", 1)
    for layer in made.get_layers():
        assert not any(array.any() for array in layer)


@pytest.mark.parametrize("sizes", [(3, 5, 2), (40, 70, 33), (1, 200, 1)])
def test_squares_of_the_weights_are_numpys(build, engine, sizes):
    made = engine(sizes)
    weights = [W.astype(np.float64) for W, _ in made.get_layers()]
    assert made.weight_squares() == pytest.approx([(W**2).sum() for W in weights], rel=1e-13)


def test_squares_are_of_the_average_where_that_predicts(build, problem, train):
    made, data = problem()
    made.start_average()
    train(made, data, np.arange(50), 10, 0.01, ema=0.9)
    trained = made.weight_squares()
    made.use_average = True
    averages = [W.astype(np.float64) for W, _ in made.get_average()]
    assert made.weight_squares() == pytest.approx([(W**2).sum() for W in averages], rel=1e-13)
    assert made.weight_squares(training=True) == trained != made.weight_squares()


def test_what_is_handed_out_is_a_copy(engine, parameters):
    made = engine((3, 5, 2))
    before = parameters(made)
    for array in parameters(made):
        array[:] = 7
    assert all(np.array_equal(x, y) for x, y in zip(parameters(made), before, strict=True))


def test_a_snapshot_brings_the_parameters_back(problem, train):
    made, data = problem()
    before, first = made.snapshot(), made.snapshot().tobytes()
    train(made, data, np.arange(50), 10, 0.01)
    after, second = made.snapshot(), made.snapshot().tobytes()
    assert (before.tobytes(), after.tobytes()) == (first, second)
    assert first != second
    made.restore(before)
    assert made.snapshot().tobytes() == first
    made.restore(after)
    assert made.snapshot().tobytes() == second


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
def test_state_and_steps_carry_a_training_over(problem, optimizer, build, train):
    """Parameters, state and steps are all there is: another engine goes on from them."""
    made, data = problem(optimizer=optimizer)
    train(made, data, np.arange(50), 10, 0.01, l2=0.01)
    other, _ = problem(optimizer=optimizer)
    other.restore(made.snapshot())
    other.set_state(made.get_state(), made.steps)
    for each in (made, other):
        train(each, data, np.arange(50), 10, 0.01, l2=0.01)
    assert made.steps == other.steps == 10
    assert made.snapshot().tobytes() == other.snapshot().tobytes()


@every_optimizer
def test_two_epochs_are_one_of_twice_the_length(problem, optimizer, train):
    """The count of steps goes on over the end of an epoch: Adam's correction depends on it."""
    made, data = problem(optimizer=optimizer)
    other, _ = problem(optimizer=optimizer)
    for _ in range(2):
        train(made, data, np.arange(50), 10, 0.01, l2=0.01)
    train(other, data, np.tile(np.arange(50), 2), 10, 0.01, l2=0.01)
    assert made.steps == other.steps == 10
    assert made.snapshot().tobytes() == other.snapshot().tobytes()


def test_setting_the_optimizer_forgets_the_last(problem, train):
    made, data = problem(optimizer=("adam", 0.9, 0.999, 1e-8))
    train(made, data, np.arange(50), 10, 0.01)
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
    W, b = made.get_layers()[0]
    other = "float32" if build.dtype == "float64" else "float64"
    for weight, bias in ((W.T, b), (W.astype(other), b), (W, b.astype(other))):
        with pytest.raises(ValueError):
            made.set_layers([(weight, bias)])


def test_parameters_of_another_shape_are_refused_and_nothing_is_changed(engine, parameters):
    made = engine((4, 3))
    before = parameters(made)
    W, b = made.get_layers()[0]
    for weight, bias in ((W[:2], b), (W[:, :3].copy(), b), (W, b[:2])):
        with pytest.raises(ValueError, match="the parameters do not fit the layer"):
            made.set_layers([(weight, bias)])
    assert all(np.array_equal(x, y) for x, y in zip(parameters(made), before, strict=True))


def test_scales_and_statistics_of_another_length_are_refused(build):
    layers = [("relu", 0.0), ("identity", 0.0)]
    made = build.engine.Engine(
        (3, 5, 2), layers, "squared_error", 1, hidden=[(True, 0.0, 0.0)], seed=0
    )
    (W, b, scale), last = made.get_layers()
    with pytest.raises(ValueError, match="the scale does not fit the layer"):
        made.set_layers([(W, b, scale[:4]), last])
    (mean, variance), none = made.get_statistics()
    assert none is None
    for wrong in ((mean[:4], variance), (mean, variance[:4])):
        with pytest.raises(ValueError, match="the running statistics do not fit the layer"):
            made.set_layers([(W, b, scale), last], [wrong, None])
    made.set_layers([(W, b, scale), last], [(mean + 1, variance), None])
    np.testing.assert_array_equal(made.get_statistics()[0][0], mean + 1)


def test_parameters_of_encodings_of_another_shape_are_refused(build):
    made = build.engine.Engine(
        (2, 2), [("identity", 0.0)], "squared_error", 1, encodings=[("embedding", 2, 3, ())]
    )
    layer, (table,) = made.get_layers()
    assert table.shape == (3, 2)
    with pytest.raises(ValueError, match="the parameters do not fit the encodings"):
        made.set_layers([layer, (table[:2],)])
    made.set_layers([layer, (table + 1,)])
    np.testing.assert_array_equal(made.get_layers()[1][0], table + 1)


def test_a_snapshot_of_another_network_is_refused(engine):
    with pytest.raises(ValueError, match="the snapshot is of another network"):
        engine((4, 3)).restore(engine((4, 2)).snapshot())


def test_larger_batches_and_more_threads_need_more_memory(engine):
    made = engine((30, 70, 10))
    sizes = [made.workspace_bytes(n) for n in (1, 10, 100)]
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    assert made.workspace_bytes(100, 2) > sizes[2]


def test_the_memory_of_a_pass_does_not_grow_with_the_batch_beyond_its_chunk(engine):
    made = engine((30, 70, 10))
    assert made.workspace_bytes(100_000) <= 2 * made.workspace_bytes(128)


def test_the_time_of_a_training_is_told_by_phase_and_layer(problem, train):
    made, data = problem()
    assert made.phase_seconds() == {}
    train(made, data, np.arange(50), 10, 0.01, threads=2)
    seconds = made.phase_seconds()
    phases = ("gather", "lists", "forward", "output", "delta", "gradient", "wait")
    assert set(seconds) == {(phase, layer) for phase in phases for layer in range(2)}
    assert min(seconds.values()) >= 0 and sum(seconds.values()) > 0
