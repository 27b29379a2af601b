"""The steps of encoded columns (Gorishniy et al. 2022): part of `fastmlp.steps`.

a(1) = s ∘ e(x), where the factors s and some of the encodings e have parameters that are learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import pi

import numpy as np
from numpy.typing import ArrayLike

from .encodings import Embedding, Encoding, Periodic, PiecewiseLinear
from .model import columns
from .step_arguments import Array, kernels_for, real, weights_of
from .support import checks

__all__ = ["encode", "encoding_gradients"]

Parameters = Sequence[Mapping[str, ArrayLike]]  # of each column, by name


def encode(
    X: ArrayLike,
    encodings: Encoding | Sequence[Encoding],
    parameters: Parameters | None = None,
    input_scale: ArrayLike | None = None,
) -> Array:
    """Before step 1: compute a(1) = s ∘ e(X), the encoded columns side by side.

    Parameters
    ----------
    X : array (m, n_columns)
        Examples, one in each row; categories as codes.
    encodings : sequence of Encoding, or Encoding
        The encoding of each column, or one for all.
    parameters : sequence of dict, optional
        The parameters of each column's encoding, such as `MLP.encoding_parameters`; needed if
        anything is learned.
    input_scale : array (n_in,), optional
        The factors s.  Default: all 1.

    Returns
    -------
    array (m, n_in)
        a(1), with as many columns as the encodings have outputs.

    See Also
    --------
    encoding_gradients : The derivatives.

    Examples
    --------
    >>> from fastmlp.encodings import Numeric, OneHot, PiecewiseLinear
    >>> rows = np.array([[0.5, 2.0, 7.0], [1.5, -1.0, 20.0]])
    >>> fastmlp.steps.encode(rows, [Numeric(), OneHot(3), PiecewiseLinear([0, 5, 10])])
    array([[0.5, 0. , 0. , 1. , 1. , 0.4],
           [1.5, 0. , 0. , 0. , 1. , 3. ]])
    """
    X, each, values = checked(X, encodings, parameters)
    e = np.hstack([encode_column(*one) for one in zip(X.T, each, values, strict=True)])
    if input_scale is None:
        return e
    return real(kernels_for(X), "input_scale", input_scale, e.shape[1]) * e     # s ∘ e(x)


def encoding_gradients(
    delta_next: ArrayLike,
    W: ArrayLike,
    X: ArrayLike,
    encodings: Encoding | Sequence[Encoding],
    parameters: Parameters | None = None,
    input_scale: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> tuple[list[dict[str, Array]], Array]:
    """After step 5: compute the gradient of J by the encodings' parameters and the factors s.

    Parameters
    ----------
    delta_next : array (m, n_out)
        δ(2).
    W : array (n_out, n_in)
        W(1).
    X : array (m, n_columns)
        Examples, as for `encode`.
    encodings : sequence of Encoding, or Encoding
        The encoding of each column, or one for all.
    parameters : sequence of dict, optional
        The parameters of each column's encoding, as for `encode`.
    input_scale : array (n_in,), optional
        The factors s.  Default: all 1.
    sample_weight : array (m,), optional
        Weights of the examples, as for `batch_gradients`.

    Returns
    -------
    gradients : list of dict
        The derivatives by the parameters of each column, by name.
    scale_gradient : array (n_in,)
        ∂J/∂s.

    See Also
    --------
    encode : The encoding.
    """
    X, each, values = checked(X, encodings, parameters)
    kernels = kernels_for(delta_next, W, X)
    delta_next = real(kernels, "delta_next", delta_next, len(X), None)
    W = real(kernels, "W", W, delta_next.shape[1], columns.first_outputs(each)[-1])
    weights, m = weights_of(kernels, sample_weight, len(X))
    delta = (weights[:, None] * delta_next) @ W / m         # δ(1) = W(1)ᵀ δ(2)       (m, n_in)
    e = encode(X, each, parameters)
    scale_gradient = (delta * e).sum(axis=0)                # Σ δ(1) ∘ e(x)              (n_in,)
    if input_scale is not None:
        delta = delta * real(kernels, "input_scale", input_scale, len(W.T))
    parts = np.split(delta, columns.first_outputs(each)[1:-1], axis=1)
    gradients = [
        column_gradients(*one) for one in zip(parts, X.T, each, values, strict=True)
    ]
    return gradients, scale_gradient


def encode_column(x: Array, encoding: Encoding, p: Mapping[str, Array]) -> Array:
    """Return e(x) of one column, (m, n_outputs)."""
    if isinstance(encoding, PiecewiseLinear):
        b = np.array(encoding.edges, x.dtype)
        e: Array = (x[:, None] - b[:-1]) / np.diff(b)   # (x − b_{t−1})/(b_t − b_{t−1})
        e[:, 1:] = np.maximum(e[:, 1:], 0)              # 0 below the bin, but in the first
        e[:, :-1] = np.minimum(e[:, :-1], 1)            # 1 above the bin, but in the last
        return e
    if isinstance(encoding, Periodic):
        waves = np.cos(angles(x, p)) @ p["weight"].T + p["bias"]    # V cos(2π w x + b) + c
        return np.column_stack([x, waves])
    if not encoding.categorical:
        return x[:, None]
    codes = one_hot(x, encoding)
    return codes @ p["table"] if isinstance(encoding, Embedding) else codes


def column_gradients(
    delta: Array, x: Array, encoding: Encoding, p: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the derivatives of J by the parameters of one column, from J's by e(x)."""
    if isinstance(encoding, Embedding):
        return {"table": one_hot(x, encoding).T @ delta}    # a row is Σ δ over its code's examples
    if isinstance(encoding, Periodic):
        by_wave = -(delta[:, 1:] @ p["weight"]) * np.sin(angles(x, p))  # −(Vᵀ δ) ∘ sin(2π w x + b)
        return {
            "frequencies": 2 * pi * x @ by_wave,
            "phases": by_wave.sum(axis=0),
            "weight": delta[:, 1:].T @ np.cos(angles(x, p)),
            "bias": delta[:, 1:].sum(axis=0),
        }
    return {}


def angles(x: Array, p: Mapping[str, Array]) -> Array:
    """Return 2π w x + b, (m, n_frequencies)."""
    return np.asarray(2 * pi * np.outer(x, p["frequencies"]) + p["phases"], x.dtype)


def one_hot(x: Array, encoding: Encoding) -> Array:
    """Return the one-hot codes, (m, n_levels)."""
    return np.asarray(x[:, None] == np.arange(encoding.size), x.dtype)


def checked(
    X: ArrayLike, encodings: Encoding | Sequence[Encoding], parameters: Parameters | None
) -> tuple[Array, Sequence[Encoding], list[dict[str, Array]]]:
    """Return examples, the encoding of each column, and the parameters of each column."""
    kernels = kernels_for(X)
    X = real(kernels, "X", X, None, None)
    if encodings is None:
        raise TypeError("encodings must be one for each column or one for all, got None")
    each = columns.of_columns(encodings, X.shape[1], kernels.DTYPE)
    checks.codes("X", X, columns.n_levels_of(each))
    given = [{}] * len(each) if parameters is None else parameters
    found = columns.checked_parameters(each, given, kernels.DTYPE)
    return X, each, columns.by_column(each, found)
