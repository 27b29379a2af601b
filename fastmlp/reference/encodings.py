"""Encodings of one column x (m,): functions that return e(x), (m, n)."""

from collections.abc import Callable

import numpy as np

from .functions import Array


def numeric(x: Array) -> Array:
    """e = x."""
    return x.reshape(-1, 1)


def piecewise_linear(x: Array, *edges: float) -> Array:
    """e_t = (x − b_t)/(b_{t+1} − b_t), not below 0 nor above 1 except in the outermost bins."""
    b = np.array(edges, x.dtype)
    low, high = np.zeros(len(b) - 1, x.dtype), np.ones(len(b) - 1, x.dtype)
    low[0], high[-1] = -np.inf, np.inf
    return np.clip((x.reshape(-1, 1) - b[:-1]) / (b[1:] - b[:-1]), low, high)


def one_hot(x: Array, n_levels: float) -> Array:
    """e_k = [k = x]; no row of the identity for the code −1."""
    rows = np.vstack([np.eye(int(n_levels), dtype=x.dtype), np.zeros(int(n_levels), x.dtype)])
    return np.asarray(rows[x.astype(int)])


ENCODINGS: dict[str, Callable[..., Array]] = {
    f.__name__: f for f in (numeric, piecewise_linear, one_hot)
}
