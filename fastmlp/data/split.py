"""Setting examples aside for validation: the one rule for every part of fastmlp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..support import checks

__all__ = ["hold_out", "hold_out_first", "validation_stream"]

Rows = NDArray[np.int64]


def hold_out(n_rows: int, fraction: object, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Return the row numbers to train on and those set aside, each ascending.

    Set aside are ``round(fraction * n_rows)`` rows, at least one and not all, chosen by a
    permutation of ``rng``.
    """
    fraction = checks.number("validation_data", fraction, "(0, 1)", " or a pair (X, y)")
    if n_rows < 2:
        raise ValueError(f"validation_data={fraction} needs at least 2 examples, got {n_rows}")
    count = min(max(round(fraction * n_rows), 1), n_rows - 1)
    order = rng.permutation(np.arange(n_rows, dtype=np.int64))
    return np.sort(order[count:]), np.sort(order[:count])


def hold_out_first(n_rows: int, count: int) -> tuple[slice, slice]:
    """Return the training rows and the validation rows, of which there are `count`: the first.

    This is for data sets whose rows have a known order, such as MNIST: each part stays a view of
    the arrays, and everybody who sets aside as many rows has the same validation set.
    """
    if count >= n_rows:
        raise ValueError(
            f"a validation set of {count:,} examples leaves none of the {n_rows:,} to train on"
        )
    return slice(count, n_rows), slice(0, count)


def validation_stream(seed: int, n_layers: int) -> np.random.Generator:
    """Return the random numbers by which `MLP.fit` sets examples aside.

    They come from SeedSequence(seed, spawn_key=(n_layers,)), the key after those of the layers'
    first parameters.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n_layers,)))
