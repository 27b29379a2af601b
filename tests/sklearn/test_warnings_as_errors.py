"""A warning of the result that a filter turns into an error does not undo the fit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402

from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

X, y = load_iris(return_X_y=True)
ATTRIBUTES = ("n_iter_", "t_", "loss_", "n_layers_", "n_outputs_", "out_activation_")


def fitted(model, targets, action, category):
    with warnings.catch_warnings():
        warnings.simplefilter(action, category)
        if action == "error":
            with pytest.raises(category):
                model.fit(X, targets)
            return model
        return model.fit(X, targets)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    "options",
    [{"solver": "adam"}, {"solver": "sgd", "early_stopping": True}, {"solver": "lbfgs"},
     {"max_seconds": 1e-9}],
    ids=str,
)  # fmt: skip
def test_a_fit_that_has_not_converged_stays(kind, options):
    options = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0, **options}
    raised, warned = (
        fitted(kind(**options), y, action, ConvergenceWarning) for action in ("error", "ignore")
    )
    np.testing.assert_array_equal(raised.predict(X), warned.predict(X))
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(raised, name), getattr(warned, name))


def test_so_it_does_in_scikit_learn():
    options = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
    theirs, ours = (
        fitted(kind(**options), y, "error", ConvergenceWarning)
        for kind in (neural_network.MLPClassifier, MLPClassifier)
    )
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))
    assert ours.loss_curve_ == pytest.approx(theirs.loss_curve_)


def test_a_warm_start_goes_on_from_there():
    model = MLPClassifier((4,), max_iter=2, random_state=0, warm_start=True)
    other = MLPClassifier((4,), max_iter=2, random_state=0, warm_start=True)
    for _ in range(3):
        fitted(model, y, "error", ConvergenceWarning)
        fitted(other, y, "ignore", ConvergenceWarning)
    np.testing.assert_array_equal(model.coefs_[0], other.coefs_[0])
    assert model.t_ == other.t_ == 6 * 150 and len(model.loss_curve_) == 6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_to_targets_of_another_scale_stays():
    options = {"max_iter": 2, "random_state": 0}
    raised, warned = (
        fitted(MLPRegressor(**options), 1e6 * y, action, UserWarning)
        for action in ("error", "ignore")
    )
    np.testing.assert_array_equal(raised.predict(X), warned.predict(X))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_warning_before_training_leaves_the_model_as_it_was(kind):
    model = kind(batch_size=1000, max_iter=2)
    before = dict(vars(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(UserWarning, match="going to be clipped"):
            model.fit(X, y)
    assert vars(model) == before
