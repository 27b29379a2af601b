"""The values that a regressor of tables predicts, in the target's own unit and range."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")

from fastmlp.tabular import TabularRegressor  # noqa: E402

FAST = {"quality": "fast", "random_state": 0, "n_threads": 1, "epochs": 3, "n_members": 1}
M = 60
x = np.random.default_rng(0).normal(size=M)
TABLE = pd.DataFrame({"x": x})


@pytest.mark.parametrize(("factor", "shift"), [(4.0, 0.0), (1 / 64, 1024.0)])
def test_another_unit_of_the_target_changes_nothing_else(factor, shift):
    target = np.round(x * 1024) / 1024
    model = TabularRegressor(**FAST).fit(TABLE, target)
    other = TabularRegressor(**FAST).fit(TABLE, factor * target + shift)
    expected = factor * model.predict(TABLE) + shift
    np.testing.assert_allclose(other.predict(TABLE), expected, rtol=1e-5, atol=1e-5)
    quantiles = factor * model.predict_quantiles(TABLE, [0.2, 0.7]) + shift
    found = other.predict_quantiles(TABLE, [0.2, 0.7])
    np.testing.assert_allclose(found, quantiles, rtol=1e-5, atol=1e-5)


def test_an_interval_leaves_out_as_much_on_both_sides():
    model = TabularRegressor(**FAST).fit(TABLE, x)
    np.testing.assert_array_equal(
        model.predict_interval(TABLE, 0.5), model.predict_quantiles(TABLE, (0.25, 0.75))
    )
    with pytest.raises(ValueError, match=r"coverage must be in \(0, 1\), got 1"):
        model.predict_interval(TABLE, 1)


@pytest.mark.parametrize("levels", [(0.5, 0.5), (0.6, 0.5)])
def test_levels_of_quantiles_ascend(levels):
    model = TabularRegressor(**FAST).fit(TABLE, x)
    with pytest.raises(ValueError, match="quantiles must ascend"):
        model.predict_quantiles(TABLE, levels)


def test_a_target_of_one_value_is_predicted():
    model = TabularRegressor(**FAST).fit(TABLE, np.full(M, 7.0))
    assert (model.target_mean_, model.target_deviation_) == (7.0, 1.0)
    np.testing.assert_array_equal(model.predict(TABLE), 7.0)


def test_the_metric_is_rmse_unless_another_is_chosen():
    model = TabularRegressor(**FAST).fit(TABLE, x)
    assert model.metric_.name == "rmse"
    assert TabularRegressor(**FAST, metric="mae").fit(TABLE, x).metric_.name == "mae"
