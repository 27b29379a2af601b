"""The steps of encoded columns (Gorishniy et al. 2022): part of `fastmlp.steps`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from . import encodings as table
from .encodings import Encoding, PiecewiseLinear
from .step_arguments import Array, kernels_for, real
from .support import checks

__all__ = ["encode"]


def encode(X: ArrayLike, encodings: Encoding | Sequence[Encoding]) -> Array:
    """Before step 1: compute a(1) = e(X), the encoded columns side by side.

    Parameters
    ----------
    X : array (m, n_columns)
        Examples, one in each row; categories as codes.
    encodings : sequence of Encoding, or Encoding
        The encoding of each column, or one for all.

    Returns
    -------
    array (m, n_in)
        a(1), with as many columns as the encodings have outputs.

    Examples
    --------
    >>> from fastmlp.encodings import Numeric, OneHot, PiecewiseLinear
    >>> rows = np.array([[0.5, 2.0, 7.0], [1.5, -1.0, 20.0]])
    >>> fastmlp.steps.encode(rows, [Numeric(), OneHot(3), PiecewiseLinear([0, 5, 10])])
    array([[0.5, 0. , 0. , 1. , 1. , 0.4],
           [1.5, 0. , 0. , 0. , 1. , 3. ]])
    """
    kernels = kernels_for(X)
    X = real(kernels, "X", X, None, None)
    each = table.of_columns(encodings, X.shape[1], kernels.DTYPE)
    checks.codes("X", X, table.n_levels_of(each))
    return np.hstack([encode_column(x, one) for x, one in zip(X.T, each, strict=True)])


def encode_column(x: Array, encoding: Encoding) -> Array:
    """Return e(x) of one column, (m, n_outputs)."""
    if isinstance(encoding, PiecewiseLinear):
        b = np.array(encoding.edges, x.dtype)
        e: Array = (x[:, None] - b[:-1]) / np.diff(b)   # (x − b_{t−1})/(b_t − b_{t−1})
        e[:, 1:] = np.maximum(e[:, 1:], 0)          # 0 below the bin, but in the first
        e[:, :-1] = np.minimum(e[:, :-1], 1)        # 1 above the bin, but in the last
        return e
    if encoding.categorical:
        levels = np.arange(encoding.size)
        return np.asarray(x[:, None] == levels, x.dtype)    # [k is the code]         (m, n_levels)
    return x[:, None]
