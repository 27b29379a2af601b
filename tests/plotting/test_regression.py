"""Predicted values are plotted against the actual ones, with RMSE and R²."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]
Given = tuple[Array, Array]


@pytest.fixture
def fitted(curve: Given) -> fastmlp.MLP:
    net = fastmlp.MLP((2, 8, 1), loss="squared_error", dtype="float64")
    net.fit(*curve, epochs=5)
    return net


def test_each_example_is_a_point(fitted: fastmlp.MLP, curve: Given) -> None:
    X, y = curve
    ax = fastmlp.plotting.predicted_vs_actual(fitted, X, y)
    points = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(points, np.column_stack([y, fitted.predict(X)]))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("actual", "predicted")
    low, high = points.min(), points.max()
    assert [list(ax.lines[0].get_xdata()), list(ax.lines[0].get_ydata())] == [[low, high]] * 2


def test_rmse_and_r2_are_those_of_scikit_learn(fitted: fastmlp.MLP, curve: Given) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    X, y = curve
    rmse = metrics.mean_squared_error(y, fitted.predict(X)) ** 0.5
    r2 = metrics.r2_score(y, fitted.predict(X))
    title = fastmlp.plotting.predicted_vs_actual(fitted, X, y).get_title()
    assert title == f"RMSE {rmse:.4g}, R² {r2:.4f}, 150 examples"


def test_several_targets_have_their_own_points_and_scores(curve: Given) -> None:
    X, y = curve
    Y = np.column_stack([y, -y])
    net = fastmlp.MLP((2, 8, 2), loss="squared_error")
    ax = fastmlp.plotting.predicted_vs_actual(net, X, Y, target_names=["up", "$down"])
    np.testing.assert_allclose(ax.collections[1].get_offsets()[:, 0], -y)
    texts = ax.get_legend().get_texts()
    assert [text.get_text().split(":")[0] for text in texts] == ["up", "$down"]
    error = Y - net.predict(X)
    r2 = 1 - np.sum(error**2, axis=0) / np.sum((Y - Y.mean(axis=0)) ** 2, axis=0)
    assert f"R² {r2[1]:.4f}" in texts[1].get_text()
    assert ax.get_title() == f"mean R² {r2.mean():.4f}, 150 examples"


def test_of_quantiles_the_one_nearest_the_median_is_plotted(curve: Given) -> None:
    X, y = curve
    loss = fastmlp.losses.Quantile((0.05, 0.4, 0.9))
    net = fastmlp.MLP((2, 8, 6), loss=loss)
    ax = fastmlp.plotting.predicted_vs_actual(net, X, np.column_stack([y, y]))
    predicted = net.predict(X)
    for k, points in enumerate(ax.collections):
        np.testing.assert_allclose(points.get_offsets()[:, 1], predicted[:, 3 * k + 1], rtol=1e-6)
    assert ax.get_ylabel() == "predicted (quantile 0.4)"


def test_an_ensemble_and_an_estimator_are_plotted(fitted: fastmlp.MLP, curve: Given) -> None:
    class Regressor:
        def predict(self, X: Array) -> Array:
            return fitted.predict(X)

    titles = {
        fastmlp.plotting.predicted_vs_actual(model, *curve).get_title()
        for model in (fitted, fastmlp.Ensemble([fitted]), Regressor())
    }
    assert len(titles) == 1


def test_a_model_s_own_label_names_the_axes(fitted: fastmlp.MLP, curve: Given) -> None:
    fitted.metadata["label"] = "price $"
    ax = fastmlp.plotting.predicted_vs_actual(fitted, *curve)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("actual price $", "predicted price $")
    assert not ax.xaxis.label.get_parse_math()


def test_many_examples_have_five_thousand_points_and_all_scores() -> None:
    y = np.linspace(0, 1, 20_000)

    class Half:
        def predict(self, X: Array) -> Array:
            return X[:, 0] / 2

    ax = fastmlp.plotting.predicted_vs_actual(Half(), y[:, np.newaxis], y)
    assert len(ax.collections[0].get_offsets()) == 5_000
    assert ax.get_title().endswith("20,000 examples")
    assert f"RMSE {np.sqrt(np.mean(y**2)) / 2:.4g}" in ax.get_title()


def test_a_constant_target_has_no_r2(fitted: fastmlp.MLP, curve: Given) -> None:
    title = fastmlp.plotting.predicted_vs_actual(fitted, curve[0], np.ones(150)).get_title()
    assert "R² nan" in title


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"model": fastmlp.MLP((2, 3))}, ValueError, "the model is a classifier"),
        ({"model": "net"}, TypeError, "with predict, got 'net'"),
        ({"y": [1.0, 2.0]}, ValueError, r"y has shape \(2,\).*each of 3 examples and 1 targets"),
        ({"y": [1.0, np.nan, 2.0]}, ValueError, r"y must be finite, but y\[1\] is nan"),
        ({"target_names": 5}, TypeError, "target_names must be a sequence, got 5"),
        ({"target_names": ["a", "b"]}, ValueError, "target_names has 2 entries for 1 targets"),
    ],
)
def test_what_does_not_fit_is_refused(
    given: dict[str, Any], error: type[Exception], message: str, fitted: fastmlp.MLP,
    n_figures: Callable[[], int],
) -> None:
    options = {"model": fitted, "X": np.ones((3, 2)), "y": [0.0, 1.0, 2.0], **given}
    with pytest.raises(error, match=message):
        fastmlp.plotting.predicted_vs_actual(**options)
    assert n_figures() == 0
