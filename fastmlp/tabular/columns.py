"""From the columns of a table to numbers and codes, and from those to a network's inputs.

A `TableEncoder` is learned from the training set and kept with the model.  It reads a table in
two steps.  `read` turns its columns into numbers (m, n_numbers) and codes of categories
(m, n_categories); a date becomes the days since the first one of the training set, year, month,
weekday, day of the month and, if there are times, the hour.  `inputs` turns those into the X of a
network, whose first layer (fastmlp/encodings.py) makes of each

    number, by one of four encodings; if it is missing, zeros, and 1 in an input of its own
        "raw"               z / √(1 + (z/3)²), z = (x − median) / (third − first quartile)
        "piecewise_linear"  the same and, for bins of equal counts e₀ < e₁ < …, in the t-th input
                            0 for z ≤ e_(t−1), 1 for z ≥ e_t, linear in between
        "quantile"          q = Φ⁻¹(share of the training set below x): normally distributed
        "periodic"          q and three learned sums of waves of q (fastmlp.encodings.Periodic)
    category    1 in the input of its level, 0 in the others; ±1 in one input for two levels;
                zeros if it is missing or was not in the training set

Robust scaling and smooth clipping are RealMLP's (Holzmüller, Grinsztajn and Steinwart 2024), the
piecewise-linear code is that of Gorishniy, Rubachev and Babenko (2022), quantiles are encoded as by
scikit-learn's `QuantileTransformer`, and waves as in RealMLP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from ..encodings import Encoding, Numeric, OneHot, Periodic, PiecewiseLinear
from .frames import (
    Kind,
    are_local_dates,
    dates,
    kind_of,
    numbers,
)
from .levels import known_codes, texts
from .precision import ADVICE, blurred

__all__ = [
    "ENCODINGS", "ISO_DATES", "Category", "Codes", "NoColumnError", "Number", "TableEncoder",
]  # fmt: skip

Array = NDArray[Any]

ENCODINGS = ("raw", "piecewise_linear", "quantile", "periodic")  # of numbers
N_BINS = 16  # of the piecewise-linear code
N_QUANTILES = 256  # between which the quantile encoding is linear
MOST_LEVELS = 255  # of a category; rarer ones count as unknown
LEAST_ROWS = 30  # below which no column is taken for an identifier
FEWEST_REPEATS = 0.9  # a category with more levels than this share of its rows identifies them
MOST_GAPS = 2  # whole numbers without repetition that span less than so many rows number them
DATE_PARTS = ("days", "year", "month", "weekday", "day", "hour")
CYCLES = {"month", "weekday"}  # parts that are categories
ISO_DATES = "write dates as 2024-12-31"
CONSTANT = "it has the same value in every row"
LARGEST = 1e9  # of |z|
WAVES = Periodic(sigma=0.3)  # of q, which lies between −3 and 3 for most numbers
SIGNS = np.array([1, -1, 0], np.float32)  # of a category with two levels: by code, 0 for −1


class NoColumnError(ValueError):
    """A table has no column that can help to predict."""


class Codes(NamedTuple):
    """A table in numbers."""

    numbers: NDArray[np.float64]  # (m, n_numbers), NaN where missing
    categories: NDArray[np.intp]  # (m, n_categories), −1 where missing or unknown


@dataclass(frozen=True)
class Number:
    """How a number becomes inputs."""

    source: str  # the column of the table
    part: str  # of a date, one of DATE_PARTS; else empty
    median: float
    factor: float  # 1 / (third quartile − first quartile); 0: the column is constant
    edges: tuple[float, ...]  # of the bins of z, in float32; empty if the column is constant
    knots: tuple[float, ...]  # numbers of the training set, ascending, and
    scores: tuple[float, ...]  # Φ⁻¹ of the share of the training set below each of them
    missing: bool  # whether there is an input for missing values


@dataclass(frozen=True)
class Category:
    """How a category becomes inputs."""

    source: str
    part: str
    levels: tuple[str, ...]  # the most frequent first


@dataclass(frozen=True)
class TableEncoder:
    """What was learned of a table's columns."""

    kinds: Mapping[str, Kind]  # of the columns in use, in the table's order
    origins: Mapping[str, str]  # the first date of each column of dates
    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]
    dropped: Mapping[str, str]  # columns that are not used, and why

    def local_dates(self) -> dict[str, str]:
        """Return the columns of text that are dates in the order of a country, each with one."""
        return {
            one.source: one.levels[0]
            for one in self.categories
            if not one.part and are_local_dates(one.levels)
        }

    @classmethod
    def learn(cls, table: pd.DataFrame) -> Self:
        """Return the encoder of a training set."""
        kinds: dict[str, Kind] = {}
        origins: dict[str, str] = {}
        found: list[Number | Category] = []
        dropped: dict[str, str] = {}
        for name in table.columns:
            column = table[name]
            kind = kind_of(column)
            learned: list[Number | Category] = []
            if kind == "number":
                x = numbers(column)
                reason = _why_not_number(x)
                if reason == CONSTANT and blurred(column):
                    reason = f"its numbers are too close to each other: {ADVICE}"
                learned = [] if reason else [_number(name, "", x)]
            elif kind == "category":
                codes, levels = texts(column)
                reason = _why_not_category(codes, levels)
                learned = [] if reason else [_category(name, "", codes, levels)]
            else:
                moments = dates(column)
                first = moments.min()
                reason = _why_not_date(moments)
                if not reason:
                    origins[name] = first.isoformat()
                    learned = _learn_date(name, moments, first)
            if reason:
                dropped[name] = reason
            else:
                kinds[name] = kind
                found += learned
        return cls(
            kinds,
            origins,
            tuple(one for one in found if isinstance(one, Number)),
            tuple(one for one in found if isinstance(one, Category)),
            dropped,
        )

    def read(self, table: pd.DataFrame) -> Codes:
        """Return the columns of a table that has all those of the training set."""
        columns: dict[tuple[str, str], Array] = {}
        levels = {(one.source, one.part): one.levels for one in self.categories}
        for name, kind in self.kinds.items():
            if kind == "number":
                columns[name, ""] = numbers(table[name])
            elif kind == "category":
                columns[name, ""] = known_codes(table[name], levels[name, ""])
            else:
                moments = dates(table[name])
                for part, x in _parts(moments, pd.Timestamp(self.origins[name])).items():
                    columns[name, part] = x
        for key in levels:
            if key[1]:  # months and weekdays are numbers as texts
                columns[key] = known_codes(pd.Series(columns[key]), levels[key])
        m = len(table)
        return Codes(
            _stacked([columns[one.source, one.part] for one in self.numbers], m, np.float64),
            _stacked([columns[one.source, one.part] for one in self.categories], m, np.intp),
        )

    def known_cells(self, codes: Codes) -> Iterator[tuple[str, Array, tuple[str, ...]]]:
        """Yield each category that is a column: its name, the codes of its cells and its levels."""
        for category, code in zip(self.categories, codes.categories.T, strict=True):
            if not category.part:
                yield category.source, code, category.levels

    def inputs(self, codes: Codes, encoding: str) -> NDArray[np.float32]:
        """Return a network's X (m, n_columns) by one of the encodings of numbers."""
        columns: list[Array] = []
        for one, x in zip(self.numbers, codes.numbers.T, strict=True):
            columns += _columns_of(one, x, encoding)
        for category, code in zip(self.categories, codes.categories.T, strict=True):
            columns.append(SIGNS[code] if len(category.levels) == 2 else code)
        return _stacked(columns, len(codes.numbers), np.float32)

    def encodings(self, encoding: str) -> list[Encoding]:
        """Return what a network's first layer makes of each column of `inputs`."""
        found: list[Encoding] = []
        for one in self.numbers:
            found.append(WAVES if encoding == "periodic" else Numeric())
            found += [Numeric()] * one.missing
            if encoding == "piecewise_linear" and one.edges:
                found.append(PiecewiseLinear(one.edges))
        for category in self.categories:
            n = len(category.levels)
            found.append(Numeric() if n == 2 else OneHot(n))
        return found

    def to_json(self) -> dict[str, Any]:
        """Return what was learned in JSON's types."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Return the encoder that `to_json` described."""
        return cls(
            dict(entry["kinds"]),
            dict(entry["origins"]),
            tuple(Number(**_tuples(one)) for one in entry["numbers"]),
            tuple(Category(**_tuples(one)) for one in entry["categories"]),
            dict(entry["dropped"]),
        )


