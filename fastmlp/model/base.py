"""What a network is and what its parameters are: the base of `MLP`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..activations import Activation
from ..encodings import Encoding
from ..history import History
from ..losses import Loss
from ..support import checks
from ..support.keywords import WithKeywords
from . import columns, summary, transfer
from .layers import checked_layers
from .state import Layer, ModelState, Snapshot, Statistics

__all__ = ["NetworkBase"]

Array = NDArray[Any]


class NetworkBase(WithKeywords):
    """Description and parameters of a network, read from and written to its state."""

    state: ModelState
    history: History
    metadata: dict[str, Any]

    @classmethod
    def from_state(cls, state: ModelState, metadata: dict[str, Any]) -> Self:
        """Return the network of a state that was read from a file.

        Parameters
        ----------
        state : ModelState
            Its parameters; the network becomes their owner.
        metadata : dict
            Its notes.

        Returns
        -------
        MLP
            The network.
        """
        net = cls.__new__(cls)
        net.state, net.metadata, net.history = state, metadata, History()
        return net

    def __repr__(self) -> str:
        options = "".join(
            f"{name}={_one_if_alike(value)}, "
            for name in ("batch_norm", "dropout", "input_dropout", "noise", "input_scaling")
            if np.any(value := getattr(self, name))
        )
        return (
            f"MLP({self.sizes}, activation={_one_if_alike(self.activation)}, "
            f"output_activation={self.output_activation}, loss={self.loss}, {options}"
            f"dtype={self.dtype.name!r}, seed={self.seed})"
        )

    def _repr_html_(self) -> str:
        return summary.html(self.state)

    def summary(self) -> str:
        """Return a table of the layers: units, activation, shapes and numbers of parameters.

        Returns
        -------
        str
            Lines of text.

        Examples
        --------
        >>> print(fastmlp.MLP((64, 100, 10)).summary())
        layer   units  activation  weight      parameters
        input      64
        hidden    100  relu        (100, 64)        6,500
        output     10  softmax     (10, 100)        1,010
        loss cross_entropy, 7,510 parameters in float32
        """
        return summary.text(self.state)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of units, from the input to the output."""
        return self.state.spec.sizes

    @property
    def activation(self) -> tuple[Activation, ...]:
        """Activation of each hidden layer."""
        return self.state.spec.activation

    @property
    def output_activation(self) -> Activation:
        """Activation of the output layer."""
        return self.state.spec.output_activation

    @property
    def loss(self) -> Loss:
        """The loss."""
        return self.state.spec.loss

    @property
    def batch_norm(self) -> tuple[bool, ...]:
        """Whether each hidden layer is normalized."""
        return self.state.spec.batch_norm

    @property
    def dropout(self) -> tuple[float, ...]:
        """Dropout probability of each hidden layer."""
        return self.state.spec.dropout

    @property
    def input_dropout(self) -> float:
        """Dropout probability of the inputs."""
        return self.state.spec.input_dropout

    @property
    def noise(self) -> tuple[float, ...]:
        """Standard deviation of the noise of each hidden layer."""
        return self.state.spec.noise

    @property
    def encodings(self) -> tuple[Encoding, ...]:
        """Encoding of each column of X; empty if the columns are the inputs as they are."""
        return self.state.spec.encodings

    @property
    def input_scaling(self) -> bool:
        """Whether the encoded inputs are multiplied by learned factors: see `input_scale`."""
        return self.state.spec.input_scaling

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of parameters, computations and results."""
        return self.state.spec.dtype

    @property
    def seed(self) -> int:
        """Seed of all random numbers of the network."""
        return self.state.spec.seed

    @property
    def uint8_scale(self) -> float:
        """What uint8 examples are multiplied by."""
        return self.state.spec.uint8_scale

    @property
    def epochs(self) -> int:
        """Number of epochs of training begun so far, in all calls of fit."""
        return self.state.epochs

    @epochs.setter
    def epochs(self, value: int) -> None:
        self.state.epochs = checks.whole("net.epochs", value, least=0)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self.sizes[0]

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return self.sizes[-1]

    @property
    def n_parameters(self) -> int:
        """The number of weights, biases and scales, and of the encodings' parameters."""
        return self.state.spec.n_parameters

    # ----------------------------------------------------------------------------- parameters

    @property
    def weights(self) -> list[Array]:
        """Copies of the weights, (n_out, n_in) for each layer, read-only: see `set_parameters`."""
        return [_read_only(layer[0]) for layer in self._layers()]

    @property
    def biases(self) -> list[Array]:
        """Copies of the biases, (n_out,) for each layer, read-only: see `set_parameters`."""
        return [_read_only(layer[1]) for layer in self._layers()]

    @property
    def scales(self) -> list[Array | None]:
        """Copies of γ (n_out,) for each layer with batch norm, None for the others."""
        return [_read_only(layer[2]) if len(layer) > 2 else None for layer in self._layers()]

    @property
    def encoding_parameters(self) -> list[dict[str, Array]]:
        """Copies of the parameters of each column's encoding, by name, read-only.

        A column whose encoding learns nothing has an empty dict.
        """
        spec = self.state.spec
        return columns.by_column(spec.encodings, self._encoding())

    @property
    def input_scale(self) -> Array | None:
        """A copy of the factors s of the encoded inputs, (n_in,); None without `input_scaling`."""
        return self._encoding()[-1] if self.input_scaling else None

    def _layers(self) -> list[Layer]:
        return self.state.layers()[: self.state.spec.n_layers]

    def _encoding(self) -> list[Array]:
        """Copies of the encodings' arrays, in the engine's order."""
        found = self.state.layers()[self.state.spec.n_layers :]
        return [_read_only(one) for arrays in found for one in arrays]

    @property
    def statistics(self) -> Statistics:
        """Copies of the running means and variances of each layer with batch norm."""
        return self.state.statistics()

    @property
    def folded(self) -> tuple[list[Array], list[Array]]:
        """Weights and biases of a network without batch norm that predicts the same: for exports.

        Batch norm is folded into them, by its running statistics; with `use_average` they are
        made from the averages.
        """
        layers = self.state.inference_layers()
        return [weight for weight, _ in layers], [bias for _, bias in layers]

    def set_parameters(
        self,
        weights: Sequence[ArrayLike],
        biases: Sequence[ArrayLike],
        scales: Sequence[ArrayLike | None] | None = None,
        encoding_parameters: Sequence[Mapping[str, ArrayLike]] | None = None,
        input_scale: ArrayLike | None = None,
    ) -> None:
        """Replace all parameters; the optimizer's state stays, an average of them is dropped.

        Parameters
        ----------
        weights, biases : sequences of array-like
            (n_out, n_in) and (n_out,) for each layer, finite.
        scales : sequence of array-like or None, optional
            γ (n_out,) for each layer with batch norm.  None, also for one of them: they stay.
        encoding_parameters : sequence of dict, optional
            The parameters of each column's encoding, as the property of this name returns them.
            None: they stay.
        input_scale : array-like, optional
            The factors s of the encoded inputs.  None: they stay.

        See Also
        --------
        restore : Go back to parameters that `snapshot` returned.
        """
        spec, encoding = self.state.spec, self._encoding()
        if input_scale is not None:
            if not self.input_scaling:
                raise ValueError("input_scale is of networks with input_scaling=True")
            encoding[-1] = checks.array("input_scale", input_scale)
        if encoding_parameters is not None:
            new = columns.checked_parameters(spec.encodings, encoding_parameters, spec.dtype)
            encoding[: len(new)] = new
        layers = checked_layers(spec, weights, biases, scales, encoding)
        with self.state.paused():  # readers see no parameters between the two
            self.state.drop_averages()
            self.state.set_layers(layers)

    def snapshot(self) -> Snapshot:
        """Return the parameters, running statistics and averages of this moment, to restore later.

        Returns
        -------
        object
            For `restore`.  It takes no memory until the network's parameters change.

        See Also
        --------
        EarlyStopping : Restores the parameters of the best epoch.

        Examples
        --------
        >>> snapshot = net.snapshot()
        >>> history = net.fit(X, y, epochs=1)
        >>> net.restore(snapshot)
        """
        return self.state.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to the parameters, running statistics and averages of a snapshot.

        The optimizer's state stays as it is.

        Parameters
        ----------
        snapshot : object
            What `snapshot` of this network returned, or of a network with the same sizes, dtype,
            batch norm and encodings.
        """
        self.state.restore(snapshot)

    @property
    def use_average(self) -> bool:
        """Whether predictions and costs come from the averaged parameters of ``fit(ema=…)``.

        Such a fit sets it; it can be set and unset as long as there is an average.
        """
        return self.state.use_average

    @use_average.setter
    def use_average(self, wanted: bool) -> None:
        self.state.set_use_average(checks.flag("use_average", wanted))

    # ----------------------------------------------------------------------------- fine tuning

    @property
    def frozen(self) -> tuple[int, ...]:
        """The layers that training leaves as they are."""
        return tuple(sorted(self.state.frozen))

    @property
    def encoding_frozen(self) -> bool:
        """Whether training leaves the parameters of the columns' encodings as they are."""
        return self.state.encoding_frozen

    def freeze(self, layers: int | str | Iterable[int | str]) -> None:
        """Keep layers as they are in training, from the next call of fit on.

        For frozen layers only the forward pass is computed, and no delta below the lowest layer
        that trains.  The activations after frozen first layers are computed once a fit, if nothing
        is dropped there and they take at most 512 MiB.  A frozen layer's batch norm uses its
        running statistics.

        Parameters
        ----------
        layers : int or "encoding", or iterable of these
            Indices into `weights`, from 0; "encoding" stands for the encodings' parameters.
        """
        numbers, encoding = self.state.spec.numbers_of_layers(layers)
        self.state.frozen |= numbers
        self.state.encoding_frozen |= encoding

    def unfreeze(self, layers: int | str | Iterable[int | str] | None = None) -> None:
        """Train layers again, from the next call of fit on.

        Parameters
        ----------
        layers : int or "encoding", or iterable of these, optional
            As in `freeze`.  Default: all.
        """
        numbers, encoding = self.state.frozen, True
        if layers is not None:
            numbers, encoding = self.state.spec.numbers_of_layers(layers)
        self.state.frozen -= numbers
        self.state.encoding_frozen &= not encoding

    def with_head(self, n_out: int, *, seed: int | None = None) -> Self:
        """Return a network for other classes: copies of all layers but the last, which is new.

        Parameters
        ----------
        n_out : int
            Number of classes of the new network.
        seed : int, optional
            Seed of the new layer's weights (He's normal distribution) and of the new network.
            Default: this network's seed.

        Returns
        -------
        MLP
            A network that is not trained yet; none of its layers is frozen.

        Examples
        --------
        >>> tuned = net.with_head(5, seed=1)
        >>> tuned.freeze(0)
        >>> history = tuned.fit(X, y % 5, epochs=2)
        """
        return self.from_state(transfer.with_head(self.state, n_out, seed), {})


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _one_if_alike(value: object) -> object:
    """One entry for all hidden layers, where they have the same."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
