"""What a network computes from examples: predictions, costs and gradients."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .data import batches
from .data.examples import Examples
from .data.memory_maps import by_chunk, is_memory_map
from .kernels.calls import TrainingOptions
from .model import columns
from .model.base import NetworkBase
from .model.state import Snapshot
from .support import checks, threads

__all__ = ["Predictor"]

Array = NDArray[Any]

LARGE = 1 << 16  # numbers of X from which a check before the pass takes longer than one within it


class Predictor(NetworkBase):
    """Predictions, costs and gradients of a network; `MLP` adds training and files."""

    def forward(self, X: checks.Examples) -> Array:
        """Return the output activations h.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`; a numpy.memmap is read in pieces.

        Returns
        -------
        ndarray, (m, n_out)
            In the network's dtype.

        Raises
        ------
        FloatingPointError
            If an output is infinite or NaN: the examples are too large for the network's dtype.
        """
        if is_memory_map(X):
            of = self.state.snapshot()  # the same parameters for all pieces
            return by_chunk(lambda part: self._forward(part, of), X, self.sizes[0])
        return self._forward(X)

    def _forward(self, X: checks.Examples, of: Snapshot | None = None) -> Array:
        spec = self.state.spec
        unchecked = isinstance(X, np.ndarray) and X.size >= LARGE and spec.may_check_later(X)
        return self.forward_rows(spec.rows(X, finite_later=unchecked), of, unchecked=unchecked)

    def forward_rows(
        self, rows: checks.Rows, of: Snapshot | None = None, *, unchecked: bool = False
    ) -> Array:
        """Return the output activations of rows, by the parameters of now or of a snapshot.

        Parameters
        ----------
        rows : ndarray or CSR arrays
            What `NetworkSpec.rows` of this network returned.
        of : object, optional
            What `snapshot` returned.
        unchecked : bool, default False
            Whether numbers of rows that `may_check_later` may be infinite or NaN: each thread looks
            for them as it reads its rows.

        Returns
        -------
        ndarray, (m, n_out)
            In the network's dtype.
        """
        data, n_threads = self.state.data(rows), self._threads(rows)
        data.unchecked = unchecked
        try:
            return self.state.forward(data, n_threads, of, require_finite=True)
        except ValueError:
            if unchecked:
                assert not isinstance(rows, tuple)
                checks.finite("X", rows, self.dtype)  # says which number it is
            raise
        except FloatingPointError:
            checks.finite_outputs(self.state.forward(data, n_threads, of))  # says which it is
            raise

    def activations(self, X: checks.Examples) -> list[Array]:
        """Return the activations of every layer after the input.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`.

        Returns
        -------
        list of ndarray, (m, n)
            a(2), …, a(nl); the last is the output.
        """
        rows = self.state.spec.rows(X)
        return self.state.activations(self.state.data(rows), self._threads(rows))

    def predict(self, X: checks.Examples) -> Array:
        """Return the class or the value that the network predicts for each example.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`; a numpy.memmap is read in pieces.

        Returns
        -------
        ndarray
            For "cross_entropy" the most probable class, (m,), with groups of classes that of each
            group, (m, n_groups).  For "binary_cross_entropy" 1 where the probability is above ½,
            else 0.  For "quantile" the quantiles of each target, ascending, those of a target side
            by side.  For other losses the output.  All but the first are (m, n_out), or (m,) with
            one output.

        See Also
        --------
        predict_proba : The probabilities of the classes.
        """
        return self.loss.predict(self.forward(X))

    def predict_proba(self, X: checks.Examples) -> Array:
        """Return the probabilities of the classes, or of 1 for "binary_cross_entropy".

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `fit`.

        Returns
        -------
        ndarray, (m, n_out)
            In the network's dtype.

        See Also
        --------
        predict : The most probable class.

        Examples
        --------
        >>> net.predict_proba(X[:4]).argmax(axis=1)
        array([0, 1, 2, 3])
        """
        self.loss.check_classification()
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
            Compute J as the next epoch would if these examples were its first batch: normalized
            by their own statistics, with that batch's dropout and noise.

        Returns
        -------
        float
            J.

        See Also
        --------
        gradients : The derivatives of J.
        """
        l2 = checks.number("l2", l2, "[0, inf)", dtype=self.dtype)
        training, state, of = checks.flag("training", training), self.state, self.state.snapshot()
        if training:
            examples = Examples.checked(state, X, y, sample_weight)
            progress, _ = self._gradients(examples, l2, "parameters", training=True, of=of)
            sums = [(progress.cost, progress.weight)]
        else:
            sums = [
                state.evaluate(chunk.data, self._threads(chunk.X), of)[:2]
                for chunk in batches.with_targets(state, X, y, sample_weight).chunks()
            ]
        total, weight = np.sum(sums, axis=0).tolist()
        if weight == 0:  # another thread has changed the weights since they were checked
            raise ValueError("sample_weight is zero for every example")
        if not np.isfinite(total):
            raise FloatingPointError(
                "the cost of these examples is not finite: X, or the network's parameters, are "
                "too large for its dtype; scale X so that its columns are about 1 in size"
            )
        return float(total / weight) + state.penalty(l2, training=training, of=of)

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

    @overload
    def gradients(
        self, X: checks.Examples, y: ArrayLike, l2: float = ..., *,
        sample_weight: ArrayLike | None = ..., wrt: Literal["encoding"], training: bool = ...,
    ) -> tuple[list[dict[str, Array]], Array | None]: ...

    def gradients(
        self,
        X: checks.Examples,
        y: ArrayLike,
        l2: float = 0.0,
        *,
        sample_weight: ArrayLike | None = None,
        wrt: Literal["parameters", "input", "encoding"] = "parameters",
        training: bool = False,
    ) -> list[tuple[Array, ...]] | Array | tuple[list[dict[str, Array]], Array | None]:
        """Return the derivatives of J (see `cost`).

        Parameters
        ----------
        X, y : array-like
            Examples and targets, as in `fit`.
        l2 : float, default 0.0
            λ.
        sample_weight : array-like, (m,), optional
            Weights of the examples, as in `fit`.
        wrt : {"parameters", "input", "encoding"}, default "parameters"
            The variables of the derivatives: weights, biases and scales of the layers, X, or the
            parameters of the columns' encodings and `input_scale`.
        training : bool, default False
            As in `cost`.

        Returns
        -------
        list of tuples of ndarray, ndarray, or tuple
            (∂J/∂W, ∂J/∂b) for each layer, (∂J/∂W, ∂J/∂b, ∂J/∂γ) with batch norm, also of frozen
            layers; or ∂J/∂X (m, n_in), for uint8 examples by the scaled values; or a list like
            `encoding_parameters`, and an array like `input_scale`.

        See Also
        --------
        cost : J itself.

        Examples
        --------
        >>> [(dW.shape, db.shape) for dW, db in net.gradients(X, y)]
        [((100, 64), (100,)), ((10, 100), (10,))]
        >>> net.gradients(X, y, wrt="input").shape
        (1797, 64)
        """
        l2 = checks.number("l2", l2, "[0, inf)", dtype=self.dtype)
        checks.known("wrt", wrt, ("parameters", "input", "encoding"))
        if wrt == "input" and self.encodings:
            raise ValueError(
                "wrt must be 'parameters' or 'encoding' for a network with encodings: J has no "
                "derivative by a category, and by a number none at the edge of a bin"
            )
        if wrt == "encoding" and not self.state.spec.encoding_shapes:
            raise ValueError("wrt='encoding': the network's encodings have no parameters")
        training = checks.flag("training", training)
        examples = Examples.checked(self.state, X, y, sample_weight)
        derivatives: Any = self._gradients(examples, l2, wrt, training)[1]
        if wrt == "encoding":
            scale = derivatives[-1] if self.input_scaling else None
            return columns.by_column(self.encodings, derivatives), scale
        found: list[tuple[Array, ...]] | Array = derivatives
        return found

    def _gradients(
        self, examples: Examples, l2: float, wrt: str, training: bool, of: Snapshot | None = None
    ) -> Any:
        spec, m = self.state.spec, len(examples)
        if training:
            checks.normal_batches(spec.batch_norm, m, m)
        options = TrainingOptions(
            l2=l2, frozen=tuple(l in self.state.frozen for l in range(spec.n_layers))
        )
        n_threads = threads.for_gradients(spec.layer_sizes, m)
        return self.state.gradients(examples.data, options, n_threads, wrt, training, of)

    def _threads(self, X: checks.Rows) -> int:
        return threads.for_pass(self.state.spec.layer_sizes, checks.n_rows(X))
