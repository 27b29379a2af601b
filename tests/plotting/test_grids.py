"""Grids contain the right images in the right order, with their titles above them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]
Digits = tuple[fastmlp.MLP, Array, Array]


def tiles(ax: Any) -> list[Array]:
    """The images of a grid: the blocks that are not masked."""
    grid = ax.images[0].get_array()
    rows, columns = (np.flatnonzero(~grid.mask.all(axis=axis)) for axis in (1, 0))
    found = []
    for down in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        for right in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
            tile = grid[np.ix_(down, right)]
            if not tile.mask.any():
                found.append(np.asarray(tile))
    return found


@pytest.mark.parametrize("flat", [True, False])
def test_a_grid_contains_the_images_row_by_row(flat: bool, rng: np.random.Generator) -> None:
    images = rng.random((7, 6, 6))
    ax = fastmlp.plotting.images(images.reshape(7, 36) if flat else images, columns=3)
    np.testing.assert_array_equal(tiles(ax), images)
    assert tuple(ax.images[0].get_extent()) == (0, 3, 3, 0)
    assert ax.images[0].get_clim() == (images.min(), images.max())


def test_images_may_be_oblong(rng: np.random.Generator) -> None:
    images = rng.random((4, 24))
    ax = fastmlp.plotting.images(images, shape=(3, 8), limits=(-1, 2))
    np.testing.assert_array_equal(tiles(ax), images.reshape(4, 3, 8))
    assert ax.images[0].get_clim() == (-1, 2)


def test_titles_are_above_their_images() -> None:
    titles = ["a", "$b", 3]
    ax = fastmlp.plotting.images(np.ones((3, 25)), titles=titles, columns=2)
    ax.figure.canvas.draw()
    assert [text.get_text() for text in ax.texts] == ["a", "$b", "3"]
    assert [tuple(map(int, text.get_position())) for text in ax.texts] == [(0, 0), (1, 0), (0, 1)]
    bottom = ax.texts[2].get_window_extent().y0
    assert bottom >= ax.transData.transform((0, 2))[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": np.ones(4)}, r"images must be \(m, n\).*got shape \(4,\)"),
        ({"images": np.ones((0, 25))}, "at least one"),
        ({"images": np.full((1, 25), np.nan)}, "images must be finite"),
        ({"images": np.ones((2, 24))}, "24 pixels are no square of at least 5 × 5; pass shape"),
        ({"images": np.ones((2, 25)), "shape": (5, 6)}, "shape 5 × 6 does not fit 25 pixels"),
        ({"images": np.ones((2, 25)), "titles": ["a"]}, "titles has 1 entries for 2 images"),
        ({"images": np.ones((2, 25)), "columns": 0}, "columns must be at least 1, got 0"),
        ({"images": np.ones((2, 25)), "titles": 5}, "titles must be a sequence, got 5"),
        ({"images": np.ones((2, 25)), "limits": 5}, "limits must be a sequence, got 5"),
        ({"images": np.ones((2, 25)), "limits": (1,)}, "limits must have 2 entries, got 1"),
        ({"images": np.ones((2, 25)), "limits": (0, "a")}, r"limits\[1\] must be a number"),
        ({"images": np.ones((2, 25)), "limits": (1, 0)}, "the least value, then the greatest, got"),
    ],
)
def test_what_is_no_grid_is_refused(
    options: dict[str, Any], message: str, n_figures: Callable[[], int]
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        fastmlp.plotting.images(**options)
    assert n_figures() == 0


def test_the_most_confident_mistakes_come_first(digits: Digits) -> None:
    net, X, y = digits
    ax = fastmlp.plotting.errors(net, X, y, most=9, columns=4)
    h = net.predict_proba(X)
    wrong = np.flatnonzero(h.argmax(axis=1) != y)
    assert len(wrong) > 9
    wrong = wrong[np.argsort(-h[wrong].max(axis=1), kind="stable")][:9]
    np.testing.assert_allclose(tiles(ax), X[wrong].reshape(-1, 8, 8))
    assert [text.get_text() for text in ax.texts] == [
        f"{y[k]}→{h[k].argmax()} {100 * h[k].max():.0f}%" for k in wrong
    ]
    assert ax.get_title() == (
        f"{np.sum(h.argmax(axis=1) != y)} of 297 misclassified, the most confident 9\n"
        "true→predicted class, its probability"
    )


def test_mistakes_of_an_ensemble_and_of_sparse_examples(digits: Digits) -> None:
    scipy = pytest.importorskip("scipy.sparse")
    net, X, y = digits
    ensemble = fastmlp.Ensemble([net])
    grids = [
        fastmlp.plotting.errors(one, given, y, most=5).images[0].get_array()
        for one, given in [(net, X), (ensemble, X), (ensemble, scipy.csr_matrix(X))]
    ]
    for grid in grids[1:]:
        np.testing.assert_allclose(grid.filled(-1), grids[0].filled(-1))


def test_mistakes_without_probabilities_are_in_order(digits: Digits, named: Any) -> None:
    net, X, y = digits
    model = named(net)
    model.classes_ = np.array(list("abcdefghij"))
    ax = fastmlp.plotting.errors(model, X, model.classes_[y], most=3)
    wrong = np.flatnonzero(net.predict(X) != y)[:3]
    assert [text.get_text() for text in ax.texts] == [
        f"{model.classes_[y[k]]}→{model.classes_[net.predict(X)[k]]}" for k in wrong
    ]
    np.testing.assert_allclose(tiles(ax), X[wrong].reshape(-1, 8, 8))


def test_without_mistakes_the_grid_is_empty(digits: Digits) -> None:
    net, X, _ = digits
    ax = fastmlp.plotting.errors(net, X, net.predict(X))
    assert (len(ax.images), ax.get_title()) == (0, "0 of 297 misclassified")


def test_weights_of_images_are_images(digits: Digits) -> None:
    net, *_ = digits
    ax = fastmlp.plotting.weights(net, most=5)
    W = net.weights[0]
    largest = np.argsort(-np.linalg.norm(W, axis=1))[:5]
    np.testing.assert_allclose(tiles(ax), W[largest].reshape(5, 8, 8))
    low, high = ax.images[0].get_clim()
    assert -low == high == pytest.approx(np.percentile(np.abs(W), 99.5))
    assert ax.get_title() == "layer 1: 5 of 16 units, largest norm first"


def test_weights_of_other_layers_are_a_matrix(digits: Digits) -> None:
    """Also where the hidden units happen to be a square number."""
    net, *_ = digits
    ax = fastmlp.plotting.weights(net, layer=1)
    np.testing.assert_array_equal(ax.images[0].get_array(), net.weights[1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input of the layer", "unit of the layer")
    shaped = fastmlp.plotting.weights(net, layer=1, shape=(4, 4))
    assert len(tiles(shaped)) == 10


def test_weights_are_those_that_predict(classes: tuple[Array, Array]) -> None:
    net = fastmlp.MLP((6, 8, 3), batch_norm=True)
    net.fit(*classes, epochs=2, ema=0.9)
    shown = fastmlp.plotting.weights(net).images[0].get_array()
    np.testing.assert_array_equal(shown, net.folded[0][0])
    assert not np.allclose(shown, net.weights[0])


def test_weights_of_an_ensemble_are_of_all_first_layers(ensemble: fastmlp.Ensemble) -> None:
    shown = fastmlp.plotting.weights(ensemble).images[0].get_array()
    expected = np.concatenate([net.weights[0] for net in ensemble.networks])
    np.testing.assert_array_equal(shown, expected)
    with pytest.raises(ValueError, match="layer 1 has other inputs in each network"):
        fastmlp.plotting.weights(ensemble, layer=1)


def test_weights_of_an_estimator_are_transposed(estimator: Any) -> None:
    shown = fastmlp.plotting.weights(estimator, layer=1).images[0].get_array()
    np.testing.assert_array_equal(shown, estimator.coefs_[1].T)


def test_a_network_of_zeros_can_be_plotted() -> None:
    fastmlp.plotting.weights(fastmlp.MLP((4, 2), init="zeros")).figure.canvas.draw()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"layer": 2}, ValueError, "layer must be at most 1, the last, got 2"),
        ({"layer": -1}, ValueError, "layer must be at least 0, got -1"),
        ({"shape": (2, 2)}, ValueError, "shape 2 × 2 does not fit 6 pixels"),
        ({"column_scales": [1, 1, np.nan, 1, 1, 1]}, ValueError, r"column_scales\[2\] is nan"),
        ({"column_names": 6}, TypeError, "column_names must be a sequence, got 6"),
        ({"shape": 6}, TypeError, r"shape must be a pair \(height, width\), got 6"),
        ({"model": "net"}, TypeError, "with coefs_, got 'net'"),
    ],
)
def test_weights_that_do_not_exist_are_refused(
    options: dict[str, Any], error: type[Exception], message: str, net: fastmlp.MLP,
    n_figures: Callable[[], int],
) -> None:
    with pytest.raises(error, match=message):
        fastmlp.plotting.weights(**{"model": net, **options})
    assert n_figures() == 0


def test_a_long_name_of_a_class_has_room(digits: Digits) -> None:
    net, X, y = digits
    names = [f"the digit {k}" for k in range(10)]
    ax = fastmlp.plotting.errors(net, X, y, class_names=names, most=12)
    ax.figure.canvas.draw()
    first = int(np.flatnonzero(net.predict(X) != y)[0])
    assert "\n" in ax.texts[0].get_text() and "→" in ax.texts[0].get_text()
    assert names[y[first]] in "".join(text.get_text() for text in ax.texts)
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))
    assert all(text.get_fontsize() >= 5.9 for text in ax.texts)


def test_columns_of_the_weights_have_names(classes: tuple[Array, Array]) -> None:
    net = fastmlp.MLP((6, 8, 3))
    names = [f"column {k}" for k in range(6)]

    def labels(model: Any, **options: Any) -> list[str]:
        ax = fastmlp.plotting.weights(model, **options)
        ax.figure.canvas.draw()
        return [label.get_text() for label in ax.get_xticklabels()]

    assert labels(net, column_names=names) == names
    net.metadata["columns"] = names
    assert labels(net) == labels(fastmlp.Ensemble([net]), column_names=names) == names
    assert "column 0" not in labels(net, layer=1)
    named = type("Named", (), {"coefs_": [np.ones((6, 2))], "feature_names_in_": names})
    assert labels(named()) == names


def test_weights_are_multiplied_by_the_scales_of_their_columns() -> None:
    net = fastmlp.MLP((6, 8, 3))
    scales = np.arange(6.0)
    shown = fastmlp.plotting.weights(net, column_scales=scales).images[0].get_array()
    np.testing.assert_allclose(shown, net.weights[0] * scales)
    with pytest.raises(ValueError, match=r"column_scales has shape \(2,\); expected \(6,\)"):
        fastmlp.plotting.weights(net, column_scales=[1, 2])
    with pytest.raises(ValueError, match="column_scales are for the first layer, got layer=1"):
        fastmlp.plotting.weights(net, layer=1, column_scales=scales)
