"""The data of a search: training and validation examples, and the sizes that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.split import hold_out
from ..losses import CrossEntropy, Loss
from ..support import checks

__all__ = ["Pair", "sizes", "split"]

Pair = tuple[Any, NDArray[Any]]  # X, an array or a SciPy sparse matrix, and y


def split(
    X: checks.Examples,
    y: ArrayLike,
    validation_data: tuple[checks.Examples, ArrayLike] | float,
    seed: int,
) -> tuple[Pair, Pair]:
    """Return training and validation examples, the same ones for all trials.

    A fraction is set aside by `hold_out` with the random numbers of default_rng(seed).
    """
    pair = _pair(X, y)
    if isinstance(validation_data, (tuple, list)):
        if len(validation_data) != 2:
            raise ValueError(
                f"validation_data must be a pair (X, y) or a fraction, got "
                f"{len(validation_data)} entries"
            )
        with checks.within("validation_data"):
            return pair, _pair(*validation_data)
    rows = hold_out(pair[0].shape[0], validation_data, np.random.default_rng(seed))
    return _take(pair, rows[0]), _take(pair, rows[1])


def sizes(training: Pair, validation: Pair, loss: Loss) -> tuple[int, int]:
    """Return the numbers of inputs and outputs, after a check of the examples against them."""
    n_in = training[0].shape[1]
    targets = [training[1], validation[1]]
    if loss == CrossEntropy() and targets[0].ndim == 1:
        n_out = max(loss.min_outputs, *(int(y.max(initial=0)) + 1 for y in targets))
    else:
        n_out = loss.outputs_for(targets[0].shape[1] if targets[0].ndim > 1 else 1)
    for name, (X, y) in (("X and y", training), ("validation_data", validation)):
        with checks.within(name):
            dtype = np.dtype(np.float64)
            loss.targets(y, checks.n_rows(checks.rows(X, n_in, dtype)), n_out, dtype)
    return n_in, n_out


def _pair(X: checks.Examples, y: ArrayLike) -> Pair:
    rows = X.tocsr() if hasattr(X, "tocsr") else checks.array("X", X)
    if rows.ndim != 2:
        raise ValueError(f"X has shape {rows.shape}; expected (m, n_in), one example a row")
    targets = checks.array("y", y)
    checks.length("y", targets, rows.shape[0])
    checks.finite("y", targets, np.dtype(np.float64))
    return rows, targets


def _take(pair: Pair, index: NDArray[np.int64]) -> Pair:
    return pair[0][index], pair[1][index]
