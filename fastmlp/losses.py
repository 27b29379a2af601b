"""Losses: a table from name to what the network needs to know of each.

J = Σ_i s_i cost_i / Σ_i s_i + λ/2 Σ W², with sample weights s_i = 1 unless given.  cost_i beside
its output delta is in kernels/losses.pxd.  A new loss is a class and a row of `TABLE` here, its
kernel there.  `Custom` has none: it is written in Python, and stands in no table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import activations, checks
from .activations import Activation

__all__ = [
    "TABLE",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Custom",
    "Gamma",
    "Huber",
    "Loss",
    "Poisson",
    "Quantile",
    "SquaredError",
]

Array = NDArray[Any]
Written = Callable[[Array, Array], ArrayLike]  # of h (m, n_out) and y (m, …)
Given: TypeAlias = "str | Loss | tuple[Written, Written]"

ELEMENTWISE = tuple(name for name in activations.TABLE if name != "softmax")


@dataclass(frozen=True)
class Loss:
    """The cost of an example, and how outputs and targets are read under it."""

    name: ClassVar[str]
    classification: ClassVar[bool]
    outputs: ClassVar[tuple[str, ...]]  # activations it goes with, its own first
    least_outputs: ClassVar[int] = 1

    @property
    def constants(self) -> tuple[float, ...]:
        """The loss's numbers as the kernels take them; empty for those without."""
        return ()

    def outputs_for(self, n_targets: int) -> int:
        """Return the number of outputs that targets take.

        Parameters
        ----------
        n_targets : int
            Columns of y.

        Returns
        -------
        int
            As many, or for each as many as there are quantiles.
        """
        return n_targets

    def output_activation(self, wanted: str | Activation | None, n_out: int) -> Activation:
        """Return the output layer's activation; the loss's own where none is wanted.

        Parameters
        ----------
        wanted : str, Activation or None
            A name, or an activation.
        n_out : int
            Number of outputs.

        Returns
        -------
        Activation
            One that goes with the loss.
        """
        if n_out < self.least_outputs:
            raise ValueError(
                f"{self.name} needs at least {self.least_outputs} outputs, one for each class, got "
                f"{n_out}; for two classes with one output take loss='binary_cross_entropy'"
            )
        if wanted is None:
            wanted = self.outputs[0]
        found = checks.named("output_activation", wanted, activations.TABLE, Activation)
        if found.name not in self.outputs:
            raise ValueError(
                f"output_activation {found.name!r} does not go with loss {self.name!r}, which "
                f"takes {', '.join(self.outputs)}"
            )
        return found

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        """Check targets and return them as the kernels read them.

        Parameters
        ----------
        y : array-like
            Labels or values, as they were given.
        n_rows, n_out : int
            Numbers of examples and of outputs.
        dtype : dtype
            The network's.

        Returns
        -------
        ndarray
            Labels (n_rows,), or values (n_rows, n_out) of that dtype.
        """
        return checks.values("y", y, n_rows, n_out, dtype)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        """Return the output delta δ(nl).

        Parameters
        ----------
        h : ndarray, (m, n_out)
            Output activations.
        y : ndarray, (m, n_out)
            Targets, as `targets` returned them.
        slope : ndarray, (m, n_out)
            f'(z) of the outputs.

        Returns
        -------
        ndarray, (m, n_out)
            δ(nl) of each example.
        """
        return h - y

    def predict(self, h: Array) -> Array:
        """Return what outputs say: labels or values.

        Parameters
        ----------
        h : ndarray, (m, n_out)
            Output activations.

        Returns
        -------
        ndarray
            As `MLP.predict`.
        """
        return _like_targets(h)

    def hits(self, h: Array, y: Array) -> Array:
        """Return how right the labels are that outputs predict.

        Parameters
        ----------
        h : ndarray, (m, n_out)
            Output activations.
        y : ndarray
            Targets, as `targets` returned them.

        Returns
        -------
        ndarray, (m,)
            From 0 to 1 for each example.
        """
        raise NotImplementedError


class SquaredError(Loss):
    """cost = ½ ‖h − y‖², the report's; any output activation but softmax.

    y is (m, n_out), or (m,) for one output.
    """

    name = "squared_error"
    classification = False
    outputs = ELEMENTWISE

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return (h - y) * slope


class CrossEntropy(Loss):
    """cost = −Σ_j y_j log h_j with h = softmax(z): one class of several.

    y is (m,) of labels 0 … n_out − 1, or (m, n_out) of probabilities, each row with sum 1.
    """

    name = "cross_entropy"
    classification = True
    outputs = ("softmax",)
    least_outputs = 2

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = checks.array("y", y)
        if y.ndim == 2 and y.shape[1] == n_out:
            return checks.distributions("y", y, n_rows, n_out, dtype)
        return checks.labels("y", y, n_rows, n_out)

    def predict(self, h: Array) -> Array:
        return np.asarray(np.argmax(h, axis=1))

    def hits(self, h: Array, y: Array) -> Array:
        return np.equal(self.predict(h), y if y.ndim == 1 else self.predict(y))


