"""MLPClassifier: the estimator for classification."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length

from ..losses import Loss
from .base import BaseMLP
from .class_weights import with_class_weights
from .docstrings import shares_docstrings
from .labels import Labels
from .options import CLASSIFIER_CONSTRAINTS
from .rollback import restored_on_error
from .samples import Samples

__all__ = ["MLPClassifier"]

Array = NDArray[Any]


@shares_docstrings(score="the accuracy")
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron classifier, in place of ``sklearn.neural_network.MLPClassifier``.

    It minimizes the log loss: of two or more classes, of several labels for each sample, or, if y
    has several columns of classes, the sum of the columns' log losses.

    Parameters
    ----------
    {network_parameters}
    class_weight : dict, list of dict, "balanced" or None, default=None
        The weights of the classes; a class that a dict does not name has weight 1.  "balanced"
        gives all classes the same total weight, in `partial_fit` the classes of each call.  For
        several columns of classes or labels, a list with a dict for each column, or "balanced".
    label_smoothing : float, default=0.0
        s in [0, 1): train with targets (1 − s)·y + s/K instead of y (Szegedy et al. 2016).
    {more_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or list of ndarray
        The class labels; a list with the labels of each column of y if there are several.
    {fitted_attributes}

    See Also
    --------
    MLPRegressor : The estimator for regression.
    fastmlp.MLP : The network itself, without scikit-learn.

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
        """Continue training with one epoch over the given data, and with the optimizer's state.

        If it fails, the estimator stays as it was before the call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_columns)
            The class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights ≥ 0.
        classes : array-like of shape (n_classes,) or list of these, default=None
            All classes that occur in any call, for each column of y if there are several.  They
            are required in the first call and may be omitted in later calls.

        Returns
        -------
        object
            The fitted estimator itself.

        See Also
        --------
        fit : Train until the loss no longer improves.
        """
        with restored_on_error(self, continues=True):
            if not hasattr(self, "classes_"):
                if classes is None:
                    raise ValueError("classes must be passed on the first call to partial_fit.")
                self._labels = Labels.from_targets(y, classes)
                self.classes_ = self._labels.classes
            elif classes is not None and not self._labels.has_same_classes(classes):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                    f"{self.classes_!r}"
                )
            warn = self._fit(X, y, sample_weight, incremental=True)
        warn()
        return self

    def predict(self, X: Any) -> Any:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_columns)
            The most probable class, of each column of y if there are several.  For multilabel data
            1 for labels whose probability is greater than ½, as a sparse matrix if y was sparse in
            fit.
        """
        h = self._outputs(X)
        return self._labels.decode(h)

    def predict_proba(self, X: Any) -> Array | list[Array]:
        """Predict the probabilities of the classes.

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
        """Predict the logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or list of these
            ``log(predict_proba(X))``.
        """
        probabilities = self.predict_proba(X)
        if isinstance(probabilities, list):
            return [np.log(one) for one in probabilities]
        return np.log(probabilities, out=probabilities)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the fraction of samples whose labels are all predicted correctly.

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
        y = np.asarray(y)  # scikit-learn has no accuracy for such y
        check_consistent_length(predicted, y, sample_weight)
        if y.shape != predicted.shape:
            raise ValueError(f"y has shape {y.shape}; expected {predicted.shape}")
        correct = (predicted == y).all(axis=1)
        return float(accuracy_score(np.ones(len(y)), correct, sample_weight=sample_weight))

    # ------------------------------------------------------------------- hooks of the base

    @property
    def _stratified(self) -> bool:
        return self._labels.n_outputs == 1

    @property
    def _max_cost(self) -> float:
        if self._labels.kind == "multioutput" or self.label_smoothing > 0:
            return 0.0  # scikit-learn has no such loss
        return float(-np.log(np.finfo(self.network_.dtype).eps))

    def _read_targets(self, y: Any, is_first: bool, incremental: bool) -> Any:
        is_new = not hasattr(self, "classes_") or (is_first and not incremental)
        if y.ndim == 2 and y.shape[1] == 1 and (is_new or self._labels.kind != "multioutput"):
            y = column_or_1d(y, warn=True)
        if is_new:
            self._labels = Labels.from_targets(y)
            self.classes_ = self._labels.classes
            return y
        labels = self._labels.from_further_targets(y)
        is_known = self._labels.contains(labels)
        if self.warm_start and not incremental:
            if not (is_known and labels.contains(self._labels)):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the "
                    f"previous call to fit. Previously got {self.classes_}, `y` has "
                    f"{labels.classes}"
                )
        elif not is_known:
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {labels.classes}."
            )
        return y

    def _encode(self, y: Any) -> Array:
        return self._labels.encode(y)

    def _plain_target(self, y: Array) -> Array | None:
        return self._labels.encode_known(y, self.network_.dtype)

    def _output_layer(self, samples: Samples) -> tuple[int, str | Loss]:
        return self._labels.n_outputs, self._labels.loss

    def _weighted(self, samples: Samples) -> Samples:
        return with_class_weights(samples, self.class_weight, self._labels)

    def _metadata(self) -> dict[str, Any]:
        return {**super()._metadata(), "classes": self._labels.names}

    def _score_outputs(self, h: Array, samples: Samples) -> float:
        correct = self._labels.correct(h, samples.target)
        return float(np.average(correct, weights=samples.weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags
