"""Optimizers: a table from name to dataclass; the updates are in kernels/updates.pxd.

α is the learning rate of the step, g the gradient of J (with its λW), t the number of the step
from 1.  The formulas are PyTorch's, so that the numbers can be compared.  A new optimizer is a
class and a row of `TABLE` here, its kernel there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from .support import checks

if TYPE_CHECKING:
    from .schedules import Schedule

__all__ = ["TABLE", "Adam", "AdamW", "GradientDescent", "Optimizer", "RMSprop", "from_constants"]


@dataclass(frozen=True)
class Optimizer:
    """How a step changes the parameters; immutable, its state belongs to the network.

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule
        α, or what it is at each step.
    """

    name: ClassVar[str]
    learning_rate: float | Schedule

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a function of the step."""
        from .schedules import Constant, Schedule  # not before something is trained

        if isinstance(self.learning_rate, Schedule):
            return self.learning_rate
        return Constant(float(self.learning_rate))

    @property
    def constants(self) -> tuple[float, ...]:
        """All but the learning rate, as the kernels take them.

        An optimizer with the same name and constants goes on from the state of the last.
        """
        raise NotImplementedError

    def __post_init__(self) -> None:
        from .schedules import Schedule

        if not isinstance(self.learning_rate, Schedule):
            checks.number(
                "learning_rate",
                self.learning_rate,
                "[0, inf)",
                otherwise=" or a schedule such as fastmlp.schedules.Cosine(0.01)",
            )


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    """v ← μv + g,  W ← W − αv;  with `nesterov` W ← W − α(g + μv).

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule, default 0.01
        α.
    momentum : float, default 0.0
        μ in [0, 1]; 0 is plain gradient descent, step 6 of the report.
    nesterov : bool, default False
        Look ahead by μv (Sutskever et al. 2013); needs momentum > 0.

    Examples
    --------
    >>> optimizer = fastmlp.GradientDescent(0.05, momentum=0.9, nesterov=True)
    >>> history = net.fit(X, y, epochs=2, optimizer=optimizer)
    """

    name = "gradient_descent"
    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("momentum", self.momentum, "[0, 1]")
        if checks.flag("nesterov", self.nesterov) and self.momentum == 0:
            raise ValueError("nesterov=True needs momentum > 0, for example 0.9")

    @property
    def constants(self) -> tuple[float, ...]:
        """μ, and 1 with `nesterov`."""
        return float(self.momentum), float(self.nesterov)


@dataclass(frozen=True)
class Adam(Optimizer):
    """m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  W ← W − α m̂ / (√v̂ + ε).

    m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ); Kingma and Ba 2015.

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule, default 0.001
        α.
    beta_1, beta_2 : float, defaults 0.9 and 0.999
        β₁ and β₂ in [0, 1).
    epsilon : float, default 1e-8
        ε > 0.
    epsilon_hat : bool, default False
        ε beside √v instead of √v̂, as in the form of the paper's section 2 and in scikit-learn.

    Examples
    --------
    >>> history = net.fit(X, y, epochs=2, optimizer=fastmlp.Adam(0.003))
    """

    name = "adam"
    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    epsilon_hat: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("beta_1", self.beta_1, "[0, 1)")
        checks.number("beta_2", self.beta_2, "[0, 1)")
        checks.number("epsilon", self.epsilon, "(0, inf)")
        checks.flag("epsilon_hat", self.epsilon_hat)

    @property
    def constants(self) -> tuple[float, ...]:
        """β₁, β₂, ε, and 1 with `epsilon_hat`."""
        beside = (1.0,) if self.epsilon_hat else ()
        return float(self.beta_1), float(self.beta_2), float(self.epsilon), *beside


@dataclass(frozen=True)
class AdamW(Adam):
    """W ← (1 − αω) W, then Adam's step; Loshchilov and Hutter 2019.  Biases do not decay.

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule, default 0.001
        α.
    beta_1, beta_2, epsilon : float
        As for `Adam`.
    weight_decay : float, default 0.01
        ω ≥ 0.
    epsilon_hat : bool, default False
        As for `Adam`.

    Examples
    --------
    >>> optimizer = fastmlp.AdamW(fastmlp.schedules.OneCycle(0.01), weight_decay=0.05)
    >>> history = net.fit(X, y, epochs=2, optimizer=optimizer)
    """

    name = "adamw"
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("weight_decay", self.weight_decay, "[0, inf)")

    @property
    def constants(self) -> tuple[float, ...]:
        """β₁, β₂, ε, ω, and 1 with `epsilon_hat`."""
        beta_1, beta_2, epsilon, *beside = super().constants
        return beta_1, beta_2, epsilon, float(self.weight_decay), *beside


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """s ← ρs + (1−ρ)g²,  v ← μv + g / (√s + ε),  W ← W − αv; Tieleman and Hinton 2012.

    Parameters
    ----------
    learning_rate : float or fastmlp.schedules.Schedule, default 0.001
        α.
    rho : float, default 0.99
        ρ in [0, 1).
    epsilon : float, default 1e-8
        ε > 0.
    momentum : float, default 0.0
        μ in [0, 1).

    Examples
    --------
    >>> history = net.fit(X, y, epochs=2, optimizer=fastmlp.RMSprop(0.001, momentum=0.5))
    """

    name = "rmsprop"
    learning_rate: float | Schedule = 0.001
    rho: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("rho", self.rho, "[0, 1)")
        checks.number("epsilon", self.epsilon, "(0, inf)")
        checks.number("momentum", self.momentum, "[0, 1)")

    @property
    def constants(self) -> tuple[float, ...]:
        """ρ, ε, μ."""
        return float(self.rho), float(self.epsilon), float(self.momentum)


def from_constants(name: str, constants: Sequence[float]) -> Optimizer:
    """Return the optimizer of a name whose `constants` are these, as files store them.

    Parameters
    ----------
    name : str
        A name of `TABLE`.
    constants : sequence of float
        What `Optimizer.constants` gave.

    Returns
    -------
    Optimizer
        An optimizer with learning rate 0; ValueError or TypeError if there is none.
    """
    kind = TABLE[checks.known("optimizer", name, TABLE)]
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
