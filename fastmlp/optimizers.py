"""Optimizers: classes with the constants of each update rule, and the table of their names.

In the formulas α is the learning rate of the step, g the gradient of J (which includes λW), and t
the number of the step, counted from 1.  They are PyTorch's, so that results can be compared.  The
updates are computed in kernels/updates.pxd.  A new optimizer is a class and an entry of `TABLE`
here, and its update there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .support import checks
from .support.values import Value

if TYPE_CHECKING:
    from .schedules import Schedule

__all__ = ["TABLE", "Adam", "AdamW", "GradientDescent", "Optimizer", "RMSprop", "from_constants"]


@dataclass(frozen=True, eq=False, repr=False)
class Optimizer(Value):
    """Base class of optimizers: the rule by which a step changes the parameters.

    An optimizer is immutable.  Its state, such as momentum, belongs to the network.

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule
        Learning rate α, or a schedule of learning rates.
    """

    name: ClassVar[str]
    learning_rate: float | Schedule

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a function of the step."""
        if callable(self.learning_rate):
            return self.learning_rate
        from .schedules import Constant  # imported when something is trained

        return Constant(float(self.learning_rate))

    @property
    def decay_schedule(self) -> Schedule | None:
        """The weight decay as a function of the step; None if it is constant."""
        return None

    @property
    def constants(self) -> tuple[float, ...]:
        """All constants but the learning rate, in the order that the kernels expect.

        A weight decay that follows a schedule counts as 0 here: like the learning rate, it comes
        with each step.
        A call of fit continues with the optimizer state of the previous call if the optimizer has
        the same name and the same constants.
        """
        raise NotImplementedError

    def __post_init__(self) -> None:
        self.check()

    def check(self, dtype: np.dtype[Any] | None = None) -> None:
        """Check learning rate and constants.

        Parameters
        ----------
        dtype : dtype, optional
            The dtype of a network, in which the numbers must not become 0 or infinite.
        """
        _check_scheduled(
            "learning_rate", self.learning_rate, "fastmlp.schedules.Cosine(0.01)", dtype
        )
        checks.constants(self, dtype)


def _check_scheduled(
    name: str, value: float | Schedule, example: str, dtype: np.dtype[Any] | None
) -> None:
    """Check a number ≥ 0 or a schedule in its place, for instance `example`."""
    from .schedules import Schedule

    if isinstance(value, Schedule):
        value.check(dtype)
    else:
        checks.number(
            name, value, "[0, inf)", otherwise=f" or a schedule such as {example}", dtype=dtype
        )


@dataclass(frozen=True, eq=False, repr=False)
class GradientDescent(Optimizer):
    """Gradient descent, optionally with momentum: v ← μv + g, W ← W − αv.

    With `nesterov` the update is W ← W − α(g + μv).

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule, default 0.01
        Learning rate α.
    momentum : float, default 0.0
        Momentum μ in [0, 1].  With 0 the update is W ← W − αg, as in step 6 of the report.
    nesterov : bool, default False
        Whether to use Nesterov momentum (Sutskever et al. 2013), which needs momentum > 0.

    Examples
    --------
    >>> optimizer = fastmlp.GradientDescent(0.05, momentum=0.9, nesterov=True)
    >>> history = net.fit(X, y, epochs=2, optimizer=optimizer)
    """

    name = "gradient_descent"
    _intervals: ClassVar[Mapping[str, str]] = {"momentum": "[0, 1]"}
    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if checks.flag("nesterov", self.nesterov) and self.momentum == 0:
            raise ValueError("nesterov=True needs momentum > 0, for example 0.9")

    @property
    def constants(self) -> tuple[float, ...]:
        """μ, and 1 with `nesterov`."""
        return float(self.momentum), float(self.nesterov)


@dataclass(frozen=True, eq=False, repr=False)
class Adam(Optimizer):
    """Adam: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², W ← W − α m̂ / (√v̂ + ε).

    The bias-corrected moments are m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) (Kingma and Ba 2015).

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule, default 0.001
        Learning rate α.
    beta_1, beta_2 : float, defaults 0.9 and 0.999
        Decay rates β₁ and β₂ of the moments, in [0, 1).
    epsilon : float, default 1e-8
        Small number ε > 0 in the denominator.
    epsilon_hat : bool, default False
        Whether to add ε to √v instead of √v̂, as scikit-learn and the end of section 2 of the
        paper do.

    See Also
    --------
    AdamW : Adam with weight decay.

    Examples
    --------
    >>> history = net.fit(X, y, epochs=2, optimizer=fastmlp.Adam(0.003))
    """

    name = "adam"
    _intervals: ClassVar[Mapping[str, str]] = {
        "beta_1": "[0, 1)", "beta_2": "[0, 1)", "epsilon": "(0, inf)"
    }
    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    epsilon_hat: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.flag("epsilon_hat", self.epsilon_hat)

    @property
    def constants(self) -> tuple[float, ...]:
        """β₁, β₂, ε, and 1 with `epsilon_hat`."""
        last = (1.0,) if self.epsilon_hat else ()
        return float(self.beta_1), float(self.beta_2), float(self.epsilon), *last


