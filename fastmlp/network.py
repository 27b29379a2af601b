"""MLP: a multilayer perceptron, its parameters, and what it computes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise, repeat
from math import fsum
from operator import mul
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import (
    activations,
    checks,
    initializers,
    kernels,
    losses,
    saving,
    streaming,
    threads,
    training,
    tuning,
)
from .activations import Activation
from .examples import Examples
from .history import History
from .initializers import Initializer
from .losses import Custom

if TYPE_CHECKING:
    from .kernels.engine import Data, Engine

__all__ = ["MLP"]

Array = NDArray[Any]
Given = tuple[Sequence[ArrayLike], Sequence[ArrayLike]]


class MLP:
    """A multilayer perceptron: a(l+1) = f(W(l) a(l) + b(l)) from the input a(1) to the output.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units: input, hidden layers (none: a linear model), output.
    activation : str, Activation or sequence of these, default "relu"
        f of the hidden layers, one for all or one for each: "identity", "sigmoid", "relu",
        "leaky_relu", "tanh", "softplus", "elu", "selu", "silu", "gelu", "exponential", or an
        object such as ``fastmlp.activations.LeakyReLU(slope=0.2)``.
    output_activation : str or Activation, optional
        f of the output layer.  Default: what the loss implies, softmax for "cross_entropy",
        sigmoid for "binary_cross_entropy", exponential for "poisson" and "gamma", identity for
        the others; only these take another.
    loss : str, Loss or pair of functions, default "cross_entropy"
        "cross_entropy" (one class of several), "binary_cross_entropy" (yes or no for each
        output), "squared_error" (½‖h − y‖²), "absolute_error", "huber", "quantile" (several
        quantiles of a target at once), "poisson" (counts), "gamma" (positive amounts), an object
        such as ``fastmlp.losses.Huber(delta=0.5)``, or (value, gradient), a loss of your own in
        Python: see `fastmlp.losses.Custom`.
    init : str, Initializer or pair of lists of arrays, default "he_normal"
        The first parameters: "he_normal", "he_uniform", "glorot_normal", "glorot_uniform",
        "lecun_normal", "normal", "zeros", an object such as
        ``fastmlp.initializers.Normal(0.1)``, or given (weights, biases).
    batch_norm : bool or sequence of bool, default False
        Normalize hidden layers before their activation: all, or one for each (Ioffe and Szegedy
        2015).  Their biases shift and their `scales` stretch; running statistics (momentum 0.1)
        serve prediction, and 1e-5 stands below the root, as in PyTorch; unlike there
        sample weights count: an example of weight 2 is two of the batch.
    dropout : float or sequence of float, default 0.0
        The probability, in [0, 1), that a hidden unit is dropped in a step of training; one for
        all hidden layers or one for each.  Kept ones count 1/(1 − p), so prediction is unchanged.
    input_dropout : float, default 0.0
        The same for inputs.
    noise : float or sequence of float, default 0.0
        Standard deviation of Gaussian noise on z before the activation, in training; one for all
        hidden layers or one for each.
    dtype : {"float32", "float64"}, default "float32"
        Of parameters, computations and results.
    seed : int or None, default 0
        Of the first parameters, the order of examples, the choice of validation examples, dropout
        and noise.  None draws one, which is then `seed`.
    uint8_scale : float, default 1/255
        uint8 examples count as value × uint8_scale, wherever they are given.

    Attributes
    ----------
    sizes, activation, output_activation, loss, dtype, seed, uint8_scale
        As given, checked; `activation` is a tuple with one object for each hidden layer.
    batch_norm, dropout, noise, input_dropout
        As given; the first three are tuples with one entry for each hidden layer.
    epochs : int
        Epochs of training begun so far, in all calls of fit.
    history : History
        That of the latest fit; empty before it.
    metadata : dict
        For your own notes, such as names of classes; saved with the network, so JSON's types only.

    Notes
    -----
    A network may predict in several Python threads at once and trains in one at a time; what it
    predicts meanwhile comes from parameters in motion.  It can be copied (copy.deepcopy) and
    pickled, for processes; files are written by `save`.

    Examples
    --------
    >>> net = fastmlp.MLP((64, 100, 10))
    >>> history = net.fit(X, y, epochs=30, batch_size=50)
    >>> net.predict(X[:5])
    array([0, 1, 2, 3, 4])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str | Activation | Sequence[str | Activation] = "relu",
        output_activation: str | Activation | None = None,
        loss: losses.Given = "cross_entropy",
        init: str | Initializer | Given = "he_normal",
        batch_norm: bool | Sequence[bool] = False,
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        noise: float | Sequence[float] = 0.0,
        dtype: DTypeLike = "float32",
        seed: int | None = 0,
        uint8_scale: float = 1 / 255,
    ) -> None:
        self.sizes = checks.sizes(sizes)
        n_hidden = len(self.sizes) - 2
        self.activation = activations.hidden(activation, n_hidden)
        self.batch_norm = checks.each(
            "batch_norm", batch_norm, n_hidden, checks.flag, "hidden layers"
        )
        self.dropout = checks.each("dropout", dropout, n_hidden, _probability, "hidden layers")
        self.input_dropout = _probability("input_dropout", input_dropout)
        self.noise = checks.each("noise", noise, n_hidden, _deviation, "hidden layers")
        self.loss = losses.named(loss)
        self.output_activation = self.loss.output_activation(output_activation, self.sizes[-1])
        self.dtype = checks.real_dtype(dtype)
        self.seed = checks.seed(seed)
        self.uint8_scale = checks.number("uint8_scale", uint8_scale, "(0, inf)")
        self.epochs = 0
        self.history = History()
        self.metadata: dict[str, Any] = {}

        if not isinstance(init, (tuple, list)):
            drawn = checks.named("init", init, initializers.TABLE, Initializer)
            init = initializers.draw(drawn, self.sizes, self.seed)
        compiled = kernels.engine(self.dtype.name)
        self._data: type[Data] = compiled.Data
        self._engine: Engine = compiled.Engine(
            self.sizes,
            [(f.name, f.parameter) for f in (*self.activation, self.output_activation)],
            self.loss.name,
            self.uint8_scale,
            list(zip(self.batch_norm, self.dropout, self.noise, strict=True)),
            self.input_dropout,
            self.seed % 2**64,
            self.loss.constants,
            self.loss if isinstance(self.loss, Custom) else None,
        )
        self._frozen: frozenset[int] = frozenset()
        self._optimizer: tuple[str, tuple[float, ...]] | None = None  # whose state the engine has
        self._lock = threading.Lock()
        self.set_parameters(*init)
        for layer, normalized in enumerate(self.batch_norm):
            if normalized:
                weight, bias, one = self._engine.get_layer(layer)
                one[:] = 1
                self._engine.set_layer(layer, weight, bias, one)
                self._engine.set_statistics(layer, np.zeros_like(one), one)

    def __repr__(self) -> str:
        extras = "".join(
            f"{name}={_one_if_alike(value)}, "
            for name in ("batch_norm", "dropout", "input_dropout", "noise")
            if np.any(value := getattr(self, name))
        )
        return (
            f"MLP({self.sizes}, activation={_one_if_alike(self.activation)}, "
            f"output_activation={self.output_activation}, loss={self.loss}, {extras}"
            f"dtype={self.dtype.name!r}, seed={self.seed})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return saving.unpacked, (*saving.packed(self), self.loss), {"history": self.history}

    # ----------------------------------------------------------------------------- parameters

    @property
    def n_parameters(self) -> int:
        """The number of weights, biases and scales."""
        scales = sum(
            n for n, normalized in zip(self.sizes[1:], self.batch_norm, strict=False) if normalized
        )
        return sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.sizes)) + scales

    @property
    def weights(self) -> list[Array]:
        """Copies of the weights, (n_out, n_in) for each layer, read-only: see `set_parameters`."""
        return [weight for weight, *_ in self._layers()]

    @property
    def biases(self) -> list[Array]:
        """Copies of the biases, (n_out,) for each layer, read-only: see `set_parameters`."""
        return [bias for _, bias, *_ in self._layers()]

    @property
    def scales(self) -> list[Array | None]:
        """Copies of γ (n_out,) for each layer with batch norm, None for the others."""
        return [one[2] if len(one) > 2 else None for one in self._layers()]

    @property
    def statistics(self) -> list[tuple[Array, Array] | None]:
        """Copies of the running means and variances of each layer with batch norm."""
        return [self._engine.get_statistics(layer) for layer in range(len(self.sizes) - 1)]

    @property
    def folded(self) -> tuple[list[Array], list[Array]]:
        """Weights and biases of a plain network that predicts the same: for exports.

        Batch norm is folded into them, by its running statistics; with `use_average` they are
        made from the averages.
        """
        layers = [self._engine.get_folded_layer(layer) for layer in range(len(self.sizes) - 1)]
        return [weight for weight, _ in layers], [bias for _, bias in layers]

    def _layers(self) -> list[tuple[Array, ...]]:
        layers = [self._engine.get_layer(layer) for layer in range(len(self.sizes) - 1)]
        for one in (one for pair in layers for one in pair):
            one.flags.writeable = False
        return layers

    def set_parameters(
        self,
        weights: Sequence[ArrayLike],
        biases: Sequence[ArrayLike],
        scales: Sequence[ArrayLike | None] | None = None,
    ) -> None:
        """Replace all parameters; the optimizer's state stays, an average of them goes.

        Parameters
        ----------
        weights, biases : sequences of array-like
            (n_out, n_in) and (n_out,) for each layer, finite.
        scales : sequence of array-like or None, optional
            γ (n_out,) for each layer with batch norm.  None, also for one of them: as they are.
        """
        layers = checks.parameters(weights, biases, self.sizes, self.dtype)
        stretch = checks.scales(scales, self.sizes, self.batch_norm, self.dtype)
        self._engine.drop_average()
        for layer, (parameters, scale) in enumerate(zip(layers, stretch, strict=True)):
            self._engine.set_layer(layer, *parameters, scale)

    @property
    def use_average(self) -> bool:
        """Whether predictions and costs come from the averaged parameters of ``fit(ema=…)``.

        Set by such a fit; may be set and unset at will once there is an average.
        """
        return self._engine.use_average

    @use_average.setter
    def use_average(self, wanted: bool) -> None:
        if checks.flag("use_average", wanted) and self._engine.get_average(0) is None:
            raise ValueError("there is no average of parameters; train with fit(ema=…) first")
        self._engine.use_average = wanted

    # ----------------------------------------------------------------------------- fine tuning

    @property
    def frozen(self) -> tuple[int, ...]:
        """The layers that training leaves as they are."""
        return tuple(sorted(self._frozen))

    freeze = tuning.freeze
    unfreeze = tuning.unfreeze
    with_head = tuning.with_head

    # ----------------------------------------------------------------------------- prediction

    def forward(self, X: checks.Examples) -> Array:
        """Return the output activations h.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`; a numpy.memmap is read in pieces.

        Returns
        -------
        ndarray, (m, n_out)
            Of the network's dtype.
        """
        if isinstance(X, np.memmap):
            return streaming.by_chunk(self.forward, X, self.sizes[0])
        rows = checks.rows(X, self.sizes[0], self.dtype)
        return self._engine.forward(self._data(self._engine, rows), self._threads(rows))

    def activations(self, X: checks.Examples) -> list[Array]:
        """Return the activations of every layer after the input.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`.

        Returns
        -------
        list of ndarray, (m, n)
            Those of a(2) … a(nl), the last being the output.
        """
        rows = checks.rows(X, self.sizes[0], self.dtype)
        return self._engine.activations(self._data(self._engine, rows), self._threads(rows))

    def predict(self, X: checks.Examples) -> Array:
        """Return what the network says about each example.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`; a numpy.memmap is read in pieces.

        Returns
        -------
        ndarray
            "cross_entropy": the most probable class, (m,); with groups that of each, (m, n_groups).
            "binary_cross_entropy": 1 where the probability is above ½, else 0.
            "quantile": the quantiles of each target, ascending; those of a target side by side.
            Other losses: the output.  All but the first are (m, n_out), or (m,) with one output.
        """
        if isinstance(X, np.memmap):
            return streaming.by_chunk(self.predict, X, self.sizes[0])
        return self.loss.predict(self.forward(X))

    def predict_proba(self, X: checks.Examples) -> Array:
        """Return the probabilities of the classes, or of yes for "binary_cross_entropy".

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`.

        Returns
        -------
        ndarray, (m, n_out)
            Of the network's dtype.

        Examples
        --------
        >>> net.predict_proba(X[:4]).argmax(axis=1)
        array([0, 1, 2, 3])
        """
        if not self.loss.classification:
            raise ValueError(
                f"a network trained by {self.loss.name} gives values, not probabilities; use "
                f"predict or forward"
            )
        return self.forward(X)

    # ---------------------------------------------------------------------- cost and gradients

    def cost(
        self,
        X: checks.Examples,
        y: ArrayLike,
        l2: float = 0.0,
        *,
        sample_weight: ArrayLike | None = None,
        training: bool = False,
    ) -> float:
        """Return J = Σ s_i cost_i / Σ s_i + λ/2 Σ W².

        Parameters
        ----------
        X, y : array-like
            Examples and targets, as in `fit`; a numpy.memmap is read in pieces.
        l2 : float, default 0.0
            λ.
        sample_weight : array-like, (m,), optional
            Weights of the examples, as in `fit`.
        training : bool, default False
            As the first batch of the next epoch would see it, these examples being the batch:
            normalized by their own statistics, with that batch's dropout and noise.

        Returns
        -------
        float
            J.
        """
        l2 = checks.number("l2", l2, "[0, inf)")
        if checks.flag("training", training):
            examples = Examples.checked(self, X, y, sample_weight)
            self._batch_of(len(examples))
            n_threads = threads.for_gradients(self.sizes, len(examples))
            found = self._engine.gradients(examples.data, 0, n_threads, False, True, self.epochs)
            sums = [found[:2]]
        else:
            sums = [
                self._engine.cost(chunk.data, self._threads(chunk.X))
                for chunk in streaming.given(self, X, y, sample_weight).chunks()
            ]
        total, weight = np.sum(sums, axis=0).tolist()
        return float(total / weight) + self._penalty(l2, training=training)

    @overload
    def gradients(
        self, X: checks.Examples, y: ArrayLike, l2: float = ..., *,
        sample_weight: ArrayLike | None = ..., wrt: Literal["parameters"] = ...,
        training: bool = ...,
    ) -> list[tuple[Array, ...]]: ...

    @overload
    def gradients(
        self, X: checks.Examples, y: ArrayLike, l2: float = ..., *,
        sample_weight: ArrayLike | None = ..., wrt: Literal["input"], training: bool = ...,
    ) -> Array: ...

    def gradients(
        self,
        X: checks.Examples,
        y: ArrayLike,
        l2: float = 0.0,
        *,
        sample_weight: ArrayLike | None = None,
        wrt: Literal["parameters", "input"] = "parameters",
        training: bool = False,
    ) -> list[tuple[Array, ...]] | Array:
        """Return the derivatives of J (see `cost`).

        Parameters
        ----------
        X, y : array-like
            Examples and targets, as in `fit`.
        l2 : float, default 0.0
            λ.
        sample_weight : array-like, (m,), optional
            Weights of the examples, as in `fit`.
        wrt : {"parameters", "input"}, default "parameters"
            With respect to what.
        training : bool, default False
            As in `cost`.

        Returns
        -------
        list of tuples of ndarray, or ndarray
            (∂J/∂W, ∂J/∂b) for each layer, (∂J/∂W, ∂J/∂b, ∂J/∂γ) with batch norm, of frozen layers
            too; or ∂J/∂X (m, n_in), for uint8 examples by the scaled values.

        Examples
        --------
        >>> [(dW.shape, db.shape) for dW, db in net.gradients(X, y)]
        [((100, 64), (100,)), ((10, 100), (10,))]
        >>> net.gradients(X, y, wrt="input").shape
        (1797, 64)
        """
        l2 = checks.number("l2", l2, "[0, inf)")
        wrt_input = checks.known("wrt", wrt, ("parameters", "input")) == "input"
        examples = Examples.checked(self, X, y, sample_weight)
        if checks.flag("training", training):
            self._batch_of(len(examples))
        n_threads = threads.for_gradients(self.sizes, len(examples))
        return self._engine.gradients(
            examples.data, l2, n_threads, wrt_input, training, self.epochs
        )[2]

    def _batch_of(self, n_rows: int) -> None:
        """Refuse a batch too small to be normalized; tell the engine which layers are frozen."""
        checks.normal_batches(self.batch_norm, n_rows, n_rows)
        ones = [1.0] * (len(self.sizes) - 1)
        self._engine.set_layers([l in self._frozen for l in range(len(ones))], ones, ones)

    def _penalty(self, l2: float, factors: Sequence[float] = (), training: bool = True) -> float:
        """Return λ/2 Σ W², the part of J that is not the examples'."""
        squares = self._engine.weight_squares(training) if l2 > 0 else ()
        return l2 / 2 * fsum(map(mul, factors or repeat(1.0), squares))

    def _threads(self, X: checks.Rows) -> int:
        return threads.for_pass(self.sizes, checks.n_rows(X))

    # ---------------------------------------------------------------------- training and files

    fit = training.fit
    save = saving.save


def _one_if_alike(value: object) -> object:
    """One for all hidden layers, where they have the same."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _probability(name: str, value: object) -> float:
    return checks.number(name, value, "[0, 1)")


def _deviation(name: str, value: object) -> float:
    return checks.number(name, value, "[0, inf)")
