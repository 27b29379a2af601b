"""Which rows of which rank make up each batch.

The rows of all ranks are put into one order, each rank's in its own order and evenly spread: row i
of a rank with n rows stands at (i + ½)/n, the lower rank first where two are equal.  Each batch
takes the next `batch_size` rows.  So all batches but the last have exactly that many, each rank has
its proportion of each to within as many rows as there are ranks, and with equal shards and a batch
size that the number of ranks divides it is exactly ``batch_size / n_ranks`` rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..data import batches
from ..data.batches import Batching
from .communication import Ranks

__all__ = ["RankBatches", "even", "places", "starts"]


def places(counts: Sequence[int], rank: int) -> NDArray[np.int64]:
    """Return the places of a rank's rows in the order of all ranks' rows.

    Parameters
    ----------
    counts : sequence of int
        The number of rows, at least 1, of each rank.
    rank : int
        The rank.

    Returns
    -------
    array of int64, (counts[rank],)
        The places, ascending.
    """
    own = counts[rank]
    twice = 2 * np.arange(own, dtype=np.int64) + 1  # 2i + 1, so that (i + ½)/n is twice / 2n
    found = np.zeros(own, np.int64)
    for other, n in enumerate(counts):
        # the number of rows j with (2j + 1)/n < (2i + 1)/own, or ≤ for a lower rank
        if other < rank:
            found += (twice * n - own) // (2 * own) + 1
        else:
            found += -((own - twice * n) // (2 * own))
    return found


def starts(counts: Sequence[int], rank: int, batch_size: int) -> NDArray[np.int64]:
    """Return where a rank's part of each batch begins in its rows.

    Parameters
    ----------
    counts : sequence of int
        The number of rows of each rank.
    rank : int
        The rank.
    batch_size : int
        The number of rows of a batch over all ranks.

    Returns
    -------
    array of int64, (n_batches + 1,)
        Part k is rows ``starts[k]`` to ``starts[k + 1]``; it may be empty.
    """
    n_batches = -(-sum(counts) // batch_size)
    firsts = batch_size * np.arange(n_batches + 1, dtype=np.int64)
    return np.searchsorted(places(counts, rank), firsts).astype(np.int64)


def even(batch_size: int, n_ranks: int, rank: int) -> int:
    """Return the number of a rank's rows in a batch to which all ranks add equally."""
    return batch_size * (rank + 1) // n_ranks - batch_size * rank // n_ranks


class RankBatches(NamedTuple):
    """What a rank has of the batches of a fit."""

    batching: Batching
    most_rows: int  # of this rank in a batch
    # for each batch of an epoch the number of rows of lower ranks, and the number of all rows;
    # empty where the numbers of rows are not known
    places: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, ranks: Ranks, counts: Sequence[int | None], batch_size: int) -> Self:
        """Return this rank's part of batches of this size; every rank calls it.

        Parameters
        ----------
        ranks : Ranks
            The ranks.
        counts : sequence of int or None
            The number of rows of each rank; None where it is not known, because they come in
            chunks.
        batch_size : int
            The number of rows of a batch over all ranks.

        Raises
        ------
        ValueError
            On every rank, if the numbers of some ranks only are known.
        """
        known = [n for n in counts if n is not None]
        if not known:
            most_rows, none = even(batch_size, ranks.size, ranks.rank), np.empty(0, np.int64)
            batching = Batching(None, batch_size, none, batches.even_cuts(most_rows))
            return cls(batching, most_rows, none, none)
        if len(known) < ranks.size:
            ranks.raise_on_all(
                ValueError(
                    "X_local is an iterable of chunks on some ranks and arrays on others: every "
                    "rank must pass its examples in the same way"
                )
            )
        n_rows = sum(known)
        batch_size = min(batch_size, n_rows)
        own = starts(known, ranks.rank, batch_size)
        own_sizes = np.diff(own)
        return cls(
            Batching(n_rows, batch_size, own, batches.cuts_at(own)),
            int(own_sizes.max()),
            ranks.sum_of_lower(own_sizes),
            np.diff(batches.even_starts(n_rows, batch_size)),
        )
