"""Sums over the ranks that go on while a rank computes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import sleep
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .bfloat16 import rounded, widened

__all__ = ["CompressedSum", "ExactSum", "GradientSum", "Sum", "average"]

INTERVAL = 0.0005  # seconds between two calls of the MPI library while a rank computes
MOST_UNDER_WAY = 4  # sums at a time
Numbers = NDArray[np.floating[Any]]


class Sum(Protocol):
    """The sum of one array over the ranks, in place, which has begun.

    With `wait` the methods wait until they return True.  Every call lets the MPI library go on.
    """

    def sent(self, wait: bool) -> bool:
        """Send what the other ranks wait for; return whether all has been sent.

        On each rank it must return True for one sum before it is called for the next one.
        """

    def done(self, wait: bool) -> bool:
        """Return whether the sum is there."""


class ExactSum:
    """A sum in the array's own precision."""

    def __init__(self, mpi: Any, comm: Any, numbers: Numbers) -> None:
        self._request = comm.Iallreduce(mpi.IN_PLACE, numbers)

    def sent(self, wait: bool) -> bool:
        return True

    def done(self, wait: bool) -> bool:
        return is_done(self._request, wait)


class CompressedSum:
    """A sum of numbers that are sent as bfloat16, in half the bytes of float32.

    Each rank owns an equal part of the array.  It receives this part of every rank, rounded to
    bfloat16, adds them up in float32 in the order of the ranks, rounds the sums, and sends them to
    all ranks: so every rank has the same bits.

    Parameters
    ----------
    comms : tuple of two communicators
        For parts and for sums: on each, all ranks begin the same messages in the same order.
    numbers : array
        The numbers, of which the sums take the place.
    """

    def __init__(self, comms: tuple[Any, Any], numbers: Numbers) -> None:
        self._numbers = numbers
        self._comm = comms[1]
        n_ranks = self._comm.size
        size = -(-len(numbers) // n_ranks)
        self._parts = np.zeros((n_ranks, size), np.uint16)  # one for each rank
        self._parts.reshape(-1)[: len(numbers)] = rounded(numbers)
        self._received = np.empty_like(self._parts)  # this rank's part, of each rank
        self._request = comms[0].Ialltoall(self._parts, self._received)
        self._is_sent = self._is_done = False

    def sent(self, wait: bool) -> bool:
        if not self._is_sent and is_done(self._request, wait):
            total = widened(self._received[0])
            for part in self._received[1:]:
                total += widened(part)
            self._sums = rounded(total)
            self._request = self._comm.Iallgather(self._sums, self._parts)
            self._is_sent = True
        return self._is_sent

    def done(self, wait: bool) -> bool:
        if not self._is_done and self._is_sent and is_done(self._request, wait):
            self._numbers[:] = widened(self._parts.reshape(-1)[: len(self._numbers)])
            self._is_done = True
        return self._is_done


def is_done(request: Any, wait: bool) -> bool:
    """Return whether an MPI request is done; with `wait` only then."""
    done: bool = request.Wait() if wait else request.Test()
    return done


def average(mpi: Any, comm: Any, weight: float, arrays: list[Numbers], finite: bool) -> bool:
    """Replace numbers by their weighted mean over the ranks, if `finite` is true on all of them.

    Parameters
    ----------
    weight : float
        The weight of this rank; those of all ranks have the sum 1.
    arrays : list of arrays
        The numbers, as many on each rank.
    finite : bool
        Whether they are finite.

    Returns
    -------
    bool
        Whether they are finite on every rank.
    """
    if not comm.allreduce(finite, mpi.LAND):
        return False
    for numbers in arrays:
        numbers *= weight
        comm.Allreduce(mpi.IN_PLACE, numbers)
    return True


class GradientSum:
    """Adds up arrays over the ranks, in place, in the order in which they come.

    A few sums at a time are under way: more would displace one another's numbers from the caches.
    Most MPI libraries go on with a sum only while a function of theirs is called.  With `overlap` a
    thread calls one every INTERVAL seconds while sums are under way, during which the engine
    computes without the GIL.  Without it sums begin when they are waited for.

    Parameters
    ----------
    mpi, comm
        The module mpi4py.MPI and the communicator of `add_up`.
    begin : callable
        numbers → their `Sum`, begun.  Every rank calls it with arrays of the same sizes in the
        same order, but some ranks before and others after an `add_up`: so not on `comm`.
    overlap : bool
        Whether the rank computes while sums go on.
    """

    def __init__(
        self, mpi: Any, comm: Any, begin: Callable[[Numbers], Sum], overlap: bool
    ) -> None:
        self._mpi = mpi
        self._comm = comm
        self._begin = begin
        self._waiting: deque[Numbers] = deque()  # arrays whose sums have not begun
        self._begun: deque[Sum] = deque()
        self._n_done = 0  # sums that are there and have not been waited for
        self._lock = threading.Lock()  # one thread at a time calls MPI
        self._under_way = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        if overlap:
            self._thread = threading.Thread(target=self._advance_at_intervals, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        if self._thread is not None:
            self._under_way.set()
            self._thread.join()

    def start(self, numbers: Numbers) -> None:
        """Begin to replace each number by its sum over the ranks."""
        with self._lock:
            self._waiting.append(numbers)
            if self._thread is not None:
                self._advance(wait=False)
                self._under_way.set()

    def finish(self, count: int) -> None:
        """Wait for the first `count` of the sums that have not been waited for."""
        with self._lock:
            while self._n_done < count:
                self._advance(wait=True)
            self._n_done -= count

    def add_up(self, numbers: Numbers) -> None:
        """Replace each number by its sum over the ranks, now and exactly."""
        with self._lock:
            self._comm.Allreduce(self._mpi.IN_PLACE, numbers)

    def _advance(self, wait: bool) -> None:
        """Let sums go on; with `wait` until the first of them is there."""
        while self._waiting and len(self._begun) < MOST_UNDER_WAY:
            self._begun.append(self._begin(self._waiting.popleft()))
        for place, one in enumerate(self._begun):
            if not one.sent(wait and place == 0):
                break
        while self._begun and self._begun[0].done(wait):
            self._begun.popleft()
            self._n_done += 1
            wait = False

    def _advance_at_intervals(self) -> None:
        while not self._closed:
            self._under_way.wait()
            with self._lock:
                self._advance(wait=False)
                if not self._waiting and not self._begun:
                    self._under_way.clear()
            sleep(INTERVAL)
