"""The training history and the distributions of activations are plotted as they are."""

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


def stars(ax: Any) -> list[list[float]]:
    """The points that are marked as the best."""
    return [list(point) for one in ax.collections for point in one.get_offsets()]


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_history_s_figures_are_the_curves(net: fastmlp.MLP, classes: Given) -> None:
    optimizer = fastmlp.Adam(fastmlp.schedules.Cosine(0.01))
    history = net.fit(*classes, epochs=3, validation_data=0.2, optimizer=optimizer)
    cost, accuracy, rate = fastmlp.plotting.history(history).axes
    assert of_lines(cost) == [history.cost, history.validation_cost]
    assert of_lines(accuracy) == [[100 * one for one in history.validation_accuracy]]
    assert of_lines(rate) == [history.learning_rate]
    assert list(cost.lines[0].get_xdata()) == [1, 2, 3]
    assert legend(cost)[:2] == ["training", "validation"]
    assert (cost.get_ylabel(), rate.get_xlabel()) == ("cost J", "epoch")
    assert accuracy.get_ylabel() == "validation\naccuracy, %"


def test_the_best_epoch_is_marked() -> None:
    history = fastmlp.History(
        cost=[3.0, 2.0, 1.0, 0.5],
        validation_cost=[3.0, 2.0, 2.5, 2.0],
        validation_accuracy=[0.5, 0.6, 0.8, 0.8],
    )
    cost, accuracy = fastmlp.plotting.history(history).axes
    assert (stars(cost), stars(accuracy)) == ([[2, 2.0]], [[3, 80.0]])
    assert legend(cost)[2] == "best: epoch 2"
    assert legend(accuracy)[1] == "best: epoch 3"


def test_what_does_not_vary_is_in_the_title_and_has_no_panel() -> None:
    history = fastmlp.History(
        cost=[3.0, 2.0], validation_accuracy=[1.0, 1.0], learning_rate=[0.001, 0.001]
    )
    (cost,) = fastmlp.plotting.history(history).axes
    assert cost.get_title() == "2 epochs\nvalidation accuracy 100 %\nlearning rate 0.001"


def test_a_network_s_history_is_that_of_its_latest_fit(trained: fastmlp.MLP) -> None:
    assert of_lines(fastmlp.plotting.history(trained).axes[0])[0] == trained.history.cost


def test_several_histories_are_plotted_together(ensemble: fastmlp.Ensemble) -> None:
    histories = [net.history for net in ensemble.networks]
    for given in (ensemble, histories):
        (cost,) = fastmlp.plotting.history(given).axes
        assert of_lines(cost) == [one.cost for one in histories]
        assert cost.get_title().startswith("2 networks, 3 epochs")


def test_several_histories_have_a_star_each() -> None:
    histories = [fastmlp.History(cost=[2.0, 1.0], validation_cost=v) for v in ([1.0, 2], [3, 2.0])]
    (cost,) = fastmlp.plotting.history(histories).axes
    assert stars(cost) == [[1, 1.0], [2, 2.0]]


def test_an_estimator_s_curves_are_plotted(estimator: Any) -> None:
    cost, accuracy = fastmlp.plotting.history(estimator).axes
    assert of_lines(cost) == [estimator.loss_curve_]
    assert of_lines(accuracy) == [[100 * one for one in estimator.validation_scores_]]


