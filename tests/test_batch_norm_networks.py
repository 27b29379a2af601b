"""Networks with batch norm: training, prediction, folding, and what is refused."""

import numpy as np
import pytest

import fastmlp


def blobs(m: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, m)
    return rng.normal(size=(m, 10)) + 2 * np.eye(3)[y] @ np.eye(3, 10), y


def test_batch_norm_learns_and_predicts_by_running_statistics():
    X, y = blobs()
    net = fastmlp.MLP((10, 32, 32, 3), batch_norm=True)
    net.fit(X, y, epochs=30, batch_size=50)
    assert np.mean(net.predict(X) == y) > 0.85
    one_at_a_time = np.concatenate([net.forward(row[None]) for row in X[:20]])
    np.testing.assert_array_equal(one_at_a_time, net.forward(X[:20]))


@pytest.mark.parametrize("m", [2, 3, 50])
def test_the_running_variance_is_that_of_m_minus_1_degrees_of_freedom(m):
    X, y = blobs(m)
    net = fastmlp.MLP((10, 8, 3), batch_norm=True, dtype="float64")
    u = X @ net.weights[0].T
    net.fit(X, y, epochs=1, batch_size=m)
    mean, variance = net.statistics[0]
    np.testing.assert_allclose(mean, 0.1 * u.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * u.var(axis=0, ddof=1), rtol=1e-12)


def test_the_folded_network_predicts_the_same():
    X, y = blobs()
    net = fastmlp.MLP((10, 32, 17, 3), batch_norm=[True, False], dropout=0.2, dtype="float64")
    net.fit(X, y, epochs=5, batch_size=50)
    plain = fastmlp.MLP((10, 32, 17, 3), init=net.folded, dtype="float64")
    np.testing.assert_allclose(plain.forward(X), net.forward(X), rtol=1e-12)


def test_a_batch_of_one_is_refused():
    X, y = blobs(101)
    net = fastmlp.MLP((10, 8, 3), batch_norm=True)
    for size in (1, 50):
        with pytest.raises(ValueError, match=f"at least 2 examples.*batches of {size} leave one"):
            net.fit(X, y, batch_size=size)
    with pytest.raises(ValueError, match="at least 2 examples"):
        net.gradients(X[:1], y[:1], training=True)
    net.fit(X, y, batch_size=101, epochs=1)


def test_batch_norm_is_one_value_or_one_for_each_hidden_layer():
    assert fastmlp.MLP((4, 3, 2, 2), batch_norm=True).batch_norm == (True, True)
    with pytest.raises(ValueError, match="batch_norm has 3 entries for 2 hidden layers"):
        fastmlp.MLP((4, 3, 2, 2), batch_norm=[True, False, True])
    with pytest.raises(TypeError, match=r"batch_norm\[1\] must be True or False, got 'yes'"):
        fastmlp.MLP((4, 3, 2, 2), batch_norm=[True, "yes"])