@dataclass(frozen=True, eq=False, repr=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: W ← (1 − αω) W, then the update of `Adam`.

    Weights decay, biases do not (Loshchilov and Hutter 2019).  ``fit(l2_multipliers=…)`` multiplies
    the weight decay ω of each layer.

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule, default 0.001
        Learning rate α.
    beta_1, beta_2, epsilon : float, defaults 0.9, 0.999 and 1e-8
        As for `Adam`.
    weight_decay : float or fastmlp.schedules.Schedule, default 0.01
        Weight decay ω ≥ 0, or a schedule of ω, which does not include the schedule of α.
    epsilon_hat : bool, default False
        As for `Adam`.

    See Also
    --------
    Adam : The same without weight decay.

    Examples
    --------
    >>> optimizer = fastmlp.AdamW(fastmlp.schedules.OneCycle(0.01), weight_decay=0.05)
    >>> history = net.fit(X, y, epochs=2, optimizer=optimizer)
    """

    name = "adamw"
    weight_decay: float | Schedule = 0.01

    @property
    def decay_schedule(self) -> Schedule | None:
        """The schedule of ω, if there is one."""
        return self.weight_decay if isinstance(self.weight_decay, Value) else None

    @property
    def constants(self) -> tuple[float, ...]:
        """β₁, β₂, ε, ω, and 1 with `epsilon_hat`; 0 in place of an ω that follows a schedule."""
        beta_1, beta_2, epsilon, *last = super().constants
        decay = 0.0 if isinstance(self.weight_decay, Value) else float(self.weight_decay)
        return beta_1, beta_2, epsilon, decay, *last

    def check(self, dtype: np.dtype[Any] | None = None) -> None:
        """Check learning rate and constants.

        Parameters
        ----------
        dtype : dtype, optional
            The dtype of a network, in which the numbers must not become 0 or infinite.
        """
        super().check(dtype)
        _check_scheduled(
            "weight_decay", self.weight_decay, "fastmlp.schedules.FlatCosine(0.02)", dtype
        )


@dataclass(frozen=True, eq=False, repr=False)
class RMSprop(Optimizer):
    """RMSprop: s ← ρs + (1−ρ)g², v ← μv + g / (√s + ε), W ← W − αv (Tieleman and Hinton 2012).

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule, default 0.001
        Learning rate α.
    rho : float, default 0.99
        Decay rate ρ of the mean square, in [0, 1).
    epsilon : float, default 1e-8
        Small number ε > 0 in the denominator.
    momentum : float, default 0.0
        Momentum μ in [0, 1).

    Examples
    --------
    >>> history = net.fit(X, y, epochs=2, optimizer=fastmlp.RMSprop(0.001, momentum=0.5))
    """

    name = "rmsprop"
    _intervals: ClassVar[Mapping[str, str]] = {
        "rho": "[0, 1)", "epsilon": "(0, inf)", "momentum": "[0, 1)"
    }
    learning_rate: float | Schedule = 0.001
    rho: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0

    @property
    def constants(self) -> tuple[float, ...]:
        """ρ, ε, μ."""
        return float(self.rho), float(self.epsilon), float(self.momentum)


def from_constants(name: str, constants: Sequence[float]) -> Optimizer:
    """Return the optimizer with a name and constants that were read from a file.

    Parameters
    ----------
    name : str
        A name of `TABLE`.
    constants : sequence of float
        Constants in the order of `Optimizer.constants`.

    Returns
    -------
    Optimizer
        The optimizer, with learning rate 0.

    Raises
    ------
    ValueError or TypeError
        If no optimizer has this name and these constants.
    """
    kind = TABLE[checks.known("optimizer", name, TABLE)]
    constants = checks.items("constants", constants)
    numbers = [checks.number(f"constants[{i}]", one) for i, one in enumerate(constants)]
    if kind is GradientDescent and len(numbers) == 2:
        made: Optimizer = GradientDescent(0.0, numbers[0], bool(numbers[1]))
    elif kind is RMSprop and len(numbers) == 3:
        made = RMSprop(0.0, *numbers)
    elif kind is Adam and len(numbers) in (3, 4):
        made = Adam(0.0, *numbers[:3], epsilon_hat=len(numbers) == 4)
    elif kind is AdamW and len(numbers) in (4, 5):
        made = AdamW(0.0, *numbers[:4], epsilon_hat=len(numbers) == 5)
    else:
        raise ValueError(f"{name} does not have {len(numbers)} constants")
    if made.constants != tuple(numbers):
        raise ValueError(f"{name} does not have the constants {numbers}")
    return made


TABLE: dict[str, type[Optimizer]] = {
    kind.name: kind for kind in (GradientDescent, Adam, AdamW, RMSprop)
}
