"""The steps of batch normalization (Ioffe and Szegedy 2015): part of `fastmlp.steps`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .step_arguments import Array, kernels_for, real, relative_weights, weights_of
from .support import checks

__all__ = ["batch_norm", "batch_norm_delta"]


def batch_norm(
    u: ArrayLike,
    scale: ArrayLike,
    shift: ArrayLike,
    epsilon: float = 1e-5,
    sample_weight: ArrayLike | None = None,
) -> tuple[Array, Array, Array]:
    """Within step 1: normalize u = W(l) a(l) over the batch.

    Parameters
    ----------
    u : array (m, n)
        W(l) a(l) of m ≥ 2 examples, without the bias.
    scale, shift : arrays (n,)
        Scale γ and shift β.  In a network the bias b(l) is the shift.
    epsilon : float, default 1e-5
        Small number ε > 0 that is added to the variance.
    sample_weight : array (m,), optional
        Weights s of the examples in μ and σ²: an example of weight 2 counts as two examples.

    Returns
    -------
    z : array (m, n)
        z(l+1) = γ ∘ û + β.
    normalized : array (m, n)
        û = (u − μ)/√(σ² + ε), with the batch's mean μ = Σ s u / Σ s and its (biased) variance
        σ² = Σ s (u − μ)² / Σ s.
    inverse : array (n,)
        1/√(σ² + ε).

    See Also
    --------
    batch_norm_delta : The derivatives.
    """
    kernels = kernels_for(u, scale, shift)
    u = real(kernels, "u", u, None, None)
    if len(u) < 2:
        raise ValueError(f"batch norm needs at least 2 examples, but u has {len(u)}")
    scale = real(kernels, "scale", scale, u.shape[1])
    shift = real(kernels, "shift", shift, u.shape[1])
    epsilon = checks.number("epsilon", epsilon, "(0, inf)", dtype=kernels.DTYPE)
    s, total = weights_of(kernels, sample_weight, len(u))
    outputs: tuple[Array, Array, Array] = kernels.batch_norm(
        u, scale, shift, epsilon, relative_weights(s, total)
    )
    return outputs


def batch_norm_delta(
    delta: ArrayLike,
    normalized: ArrayLike,
    scale: ArrayLike,
    inverse: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> tuple[Array, Array, Array]:
    """After step 3: compute δ by u, before the normalization, from δ by z, after it.

    Both are derivatives of the sum of the examples' costs, of which J is the mean.

    Parameters
    ----------
    delta : array (m, n)
        δ(l), as `hidden_deltas` returned it.
    normalized : array (m, n)
        û, as `batch_norm` returned it.
    scale : array (n,)
        Scale γ.
    inverse : array (n,)
        1/√(σ² + ε), as `batch_norm` returned it.
    sample_weight : array (m,), optional
        Weights s of the examples, as passed to `batch_norm`.

    Returns
    -------
    delta_u : array (m, n)
        γ/√(σ² + ε) ∘ (δ − 1/m Σ δ − û ∘ 1/m Σ δ ∘ û), which replaces δ in the steps that follow.
        With sample weights the means are Σ s δ / Σ s and Σ s δ ∘ û / Σ s, and an example of weight
        0 gets 0.
    scale_gradient, shift_gradient : arrays (n,)
        Σ s δ ∘ û and Σ s δ over the examples.  Divided by Σ s, which is m without sample weights,
        they are ∂J/∂γ and ∂J/∂β.

    See Also
    --------
    batch_norm : The normalization.
    """
    kernels = kernels_for(delta, normalized, scale, inverse)
    delta = real(kernels, "delta", delta, None, None)
    normalized = real(kernels, "normalized", normalized, *delta.shape)
    scale = real(kernels, "scale", scale, delta.shape[1])
    inverse = real(kernels, "inverse", inverse, delta.shape[1])
    s, total = weights_of(kernels, sample_weight, len(delta))
    delta_u, scale_gradient, shift_gradient = kernels.batch_norm_delta(
        s[:, None] * delta, normalized, scale, inverse, relative_weights(s, total)
    )
    delta_u = np.divide(delta_u, s[:, None], out=np.zeros_like(delta_u), where=s[:, None] != 0)
    return delta_u, scale_gradient, shift_gradient
