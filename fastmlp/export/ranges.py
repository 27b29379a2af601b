"""The ranges of values that become bytes: from the smallest to the largest, or narrower.

Bytes divide the range of a hidden layer's activations into 255 steps.  A few large values make
these steps wide for all others; a narrower range clips them instead.  It is chosen by a threshold t
for |a|, from a histogram of all |a| > 0 of the calibration rows (zero is exact in any range):

    "minmax"      t = max |a|: nothing is clipped
    "percentile"  t = the 99.99th percentile of |a|
    "kl"          the t for which the clipped and rounded distribution of |a| loses the least
                  information: the smallest Kullback–Leibler divergence of the two

The percentile is that of Wu et al. (2020), "Integer quantization for deep learning inference:
principles and empirical evaluation"; the divergence is that of Migacz (2017), "8-bit inference with
TensorRT", NVIDIA GPU Technology Conference, with the smoothing of MXNet and ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import steps
from ..activations import Activation
from .blocks import row_blocks

__all__ = ["METHODS", "Range", "Ranges", "range_of", "ranges_of"]

Array = NDArray[Any]
Range = tuple[float, float]  # smallest and largest value

PERCENTILE = 99.99
N_BINS = 2048
N_LEVELS = 256
SMALLEST_COUNT = 1e-4  # in place of 0, whose divergence would be infinite; as in ONNX Runtime


@dataclass(frozen=True)
class Ranges:
    """What the calibration rows lead to."""

    z: list[Range]  # of z(2) … z(nl)
    a: list[Range]  # of a(2) … a(nl−1)
    h: Array  # the output activations (m, n_out)


def range_of(values: Array) -> Range:
    """Return the smallest and the largest of values."""
    return float(values.min()), float(values.max())


def ranges_of(
    rows: Array,
    weights: list[Array],
    biases: list[Array],
    functions: Sequence[Activation],
    method: str,
) -> Ranges:
    """Return the ranges over all rows and units of each layer, those of hidden layers by a method.

    Parameters
    ----------
    rows : ndarray, (m, n_in)
        The calibration rows.
    weights, biases : list of ndarray
        Of the inference network.
    functions : sequence of Activation
        Of its layers.
    method : str
        A key of `METHODS`.

    Raises
    ------
    ValueError
        If an activation is infinite or NaN.
    """
    ends, outputs = [], []  # of each block of rows
    for z, a in _forward(rows, weights, biases, functions):
        ends.append([range_of(values) for values in (*z, *a[1:-1])])
        outputs.append(a[-1])
    if not np.isfinite(ends).all():
        raise ValueError("calibration leads to activations that are infinite or NaN")
    low, high = np.min(ends, axis=0)[:, 0], np.max(ends, axis=0)[:, 1]
    spans = [(float(least), float(most)) for least, most in zip(low, high, strict=True)]
    of_z, hidden = spans[: len(weights)], spans[len(weights) :]
    threshold = METHODS[method]
    if threshold is not None and hidden:
        largest = [max(-least, most) for least, most in hidden]
        counts = np.zeros((len(hidden), N_BINS))
        for _, a in _forward(rows, weights, biases, functions):
            for l, values in enumerate(a[1:-1]):
                counts[l] += _histogram(values, largest[l])
        hidden = [
            _clipped(span, most, threshold(count, span))
            for span, most, count in zip(hidden, largest, counts, strict=True)
        ]
    return Ranges(of_z, hidden, np.concatenate(outputs))


def _forward(
    rows: Array, weights: list[Array], biases: list[Array], functions: Sequence[Activation]
) -> Iterator[tuple[list[Array], list[Array]]]:
    """Yield z and a of blocks of rows."""
    for block in row_blocks(rows):
        yield steps.forward(block.astype(np.float64), weights, biases, functions)


def _histogram(values: Array, largest: float) -> Array:
    """Return the counts of |a| > 0 in N_BINS bins from 0 to the largest |a|."""
    sizes = np.abs(values[values != 0])
    counts: Array = np.histogram(sizes, N_BINS, (0.0, largest))[0]
    return counts


def _clipped(span: Range, largest: float, n_bins: int) -> Range:
    """Return a range clipped to the first bins of its histogram."""
    threshold = largest * n_bins / N_BINS
    return max(span[0], -threshold), min(span[1], threshold)


def _percentile_bins(counts: Array, span: Range) -> int:
    """Return how many bins hold PERCENTILE of the values."""
    total = np.cumsum(counts)
    return int(np.searchsorted(total, PERCENTILE / 100 * total[-1])) + 1


def _divergence_bins(counts: Array, span: Range) -> int:
    """Return the number of bins for which clipping and rounding lose the least information."""
    width = max(span[1], 0.0) - min(span[0], 0.0)
    if width == 0:
        return N_BINS
    # both signs share the 256 levels
    n_levels = round(N_LEVELS * max(-span[0], span[1]) / width)
    # fewer bins of values than levels lose nothing by rounding: all would become one value, if
    # none is near 0, as of a sigmoid
    first = int(np.flatnonzero(counts)[0])
    candidates = range(min(first + n_levels, N_BINS), N_BINS + 1)
    divergences = [_divergence(counts, n, n_levels) for n in candidates]
    # the widest of several equally good ranges
    return candidates[len(divergences) - 1 - int(np.argmin(divergences[::-1]))]


def _divergence(counts: Array, n_bins: int, n_levels: int) -> float:
    """Return Σ P log(P/Q) of the values P, clipped to some bins, and Q, rounded to levels in these.

    A level's values are spread evenly over those of its bins that have any.
    """
    kept = counts[:n_bins]
    P = kept.copy()
    P[-1] += counts[n_bins:].sum()
    level = np.arange(n_bins) * n_levels // n_bins
    filled = kept > 0
    n_filled = np.bincount(level, filled, n_levels)
    total = np.bincount(level, kept, n_levels)
    # the last bin may have clipped values alone
    Q = np.where(filled, (total / np.maximum(n_filled, 1))[level], SMALLEST_COUNT)
    some = P > 0
    Q[~some] = 0
    return float(np.sum(P[some] * np.log(P[some] / Q[some])) / P.sum() + np.log(Q.sum() / P.sum()))


# the number of bins that a range keeps, from the counts of all bins and the range; None: all
METHODS: dict[str, Callable[[Array, Range], int] | None] = {
    "minmax": None,
    "percentile": _percentile_bins,
    "kl": _divergence_bins,
}
