"""Encodings of one column x (m,), each with its derivatives.

A forward function returns e(x), (m, n).  A gradient function returns the derivatives of J by each
array of parameters, from ∂J/∂e.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .functions import Array


class Encoding(NamedTuple):
    """An encoding: e(x) of x and constants or parameters, and the derivatives by parameters."""

    forward: Callable[..., Array]
    gradient: Callable[..., tuple[Array, ...]] = lambda delta, x, *_: ()


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
    return embedding(x, np.eye(int(n_levels), dtype=x.dtype))


def embedding(x: Array, table: Array) -> Array:
    """e = table[x], or zeros for the code −1."""
    return np.asarray(np.vstack([table, np.zeros_like(table[:1])])[x.astype(int)])


def embedding_gradient(delta: Array, x: Array, table: Array) -> tuple[Array, ...]:
    """Row k is Σ δ over the examples of code k."""
    gradient = np.zeros_like(np.vstack([table, table[:1]]))
    np.add.at(gradient, x.astype(int), delta)
    return (gradient[:-1],)


def periodic(x: Array, w: Array, b: Array, V: Array, c: Array) -> Array:
    """e = [x, V cos(2π w x + b) + c]."""
    waves = np.cos(2 * np.pi * x.reshape(-1, 1) * w + b)
    return np.hstack([x.reshape(-1, 1), waves @ V.T + c])


def periodic_gradient(
    delta: Array, x: Array, w: Array, b: Array, V: Array, c: Array
) -> tuple[Array, ...]:
    """By the angle t = 2π w x + b of each example, −(δ V) sin t; then by w, b, V and c."""
    t, delta = 2 * np.pi * x.reshape(-1, 1) * w + b, delta[:, 1:]
    by_angle = -(delta @ V) * np.sin(t)
    by_w = (2 * np.pi * x.reshape(-1, 1) * by_angle).sum(axis=0)
    return by_w, by_angle.sum(axis=0), delta.T @ np.cos(t), delta.sum(axis=0)


ENCODINGS: dict[str, Encoding] = {
    "numeric": Encoding(numeric),
    "piecewise_linear": Encoding(piecewise_linear),
    "one_hot": Encoding(one_hot),
    "embedding": Encoding(embedding, embedding_gradient),
    "periodic": Encoding(periodic, periodic_gradient),
}