def _tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(one) if isinstance(one, list) else one for key, one in entry.items()}


# -------------------------------------------------------------------------------- learning


def _why_not_number(x: Array) -> str:
    """Return why a column of numbers cannot help to predict; empty if it can."""
    present = x[~np.isnan(x)]
    if len(present) == 0:
        return "it is empty"
    if len(present) == len(x) and (x == x[0]).all():
        return CONSTANT
    if (
        len(x) >= LEAST_ROWS
        and len(present) == len(x)
        and (x == np.floor(x)).all()
        and np.ptp(x) < MOST_GAPS * len(x)
        and len(np.unique(x)) == len(x)
    ):
        return "it numbers the rows: whole numbers, no two of them equal"
    return ""


def _why_not_date(moments: pd.Series) -> str:
    """Return why a column of dates cannot help to predict; empty if it can."""
    if moments.isna().all():
        return "it is empty"
    return CONSTANT if moments.nunique() < 2 and not moments.isna().any() else ""


def _why_not_category(codes: Array, levels: list[str]) -> str:
    """Return why a category cannot help to predict; empty if it can."""
    n_present = int((codes >= 0).sum())
    if n_present == 0:
        return "it is empty"
    if len(levels) == 1 and n_present == len(codes):
        return CONSTANT
    if n_present >= LEAST_ROWS and len(levels) > FEWEST_REPEATS * n_present:
        reason = f"it identifies the rows: {len(levels):,} different texts in {n_present:,} rows"
        return f"{reason} ({ISO_DATES})" if are_local_dates(levels) else reason
    return ""


