"""MLP: a multilayer perceptron, its parameters, and what it computes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import activations, checks, initializers, kernels, losses, saving, threads, training
from .activations import Activation
from .examples import Examples
from .history import History
from .initializers import Initializer
from .losses import Loss

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
        "leaky_relu", "tanh", "softplus", "elu", "selu", "silu", "gelu", or an object such as
        ``fastmlp.activations.LeakyReLU(slope=0.2)``.
    output_activation : str or Activation, optional
        f of the output layer.  Default: what the loss implies, softmax for "cross_entropy",
        sigmoid for "binary_cross_entropy", identity for "squared_error"; only the last takes
        others.
    loss : str or Loss, default "cross_entropy"
        "cross_entropy" (one class of several), "binary_cross_entropy" (yes or no for each
        output) or "squared_error" (½‖h − y‖²).
    init : str, Initializer or pair of lists of arrays, default "he_normal"
        The first parameters: "he_normal", "he_uniform", "glorot_normal", "glorot_uniform",
        "lecun_normal", "normal", "zeros", an object such as
        ``fastmlp.initializers.Normal(0.1)``, or given (weights, biases).
    dtype : {"float32", "float64"}, default "float32"
        Of parameters, computations and results.
    seed : int or None, default 0
        Of the first parameters, the order of examples and the choice of validation examples.
        None draws one, which is then `seed`.
    uint8_scale : float, default 1/255
        uint8 examples count as value × uint8_scale, wherever they are given.

    Attributes
    ----------
    sizes, activation, output_activation, loss, dtype, seed, uint8_scale
        As given, checked; `activation` is a tuple with one object for each hidden layer.
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
    >>> net = MLP((784, 256, 256, 10))
    >>> history = net.fit(X, y, epochs=15, batch_size=100)
    >>> net.predict(X_test)
    array([7, 2, 1, ..., 4, 5, 6])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str | Activation | Sequence[str | Activation] = "relu",
        output_activation: str | Activation | None = None,
        loss: str | Loss = "cross_entropy",
        init: str | Initializer | Given = "he_normal",
        dtype: DTypeLike = "float32",
        seed: int | None = 0,
        uint8_scale: float = 1 / 255,
    ) -> None:
        self.sizes = checks.sizes(sizes)
        self.activation = activations.hidden(activation, len(self.sizes) - 2)
        self.loss = checks.named("loss", loss, losses.TABLE, Loss)
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
        )
        self._optimizer: tuple[str, tuple[float, ...]] | None = None  # whose state the engine has
        self._lock = threading.Lock()
        self.set_parameters(*init)

    def __repr__(self) -> str:
        one = self.activation[0] if len(set(self.activation)) == 1 else self.activation
        return (
            f"MLP({self.sizes}, activation={one}, output_activation={self.output_activation}, "
            f"loss={self.loss}, dtype={self.dtype.name!r}, seed={self.seed})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return saving.unpacked, saving.packed(self), {"history": self.history}

    # ----------------------------------------------------------------------------- parameters

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.sizes))

    @property
    def weights(self) -> list[Array]:
        """Copies of the weights, (n_out, n_in) for each layer, read-only: see `set_parameters`."""
        return [weight for weight, _ in self._layers()]

    @property
    def biases(self) -> list[Array]:
        """Copies of the biases, (n_out,) for each layer, read-only: see `set_parameters`."""
        return [bias for _, bias in self._layers()]

    def _layers(self) -> list[tuple[Array, Array]]:
        layers = [self._engine.get_layer(layer) for layer in range(len(self.sizes) - 1)]
        for one in (one for pair in layers for one in pair):
            one.flags.writeable = False
        return layers

    def set_parameters(self, weights: Sequence[ArrayLike], biases: Sequence[ArrayLike]) -> None:
        """Replace all parameters; the optimizer's state stays.

        Parameters
        ----------
        weights, biases : sequences of array-like
            (n_out, n_in) and (n_out,) for each layer, finite.
        """
        layers = checks.parameters(weights, biases, self.sizes, self.dtype)
        for layer, (weight, bias) in enumerate(layers):
            self._engine.set_layer(layer, weight, bias)

    # ----------------------------------------------------------------------------- prediction

    def forward(self, X: checks.Examples) -> Array:
        """Return the output activations h, (m, n_out).

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`.
        """
        rows = checks.rows(X, self.sizes[0], self.dtype)
        return self._engine.forward(self._data(self._engine, rows), self._threads(rows))

    def activations(self, X: checks.Examples) -> list[Array]:
        """Return the activations of every layer after the input, a(2) … a(nl), each (m, n).

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`.
        """
        rows = checks.rows(X, self.sizes[0], self.dtype)
        return self._engine.activations(self._data(self._engine, rows), self._threads(rows))

    def predict(self, X: checks.Examples) -> Array:
        """Return what the network says about each example.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`.

        Returns
        -------
        ndarray
            "cross_entropy": the label of the most probable class, (m,).
            "binary_cross_entropy": 1 where the probability is above ½, else 0.
            "squared_error": the output.  These two are (m, n_out), or (m,) with one output.
        """
        return self.loss.predict(self.forward(X))

    def predict_proba(self, X: checks.Examples) -> Array:
        """Return the probabilities of the classes (of yes, for "binary_cross_entropy"), (m, n_out).

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`.
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
    ) -> float:
        """Return J = Σ s_i cost_i / Σ s_i + λ/2 Σ W².

        Parameters
        ----------
        X, y, sample_weight
            Examples, targets and weights, as in `fit`.
        l2 : float, default 0.0
            λ.
        """
        l2 = checks.number("l2", l2, "[0, inf)")
        examples = Examples.checked(self, X, y, sample_weight)
        total, weight = self._engine.cost(examples.data, self._threads(examples.X))
        return total / weight + self._penalty(l2)

    @overload
    def gradients(
        self, X: checks.Examples, y: ArrayLike, l2: float = ..., *,
        sample_weight: ArrayLike | None = ..., wrt: Literal["parameters"] = ...,
    ) -> list[tuple[Array, Array]]: ...

    @overload
    def gradients(
        self, X: checks.Examples, y: ArrayLike, l2: float = ..., *,
        sample_weight: ArrayLike | None = ..., wrt: Literal["input"],
    ) -> Array: ...

    def gradients(
        self,
        X: checks.Examples,
        y: ArrayLike,
        l2: float = 0.0,
        *,
        sample_weight: ArrayLike | None = None,
        wrt: Literal["parameters", "input"] = "parameters",
    ) -> list[tuple[Array, Array]] | Array:
        """Return the derivatives of J (see `cost`).

        Parameters
        ----------
        X, y, sample_weight
            Examples, targets and weights, as in `fit`.
        l2 : float, default 0.0
            λ.
        wrt : {"parameters", "input"}, default "parameters"
            With respect to what.

        Returns
        -------
        list of (ndarray, ndarray) or ndarray
            (∂J/∂W, ∂J/∂b) for each layer, or ∂J/∂X (m, n_in); for uint8 examples by the scaled
            values.
        """
        l2 = checks.number("l2", l2, "[0, inf)")
        wrt_input = checks.known("wrt", wrt, ("parameters", "input")) == "input"
        examples = Examples.checked(self, X, y, sample_weight)
        n_threads = threads.for_step(self.sizes, len(examples))
        return self._engine.gradients(examples.data, l2, n_threads, wrt_input)

    def _penalty(self, l2: float) -> float:
        """Return λ/2 Σ W², the part of J that is not the examples'."""
        if l2 == 0:
            return 0.0
        return l2 / 2 * sum(float(np.sum(np.square(W, dtype=np.float64))) for W in self.weights)

    def _threads(self, X: checks.Rows) -> int:
        return threads.for_pass(self.sizes, checks.n_rows(X))

    # ---------------------------------------------------------------------- training and files

    fit = training.fit
    save = saving.save
