"""Jobs of training, several at once in Python threads: the one pool for every part of fastmlp."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import length_hint
from typing import TYPE_CHECKING, Any, TypeVar

from ..callbacks import Callback
from ..history import History
from ..support import checks, threads
from ..support.user_warnings import name_in_this_thread, user_line
from .endings import Stop

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["StopWhenSet", "next_of", "run_jobs"]

Value = TypeVar("Value")

LONGEST_WAIT = 0.1  # seconds: Ctrl-C just before a wait does not end it


class StopWhenSet(Callback):
    """Ends a fit that takes no `Stop` after the epoch in which one is set."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop

    def on_epoch_end(self, net: Any, history: History) -> bool:
        """Whether to stop."""
        return self.stop.is_set()


def run_jobs(jobs: Iterable[Callable[[Stop], None]], n_jobs: int | None = None) -> None:
    """Run jobs in Python threads, in their order, until there are no more.

    Parameters
    ----------
    jobs : iterable of callables
        The jobs.  Each is called with the `Stop` of its fits, which is set when another job has
        failed, or by Ctrl-C.  An iterator is advanced by one thread at a time, when a thread is
        free, so that a job may depend on the results of earlier ones.
    n_jobs : int, optional
        Jobs at once, if there are so many.  Default: `fastmlp.get_num_threads()`.

    Raises
    ------
    Exception
        The first error of a job, or of the iterator, when the other jobs have ended.
    KeyboardInterrupt
        On Ctrl-C, when all jobs have ended; `Stop.reason` is then "interrupt".

    Warns
    -----
    Warning
        The warnings of jobs, which name the user's line that called this function.
    """
    n_jobs = threads.get_num_threads() if n_jobs is None else checks.whole("n_jobs", n_jobs)
    n_jobs = min(n_jobs, max(1, length_hint(jobs, n_jobs)))
    stop, lock, coming = Stop(), threading.Lock(), iter(jobs)
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    line = user_line()

    def work() -> None:
        stop.may_begin.wait()
        while not stop.is_set():
            with lock:
                job = next(coming, None)
            if job is None:
                return
            job(stop)

    def until_end() -> None:
        name_in_this_thread(line)
        error = None
        try:
            work()
        except BaseException as raised:
            error = raised
        ended.put(error)

    with _pool(n_jobs, stop) as pool:
        try:
            # Ctrl-C within `submit` may leave a thread that the pool does not wait for: no job
            # begins before all threads are the pool's.
            for _ in range(n_jobs):
                pool.submit(until_end)
            stop.may_begin.set()
            for _ in range(n_jobs):
                error = next_of(ended)
                try:
                    if error is not None:
                        raise error
                finally:
                    del error  # which refers to this frame
        except KeyboardInterrupt:
            stop.reason = "interrupt"
            raise


def next_of(ended: queue.SimpleQueue[Value]) -> Value:
    """Return the next entry of a queue when there is one, or raise KeyboardInterrupt on Ctrl-C.

    Ctrl-C within `concurrent.futures.wait`, or another wait written in Python, can release a lock
    that another thread holds.
    """
    while True:
        try:
            return ended.get(timeout=LONGEST_WAIT)
        except queue.Empty:
            continue


@contextmanager
def _pool(n_jobs: int, stop: Stop) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of Python threads; at its end, for whatever reason, `stop` is set.

    Jobs under way are waited for.
    """
    from concurrent.futures import ThreadPoolExecutor  # here, for `import fastmlp` to stay quick

    pool = ThreadPoolExecutor(n_jobs, "fastmlp-job")
    try:
        yield pool
    finally:
        try:
            pool.shutdown(wait=False, cancel_futures=True)
            stop.set()
            pool.shutdown()
        except KeyboardInterrupt:  # at any of these lines: no job is left behind in training
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
