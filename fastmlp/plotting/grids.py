"""Sheets of small pictures: images, what was read wrong, the weights of units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..support import checks
from . import canvas, reading
from .reading import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["errors", "images", "weights"]

Array = NDArray[Any]

TILE = 0.62  # inches, of a new figure
GAP = 0.08  # between pictures, of their width
LARGEST, SMALLEST = 9.0, 3.0  # points, of captions
DIVERGING = "RdBu_r"  # told apart with any kind of colour blindness


def images(
    images: ArrayLike,
    *,
    shape: Sequence[int] | None = None,
    titles: Sequence[object] | None = None,
    columns: int = 8,
    cmap: str = "gray_r",
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a sheet of pictures, row by row.

    The picture in row i and column j lies at x from j to j + 1 and at y from i to i + 1, with its
    title above it, so that more can be drawn there.

    Parameters
    ----------
    images : array-like, (m, n) or (m, height, width)
        Their pixels, one value each.
    shape : (int, int), optional
        Height and width where `images` is (m, n).  Default: the square that n is.
    titles : sequence, optional
        One for each picture, drawn above it as it stands.
    columns : int, default 8
        Pictures side by side.
    cmap : str, default "gray_r"
        A colour map of matplotlib's; this one draws in black on white.
    limits : (float, float), optional
        Values at the ends of the colour map.  Default: the least and the greatest pixel.
    ax : matplotlib.axes.Axes, optional
        Where to draw.  Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its only image is the sheet, masked between the pictures.

    Examples
    --------
    >>> augment = fastmlp.augment.Distortion(rotation=15, elastic=30)
    >>> ax = fastmlp.plotting.images(augment(X[:24]))
    """
    pictures = _pictures(images, shape)
    columns = min(checks.whole("columns", columns), len(pictures))
    captions = None if titles is None else [str(one) for one in titles]
    if captions is not None and len(captions) != len(pictures):
        raise ValueError(f"titles has {len(captions)} entries for {len(pictures)} images")
    low, high = (pictures.min(), pictures.max()) if limits is None else limits

    m, height, width = pictures.shape
    rows = -(-m // columns)
    room = 1.3 if captions else 1.0
    ax = canvas.axes(ax, (TILE * columns + 0.2, TILE * room * rows * height / width + 0.4))
    points = _points(ax, columns, rows * room * height / width)
    size = _size(captions, points)
    gap = max(1, round(GAP * width))
    band = gap + (round(1.35 * size / points * width) if captions else 0)
    sheet = np.ma.masked_array(np.zeros((rows, band + height, columns, gap + width)), mask=True)
    for place, picture in enumerate(pictures):
        i, j = divmod(place, columns)
        sheet[i, band:, j, gap:] = picture
    ax.imshow(
        sheet.reshape(rows * (band + height), columns * (gap + width)),
        cmap=cmap,
        vmin=low,
        vmax=high,
        interpolation="none",  # in vector formats too every pixel stays one
        extent=(0, columns, rows, 0),
        aspect=(band + height) / (gap + width),
    )
    ax.set_axis_off()
    top, middle = 0.9 * band / (band + height), (gap + width / 2) / (gap + width)
    canvas.literal([
        ax.text(j + middle, i + top, text, fontsize=size, ha="center", va="bottom", clip_on=False)
        for (i, j), text in zip(
            (divmod(place, columns) for place in range(m)), captions or [], strict=False
        )
    ])
    return ax


def errors(
    model: Model,
    X: Any,
    y: ArrayLike,
    *,
    shape: Sequence[int] | None = None,
    class_names: Sequence[object] | None = None,
    most: int = 40,
    columns: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Draw the pictures that a classifier reads wrong, the surest mistake first.

    Above each stands "4→9 97%": it is a 4, the model took it for a 9, with this probability.

    Parameters
    ----------
    model : MLP, Ensemble or fitted classifier with `predict` and `classes_`
        Without `predict_proba` the pictures come in the order of the examples.
    X : array-like or SciPy sparse matrix, (m, n_in)
        Pictures, one a row.
    y : array-like, (m,)
        Their true classes.
    shape : (int, int), optional
        Height and width of a picture.  Default: the square that n_in is.
    class_names : sequence, optional
        One for each class.  Default: the model's own, or numbers.
    most : int, default 40
        Pictures to draw.
    columns : int, default 8
        Pictures side by side.
    ax : matplotlib.axes.Axes, optional
        Where to draw.  Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        As of `images`; empty if nothing is read wrong.
    """
    most = checks.whole("most", most)
    found = reading.answers(model, X, y, class_names)
    wrong, sure = found.wrong, found.confidence
    if sure is not None:
        wrong = wrong[np.argsort(-sure[wrong], kind="stable")]
    title = f"{len(wrong):,} of {len(found.y):,} read wrong"
    if not len(wrong):
        ax = canvas.axes(ax, (4, 1))
        ax.set_axis_off()
    else:
        chosen = wrong[:most]
        captions = [
            f"{found.names[found.y[k]]}→{found.names[found.predicted[k]]}"
            + ("" if sure is None else f" {100 * sure[k]:.0f}%")
            for k in chosen
        ]
        if len(chosen) < len(wrong):
            title += f", the {'first' if sure is None else 'surest'} {len(chosen)}"
        title += ": true→read" + ("" if sure is None else ", probability")
        ax = images(_rows(X, chosen), shape=shape, titles=captions, columns=columns, ax=ax)
    ax.set_title(title, fontsize=9)
    return ax


def weights(
    model: Model,
    *,
    layer: int = 0,
    shape: Sequence[int] | None = None,
    most: int = 40,
    columns: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Draw the weights of a layer as they predict: averages if those do, batch norm folded in.

    Where inputs are pictures, so are the weights of each unit of the first layer, the units with
    the largest weights first; any other layer is drawn as its matrix.

    Parameters
    ----------
    model : MLP, Ensemble or fitted estimator with `coefs_`
        Of an ensemble the first layer, that is of all its networks.
    layer : int, default 0
        Index into `weights`.
    shape : (int, int), optional
        Height and width of the pictures.  Default: for the first layer the square that the number
        of its inputs is, from 5 × 5 on; else none.
    most : int, default 40
        Units to draw as pictures.
    columns : int, default 8
        Pictures side by side.
    ax : matplotlib.axes.Axes, optional
        Where to draw.  Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its only image is the sheet, or the matrix (n_out, n_in).
    """
    most = checks.whole("most", most)
    W, name = reading.layer(model, layer)
    n_out, n_in = W.shape
    sides = None if layer and shape is None else reading.side_lengths(n_in, shape)
    limit = float(np.percentile(np.abs(W), 99.5)) or 1.0  # a few large ones would pale the rest
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
        ax = canvas.axes(ax, (5, 3.5))
        ax.imshow(
            W, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="none", aspect="auto"
        )
        ax.set(xlabel="input of the layer", ylabel="unit of the layer")
        ax.set_title(f"{name}: {n_out:,} × {n_in:,} weights", fontsize=9)
        for axis in (ax.xaxis, ax.yaxis):
            canvas.whole_numbers(axis)
    canvas.scale(ax, "weight", extend="both")
    return ax


def _pictures(given: ArrayLike, shape: Sequence[int] | None) -> Array:
    """Pictures as (m, height, width)."""
    found = checks.array("images", given)
    if found.ndim not in (2, 3) or not found.size:
        raise ValueError(
            f"images must be (m, n) or (m, height, width), at least one, got shape {found.shape}"
        )
    checks.finite("images", found, np.dtype(np.float64))
    if found.ndim == 3 and shape is None:
        return found
    n_pixels = int(np.prod(found.shape[1:]))
    sides = reading.side_lengths(n_pixels, shape)
    if sides is None:
        raise ValueError(f"{n_pixels} pixels are no square of at least 5 × 5: give shape")
    return found.reshape(len(found), *sides)


def _rows(X: Any, chosen: NDArray[np.intp]) -> Array:
    """Some examples, dense."""
    if hasattr(X, "tocsr"):
        return np.asarray(X.tocsr()[chosen].toarray())
    return np.asarray(X)[chosen]


def _points(ax: Axes, columns: int, height: float) -> float:
    """The width of a picture and its gap in points, the sheet being `height` columns high."""
    box = ax.get_window_extent()
    return float(72 / ax.figure.dpi * min(box.width / columns, box.height / height))


def _size(captions: list[str] | None, points: float) -> float:
    """The size of letters, 0.6 of it wide, with which the longest caption fits over a picture."""
    longest = max(map(len, captions or []), default=0)
    return float(np.clip(points / (0.6 * max(longest, 1)), SMALLEST, LARGEST))
