"""A fit whose batches are shared by the ranks."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..callbacks import Callback
from ..data.batches import Batching, Piece, Source, ValidationSource
from ..data.examples import Examples
from ..history import History
from ..kernels.calls import Batches, BatchShare
from ..support import threads
from ..support.user_warnings import warn_user
from ..training import FitConfig
from ..training.first_reading import Trainable
from ..training.loop import Run, Setup
from ..training.scheduled import Scheduled
from .communication import Ranks
from .equality import checksum
from .rounds import TimeIsUp, rounds
from .shares import RankBatches
from .sharing import Sharing
from .slowness import RankTimes, TimedSum, about_slow_rank

__all__ = ["SharedRun"]


def weights_of(piece: Piece) -> NDArray[np.float64]:
    """Return Σ s of each batch over the rows of a piece; without sample weights their number."""
    sizes = np.diff(piece.starts)
    if piece.examples.weight is None:
        return sizes.astype(np.float64)
    number = np.repeat(np.arange(len(sizes)), sizes)  # of each row's batch
    weight = piece.examples.weight[piece.order]
    return np.bincount(number, weight, len(sizes)).astype(np.float64)


class SharedRun(Run):
    """One rank's part of a call of fit, its arguments checked, and equal where they must be.

    It differs from `Run` in what depends on the other ranks: which rows of a batch are its own
    (`pieces`, `part_of`), sums over all examples (`total`), and what ends an epoch or the fit
    (`time_is_up`, `run_epoch`, `train`, `end_epoch`).

    Parameters
    ----------
    ranks : Ranks
        All ranks of this fit.
    net, config, source, rows, validation_set, callbacks
        As for `Run`, with the examples of this rank.
    sharing : Sharing
        What the ranks send one another.
    """

    def __init__(
        self,
        ranks: Ranks,
        net: Trainable,
        config: FitConfig,
        source: Source,
        rows: NDArray[np.int64] | None,
        validation_set: ValidationSource | None,
        callbacks: Sequence[Callback],
        sharing: Sharing,
    ) -> None:
        n_own = Batching.of(source, rows, config.batch_size).n_rows
        weighted = getattr(source, "weight", None) is not None
        in_pieces = not isinstance(source, Examples)
        found = ranks.gather((n_own, weighted, in_pieces))
        own = RankBatches.of(ranks, [n for n, _, _ in found], config.batch_size)
        default = ranks.threads()  # on every rank, also where n_threads is another number
        cap = config.n_threads or default
        cap = threads.for_step(net.state.spec.layer_sizes, own.most_rows, cap)
        super().__init__(
            net,
            replace(config, n_threads=cap),
            source,
            rows,
            own.batching,
            validation_set,
            callbacks,
            seeds=(ranks.rank,),
        )
        self.ranks, self.sharing = ranks, sharing
        self.own, self.n_own = own, n_own
        self.any_weighted = any(weighted for _, weighted, _ in found)
        self.any_in_pieces = any(in_pieces for _, _, in_pieces in found)
        self.gradient_sum = TimedSum(ranks.gradient_sum(sharing.compression))
        weight = 1 / ranks.size
        if n_own is not None and own.batching.n_rows is not None:
            weight = n_own / own.batching.n_rows
        self.average = self.gradient_sum.timed(ranks.parameter_average(weight))
        self.warned_of_slow_rank = False
        self.started, self.waited_before = perf_counter(), ranks.seconds
        self.deadline: float | None = None  # of the epoch in training; None: no limit

    # ------------------------------------------------------------------- checks before training

    def check(self) -> None:
        super().check()
        if self.batching.n_rows is None and self.config.batch_size < self.ranks.size:
            raise ValueError(
                f"batch_size is {self.config.batch_size} and there are {self.ranks.size} ranks, "
                f"each of which adds rows of its chunks to every batch: give a batch_size of at "
                f"least {self.ranks.size}"
            )

    # -------------------------------------------------------------- this rank's part of batches

    def pieces(self, source: Source) -> Iterator[Piece]:
        """Return this rank's part of the batches of the coming epoch."""
        pieces = super().pieces(source)
        if self.deadline is not None or self.any_in_pieces:  # alike on every rank
            pieces = rounds(self.ranks, self.state, pieces, self.deadline)
        return pieces

    def part_of(self, piece: Piece, scheduled: Scheduled, epoch: int, before: int) -> Batches:
        share = self.share_of(piece)
        part = self.batches_of(piece.order, len(share.places), scheduled, epoch, before)
        return part._replace(batch_size=self.own.most_rows, share=share)

    def share_of(self, piece: Piece) -> BatchShare:
        """Return what this rank has of each batch of a piece."""
        starts = piece.starts
        if starts is self.batching.starts:  # a whole epoch in memory, of which this is known
            places, whole = self.own.places, self.own.sizes
            weights = whole.astype(np.float64)
            if self.any_weighted:
                weights = self.ranks.total(weights_of(piece))
        else:
            sizes = np.diff(starts)
            n_rows, weights = self.ranks.total(np.stack([sizes, weights_of(piece)]))
            places = self.ranks.sum_of_lower(sizes)
            whole = n_rows.astype(np.int64)
            if self.batching.n_rows is None:  # otherwise `check` has done this
                self.check_sizes(whole)
        share = BatchShare(starts, places, whole, weights, self.gradient_sum)
        k = self.sharing.local_steps
        return share if k == 1 else share._replace(local_steps=k, average=self.average)

    def check_sizes(self, sizes: NDArray[np.int64]) -> None:
        """Refuse on every rank a batch of one row where it is normalized."""
        try:
            self.check_batches(int(sizes.min()))
        except ValueError as error:
            self.ranks.raise_on_all(error)

    # ------------------------------------------------------------------ what the ranks agree on

    def total(self, *sums: float) -> tuple[float, ...]:
        return tuple(self.ranks.total(np.array(sums)).tolist())

    def time_is_up(self, deadline: float) -> bool:
        """Return whether time is up on any rank."""
        if self.config.max_seconds == inf:
            return False
        return any(self.ranks.gather(super().time_is_up(deadline)))

    def run_epoch(self, setup: Setup, history: History) -> tuple[float, float] | None:
        """Train once on every example; the ranks agree between rounds on whether time is up."""
        self.deadline = None if setup.deadline == inf else setup.deadline
        try:
            return super().run_epoch(setup._replace(deadline=inf), history)
        except TimeIsUp:
            return None

    def train(self, history: History) -> None:
        """Train all epochs; the ranks have equal parameters in the end."""
        super().train(history)
        self.require_one_network(self.ranks.gather(checksum(self.state)), "at the end of training")

    def end_epoch(self, history: History) -> str | None:
        """Call this rank's callbacks; what stops one rank, by a name or an error, stops all."""
        error, stopped_by = None, None
        try:
            stopped_by = super().end_epoch(history)
        except Exception as raised:
            error = raised
        self.ranks.agree(error)
        found = self.ranks.gather((stopped_by, checksum(self.state), self.times()))
        self.warn_of_slow_rank([times for _, _, times in found])
        self.require_one_network([sums for _, sums, _ in found], f"after epoch {history.epochs}")
        return next((name for name, _, _ in found if name is not None), None)

    def require_one_network(self, checksums: list[int], when: str) -> None:
        """Refuse ranks whose parameters have become different."""
        if len({*checksums}) > 1:
            self.ranks.raise_on_all(
                RuntimeError(
                    f"the parameters of the ranks differ {when}: a callback, such as "
                    f"EarlyStopping, has changed them on some ranks only, or the MPI library "
                    f"gives the ranks different sums"
                )
            )

    def times(self) -> RankTimes:
        """Return how this rank has spent the time so far."""
        total = perf_counter() - self.started
        busy = total - self.gradient_sum.seconds - (self.ranks.seconds - self.waited_before)
        return RankTimes(busy, total, self.n_own, platform.node())

    def warn_of_slow_rank(self, times: list[RankTimes]) -> None:
        """Warn on rank 0, once, if the others wait for a rank."""
        message = None if self.warned_of_slow_rank else about_slow_rank(times)
        if message is not None:
            self.warned_of_slow_rank = True
            if self.ranks.rank == 0:
                warn_user(message)
