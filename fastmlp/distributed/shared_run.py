"""A fit whose batches are shared by the ranks."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..callbacks import Callback
from ..data.examples import Examples
from ..history import History
from ..kernels.calls import Batches, BatchShare
from ..model.state import ModelState
from ..support import threads
from ..training import FitConfig
from ..training.first_reading import Trainable
from ..training.loop import Run, Scheduled
from . import shares
from .communication import Ranks
from .sharing import Sharing

__all__ = ["SharedRun"]

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def checksum(state: ModelState) -> int:
    """Return a checksum of parameters and averages."""
    return zlib.crc32(state.snapshot().tobytes())


def optimizer_checksum(state: ModelState) -> int:
    """Return a checksum of the optimizer's state."""
    found = 0
    if state.optimizer is not None:
        for layers in state.optimizer_state():
            for array in (one for layer in layers for one in layer):
                found = zlib.crc32(array.tobytes(), found)
    return found


class SharedRun(Run):
    """One rank's part of a call of fit, its arguments checked.

    Parameters
    ----------
    ranks : Ranks
        All ranks of this fit.
    net, config, source, rows, held_out, callbacks
        As for `Run`, with the examples of this rank.
    sharing : Sharing
        What the ranks send one another.
    """

    def __init__(
        self,
        ranks: Ranks,
        net: Trainable,
        config: FitConfig,
        source: Examples,
        rows: NDArray[np.int64] | None,
        held_out: Examples | None,
        callbacks: Sequence[Callback],
        sharing: Sharing,
    ) -> None:
        super().__init__(net, net.state, config, source, rows, held_out, callbacks)
        self.ranks = ranks
        self.seeds = (ranks.rank,)
        own = len(source if rows is None else rows)
        found = ranks.gather((own, source.weight is not None))
        counts = [n for n, _ in found]
        self.any_weighted = any(weighted for _, weighted in found)
        self.n_rows = self.n_all = sum(counts)
        self.batch_size = min(config.batch_size, self.n_all)
        self.starts = shares.starts(counts, ranks.rank, self.batch_size)
        sizes = np.diff(self.starts)
        self.places = ranks.sum_of_lower(sizes)
        self.most_rows = int(sizes.max())
        self.sharing = sharing
        self.gradient_sum = ranks.gradient_sum(sharing.compression)
        self.average = ranks.parameter_average(own / self.n_all)
        cap = config.n_threads or ranks.threads()
        cap = threads.for_step(net.state.spec.layer_sizes, self.most_rows, cap)
        self.config = replace(config, n_threads=cap)

    def require_equal(self) -> None:
        """Refuse ranks that do not train the same network in the same way."""
        state = self.state
        own = {
            "sizes or options of the network": ADDRESS.sub("", repr(state.spec)),
            "parameters of the network": checksum(state),
            "state of the optimizer": (state.optimizer, state.steps, optimizer_checksum(state)),
            "number of epochs so far": state.epochs,
            "frozen layers": (sorted(state.frozen), state.encoding_frozen),
            "options of fit": ADDRESS.sub("", repr(replace(self.config, n_threads=None))),
            "accumulate, local_steps or compression": self.sharing,
            "presence of validation_data": self.held_out is not None,
        }
        found = self.ranks.gather(own)
        for name, value in found[0].items():
            for rank, other in enumerate(found):
                if other[name] != value:
                    self.ranks.raise_on_all(
                        ValueError(
                            f"ranks 0 and {rank} differ in the {name}: every rank must pass an "
                            f"equal network and equal options. Make the network with the same "
                            f"arguments and seed on every rank, or load the same file"
                        )
                    )

    def total(self, *sums: float) -> tuple[float, ...]:
        return tuple(self.ranks.total(np.array(sums)).tolist())

    def end_epoch(self, history: History) -> list[str]:
        """Call this rank's callbacks; what stops one rank, by a name or an error, stops all."""
        error, names = None, []
        try:
            names = super().end_epoch(history)
        except Exception as raised:
            error = raised
        self.ranks.agree(error)
        found = self.ranks.gather((names, checksum(self.state)))
        if len({one for _, one in found}) > 1:
            self.ranks.raise_on_all(
                RuntimeError(
                    f"the parameters of the ranks differ after epoch {history.epochs}: a callback "
                    f"has changed them on some ranks only, or the MPI library gives the ranks "
                    f"different sums"
                )
            )
        return [name for names, _ in found for name in names]

    def n_batches(self, n_rows: int) -> int:
        return len(self.places)

    def weights_of(self, examples: Examples, order: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return Σ s of each batch over all ranks; without sample weights the number of rows."""
        sizes = np.diff(self.starts)
        if not self.any_weighted:
            ends = self.batch_size * np.arange(len(sizes) + 1, dtype=np.float64)
            whole: NDArray[np.float64] = np.diff(np.minimum(ends, self.n_all))
            return whole
        number = np.repeat(np.arange(len(sizes)), sizes)  # of each row's batch
        weight = None if examples.weight is None else examples.weight[order]
        own = np.bincount(number, weight, len(sizes)).astype(np.float64)
        return self.ranks.total(own)

    def part_of(
        self,
        examples: Examples,
        order: NDArray[np.int64],
        scheduled: Scheduled,
        epoch: int,
        before: int,
    ) -> Batches:
        whole = super().part_of(examples, order, scheduled, epoch, before)
        weights = self.weights_of(examples, order)
        k = self.sharing.local_steps
        share = BatchShare(self.starts, self.places, weights, self.gradient_sum)
        if k > 1:
            share = share._replace(local_steps=k, average=self.average)
        return whole._replace(batch_size=self.most_rows, share=share)
