"""How a fit ends: by Ctrl-C, a call from another thread, or numbers that run away."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

from ..callbacks import Callback, EarlyStopping
from ..history import History, TrainingDiverged
from ..model.spec import NetworkSpec

__all__ = [
    "Stop", "Stopped", "diverged", "end_callbacks", "reason_of", "require_monitored",
    "require_weight",
]  # fmt: skip


class Stop(threading.Event):
    """Ends fits of other threads within a slice of training, once it is set.

    Attributes
    ----------
    reason : str
        What `History.stopped_by` of these fits becomes.
    may_begin : threading.Event
        What the threads wait for before the first fit: set when all are started, or none will be.
    """

    reason = "stopped"

    def __init__(self) -> None:
        super().__init__()
        self.may_begin = threading.Event()

    def set(self) -> None:
        """End the fits."""
        super().set()
        self.may_begin.set()


class Stopped(Exception):
    """Raised within a fit when its `Stop` is set."""


ENDED_BY = {KeyboardInterrupt: "interrupt", TrainingDiverged: "divergence"}


def reason_of(error: BaseException, stop: Stop | None) -> str:
    """Return what `History.stopped_by` becomes by an error."""
    if stop is not None and isinstance(error, Stopped):
        return stop.reason
    return ENDED_BY.get(type(error), "error")


def require_monitored(
    callbacks: Sequence[Callback], spec: NetworkSpec, has_validation: bool
) -> None:
    """Raise ValueError if early stopping watches a figure that there will not be."""
    available = {"cost"}
    if has_validation:
        available.add("validation_cost")
        if spec.loss.classification:
            available.add("validation_accuracy")
    for callback in callbacks:
        if isinstance(callback, EarlyStopping) and callback.monitor not in available:
            others = " or ".join(f"EarlyStopping(monitor={one!r})" for one in sorted(available))
            remedy = "choose" if "validation_cost" in available else "give validation_data, or"
            raise ValueError(
                f"early stopping watches {callback.monitor}, which this fit does not have; "
                f"{remedy} {others}"
            )


def end_callbacks(callbacks: Sequence[Callback], net: Any, history: History) -> None:
    """Call every `on_fit_end`, whatever another one raises; raise the first error after them.

    Early stopping comes first, so that those after it see the parameters that the fit ends with.
    An error that has ended the fit itself goes before those of `on_fit_end`, which are added to it
    as notes.
    """
    ended_by = sys.exception()
    failures: list[BaseException] = []
    for callback in sorted(callbacks, key=lambda one: not isinstance(one, EarlyStopping)):
        try:
            callback.on_fit_end(net, history)
        except BaseException as error:
            failures.append(error)
    if failures and ended_by is None:
        raise failures[0]
    for failure in failures:
        assert ended_by is not None
        ended_by.add_note(f"on_fit_end of a callback then failed too: {failure!r}")


def diverged(history: History, batch: int, rate: float) -> TrainingDiverged:
    """Return the error that names the place and what may help; `batch` counts from 0."""
    epoch = history.epochs + 1
    return TrainingDiverged(
        f"the cost or a parameter became infinite or NaN in epoch {epoch}, batch {batch + 1}; "
        f"the network is as it was before that epoch. Lower the learning rate (it was "
        f"{rate:g}), or scale X, and the targets of a regression, so that their columns are about "
        f"1 in size",
        epoch,
        batch + 1,
        history,
    )


def require_weight(total: float) -> None:
    """Refuse examples that all count nothing."""
    if total == 0:
        raise ValueError("sample_weight is zero for every example")
