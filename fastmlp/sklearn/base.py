"""What both estimators share: fit, partial_fit, and how X finds its way to the network."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from ..network import MLP
from . import lbfgs, options, stochastic
from .protocol import CallbackSupportMixin, Tasks, with_callbacks
from .validation import Part, Watch, split

__all__ = ["BaseMLP"]

Array = NDArray[Any]

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
FORMATS = ("csr", "csc")


class BaseMLP(CallbackSupportMixin, BaseEstimator):
    """Base of the estimators.

    A subclass has the constructor and the hooks

        _read_targets   y of a call, checked        _score    of outputs on examples
        _encode         y as the network reads it   _weighted examples with class weights
        _per_output, _offset   the network's cost as scikit-learn's loss
        _shape          units of the output, loss and name of the output activation
    """

    network_: MLP
    _numeric_targets = False

    @property
    def _stratified(self) -> bool:
        """Whether what is set aside has the classes in proportion."""
        return False

    @property
    def _per_output(self) -> float:
        """What the network's cost is divided by to be scikit-learn's loss."""
        return 1.0

    def _weighted(self, part: Part, incremental: bool) -> Part:
        return part

    def _offset(self, part: Part) -> float:
        """What scikit-learn's loss of these examples has more than the network's cost."""
        return 0.0

    # ------------------------------------------------------------------------------ fitting

    @with_callbacks
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

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values (class labels in classification, real numbers in regression).
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation data of your own: `validation_loss_curve_` is theirs and, with
            `early_stopping`, they are watched, and nothing is set aside.  In a `Pipeline`, X_val
            is transformed like X with ``Pipeline(..., transform_input=["X_val"])``.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

        Returns
        -------
        object
            The fitted estimator itself.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        given: tuple[Any, Any, Any] = (None, None, None),
        incremental: bool = False,
    ) -> Self:
        self._validate_params()
        if self.solver == "lbfgs":
            options.check_lbfgs(self)
        elif self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        hidden = options.hidden_sizes(self.hidden_layer_sizes)
        first = not hasattr(self, "network_") or not (self.warm_start or incremental)
        data = {
            "X": X,
            "y": y,
            "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        }
        part = self._part(X, y, sample_weight, first, incremental)
        rng = check_random_state(self.random_state)
        if first:
            self._begin(hidden, part, rng)
        part, aside = self._set_aside(self._weighted(part, incremental), given, rng)
        self.callbacks_ = [copy.copy(callback) for callback in self.callbacks or ()]
        tasks = Tasks(self, 1 if incremental else self.max_iter, data)
        if self.solver == "lbfgs":
            lbfgs.train(self, part, tasks)
        else:
            watch = None if aside is None else Watch(self, aside)
            stochastic.train(self, part, watch, rng, incremental, tasks)
        tasks.end()
        return self

    def _part(
        self, X: Any, y: Any, sample_weight: Any, first: bool, incremental: bool = False
    ) -> Part:
        """The examples of a call of fit, checked."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=FORMATS,
            multi_output=True,
            y_numeric=self._numeric_targets,
            dtype=FLOATS,
            reset=first,
        )
        y = self._read_targets(y, first, incremental)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        return Part(X, self._encode(y), y, sample_weight)

    def _begin(self, hidden: list[int], part: Part, rng: np.random.RandomState) -> None:
        """A new network, and curves that are empty."""
        n_out, loss, self.out_activation_ = self._shape(part)
        sizes = [part.X.shape[1], *hidden, n_out]
        # L-BFGS is SciPy's, in float64
        dtype = np.float64 if self.solver == "lbfgs" else part.X.dtype
        init = options.first_parameters(self.activation, sizes, rng, dtype)
        seed = int(rng.randint(2**31)) if np.any(np.asarray(self.dropout) != 0) else 0
        self.network_ = MLP(
            sizes,
            activation=options.layer_activations(self.activation),
            loss=loss,
            init=init,
            batch_norm=self.batch_norm,
            dropout=self.dropout,
            dtype=dtype,
            seed=seed,
        )
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(sizes)
        self.n_outputs_ = n_out
        self.__dict__.pop("_rate", None)
        if self.solver != "lbfgs":
            self.loss_curve_: list[float] = []
            self._no_improvement_count = 0
            self.validation_loss_curve_: list[float] | None = None
            self.validation_scores_: list[float] | None = None
            self.best_validation_score_: float | None = None
            self.best_loss_: float | None = np.inf
            if self.early_stopping:
                self.validation_scores_ = []
                self.best_validation_score_ = -np.inf
                self.best_loss_ = None

    def _set_aside(
        self, part: Part, given: tuple[Any, Any, Any], rng: np.random.RandomState
    ) -> tuple[Part, Part | None]:
        """Examples to train on, and those to validate by, if any."""
        X_val, y_val, weight_val = given
        if (X_val is None) != (y_val is None):
            there, missing = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
            raise ValueError(f"{there} is provided, but {missing} was not provided.")
        aside = None
        if X_val is not None:
            check_consistent_length(X_val, y_val)
            aside = self._part(X_val, y_val, weight_val, first=False, incremental=True)
        elif self.early_stopping and self.solver != "lbfgs":
            part, aside = split(part, self.validation_fraction, rng, self._stratified)
        if aside is not None and self.solver != "lbfgs" and self.validation_loss_curve_ is None:
            self.validation_loss_curve_ = []
        return part, aside

    # --------------------------------------------------------------------------- prediction

    def _outputs(self, X: Any) -> Array:
        """Output activations h (m, n_out).

        An array that is plainly what the network reads goes straight to it; all else takes
        scikit-learn's way, with its messages.
        """
        if not hasattr(self, "network_"):
            check_is_fitted(self)
        plain = (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype in FLOATS
            and X.shape[1] == self.n_features_in_
            and len(X) > 0
            and "feature_names_in_" not in self.__dict__
            and np.isfinite(X.sum())
        )
        if not plain:
            X = validate_data(self, X, accept_sparse=FORMATS, dtype=FLOATS, reset=False)
        return self.network_.forward(X)

    def all_activations(self, X: Any) -> list[Array]:
        """Return the activations of each layer behind the input.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        list of ndarray of shape (n_samples, n_units)
            Those of each hidden layer and, last, of the output layer.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=FORMATS, dtype=FLOATS, reset=False)
        return self.network_.activations(X)

    # --------------------------------------------------------------------------- attributes

    @property
    def coefs_(self) -> list[Array]:
        """Weights (n_in, n_out) of each layer: copies, read-only; assign a list to change them."""
        return [weight.T for weight in self._fitted("coefs_").weights]

    @coefs_.setter
    def coefs_(self, value: list[Array]) -> None:
        net = self._fitted("coefs_")
        net.set_parameters([np.asarray(weight).T for weight in value], net.biases)

    @property
    def intercepts_(self) -> list[Array]:
        """Biases (n_out,) of each layer: copies, read-only; assign a list to change them."""
        return self._fitted("intercepts_").biases

    @intercepts_.setter
    def intercepts_(self, value: list[Array]) -> None:
        net = self._fitted("intercepts_")
        net.set_parameters(net.weights, value)

    def _fitted(self, name: str) -> MLP:
        """The network, or the AttributeError of an estimator without one."""
        try:
            return self.__dict__["network_"]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            ) from None

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_solver(self) -> bool:
        """Whether there is a partial_fit."""
        if self.solver == "lbfgs":
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not "
                f"stochastic."
            )
        return True
