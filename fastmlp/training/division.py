"""Several networks divided among processes, each of which trains some and has all in the end.

What trains several networks asks `division` which of them are its own.  By default this process
trains them all; fastmlp.distributed divides them among the ranks of an MPI program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

__all__ = ["Division", "dividing", "division"]

Value = TypeVar("Value")


class Division(Protocol):
    """Which of several networks a process trains; all processes make the same calls in order."""

    n_processes: int

    def own(self, n: int) -> Sequence[int]:
        """Return the numbers, of n networks, of those that this process trains."""

    def of_first(self, value: Value) -> Value:
        """Return the value that the first process passes."""

    def require_equal(self, value: Any, what: str) -> None:
        """Raise an error in every process if they pass different values."""

    def exchange(self, trained: Mapping[int, Value], error: Exception | None) -> dict[int, Value]:
        """Return what all processes have trained, by number, or raise an error that one has met."""


class Undivided:
    """One process, which trains all networks."""

    n_processes = 1

    def own(self, n: int) -> Sequence[int]:
        """Return all numbers."""
        return range(n)

    def of_first(self, value: Value) -> Value:
        """Return the value."""
        return value

    def require_equal(self, value: Any, what: str) -> None:
        """There is nothing to compare."""

    def exchange(self, trained: Mapping[int, Value], error: Exception | None) -> dict[int, Value]:
        """Return what was trained, or raise the error."""
        if error is not None:
            raise error
        return dict(trained)


UNDIVIDED = Undivided()
CURRENT: ContextVar[Division | None] = ContextVar("division", default=None)


def division() -> Division:
    """Return how networks are divided in this context."""
    return CURRENT.get() or UNDIVIDED


@contextmanager
def dividing(how: Division) -> Iterator[None]:
    """Divide the networks that are trained in this context."""
    token = CURRENT.set(how)
    try:
        yield
    finally:
        CURRENT.reset(token)
