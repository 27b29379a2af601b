"""Activation functions a = f(z): a table from name to dataclass.

The formulas stand in each class; f beside f' is in kernels/activations.pxd, which knows a function
by its name and at most one parameter.  A new one is a class and a row of `TABLE` here, its kernel
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar

import numpy as np

from .support import checks

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "TABLE",
    "Activation",
    "Exponential",
    "Identity",
    "LeakyReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "hidden",
]


@dataclass(frozen=True)
class Activation:
    """An activation function, applied to each z alone (softmax: to each row)."""

    name: ClassVar[str]

    @property
    def parameter(self) -> float:
        """The function's one parameter as the kernels take it; 0 for those without."""
        return 0.0


class Identity(Activation):
    """f(z) = z."""

    name = "identity"


class Sigmoid(Activation):
    """f(z) = 1 / (1 + e⁻ᶻ)."""

    name = "sigmoid"


class ReLU(Activation):
    """f(z) = max(z, 0)."""

    name = "relu"


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """f(z) = z for z > 0, else slope·z.

    Parameters
    ----------
    slope : float, default 0.01
        Derivative for z ≤ 0.
    """

    name = "leaky_relu"
    slope: float = 0.01

    def __post_init__(self) -> None:
        checks.number("slope", self.slope)

    @property
    def parameter(self) -> float:
        """The slope."""
        return float(self.slope)


class Tanh(Activation):
    """f(z) = tanh z."""

    name = "tanh"


class Softplus(Activation):
    """f(z) = log(1 + eᶻ)."""

    name = "softplus"


@dataclass(frozen=True)
class ELU(Activation):
    """f(z) = z for z > 0, else α(eᶻ − 1); Clevert et al. 2016.

    Parameters
    ----------
    alpha : float, default 1.0
        α, minus the limit for z → −∞.
    """

    name = "elu"
    alpha: float = 1.0

    def __post_init__(self) -> None:
        checks.number("alpha", self.alpha)

    @property
    def parameter(self) -> float:
        """α."""
        return float(self.alpha)


class SELU(Activation):
    """f(z) = 1.0507 · ELU(z; α = 1.6733), which keeps mean 0 and variance 1.

    Klambauer et al. 2017, with LeCun's normal initialization ("lecun_normal").
    """

    name = "selu"


class SiLU(Activation):
    """f(z) = z / (1 + e⁻ᶻ), also called swish."""

    name = "silu"


class GELU(Activation):
    """f(z) = z Φ(z) with the normal distribution function Φ, exact (no tanh in its place)."""

    name = "gelu"


class Exponential(Activation):
    """f(z) = eᶻ, the output of the Poisson and gamma losses: positive, whatever z is."""

    name = "exponential"


@dataclass(frozen=True, repr=False)
class Softmax(Activation):
    """f(z)_j = e^(z_j) / Σ_k e^(z_k), for the output of the cross-entropy only.

    Parameters
    ----------
    groups : sequence of int, default ()
        Cut a row into groups of these sizes, 2 or more, and sum over k in the group of j.  Empty:
        over the whole row.
    """

    name = "softmax"
    groups: Sequence[int] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.groups, (list, tuple, np.ndarray)):
            raise TypeError(f"groups must be a list of whole numbers, got {self.groups!r}")
        found = [checks.whole(f"groups[{i}]", n, 2) for i, n in enumerate(self.groups)]
        object.__setattr__(self, "groups", tuple(found))

    def __repr__(self) -> str:
        return f"Softmax(groups={self.groups})" if self.groups else "Softmax()"

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where in a row each group begins, and where it ends; empty without groups."""
        return list(pairwise(accumulate(self.groups, initial=0)))


def hidden(
    wanted: str | Activation | Sequence[str | Activation], count: int
) -> tuple[Activation, ...]:
    """Return the activations of hidden layers, from one for all or one for each.

    Parameters
    ----------
    wanted : str, Activation or sequence of these
        Names or activations.
    count : int
        The number of hidden layers.

    Returns
    -------
    tuple of Activation
        One for each.
    """
    found = checks.one_or_each("activation", wanted, count, TABLE, Activation)
    if any(isinstance(one, Softmax) for one in found):
        raise ValueError(
            "softmax is for the output layer, where loss='cross_entropy' implies it; choose "
            "another activation for hidden layers"
        )
    return found


TABLE: dict[str, type[Activation]] = {
    kind.name: kind
    for kind in (
        Identity, Sigmoid, ReLU, LeakyReLU, Tanh, Softplus, ELU, SELU, SiLU, GELU, Exponential,
        Softmax,
    )
}
