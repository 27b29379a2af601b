"""How many threads the kernels use.

No bit of a result depends on it.  The number is 1 in a process made by fork; otherwise that of
`set_num_threads`, of the environment variable OMP_NUM_THREADS, or of the processors on which this
process may run and whose time it may use.  Work that is too small to share runs on one thread,
whatever the number.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import lru_cache
from operator import mul
from time import perf_counter

from .. import kernels
from . import checks
from .quota import processor_quota

__all__ = ["get_num_threads", "set_num_threads", "show_config"]

MOST = 512  # threads the kernels have room for

# A training step, or a pass over examples, of fewer floating-point operations runs on one thread:
# there a second one gains less than the meeting points of the two cost.
LEAST_SHARED_STEP = 2_000_000
LEAST_SHARED_PASS = 4_000_000  # a pass must also wake the other threads
# Of fewer rows the kernels divide the columns, if no thread has to be woken (predictions.pxi).
FEW_ROWS, LEAST_SHARED_ROWS = 8, 400_000
# To look up the environment and the processors of the process takes a fifth of the time of a short
# pass, so passes and fits that follow one another do it once in so many seconds.
LOOKED_UP = 1e-3

# OpenMP's own number of threads at import or when `set_num_threads` was called.  Where it is lower
# later, somebody has set a limit: threadpoolctl, or PyTorch, whose import sets the number of cores.
_omp_before = kernels.omp_threads()

# Where threads slept for more than this part of so many slices of training in succession
# (training/loop.py), fewer threads are tried: a single such slice is an interruption of a few
# milliseconds.  The other choice is tried again after so many slices, up to a second of them.
MOST_SLEPT, CROWDED_SLICES = 0.1, 2
FIRST_PAUSE, LONGEST_PAUSE = 8, 64
# Where they did not sleep, half of so many threads or more is tried after so many slices, a third
# of a second, and again after so many and the pause: a hundredth of the time of a long training.
MANY, CALM_SLICES = 4, 16

_chosen: int | None = None
_forked = False
_default_lately = 1, -LOOKED_UP  # the number of threads that was last looked up, and when


def set_num_threads(n_threads: int) -> None:
    """Set the greatest number of threads that the networks of this process use.

    Parameters
    ----------
    n_threads : int
        The number of threads, from 1 to 512.

    See Also
    --------
    get_num_threads : Return the number in force.

    Notes
    -----
    A limit of OpenMP that is in force at this call does not count.  A lower one that is set later
    does: by `threadpoolctl.threadpool_limits`, `torch.set_num_threads` or the import of PyTorch.

    Examples
    --------
    >>> fastmlp.set_num_threads(2)
    >>> fastmlp.get_num_threads()
    2
    """
    global _chosen, _omp_before
    n_threads = checks.whole("n_threads", n_threads, most=MOST)
    _chosen, _omp_before = n_threads, kernels.omp_threads()


def get_num_threads() -> int:
    """Return the greatest number of threads that the networks of this process use.

    Returns
    -------
    int
        The number of `set_num_threads`; without a call of it the environment variable
        OMP_NUM_THREADS, and without that the number of processors on which this process may run,
        or of a container the number of processors whose time it may use, rounded up.
        Inside `threadpoolctl.threadpool_limits` it is at most the limit set there.  PyTorch sets
        a limit too: when it is imported, the number of cores, and in `torch.set_num_threads`.  In a
        process made by fork it is always 1, because OpenMP's threads do not exist there.

    See Also
    --------
    set_num_threads : Set the number.

    Examples
    --------
    >>> fastmlp.get_num_threads() >= 1
    True
    """
    return _allowed(_chosen or _default())


def show_config() -> None:
    """Print the instruction set of the kernels in use, those available, and the number of threads.

    The environment variable FASTMLP_ISA, which is read at import, forces an instruction set.

    Examples
    --------
    >>> fastmlp.show_config()
    instruction set  ... (of ...)
    OpenMP           ...
    threads          ...
    """
    for name, value in config():
        print(f"{name:<16} {value}")


def config() -> Iterator[tuple[str, str]]:
    """Yield what `show_config` prints, each a name and a value."""
    yield "instruction set", f"{kernels.isa} (of {', '.join(kernels.isas())})"
    yield "OpenMP", "yes" if kernels.openmp() else "no: one thread only"
    yield "threads", str(get_num_threads())


def for_step(sizes: tuple[int, ...], n_rows: int, cap: int | None = None) -> int:
    """Threads for training on batches of n_rows: 6 operations a weight and example.

    Two, a product and a sum, in each of forward, delta and gradient.
    """
    return _shared(6 * _n_weights(sizes) * n_rows, LEAST_SHARED_STEP, cap)


def for_gradients(sizes: tuple[int, ...], n_rows: int, cap: int | None = None) -> int:
    """Threads for the gradients of n_rows examples: a step's operations, but a pass."""
    return _shared(6 * _n_weights(sizes) * n_rows, LEAST_SHARED_PASS, cap)


