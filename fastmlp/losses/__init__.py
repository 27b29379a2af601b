"""Losses: a table from name to what the network needs to know of each.

J = Σ_i s_i cost_i / Σ_i s_i + λ/2 Σ W², with sample weights s_i = 1 unless given.  cost_i beside
its output delta is in kernels/losses.pxd.  A new loss is a class in one of the files here, a row of
`TABLE`, and its kernel there.  `Custom` has none: it is written in Python, and stands in no table.
"""

from __future__ import annotations

from typing import TypeAlias

from ..support import checks
from .base import Loss
from .classification import BinaryCrossEntropy, CrossEntropy
from .custom import Custom, Written
from .regression import AbsoluteError, Gamma, Huber, Poisson, Quantile, SquaredError

__all__ = [
    "TABLE",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Custom",
    "Gamma",
    "Huber",
    "Loss",
    "LossSpec",
    "Poisson",
    "Quantile",
    "SquaredError",
    "from_spec",
]

LossSpec: TypeAlias = "str | Loss | tuple[Written, Written]"


def from_spec(loss: LossSpec) -> Loss:
    """Return a loss as its user gave it.

    Parameters
    ----------
    loss : str, Loss or (callable, callable)
        A name, the loss itself, or value and gradient of `Custom`.

    Returns
    -------
    Loss
        Checked.
    """
    if isinstance(loss, (tuple, list)):
        if len(loss) != 2:
            raise ValueError(
                f"loss as a pair is (value, gradient), two functions; got {len(loss)} things"
            )
        return Custom(*loss)
    return checks.named("loss", loss, TABLE, Loss)


TABLE: dict[str, type[Loss]] = {
    kind.name: kind
    for kind in (
        SquaredError, CrossEntropy, BinaryCrossEntropy, AbsoluteError, Huber, Quantile, Poisson,
        Gamma,
    )
}
