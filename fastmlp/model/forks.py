"""Networks in a process made by fork: their parameters are whole, and no lock is held for ever."""

from __future__ import annotations

import os
import weakref
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["register"]


_states: weakref.WeakSet[Any] = weakref.WeakSet()
_paused: list[AbstractContextManager[None]] = []


def register(state: Any) -> None:
    """Take care of a `ModelState` wherever the process is forked."""
    _states.add(state)


def _before_fork() -> None:
    """Wait for the end of slices of training, so that the child has whole parameters."""
    for state in list(_states):
        if state.training_lock.held:
            pause = state.paused()
            pause.__enter__()
            _paused.append(pause)


def _after_fork() -> None:
    while _paused:
        _paused.pop().__exit__(None, None, None)


def _after_fork_in_child() -> None:
    _after_fork()
    for state in list(_states):
        state.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork,
        after_in_child=_after_fork_in_child,
    )
