"""Costs and accuracies of validation data during a fit."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from fastmlp import MLP
from fastmlp.data import batches
from fastmlp.data.examples import Examples
from fastmlp.training import evaluate


def parameters(net: MLP) -> np.ndarray:
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


def test_validation_figures_are_those_of_the_network(net, classes):
    X, y = classes
    history = net.fit(X[:200], y[:200], epochs=3, l2=0.1, validation_data=(X[200:], y[200:]))
    assert len(history.validation_cost) == len(history.validation_accuracy) == 3
    assert history.validation_cost[-1] == net.cost(X[200:], y[200:])
    assert history.validation_accuracy[-1] == (net.predict(X[200:]) == y[200:]).mean()


def test_validation_changes_nothing_about_training(classes):
    seen, unseen = MLP((6, 16, 3)), MLP((6, 16, 3))
    seen.fit(*classes, epochs=3, validation_data=classes)
    unseen.fit(*classes, epochs=3)
    np.testing.assert_array_equal(parameters(seen), parameters(unseen))


def test_regression_has_no_accuracy(curve):
    net = MLP((2, 8, 1), loss="squared_error")
    history = net.fit(*curve, epochs=2, validation_data=0.2)
    assert (len(history.validation_cost), history.validation_accuracy) == (2, [])


def test_history_without_validation_data_has_no_such_figures(net, classes):
    history = net.fit(*classes, epochs=2)
    assert history.validation_cost == history.validation_accuracy == []
    assert len(history.cost) == len(history.learning_rate) == len(history.seconds) == 2


def test_fraction_sets_the_same_examples_aside_in_every_fit(classes):
    halves, whole = MLP((6, 16, 3)), MLP((6, 16, 3))
    first = halves.fit(*classes, epochs=2, validation_data=0.25).validation_cost
    second = halves.fit(*classes, epochs=2, validation_data=0.25).validation_cost
    assert first + second == whole.fit(*classes, epochs=4, validation_data=0.25).validation_cost


@pytest.mark.parametrize("n_threads", [1, 2])
def test_evaluation_counts_examples_by_their_weights(net, classes, rng, n_threads):
    X, y = classes
    s = rng.integers(0, 4, len(y))
    cost, accuracy = evaluate(net.state, Examples.checked(net.state, X, y, s), n_threads)
    assert cost == pytest.approx(net.cost(X, y, sample_weight=s), rel=1e-12)
    assert accuracy == np.average(net.predict(X) == y, weights=s)


def test_weights_of_a_fraction_count_in_its_figures(classes, rng):
    """Two of an example's weights are two examples, in validation too."""
    X, y = classes
    s = rng.integers(1, 4, len(y))
    net = MLP((6, 16, 3))
    history = net.fit(X, y, epochs=1, sample_weight=s, validation_data=0.3)
    _, held_out = batches.validation(net.state, Examples.checked(net.state, X, y, s), 0.3)
    correct = net.predict(held_out.X) == held_out.y
    assert history.validation_accuracy == [np.average(correct, weights=held_out.weight)]
    assert history.validation_cost == [
        net.cost(held_out.X, held_out.y, sample_weight=held_out.weight)
    ]


def test_evaluation_of_a_map_is_that_of_the_array(net, classes, tmp_path, small_chunks, mapped):
    X, y = classes
    source = batches.with_targets(net.state, mapped(tmp_path / "X.npy", X), y)
    cost, accuracy = evaluate(net.state, source, None)
    assert cost == pytest.approx(net.cost(X, y), rel=1e-12)
    assert accuracy == (net.predict(X) == y).mean()


def test_evaluation_of_sparse_examples_is_that_of_dense_ones(net, classes):
    X, y = classes
    source = Examples.checked(net.state, scipy.sparse.csr_array(X), y)
    assert evaluate(net.state, source, 1) == evaluate(
        net.state, Examples.checked(net.state, X, y), 1
    )


def test_evaluation_takes_the_average_where_it_predicts(net, classes):
    net.fit(*classes, epochs=2, ema=0.9)
    source = Examples.checked(net.state, *classes)
    found = evaluate(net.state, source, 1)[0]
    assert found == pytest.approx(net.cost(*classes), rel=1e-12)
    net.use_average = False
    assert evaluate(net.state, source, 1)[0] != found


def test_weights_that_become_zero_after_their_check_are_refused(net, classes):
    """As another thread may make them while they are in use."""
    X, y = classes
    weight = np.ones(len(y), net.dtype)
    examples = Examples.checked(net.state, X, y, weight)
    weight[:] = 0
    with pytest.raises(ValueError, match="sample_weight is zero"):
        evaluate(net.state, examples, 1)


def test_a_cost_of_weights_that_have_become_zero_is_refused(net, classes, monkeypatch):
    X, y = classes
    weight = np.ones(len(y), net.dtype)
    checked = Examples.checked

    def zeroed(*given, **options):
        examples = checked(*given, **options)
        weight[:] = 0
        return examples

    monkeypatch.setattr(Examples, "checked", zeroed)
    for training in (False, True):
        weight[:] = 1
        with pytest.raises(ValueError, match="sample_weight is zero"):
            net.cost(X, y, sample_weight=weight, training=training)
