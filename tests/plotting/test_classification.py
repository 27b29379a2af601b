"""Confusion matrices, calibration and decision regions show what a classifier predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]
Given = tuple[Array, Array]


def counted(y: Array, predicted: Array, n: int = 3) -> Array:
    return np.array([[np.sum((y == i) & (predicted == j)) for j in range(n)] for i in range(n)])


def test_the_matrix_counts_each_pair_of_classes(model: Any, classes: Given) -> None:
    X, y = classes
    ax = fastmlp.plotting.confusion(model, X, y)
    counts = counted(y, model.predict(X))
    share = ax.images[0].get_array()
    np.testing.assert_allclose(share.filled(0), 100 * counts / counts.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(share.mask, counts == 0)
    cells = {tuple(map(int, text.get_position())): int(text.get_text()) for text in ax.texts}
    assert cells == {(j, i): count for (i, j), count in np.ndenumerate(counts) if count}
    wrong = len(y) - np.trace(counts)
    title = f"accuracy {100 - 100 * wrong / len(y):.2f} %, {wrong} of {len(y)} wrong"
    assert ax.get_title() == title
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted as", "true class")


def test_names_of_classes_are_drawn_literally(
    trained: fastmlp.MLP, named: Any, classes: Given
) -> None:
    """No formula begins at a dollar sign."""
    X, y = classes
    estimator = named(trained)
    names = list(estimator.classes_)
    trained.metadata["classes"] = names
    for model, target, given in [
        (estimator, estimator.classes_[y], None), (trained, y, None), (trained, y, names),
    ]:
        ax = fastmlp.plotting.confusion(model, X, target, class_names=given)
        ax.figure.canvas.draw()
        assert [label.get_text() for label in ax.get_yticklabels()] == names
        assert not any(label.get_parse_math() for label in ax.get_xticklabels())


def test_yes_or_no_is_two_classes(classes: Given) -> None:
    X, y = classes[0], classes[1] > 0
    net = fastmlp.MLP((6, 8, 1), loss="binary_cross_entropy")
    net.fit(X, y, epochs=2)
    share = fastmlp.plotting.confusion(net, X, y).images[0].get_array()
    counts = counted(y, net.predict(X), 2)
    np.testing.assert_allclose(share.filled(0), 100 * counts / counts.sum(axis=1, keepdims=True))


def test_a_single_name_stands_for_both_classes(classes: Given) -> None:
    net = fastmlp.MLP((6, 8, 1), loss="binary_cross_entropy")
    net.metadata["classes"] = ["only"]
    ax = fastmlp.plotting.confusion(net, classes[0], np.zeros(len(classes[0])))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["only", "only"]


class Fixed:
    """A classifier that predicts each class as itself, but for the first row."""

    def __init__(self, n: int, name: str) -> None:
        self.classes_ = np.array([f"{name}{k}" for k in range(n)])

    def predict(self, X: Array) -> Array:
        k = np.ravel(X).astype(int)
        return self.classes_[np.append(len(self.classes_) - 1, k[1:])]


def overlapping(texts: Sequence[Any]) -> bool:
    """Whether a drawn text reaches into the next one."""
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    return any(one.overlaps(other) for one, other in pairwise(boxes))


@pytest.mark.parametrize("name", ["", "a long name of class "])
@pytest.mark.parametrize("n", [2, 3, 10, 26, 60, 120, 200])
def test_a_matrix_of_any_number_of_classes_is_legible(n: int, name: str) -> None:
    model = Fixed(n, name)
    rows = np.repeat(np.arange(n), 12)
    ax = fastmlp.plotting.confusion(model, rows, model.classes_[rows])
    figure = ax.figure
    figure.canvas.draw()
    cell = ax.get_window_extent().width / n
    assert cell >= 4  # pixels
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert len(labels) >= n / 4 and not overlapping(labels)
        assert all(label.get_fontsize() >= 6 for label in labels)
    texts = ax.get_xticklabels()
    assert [text.get_text()[:24] for text in texts[:1]] == [model.classes_[0]]
    if n <= 60:
        assert sum(int(text.get_text()) for text in ax.texts) == 12 * n
    for text in ax.texts:
        box = text.get_window_extent()
        assert box.width <= cell and box.height <= cell and text.get_fontsize() >= 5
    assert ax.texts or "most often" in ax.get_title()


def test_the_most_frequent_confusion_is_named_where_counts_have_no_room() -> None:
    model = Fixed(150, "$")
    rows = np.append([0, 1], np.repeat(np.arange(150), 40))
    ax = fastmlp.plotting.confusion(model, rows, model.classes_[rows])
    assert ax.get_title().endswith("\nmost often $0 predicted as $149: 1 times")
    assert not ax.texts
    assert not ax.title.get_parse_math()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": [0, 1, 3]}, r"y must hold labels from 0 to 2.*y\[2\] is 3"),
        ({"y": [0, 1]}, "y has 2 entries for 3 examples"),
        ({"class_names": ["a"]}, "class_names has 1 entries for 3 classes"),
        ({"model": fastmlp.MLP((6, 1), loss="squared_error")}, "loss is squared_error"),
        ({"model": fastmlp.MLP((6, 2), loss="binary_cross_entropy")}, "yes or no for each of 2"),
    ],
)
def test_what_does_not_fit_is_refused(
    given: dict[str, Any], message: str, net: fastmlp.MLP, n_figures: Callable[[], int]
) -> None:
    options = {"model": net, "X": np.ones((3, 6)), "y": [0, 1, 2], **given}
    with pytest.raises(ValueError, match=message):
        fastmlp.plotting.confusion(**options)
    assert n_figures() == 0


def test_what_does_not_fit_an_estimator_is_refused(trained: fastmlp.MLP, named: Any) -> None:
    model, X = named(trained), np.ones((2, 6))
    with pytest.raises(ValueError, match=r"y\[1\] is 'd', which is none of the model's classes"):
        fastmlp.plotting.confusion(model, X, ["<b>", "d"])
    with pytest.raises(ValueError, match=r"y has shape \(1,\).*predictions \(2,\)"):
        fastmlp.plotting.confusion(model, X, ["<b>"])
    with pytest.raises(TypeError, match="with predict and classes_, got None"):
        fastmlp.plotting.confusion(None, X, ["<b>"])


@pytest.fixture
def plane(rng: np.random.Generator) -> tuple[fastmlp.MLP, Array, Array]:
    """Three classes in the plane and a network that knows them."""
    y = np.arange(90) % 3
    X = np.array([[0, 0], [4, 0], [0, 4]])[y] + rng.normal(size=(90, 2))
    net = fastmlp.MLP((2, 16, 3))
    net.fit(X, y, epochs=30, batch_size=10)
    return net, X, y


def test_the_plane_has_the_colors_of_the_probabilities(plane: Any) -> None:
    from matplotlib.colors import to_rgb

    net, X, y = plane
    ax = fastmlp.plotting.decision_boundary(net, X, y, resolution=9)
    left, right, bottom, top = ax.images[0].get_extent()
    column, row = (right - left) / 9, (top - bottom) / 9
    h = net.predict_proba([[left + 2.5 * column, bottom + 7.5 * row]])[0]
    expected = sum(p * np.array(to_rgb(color)) for p, color in
                   zip(h, fastmlp.plotting.canvas.COLORS, strict=False))
    np.testing.assert_allclose(
        ax.images[0].get_array()[7, 2], 0.45 * expected + 0.55, rtol=1e-5
    )
    assert left < X[:, 0].min() and X[:, 1].max() < top


def test_each_class_has_its_points(plane: Any) -> None:
    net, X, y = plane
    ax = fastmlp.plotting.decision_boundary(net, X, y, class_names=["a", "b", "$c"], resolution=9)
    points = {one.get_label(): one.get_offsets() for one in ax.collections
              if one.get_label() in ("a", "b", "$c")}
    for k, offsets in enumerate(points.values()):
        np.testing.assert_array_equal(offsets, X[y == k])
    assert len(points) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "$c"]


@pytest.mark.parametrize("scale", [1.0, 1 / 255])
def test_uint8_inputs_are_scaled_as_the_network_scales_them(
    rng: np.random.Generator, scale: float
) -> None:
    X = rng.integers(0, 256, (20, 2), dtype=np.uint8)
    net = fastmlp.MLP((2, 2), uint8_scale=scale)
    extents = [
        fastmlp.plotting.decision_boundary(net, one, np.arange(20) % 2, resolution=3)
        .images[0].get_extent()
        for one in (X, X * scale)
    ]
    np.testing.assert_allclose(*extents)


def test_a_prediction_without_probabilities_is_one_color(plane: Any, named: Any) -> None:
    net, X, y = plane
    model = named(net)
    ax = fastmlp.plotting.decision_boundary(model, X, model.classes_[y], resolution=20)
    colors = np.unique(np.asarray(ax.images[0].get_array()).reshape(-1, 3), axis=0)
    assert len(colors) == 3


def test_the_axes_have_the_names_of_the_columns(plane: Any) -> None:
    net, X, y = plane

    def labels(**options: Any) -> tuple[str, str]:
        ax = fastmlp.plotting.decision_boundary(net, X, y, resolution=3, **options)
        return ax.get_xlabel(), ax.get_ylabel()

    assert labels() == ("input 1", "input 2")
    net.metadata["columns"] = ["length", "$ width"]
    assert labels() == ("length", "$ width")
    assert labels(column_names=["a", "b"]) == ("a", "b")
    with pytest.raises(ValueError, match="column_names has 1 entries for 2 inputs"):
        labels(column_names=["a"])


def test_the_plane_takes_two_inputs(net: fastmlp.MLP, n_figures: Callable[[], int]) -> None:
    with pytest.raises(ValueError, match=r"X has shape \(3, 6\); expected \(m, 2\)"):
        fastmlp.plotting.decision_boundary(net, np.ones((3, 6)), [0, 1, 2])
    with pytest.raises(ValueError, match="resolution must be at least 2, got 1"):
        fastmlp.plotting.decision_boundary(net, np.ones((3, 2)), [0, 1, 2], resolution=1)
    assert n_figures() == 0


def test_scikit_learn_s_own_estimators_are_plotted(plane: Any) -> None:
    pytest.importorskip("sklearn")
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC

    _, X, y = plane
    names = np.array(["a", "b", "c"])[y]
    support = SVC().fit(X, names)
    share = fastmlp.plotting.confusion(support, X, names).images[0].get_array()
    assert share.filled(0).sum(axis=1) == pytest.approx([100] * 3)
    fastmlp.plotting.decision_boundary(support, X, names, resolution=5)
    net = MLPClassifier((5,), max_iter=400, solver="lbfgs").fit(X, names)
    assert fastmlp.plotting.weights(net).images[0].get_array().shape == (5, 2)
    assert fastmlp.plotting.calibration(net, X, names).get_title()


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
    from fastmlp.plotting.classification import _wilson

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
