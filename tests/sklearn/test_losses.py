"""Losses of the regressor that scikit-learn's MLPRegressor does not have."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.metrics import d2_pinball_score, d2_tweedie_score, mean_absolute_error

from fastmlp.losses import Huber, Quantile
from fastmlp.sklearn import MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
OPTIONS = {"max_iter": 150, "learning_rate_init": 0.01, "random_state": 0}


@pytest.fixture
def noisy(rng):
    """X (600, 1) and y = x with noise that grows with x."""
    X = rng.uniform(0, 2, (600, 1))
    return X, X[:, 0] + 0.3 * X[:, 0] * rng.normal(size=600)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", Huber(delta=0.1), "quantile"], ids=str)
def test_outliers_hardly_matter(noisy, loss):
    X, y = noisy
    with_outliers = y.copy()
    with_outliers[::10] += 30
    of_squares = MLPRegressor(**OPTIONS).fit(X, with_outliers).predict(X)
    robust = MLPRegressor(loss=loss, **OPTIONS).fit(X, with_outliers).predict(X)
    truth = X[:, 0]
    assert mean_absolute_error(truth, of_squares) > 1.5
    assert mean_absolute_error(truth, robust) < 0.4


def test_intervals_have_their_coverage_and_do_not_cross(noisy):
    X, y = noisy
    model = MLPRegressor(loss=Quantile((0.1, 0.5, 0.9)), **OPTIONS).fit(X, y)
    low, middle, high = model.predict_quantiles(X).T
    assert (low <= middle).all() and (middle <= high).all()
    assert np.mean((low <= y) & (y <= high)) == pytest.approx(0.8, abs=0.06)
    np.testing.assert_array_equal(model.predict(X), middle)
    assert model.score(X, y) > 0.5
    for alpha, one in ((0.1, low), (0.9, high)):
        assert d2_pinball_score(y, one, alpha=alpha) > 0.3


def test_quantiles_of_several_targets(noisy):
    X, y = noisy
    model = MLPRegressor(loss="quantile", **OPTIONS).fit(X, np.column_stack([y, -2 * y]))
    found = model.predict_quantiles(X)
    assert found.shape == (600, 2, 3) and (np.diff(found, axis=2) >= 0).all()
    np.testing.assert_array_equal(model.predict(X), found[:, :, 1])


def test_other_losses_have_no_quantiles(noisy):
    model = MLPRegressor(max_iter=1).fit(*noisy)
    assert not hasattr(model, "predict_quantiles")


@pytest.mark.parametrize(("loss", "power"), [("poisson", 1), ("gamma", 2)])
def test_positive_amounts(rng, loss, power):
    X = rng.uniform(-1, 1, (500, 2))
    mean = np.exp(1 + X[:, 0])
    y = rng.poisson(mean) if loss == "poisson" else rng.gamma(3, mean / 3)
    model = MLPRegressor(loss=loss, early_stopping=True, scoring="loss", **OPTIONS).fit(X, y)
    assert model.out_activation_ == "exp" and model.predict(X).min() > 0
    assert d2_tweedie_score(y, model.predict(X), power=power) > 0.15
    with pytest.raises(ValueError, match="y must be"):
        model.fit(X, y - 5)


def test_a_loss_in_python_gives_the_network_of_the_built_in_loss(noisy):
    X, y = noisy
    pair = (lambda h, y: np.abs(h - y).sum(axis=1), lambda h, y: np.sign(h - y))
    options = {**OPTIONS, "max_iter": 5}
    own = MLPRegressor(loss=pair, **options).fit(X, y)
    table = MLPRegressor(loss="absolute_error", **options).fit(X, y)
    np.testing.assert_allclose(own.coefs_[0], table.coefs_[0], rtol=1e-9)
    assert own.loss_ == pytest.approx(table.loss_)


def test_a_loss_of_classification_is_refused(noisy):
    from fastmlp.losses import CrossEntropy

    with pytest.raises(ValueError, match="take MLPClassifier"):
        MLPRegressor(loss=CrossEntropy()).fit(*noisy)


def test_quantiles_are_those_of_the_fitted_network():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = MLPRegressor(max_iter=1, loss="quantile")
    assert hasattr(model, "predict_quantiles")
    model.fit(X, y).set_params(loss="squared_error")
    assert model.predict_quantiles(X).shape == (40, 3)
    model.fit(X, y).set_params(loss="quantile")
    assert not hasattr(model, "predict_quantiles")
