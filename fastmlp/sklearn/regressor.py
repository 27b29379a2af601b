"""MLPRegressor: the estimator for regression."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from .. import losses
from ..losses import Loss
from ..support import checks
from .base import FLOATS, BaseMLP
from .docstrings import shares_docstrings
from .options import REGRESSOR_CONSTRAINTS
from .rollback import restored_on_error
from .samples import Samples
from .target_scale import warn_of_target_scale

__all__ = ["MLPRegressor"]

Array = NDArray[Any]

POSITIVE = ("poisson", "gamma")


@shares_docstrings(score="R²")
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron regressor, in place of ``sklearn.neural_network.MLPRegressor``.

    Parameters
    ----------
    loss : str, fastmlp.losses.Loss or pair of functions, default="squared_error"
        The loss to minimize: "squared_error", half the squared error; "poisson", half the deviance
        of counts y ≥ 0; "absolute_error"; "huber"; "quantile", by default the quantiles 0.05, 0.5
        and 0.95; "gamma" for y > 0.  "poisson" and "gamma" predict eᶻ.  An object sets the
        constants, for example ``fastmlp.losses.Huber(delta=0.5)`` or
        ``fastmlp.losses.Quantile((0.1, 0.9))``.  A pair (value, gradient) is a loss of your own:
        two functions of outputs h and targets y, both (m, n_outputs), that return the cost of each
        sample (m,) and its derivative with respect to h; see `fastmlp.losses.Custom`.
    {network_parameters}
    {more_parameters}

    Attributes
    ----------
    {fitted_attributes}

    See Also
    --------
    MLPClassifier : The estimator for classification.
    fastmlp.MLP : The network itself, without scikit-learn.

    Notes
    -----
    The network's outputs start at about 1.  Targets of another scale, such as prices in dollars,
    should be standardized, for example by ``TransformedTargetRegressor(MLPRegressor(),
    transformer=StandardScaler())``; fit warns if the network has not learned such targets.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from fastmlp.sklearn import MLPRegressor
    >>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    >>> model = MLPRegressor(random_state=1, max_iter=2000, tol=0.1).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = REGRESSOR_CONSTRAINTS
    _numeric_targets = True

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        batch_norm: Any = False,
        scoring: Any = None,
        ema: float | None = None,
        callbacks: Any = None,
        n_threads: int | None = None,
        max_seconds: float | None = None,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.scoring = scoring
        self.ema = ema
        self.callbacks = callbacks
        self.n_threads = n_threads
        self.max_seconds = max_seconds

    @available_if(lambda estimator: estimator._check_solver())
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Continue training with one epoch over the given data, and with the optimizer's state.

        If it fails, the estimator stays as it was before the call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights ≥ 0.

        Returns
        -------
        object
            The fitted estimator itself.

        See Also
        --------
        fit : Train until the loss no longer improves.
        """
        with restored_on_error(self, continues=True):
            warn = self._fit(X, y, sample_weight, incremental=True)
        warn()
        return self

    def predict(self, X: Any) -> Array:
        """Predict values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted values; with ``loss="quantile"`` the quantile nearest to the median.

        See Also
        --------
        predict_quantiles : Predict all quantiles.
        """
        return self._values(self._outputs(X))

    @available_if(lambda estimator: estimator._check_quantiles())
    def predict_quantiles(self, X: Any) -> Array:
        """Predict all quantiles of ``loss="quantile"``; they never cross.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles)
            The quantiles of each target, ascending in the last axis.
        """
        h = self._outputs(X)
        loss: Any = self.network_.loss
        each = loss.predict(h).reshape(len(h), -1, len(loss.quantiles))
        return np.asarray(each[:, 0] if each.shape[1] == 1 else each)

    def _check_quantiles(self) -> bool:
        """Return whether there are quantiles to predict: of the network, if there is one."""
        net = self.__dict__.get("network_")
        loss = self.loss if net is None else net.loss
        if getattr(loss, "name", loss) != "quantile":
            raise AttributeError(f"predict_quantiles is for loss='quantile', got {loss!r}")
        return True

    # ------------------------------------------------------------------- hooks of the base

    @property
    def _loss_divisor(self) -> float:
        return float(self.n_outputs_) if self.network_.loss.name == "squared_error" else 1.0

    def _loss_constants(self, target: Array) -> Array | None:
        if self.network_.loss.name != "poisson":
            return None
        y = target.astype(np.float64)
        return np.asarray((xlogy(y, y) - y).sum(axis=1))

    def _read_targets(self, y: Any, is_first: bool, incremental: bool) -> Any:
        if hasattr(y, "tocsr"):
            checks.array("y", y)  # raises TypeError, which says what to do
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _encode(self, y: Any) -> Array:
        return np.asarray(y[:, np.newaxis] if y.ndim == 1 else y)

    def _plain_target(self, y: Array) -> Array | None:
        net = self.network_
        y = np.ascontiguousarray(y)
        n_out = net.loss.outputs_for(1)
        if n_out != self.n_outputs_ or y.dtype not in FLOATS or not checks.ready(y, y.dtype):
            return None
        return net.loss.targets(y[:, np.newaxis], len(y), n_out, net.dtype)

    def _output_layer(self, samples: Samples) -> tuple[int, Loss]:
        loss = losses.from_spec(self.loss)
        if loss.classification:
            raise ValueError(f"loss={self.loss!r} is for classification; take MLPClassifier")
        return loss.outputs_for(samples.target.shape[1]), loss

    def _warn_of_fit(self, samples: Samples) -> None:
        warn_of_target_scale(self, samples)

    def _values(self, h: Array) -> Array:
        """Return predictions (m,) or (m, n_targets): of quantiles the one nearest to the median."""
        values = self.network_.loss.predict(h)
        quantiles = getattr(self.network_.loss, "quantiles", (0.5,))
        if len(quantiles) == 1:
            return values
        middle = int(np.argmin(np.abs(np.subtract(quantiles, 0.5))))
        each = values.reshape(len(h), -1, len(quantiles))[:, :, middle]
        return each[:, 0] if each.shape[1] == 1 else each

    def _score_outputs(self, h: Array, samples: Samples) -> float:
        return float(r2_score(samples.y, self._values(h), sample_weight=samples.weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        name = getattr(self.loss, "name", self.loss)
        tags.target_tags.positive_only = name in POSITIVE
        return tags
