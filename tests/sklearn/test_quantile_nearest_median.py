"""The regressor predicts the quantile nearest to the median, wherever it is in the list."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fastmlp.losses import Quantile
from fastmlp.sklearn import MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    ("quantiles", "nearest"),
    [((0.45, 0.8, 0.9), 0), ((0.1, 0.2, 0.6), 2), ((0.1, 0.4, 0.7), 1), ((0.2, 0.51), 1),
     ((0.48, 0.9), 0), ((0.9,), 0)],
)
def test_the_quantile_nearest_to_the_median_is_predicted(rng, quantiles, nearest):
    X = rng.normal(size=(60, 2))
    options = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    model = MLPRegressor(loss=Quantile(quantiles), **options)
    model.fit(X, X[:, 0])
    np.testing.assert_array_equal(model.predict(X), model.predict_quantiles(X)[:, nearest])
