"""TabularClassifier: classes from the rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets

from ..losses import Loss
from ..network import MLP
from ..sklearn.class_weights import label_weights
from ..support.text import quoted
from .base import BaseTabular
from .metrics import CLASSIFICATION, Metric, metric_of
from .targets import target_column

__all__ = ["TabularClassifier"]

Array = NDArray[Any]

TEMPERATURES = (0.2, 10.0)
ROWS_OF_DOUBT = 100  # with as many validation rows half of the logarithm of a temperature counts
TOLERANCE = 0.01  # of the logarithm of a temperature
LEAST_PROBABILITY = 1e-12  # whose logarithm is taken


class TabularClassifier(ClassifierMixin, BaseTabular):  # type: ignore[misc]
    """Classifier for tables as they are: numbers, text, categories, dates, missing values.

    Several networks are trained side by side, each without some of the rows, and predict by the
    mean of their probabilities.  Half of them see numbers also by a piecewise-linear code, the
    others by their quantiles and learned waves of them.

    Parameters
    ----------
    metric : str or callable, optional
        What decides which epoch of each network is kept: "log_loss", "error", "accuracy",
        "balanced_accuracy", "auc", "f1", or a scorer of scikit-learn.  Default: "log_loss".
    quality : {"good", "fast", "best"}, default "good"
        How much training a model gets.
    n_members : int, optional
        The number of networks, in place of the quality's own.
    time_limit : float, optional
        Seconds that fit may take.  Epochs, then networks, are left out until a trial says that the
        time is enough.  The result then depends on the speed of the machine.  With `per` the models
        share the time; values with few rows are the first that remain without a model.
    class_weight : dict, "balanced" or None, default None
        Weights of classes, as in scikit-learn.
    early_stopping : int, optional
        Stop a network after so many epochs without a better value of `metric`.  Default: none
        stops early.
    hidden_layer_sizes, activation, dropout, label_smoothing, learning_rate, weight_decay, \
