"""Curves and histograms show the figures there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]
Given = tuple[Array, Array]


def of_lines(ax: Any) -> list[list[float]]:
    return [list(line.get_ydata()) for line in ax.lines]


def test_the_history_s_figures_are_the_curves(trained: fastmlp.MLP) -> None:
    history = trained.history
    cost, accuracy, rate = fastmlp.plotting.history(history).axes
    assert of_lines(cost) == [history.cost, history.validation_cost]
    assert of_lines(accuracy) == [[100 * one for one in history.validation_accuracy]]
    assert of_lines(rate) == [history.learning_rate]
    assert list(cost.lines[0].get_xdata()) == [1, 2, 3]
    assert [text.get_text() for text in cost.get_legend().get_texts()] == ["training", "validation"]
    assert (cost.get_ylabel(), rate.get_xlabel()) == ("cost J", "epoch")
    assert accuracy.get_ylabel().endswith("%")


def test_a_network_s_history_is_that_of_its_latest_fit(trained: fastmlp.MLP) -> None:
    assert of_lines(fastmlp.plotting.history(trained).axes[0])[0] == trained.history.cost


def test_several_histories_are_drawn_together(committee: fastmlp.Ensemble) -> None:
    histories = [net.history for net in committee.networks]
    for given in (committee, histories):
        cost, rate = fastmlp.plotting.history(given).axes
        assert of_lines(cost) == [one.cost for one in histories]
        assert len(rate.lines) == 2


def test_an_estimator_s_curves_are_drawn(estimator: Any) -> None:
    cost, accuracy = fastmlp.plotting.history(estimator).axes
    assert of_lines(cost) == [estimator.loss_curve_]
    assert of_lines(accuracy) == [[100 * one for one in estimator.validation_scores_]]


@pytest.mark.parametrize(
    ("costs", "scale"), [([200.0, 3.0, 1.0], "log"), ([2.0, 1.0], "linear"), ([9.0, 0.0], "linear")]
)
def test_a_cost_that_falls_far_has_a_logarithmic_axis(costs: list[float], scale: str) -> None:
    history = fastmlp.History(cost=costs)
    assert fastmlp.plotting.history(history).axes[0].get_yscale() == scale


@pytest.mark.parametrize("given", [fastmlp.History(), [], fastmlp.MLP((2, 2))])
def test_an_empty_history_is_told(given: Any, n_figures: Callable[[], int]) -> None:
    with pytest.raises(ValueError, match="history is empty"):
        fastmlp.plotting.history(given)
    assert n_figures() == 0


def test_what_has_no_history_is_told() -> None:
    with pytest.raises(TypeError, match=r"expected a History.*got 'net'"):
        fastmlp.plotting.history("net")


def test_calibration_is_that_of_the_bins(trained: fastmlp.MLP, classes: Given) -> None:
    X, y = classes
    ax = fastmlp.plotting.calibration(trained, X, y, bins=5)
    h = trained.predict_proba(X)
    p, right = h.max(axis=1), h.argmax(axis=1) == y
    bins = [(p >= k / 5) & (p < (k + 1) / 5) for k in range(5)]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(
        [100 * np.mean(one) for one in bins]
    )
    there = [one for one in bins if one.any()]
    points = ax.containers[1].lines[0]
    np.testing.assert_allclose(points.get_xdata(), [100 * p[one].mean() for one in there], 1e-5)
    np.testing.assert_allclose(points.get_ydata(), [100 * right[one].mean() for one in there])
    error = sum(one.mean() * abs(right[one].mean() - p[one].mean()) for one in there)
    assert f"calibration error {100 * error:.2f} %" in ax.get_title()
    assert ax.get_xlabel().endswith("%")


def test_the_interval_of_a_share_is_wilson_s() -> None:
    """Against its definition: the p with |share − p| = z √(p(1 − p)/n)."""
    from fastmlp.plotting.curves import _wilson

    for share, n in [(0.0, 7), (0.3, 10), (0.9, 200), (1.0, 3)]:
        for end in _wilson(np.array([share]), np.array([n])):
            p = float(end[0])
            assert p == share or abs(share - p) == pytest.approx(1.96 * np.sqrt(p * (1 - p) / n))


def test_calibration_needs_probabilities(model: Any, classes: Given) -> None:
    if hasattr(model, "predict_proba"):
        assert fastmlp.plotting.calibration(model, *classes).get_title()
        return
    with pytest.raises(TypeError, match="predict_proba"):
        fastmlp.plotting.calibration(model, *classes)


def test_activations_are_shares_of_each_layer(trained: fastmlp.MLP, classes: Given) -> None:
    X, _ = classes
    figure = fastmlp.plotting.activations(trained, X, bins=7)
    layers = trained.activations(X)
    assert len(figure.axes) == len(layers) == 2
    for ax, a in zip(figure.axes, layers, strict=True):
        counts, edges = np.histogram(a, 7)
        heights = [bar.get_height() for bar in ax.patches]
        assert heights == pytest.approx(list(100 * counts / a.size))
        assert ax.patches[0].get_x() == pytest.approx(edges[0])
    zero = 100 * np.mean(layers[0] == 0)
    assert f"layer 1: relu, 16 units\n{zero:.0f} % zero" in figure.axes[0].get_title()


def test_units_that_are_always_zero_are_counted() -> None:
    net = fastmlp.MLP((1, 3, 1), loss="squared_error",
                      init=([[[1.0], [-1.0], [-2.0]], [[1.0, 1.0, 1.0]]], [[0.0] * 3, [0.0]]))
    title = fastmlp.plotting.activations(net, [[1.0], [2.0]]).axes[0].get_title()
    assert title.endswith("67 % zero, 2 units always")


def test_each_network_of_an_ensemble_has_its_layers(
    committee: fastmlp.Ensemble, classes: Given
) -> None:
    titles = [ax.get_title() for ax in fastmlp.plotting.activations(committee, classes[0]).axes]
    assert sum(title.startswith("layer 2") for title in titles) == 2
    assert sum(title.startswith("layer 3") for title in titles) == 1


def test_activations_are_of_networks() -> None:
    with pytest.raises(TypeError, match="expected an MLP or an Ensemble, got 3"):
        fastmlp.plotting.activations(3, [[1.0]])


def test_a_figure_that_is_given_is_drawn_on(
    trained: fastmlp.MLP, classes: Given, n_figures: Callable[[], int]
) -> None:
    from matplotlib.figure import Figure

    left, right = Figure(figsize=(10, 5)).subfigures(1, 2)
    assert fastmlp.plotting.history(trained, figure=left) is left
    assert fastmlp.plotting.activations(trained, classes[0], figure=right) is right
    assert len(left.figure.axes) == 5
    assert n_figures() == 0
    with pytest.raises(TypeError, match="figure must be a matplotlib Figure, got 1"):
        fastmlp.plotting.history(trained, figure=1)


def test_the_caller_s_axes_are_drawn_on(
    trained: fastmlp.MLP, classes: Given, n_figures: Callable[[], int]
) -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert fastmlp.plotting.calibration(trained, *classes, ax=ax) is ax
    assert n_figures() == 0
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes, got 'left'"):
        fastmlp.plotting.calibration(trained, *classes, ax="left")
    assert n_figures() == 0


def test_a_new_figure_is_one_of_pyplot_s(
    trained: fastmlp.MLP, n_figures: Callable[[], int]
) -> None:
    from matplotlib import pyplot

    assert fastmlp.plotting.history(trained) is pyplot.gcf()
    assert n_figures() == 1
