"""Initializers: a table from name to dataclass, which samples a layer's first parameters.

A weight (n_out, n_in) sampled with the right variance keeps the size of activations and gradients
from layer to layer.  Biases are zero, except with `Normal`.  A new initializer is a class and a
row of `TABLE`; an initializer of your own is a subclass of `Initializer` with `weight`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from .support import checks

if TYPE_CHECKING:  # NumPy loads its random module when a network is first made
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


@dataclass(frozen=True)
class Initializer:
    """How a layer's weight and bias are sampled."""

    name: ClassVar[str]

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        """Sample a weight.

        Parameters
        ----------
        rng : numpy.random.Generator
            The layer's own generator.
        n_out, n_in : int
            The layer's outputs and inputs.

        Returns
        -------
        ndarray, (n_out, n_in)
            The weight, float64.
        """
        raise NotImplementedError

    def bias(self, rng: Generator, n_out: int) -> Array:
        """Sample a bias.

        Parameters
        ----------
        rng : numpy.random.Generator
            The layer's own generator, after its weight was sampled.
        n_out : int
            The layer's outputs.

        Returns
        -------
        ndarray, (n_out,)
            The bias, float64; zero unless overridden.
        """
        return np.zeros(n_out)


class HeNormal(Initializer):
    """N(0, 2/n_in), for ReLU and its relatives; He et al. 2015, not truncated."""

    name = "he_normal"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return rng.normal(0, sqrt(2 / n_in), (n_out, n_in))


class HeUniform(Initializer):
    """U(−r, r) with r = √(6/n_in), for ReLU and its relatives; He et al. 2015."""

    name = "he_uniform"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return _uniform(rng, sqrt(6 / n_in), n_out, n_in)


class GlorotNormal(Initializer):
    """N(0, 2/(n_in + n_out)), for tanh and sigmoid; Glorot and Bengio 2010, not truncated."""

    name = "glorot_normal"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return rng.normal(0, sqrt(2 / (n_in + n_out)), (n_out, n_in))


class GlorotUniform(Initializer):
    """U(−r, r) with r = √(6/(n_in + n_out)), for tanh and sigmoid; Glorot and Bengio 2010."""

    name = "glorot_uniform"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return _uniform(rng, sqrt(6 / (n_in + n_out)), n_out, n_in)


class LecunNormal(Initializer):
    """N(0, 1/n_in), for SELU; LeCun et al. 1998, not truncated."""

    name = "lecun_normal"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return rng.normal(0, sqrt(1 / n_in), (n_out, n_in))


@dataclass(frozen=True)
class Normal(Initializer):
    """N(0, σ²) for weights and biases alike; the report's with σ = 1.

    Parameters
    ----------
    sigma : float, default 1.0
        σ, the standard deviation, ≥ 0.
    """

    name = "normal"
    sigma: float = 1.0

    def __post_init__(self) -> None:
        checks.number("sigma", self.sigma, "[0, inf)")

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return rng.normal(0, self.sigma, (n_out, n_in))

    def bias(self, rng: Generator, n_out: int) -> Array:
        return rng.normal(0, self.sigma, n_out)


class Zeros(Initializer):
    """All zero: for a network without hidden layers, or to be set later."""

    name = "zeros"

    def weight(self, rng: Generator, n_out: int, n_in: int) -> Array:
        return np.zeros((n_out, n_in))


def _uniform(rng: Generator, r: float, n_out: int, n_in: int) -> Array:
    return rng.uniform(-r, r, (n_out, n_in))


def sample(
    initializer: Initializer, sizes: Sequence[int], seed: int
) -> tuple[list[Array], list[Array]]:
    """Return the first weights and biases of a network, each layer from a stream of its own.

    Layer l uses SeedSequence(seed, spawn_key=(l,)), so that its parameters do not depend on the
    other layers.

    Parameters
    ----------
    initializer : Initializer
        The distribution of the parameters.
    sizes : sequence of int
        Numbers of units, the input's first.
    seed : int
        At least 0.

    Returns
    -------
    (list of ndarray, list of ndarray)
        Weights (n_out, n_in) and biases (n_out,), float64.
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
