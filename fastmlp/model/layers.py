"""Parameters as a user passes them, checked."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from ..support import checks
from .spec import NetworkSpec
from .state import Layer

__all__ = ["checked_layers"]


def checked_layers(
    spec: NetworkSpec,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    scales: Sequence[ArrayLike | None] | None = None,
    encoding: Sequence[ArrayLike] = (),
) -> list[Layer]:
    """Return each layer's weight, bias and perhaps scale as a user passed them, checked.

    `encoding` has the parameters of the encodings, in the order of `NetworkSpec.encoding_shapes`.
    """
    pairs = checks.parameters(weights, biases, spec.layer_sizes, spec.dtype)
    checked_scales = checks.scales(scales, spec.sizes, spec.batch_norm, spec.dtype)
    layers: list[Layer] = [
        pair if scale is None else (*pair, scale)
        for pair, scale in zip(pairs, checked_scales, strict=True)
    ]
    if encoding:
        shapes_ = list(spec.encoding_shapes.values())
        layers.append(tuple(checks.arrays("encodings", list(encoding), shapes_, spec.dtype)))
    return layers
