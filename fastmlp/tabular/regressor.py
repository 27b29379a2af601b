"""TabularRegressor: numbers from the rows of a table, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from ..losses import Loss
from ..network import MLP
from ..support import checks
from ..support.text import quoted
from .base import BaseTabular
from .intervals import Residuals
from .metrics import REGRESSION, Metric, metric_of
from .precision import ADVICE, blurred

__all__ = ["TabularRegressor"]

Array = NDArray[Any]

LARGEST = 1e150  # of the numbers to predict, whose squares are summed


class TabularRegressor(RegressorMixin, BaseTabular):  # type: ignore[misc]
    """Regressor for tables as they are: numbers, text, categories, dates, missing values.

    Several networks are trained side by side on the standardized target, each without some of the
    rows, and predict by their mean, within the range of the training set.  Half of them see
    numbers also by a piecewise-linear code, the others by their quantiles and
    learned waves of them.

    Parameters
    ----------
    metric : str or callable, optional
        What decides which epoch of each network is kept: "rmse", "mae", "r2", or a scorer of
        scikit-learn.  Default: "rmse".
    quality : {"good", "fast", "best"}, default "good"
        How much training a model gets.
    n_members : int, optional
        The number of networks, in place of the quality's own.
    time_limit : float, optional
        Seconds that fit may take.  Epochs, then networks, are left out until a trial says that the
        time is enough.  The result then depends on the speed of the machine.  With `per` the models
        share the time; values with few rows are the first that remain without a model.
    early_stopping : int, optional
        Stop a network after so many epochs without a better value of `metric`.  Default: none
        stops early.
    hidden_layer_sizes, activation, dropout, learning_rate, weight_decay, batch_size, epochs, \
