"""The description of a network: all that is fixed when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from .. import activations, losses
from ..activations import Activation
from ..losses import Loss, LossSpec
from ..support import checks

__all__ = ["ActivationSpec", "NetworkSpec"]

ActivationSpec = str | Activation | Sequence[str | Activation]


@dataclass(frozen=True)
class NetworkSpec:
    """Layers, loss, dtype and seed of a network; tuples have one entry for each hidden layer."""

    sizes: tuple[int, ...]
    activation: tuple[Activation, ...]
    output_activation: Activation
    loss: Loss
    batch_norm: tuple[bool, ...]
    dropout: tuple[float, ...]
    input_dropout: float
    noise: tuple[float, ...]
    dtype: np.dtype[Any]
    seed: int
    uint8_scale: float

    @classmethod
    def checked(
        cls,
        sizes: Sequence[int],
        *,
        activation: ActivationSpec,
        output_activation: str | Activation | None,
        loss: LossSpec,
        batch_norm: bool | Sequence[bool],
        dropout: float | Sequence[float],
        input_dropout: float,
        noise: float | Sequence[float],
        dtype: DTypeLike,
        seed: int | None,
        uint8_scale: float,
    ) -> Self:
        """Return the description that the arguments of `MLP` make, each of them checked."""
        checked_sizes = checks.sizes(sizes)
        n_hidden, of = len(checked_sizes) - 2, "hidden layers"
        checked_dtype = checks.real_dtype(dtype)
        checked_loss = losses.from_spec(loss)
        with checks.within("loss"):
            checks.constants(checked_loss, checked_dtype)
        checked_activation = activations.hidden(activation, n_hidden)
        for l, one in enumerate(checked_activation):
            with checks.within(f"activation of hidden layer {l + 1}"):
                checks.constants(one, checked_dtype)
        output = checked_loss.output_activation(output_activation, checked_sizes[-1])
        with checks.within("output_activation"):
            checks.constants(output, checked_dtype)

        def standard_deviation(name: str, value: object) -> float:
            return checks.number(name, value, "[0, inf)", dtype=checked_dtype)

        return cls(
            sizes=checked_sizes,
            activation=checked_activation,
            output_activation=output,
            loss=checked_loss,
            batch_norm=checks.each("batch_norm", batch_norm, n_hidden, checks.flag, of),
            dropout=checks.each("dropout", dropout, n_hidden, _probability, of),
            input_dropout=_probability("input_dropout", input_dropout),
            noise=checks.each("noise", noise, n_hidden, standard_deviation, of),
            dtype=checked_dtype,
            seed=checks.seed(seed),
            uint8_scale=checks.number(
                "uint8_scale", uint8_scale, "(0, inf)", dtype=checked_dtype
            ),
        )

    @property
    def n_layers(self) -> int:
        """The number of layers of weights."""
        return len(self.sizes) - 1

    @property
    def n_parameters(self) -> int:
        """The number of weights, biases and scales."""
        weights = sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.sizes))
        scales = zip(self.sizes[1:], self.batch_norm, strict=False)
        return weights + sum(n for n, normalized in scales if normalized)


def _probability(name: str, value: object) -> float:
    return checks.number(name, value, "[0, 1)")
