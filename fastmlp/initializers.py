"""Initializers: classes that sample the initial parameters, and the table of their names.

A weight (n_out, n_in) whose variance fits the layer keeps the size of activations and gradients
about the same from layer to layer.  Biases are zero, except with `Normal`.  A new initializer is
a class and an entry of `TABLE`; an initializer of your own is a subclass of `Initializer` with the
method `weight`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from .support import checks
from .support.values import Value

if TYPE_CHECKING:  # NumPy loads its random module when the first network is made
    from numpy.random import Generator

__all__ = [
    "TABLE",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LecunNormal",
    "Normal",
    "Zeros",
    "sample",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Initializer(Value):
    """Base class of initializers: the distribution of a layer's initial weight and bias."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        checks.constants(self)

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        """Sample the weight of a layer.

        Parameters
        ----------
        rng : numpy.random.Generator
            Random number generator of the layer.
        n_out, n_in : int
            Number of outputs and number of inputs of the layer.

        Returns
        -------
        ndarray, (n_out, n_in)
            The weight, in float64.
        """
        raise NotImplementedError

    def bias(self, rng: Generator, n_out: int) -> Array:
        """Sample the bias of a layer; it is zero unless a subclass overrides this method.

        Parameters
        ----------
        rng : numpy.random.Generator
            Random number generator of the layer, by which its weight was sampled before.
        n_out : int
            Number of outputs of the layer.

        Returns
        -------
        ndarray, (n_out,)
            The bias, in float64.
        """
        return np.zeros(n_out)


class HeNormal(Initializer):
    """He's normal distribution N(0, 2/n_in), for ReLU and similar activations (He et al. 2015).

    The distribution is not truncated.
    """

    name = "he_normal"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return rng.normal(0, sqrt(2 / n_in), (n_out, n_in))


class HeUniform(Initializer):
    """He's uniform distribution U(−r, r) with r = √(6/n_in), for ReLU and similar activations.

    He et al. 2015.
    """

    name = "he_uniform"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return _uniform(rng, sqrt(6 / n_in), n_out, n_in)


class GlorotNormal(Initializer):
    """Glorot's normal distribution N(0, 2/(n_in + n_out)), for tanh and sigmoid.

    The distribution is not truncated (Glorot and Bengio 2010).
    """

    name = "glorot_normal"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return rng.normal(0, sqrt(2 / (n_in + n_out)), (n_out, n_in))


class GlorotUniform(Initializer):
    """Glorot's uniform distribution U(−r, r) with r = √(6/(n_in + n_out)), for tanh and sigmoid.

    Glorot and Bengio 2010.
    """

    name = "glorot_uniform"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return _uniform(rng, sqrt(6 / (n_in + n_out)), n_out, n_in)


class LecunNormal(Initializer):
    """LeCun's normal distribution N(0, 1/n_in), for SELU.

    The distribution is not truncated (LeCun et al. 1998).
    """

    name = "lecun_normal"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return rng.normal(0, sqrt(1 / n_in), (n_out, n_in))


@dataclass(frozen=True, eq=False, repr=False)
class Normal(Initializer):
    """Normal distribution N(0, σ²) for weights and biases; the report uses σ = 1.

    Parameters
    ----------
    sigma : float, default 1.0
        Standard deviation σ ≥ 0.
    """

    name = "normal"
    _intervals: ClassVar[Mapping[str, str]] = {"sigma": "[0, inf)"}
    sigma: float = 1.0

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return rng.normal(0, self.sigma, (n_out, n_in))

    def bias(self, rng: Generator, n_out: int) -> Array:
        return rng.normal(0, self.sigma, n_out)


class Zeros(Initializer):
    """All parameters zero, for networks without hidden layers or with parameters set later."""

    name = "zeros"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return np.zeros((n_out, n_in))


def _uniform(rng: Generator, r: float, n_out: int, n_in: int) -> Array:
    return rng.uniform(-r, r, (n_out, n_in))


def sample(
    initializer: Initializer, sizes: Sequence[int], seed: int
) -> tuple[list[Array], list[Array]]:
    """Return the initial weights and biases of a network.

    Each layer has its own random numbers: layer l, counted from 0, uses
    SeedSequence(seed, spawn_key=(l,)), so that its parameters do not depend on the other layers.

    Parameters
    ----------
    initializer : Initializer
        The distribution of the parameters.
    sizes : sequence of int
        Numbers of units, from the input to the output.
    seed : int
        Seed ≥ 0.

    Returns
    -------
    (list of ndarray, list of ndarray)
        Weights (n_out, n_in) and biases (n_out,), in float64.
    """
    weights, biases = [], []
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(layer,)))
        weights.append(initializer.weight(rng, n_out, n_in))
        biases.append(initializer.bias(rng, n_out))
    return weights, biases


TABLE: dict[str, type[Initializer]] = {
    kind.name: kind
    for kind in (
        HeNormal, HeUniform, GlorotNormal, GlorotUniform, LecunNormal, Normal, Zeros
    )
}
