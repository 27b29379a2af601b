"""What the ranks tell one another, through mpi4py."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..support import extras, threads
from .sums import CompressedSum, ExactSum, GradientSum, Sum, average

__all__ = ["RankFailed", "Ranks"]

# how launchers tell a process the number of ranks: MPICH's and Intel's mpiexec, Open MPI's
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")


def mpi() -> Any:
    """Return the module mpi4py.MPI; importing it initializes MPI."""
    try:
        return extras.imported("mpi4py.MPI", "mpi")
    except ModuleNotFoundError:
        raise
    except (ImportError, RuntimeError) as error:
        if "pip install" in str(error):
            raise
        raise ImportError(
            f'mpi4py cannot load an MPI library ({error}); pip install "fastmlp[mpi]" installs '
            f"MPICH, or load your system's MPI module first"
        ) from None


class RankFailed(RuntimeError):
    """Another rank has met an error, which the message repeats."""


class Ranks:
    """The ranks of this program, for one fit: all of them make the same calls in the same order.

    Attributes
    ----------
    size, rank : int
        The number of ranks, and the number of this one, from 0.
    seconds : float
        The time that this rank has waited for others in calls of this object.

    Raises
    ------
    ImportError
        If mpi4py or an MPI library is missing.
    RuntimeError
        If the program was started by the mpiexec of another MPI than mpi4py's: each process would
        believe that it is alone.
    """

    def __init__(self) -> None:
        self._mpi = mpi()
        world = self._mpi.COMM_WORLD
        for name in SIZES:
            started = os.environ.get(name, "1")
            if world.size == 1 and started.isdecimal() and int(started) > 1:
                library = self._mpi.Get_library_version().splitlines()[0].strip()
                raise RuntimeError(
                    f"mpiexec has started {started} processes ({name}), but mpi4py's MPI, "
                    f"{library!r}, sees only this one: they belong to different MPI "
                    f"installations. Start the program by the mpiexec of mpi4py's MPI; that of "
                    f"MPICH from the package index is in {os.path.join(sys.prefix, 'bin')}"
                )
        self._comm = world.Dup()  # its messages never mix with those of the user's program
        self._ends = world.Dup()  # nor do those of `all_arrive` with what others wait for
        self.size: int = world.size
        self.rank: int = world.rank
        self.seconds = 0.0
        self._known: BaseException | None = None
        self._gradient_sum: GradientSum | None = None
        self._comms_of_sums: tuple[Any, ...] = ()  # of gradients

    def free(self) -> None:
        """End the use of these ranks."""
        if self._gradient_sum is not None:
            self._gradient_sum.close()
        for comm in (self._comm, self._ends, *self._comms_of_sums):
            comm.Free()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started

    def gather(self, value: Any) -> list[Any]:
        """Return every rank's value, on every rank."""
        with self._timed():
            found: list[Any] = self._comm.allgather(value)
        return found

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums over the ranks: added on rank 0, so that every rank has the same bits."""
        sums = np.empty_like(values)
        with self._timed():
            self._comm.Reduce(values, sums, root=0)
            self._comm.Bcast(sums, root=0)
        return sums

    def sum_of_lower(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return sums over the ranks below this one."""
        sums = np.zeros_like(values)
        with self._timed():
            self._comm.Exscan(values, sums)
        return sums if self.rank > 0 else np.zeros_like(values)  # rank 0's are undefined

    def gradient_sum(self, compression: str | None) -> GradientSum:
        """Return what adds up gradients over the ranks, until `free`.

        Where all ranks are on one machine, a sum is work for the processors on which they compute:
        it takes less time when it does not come between their products.
        """
        here = self._comm.Split_type(self._mpi.COMM_TYPE_SHARED)
        overlap = any(self.gather(here.size < self.size))
        here.Free()
        if compression is None:
            comm = self._comm.Dup()
            self._comms_of_sums = (comm,)
            begin: Callable[[Any], Sum] = partial(ExactSum, self._mpi, comm)
        else:
            self._comms_of_sums = self._comm.Dup(), self._comm.Dup()
            begin = partial(CompressedSum, self._comms_of_sums)
        self._gradient_sum = GradientSum(self._mpi, self._comm, begin, overlap)
        return self._gradient_sum

    def parameter_average(self, weight: float) -> Callable[..., bool]:
        """Return a function of arrays and whether they are finite: see `sums.average`."""
        return partial(average, self._mpi, self._comm, weight)

    def threads(self) -> int:
        """Return the number of threads for this rank: its part of the machine's processors.

        Those are the processors on which the ranks of this machine may run.
        """
        here = self._comm.Split_type(self._mpi.COMM_TYPE_SHARED)
        if hasattr(os, "sched_getaffinity"):
            own = os.sched_getaffinity(0)
        else:
            own = set(range(os.cpu_count() or 1))
        n_processors = len(set().union(*here.allgather(own)))
        n_ranks: int = here.size
        here.Free()
        return max(1, min(threads.get_num_threads(), n_processors // n_ranks))

    def all_arrive(self, deadline: float | None) -> bool:
        """Wait until every rank has called this; False if some have not by a time.monotonic()."""
        barrier = self._ends.Ibarrier()
        while not barrier.Test():
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def abort(self, code: int) -> NoReturn:
        """End the processes of all ranks."""
        self._comm.Abort(code)
        raise SystemExit(code)

    def raise_on_all(self, error: BaseException) -> NoReturn:
        """Raise an error that every rank raises here."""
        self._known = error
        raise error

    def agree(self, error: Exception | None) -> None:
        """Raise an error on every rank if one has met one: that one its own, others its text."""
        texts = self.gather(None if error is None else f"{type(error).__name__}: {error}")
        if error is not None:
            self.raise_on_all(error)
        for rank, text in enumerate(texts):
            if text is not None:
                self.raise_on_all(
                    RankFailed(f"rank {rank} of {self.size} failed, so every rank ends: {text}")
                )

    def abort_unless_known(self, error: BaseException) -> None:
        """End the processes of all ranks, unless every rank has raised an error here.

        Other ranks wait for this one and could not be told otherwise.
        """
        if error is self._known:
            return
        traceback.print_exception(error)
        print(
            f"fastmlp.distributed.fit: rank {self.rank} of {self.size} failed alone "
            f"({type(error).__name__}: {error}) and ends the job",
            file=sys.stderr,
            flush=True,
        )
        self.abort(1)
