"""What a model of a table has learned: importances of columns, and partial dependence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from ..support import checks
from .by_value import ByValue
from .columns import Codes, TableEncoder
from .frames import Kind, dates, factorized, missing_in, numbers, series_of, without_arrow
from .levels import text
from .metrics import Metric
from .targets import target_column

__all__ = ["InsightMixin"]

Array = NDArray[Any]


class InsightMixin:
    """Importances and partial dependence of a fitted estimator of tables."""

    encoder_: TableEncoder
    _table: Callable[..., pd.DataFrame]
    _known_targets: Callable[[Array], Array]
    _metric_by_name: Callable[[Any], Metric]
    _reader: Callable[[], ByValue | TableEncoder]
    _read_new: Callable[[pd.DataFrame], Codes | pd.DataFrame]
    _predictions_of: Callable[[Any], Array]
    _output_names: Callable[[], list[str]]

    def feature_importances(
        self,
        X: Any,
        y: ArrayLike,
        *,
        metric: Any = None,
        n_repeats: int = 5,
        random_state: Any = 0,
    ) -> pd.DataFrame:
        """Return how much worse predictions become when a column's cells are shuffled.

        Whatever comes from a column, such as the month and the weekday of a date, is shuffled
        together (permutation importance: Breiman 2001).  Rows that the model was not trained on
        give importances for new rows.

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.
        y : array-like, (m,)
            Its labels or values.
        metric : str or callable, optional
            As for the estimator.  Default: "log_loss" or "rmse".
        n_repeats : int, default 5
            Shuffles of each column.
        random_state : int, RandomState or None, default 0
            Source of the shuffles.

        Returns
        -------
        DataFrame
            A row for each column in use, the most important first: "column", "importance" (the
            mean increase of the metric, or its mean decrease if greater is better) and
            "deviation" (over the repeats).

        Raises
        ------
        ValueError
            If y has other labels than those of the training set, or the metric does not exist for
            these rows, such as the AUC of a single class.
        """
        table = self._table(X, reset=False)
        targets = self._known_targets(target_column(y, len(table)))
        chosen = self._metric_by_name(metric)
        read = self._read_new(table)
        rng = check_random_state(random_state)
        n_repeats = checks.whole("n_repeats", n_repeats)

        def loss(read: Any) -> float:
            return chosen.loss(targets, self._predictions_of(read), None)

        base = loss(read)
        if not np.isfinite(base):  # such as the AUC of a single class
            raise ValueError(
                f"metric {chosen.name!r} does not exist for these rows, whose y may be too much "
                f"alike; pass other rows, or another metric"
            )
        rows = []
        for source in self.encoder_.kinds:
            found = [
                loss(permuted(self.encoder_, read, source, rng.permutation(len(table)))) - base
                for _ in range(n_repeats)
            ]
            rows.append((source, float(np.mean(found)), float(np.std(found))))
        rows.sort(key=lambda row: -row[1])
        return pd.DataFrame(rows, columns=["column", "importance", "deviation"])

    def partial_dependence(
        self, X: Any, column: str, *, n_points: int = 20, n_rows: int = 500
    ) -> pd.DataFrame:
        """Return the mean prediction as a function of one column (Friedman 2001).

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.
        column : str
            A column in use.  Those of an array are named x0, x1, ….
        n_points : int, default 20
            Values of the column: quantiles of a number or date, the most frequent levels of a
            category.
        n_rows : int, default 500
            Rows of X over which the mean is taken, evenly spaced.

        Returns
        -------
        DataFrame
            A row for each value: the column's name, and "prediction", or a column of
            probabilities for each class.  Values of a category are objects, also numbers.
        """
        table = self._table(X, reset=False)
        if checks.column("column", column) in self.encoder_.dropped:
            raise ValueError(f"column {column!r} is not used: {self.encoder_.dropped[column]}")
        column = known_column(self, column, list(self.encoder_.kinds))
        n_points, n_rows = checks.whole("n_points", n_points), checks.whole("n_rows", n_rows)
        kind = self.encoder_.kinds[column]
        values = dependence_grid(kind, table[column], n_points)
        picked = np.unique(np.linspace(0, len(table) - 1, min(n_rows, len(table))).astype(int))
        sample = table.iloc[picked]
        self._read_new(sample)  # to warn once of what is not known
        means = []
        for value in values:
            read = self._reader().read(with_value(sample, column, value))
            means.append(self._predictions_of(read).mean(axis=0))
        names = self._output_names()
        result = pd.DataFrame(np.reshape(means, (len(values), len(names))), columns=names)
        shown = series_of(values)
        if kind == "category":  # whose levels are no quantities, even if they are numbers
            shown = shown.astype(object)
        result.insert(0, column, shown, allow_duplicates=True)
        return result


def permuted(
    encoder: TableEncoder, codes: Codes | pd.DataFrame, source: str, order: NDArray[np.intp]
) -> Codes | pd.DataFrame:
    """Return codes in which everything that comes from a column is in another order of rows."""
    if isinstance(codes, pd.DataFrame):  # of a model with `per`
        return codes.assign(**{source: codes[source].array[order]})
    numbers, categories = codes.numbers.copy(), codes.categories.copy()
    for i, number in enumerate(encoder.numbers):
        if number.source == source:
            numbers[:, i] = numbers[order, i]
    for i, category in enumerate(encoder.categories):
        if category.source == source:
            categories[:, i] = categories[order, i]
    return Codes(numbers, categories)


def dependence_grid(kind: Kind, column: pd.Series, n_points: int) -> list[Any]:
    """Return the values of a column at which partial dependence is computed, ascending.

    They are quantiles of a number or a date, and the most frequent levels of a category, those of
    an ordered dtype in its order.  Dates that are not stored as such are those of UTC.
    """
    present = without_arrow(column[~missing_in(f"column {column.name!r}", column)])
    if kind == "category":
        codes, cells = factorized(present.astype(object))
        order = np.argsort(-np.bincount(codes, minlength=len(cells)), kind="stable")
        levels = [cells[code] for code in order[:n_points]]
        if isinstance(present.dtype, pd.CategoricalDtype) and present.dtype.ordered:
            return sorted(levels, key=list(present.dtype.categories).index)
        try:
            return sorted(levels)
        except (TypeError, ValueError, OverflowError):  # such as text and numbers
            return sorted(levels, key=text)
    if kind == "date" and not pd.api.types.is_datetime64_any_dtype(present.dtype):
        present = dates(present)
    elif kind == "number" and not (
        pd.api.types.is_numeric_dtype(present.dtype)
        or pd.api.types.is_timedelta64_dtype(present.dtype)
    ):
        present = pd.Series(numbers(present))
    values = pd.Series(present.to_numpy()) if kind == "number" else present
    shares = np.linspace(0, 1, n_points)
    return list(values.dropna().quantile(shares, interpolation="nearest").drop_duplicates())


def with_value(table: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    """Return a table in which a column has one value in every row."""
    filled = series_of([value] * len(table), index=table.index, name=column)
    return table.assign(**{column: filled})


def known_column(model: Any, column: object, known: list[str]) -> str:
    """Return the name of a column that is among those `known`, of a table that a model has read."""
    name = checks.column("column", column)
    if name not in known and not hasattr(model, "feature_names_in_"):
        raise ValueError(
            f"unknown column {name!r}: columns without names that are text are {known[0]} to "
            f"{known[-1]} by their places; {checks.NAMING}"
        )
    return checks.known("column", name, known)
