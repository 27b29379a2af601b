"""What a fit needs of an estimator: batch sizes, learning rates, orders of samples."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fastmlp.schedules import Constant  # noqa: E402
from fastmlp.sklearn import MLPClassifier  # noqa: E402
from fastmlp.sklearn.plan import (  # noqa: E402
    EstimatorRate,
    FixedRate,
    Shuffle,
    effective_batch_size,
    initialize_rate,
    learning_rate,
    penalty,
)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs


def estimator(batch_size="auto", batch_norm=False, **options) -> SimpleNamespace:
    network = SimpleNamespace(batch_norm=(batch_norm,))
    return SimpleNamespace(network_=network, batch_size=batch_size, **options)


@pytest.mark.parametrize(
    ("n_rows", "batch_norm", "batch_size"),
    [(1, False, 1), (7, False, 7), (201, False, 200), (1000, True, 200), (2, True, 2),
     (201, True, 199), (401, True, 199), (3, True, 3)],
)  # fmt: skip
def test_automatic_batches_have_200_samples_and_with_batch_norm_none_has_one(
    n_rows, batch_norm, batch_size
):
    assert effective_batch_size(estimator(batch_norm=batch_norm), n_rows) == batch_size


def test_batch_norm_needs_two_samples():
    with pytest.raises(ValueError, match="batch_norm needs at least 2 examples"):
        effective_batch_size(estimator(batch_norm=True), 1)


def test_a_batch_size_beyond_the_samples_is_clipped_with_a_warning():
    assert effective_batch_size(estimator(5), 5) == 5
    assert effective_batch_size(estimator(3), 5) == 3
    with pytest.warns(UserWarning, match="going to be clipped"):
        assert effective_batch_size(estimator(6), 5) == 5


def test_a_clipped_batch_size_is_warned_of_at_each_call_of_a_stream_at_its_line():
    X, y = np.eye(4), np.array([0, 1, 0, 1])
    net = MLPClassifier((3,), batch_size=9)
    for _ in range(2):
        with pytest.warns(UserWarning, match="going to be clipped"):
            net.partial_fit(X, y, classes=[0, 1])
    with pytest.warns(UserWarning, match="going to be clipped") as found:
        net.fit(X, y)
    assert [one.filename for one in found if "clipped" in str(one.message)] == [__file__]


@pytest.mark.parametrize(
    ("solver", "rate", "kind"),
    [("adam", "constant", FixedRate), ("adam", "adaptive", FixedRate),
     ("sgd", "constant", FixedRate), ("sgd", "invscaling", EstimatorRate),
     ("sgd", "adaptive", EstimatorRate), ("sgd", Constant(0.1), Constant)],
)  # fmt: skip
def test_a_rate_changes_in_gradient_descent_alone(solver, rate, kind):
    one = estimator(solver=solver, learning_rate=rate, _rate=0.25)
    schedule = learning_rate(one)
    assert type(schedule) is kind
    if kind is not Constant:
        np.testing.assert_array_equal(schedule(np.arange(3)), [0.25] * 3)
    one._rate = 0.5
    if kind is not Constant:
        expected = 0.5 if kind is EstimatorRate else 0.25
        np.testing.assert_array_equal(schedule(np.arange(2)), [expected] * 2)


def test_a_rate_that_the_dtype_does_not_hold_is_refused():
    FixedRate(1e39).check(np.dtype(np.float64))
    FixedRate(float(np.finfo(np.float32).max)).check(np.dtype(np.float32))
    with pytest.raises(ValueError, match="learning_rate_init is 1e[+]39, which is inf"):
        MLPClassifier((3,), learning_rate_init=1e39).fit(np.eye(2, dtype=np.float32), [0, 1])


def test_an_alpha_that_the_dtype_does_not_hold_is_0_or_refused():
    assert penalty(1e-50, np.dtype(np.float32)) == penalty(0, np.dtype(np.float32)) == 0.0
    assert penalty(1e-50, np.dtype(np.float64)) == 1e-50 and penalty(2, np.dtype(np.float32)) == 2
    X, y = np.eye(4, dtype=np.float32), [0, 1, 0, 1]
    with pytest.raises(ValueError, match="alpha is .*e[+]38, which is inf in a float32 network"):
        MLPClassifier((3,), alpha=1e39).fit(X, y)
    one, other = (
        MLPClassifier((3,), alpha=alpha, max_iter=3, random_state=0).fit(X, y)
        for alpha in (1e-50, 0)
    )
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


def test_a_stream_goes_on_with_its_rate_until_a_parameter_changes():
    one = estimator(solver="sgd", learning_rate="adaptive", learning_rate_init=0.1)
    initialize_rate(one, incremental=True)
    assert one._rate == 0.1
    one._rate = 0.02
    initialize_rate(one, incremental=True)
    assert one._rate == 0.02
    initialize_rate(one, incremental=False)
    assert one._rate == 0.1
    one._rate, one.learning_rate = 0.02, "invscaling"
    initialize_rate(one, incremental=True)
    assert one._rate == 0.1


def test_orders_of_epochs_shuffle_the_order_before_as_scikit_learn_does():
    shuffle = Shuffle()
    shuffle.begin_fit(np.random.RandomState(3))
    rng, order, expected = np.random.RandomState(3), np.arange(6), []
    for _ in range(3):
        permutation = np.arange(6)
        rng.shuffle(permutation)
        order = order[permutation]
        expected.append(order)
    np.testing.assert_array_equal(shuffle(6), expected[0])
    np.testing.assert_array_equal(shuffle.of_epochs(6, 2), np.concatenate(expected[:2]))
    np.testing.assert_array_equal(shuffle.end_epoch(), expected[0])
    np.testing.assert_array_equal(shuffle(6), expected[1])
    np.testing.assert_array_equal(shuffle.of_epochs(6, 2), np.concatenate(expected[1:]))
    assert vars(copy.copy(shuffle)) == {}
