"""Frozen layers stay as they are, and the others train as if alone."""

import numpy as np
import pytest

import fastmlp


@pytest.fixture
def examples() -> tuple[np.ndarray, np.ndarray]:
    data = fastmlp.datasets.digits()
    return data.X[:400], data.y[:400]


def network(**options) -> fastmlp.MLP:
    return fastmlp.MLP((64, 40, 30, 10), seed=3, **options)


@pytest.mark.parametrize("frozen", [[0], [0, 1], [1], [2], [0, 2]], ids=str)
@pytest.mark.parametrize("optimizer", ["gradient_descent", "adamw"])
@pytest.mark.parametrize("options", [{}, {"max_norm": 0.5}, {"clip_norm": 0.1}], ids=str)
def test_frozen_layers_stay_as_they_are(examples, frozen, optimizer, options):
    net = network(batch_norm=True)
    net.freeze(frozen)
    assert net.frozen == tuple(frozen)
    before, statistics = net.state.layers(), net.statistics
    net.fit(*examples, epochs=2, optimizer=optimizer, l2=0.1, **options)
    for l, (old, new) in enumerate(zip(before, net.state.layers(), strict=True)):
        same = [np.array_equal(a, b) for a, b in zip(old, new, strict=True)]
        assert same == [l in frozen] * len(old)
        if statistics[l] is not None:
            moved = not np.array_equal(statistics[l][0], net.statistics[l][0])
            assert moved == (l not in frozen)


@pytest.mark.parametrize("frozen", [[0], [1], [0, 1], [2]], ids=str)
def test_the_others_take_the_step_they_would_have_taken(examples, frozen):
    X, y = examples
    whole, part = network(), network()
    part.freeze(frozen)
    for net in (whole, part):
        net.fit(X, y, epochs=1, batch_size=400, optimizer=fastmlp.GradientDescent(0.1))
    for l in range(3):
        if l not in frozen:
            np.testing.assert_array_equal(whole.weights[l], part.weights[l])
            np.testing.assert_array_equal(whole.biases[l], part.biases[l])


def test_a_frozen_batch_norm_is_a_constant_map(examples):
    X, y = examples
    net = network(batch_norm=[True, False], dtype="float64")
    net.fit(X, y, epochs=2)
    net.freeze([0, 1])
    # with every hidden layer frozen, a step of training sees what prediction sees
    assert net.cost(X, y, training=True) == pytest.approx(net.cost(X, y), rel=1e-12)
    for one, other in zip(net.gradients(X, y, training=True)[2], net.gradients(X, y)[2],
                          strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-14)


def test_layers_thaw_one_by_one_or_all(examples):
    net = network()
    net.freeze(range(3))
    with pytest.raises(ValueError, match="every layer is frozen: nothing to train"):
        net.fit(*examples)
    net.unfreeze(2)
    assert net.frozen == (0, 1)
    net.unfreeze()
    assert net.frozen == ()


@pytest.mark.parametrize("layers, message", [
    ([3], r"layers has 3, but the network's 3 layers of weights are 0 … 2"),
    (-1, r"layers has -1, but the network's 3 layers of weights are 0 … 2"),
])
def test_a_layer_that_does_not_exist_is_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        network().freeze(layers)
    with pytest.raises(TypeError, match='layers must be a whole number or "encoding", got'):
        network().freeze("hidden")


@pytest.mark.parametrize("kind", [list, set, np.array, iter, dict.fromkeys])
def test_layers_may_come_from_any_iterable(kind):
    net = network()
    net.freeze(kind([0, 2]))
    assert net.frozen == (0, 2)
    net.unfreeze(kind([2]))
    assert net.frozen == (0,)


def test_frozen_layers_are_saved(tmp_path):
    net = network()
    net.freeze([1])
    net.save(tmp_path / "net.npz")
    assert fastmlp.load(tmp_path / "net.npz").frozen == (1,)


def test_encodings_without_parameters_cannot_be_frozen():
    net = fastmlp.MLP((2, 3, 1), encodings=fastmlp.encodings.Numeric(), loss="squared_error")
    with pytest.raises(ValueError, match="the network's encodings have no parameters to freeze"):
        net.freeze("encoding")


def test_what_was_frozen_after_a_backup_is_trained_again_once_it_is_restored():
    encodings = [fastmlp.encodings.Numeric(), fastmlp.encodings.Embedding(5)]
    net = fastmlp.MLP((2, 3, 1), encodings=encodings, loss="squared_error")
    net.freeze(0)
    backup = net.state.backup()
    net.freeze([1, "encoding"])
    net.state.restore_backup(backup)
    assert (net.frozen, net.encoding_frozen) == ((0,), False)
