"""Batches that the ranks agree on from time to time within an epoch.

Where examples come in pieces, a rank does not know how many rows the others have at hand, and
where time is limited all ranks must stop after the same batch.  The ranks then go through an epoch
in rounds: before each they tell one another how many batches they have at hand, and all train on as
many as the rank with the fewest.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from time import perf_counter

import numpy as np

from ..data.batches import Piece
from ..data.examples import Examples
from ..model.state import ModelState
from .communication import Ranks

__all__ = ["TimeIsUp", "rounds"]

SHORT, LONG = 0.05, 0.2  # seconds of a round, where time is limited


class TimeIsUp(Exception):
    """Raised between two rounds, on every rank, when a rank's time is up."""


class Stock:
    """The batches that a rank has at hand: what is left of the piece that came last."""

    def __init__(self, state: ModelState, pieces: Iterator[Piece]) -> None:
        self.state, self.pieces = state, pieces
        self.piece: Piece | None = None
        self.spare: Examples | None = None  # for batches of which this rank has no row
        self.ended = False

    def refill(self) -> None:
        """Read the next piece if no batch is left."""
        if self.piece is None and not self.ended:
            self.piece = next(self.pieces, None)
            self.ended = self.piece is None
            if self.piece is not None and self.spare is None:
                self.spare = self.piece.examples.take(self.state, np.zeros(1, np.int64))

    def __len__(self) -> int:
        return 0 if self.piece is None else len(self.piece.starts) - 1

    def take(self, n: int) -> Piece:
        """Return the next n batches; after the last row they are empty."""
        if self.piece is None:
            assert self.spare is not None  # a source without a row has raised an error
            return Piece(self.spare, np.empty(0, np.int64), np.zeros(n + 1, np.int64))
        examples, order, starts = self.piece
        end = starts[n]
        self.piece = None
        if n + 1 < len(starts):
            self.piece = Piece(examples, order[end:], starts[n:] - end)
        return Piece(examples, order[:end], starts[: n + 1])


def rounds(
    ranks: Ranks, state: ModelState, pieces: Iterator[Piece], deadline: float | None
) -> Iterator[Piece]:
    """Yield this rank's part of the batches of each round of an epoch.

    Parameters
    ----------
    ranks : Ranks
        The ranks, each of which goes through its rounds.
    state : ModelState
        The network.
    pieces : iterator of Piece
        This rank's parts of all batches, in order.
    deadline : float or None
        When to stop, on this rank's clock; None: train on everything.

    Raises
    ------
    TimeIsUp
        If a rank's deadline is over after a round.
    RuntimeError
        If a rank could not read its examples; on that rank its own error.
    """
    stock = Stock(state, pieces)
    most, seconds = 1, 0.0
    for number in count():
        error = None
        try:
            stock.refill()
        except Exception as raised:
            error = raised
        ranks.agree(error)
        is_over = deadline is not None and number > 0 and perf_counter() >= deadline
        found = ranks.gather((None if stock.ended else len(stock), is_over, seconds))
        at_hand = [n for n, _, _ in found if n is not None]
        if not at_hand:
            return
        if any(over for _, over, _ in found):
            raise TimeIsUp
        n = min(at_hand)
        if deadline is not None:
            slowest = max(one for _, _, one in found)
            most = 2 * most if slowest < SHORT else max(1, most // 2) if slowest > LONG else most
            n = min(n, most)
        started = perf_counter()
        yield stock.take(n)
        seconds = perf_counter() - started
