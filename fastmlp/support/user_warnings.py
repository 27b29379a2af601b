"""Warnings that name the user's line, which called fastmlp."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from types import FrameType
from typing import Any, NamedTuple

__all__ = ["UserLine", "name_in_this_thread", "user_line", "warn_user"]

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
BETWEEN = ("sklearn.base", "sklearn.callback._callback_support")  # modules that wrap our methods
OF_THREADS = ("threading", "concurrent.futures.thread")  # modules that call a thread's function


class UserLine(NamedTuple):
    """A line outside of the package."""

    filename: str
    number: int
    module: dict[str, Any]  # the names of its module


class _ThisThread(threading.local):
    began_for: UserLine | None = None


_this_thread = _ThisThread()


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, naming the user's line."""
    line = user_line()
    warnings.warn_explicit(
        message,
        category,
        line.filename,
        line.number,
        module=line.module.get("__name__"),
        registry=line.module.setdefault("__warningregistry__", {}),
    )


def user_line() -> UserLine:
    """Return the nearest line outside of the package from which this call came.

    In a thread of the package's own it is that of `name_in_this_thread`.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None and (
        frame.f_code.co_filename.startswith(PACKAGE) or frame.f_globals.get("__name__") in BETWEEN
    ):
        frame = frame.f_back
    began_for = _this_thread.began_for
    if began_for and (frame is None or frame.f_globals.get("__name__") in OF_THREADS):
        return began_for
    if frame is None:
        return UserLine("sys", 1, sys.__dict__)
    return UserLine(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)


def name_in_this_thread(line: UserLine) -> None:
    """Let warnings name a line where all lines of this thread are the package's own."""
    _this_thread.began_for = line
