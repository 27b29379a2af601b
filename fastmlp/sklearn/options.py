"""The valid values of the estimators' parameters, and what they are in a network.

scikit-learn's own checker validates them, with its own messages.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, Options, StrOptions

from .. import activations, losses, optimizers
from ..activations import Activation
from ..losses import Loss
from ..schedules import Schedule
from ..support import checks

__all__ = [
    "CLASSIFIER_CONSTRAINTS",
    "DIVERGED",
    "REGRESSOR_CONSTRAINTS",
    "TO_SKLEARN",
    "check_lbfgs",
    "hidden_sizes",
    "initial_parameters",
    "layer_activations",
    "number",
    "optimizer",
]

Array = NDArray[Any]

TO_FASTMLP = {"logistic": "sigmoid"}  # scikit-learn's names of activations that differ
TO_SKLEARN = {"sigmoid": "logistic", "exponential": "exp"}
ACTIVATIONS = {"logistic", *activations.HIDDEN}
REGRESSION = {name for name, loss in losses.TABLE.items() if not loss.classification}
DIVERGED = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(ACTIVATIONS), Activation, list, tuple],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        Options(Real, {np.inf}),
    ],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    # parameters that scikit-learn's estimators do not have
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "batch_norm": ["boolean", list, tuple],
    "scoring": [str, callable, None],
    "ema": [Interval(Real, 0, 1, closed="neither"), None],
    "callbacks": [list, tuple, None],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    "max_seconds": [Interval(Real, 0, None, closed="neither"), None],
}

CLASSIFIER_CONSTRAINTS = {
    **CONSTRAINTS,
    "class_weight": [StrOptions({"balanced"}), dict, list, None],
    "label_smoothing": [Interval(Real, 0, 1, closed="left")],
}
REGRESSOR_CONSTRAINTS = {
    **CONSTRAINTS,
    "loss": [StrOptions(REGRESSION), Loss, tuple, list],
}

# Parameters that L-BFGS, which minimizes one smooth function, cannot use; and their neutral values
STOCHASTIC_ONLY: dict[str, Any] = {
    "dropout": 0,
    "batch_norm": False,
    "label_smoothing": 0,
    "ema": None,
    "callbacks": None,
    "max_seconds": None,
}


def check_lbfgs(estimator: Any) -> None:
    """Raise ValueError for parameters that solver='lbfgs' would ignore silently."""
    for name, neutral in STOCHASTIC_ONLY.items():
        value = getattr(estimator, name, neutral)
        if value is not neutral and np.any(np.asarray(value, dtype=object) != neutral):
            raise ValueError(
                f"{name}={value!r} needs solver='sgd' or solver='adam', got solver='lbfgs'"
            )


def number(estimator: Any, name: str) -> Any:
    """Return a parameter that is a number as Python's int or float, and "auto" as it is.

    As in scikit-learn, the user may set any integer or real number, also bool and NumPy's scalars.
    NumPy would compute in the precision of its scalars: ``1.0 + np.float16(1e-4)`` is 1.
    """
    value = getattr(estimator, name)
    if isinstance(value, str):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def hidden_sizes(hidden_layer_sizes: Any) -> list[int]:
    """Return the number of units of each hidden layer."""
    if hasattr(hidden_layer_sizes, "__iter__"):
        each = {f"hidden_layer_sizes[{i}]": size for i, size in enumerate(hidden_layer_sizes)}
    else:
        each = {"hidden_layer_sizes": hidden_layer_sizes}
    sizes = [checks.whole(name, size, least=-sys.maxsize) for name, size in each.items()]
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return sizes


def layer_activations(activation: Any) -> Any:
    """Return the activation functions of the hidden layers as arguments of a network."""
    if isinstance(activation, (list, tuple)):
        return [TO_FASTMLP.get(one, one) if isinstance(one, str) else one for one in activation]
    return TO_FASTMLP.get(activation, activation) if isinstance(activation, str) else activation


def initial_parameters(
    activation: Any, sizes: Sequence[int], rng: np.random.RandomState, dtype: Any
) -> tuple[list[Array], list[Array]]:
    """Return weights and biases from U(−r, r) with r = √(6/(n_in + n_out)).

    This is the initialization of Glorot and Bengio (2010), with 2 in place of 6 for sigmoids, from
    the same random numbers in the same order as in scikit-learn.
    """
    named = layer_activations(activation)
    each = list(named) if isinstance(named, list) else [named] * (len(sizes) - 1)
    each += each[-1:] * (len(sizes) - 1 - len(each)) or ["identity"]
    weights, biases = [], []
    for one, (n_in, n_out) in zip(each, pairwise(sizes), strict=False):
        is_sigmoid = one == "sigmoid" or isinstance(one, activations.Sigmoid)
        r = np.sqrt((2.0 if is_sigmoid else 6.0) / (n_in + n_out))
        weights.append(rng.uniform(-r, r, (n_in, n_out)).T.astype(dtype))
        biases.append(rng.uniform(-r, r, n_out).astype(dtype))
    return weights, biases


def optimizer(estimator: Any, schedule: Schedule) -> optimizers.Optimizer:
    """Return the optimizer that `solver` names, with a schedule of the learning rate."""
    if estimator.solver == "adam":
        constants = (number(estimator, name) for name in ("beta_1", "beta_2", "epsilon"))
        return optimizers.Adam(schedule, *constants, epsilon_hat=True)
    momentum = number(estimator, "momentum")
    return optimizers.GradientDescent(
        schedule, momentum, bool(estimator.nesterovs_momentum and momentum > 0)
    )
