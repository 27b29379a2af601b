"""Update rules, in PyTorch's form: the new value of a parameter w with gradient g.

t = 1, 2, … is the number of the update, and `state` holds the rule's state for this parameter; it
is empty at first.
"""

from collections.abc import Callable

import numpy as np

from .functions import Array

State = dict[str, Array]


def gradient_descent(
    w: Array, g: Array, state: State, rate: float, t: int,
    momentum: float = 0.0, nesterov: float = 0.0,
) -> Array:
    """v ← μ v + g;  w ← w − α v, Nesterov: w ← w − α (g + μ v) (Sutskever et al. 2013)."""
    v = state["v"] = momentum * state.get("v", np.zeros_like(w)) + g
    return w - rate * (g + momentum * v if nesterov else v)


def adam(
    w: Array, g: Array, state: State, rate: float, t: int,
    beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8,
) -> Array:
    """w ← w − α m̂ / (√v̂ + ε), with running means m of g and v of g² (Kingma & Ba 2015)."""
    m = state["m"] = beta_1 * state.get("m", np.zeros_like(w)) + (1 - beta_1) * g
    v = state["v"] = beta_2 * state.get("v", np.zeros_like(w)) + (1 - beta_2) * g**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    return w - rate * m_hat / (np.sqrt(v_hat) + epsilon)


def adamw(
    w: Array, g: Array, state: State, rate: float, t: int,
    beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8, weight_decay: float = 0.01,
) -> Array:
    """w ← (1 − α ω) w for weights but not biases, then Adam (Loshchilov & Hutter 2019)."""
    is_weight = w.ndim == 2
    w = (1 - rate * weight_decay) * w if is_weight else w
    return adam(w, g, state, rate, t, beta_1, beta_2, epsilon)


def rmsprop(
    w: Array, g: Array, state: State, rate: float, t: int,
    rho: float = 0.99, epsilon: float = 1e-8, momentum: float = 0.0,
) -> Array:
    """s ← ρ s + (1−ρ) g²;  v ← μ v + g/(√s + ε);  w ← w − α v (Tieleman & Hinton 2012)."""
    s = state["s"] = rho * state.get("s", np.zeros_like(w)) + (1 - rho) * g**2
    v = state["v"] = momentum * state.get("v", np.zeros_like(w)) + g / (np.sqrt(s) + epsilon)
    return w - rate * v


OPTIMIZERS: dict[str, Callable[..., Array]] = {
    f.__name__: f for f in (gradient_descent, adam, adamw, rmsprop)
}


class Optimizer:
    """An update rule with its constants, the state of each parameter, and the number of updates.

    `name` is a key of `OPTIMIZERS`.  The constants are in the order of the rule's arguments and may
    be omitted.
    """

    def __init__(self, name: str, *constants: float) -> None:
        self.rule = OPTIMIZERS[name]
        self.constants = constants
        self.state: list[State] = []  # of each parameter, in the order of the parameters
        self.steps = 0

    def update(
        self,
        parameters: list[Array],
        gradients: list[Array],
        rate: float | list[float],
        weight_decay: float | None = None,
    ) -> list[Array]:
        """Return the parameters after one more update, as new arrays.

        The learning rate is one for all parameters or one for each.  A weight decay is that of this
        update, for an AdamW whose constants do not include one.
        """
        self.state = self.state or [{} for _ in parameters]
        self.steps += 1
        rates = rate if isinstance(rate, list) else [rate] * len(parameters)
        decay = {} if weight_decay is None else {"weight_decay": weight_decay}
        return [
            self.rule(w, g, state, alpha, self.steps, *self.constants, **decay)
            for w, g, state, alpha in zip(parameters, gradients, self.state, rates, strict=True)
        ]
