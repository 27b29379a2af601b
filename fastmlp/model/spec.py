"""The description of a network: all that is fixed when it is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any, Self, TypeGuard

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import activations, losses
from ..activations import Activation
from ..encodings import Encoding
from ..losses import Loss, LossSpec
from ..support import checks
from . import columns

__all__ = ["ActivationSpec", "EncodingSpec", "NetworkSpec"]

EncodingSpec = Encoding | Sequence[Encoding] | None
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
    encodings: tuple[Encoding, ...] = ()  # of each column of X; empty: a(1) = x
    input_scaling: bool = False  # a(1) = s ∘ e(x) with learned factors s

    @classmethod
    def checked(
        cls,
        sizes: Sequence[int] | NDArray[np.integer[Any]],
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
        encodings: EncodingSpec = None,
        input_scaling: bool = False,
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
            encodings=columns.of_columns(
                encodings,
                checked_sizes[0],
                checked_dtype,
                checks.flag("input_scaling", input_scaling),
            ),
            input_scaling=bool(input_scaling),
        )

    def reads_alike(self, other: NetworkSpec) -> bool:
        """Return whether two networks read the same examples, and their targets, alike."""
        return self is other or (
            self.sizes[0] == other.sizes[0]
            and self.sizes[-1] == other.sizes[-1]
            and self.dtype == other.dtype
            and self.loss == other.loss
            and self.uint8_scale == other.uint8_scale
            and self.encodings == other.encodings
        )

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Numbers of units, from a(1), the encoded input, to the output."""
        if not self.encodings:
            return self.sizes
        return (columns.first_outputs(self.encodings)[-1], *self.sizes[1:])

    @property
    def n_layers(self) -> int:
        """The number of layers of weights."""
        return len(self.sizes) - 1

    @cached_property
    def seed_words(self) -> NDArray[np.uint32]:
        """The seed in words of 32 bits, the lowest first, for the random orders of rows."""
        n_words = max(1, -(-self.seed.bit_length() // 32))
        return np.frombuffer(self.seed.to_bytes(4 * n_words, "little"), "<u4").astype(np.uint32)

    @property
    def n_parameters(self) -> int:
        """The number of weights, biases and scales, and of the encodings' parameters."""
        weights = sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.layer_sizes))
        scales = zip(self.sizes[1:], self.batch_norm, strict=False)
        return self.n_encoding_parameters + weights + sum(n for n, one in scales if one)

    @property
    def encoding_shapes(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of the encodings' parameters; empty if nothing is learned."""
        return columns.shapes_of(self.encodings, self.input_scaling)

    def numbers_of_layers(self, layers: Any) -> tuple[frozenset[int], bool]:
        """Return the indices of layers, and whether "encoding" is among them."""
        single = isinstance(layers, str) or not isinstance(layers, Iterable)
        given = [layers] if single else checks.items("layers", layers)
        numbers = [one for one in given if not (isinstance(one, str) and one == "encoding")]
        found = checks.layer_numbers(numbers, self.n_layers)
        encoding = len(numbers) < len(given)
        if encoding and not self.encoding_shapes:
            raise ValueError("the network's encodings have no parameters to freeze")
        return frozenset(found), encoding

    @property
    def n_encoding_parameters(self) -> int:
        """The number of parameters of the encodings."""
        return sum(prod(shape) for shape in self.encoding_shapes.values())

    def may_check_later(self, X: object) -> TypeGuard[NDArray[Any]]:
        """Return whether X is an array whose numbers the engine can check as it reads them."""
        return not self.encodings and checks.is_read_as_it_lies(X, self.dtype)

    def rows(self, X: checks.Examples, *, finite_later: bool = False) -> checks.Rows:
        """Return examples as the engine reads them: see `checks.rows`.

        X of a network with encodings is dense, of real numbers, and its categories are codes.
        """
        if not self.encodings:
            return checks.rows(X, self.sizes[0], self.dtype, finite_later=finite_later)
        if hasattr(X, "tocsr"):
            raise TypeError("X is sparse; a network with encodings takes dense rows: X.toarray()")
        found = checks.rows(X, self.sizes[0], self.dtype)
        assert not isinstance(found, tuple)
        columns.check_rows(found, self.encodings, self.dtype)
        return found


def _probability(name: str, value: object) -> float:
    return checks.number(name, value, "[0, 1)")
