"""MLPRegressor."""

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
from .base import BaseMLP
from .options import REGRESSOR_CONSTRAINTS
from .validation import Part

__all__ = ["MLPRegressor"]

Array = NDArray[Any]

TO_SKLEARN = {"exponential": "exp"}  # names of output activations that differ
POSITIVE = ("poisson", "gamma")


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron regressor, in place of ``sklearn.neural_network.MLPRegressor``.

    Parameters
    ----------
    loss : str, fastmlp.losses.Loss or pair of functions, default="squared_error"
        "squared_error", half of it; "poisson", half the deviance of counts y ≥ 0; and
        "absolute_error", "huber", "quantile" (three quantiles, 0.05, 0.5 and 0.95), "gamma"
        (y > 0), or an object with its own constants, ``fastmlp.losses.Huber(delta=0.5)`` or
        ``fastmlp.losses.Quantile((0.1, 0.9))``; or (value, gradient), two functions of outputs h
        and targets y, each (m, n_outputs), that return the cost of each example (m,) and its
        derivatives by h: see `fastmlp.losses.Custom`.  "poisson" and "gamma" predict by eᶻ.
    hidden_layer_sizes : array-like of shape (n_layers - 2,), default=(100,)
        Units of each hidden layer; empty for a linear model.
    activation : str, fastmlp.activations.Activation or list, default="relu"
        Of the hidden layers, one for all or a list with one for each: scikit-learn's "identity",
        "logistic", "tanh" and "relu", and "leaky_relu", "softplus", "elu", "selu", "silu", "gelu"
        or an object such as ``fastmlp.activations.LeakyReLU(0.2)``.
    solver : {"lbfgs", "sgd", "adam"}, default="adam"
        L-BFGS of SciPy, which sees all examples at once, for small data; stochastic gradient
        descent; Adam.
    alpha : float, default=0.0001
        Strength of the L2 penalty, which is divided by the number of samples.
    batch_size : int or "auto", default="auto"
        Examples a step; "auto" is min(200, n_samples).  Not for "lbfgs".
    learning_rate : {"constant", "invscaling", "adaptive"} or Schedule, default="constant"
        For "sgd": `learning_rate_init` throughout; divided by t^power_t after each epoch; or
        divided by 5 whenever training would otherwise stop for want of progress.  A schedule of
        fastmlp.schedules is for "adam" too and takes the place of `learning_rate_init`.
    learning_rate_init : float, default=0.001
        The (first) learning rate of "sgd" and "adam".
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=200
        Epochs, of "lbfgs" iterations, at most.
    shuffle : bool, default=True
        Whether each epoch has an order of its own.
    random_state : int, RandomState instance or None, default=None
        Of the first parameters, the examples set aside, the order and dropout.
    tol : float, default=1e-4
        Training loss or validation score has to become better by this within `n_iter_no_change`
        epochs; for "lbfgs" the gradient at which to stop.
    verbose : bool or int, default=False
        Whether to print the loss (and score) of each epoch.
    warm_start : bool, default=False
        Whether fit goes on from the parameters of the call before.
    momentum : float, default=0.9
        Of "sgd", from 0 to 1.
    nesterovs_momentum : bool, default=True
        Whether it is Nesterov's.
    early_stopping : bool, default=False
        Whether to watch validation examples, stop when their score (see `scoring`) has not become
        better, and go back to the best parameters.
    validation_fraction : float, default=0.1
        The part set aside for it, unless fit is given X_val.
    beta_1, beta_2, epsilon : float, defaults 0.9, 0.999 and 1e-8
        Of "adam"; epsilon stands beside the root of the second moment, not yet bias-corrected.
    n_iter_no_change : int or inf, default=10
        Epochs without progress after which to stop.
    max_fun : int, default=15000
        Evaluations by "lbfgs" at most.
    dropout : float or list of float, default=0.0
        Probability that a hidden unit is dropped in a training step; one for all hidden layers or
        one for each.  Examples with the same features drop the same units of a step, so that a
        repeated one is one with a weight.
    batch_norm : bool or list of bool, default=False
        Whether hidden layers are normalized by their batch (Ioffe and Szegedy 2015), whose
        statistics count sample weights.
    scoring : str, callable or None, default=None
        What early stopping watches: None, R²; "loss", the negative validation loss;
        else a scorer as in `cross_val_score`.
    ema : float or None, default=None
        Decay, in (0, 1), of an exponential moving average of the parameters by which to predict.
    callbacks : list of fastmlp.Callback or None, default=None
        Called after each epoch.  For scikit-learn's own callbacks there is `set_callbacks`.
    n_threads : int or None, default=None
        Threads of this estimator's training at most.  No bit of the result depends on it.
    max_seconds : float or None, default=None
        Seconds of training at most.

    Attributes
    ----------
    network_ : fastmlp.MLP
        The network, with all that it can do: `save`, `gradients`, `freeze`, exports.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer.
    callbacks_ : list of fastmlp.Callback
        Copies of `callbacks`, with what they noted in the last fit.
    loss_ : float
        The loss of the last epoch.
    best_loss_ : float or None
        The least loss of an epoch; None with early stopping.  Not of "lbfgs", as are the curves.
    loss_curve_ : list of float
        The loss of each epoch; of a stream of `partial_fit` the last 1,000.
    validation_loss_curve_ : list of float or None
        That of the validation examples, without penalty, after each epoch; None without any.
    validation_scores_ : list of float or None
        What early stopping watched, after each epoch; None without it.
    best_validation_score_ : float or None
        The best of these.
    t_ : int
        Examples seen in training.
    n_iter_ : int
        Epochs, or iterations, of the last fit.
    n_layers_, n_outputs_ : int
        Layers, input included, and units of the output layer.
    out_activation_ : str
        Activation of the output layer.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had any.

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
        """Go on training with one epoch over the given data, and with the optimizer's state.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight, incremental=True)

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
        """
        return self._values(self._outputs(X))

    @available_if(lambda estimator: estimator._check_quantiles())
    def predict_quantiles(self, X: Any) -> Array:
        """Predict all quantiles of ``loss="quantile"``, which never cross.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles)
            Ascending in the last axis.
        """
        h = self._outputs(X)
        loss: Any = self.network_.loss
        each = loss.predict(h).reshape(len(h), -1, len(loss.quantiles))
        return np.asarray(each[:, 0] if each.shape[1] == 1 else each)

    def _check_quantiles(self) -> bool:
        """Whether there are quantiles to predict."""
        name = getattr(self.loss, "name", self.loss)
        if name != "quantile":
            raise AttributeError(f"predict_quantiles is for loss='quantile', got {self.loss!r}")
        return True

    # ------------------------------------------------------------------- hooks of the base

    @property
    def _per_output(self) -> float:
        return float(self.n_outputs_) if self.network_.loss.name == "squared_error" else 1.0

    def _offset(self, part: Part) -> float:
        if self.network_.loss.name != "poisson":
            return 0.0
        y = part.target.astype(np.float64)
        return float(np.average((xlogy(y, y) - y).sum(axis=1), weights=part.weight))

    def _read_targets(self, y: Any, first: bool, incremental: bool) -> Any:
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _encode(self, y: Any) -> Array:
        return np.asarray(y[:, np.newaxis] if y.ndim == 1 else y)

    def _shape(self, part: Part) -> tuple[int, Any, str]:
        loss = losses.from_spec(self.loss)
        if loss.classification:
            raise ValueError(f"loss={self.loss!r} is for classification; take MLPClassifier")
        n_out = loss.outputs_for(part.target.shape[1])
        output = loss.output_activation(None, n_out).name
        return n_out, loss, TO_SKLEARN.get(output, output)

    def _values(self, h: Array) -> Array:
        """Predictions, of quantiles that nearest to the median: (m,) or (m, n_targets)."""
        values = self.network_.loss.predict(h)
        quantiles = getattr(self.network_.loss, "quantiles", (0.5,))
        if len(quantiles) == 1:
            return values
        middle = int(np.argmin(np.abs(np.subtract(quantiles, 0.5))))
        each = values.reshape(len(h), -1, len(quantiles))[:, :, middle]
        return each[:, 0] if each.shape[1] == 1 else each

    def _score(self, h: Array, part: Part) -> float:
        return float(r2_score(part.y, self._values(h), sample_weight=part.weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        name = getattr(self.loss, "name", self.loss)
        tags.target_tags.positive_only = name in POSITIVE
        return tags
