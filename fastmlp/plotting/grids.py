"""Grids of small images: examples, misclassified examples, the weights of units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..support import checks
from . import canvas, model_data
from .model_data import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["errors", "images", "weights"]

Array = NDArray[Any]

TILE = 0.62  # inches, width of an image in a new figure
GAP = 0.08  # between images, in units of their width
LARGEST, SMALLEST = 9.0, 3.5  # points, of titles
NARROWEST = 3.4  # inches, of a new figure with a title
SMALLEST_NEW = 6.0  # points: a new figure is as wide as its titles need
DIVERGING = "RdBu_r"  # distinguishable with any kind of colour blindness


def images(
    images: ArrayLike,
    *,
    shape: Sequence[int] | None = None,
    titles: Iterable[object] | None = None,
    columns: int = 8,
    cmap: str = "gray_r",
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Any:
    """Plot images in a grid, row by row.

    The image in row i and column j of the grid extends from j to j + 1 in x and from i to i + 1 in
    y, its title included, so that you can draw over it.

    Parameters
    ----------
    images : array-like, (m, n) or (m, height, width)
        Images of one channel.
    shape : (int, int), optional
        Height and width where `images` is (m, n).  Default: square images.
    titles : iterable, optional
        A title for each image, written above it literally.
    columns : int, default 8
        Number of images in a row of the grid.
    cmap : str, default "gray_r"
        A color map of matplotlib's.  The default draws in black on white.
    limits : (float, float), optional
        Values at the ends of the color map.  Default: the least and the greatest pixel.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.  Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its only image is the grid, masked between the images.

    See Also
    --------
    errors : Plot misclassified images.

    Examples
    --------
    >>> augment = fastmlp.augment.Distortion(rotation=15, elastic=30)
    >>> ax = fastmlp.plotting.images(augment(X[:24]))
    """
    pixels = _pixels(images, shape)
    columns = min(checks.whole("columns", columns), len(pixels))
    texts = None if titles is None else [str(one) for one in checks.items("titles", titles)]
    if texts is not None and len(texts) != len(pixels):
        raise ValueError(f"titles has {len(texts)} entries for {len(pixels)} images")
    low, high = (pixels.min(), pixels.max()) if limits is None else _limits(limits)

    m, height, width = pixels.shape
    rows = -(-m // columns)
    room = 1.3 if texts else 1.0
    tile = max(TILE, _longest(texts) * SMALLEST_NEW * canvas.GLYPH / 72)
    tall = rows * room * height / width  # height of the grid in widths of an image
    points = 72 * tile if ax is None else _points(ax, columns, tall)
    ax = canvas.axes(ax, (tile * columns + 0.2, tile * tall + 0.5))
    size = _size(texts, points)
    gap = max(1, round(GAP * width))
    lines = 1 + max((text.count("\n") for text in texts or []), default=0)
    band = gap + (round(1.35 * lines * size / points * width) if texts else 0)
    grid = np.ma.masked_array(np.zeros((rows, band + height, columns, gap + width)), mask=True)
    for place, image in enumerate(pixels):
        i, j = divmod(place, columns)
        grid[i, band:, j, gap:] = image
    ax.imshow(
        grid.reshape(rows * (band + height), columns * (gap + width)),
        cmap=cmap,
        vmin=low,
        vmax=high,
        interpolation="none",  # pixels stay squares in vector formats too
        extent=(0, columns, rows, 0),
        aspect=(band + height) / (gap + width),
    )
    ax.set_axis_off()
    top, middle = 0.9 * band / (band + height), (gap + width / 2) / (gap + width)
    canvas.literal([
        ax.text(j + middle, i + top, text, fontsize=size, ha="center", va="bottom", clip_on=False)
        for (i, j), text in zip(
            (divmod(place, columns) for place in range(m)), texts or [], strict=False
        )
    ])
    return ax


def errors(
    model: Model,
    X: Any,
    y: ArrayLike,
    *,
    shape: Sequence[int] | None = None,
    class_names: Iterable[object] | None = None,
    most: int = 40,
    columns: int = 8,
    ax: Axes | None = None,
) -> Any:
    """Plot the images that a classifier misclassifies, those with the highest probability first.

    The title "4→9 97%" means that a 4 was predicted as a 9 with a probability of 97 %.

    Parameters
    ----------
    model : MLP, Ensemble or fitted classifier with `predict` and `classes_`
        The classifier.  Without `predict_proba` the images are in the order of the examples.
    X : array-like or SciPy sparse matrix, (m, n_in)
        Images, one per row.
    y : array-like, (m,)
        Their true classes.
    shape : (int, int), optional
        Height and width of an image.  Default: square images.
    class_names : iterable, optional
        A name for each class.  Default: the model's own, or numbers.
    most : int, default 40
        The greatest number of images.
    columns : int, default 8
        Number of images in a row of the grid.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.  Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A grid as that of `images`; empty if all examples are classified correctly.

    See Also
    --------
    confusion : Plot which classes are confused.
    """
    most = checks.whole("most", most)
    predictions = model_data.predictions(model, X, y, class_names)
    wrong, confidence = predictions.most_confident_errors, predictions.confidence
    title = f"{len(wrong):,} of {len(predictions.y):,} misclassified"
    if not len(wrong):
        ax = canvas.axes(ax, (4, 1))
        ax.set_axis_off()
    else:
        chosen = wrong[:most]
        pairs = [
            f"{canvas.shortened(predictions.names[predictions.y[k]], 12)}→"
            f"{canvas.shortened(predictions.names[predictions.predicted[k]], 12)}"
            for k in chosen
        ]
        space = "\n" if _longest(pairs) > 6 else " "  # a second line for the probability
        titles = [
            pair if confidence is None else f"{pair}{space}{100 * confidence[k]:.0f}%"
            for pair, k in zip(pairs, chosen, strict=True)
        ]
        if len(chosen) < len(wrong):
            which = "first" if confidence is None else "most confident"
            title += f", the {which} {len(chosen)}"
        title += "\ntrue→predicted" + ("" if confidence is None else " class, its probability")
        new = ax is None
        ax = images(_rows(X, chosen), shape=shape, titles=titles, columns=columns, ax=ax)
        if new:  # as wide as its title
            figure: Any = ax.figure
            width, height = figure.get_size_inches()
            figure.set_size_inches(max(width, NARROWEST), height)
    ax.set_title(title, fontsize=9)
    return ax


def weights(
    model: Model,
    *,
    layer: int = 0,
    shape: Sequence[int] | None = None,
    column_names: Iterable[object] | None = None,
    column_scales: ArrayLike | None = None,
    most: int = 40,
    columns: int = 8,
    ax: Axes | None = None,
) -> Any:
    """Plot the weights of a layer.

    They are the weights that predict: averages if the network uses these, with batch norm folded
    in.  If the inputs are images, the weights of each unit of the first layer are plotted as an
    image, those of the largest norm first.  Otherwise the weights are plotted as a matrix.

    Parameters
    ----------
    model : MLP, Ensemble or fitted estimator with `coefs_`
        The model.  Of an ensemble, the first layers of all networks are plotted.
    layer : int, default 0
        Index into `weights`.
    shape : (int, int), optional
        Height and width of the images.  Default: square images for a first layer whose number of
        inputs is a square of at least 5 × 5; otherwise none.
    column_names : iterable, optional
        A name for each input of the network, for the matrix of the first layer.  Default: the
        model's own, or numbers.
    column_scales : array-like, (n_in,), optional
        Factors for the weights of each input of the first layer.  With the standard deviations of
        the inputs, the weights of columns in different units can be compared.
    most : int, default 40
        The greatest number of units that are plotted as images.
    columns : int, default 8
        Number of images in a row of the grid.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.  Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its only image is the grid of images, or the matrix (n_out, n_in).

    See Also
    --------
    activations : Plot the activations that result.
    """
    most = checks.whole("most", most)
    W, name = model_data.layer_weights(model, layer)
    label = "weight"
    if column_scales is not None:
        if layer:
            raise ValueError(f"column_scales are for the first layer, got layer={layer}")
        scales = checks.array("column_scales", column_scales)
        if scales.shape != W.shape[1:]:
            raise ValueError(f"column_scales has shape {scales.shape}; expected {W.shape[1:]}")
        checks.finite("column_scales", scales, np.dtype(np.float64))
        W, label = W * scales, "weight × scale of its column"
    n_out, n_in = W.shape
    sides = None if layer and shape is None else model_data.image_shape(n_in, shape)
    limit = float(np.percentile(np.abs(W), 99.5)) or 1.0  # few large weights do not fade the others
    if sides is not None:
        largest = np.argsort(-np.linalg.norm(W, axis=1), kind="stable")[:most]
        some = f"{len(largest)} of {n_out:,}" if len(largest) < n_out else f"{n_out:,}"
        ax = images(
            W[largest],
            shape=sides,
            columns=columns,
            cmap=DIVERGING,
            limits=(-limit, limit),
            ax=ax,
        )
        ax.set_title(f"{name}: {some} units, largest norm first", fontsize=9)
    else:
        names = None if layer else model_data.column_names(model, n_in, column_names)
        ax = canvas.axes(ax, (float(np.clip(0.16 * n_in + 1.6, 5, 12)), 3.5 + 0.9 * bool(names)))
        ax.imshow(
            W, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="none", aspect="auto"
        )
        ax.set(xlabel="column" if names else "input of the layer", ylabel="unit of the layer")
        ax.set_title(f"{name}: {n_out:,} × {n_in:,} weights", fontsize=9)
        for axis in (ax.xaxis, ax.yaxis):
            canvas.whole_numbers(axis)
        if names:
            width = 72 / ax.figure.dpi * ax.get_window_extent().width
            canvas.tick_labels(ax.xaxis, names, width / n_in)
    canvas.color_bar(ax, label, extend="both")
    return ax


def _pixels(images: ArrayLike, shape: Sequence[int] | None) -> Array:
    """Return images as (m, height, width)."""
    pixels = checks.array("images", images)
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise ValueError(
            f"images must be (m, n) or (m, height, width), at least one, got shape {pixels.shape}"
        )
    checks.finite("images", pixels, np.dtype(np.float64))
    if pixels.ndim == 3 and shape is None:
        return pixels
    n_pixels = int(np.prod(pixels.shape[1:]))
    sides = model_data.image_shape(n_pixels, shape)
    if sides is None:
        raise ValueError(f"{n_pixels} pixels are no square of at least 5 × 5; pass shape")
    return pixels.reshape(len(pixels), *sides)


def _limits(limits: Any) -> tuple[float, float]:
    """Return the values at the ends of the color map."""
    ends = checks.items("limits", limits, 2)
    low, high = [checks.number(f"limits[{i}]", one, "(-inf, inf)") for i, one in enumerate(ends)]
    if low > high:
        raise ValueError(f"limits must be the least value, then the greatest, got ({low}, {high})")
    return low, high


def _rows(X: Any, chosen: NDArray[np.intp]) -> Array:
    """Return some examples as a dense array."""
    if hasattr(X, "tocsr"):
        return np.asarray(X.tocsr()[chosen].toarray())
    return np.asarray(X)[chosen]


def _points(ax: Axes, columns: int, tall: float) -> float:
    """Return the width of an image with its gap in points, as there is room in the Axes."""
    box = ax.get_window_extent()
    return float(72 / ax.figure.dpi * min(box.width / columns, box.height / tall))


def _longest(texts: Sequence[str] | None) -> int:
    """Return the number of characters of the longest line."""
    return max((len(line) for text in texts or [] for line in text.split("\n")), default=0)


def _size(titles: Sequence[str] | None, points: float) -> float:
    """Return the font size with which the longest title fits over an image."""
    size = points / (canvas.GLYPH * max(_longest(titles), 1))
    return float(np.clip(size, SMALLEST, LARGEST))