class BinaryCrossEntropy(Loss):
    """cost = −Σ_j (y_j log h_j + (1 − y_j) log(1 − h_j)) with h = sigmoid(z).

    Yes or no for each output alone: two classes with one output, several labels an example with
    more.  y is (m, n_out) from 0 to 1, or (m,) for one output.
    """

    name = "binary_cross_entropy"
    classification = True
    outputs = ("sigmoid",)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        return checks.values("y", y, n_rows, n_out, dtype, (0, 1))

    def predict(self, h: Array) -> Array:
        return _like_targets((h > 0.5).astype(np.intp))

    def hits(self, h: Array, y: Array) -> Array:
        return np.asarray(np.mean((h > 0.5) == (y > 0.5), axis=1))


class AbsoluteError(Loss):
    """cost = ``Σ_j |h_j − y_j|``, least at the median; any output activation but softmax.

    Where h_j is y_j its derivative is taken as 0.  y as for `SquaredError`.
    """

    name = "absolute_error"
    classification = False
    outputs = ELEMENTWISE

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return np.asarray(np.sign(h - y) * slope)


@dataclass(frozen=True)
class Huber(Loss):
    """cost = Σ_j ½ r_j² up to ``|r_j| = δ``, then ``δ(|r_j| − ½ δ)``; r = h − y (Huber 1964).

    Squared error near the target, absolute error far from it, so that outliers count less.  Any
    output activation but softmax; y as for `SquaredError`.

    Parameters
    ----------
    delta : float, default 1.0
        δ > 0, in the targets' unit.
    """

    name = "huber"
    classification = False
    outputs = ELEMENTWISE
    delta: float = 1.0

    def __post_init__(self) -> None:
        checks.number("delta", self.delta, "(0, inf)")

    @property
    def constants(self) -> tuple[float, ...]:
        return (float(self.delta),)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        (delta,) = self.constants
        return np.asarray(np.clip(h - y, -delta, delta) * slope)


@dataclass(frozen=True)
class Quantile(Loss):
    """cost = Σ_j max(q (y − h_j), (1 − q) (h_j − y)), least at the q-quantile of y.

    The pinball loss (Koenker and Bassett 1978), of several quantiles of one or several targets at
    once: n_out = n_targets × n_quantiles, the outputs of a target side by side.  Where h_j is y its
    derivative is taken as 0.  Any output activation but softmax; y is (m, n_targets), or (m,) for
    one target.

    Predictions are the quantiles of each target in ascending order, so that they never cross:
    sorting brings them nearer to the true ones, if anything (Chernozhukov, Fernández-Val and
    Galichon 2010).

    Parameters
    ----------
    quantiles : sequence of float, default (0.05, 0.5, 0.95)
        Each in (0, 1), ascending.
    """

    name = "quantile"
    classification = False
    outputs = ELEMENTWISE
    quantiles: Sequence[float] = (0.05, 0.5, 0.95)

    def __post_init__(self) -> None:
        if not isinstance(self.quantiles, (list, tuple, np.ndarray)) or len(self.quantiles) == 0:
            raise TypeError(f"quantiles must be a list of numbers, got {self.quantiles!r}")
        found = [
            checks.number(f"quantiles[{i}]", q, "(0, 1)") for i, q in enumerate(self.quantiles)
        ]
        if any(q >= after for q, after in pairwise(found)):
            raise ValueError(f"quantiles must ascend, got {self.quantiles!r}")
        object.__setattr__(self, "quantiles", tuple(found))

    @property
    def constants(self) -> tuple[float, ...]:
        return tuple(self.quantiles)

    def outputs_for(self, n_targets: int) -> int:
        return n_targets * len(self.quantiles)

    def output_activation(self, wanted: str | Activation | None, n_out: int) -> Activation:
        if n_out % len(self.quantiles):
            raise ValueError(
                f"{len(self.quantiles)} quantiles take as many outputs for each target, but the "
                f"network has {n_out} outputs"
            )
        return super().output_activation(wanted, n_out)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = checks.array("y", y)
        checks.length("y", y, n_rows)
        n_targets = n_out // len(self.quantiles)
        if y.shape[1:] != (n_targets,) and (y.ndim > 1 or n_targets > 1):
            raise ValueError(
                f"y has shape {y.shape}; expected ({n_rows}, {n_targets}), a value for each "
                f"target, which has {len(self.quantiles)} of the {n_out} outputs"
            )
        return checks.reals("y", y.reshape(n_rows, n_targets), dtype)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        q = np.tile(np.asarray(self.quantiles, h.dtype), y.shape[1])
        y = np.repeat(y, len(self.quantiles), axis=1)
        return np.where(h == y, 0, (h > y) - q) * slope

    def predict(self, h: Array) -> Array:
        each = np.sort(h.reshape(len(h), -1, len(self.quantiles)), axis=2)
        return _like_targets(each.reshape(h.shape))


