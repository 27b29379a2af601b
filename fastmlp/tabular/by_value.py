"""Models of the values of a column, the parameter `per`, and one shared model for other rows.

    table ── typed ──┬── rows of a value with enough of them ── a model of its own
                     └── all rows ── the shared model, for rare, missing and unknown values

A value's model is an estimator like any other: the one that is fitted to the rows of that value
alone, on the columns that the shared model uses.  fastmlp/tabular/fitting_by_value.py fits them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..network import MLP
from .frames import Kind, dates, factorized, is_truth, numbers
from .levels import known_codes, text
from .parameters import restored

__all__ = ["ByValue", "rows_of", "typed"]

Array = NDArray[Any]


@dataclass(frozen=True)
class ByValue:
    """The models of a column's values.

    Attributes
    ----------
    column : str
        The column.
    kinds : dict
        The kinds of the columns that the models use.
    shared : TabularClassifier or TabularRegressor
        The model of the whole training set, for rows of all other values.
    models : dict
        The model of each value that has one, by the value as text.
    reasons : dict
        The values of the training set without a model of their own, and why.
    """

    column: str
    kinds: Mapping[str, Kind]
    shared: Any
    models: Mapping[str, Any]
    reasons: Mapping[str, str]

    def read(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with typed columns, of which many small parts are read quickly."""
        values = pd.Categorical.from_codes(self._codes(table), [*self.models, *self.reasons])
        others = {name: kind for name, kind in self.kinds.items() if name != self.column}
        return typed(table, others).assign(**{self.column: values})

    def known_cells(self, table: pd.DataFrame) -> Iterator[tuple[str, Array, Sequence[str]]]:
        """Yield each category of a table that `read` returned, as `TableEncoder.known_cells`."""
        values = table[self.column].cat
        yield self.column, values.codes.to_numpy(), list(values.categories)
        for one in self.shared.encoder_.categories:
            if not one.part and one.source != self.column:
                yield one.source, known_codes(table[one.source], one.levels), one.levels

    def shared_rows(self, table: pd.DataFrame) -> int:
        """Return how many rows of a table the shared model predicts."""
        codes = self._codes(table)
        return int(((codes < 0) | (codes >= len(self.models))).sum())

    def _codes(self, table: pd.DataFrame) -> NDArray[np.intp]:
        """Return the place of each row's value: those with a model first, then those without."""
        return known_codes(table[self.column], (*self.models, *self.reasons))

    def assembled(
        self, table: pd.DataFrame, predict: Callable[[Any, pd.DataFrame], Array]
    ) -> Array:
        """Return what the models predict, each for its own rows of a table that `read` returned.

        Parameters
        ----------
        table : DataFrame (m, n)
            The rows.
        predict : callable
            Returns the predictions of a model, its first argument, for some rows.
        """
        codes = table[self.column].cat.codes.to_numpy()
        codes = np.where(codes < len(self.models), codes, -1)
        models = [self.shared, *self.models.values()]
        result: Array | None = None
        for code, rows in rows_of(codes):
            predictions = predict(models[code + 1], table.iloc[rows])
            if result is None:
                result = np.empty((len(table), *predictions.shape[1:]), predictions.dtype)
            result[rows] = predictions
        assert result is not None  # a table has rows
        return result

    def to_json(self) -> dict[str, Any]:
        """Return everything beside the networks in JSON's types."""
        return {
            "by_value": {
                "column": self.column,
                "kinds": dict(self.kinds),
                "shared": self.shared._to_json(),
                "models": {value: model._to_json() for value, model in self.models.items()},
                "reasons": dict(self.reasons),
            }
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], networks: list[MLP], kind: type) -> Self:
        """Return the models, of class `kind`, that `to_json` described, with their networks."""
        next_networks = iter(networks)

        def restored_model(saved: dict[str, Any]) -> Any:
            parameters = {name: restored(value) for name, value in saved["parameters"].items()}
            model = kind(**parameters)
            model._restore(saved, [next(next_networks) for _ in saved["encodings"]])
            return model

        saved = entry["by_value"]
        shared = restored_model(saved["shared"])
        models = {str(value): restored_model(model) for value, model in saved["models"].items()}
        if next(next_networks, None) is not None:
            raise ValueError("there are more networks than the models have")
        return cls(str(saved["column"]), saved["kinds"], shared, models, saved["reasons"])


def typed(table: pd.DataFrame, kinds: Mapping[str, Kind]) -> pd.DataFrame:
    """Return a table in which numbers, dates and text are stored as such.

    A part of it has the kinds of the whole: a column of codes such as "A1" and "17" remains one of
    categories in rows that have "17" alone.
    """
    columns: dict[str, Any] = {}
    for name, kind in kinds.items():
        column = table[name]
        if kind == "number":
            columns[name] = numbers(column)
        elif kind == "date":
            columns[name] = dates(column).to_numpy()
        elif column.dtype == object or column.dtype == "str":
            codes, cells = factorized(column)
            # True as text, which is the same level: a Categorical cannot have it beside 1
            names = [text(cell) if is_truth(cell) else cell for cell in cells]
            places, levels = pd.factorize(pd.Index(names, dtype=object))
            columns[name] = pd.Categorical.from_codes(np.append(places, -1)[codes], levels)
        else:
            columns[name] = column.array
    return pd.DataFrame(columns, index=table.index)


def rows_of(codes: NDArray[np.integer[Any]]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each different code with the rows, in ascending order, that have it."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    for rows in np.split(order, np.flatnonzero(np.diff(ordered)) + 1):
        yield int(codes[rows[0]]), rows
