"""What a network is and what its parameters are: the base of `MLP`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..activations import Activation
from ..encodings import Encoding
from ..history import History
from ..losses import Loss
from ..support import checks
from . import files, summary, transfer
from .state import ModelState, Snapshot, Statistics, checked_layers

__all__ = ["NetworkBase"]

Array = NDArray[Any]


class NetworkBase:
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
            for name in ("batch_norm", "dropout", "input_dropout", "noise")
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
        self.state.epochs = value

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
        """The number of weights, biases and scales."""
        return self.state.spec.n_parameters

    # ----------------------------------------------------------------------------- parameters

    @property
    def weights(self) -> list[Array]:
        """Copies of the weights, (n_out, n_in) for each layer, read-only: see `set_parameters`."""
        return [_read_only(layer[0]) for layer in self.state.layers()]

    @property
    def biases(self) -> list[Array]:
        """Copies of the biases, (n_out,) for each layer, read-only: see `set_parameters`."""
        return [_read_only(layer[1]) for layer in self.state.layers()]

    @property
    def scales(self) -> list[Array | None]:
        """Copies of γ (n_out,) for each layer with batch norm, None for the others."""
        return [
            _read_only(layer[2]) if len(layer) > 2 else None for layer in self.state.layers()
        ]

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
    ) -> None:
        """Replace all parameters; the optimizer's state stays, an average of them is dropped.

        Parameters
        ----------
        weights, biases : sequences of array-like
            (n_out, n_in) and (n_out,) for each layer, finite.
        scales : sequence of array-like or None, optional
            γ (n_out,) for each layer with batch norm.  None, also for one of them: they stay.

        See Also
        --------
        restore : Go back to parameters that `snapshot` returned.
        """
        layers = checked_layers(self.state.spec, weights, biases, scales)
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
            What `snapshot` of this network returned, or of a network with the same sizes and dtype.
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

    def freeze(self, layers: int | Iterable[int]) -> None:
        """Keep layers as they are in training, from the next call of fit on.

        For frozen layers only the forward pass is computed, and no delta below the lowest layer
        that trains.  The activations after frozen first layers are computed once a fit, if nothing
        is dropped there and they take at most 512 MiB.  A frozen layer's batch norm uses its
        running statistics.

        Parameters
        ----------
        layers : int or iterable of int
            Indices into `weights`, from 0.
        """
        self.state.frozen |= set(checks.layer_numbers(layers, self.state.spec.n_layers))

    def unfreeze(self, layers: int | Iterable[int] | None = None) -> None:
        """Train layers again, from the next call of fit on.

        Parameters
        ----------
        layers : int or iterable of int, optional
            Indices into `weights`, from 0.  Default: all.
        """
        n_layers = self.state.spec.n_layers
        wanted = range(n_layers) if layers is None else checks.layer_numbers(layers, n_layers)
        self.state.frozen -= set(wanted)

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

    # ----------------------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str], *, with_optimizer: bool = False) -> None:
        """Write the network to a file that `fastmlp.load` and `MLP.load` read.

        The file appears whole or not at all: a file that was there before stays if writing fails.

        Parameters
        ----------
        path : path-like
            The file; no ending is added to its name.
        with_optimizer : bool, default False
            Also write the optimizer's state, so that training goes on from the file as if it had
            never stopped.  The file is then twice (momentum) or three times (Adam) as large.

        See Also
        --------
        Checkpoint : Save during training, with the optimizer's state.

        Notes
        -----
        A file holds no code.  For a loss written in Python it says that there was one, and
        `fastmlp.load` takes it again.
        """
        with_optimizer = checks.flag("with_optimizer", with_optimizer)
        files.write_npz(path, files.pack(self.state, self.metadata, with_optimizer))


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _one_if_alike(value: object) -> object:
    """One entry for all hidden layers, where they have the same."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