encoding : optional
        Parts of the networks' plan in place of the quality's own: sizes of hidden layers, their
        activation function and dropout, the highest learning rate of the one-cycle schedule,
        AdamW's weight decay, batch size, epochs, and how numbers are encoded ("raw",
        "piecewise_linear", "quantile" or "periodic"; default: the networks take turns of
        "piecewise_linear" and "periodic").
    per : str, optional
        A column of X, such as "shop": each of its values with at least 50 rows gets a model of
        its own, trained on these rows alone (1, 2 or 4 networks by quality, or `n_members`).  A
        shared model of the whole table predicts rows of all other values, and those without one.
        Then `networks_`, `encodings_`, `best_epochs_`, `n_epochs_` and `validation_scores_` are of
        all models together, other attributes of the shared one.
    random_state : int, RandomState or None, default None
        Source of the validation rows, initial parameters and batches.  An int gives the same model
        for any number of threads.
    n_threads : int, optional
        Threads of fit.  Default: `fastmlp.get_num_threads()`.

    Attributes
    ----------
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
    residuals_ : Residuals
        The errors at those rows, from which intervals are made.
    target_range_ : tuple of float
        The least and the greatest y of the training set.
    by_value_ : ByValue or None
        With `per`, the models: ``by_value_.models`` is a dict from a value, as text, to its
        estimator, ``by_value_.shared`` the shared one, and ``by_value_.reasons`` says why other
        values of the training set have none.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    TabularClassifier : The same for classes.
    fastmlp.sklearn.MLPRegressor : scikit-learn's MLPRegressor, trained by fastmlp.

    Examples
    --------
    >>> from fastmlp.tabular import TabularRegressor
    >>> model = TabularRegressor(random_state=0).fit(table.drop(columns="price"), table["price"])
    >>> low, high = model.predict_interval(new_rows, coverage=0.9).T
    """

    _metrics = REGRESSION

    def __init__(
        self,
        metric: Any = None,
        quality: str = "good",
        n_members: int | None = None,
        time_limit: float | None = None,
        *,
        early_stopping: int | None = None,
        hidden_layer_sizes: Any = None,
        activation: Any = None,
        dropout: float | None = None,
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
        self.early_stopping = early_stopping
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
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
        values = _finite(y)
        if blurred(pd.Series(y)):
            raise ValueError(f"y has numbers that are too close to each other: {ADVICE}")
        low, high = values.min(), values.max()
        if max(-low, high) > LARGEST or 0 < high / 2 - low / 2 < 1 / LARGEST:
            raise ValueError(
                f"y has numbers of a range that float64 cannot square: {low:g} to {high:g}; "
                f"divide them by a common factor"
            )
        self.target_range_ = (float(values.min()), float(values.max()))
        self.target_mean_ = float(values.mean())
        deviation = float(values.std())
        self.target_deviation_ = deviation if deviation > 0 else 1.0
        return (values - self.target_mean_) / self.target_deviation_

    def _output_layer(self) -> tuple[int, str | Loss]:
        return 1, "squared_error"

    def _metric_by_name(self, metric: Any) -> Metric:
        return metric_of("rmse" if metric is None else metric, REGRESSION, None)

    def _known_targets(self, y: Array) -> Array:
        return _finite(y)

    def _predicted(self, outputs: Array) -> Array:
        values = self._true(outputs[:, 0].astype(np.float64))
        return np.clip(values, *self.target_range_)

    def _output_names(self) -> list[str]:
        return ["prediction"]

    def _true(self, targets: Array) -> Array:
        return targets * self.target_deviation_ + self.target_mean_

    def _to_choose_by(self, outputs: Array, targets: Array, weights: Array | None) -> Array:
        return self._predicted(outputs)

    def _learn_errors(self, outputs: Array, targets: Array, weights: Array | None) -> None:
        self.residuals_: Residuals | None = None
        if len(targets):
            self.residuals_ = Residuals.of(self._predicted(outputs), self._true(targets))

    def _own_json(self) -> dict[str, Any]:
        return {
            **super()._own_json(),
            "target": [*self.target_range_, self.target_mean_, self.target_deviation_],
            "residuals": None if self.residuals_ is None else self.residuals_.to_json(),
        }

    def _restore_own(self, entry: dict[str, Any], networks: list[MLP]) -> None:
        super()._restore_own(entry, networks)
        low, high, self.target_mean_, self.target_deviation_ = map(float, entry["target"])
        self.target_range_ = (low, high)
        known = entry["residuals"]
        self.residuals_ = None if known is None else Residuals.from_json(known)

    # --------------------------------------------------------------------------- prediction

    def predict(self, X: Any) -> Array:
        """Return the value of each row.

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.

        Returns
        -------
        ndarray (m,)
        """
        return self._predictions(X)

    def predict_quantiles(self, X: Any, quantiles: ArrayLike = (0.05, 0.5, 0.95)) -> Array:
        """Return quantiles of the value of each row.

        They are the prediction plus quantiles of the errors at validation rows with similar
        predictions.

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.
        quantiles : array-like (n_quantiles,), default (0.05, 0.5, 0.95)
            Levels in (0, 1), in ascending order.

        Returns
        -------
        ndarray (m, n_quantiles)
        """
        levels = np.atleast_1d(checks.array("quantiles", quantiles)).astype(np.float64)
        if levels.ndim != 1:
            raise ValueError(f"quantiles must be a list of levels, got shape {levels.shape}")
        for i, level in enumerate(levels):
            checks.number(f"quantiles[{i}]", float(level), "(0, 1)")
        if (np.diff(levels) <= 0).any():
            raise ValueError(f"quantiles must ascend, got {quantiles!r}")
        return self._quantiles(self._read_new(self._table(X, reset=False)), levels)

    def _quantiles(self, read: Any, levels: Array) -> Array:
        if self.by_value_ is not None:
            return self.by_value_.assembled(
                read, lambda model, table: model._quantiles(model._reader().read(table), levels)
            )
        predicted = self._predictions_of(read)
        if self.residuals_ is None:
            raise ValueError(
                "the training set was too small to leave out rows for validation, so that nothing "
                "is known of errors; fit at least 20 rows"
            )
        return self.residuals_.quantiles(predicted, levels)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> Array:
        """Return an interval that holds the value of a row with a given probability.

        The probability is that over rows like those of the training set (split conformal
        prediction; see `fastmlp.tabular.intervals`).

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.
        coverage : float, default 0.9
            The probability, in (0, 1).

        Returns
        -------
        ndarray (m, 2)
            The lower and the upper end.
        """
        checks.number("coverage", coverage, "(0, 1)")
        outside = (1 - coverage) / 2
        return self.predict_quantiles(X, (outside, 1 - outside))


def _finite(y: Array) -> Array:
    """Return values to predict as float64, checked."""
    if y.dtype.kind in "mM":
        raise ValueError(
            "y has dates or time differences; pass numbers, such as the days since a date"
        )
    try:
        values = y.astype(np.float64)
    except OverflowError:
        raise ValueError(
            "y has numbers beyond the range of float64; divide them by a common factor"
        ) from None
    except (TypeError, ValueError):
        wrong = next(filter(_no_number, y), y[0])
        raise ValueError(
            f"y has entries that are not numbers, such as {quoted(wrong)}; for classes use "
            f"TabularClassifier"
        ) from None
    if not np.isfinite(values).all():
        raise ValueError("y contains infinite numbers (inf); leave out these rows")
    return values


def _no_number(entry: Any) -> bool:
    try:
        float(entry)
    except (TypeError, ValueError):
        return True
    return False