def _number(source: str, part: str, x: Array) -> Number:
    present = x[~np.isnan(x)]
    with np.errstate(over="ignore"):
        first, median, third = np.quantile(present, [0.25, 0.5, 0.75])
        width = third - first
        if width == 0:
            width = (present.max() - present.min()) / 2
        factor = 1 / width if width > 0 else 0.0
    if not np.isfinite([median, factor]).all() or (factor == 0 and width > 0):
        raise ValueError(
            f"column {source!r} has numbers of a range that float64 cannot scale: "
            f"{present.min():g} to {present.max():g}; divide them by a common factor"
        )
    quantiles = np.quantile(present, np.linspace(0, 1, N_BINS + 1))
    z = np.clip((quantiles - median) * factor, -LARGEST, LARGEST)
    edges = np.unique(z.astype(np.float32))
    return Number(
        source,
        part,
        float(median),
        float(factor),
        tuple(edges.tolist()) if len(edges) > 1 else (),
        *_normal_scores(present),
        bool(len(present) < len(x)),
    )


def _normal_scores(present: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return numbers of a column, and Φ⁻¹ of the share below each; half of the equal ones count."""
    knots, counts = np.unique(present, return_counts=True)
    below = (np.cumsum(counts) - counts / 2) / len(present)
    if len(knots) > N_QUANTILES:
        shares = np.linspace(below[0], below[-1], N_QUANTILES)
        chosen = np.unique(np.searchsorted(below, shares).clip(0, len(knots) - 1))
        knots, below = knots[chosen], below[chosen]
    return tuple(knots.tolist()), tuple(ndtri(below).tolist())


def _category(source: str, part: str, codes: Array, levels: list[str]) -> Category:
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    order = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    return Category(source, part, tuple(levels[i] for i in order))


def _parts(moments: pd.Series, origin: pd.Timestamp) -> dict[str, Array]:
    """Return the numbers of dates: each of DATE_PARTS."""
    accessor = moments.dt
    columns = {
        "days": (moments - origin) / pd.Timedelta(days=1),
        "year": accessor.year,
        "month": accessor.month,
        "weekday": accessor.day_of_week,
        "day": accessor.day,
        "hour": accessor.hour + accessor.minute / 60 + accessor.second / 3600,
    }
    return {part: column.to_numpy(np.float64) for part, column in columns.items()}


def _learn_date(name: str, moments: pd.Series, origin: pd.Timestamp) -> list[Number | Category]:
    found: list[Number | Category] = []
    for part, x in _parts(moments, origin).items():
        present = x[~np.isnan(x)]
        if (present == present[0]).all():
            continue  # a year in a table of one year
        if part in CYCLES:
            found.append(_category(name, part, *texts(pd.Series(x))))
        else:
            found.append(_number(name, part, x))
    if not found:  # a single date, whose days tell where it is missing
        found.append(_number(name, "days", _parts(moments, origin)["days"]))
    return found


# --------------------------------------------------------------------------------- reading


def _stacked(columns: list[Array], m: int, dtype: Any) -> Array:
    return np.column_stack(columns).astype(dtype) if columns else np.zeros((m, 0), dtype)


def _columns_of(one: Number, x: Array, encoding: str) -> list[Array]:
    """Return the columns of `inputs` that come from a number."""
    missing = np.isnan(x)
    with np.errstate(over="ignore"):  # far beyond the training set
        z = np.clip(np.where(missing, 0.0, (x - one.median) * one.factor), -LARGEST, LARGEST)
    if encoding in ("quantile", "periodic"):
        columns = [np.where(missing, 0.0, np.interp(x, one.knots, one.scores))]
    else:
        columns = [z / np.hypot(1.0, z / 3)]
    if one.missing:
        columns.append(missing)
    if encoding == "piecewise_linear" and one.edges:
        columns.append(np.where(missing, one.edges[0], np.clip(z, one.edges[0], one.edges[-1])))
    return columns
