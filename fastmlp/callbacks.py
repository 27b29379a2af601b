"""What happens between epochs: the protocol, and the callbacks that fit itself uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from . import checks
from .history import History

if TYPE_CHECKING:
    from .network import MLP

__all__ = ["Callback", "Checkpoint", "EarlyStopping", "Progress"]

MONITORS = ("validation_cost", "validation_accuracy", "cost")


class Callback:
    """Called by fit; a subclass overrides what it needs.

    `net` is the network in training, which may be looked at, saved and changed; `history` is that
    of this fit, up to the epoch that just ended.
    """

    def on_fit_begin(self, net: MLP, history: History) -> None:
        """Before the first epoch."""

    def on_epoch_end(self, net: MLP, history: History) -> bool | None:
        """After each whole epoch and its validation; True stops training."""

    def on_fit_end(self, net: MLP, history: History) -> None:
        """After the last epoch, also when an error or Ctrl-C ended it."""


@dataclass
class EarlyStopping(Callback):
    """Stop when a figure has not become better for some epochs.

    Parameters
    ----------
    patience : int, default 10
        Epochs without a better figure after which to stop.
    min_delta : float, default 0.0
        A figure is better if it is so by more than this.
    monitor : {"validation_cost", "validation_accuracy", "cost"}, default "validation_cost"
        The figure, one of `History`.
    restore_best : bool, default True
        At the end go back to the parameters of the best epoch (not to that epoch's optimizer
        state).

    Attributes
    ----------
    best_epoch : int
        The epoch with the best figure of the latest fit, from 1; 0 without one.
    """

    patience: int = 10
    min_delta: float = 0.0
    monitor: str = "validation_cost"
    restore_best: bool = True

    def __post_init__(self) -> None:
        checks.whole("patience", self.patience)
        checks.number("min_delta", self.min_delta, "[0, inf)")
        checks.flag("restore_best", self.restore_best)
        checks.known("monitor", self.monitor, MONITORS)
        self._forget()

    def _forget(self) -> None:
        self.best_epoch = 0
        self._best = inf
        self._parameters: bytes | None = None

    def on_fit_begin(self, net: MLP, history: History) -> None:
        self._forget()

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        figure = getattr(history, self.monitor)[-1]
        worth = -figure if self.monitor == "validation_accuracy" else figure
        if worth < self._best - self.min_delta:
            self._best = worth
            self.best_epoch = history.epochs
            if self.restore_best:
                self._parameters = net._engine.snapshot()
        return history.epochs - self.best_epoch >= self.patience

    def on_fit_end(self, net: MLP, history: History) -> None:
        if self._parameters is not None:
            net._engine.restore(self._parameters)
            self._parameters = None


@dataclass(frozen=True)
class Checkpoint(Callback):
    """Save the network while it trains, so that a crash costs a few epochs at most.

    Each save replaces the file as a whole: whatever happens, a whole file is there.  The last one
    is made when training ends.

    Parameters
    ----------
    path : path-like
        The file, used as it stands.
    every : int, default 1
        Epochs from one save to the next.
    """

    path: str | os.PathLike[str]
    every: int = 1

    def __post_init__(self) -> None:
        checks.whole("every", self.every)

    def on_epoch_end(self, net: MLP, history: History) -> None:
        if history.epochs % self.every == 0:
            net.save(self.path)

    def on_fit_end(self, net: MLP, history: History) -> None:
        if history.epochs > 0:  # never an untrained network over an earlier run's
            net.save(self.path)


class Progress(Callback):
    """Show each epoch's figures: a bar with rich in a terminal, otherwise a line.

    Parameters
    ----------
    epochs : int
        Epochs that the fit will make at most.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._bar: Any = None

    def on_fit_begin(self, net: MLP, history: History) -> None:
        self._bar = _rich_bar(self.epochs) if sys.stdout.isatty() else None
        if self._bar:
            self._bar.start()

    def on_epoch_end(self, net: MLP, history: History) -> None:
        names = [name for name in ("cost", "validation_cost", "validation_accuracy")
                 if getattr(history, name)]
        figures = "  ".join(
            f"{name.replace('_', ' ')} {getattr(history, name)[-1]:.6g}" for name in names
        )
        if self._bar:
            self._bar.update(self._bar.task_ids[0], advance=1, figures=figures)
        else:
            print(
                f"epoch {history.epochs:>{len(str(self.epochs))}}/{self.epochs}  {figures}  "
                f"{history.seconds[-1]:.2f} s",
                flush=True,
            )

    def on_fit_end(self, net: MLP, history: History) -> None:
        if self._bar:
            self._bar.stop()


def stopping(wanted: bool | int | EarlyStopping | None) -> list[EarlyStopping]:
    """What fit's argument asks for, as callbacks."""
    if wanted is None or wanted is False:
        return []
    if wanted is True:
        return [EarlyStopping()]
    if isinstance(wanted, EarlyStopping):
        return [wanted]
    return [EarlyStopping(patience=checks.whole("early_stopping", wanted))]


def checked(given: Iterable[Callback]) -> list[Callback]:
    """Fit's callbacks, each of them one."""
    if isinstance(given, Callback):
        raise TypeError(f"callbacks must be a list of callbacks, got one: write [{given!r}]")
    found = list(given)
    for i, callback in enumerate(found):
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks[{i}] must be an object of a subclass of fastmlp.Callback, got "
                f"{callback!r}"
            )
    return found


def _rich_bar(epochs: int) -> Any:
    """A bar over the epochs, not started; None without rich."""
    try:
        from rich import progress
    except ImportError:
        return None
    bar = progress.Progress(
        progress.MofNCompleteColumn(),
        progress.BarColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.fields[figures]}"),
    )
    bar.add_task("", total=epochs, figures="")
    return bar
