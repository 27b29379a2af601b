"""What a command reports on the standard error stream: errors and warnings, a line each."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp.support.text import printable

MAX_LINE = 1_000  # characters of a message, which may quote a file


def one_line(message: str, length: int = MAX_LINE) -> str:
    """Return a message as a line of limited length that is safe to show in a terminal."""
    line = printable(" ".join(part.strip() for part in message.splitlines()))
    return line if len(line) <= length else f"{line[:length]}…"


def report(command: str | None, kind: str, message: str) -> None:
    """Print an error or a warning of a command."""
    program = f"fastmlp {command}" if command else "fastmlp"
    print(f"{program}: {kind}: {one_line(message, MAX_LINE * 2)}", file=sys.stderr)


@contextmanager
def reported_warnings(args: Any) -> Iterator[None]:
    """Report the warnings in this context as those of the command `args.command`."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        report(args.command, "warning", str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = show
        yield
