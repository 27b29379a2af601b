"""Progress of a loop over epochs: a bar in a notebook or a terminal, lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import Any, Protocol

__all__ = ["ProgressBar", "epoch_line", "progress_bar"]

UPDATES = 0.1  # seconds from one update of a notebook's bar to the next


class ProgressBar(Protocol):
    """What shows the progress of epochs."""

    def update(self, done: int, seconds: float, figures: str) -> None:
        """Show the number of epochs done, the seconds of the last one and its figures."""

    def close(self) -> None:
        """Show the last update and end."""


def progress_bar(epochs: int) -> ProgressBar:
    """Return the bar for the standard output of now, for so many epochs at most."""
    if type(sys.stdout).__module__.startswith("ipykernel.") and "IPython" in sys.modules:
        return NotebookBar(epochs, import_module("IPython.display").display)
    if sys.stdout.isatty():
        try:
            return TerminalBar(epochs)
        except ImportError:  # rich is optional
            pass
    return Lines(epochs)


def epoch_line(done: int, epochs: int, figures: str, seconds: float) -> str:
    """Return the line of the last of `done` epochs, with the numbers of epochs right-aligned."""
    number = f"{done:>{len(str(epochs))}}/{epochs}"
    return f"epoch {number}  {figures}  {seconds:.2f} s"


class Lines:
    """A line for each epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def update(self, done: int, seconds: float, figures: str) -> None:
        print(epoch_line(done, self.epochs, figures, seconds), flush=True)

    def close(self) -> None:
        pass


class TerminalBar:
    """A bar of rich's, as wide as the terminal: the figures take precedence over the bar."""

    def __init__(self, epochs: int) -> None:
        from rich import progress
        from rich.table import Column

        self.bar = progress.Progress(
            progress.MofNCompleteColumn(table_column=Column(no_wrap=True)),
            progress.BarColumn(bar_width=None, table_column=Column(ratio=1)),
            progress.TimeElapsedColumn(table_column=Column(no_wrap=True)),
            progress.TextColumn("{task.fields[figures]}", table_column=Column()),
            expand=True,
        )
        self.task = self.bar.add_task("", total=epochs, figures="")
        self.bar.start()

    def update(self, done: int, seconds: float, figures: str) -> None:
        self.bar.update(self.task, completed=done, figures=figures)

    def close(self) -> None:
        self.bar.stop()


class NotebookBar:
    """A bar in HTML in the output of a notebook's cell.

    Parameters
    ----------
    epochs : int
        The greatest number of epochs.
    display : callable
        IPython's.
    clock : callable, default `time.monotonic`
        Returns the time in seconds.
    """

    def __init__(
        self, epochs: int, display: Any, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.epochs, self.clock = epochs, clock
        self.state = (0, 0.0, "")  # epochs done, their seconds, the figures of the last one
        self.shown, self.shown_at = self.state, clock()
        self.handle = display(self._contents(), raw=True, display_id=True)

    def update(self, done: int, seconds: float, figures: str) -> None:
        self.state = (done, self.state[1] + seconds, figures)
        if self.clock() - self.shown_at >= UPDATES:
            self._show()

    def close(self) -> None:
        if self.shown != self.state:
            self._show()

    def _show(self) -> None:
        self.shown, self.shown_at = self.state, self.clock()
        self.handle.update(self._contents(), raw=True)

    def _contents(self) -> dict[str, str]:
        done, seconds, figures = self.state
        text = f"{done}/{self.epochs}  {seconds:.1f} s  {figures}"
        return {
            "text/plain": text,
            "text/html": (
                f'<div style="font-variant-numeric: tabular-nums"><progress value="{done}" '
                f'max="{self.epochs}" style="width: 12em; max-width: 100%"></progress> '
                f"{escape(text)}</div>"
            ),
        }
