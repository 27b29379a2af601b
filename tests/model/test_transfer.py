"""A new head for other classes keeps all layers but the last."""

import numpy as np
import pytest

import fastmlp
from fastmlp.encodings import Embedding, Numeric


@pytest.fixture
def examples() -> tuple[np.ndarray, np.ndarray]:
    data = fastmlp.datasets.digits()
    return data.X[:400], data.y[:400]


def network(**options) -> fastmlp.MLP:
    return fastmlp.MLP((64, 40, 30, 10), seed=3, **options)


def test_a_new_head_keeps_the_rest(examples):
    net = network(batch_norm=True, dropout=0.1, activation="tanh")
    net.fit(*examples, epochs=2)
    new = net.with_head(4, seed=9)
    assert new.sizes == (64, 40, 30, 4)
    assert (new.seed, new.epochs, new.frozen) == (9, 0, ())
    assert (new.batch_norm, new.dropout, new.activation) == (
        net.batch_norm, net.dropout, net.activation)
    for l in (0, 1):
        for one, other in zip(net.state.layers()[l], new.state.layers()[l], strict=True):
            np.testing.assert_array_equal(one, other)
        for one, other in zip(net.statistics[l], new.statistics[l], strict=True):
            np.testing.assert_array_equal(one, other)
    hidden = net.activations(examples[0])[1]
    np.testing.assert_array_equal(hidden, new.activations(examples[0])[1])
    new.freeze([0, 1])
    new.fit(examples[0], examples[1] % 4, epochs=100, optimizer=fastmlp.Adam(0.03))
    assert np.mean(new.predict(examples[0]) == examples[1] % 4) > 0.7


def test_a_new_head_on_averages_keeps_the_averages(examples):
    net = network()
    net.fit(*examples, epochs=2, ema=0.9)
    hidden = net.activations(examples[0])[1]
    np.testing.assert_array_equal(net.with_head(4).activations(examples[0])[1], hidden)


def test_a_new_head_keeps_learned_encodings():
    net = fastmlp.MLP((2, 4, 3), encodings=[Embedding(5, 2), Numeric()], seed=3)
    table = net.encoding_parameters[0]["table"] + 1
    net.set_parameters(net.weights, net.biases, encoding_parameters=[{"table": table}, {}])
    np.testing.assert_array_equal(net.with_head(2).encoding_parameters[0]["table"], table)


def test_too_many_classes_are_refused():
    with pytest.raises(ValueError, match=r"n_out: sizes\[3\] must be at most 2147483647, got 2147"):
        network().with_head(2**31)


def test_a_regression_has_no_classes_to_change():
    net = fastmlp.MLP((3, 2, 1), loss="squared_error")
    with pytest.raises(ValueError, match="with_head gives a classifier other classes.*squared_err"):
        net.with_head(2)
    with pytest.raises(ValueError, match="n_out must be at least 2, got 1"):
        network().with_head(1)
