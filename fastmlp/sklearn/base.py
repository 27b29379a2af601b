"""What both estimators share: fit, and the way from X and y to the network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from ..model.layers import checked_layers
from ..model.spec import NetworkSpec
from ..model.state import ModelState
from ..network import MLP
from ..support import checks
from . import lbfgs, options, stochastic, streams
from .layer_attributes import LayerAttributes
from .rollback import restored_on_error
from .samples import Samples, train_validation_split
from .sklearn_callbacks import CallbackSupportMixin, FitTasks, with_callbacks
from .validation import OF_VALIDATION, Validation
from .warm_start import continued

__all__ = ["BaseMLP"]

Array = NDArray[Any]

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
FORMATS = ("csr", "csc")


class BaseMLP(CallbackSupportMixin, LayerAttributes, BaseEstimator):
    """Base of the estimators.

    A subclass has the constructor and the hooks

        _read_targets   check the y of a call           _score_outputs   score of outputs
        _encode         y as the network reads it       _weighted        apply class weights
        _plain_target   the same of an array (m,), if it needs no other check
        _output_layer   number of outputs, and loss     _metadata        notes of the network
        _loss_divisor, _loss_constants, _max_cost       from the network's cost to the loss
        _warn_of_fit    warn of what a fit has not reached
    """

    network_: MLP
    _numeric_targets = False

    @property
    def _stratified(self) -> bool:
        """Whether the validation set has the classes in proportion."""
        return False

    @property
    def _loss_divisor(self) -> float:
        """What the network's cost is divided by in scikit-learn's loss."""
        return 1.0

    @property
    def _max_cost(self) -> float:
        """−log of the least probability that counts in scikit-learn's loss; 0 for no limit."""
        return 0.0

    def _loss_constants(self, target: Array) -> Array | None:
        """Return what scikit-learn's loss adds to the network's cost of each sample, (m,)."""
        return None

    def _weighted(self, samples: Samples) -> Samples:
        return samples

    def _metadata(self) -> dict[str, Any]:
        names = getattr(self, "feature_names_in_", None)
        return {} if names is None else {"columns": names.tolist()}

    def _warn_of_fit(self, samples: Samples) -> None:
        """Warn of what a call of fit has not reached."""

    # ------------------------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the model to data matrix X and target(s) y.

        If it fails, the estimator stays as it was before the call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values: class labels in classification, real numbers in regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights ≥ 0.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Input data of a validation set of your own.  Its loss after each epoch is stored in
            `validation_loss_curve_`, and `early_stopping` monitors it instead of a part of X.  In a
            `Pipeline`, X_val is transformed like X with
            ``Pipeline(..., transform_input=["X_val"])``.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Target values of the validation set.
        sample_weight_val : array-like of shape (n_val,), default=None
            Sample weights of the validation set.

        Returns
        -------
        object
            The fitted estimator itself.
        """
        with restored_on_error(self, continues=self.warm_start):
            warn = self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        warn()
        return self

    @with_callbacks
    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: tuple[Any, Any, Any] = (None, None, None),
        incremental: bool = False,
    ) -> Callable[[], None]:
        """Fit, and return the function that warns of the result.

        It is called when nothing can undo the fit any more, since a filter of warnings may make an
        error of a warning.
        """
        goes_on = incremental and streams.goes_on(self)
        if not goes_on:
            self.__dict__.pop("_plan", None)
            self._validate_params()
            if self.solver == "lbfgs":
                options.check_lbfgs(self)
            elif self.early_stopping and incremental:
                raise ValueError("partial_fit does not support early_stopping=True")
        is_first = not hasattr(self, "network_") or not (self.warm_start or incremental)
        data = {
            "X": X,
            "y": y,
            "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        }
        samples = streams.plain_samples(self, X, y, sample_weight) if goes_on else None
        is_known = samples is not None
        if samples is None:
            samples = self._samples(X, y, sample_weight, is_first, incremental)
        with streams.random_numbers(self.random_state) as rng:
            if not is_known:
                self._prepare_network(samples, rng, is_first, incremental)
            self._prepare_curves(is_first)
            samples = self._weighted(samples).with_checked_weights(self.network_.dtype)
            samples, validation_set = self._validation_set(samples, validation_data, rng)
            self.callbacks_ = [copy.copy(callback) for callback in self.callbacks or ()]
            tasks = FitTasks(self, 1 if incremental else options.number(self, "max_iter"), data)
            if self.solver == "lbfgs":
                warn_of_end = lbfgs.train(self, samples, tasks)
            else:
                validation = None if validation_set is None else Validation(self, validation_set)
                warn_of_end = stochastic.train(
                    self, samples, validation, rng, incremental, tasks
                )
        tasks.end()
        if incremental and not goes_on:
            streams.remember(self)

        def warn() -> None:
            warn_of_end()
            if not incremental:
                self._warn_of_fit(samples)

        return warn

    def _samples(
        self, X: Any, y: Any, sample_weight: Any, is_first: bool, incremental: bool
    ) -> Samples:
        """Return the samples of a call of fit, checked."""
        checks.no_dates("X", X)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=FORMATS,
            multi_output=True,
            y_numeric=self._numeric_targets,
            dtype=FLOATS,
            reset=is_first,
        )
        y = self._read_targets(y, is_first, incremental)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        return Samples(X, self._encode(y), y, sample_weight)

    def _prepare_network(
        self,
        samples: Samples,
        rng: np.random.RandomState,
        is_first: bool,
        incremental: bool,
    ) -> None:
        """Make a new network, or the previous one ready to go on."""
        hidden = options.hidden_sizes(self.hidden_layer_sizes)
        n_out, loss = self._output_layer(samples)
        # L-BFGS is SciPy's, in float64
        dtype = np.float64 if self.solver == "lbfgs" else samples.X.dtype
        if incremental and not is_first:  # a stream keeps the dtype that it began with
            dtype = self.network_.dtype
        sizes = [samples.X.shape[1], *hidden, n_out]
        spec = NetworkSpec.checked(
            sizes,
            activation=options.layer_activations(self.activation),
            output_activation=None,
            loss=loss,
            batch_norm=self.batch_norm,
            dropout=self.dropout,
            input_dropout=0.0,
            noise=0.0,
            dtype=dtype,
            seed=0,
            uint8_scale=1.0,
        )
        if is_first:
            parameters = options.initial_parameters(self.activation, sizes, rng, dtype)
            if any(spec.dropout):
                spec = replace(spec, seed=int(rng.randint(2**31)))
            state = ModelState(spec, checked_layers(spec, *parameters))
            self.network_ = MLP.from_state(state, {})
            self.n_iter_ = self.t_ = 0
            self.__dict__.pop("_rate_rule", None)
        else:
            call = "partial_fit" if incremental else "warm_start=True"
            self.network_ = continued(self.network_, spec, rng, call)
        self.network_.metadata |= self._metadata()
        self.n_layers_ = len(sizes)
        self.n_outputs_ = n_out
        name = spec.output_activation.name
        self.out_activation_ = options.TO_SKLEARN.get(name, name)

    def _prepare_curves(self, is_first: bool) -> None:
        """Make the records of training ready: empty ones, or copies of those that go on."""
        curves = ("loss_curve_", "validation_loss_curve_", "validation_scores_")
        if self.solver == "lbfgs":  # which has none
            for name in (*curves, "best_loss_", "best_validation_score_", "_no_improvement_count"):
                self.__dict__.pop(name, None)
            return
        if is_first or not hasattr(self, "loss_curve_"):
            self.loss_curve_: list[float] = []
            self.validation_loss_curve_: list[float] | None = None
            self.validation_scores_: list[float] | None = None
            self.best_validation_score_: float | None = None
            self.best_loss_: float | None = None
            self._no_improvement_count = 0
        for name in curves:
            if getattr(self, name) is not None:
                setattr(self, name, list(getattr(self, name)))
        if self.early_stopping and self.validation_scores_ is None:
            self.validation_scores_, self.best_validation_score_ = [], -inf
            self.best_loss_ = None
        elif not self.early_stopping and self.best_loss_ is None:
            self.validation_scores_ = self.best_validation_score_ = None
            self.best_loss_ = inf

    def _validation_set(
        self,
        samples: Samples,
        validation_data: tuple[Any, Any, Any],
        rng: np.random.RandomState,
    ) -> tuple[Samples, Samples | None]:
        """Return the samples to train on and those to validate on, if any."""
        X_val, y_val, weight_val = validation_data
        if (X_val is None) != (y_val is None):
            there, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
            raise ValueError(f"{there} is provided, but {missing} was not provided.")
        if X_val is None and weight_val is not None:
            raise ValueError("sample_weight_val is provided, but X_val and y_val are not.")
        validation_set = None
        if X_val is not None:
            with checks.within(OF_VALIDATION):
                check_consistent_length(X_val, y_val)
                validation_set = self._samples(
                    X_val, y_val, weight_val, is_first=False, incremental=True
                )
        elif self.early_stopping and self.solver != "lbfgs":
            samples, validation_set = train_validation_split(
                samples, self.validation_fraction, rng, self._stratified
            )
        if self.solver != "lbfgs" and validation_set is not None:
            if self.validation_loss_curve_ is None:
                self.validation_loss_curve_ = []
        return samples, validation_set

    # --------------------------------------------------------------------------- prediction

    def _outputs(self, X: Any) -> Array:
        """Return the output activations h (m, n_out).

        An array as the network reads it goes straight to the network; all other input goes through
        scikit-learn's validation, with its messages.
        """
        if not hasattr(self, "network_"):
            check_is_fitted(self)
        is_plain = (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype in FLOATS
            and X.shape[1] == self.n_features_in_
            and len(X) > 0
            and "feature_names_in_" not in self.__dict__
            and np.isfinite(X.sum())
        )
        return self.network_.forward(X if is_plain else self._rows(X))

    def _rows(self, X: Any) -> Any:
        """Return the rows to predict, checked."""
        checks.no_dates("X", X)
        return validate_data(self, X, accept_sparse=FORMATS, dtype=FLOATS, reset=False)

    def all_activations(self, X: Any) -> list[Array]:
        """Return the activations of every layer after the input.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        list of ndarray of shape (n_samples, n_units)
            The activations of each hidden layer and, last, of the output layer.

        See Also
        --------
        fastmlp.MLP.activations : The method of the network.
        """
        check_is_fitted(self)
        return self.network_.activations(self._rows(X))

    # --------------------------------------------------------------- what scikit-learn asks for

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_solver(self) -> bool:
        """Return whether there is a partial_fit."""
        if self.solver == "lbfgs":
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not "
                f"stochastic."
            )
        return True
