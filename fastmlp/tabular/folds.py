"""Which rows each network of a model leaves out, to be validated on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

from ..support.text import quoted
from ..support.user_warnings import warn_user
from .frames import missing_in, series_of
from .precision import sortable
from .targets import without_mask

__all__ = ["free_rows", "row_values", "validation_rows"]

Array = NDArray[Any]

FEWEST_ROWS = 20  # with fewer, every network is trained on all of them
LARGEST_GROUP = 0.5  # share of the rows up to which a group may be left out


def validation_rows(
    n_networks: int,
    fraction: float,
    rng: np.random.RandomState,
    y: Array,
    *,
    stratify: bool,
    groups: Array | None = None,
    time: Array | None = None,
) -> tuple[NDArray[np.intp], ...]:
    """Return the validation rows of each network.

    Rows get places in [0, 1); network i is validated on those in an interval of length `fraction`.
    The intervals begin at equal distances, so that they overlap only if they have to.

    Parameters
    ----------
    n_networks : int
        The number of networks.
    fraction : float
        Share of the rows that each network leaves out.
    rng : RandomState
        Source of the places.
    y : ndarray (m,)
        Targets.
    stratify : bool
        Whether y are classes, whose proportions are kept.
    groups : ndarray (m,), optional
        Rows with equal entries stay together.  A group that has more than half of the rows stays
        in training, with a warning.
    time : ndarray (m,), optional
        All networks are validated on the latest rows.
    """
    m = len(y)
    if m < FEWEST_ROWS:
        return (np.zeros(0, np.intp),) * n_networks
    if time is not None:
        n = max(1, round(fraction * m))
        return (np.sort(np.argsort(time, kind="stable")[-n:]),) * n_networks
    share = fraction  # of the rows that may be left out
    if groups is not None:
        free, share = free_rows(groups, fraction)
        places = np.full(m, np.nan)
        places[free] = _places_of_groups(groups[free], rng)
    elif stratify:
        places = np.empty(m)
        for k in np.unique(y):
            rows = np.flatnonzero(y == k)
            places[rows] = (rng.permutation(len(rows)) + rng.uniform()) / len(rows)
    else:
        places = (rng.permutation(m) + rng.uniform()) / m
    distance = max(share, 1 / n_networks)
    found = [np.flatnonzero((places - i * distance) % 1 < share) for i in range(n_networks)]
    if groups is not None and any(not 0 < len(rows) < m for rows in found):
        raise ValueError(
            f"groups has {len(np.unique(groups))} different entries, too few to leave out "
            f"{fraction:.0%} of the rows; use more and smaller groups, or no groups"
        )
    if groups is not None and not free.all():
        warn_user(
            f"one entry of groups has {1 - free.mean():.0%} of the rows: every network is trained "
            f"on these rows, and validated on rows of other groups alone",
        )
    return tuple(found)


def free_rows(groups: Array, fraction: float) -> tuple[NDArray[np.bool_], float]:
    """Return which rows may be left out to leave out a fraction of all, and which share of them.

    The rows of a group that has more than half of all rows stay in training, and so does at least
    half of the other rows.
    """
    _, numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)
    free = (counts <= LARGEST_GROUP * len(groups))[numbers]
    if free.all():
        return free, fraction
    return free, min(fraction * len(groups) / max(1, int(free.sum())), 0.5)


def _places_of_groups(groups: Array, rng: np.random.RandomState) -> Array:
    """Return the same place for all rows of a group: where its rows would be in the middle."""
    _, numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(counts))
    ends = np.empty(len(counts))
    ends[order] = np.cumsum(counts[order])
    places: Array = ((ends - counts / 2) / len(groups))[numbers]
    return places


def row_values(name: str, values: Any, m: int) -> Array:
    """Return one entry for each row, none of them missing."""
    values = np.asarray(without_mask(values))
    if values.ndim == 0 or (values.ndim > 1 and values.size != len(values)):
        raise ValueError(f"{name} has shape {values.shape}; give one entry for each row of X")
    column = series_of(column_or_1d(values))
    if len(column) != m:
        raise ValueError(f"{name} has {len(column)} entries for {m} rows of X; give one for each")
    if missing := int(missing_in(name, column).sum()):
        raise ValueError(f"{name} has {missing} missing entries; fill them in")
    if name != "time":
        entries: Array = column.to_numpy()
        try:
            np.unique(entries)
        except TypeError:  # such as text and numbers, which have no order
            entries = pd.factorize(column)[0]
        return entries
    moments = sortable(column.rename(name))
    if moments is None:
        alone = [series_of([one], name=name) for one in column.unique()]
        wrong = next((one.iloc[0] for one in alone if sortable(one) is None), None)
        raise ValueError(
            f"time has entries that are neither numbers nor dates as 2024-12-31, such as "
            f"{quoted(wrong)}; write them so"
            if wrong is not None
            else "time has numbers beside dates; write all entries as one or the other"
        )
    return moments
