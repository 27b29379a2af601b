"""A fork waits for the end of a slice of training; the child's networks are ready for use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from fastmlp.model import forks


class State:
    """What `forks` uses of a network's state, noting what is done with it."""

    def __init__(self, held: bool) -> None:
        self.training_lock = SimpleNamespace(held=held)
        self.done: list[str] = []

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.done.append("paused")
        yield
        self.done.append("goes on")

    def renew(self) -> None:
        self.done.append("ready")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(("held", "pause"), [(True, ["paused", "goes on"]), (False, [])])
def test_training_pauses_for_a_fork_and_goes_on_after_it(held, pause):
    state = State(held)
    forks.register(state)
    child = os.fork()
    if child == 0:
        os._exit(int(state.done != [*pause, "ready"]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert state.done == pause
