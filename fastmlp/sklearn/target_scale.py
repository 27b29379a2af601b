"""A warning where targets of a regression are so far from 1 that the network did not reach them.

A network starts with outputs of about 1 and moves them by about the learning rate in a step, so
that targets such as prices in dollars stay out of reach.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from sklearn.metrics import r2_score

from ..losses import Custom
from ..support.user_warnings import warn_user
from .samples import Samples

__all__ = ["warn_of_target_scale"]

USUAL = (1e-2, 1e2)  # root mean squares of targets that need no look
POOR = 0.1  # R² on the training set of a network that has hardly learned anything


def warn_of_target_scale(estimator: Any, samples: Samples) -> None:
    """Warn if targets have an unusual scale and the network does not predict the training set.

    Parameters
    ----------
    estimator : MLPRegressor
        A regressor, just fitted.
    samples : Samples
        Its training set.
    """
    if isinstance(estimator.network_.loss, Custom):  # whose targets may mean anything
        return
    with np.errstate(over="ignore", invalid="ignore"):  # squares of very large numbers
        _warn_of_scale(estimator, samples)


def _warn_of_scale(estimator: Any, samples: Samples) -> None:
    """Warn as above, where the targets are numbers of any size."""
    y = samples.target.astype(np.float64)
    scale = np.sqrt(np.average(y * y, axis=0, weights=samples.weight))
    unusual = ((scale < USUAL[0]) | (scale > USUAL[1])) & (np.ptp(y, axis=0) > 0)
    if not unusual.any():
        return
    r2 = np.full(y.shape[1], -np.inf)
    with suppress(FloatingPointError):  # an output is not finite
        h = estimator._values(estimator.network_.forward(samples.X)).reshape(y.shape)
        r2 = r2_score(y, h, sample_weight=samples.weight, multioutput="raw_values")
    worst = int(np.argmin(np.where(unusual, r2, np.inf)))
    if r2[worst] >= POOR:
        return
    positive = estimator.network_.loss.name in ("poisson", "gamma")
    remedy = (
        "Divide them by their mean"
        if positive
        else "Standardize them, for example by "
        "TransformedTargetRegressor(MLPRegressor(), transformer=StandardScaler())"
    )
    warn_user(
        f"The network predicts its own training set with R² = {r2[worst]:.2g}, and its targets "
        f"have a root mean square of {scale[worst]:.3g}, far from 1. {remedy}",
        UserWarning,
    )
