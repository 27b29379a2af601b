"""A command on several ranks: ``mpiexec -n N fastmlp train …``.

Every rank runs the command; rank 0 alone prints and writes files.  At its end the ranks tell one
another how it went, so that an error of one ends all with one message and one exit code.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import fastmlp
from fastmlp import History

if TYPE_CHECKING:
    from fastmlp.distributed.communication import Ranks

__all__ = [
    "Outcome", "divided", "ended", "fit_on", "is_first", "rank_of_launcher", "ranks_of",
    "repeats_another", "silenced",
]  # fmt: skip

# how launchers tell a process its number: MPICH's and Intel's mpiexec, Open MPI's, and srun
NUMBERS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")
PATIENCE = 5.0  # seconds that a failed rank waits for the others to end too


class Outcome(NamedTuple):
    """How a command ended: its exit code, and a line for the user if it failed."""

    code: int
    message: str = ""
    repeats: bool = False  # the error of another rank

    @classmethod
    def failed(cls, message: str, code: int) -> Self:
        """Return the outcome of a command that has failed."""
        return cls(code, message)


def rank_of_launcher() -> int | None:
    """Return the number that mpiexec or srun has given this process; None without them."""
    for name in NUMBERS:
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return None


def ranks_of(command: str) -> Ranks | None:
    """Return the ranks that run the command together; None if this process runs it alone."""
    if command != "train" or rank_of_launcher() is None:
        return None
    from fastmlp.distributed.communication import Ranks

    try:
        ranks = Ranks()
    except RuntimeError as error:  # the launcher is that of another MPI
        raise ValueError(str(error)) from None
    if ranks.size == 1:
        ranks.free()
        return None
    fastmlp.set_num_threads(ranks.threads())
    return ranks


def is_first(ranks: Ranks | None) -> bool:
    """Return whether this process prints and writes files."""
    return ranks is None or ranks.rank == 0


@contextlib.contextmanager
def divided(ranks: Ranks | None) -> Iterator[None]:
    """Divide the networks that are trained in this context among the ranks."""
    if ranks is None:
        yield
        return
    from fastmlp.distributed.networks import RankDivision
    from fastmlp.training.division import dividing

    with dividing(RankDivision(ranks)):
        yield


def fit_on(ranks: Ranks | None) -> Callable[..., History]:
    """Return what fits one network on examples that every rank has: `MLP.fit` on one rank."""
    if ranks is None:
        return fastmlp.MLP.fit
    from fastmlp.recipes.checkpoints import SaveCheckpoint

    def fit(net: fastmlp.MLP, X: Any, y: Any, *, callbacks: Any, **options: Any) -> History:
        rows = slice(ranks.rank, None, ranks.size)
        if ranks.rank > 0:
            callbacks = [one for one in callbacks if not isinstance(one, SaveCheckpoint)]
        return fastmlp.distributed.fit(net, X[rows], y[rows], callbacks=callbacks, **options)

    return fit


def repeats_another(error: Exception) -> bool:
    """Return whether an error says that another rank has failed."""
    from fastmlp.distributed.communication import RankFailed

    return isinstance(error, RankFailed)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Print nothing but on rank 0."""
    if not rank_of_launcher():
        yield
        return
    with (
        open(os.devnull, "w") as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        yield


def ended(ranks: Ranks, own: Outcome) -> Outcome:
    """Return how the command ended on all ranks: by the error of the lowest rank that met one.

    A rank that fails while others wait for it, in training, ends their processes.
    """
    deadline = time.monotonic() + PATIENCE if own.code else None
    if not ranks.all_arrive(deadline):
        line = f"rank {ranks.rank} of {ranks.size}: {own.message}"
        print(line, file=sys.__stderr__, flush=True)
        ranks.abort(own.code)
    found: list[Outcome] = ranks.gather(own)
    failed = [(rank, one) for rank, one in enumerate(found) if one.code and not one.repeats]
    if not failed:
        return next((one for one in found if one.code), own)
    rank, first = failed[0]
    alike = all(one.message == first.message for one in found if not one.repeats)
    if alike and len(failed) > 1:
        return first
    return first._replace(message=f"rank {rank} of {ranks.size}: {first.message}")