def f1(y: Array, predicted: Array) -> float:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({}, "R²"),
        ({"scoring": None}, "R²"),
        ({"scoring": "neg_mean_absolute_error"}, "neg mean absolute error"),
        ({"scoring": "loss"}, "negative loss"),
        ({"scoring": f1}, "f1"),
        ({"scoring": type("Scorer", (), {"_score_func": staticmethod(f1)})()}, "f1"),
        ({"classes_": [0, 1], "scoring": "f1_macro"}, "f1 macro"),
        ({"classes_": [0, 1]}, "accuracy, %"),
    ],
)
def test_a_score_has_its_own_name_and_unit(attributes: dict[str, Any], name: str) -> None:
    curves = {"loss_curve_": [2.0, 1.0], "validation_scores_": [0.25, 0.75]}
    _, score = fastmlp.plotting.history(type("Model", (), {**curves, **attributes})()).axes
    assert score.get_ylabel() == f"validation\n{name}"
    factor = 100 if "%" in name else 1
    assert of_lines(score) == [[0.25 * factor, 0.75 * factor]]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_the_validation_loss_of_an_estimator_is_plotted() -> None:
    pytest.importorskip("sklearn")
    from fastmlp.sklearn import MLPRegressor

    X, y = np.random.default_rng(0).normal(size=(200, 3)), np.arange(200.0) / 100
    model = MLPRegressor(
        hidden_layer_sizes=(5,), early_stopping=True, max_iter=6, random_state=0
    ).fit(X, y)
    cost, score = fastmlp.plotting.history(model).axes
    assert of_lines(cost) == [model.loss_curve_, model.validation_loss_curve_]
    assert of_lines(score) == [model.validation_scores_]
    assert score.get_ylabel() == "validation\nR²"


@pytest.mark.parametrize(
    ("costs", "scale"), [([200.0, 3.0, 1.0], "log"), ([2.0, 1.0], "linear"), ([9.0, 0.0], "linear")]
)
def test_a_cost_that_falls_far_has_a_logarithmic_axis(costs: list[float], scale: str) -> None:
    history = fastmlp.History(cost=costs)
    assert fastmlp.plotting.history(history).axes[0].get_yscale() == scale


def test_the_networks_of_a_table_s_model_are_plotted_together() -> None:
    pytest.importorskip("pandas")
    from fastmlp.tabular import TabularRegressor

    X = np.random.default_rng(0).normal(size=(60, 2))
    model = TabularRegressor(quality="fast", epochs=3, random_state=0).fit(X, X[:, 0])
    lines = fastmlp.plotting.history(model).axes[0].lines
    assert [len(line.get_ydata()) for line in lines] == [3, 3]


@pytest.mark.parametrize("given", [fastmlp.History(), [], fastmlp.MLP((2, 2))])
def test_an_empty_history_is_refused(given: Any, n_figures: Callable[[], int]) -> None:
    with pytest.raises(ValueError, match="history is empty"):
        fastmlp.plotting.history(given)
    assert n_figures() == 0


def test_an_estimator_without_epochs_is_refused(classes: Given) -> None:
    pytest.importorskip("sklearn")
    from fastmlp.sklearn import MLPClassifier

    estimator = MLPClassifier((4,), solver="lbfgs", max_iter=50, random_state=0).fit(*classes)
    with pytest.raises(ValueError, match="no curve of its training: with solver='lbfgs'"):
        fastmlp.plotting.history(estimator)


def test_what_has_no_history_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected a History.*got 'net'"):
        fastmlp.plotting.history("net")


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
    ensemble: fastmlp.Ensemble, classes: Given
) -> None:
    titles = [ax.get_title() for ax in fastmlp.plotting.activations(ensemble, classes[0]).axes]
    assert sum(title.startswith("layer 2") for title in titles) == 2
    assert sum(title.startswith("layer 3") for title in titles) == 1


def test_activations_are_of_networks() -> None:
    with pytest.raises(TypeError, match="expected an MLP or an Ensemble, got 3"):
        fastmlp.plotting.activations(3, [[1.0]])


def test_a_figure_that_is_passed_is_drawn_on(
    trained: fastmlp.MLP, classes: Given, n_figures: Callable[[], int]
) -> None:
    from matplotlib.figure import Figure

    left, right = Figure(figsize=(10, 5)).subfigures(1, 2)
    assert fastmlp.plotting.history(trained, figure=left) is left
    assert fastmlp.plotting.activations(trained, classes[0], figure=right) is right
    assert len(left.figure.axes) == 4
    assert n_figures() == 0
    with pytest.raises(TypeError, match="figure must be a matplotlib Figure, got 1"):
        fastmlp.plotting.history(trained, figure=1)


def test_a_new_figure_is_one_of_pyplot_s(
    trained: fastmlp.MLP, n_figures: Callable[[], int]
) -> None:
    from matplotlib import pyplot

    assert fastmlp.plotting.history(trained) is pyplot.gcf()
    assert n_figures() == 1
