"""The check of X in a short fit: made while the first epoch reads the rows.

A pass over a large X to check that its numbers are finite, and another one to pack its zeros away,
take as long as a tenth of an epoch.  A fit of one or two epochs makes neither: the engine checks
each batch before it trains on it.  If X is refused, the network is as it was before the fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from ..data.batches import Source
from ..data.examples import Examples
from ..history import History
from ..model.state import ModelState
from .config import FitConfig

__all__ = ["PACKED_EPOCHS", "Trainable", "may_check_later", "undone_unless_finite"]

PACKED_EPOCHS = 3  # of a call of fit, from which on packing rows with many zeros pays


class Trainable(Protocol):
    """A network: its state, which is trained, and the history of its latest fit."""

    state: ModelState
    history: History


def may_check_later(
    state: ModelState, config: FitConfig, validation_data: Any, callbacks: Sequence[Any]
) -> bool:
    """Return whether the first epoch of a fit may check X: it reads all rows, and nobody looks on.

    Callbacks would see a fit that is undone.
    """
    return (
        config.epochs < PACKED_EPOCHS
        and (validation_data is None or isinstance(validation_data, (tuple, list)))
        and not (callbacks or callable(config.shuffle) or config.step.distortion or state.frozen)
    )


@contextmanager
def undone_unless_finite(net: Trainable, source: Source) -> Iterator[None]:
    """Return the context of a fit that may end with an error because X is not finite.

    The check of a large X is left to the first epoch, which reads all rows anyway; where it ends
    early, the check is made here.  If X is refused, the network is as it was before.
    """
    if not (isinstance(source, Examples) and source.data.unchecked):
        yield
        return
    backup, history = net.state.backup(), net.history
    try:
        yield
    finally:
        try:
            source.require_finite(net.state)
        except ValueError:
            net.state.restore_backup(backup)
            net.history = history
            raise
