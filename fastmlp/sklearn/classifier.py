"""MLPClassifier."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d, compute_class_weight, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length

from ..losses import Loss
from .base import BaseMLP
from .labels import Labels
from .options import CLASSIFIER_CONSTRAINTS
from .validation import Part

__all__ = ["MLPClassifier"]

Array = NDArray[Any]


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron classifier, in place of ``sklearn.neural_network.MLPClassifier``.

    It minimizes the log-loss of one class of several, of two, or of several labels an example; or,
    where y has several columns, each with its own classes, the sum of their log-losses.

    Parameters
    ----------
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
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes each class count the same, in `partial_fit` each
        class of the call.  For multi-label data a dict for each column.
    label_smoothing : float, default=0.0
        s in [0, 1): train towards (1 − s)·y + s/K instead of y (Szegedy et al. 2016).
    dropout : float or list of float, default=0.0
        Probability that a hidden unit is dropped in a training step; one for all hidden layers or
        one for each.  Examples with the same features drop the same units of a step, so that a
        repeated one is one with a weight.
    batch_norm : bool or list of bool, default=False
        Whether hidden layers are normalized by their batch (Ioffe and Szegedy 2015), whose
        statistics count sample weights.
    scoring : str, callable or None, default=None
        What early stopping watches: None, the accuracy; "loss", the negative validation loss;
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
    classes_ : ndarray of shape (n_classes,), or list of these
        The class labels; a list with those of each column of y if there are several.
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
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(max_iter=500, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CLASSIFIER_CONSTRAINTS

    def __init__(
        self,
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
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        dropout: Any = 0.0,
        batch_norm: Any = False,
        scoring: Any = None,
        ema: float | None = None,
        callbacks: Any = None,
        n_threads: int | None = None,
        max_seconds: float | None = None,
    ) -> None:
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
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.scoring = scoring
        self.ema = ema
        self.callbacks = callbacks
        self.n_threads = n_threads
        self.max_seconds = max_seconds

    @available_if(lambda estimator: estimator._check_solver())
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> Self:
        """Go on training with one epoch over the given data, and with the optimizer's state.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_columns)
            The class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        classes : array-like of shape (n_classes,) or list of these, default=None
            All classes that any call will bring, of each column of y if there are several:
            required in the first call, may be omitted in later ones.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        if not hasattr(self, "classes_"):
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self._labels = Labels.of(y, classes)
            self.classes_ = self._labels.classes
        elif classes is not None and not self._labels.are(classes):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_columns)
            The most probable class, of each column of y if there are several; for multi-label data
            1 where a label is probable.
        """
        h = self._outputs(X)
        return self._labels.decode(h)

    def predict_proba(self, X: Any) -> Array | list[Array]:
        """Probability estimates.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or list of these
            The probability of each class, in the order of `classes_`; a list with those of each
            column of y if there are several.
        """
        h = self._outputs(X)
        return self._labels.probabilities(h)

    def predict_log_proba(self, X: Any) -> Array | list[Array]:
        """Return the logarithms of the probability estimates.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or list of these
            ``log(predict_proba(X))``.
        """
        found = self.predict_proba(X)
        if isinstance(found, list):
            return [np.log(one) for one in found]
        return np.log(found, out=found)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy on given data: the part of examples whose labels are all right.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_columns)
            The true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            From 0 to 1.
        """
        predicted = self.predict(X)
        if self._labels.kind != "multioutput":
            return float(accuracy_score(y, predicted, sample_weight=sample_weight))
        y = np.asarray(y)  # of which scikit-learn has no accuracy
        check_consistent_length(predicted, y, sample_weight)
        if y.shape != predicted.shape:
            raise ValueError(f"y has shape {y.shape}; expected {predicted.shape}")
        return float(np.average((predicted == y).all(axis=1), weights=sample_weight))

    # ------------------------------------------------------------------- hooks of the base

    @property
    def _stratified(self) -> bool:
        return self._labels.n_outputs == 1

    def _read_targets(self, y: Any, first: bool, incremental: bool) -> Any:
        fresh = not hasattr(self, "classes_") or (first and not incremental)
        if y.ndim == 2 and y.shape[1] == 1 and (fresh or self._labels.kind != "multioutput"):
            y = column_or_1d(y, warn=True)
        if fresh:
            self._labels = Labels.of(y)
            self.classes_ = self._labels.classes
            return y
        found = self._labels.of_same_kind(y)
        known = self._labels.has_all_of(found)
        if self.warm_start and not incremental:
            if not (known and found.has_all_of(self._labels)):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the "
                    f"previous call to fit. Previously got {self.classes_}, `y` has {found.classes}"
                )
        elif not known:
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {found.classes}."
            )
        return y

    def _encode(self, y: Any) -> Array:
        return self._labels.encode(y)

    def _shape(self, part: Part) -> tuple[int, str | Loss, str]:
        labels = self._labels
        return labels.n_outputs, labels.loss, labels.out_activation

    def _weighted(self, part: Part, incremental: bool) -> Part:
        if self.class_weight is None:
            return part
        if self._labels.kind == "multilabel":
            return part.times(compute_sample_weight(self.class_weight, part.y))
        columns, given = [part.y], [self.class_weight]
        if self._labels.kind == "multioutput":
            columns = list(part.y.T)
            given = class_weights(self.class_weight, len(columns))
        elif isinstance(self.class_weight, list):
            raise ValueError(
                "class_weight as a list has a dict for each column of y, and y has one alone; give "
                "a dict or 'balanced'"
            )
        counts = np.ones(len(part), bool) if part.weight is None else part.weight > 0
        weight = counts.astype(np.float64)
        for column, one in zip(columns, given, strict=True):
            y = column[counts]
            present = np.unique(y)
            of_class = compute_class_weight(
                one,
                classes=present,
                y=y,
                sample_weight=None if part.weight is None else part.weight[counts],
            )
            weight[counts] *= of_class[np.searchsorted(present, y)]
        return part.times(weight)

    def _score(self, h: Array, part: Part) -> float:
        return float(np.average(self._labels.correct(h, part.target), weights=part.weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def class_weights(given: Any, n_columns: int) -> list[Any]:
    """The class weights of each column of y, checked."""
    if isinstance(given, str):
        return [given] * n_columns
    if not isinstance(given, list) or len(given) != n_columns:
        raise ValueError(
            f"For multi-output, class_weight should be a list of dicts, one for each of the "
            f"{n_columns} columns of y, or the string 'balanced'; got {given!r}"
        )
    return given
