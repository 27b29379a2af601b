"""Losses: classes with what a network needs to know of each, and the table of their names.

The cost of a network is J = Σ_i s_i cost_i / Σ_i s_i + λ/2 Σ W², where the sample weights s_i are
1 unless they are passed.  kernels/losses.pxd computes cost_i and the output delta.  A new loss is
a class in a module of this package, an entry of `TABLE`, and its kernel there.  `Custom`, a loss
written in Python, has no kernel and is not in the table.
"""

from __future__ import annotations

from typing import TypeAlias

from ..support import checks
from .base import Loss
from .classification import BinaryCrossEntropy, CrossEntropy
from .custom import Custom, LossFunction
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

LossSpec: TypeAlias = "str | Loss | tuple[LossFunction, LossFunction]"


def from_spec(loss: LossSpec) -> Loss:
    """Return the loss that an argument stands for.

    Parameters
    ----------
    loss : str, Loss or (callable, callable)
        The name of a loss, a loss, or the functions value and gradient of `Custom`.

    Returns
    -------
    Loss
        The loss.
    """
    if isinstance(loss, (tuple, list)):
        if len(loss) != 2:
            raise ValueError(
                f"loss as a pair is (value, gradient), two functions; got {len(loss)} entries"
            )
        return Custom(*loss)
    pair = ", or a pair of functions (value, gradient)"
    return checks.named("loss", loss, TABLE, Loss, otherwise=pair)


TABLE: dict[str, type[Loss]] = {
    kind.name: kind
    for kind in (
        SquaredError, CrossEntropy, BinaryCrossEntropy, AbsoluteError, Huber, Quantile, Poisson,
        Gamma,
    )
}
