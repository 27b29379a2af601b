"""Confusion matrices count, and the plane is divided as the model answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]
Given = tuple[Array, Array]


def counted(y: Array, predicted: Array, n: int = 3) -> Array:
    return np.array([[np.sum((y == i) & (predicted == j)) for j in range(n)] for i in range(n)])


def test_the_matrix_counts_what_is_read_as_what(model: Any, classes: Given) -> None:
    X, y = classes
    ax = fastmlp.plotting.confusion(model, X, y)
    counts = counted(y, model.predict(X))
    share = ax.images[0].get_array()
    np.testing.assert_allclose(share.filled(0), 100 * counts / counts.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(share.mask, counts == 0)
    cells = {tuple(map(int, text.get_position())): int(text.get_text()) for text in ax.texts}
    assert cells == {(j, i): count for (i, j), count in np.ndenumerate(counts) if count}
    wrong = len(y) - np.trace(counts)
    assert ax.get_title() == f"{100 - 100 * wrong / len(y):.2f} % right, {wrong} of {len(y)} wrong"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("read as", "true class")


def test_names_of_classes_stand_as_they_are(
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


def test_a_matrix_of_many_classes_has_no_numbers() -> None:
    net = fastmlp.MLP((2, 40))
    ax = fastmlp.plotting.confusion(net, np.eye(2), [0, 39])
    assert not ax.texts
    assert ax.images[0].get_array().shape == (40, 40)


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
def test_what_does_not_fit_is_told(
    given: dict[str, Any], message: str, net: fastmlp.MLP, n_figures: Callable[[], int]
) -> None:
    options = {"model": net, "X": np.ones((3, 6)), "y": [0, 1, 2], **given}
    with pytest.raises(ValueError, match=message):
        fastmlp.plotting.confusion(**options)
    assert n_figures() == 0


def test_what_does_not_fit_an_estimator_is_told(trained: fastmlp.MLP, named: Any) -> None:
    model, X = named(trained), np.ones((2, 6))
    with pytest.raises(ValueError, match=r"y\[1\] is 'd', which is none of the model's classes"):
        fastmlp.plotting.confusion(model, X, ["<b>", "d"])
    with pytest.raises(ValueError, match=r"y has shape \(1,\).*predicts \(2,\)"):
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


def test_the_plane_has_the_colours_of_the_probabilities(plane: Any) -> None:
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
def test_bytes_count_as_they_do_for_the_network(rng: np.random.Generator, scale: float) -> None:
    X = rng.integers(0, 256, (20, 2), dtype=np.uint8)
    net = fastmlp.MLP((2, 2), uint8_scale=scale)
    extents = [
        fastmlp.plotting.decision_boundary(net, one, np.arange(20) % 2, resolution=3)
        .images[0].get_extent()
        for one in (X, X * scale)
    ]
    np.testing.assert_allclose(*extents)


def test_an_answer_without_probabilities_is_one_colour(plane: Any, named: Any) -> None:
    net, X, y = plane
    model = named(net)
    ax = fastmlp.plotting.decision_boundary(model, X, model.classes_[y], resolution=20)
    colors = np.unique(np.asarray(ax.images[0].get_array()).reshape(-1, 3), axis=0)
    assert len(colors) == 3


def test_the_plane_takes_two_inputs(net: fastmlp.MLP, n_figures: Callable[[], int]) -> None:
    with pytest.raises(ValueError, match=r"X has shape \(3, 6\); expected \(m, 2\)"):
        fastmlp.plotting.decision_boundary(net, np.ones((3, 6)), [0, 1, 2])
    with pytest.raises(ValueError, match="resolution must be at least 2, got 1"):
        fastmlp.plotting.decision_boundary(net, np.ones((3, 2)), [0, 1, 2], resolution=1)
    assert n_figures() == 0


def test_scikit_learn_s_own_estimators_are_drawn(plane: Any) -> None:
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