class AdaptiveTeam:
    """The number of threads of a training, slice by slice: all, or fewer where those are faster.

    Where threads sleep at the barriers of several slices in succession, another process wants the
    cores too, or there are fewer cores than threads: each barrier waits for the thread that was
    sent away.  Then a slice with each of the `smaller_sizes` is timed, and the fastest size goes on
    for a while.  Where they do not sleep, many threads may still have too little work each, or two
    share a core: then halves of the number are timed from time to time, as long as each is faster
    than the one before.
    """

    def __init__(self) -> None:
        self._all = 1  # threads that the next slice may have
        self._size: int | None = None  # threads that it has, if they are fewer
        self._trials: list[int] = []  # sizes that are still to be tried
        self._seconds: dict[int, float] = {}  # a batch, by the sizes that have been tried
        self._left = 0  # slices before the other choice is tried again
        self._pause = FIRST_PAUSE
        self._crowded = False  # whether all threads slept when they were last seen
        self._alike = 0  # slices of all threads in succession in which they did, or did not
        self._together = math.inf  # seconds a batch of the fastest of these slices

    def size(self, n_threads: int) -> int:
        """Return the number of threads for the next slice; 1 in a process made by fork."""
        self._all = n_threads
        return 1 if _forked else min(self._size or n_threads, n_threads)

    def report(self, seconds: float, slept: float) -> None:
        """Take in the seconds a batch of the slice, and the part of it that threads slept."""
        if self._size is not None:
            self._report_of_fewer(self._size, seconds)
        elif self._left > 0:
            self._left -= 1
        elif self._all > 1:
            self._report_of_all(seconds, slept > MOST_SLEPT)

    def _report_of_all(self, seconds: float, crowded: bool) -> None:
        """Take in the seconds a batch of a slice that had all threads."""
        if crowded != self._crowded:
            self._crowded, self._alike, self._together = crowded, 0, math.inf
            self._pause = FIRST_PAUSE
        self._alike += 1
        self._together = min(self._together, seconds)
        if self._alike >= self._slices_before_trials() and (crowded or self._all >= MANY):
            sizes = smaller_sizes(self._all) if crowded else halves(self._all)
            self._size, *self._trials = sizes
            self._seconds = {}
            self._left = self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _slices_before_trials(self) -> int:
        return CROWDED_SLICES if self._crowded else CALM_SLICES

    def _report_of_fewer(self, size: int, seconds: float) -> None:
        """Take in the seconds a batch of a slice that had fewer than all threads."""
        faster = seconds < min(self._seconds.values(), default=self._together)
        self._seconds.setdefault(size, seconds)
        if self._trials and (self._crowded or faster):
            self._size = self._trials.pop(0)
            return
        self._trials = []
        fastest = min(self._seconds, key=lambda tried: self._seconds[tried])
        if size != fastest:  # the last size that was tried
            self._size, seconds = fastest, self._seconds[fastest]
        slower = seconds > self._together
        if slower or self._left == 0:
            self._size = None
            self._left = self._pause if slower else 0
            # after fewer threads have been faster, one slice of all is enough to return to them
            self._alike = 0 if slower else self._slices_before_trials() - 1
            self._together = math.inf
        else:
            self._left -= 1


def smaller_sizes(n_threads: int) -> list[int]:
    """Sizes of a team that may be faster than n_threads, at least two, where cores are too few.

    One thread less leaves a core to another process.  Halves come near any number of cores, and the
    last one is 1.
    """
    return sorted({n_threads - 1, *halves(n_threads)}, reverse=True)


def halves(n_threads: int) -> list[int]:
    """Half of n_threads, a quarter, and so on to 1."""
    return [n_threads >> k for k in range(1, n_threads.bit_length())]


def for_pass(sizes: tuple[int, ...], n_rows: int, cap: int | None = None) -> int:
    """Threads for one pass forward over n_rows examples: 2 operations a weight and example."""
    least = LEAST_SHARED_ROWS if n_rows < FEW_ROWS else LEAST_SHARED_PASS
    return _shared(2 * _n_weights(sizes) * n_rows, least, cap)


def _shared(operations: int, least: int, cap: int | None) -> int:
    if operations < least or cap == 1:
        return 1
    return min(_allowed(_chosen or _recent_default()), cap or MOST)


@lru_cache(maxsize=256)
def _n_weights(sizes: tuple[int, ...]) -> int:
    return sum(map(mul, sizes, sizes[1:]))


def _allowed(n_threads: int) -> int:
    """So many threads, or fewer where a limit was set since or the process is forked."""
    if _forked:
        return 1
    limit = kernels.omp_threads()
    return min(n_threads, limit) if limit < _omp_before else n_threads


def _recent_default() -> int:
    """`_default`, looked up now or within the last LOOKED_UP seconds."""
    global _default_lately
    n_threads, at = _default_lately
    now = perf_counter()
    if now - at > LOOKED_UP:
        n_threads = _default()
        _default_lately = n_threads, now
    return n_threads


def _default() -> int:
    """OMP_NUM_THREADS (of a list for nested regions the first), else the processors we may use.

    As many of them as the quota of a container is worth.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted:
        wanted = wanted.split(",")[0].strip()
        if wanted.isdecimal() and int(wanted) > 0:
            return min(int(wanted), MOST)
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return math.ceil(min(processors, processor_quota(), MOST))


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
