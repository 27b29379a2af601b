"""Activation functions a = f(z): classes with their parameters, and the table of their names.

The docstring of each class states its formula.  kernels/activations.pxd computes f and f'; it
identifies a function by its name and at most one parameter.  A new activation function is a class
and an entry of `TABLE` here, and its kernel there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar

import numpy as np

from .support import checks
from .support.values import Value

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "TABLE",
    "Activation",
    "Exponential",
    "Identity",
    "LeakyReLU",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "hidden",
]


@dataclass(frozen=True, eq=False, repr=False)
class Activation(Value):
    """Base class of activation functions, which apply to each z by itself; softmax, to each row."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        checks.constants(self)

    @property
    def parameter(self) -> float:
        """The parameter that the kernel expects; 0 for a function without a parameter."""
        return 0.0


class Identity(Activation):
    """Identity: f(z) = z."""

    name = "identity"


class Sigmoid(Activation):
    """Logistic sigmoid: f(z) = 1 / (1 + e⁻ᶻ)."""

    name = "sigmoid"


class ReLU(Activation):
    """Rectified linear unit: f(z) = max(z, 0)."""

    name = "relu"


@dataclass(frozen=True, eq=False, repr=False)
class LeakyReLU(Activation):
    """Leaky rectified linear unit: f(z) = z for z > 0, and slope·z otherwise.

    Parameters
    ----------
    slope : float, default 0.01
        Derivative for z ≤ 0.
    """

    name = "leaky_relu"
    _intervals: ClassVar[Mapping[str, str]] = {"slope": "(-inf, inf)"}
    slope: float = 0.01

    @property
    def parameter(self) -> float:
        """The slope."""
        return float(self.slope)


class Tanh(Activation):
    """Hyperbolic tangent: f(z) = tanh z."""

    name = "tanh"


class Softplus(Activation):
    """Softplus: f(z) = log(1 + eᶻ)."""

    name = "softplus"


@dataclass(frozen=True, eq=False, repr=False)
class ELU(Activation):
    """Exponential linear unit: f(z) = z for z > 0, and α(eᶻ − 1) otherwise (Clevert et al. 2016).

    Parameters
    ----------
    alpha : float, default 1.0
        Scale α of the exponential; f(z) tends to −α for z → −∞.
    """

    name = "elu"
    _intervals: ClassVar[Mapping[str, str]] = {"alpha": "(-inf, inf)"}
    alpha: float = 1.0

    @property
    def parameter(self) -> float:
        """α."""
        return float(self.alpha)


class SELU(Activation):
    """Scaled exponential linear unit: f(z) = 1.0507 · ELU(z) with α = 1.6733.

    With weights initialized by "lecun_normal" it keeps the activations of deep networks near mean
    0 and variance 1 (Klambauer et al. 2017).
    """

    name = "selu"


class SiLU(Activation):
    """Sigmoid linear unit, also called swish: f(z) = z / (1 + e⁻ᶻ)."""

    name = "silu"


class GELU(Activation):
    """Gaussian error linear unit: f(z) = z Φ(z), Φ being the normal distribution function.

    Φ is computed exactly, not by the approximation with tanh.
    """

    name = "gelu"


class Mish(Activation):
    """Mish: f(z) = z tanh(log(1 + eᶻ)) (Misra 2020)."""

    name = "mish"


class Exponential(Activation):
    """Exponential: f(z) = eᶻ, the positive output activation of the Poisson and gamma losses."""

    name = "exponential"


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Activation):
    """Softmax: f(z)_j = e^(z_j) / Σ_k e^(z_k), the output activation of the cross-entropy.

    Parameters
    ----------
    groups : sequence of int, default ()
        Sizes of groups of outputs, each at least 2.  The sum is over the outputs k of the group of
        j; without groups, over all outputs.

    See Also
    --------
    fastmlp.losses.CrossEntropy : The loss that softmax belongs to.
    """

    name = "softmax"
    groups: Sequence[int] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.groups, (list, tuple, np.ndarray)):
            raise TypeError(f"groups must be a list of whole numbers, got {self.groups!r}")
        groups = checks.items("groups", self.groups)
        found = [checks.whole(f"groups[{i}]", n, 2) for i, n in enumerate(groups)]
        object.__setattr__(self, "groups", tuple(found))

    def __repr__(self) -> str:
        return f"Softmax(groups={self.groups})" if self.groups else "Softmax()"

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The first output of each group and the output after its last; empty without groups."""
        return list(pairwise(accumulate(self.groups, initial=0)))


def hidden(
    wanted: str | Activation | Sequence[str | Activation], count: int
) -> tuple[Activation, ...]:
    """Return the activation function of each hidden layer.

    Parameters
    ----------
    wanted : str, Activation or sequence of these
        One name or activation for all hidden layers, or one for each.
    count : int
        The number of hidden layers.

    Returns
    -------
    tuple of Activation
        The activation function of each hidden layer.
    """
    each = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    if any(isinstance(one, Softmax) or (isinstance(one, str) and one == "softmax") for one in each):
        raise ValueError(
            "softmax is for the output layer, where loss='cross_entropy' chooses it by itself; "
            "choose another activation for hidden layers"
        )
    return checks.one_or_each("activation", wanted, count, HIDDEN, Activation)


TABLE: dict[str, type[Activation]] = {
    kind.name: kind
    for kind in (
        Identity, Sigmoid, ReLU, LeakyReLU, Tanh, Softplus, ELU, SELU, SiLU, GELU, Mish,
        Exponential, Softmax,
    )
}
HIDDEN = {name: kind for name, kind in TABLE.items() if kind is not Softmax}  # of hidden layers
