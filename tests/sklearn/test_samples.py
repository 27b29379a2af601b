"""The training set and the validation set of a fit."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402

from fastmlp.sklearn import MLPClassifier  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("fraction", [np.float32(0.2), np.float16(0.2), np.float64(0.2), 0.2])
def test_the_fraction_of_the_validation_set_may_be_any_real_number(fraction):
    X, y = load_iris(return_X_y=True)
    options = {"early_stopping": True, "validation_fraction": fraction, "max_iter": 2}
    theirs, ours = (
        kind((4,), random_state=0, **options).fit(X, y)
        for kind in (neural_network.MLPClassifier, MLPClassifier)
    )
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0])
    assert ours.validation_scores_ == theirs.validation_scores_ and ours.t_ == theirs.t_


@pytest.mark.parametrize("fraction", [0, 0.0, np.float32(0)])
def test_an_empty_validation_set_is_named(fraction):
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((4,), early_stopping=True, validation_fraction=fraction, max_iter=1)
    with pytest.raises(ValueError, match="validation_fraction must be > 0, got .*0"):
        model.fit(X, y)
    assert model.fit(X, y, X_val=X[:9], y_val=y[:9]).n_iter_ == 1
