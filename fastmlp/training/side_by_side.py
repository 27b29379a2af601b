"""Several fits side by side, in Python threads: the one way for every part of fastmlp."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..callbacks import Callback
from ..history import History
from ..support import checks, threads

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["StopWhenSet", "job_pool", "side_by_side"]

Result = TypeVar("Result")


class StopWhenSet(Callback):
    """Ends training after the epoch in which an event is set."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def on_epoch_end(self, net: Any, history: History) -> bool:
        """Whether to stop."""
        return self.event.is_set()


@contextmanager
def job_pool(n_jobs: int | None, stop: threading.Event) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of Python threads; at its end, for whatever reason, `stop` is set.

    Jobs that have not begun by then are cancelled; those under way are waited for.
    """
    from concurrent.futures import ThreadPoolExecutor  # here, for `import fastmlp` to stay quick

    if n_jobs is None:
        n_jobs = threads.get_num_threads()
    pool = ThreadPoolExecutor(checks.whole("n_jobs", n_jobs), "fastmlp-job")
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


def side_by_side(
    jobs: Sequence[Callable[[StopWhenSet], Result]],
    n_jobs: int | None = None,
    on_result: Callable[[int, Result], None] | None = None,
) -> list[Result]:
    """Run jobs of training in Python threads, and return their results in order.

    Each is called with a callback for its fit, which ends it when another has failed.

    Parameters
    ----------
    jobs : sequence of callables
        The jobs.
    n_jobs : int, optional
        Jobs at once.  Default: `fastmlp.get_num_threads()`.
    on_result : callable, optional
        Called in this thread with a job's number and its result, as soon as it has finished.
    """
    from concurrent.futures import as_completed

    stop = threading.Event()
    with job_pool(n_jobs, stop) as pool:
        futures = {pool.submit(job, StopWhenSet(stop)): number for number, job in enumerate(jobs)}
        for future in as_completed(futures):
            result = future.result()  # the first error ends the wait
            if on_result is not None:
                on_result(futures[future], result)
        return [future.result() for future in futures]