class Poisson(Loss):
    """cost = Σ_j (h_j − y_j log h_j) with h = eᶻ: counts, or rates, as of a Poisson distribution.

    Less than half the Poisson deviance, which scikit-learn's "poisson" takes, by a constant: by
    Σ_j (y_j log y_j − y_j), 0 log 0 being 0.  y is ≥ 0, otherwise as for `SquaredError`.
    """

    name = "poisson"
    classification = False
    outputs = ("exponential",)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = super().targets(y, n_rows, n_out, dtype)
        return _without(y, y < 0, "≥ 0")


class Gamma(Loss):
    """cost = Σ_j (y_j / h_j + log h_j) with h = eᶻ: amounts whose spread grows with their mean.

    As of a gamma distribution.  More than half the gamma deviance by the constant
    Σ_j (1 + log y_j).  y is > 0, otherwise as for `SquaredError`.
    """

    name = "gamma"
    classification = False
    outputs = ("exponential",)

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = super().targets(y, n_rows, n_out, dtype)
        return _without(y, y <= 0, "> 0")

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return 1 - y / h


@dataclass(frozen=True)
class Custom(Loss):
    """A loss written in Python, which ``MLP(loss=(value, gradient))`` makes.

    Both functions are called once for each batch of training, with the GIL, in fit's own thread,
    with fresh arrays: h (m, n_out), the batch's output activations, and y (m, …), its targets as
    they were given, whatever their shape and type of number; NaN may stand for what is missing.
    `MLP.cost` and validation call `value` with all their examples at once, `MLP.gradients` both.

    What one of them raises, and what its results lack in shape, type or finiteness, ends training
    with the parameters as they were before that batch (batch norm's running statistics have seen
    it).  Any output activation but softmax, identity unless another is chosen.

    Parameters
    ----------
    value : callable
        ``value(h, y)`` returns the cost of each example, (m,).
    gradient : callable
        ``gradient(h, y)`` returns ∂cost/∂h, (m, n_out).  A cost may depend on other examples of
        the batch too; this is then the derivative of the sum of all.
    """

    name = "custom"
    classification = False
    outputs = ELEMENTWISE
    value: Written
    gradient: Written

    def __post_init__(self) -> None:
        for what in ("value", "gradient"):
            if not callable(getattr(self, what)):
                raise TypeError(
                    f"loss=(value, gradient) takes two functions; {what} is "
                    f"{getattr(self, what)!r}"
                )

    def __repr__(self) -> str:
        names = [getattr(f, "__qualname__", repr(f)) for f in (self.value, self.gradient)]
        return f"({', '.join(names)})"

    def targets(self, y: object, n_rows: int, n_out: int, dtype: np.dtype[Any]) -> Array:
        y = checks.array("y", y)
        checks.length("y", y, n_rows)
        return np.ascontiguousarray(y)

    def costs(self, h: Array, y: Array) -> NDArray[np.float64]:
        """Return what `value` returns, checked.

        Parameters
        ----------
        h, y : ndarray
            Output activations (m, n_out), and targets (m, …).

        Returns
        -------
        ndarray, (m,)
            The cost of each example.
        """
        return _answer("value", self.value(h, y), h.shape[:1], np.dtype(np.float64))

    def slopes(self, h: Array, y: Array) -> Array:
        """Return what `gradient` returns, checked.

        Parameters
        ----------
        h, y : ndarray
            Output activations (m, n_out), and targets (m, …).

        Returns
        -------
        ndarray, (m, n_out)
            ∂cost/∂h of each example, in h's dtype.
        """
        return _answer("gradient", self.gradient(h, y), h.shape, h.dtype)

    def output_delta(self, h: Array, y: Array, slope: Array) -> Array:
        return self.slopes(h, y) * slope


def named(loss: Given) -> Loss:
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


def _without(y: Array, wrong: Array, expected: str) -> Array:
    """y, if nothing of it is wrong."""
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise ValueError(f"y must be {expected}, but y[{i}, {j}] is {y[i, j]}")
    return y


def _answer(function: str, found: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """What a function of a loss written in Python returned, as the engine reads it."""
    name = f"the loss's {function}(h, y)"
    result = checks.array(name, found)
    if result.shape != shape:
        raise ValueError(f"{name} returned shape {result.shape}; expected {shape}")
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(result, dtype)
    finite = np.isfinite(result)
    if not finite.all():
        index = np.argwhere(~finite)[0]
        raise ValueError(
            f"{name} must be finite, but at [{', '.join(map(str, index))}] it is "
            f"{result[tuple(index)]}"
        )
    return result


def _like_targets(h: Array) -> Array:
    """One output's column as (m,), the shape in which its targets may come."""
    return h[:, 0] if h.shape[1] == 1 else h


TABLE: dict[str, type[Loss]] = {
    kind.name: kind
    for kind in (
        SquaredError, CrossEntropy, BinaryCrossEntropy, AbsoluteError, Huber, Quantile, Poisson,
        Gamma,
    )
}
