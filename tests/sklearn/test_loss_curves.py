"""Losses and the epoch at which training stops, compared with scikit-learn's own estimators.

They are equal also where the penalty, sample weights or saturated outputs make up much of the loss.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network
from sklearn.datasets import (
    load_diabetes,
    load_digits,
    load_wine,
    make_multilabel_classification,
)
from sklearn.preprocessing import scale

import fastmlp
from fastmlp import sklearn as fastmlp_sklearn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def several_classes():
    X, y = load_wine(return_X_y=True)
    return scale(X), y


def two_classes():
    X, y = load_wine(return_X_y=True)
    return scale(X), y == 1


def multilabel():
    X, y = make_multilabel_classification(n_samples=150, n_features=8, random_state=0)
    return scale(X), y


def values():
    X, y = load_diabetes(return_X_y=True)
    return X[:150] / X.std(axis=0), scale(y[:150])


def two_values():
    X, y = values()
    return X, np.column_stack([y, np.abs(y)])


def counts():
    X, y = values()
    return X, np.random.default_rng(0).poisson(np.exp(y / 2))


CLASSIFICATION = [several_classes, two_classes, multilabel]
REGRESSION = [values, two_values, counts]


def both(data, **options):
    """scikit-learn's estimator and fastmlp's with the same parameters, not fitted."""
    kind = "MLPClassifier" if data in CLASSIFICATION else "MLPRegressor"
    if data is counts:
        options["loss"] = "poisson"
    options = {"random_state": 0, "max_iter": 60, "batch_size": 32, **options}
    return [getattr(module, kind)(**options) for module in (neural_network, fastmlp_sklearn)]


def assert_same_training(expected, model, rtol=1e-7):
    assert model.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=rtol)
    assert model.loss_ == pytest.approx(expected.loss_, rel=rtol)
    assert (model.best_loss_ is None) == (expected.best_loss_ is None)
    if expected.best_loss_ is not None:
        assert model.best_loss_ == pytest.approx(expected.best_loss_, rel=rtol)
    for one, other in zip(model.coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("data", CLASSIFICATION + REGRESSION)
@pytest.mark.parametrize("alpha", [0.0, 1e-4, 1.0, 30.0])
def test_losses_are_scikit_learns_for_any_penalty(data, alpha):
    X, y = data()
    expected, model = (one.fit(X, y) for one in both(data, alpha=alpha))
    assert_same_training(expected, model)


@pytest.mark.parametrize("data", CLASSIFICATION + REGRESSION)
@pytest.mark.parametrize("shuffle", [True, False])
def test_losses_are_scikit_learns_with_sample_weights(data, shuffle, rng):
    X, y = data()
    weight = rng.exponential(size=len(X)) * (rng.uniform(size=len(X)) < 0.8)
    expected, model = (
        one.fit(X, y, weight) for one in both(data, shuffle=shuffle, alpha=0.1, batch_size=40)
    )
    assert_same_training(expected, model)


def test_a_batch_without_weight_has_no_loss():
    """scikit-learn raises ZeroDivisionError."""
    X, y = values()
    weight = np.where(np.arange(len(X)) < 32, 0.0, 1.0)
    theirs, ours = both(values, shuffle=False, max_iter=5)
    with pytest.raises(ZeroDivisionError):
        theirs.fit(X, y, weight)
    assert np.isfinite(ours.fit(X, y, weight).loss_curve_).all()


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_training_stops_at_scikit_learns_epoch_with_weights_and_penalty(solver, rng):
    X, y = several_classes()
    weight = rng.exponential(size=len(X))
    options = {"alpha": 1.0, "solver": solver, "max_iter": 500, "tol": 1e-3}
    expected, model = (one.fit(X, y, weight) for one in both(several_classes, **options))
    assert expected.n_iter_ < 500
    assert_same_training(expected, model)


def saturated(data):
    """Features so large that probabilities are 0 or 1 to rounding, and random labels."""
    X, y = data()
    return 300 * X, np.random.default_rng(1).permutation(y)


@pytest.mark.parametrize("data", CLASSIFICATION)
@pytest.mark.parametrize(("solver", "epochs"), [("sgd", 4), ("adam", 30)])
def test_losses_are_scikit_learns_with_saturated_outputs(data, solver, epochs):
    """Of the true class no −log p counts as more than that of machine epsilon.

    With sgd, steps of this size soon magnify the differences of rounding.
    """
    X, y = saturated(data)
    expected, model = (one.fit(X, y) for one in both(data, solver=solver, max_iter=epochs))
    eps = np.finfo(float).eps
    before = both(data, max_iter=1, learning_rate_init=1e-300)[0].fit(X, y).predict_proba(X)
    assert ((before < eps) | (before > 1 - eps)).any()
    assert_same_training(expected, model, rtol=1e-6)


@pytest.mark.parametrize("data", CLASSIFICATION)
def test_lbfgs_minimizes_scikit_learns_loss_with_saturated_outputs(data):
    X, y = saturated(data)
    expected, model = (one.fit(X, y) for one in both(data, solver="lbfgs", max_iter=3))
    assert model.n_iter_ == expected.n_iter_
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-4)


def test_single_precision_losses_are_scikit_learns_with_saturated_outputs():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300].astype(np.float32), np.random.default_rng(0).permutation(y[:300])
    options = {"max_iter": 10, "solver": "sgd", "learning_rate_init": 0.02}
    expected, model = (one.fit(X, y) for one in both(several_classes, **options))
    np.testing.assert_allclose(model.loss_curve_[:3], expected.loss_curve_[:3], rtol=1e-3)


def test_losses_of_batches_that_pass_in_chunks_are_scikit_learns():
    X, y = load_digits(return_X_y=True)
    options = {"alpha": 10.0, "max_iter": 4, "batch_size": 700}
    expected, model = (one.fit(X / 16, y) for one in both(several_classes, **options))
    assert_same_training(expected, model)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_losses_have_the_same_bits_for_any_number_of_threads(n_threads):
    X, y = load_digits(return_X_y=True)
    options = {"hidden_layer_sizes": (100, 37), "max_iter": 3, "random_state": 0, "alpha": 1.0}
    one, more = (
        fastmlp_sklearn.MLPClassifier(n_threads=n, **options).fit(X, y) for n in (1, n_threads)
    )
    assert one.loss_curve_ == more.loss_curve_


def test_the_penalty_of_frozen_layers_counts():
    X, y = several_classes()
    options = {"alpha": 30.0, "max_iter": 1, "warm_start": True, "random_state": 0}
    trained, frozen = (fastmlp_sklearn.MLPClassifier((20, 10), **options) for _ in "ab")
    for model in (trained, frozen):
        model.fit(X, y)
    frozen.network_.freeze(0)
    first = [model.fit(X, y).loss_ for model in (trained, frozen)]
    assert first[1] == pytest.approx(first[0], rel=1e-9)  # one batch, the same weights before it


def test_losses_of_other_options_are_the_networks_cost():
    """Label smoothing has no counterpart in scikit-learn: the loss is J, with one batch."""
    X, y = several_classes()
    options = {"alpha": 0.0, "label_smoothing": 0.2, "random_state": 0, "learning_rate_init": 1e-12}
    model = fastmlp_sklearn.MLPClassifier(max_iter=1, **options).fit(300 * X, y)
    smooth = 0.8 * np.eye(3)[y] + 0.2 / 3
    a = model.network_.activations(300 * X)[0]
    z = a @ model.coefs_[1] + model.intercepts_[1]
    log_p = z - np.log(np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
    log_p -= z.max(axis=1, keepdims=True)
    assert model.loss_ == pytest.approx(-(smooth * log_p).sum(axis=1).mean(), rel=1e-6)
    assert isinstance(model.network_, fastmlp.MLP)