batch_size, epochs, encoding : optional
        Parts of the networks' plan in place of the quality's own: sizes of hidden layers, their
        activation function and dropout, label smoothing, the highest learning rate of the one-cycle
        schedule, AdamW's weight decay, batch size, epochs, and how numbers are encoded ("raw",
        "piecewise_linear", "quantile" or "periodic"; default: the networks take turns of
        "piecewise_linear" and "periodic").
    per : str, optional
        A column of X, such as "shop": each of its values with at least 50 rows and two classes
        gets a model of its own, trained on these rows alone (1, 2 or 4 networks by quality, or
        `n_members`), whose probability of a class that these rows do not have is 0.  A shared model
        of the whole table predicts rows of all other values, and those without one.  Then
        `networks_`, `encodings_`, `best_epochs_`, `n_epochs_` and `validation_scores_` are of all
        models together, other attributes of the shared one.
    random_state : int, RandomState or None, default None
        Source of the validation rows, initial parameters and batches.  An int gives the same model
        for any number of threads.
    n_threads : int, optional
        Threads of fit.  Default: `fastmlp.get_num_threads()`.

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
        The labels of the classes.
    networks_ : list of MLP
        The networks.
    plan_ : Plan
        How the networks were to be trained, without `time_limit`: ``plan_.networks`` has for each
        its encoding, hidden layers, dropout, learning rate, epochs and so on.
    encoder_ : TableEncoder
        How columns become inputs.
    encodings_ : list of str
        The encoding of numbers that each network sees.
    dropped_columns_ : dict
        Columns that are not used, and why.
    best_epochs_, n_epochs_ : list of int
        The epoch that was kept of each network, and how many it was trained.
    validation_scores_ : dict
        Metrics of rows by networks that were not trained on them; empty for very small tables.
    temperature_ : float
        What the logarithms of the mean probabilities are divided by.  Its logarithm is
        log T · m/(m + 100) / √n, with the T that makes the log-loss of m validation rows least
        (Guo, Pleiss, Sun and Weinberger 2017): few rows say little, and the mean of n networks is
        less certain than each of them.
    by_value_ : ByValue or None
        With `per`, the models: ``by_value_.models`` is a dict from a value, as text, to its
        estimator, ``by_value_.shared`` the shared one, and ``by_value_.reasons`` says why other
        values of the training set have none.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    TabularRegressor : The same for numbers.
    fastmlp.sklearn.MLPClassifier : scikit-learn's MLPClassifier, trained by fastmlp.

    Examples
    --------
    >>> from fastmlp.tabular import TabularClassifier
    >>> model = TabularClassifier(random_state=0).fit(table.drop(columns="income"), table["income"])
    >>> model.predict_proba(new_rows)
    """

    _stratified = True
    _metrics = CLASSIFICATION

    def __init__(
        self,
        metric: Any = None,
        quality: str = "good",
        n_members: int | None = None,
        time_limit: float | None = None,
        *,
        class_weight: Any = None,
        early_stopping: int | None = None,
        hidden_layer_sizes: Any = None,
        activation: Any = None,
        dropout: float | None = None,
        label_smoothing: float | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        encoding: str | None = None,
        per: str | None = None,
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self.metric = metric
        self.quality = quality
        self.n_members = n_members
        self.time_limit = time_limit
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.encoding = encoding
        self.per = per
        self.random_state = random_state
        self.n_threads = n_threads

    # ------------------------------------------------------------------------------ fitting

    def _read_targets(self, y: Array) -> Array:
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise ValueError("y contains infinite labels (inf); leave out these rows")
        if y.dtype == object and (others := [one for one in y if not isinstance(one, str)]):
            raise ValueError(
                f"y has labels that are neither all text nor all whole numbers, such as "
                f"{quoted(others[0])}; write them as text: y.astype(str)"
            )
        check_classification_targets(y)
        self.classes_, targets = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class alone, {quoted(self.classes_[0])}; a classifier needs at least "
                f"two"
            )
        return targets.ravel()

    def _weighted(self, targets: Array, weights: Array | None) -> Array | None:
        if self.class_weight is None:
            return weights
        of_class = label_weights(self.class_weight, self.classes_, self.classes_[targets])
        wrong = np.flatnonzero(~(np.isfinite(of_class) & (of_class > 0)))
        if len(wrong):
            row = wrong[0]
            raise ValueError(
                f"class_weight must be > 0 and finite, but class "
                f"{quoted(self.classes_[targets[row]])} has {of_class[row]:g}; leave out the rows "
                f"of a class that is not to be learned"
            )
        product: Array = of_class if weights is None else weights * of_class
        return product

    def _output_layer(self) -> tuple[int, str | Loss]:
        return len(self.classes_), "cross_entropy"

    def _metric_by_name(self, metric: Any) -> Metric:
        return metric_of("log_loss" if metric is None else metric, CLASSIFICATION, self.classes_)

    def _known_targets(self, y: Array) -> Array:
        unknown = ~np.isin(y, self.classes_)
        if unknown.any():
            raise ValueError(
                f"y has labels that are not among the classes of the training set, such as "
                f"{quoted(y[unknown][0])}"
            )
        return np.searchsorted(self.classes_, y)

    def _predicted(self, outputs: Array) -> Array:
        return tempered(outputs, self.temperature_)

    def _output_names(self) -> list[str]:
        return [str(label) for label in self.classes_]

    def _true(self, targets: Array) -> Array:
        return targets

    def _to_choose_by(self, outputs: Array, targets: Array, weights: Array | None) -> Array:
        """Return the probabilities at their best temperature, as the model will have them.

        Without it the log-loss would choose the epochs before networks become too certain, which
        the temperature mends.
        """
        return tempered(outputs, best_temperature(outputs, targets, weights))

    def _learn_errors(self, outputs: Array, targets: Array, weights: Array | None) -> None:
        self.temperature_ = 1.0
        if len(targets):
            of_one = best_temperature(outputs, targets, weights)
            trust = len(targets) / (len(targets) + ROWS_OF_DOUBT)
            self.temperature_ = float(of_one ** (trust / np.sqrt(len(self.networks_))))

    def _aligned(self, model: Any, predicted: Array) -> Array:
        """Return the probabilities of all classes: 0 for those that a value's rows do not have."""
        p = np.zeros((len(predicted), len(self.classes_)))
        p[:, np.searchsorted(self.classes_, model.classes_)] = predicted
        return p

    def _own_json(self) -> dict[str, Any]:
        return {
            **super()._own_json(),
            "classes": _plain(self.classes_).tolist(),
            "classes_dtype": self.classes_.dtype.str,
            "temperature": self.temperature_,
        }

    def _restore_own(self, entry: dict[str, Any], networks: list[MLP]) -> None:
        super()._restore_own(entry, networks)
        dtype = np.dtype(entry["classes_dtype"])
        if dtype.kind in "mM":
            self.classes_ = np.array(entry["classes"], np.int64).view(dtype)
        else:
            self.classes_ = np.array(entry["classes"], dtype=dtype)
        self.temperature_ = float(entry["temperature"])

    # --------------------------------------------------------------------------- prediction

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.

        Returns
        -------
        ndarray (m, n_classes)
            In the order of `classes_`.
        """
        return self._predictions(X)

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.

        Returns
        -------
        ndarray (m,)
            Labels as in `classes_`.
        """
        chosen = self.predict_proba(X).argmax(axis=1)
        labels: Array = self.classes_[chosen]
        return labels

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of rows whose class is predicted.

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.
        y : array-like (m,)
            The labels, read as by `fit`.
        sample_weight : array-like (m,), optional
            Weights of the rows.

        Returns
        -------
        float
        """
        predicted = self.predict(X)
        labels = target_column(y, len(predicted))
        return float(accuracy_score(labels, predicted, sample_weight=sample_weight))


def best_temperature(p: Array, targets: Array, weights: Array | None) -> float:
    """Return the temperature at which the log-loss of probabilities (m, n_classes) is least."""
    logs = np.log(np.clip(p, LEAST_PROBABILITY, None))
    own = logs[np.arange(len(targets)), targets]

    def loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        sums = np.log(np.exp(logs / temperature).sum(axis=1))  # logs ≤ 0: no overflow
        return float(np.average(sums - own / temperature, weights=weights))

    bounds = np.log(TEMPERATURES)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": TOLERANCE})
    return float(np.exp(found.x))


def _plain(classes: Array) -> Array:
    """Return labels of which JSON has the types.

    Dates and time differences are the whole numbers that NumPy stores.
    """
    if classes.dtype.kind in "mM":
        return classes.view(np.int64)
    return classes.astype(np.float64) if classes.dtype.kind == "f" else classes


def tempered(p: Array, temperature: float) -> Array:
    """Return p^(1/T), each row divided by its sum."""
    z = np.log(np.clip(p, LEAST_PROBABILITY, None)) / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    result: Array = z / z.sum(axis=1, keepdims=True)
    return result
