"""fit_many: many networks trained at once, in this process or by an executor."""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from itertools import count
from time import perf_counter
from typing import Any, Protocol

from .callbacks import Callback, of_network, require_own
from .history import History
from .model import transfer
from .network import MLP, different_networks
from .support import checks
from .support.text import shown
from .training.jobs import next_of
from .training.many import (
    Outcome,
    Task,
    check_options,
    fit_task,
    fit_tasks,
    warn_of_interrupt,
)

__all__ = ["Executor", "fit_many"]

SECONDS_A_LINE = 0.5  # from one line of progress to the next
MOST_LOSSES = 3  # of one network's examples before it fails; Dask's default for killed workers


class Executor(Protocol):
    """What runs functions elsewhere: of concurrent.futures, Dask's client, and others."""

    def submit(self, function: Any, /, *arguments: Any) -> Any:
        """Return a future, with methods `result`, `done` and `cancel`, of a call."""


def fit_many(
    networks: Sequence[MLP],
    X: Any,
    y: Any = None,
    *,
    options: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    verbose: bool = False,
) -> list[History | Exception]:
    """Train many networks at once, each on one thread and each as its own fit would.

    No bit of a network depends on the others, on `n_jobs` or on `executor`.  Arrays that several
    networks are trained on are checked once and shared without copies.

    Parameters
    ----------
    networks : sequence of MLP
        The networks, each another one.
    X, y : array or list
        Examples and targets, as in `MLP.fit`: one array or matrix for all networks, or a list with
        one for each.  A list is never one array for all: write ``numpy.asarray(y)``.
    options : dict or list of dict, optional
        Keywords of `MLP.fit`, one dict for all networks or a list with one for each; all but
        `n_threads` and `verbose`.  In a dict for all, `callbacks` is a function from a network to
        the callbacks of its fit, because a callback may remember what it has seen; those of
        fastmlp do, and are for one network each.
    n_jobs : int, optional
        Number of networks in training at once.  Default: `fastmlp.get_num_threads()`.
    executor : object with a method submit, optional
        Where the networks are trained instead of in threads of this call, for example a
        ``concurrent.futures.ProcessPoolExecutor`` or Dask's ``Client``.  Networks and arrays are
        sent to other processes, by Dask's client each array once, and parameters, optimizer state,
        history, metadata and a user's attributes come back into the networks of the caller.  It
        decides how many run at once: no `n_jobs`.
    verbose : bool, default False
        Print how many networks are done, about twice a second.

    Returns
    -------
    list of History or Exception
        One for each network, in order: its history, or the exception that ended its fit, or with
        which the executor refused it.

    Raises
    ------
    TypeError, ValueError
        If the arguments do not go together.  What is wrong with one network's examples or options
        ends its fit only, and stands in the list.
    SystemExit
        If a callback raises it: it ends the other fits too.

    See Also
    --------
    MLP.fit : Train one network.
    Ensemble : Networks for one task, which predict together.

    Notes
    -----
    The largest networks begin first.  On Ctrl-C all fits end within a few hundredths of a second,
    or one batch, with a warning; networks keep what they have learned, and the histories so far are
    returned, those of networks that had not begun without an epoch.  An executor's fits that have
    begun go on to their end, and do not come back.

    Examples
    --------
    >>> networks = [fastmlp.MLP((64, 32, 10), seed=seed) for seed in range(4)]
    >>> histories = fastmlp.fit_many(networks, X, y, options={"epochs": 5})
    >>> [history.epochs for history in histories]
    [5, 5, 5, 5]
    """
    tasks = _tasks(networks, X, y, options)
    report = _Lines(len(tasks)) if checks.flag("verbose", verbose) else None
    if executor is None:
        return fit_tasks(tasks, n_jobs, report=report)
    if n_jobs is not None:
        raise TypeError("n_jobs is for threads of this call; an executor has its own workers")
    if isinstance(executor, type):
        raise TypeError(
            f"executor must be an object, got the class {executor.__name__}: write "
            f"{executor.__name__}()"
        )
    if not callable(getattr(executor, "submit", None)):
        raise TypeError(
            f"executor must have a method submit, as concurrent.futures.ProcessPoolExecutor has; "
            f"got {executor!r}"
        )
    if getattr(executor, "asynchronous", False) is True:  # Dask's client in a coroutine
        raise TypeError(
            "executor is an asynchronous client, whose methods are coroutines; fit_many waits for "
            "its results and needs one made by Client(asynchronous=False)"
        )
    return _fit_by(executor, tasks, report)


def _tasks(networks: Sequence[MLP], X: Any, y: Any, options: Any) -> list[Task]:
    """Return what is to be trained on what, the arguments checked against one another."""
    networks = different_networks(networks)
    n = len(networks)
    if isinstance(X, Iterator) and n > 1:
        raise ValueError(
            "X is an iterator, good for one network; give a list with one for each, or a function "
            "that returns a new iterator"
        )
    every_X, every_y = _for_each("X", X, n), _for_each("y", y, n)
    for_all = isinstance(options, Mapping) or options is None
    if for_all:
        every_options = [options or {}] * n
    elif isinstance(options, (list, tuple)):
        every_options = _for_each("options", options, n)
    else:
        raise TypeError(
            f"options must be a dict of MLP.fit's keywords or a list, got {shown(options)}"
        )
    tasks = []
    # one dict of what is left of each: equal options are checked once
    kept: dict[int, dict[str, Any]] = {}
    for i, (net, one_X, one_y, one) in enumerate(
        zip(networks, every_X, every_y, every_options, strict=True)
    ):
        if not isinstance(one, Mapping):
            raise TypeError(f"options[{i}] must be a dict of MLP.fit's keywords, got {one!r}")
        if id(one) not in kept:
            kept[id(one)] = {name: value for name, value in one.items() if name != "callbacks"}
            with checks.within("options" if for_all else f"options[{i}]"):
                check_options(kept[id(one)])
        callbacks = _callbacks(one.get("callbacks", ()), net, for_all and n > 1)
        tasks.append(Task(net, one_X, one_y, kept[id(one)], callbacks))
    return tasks


def _for_each(name: str, value: Any, n: int) -> list[Any]:
    """Return an entry of a list for each network, or the same array for each."""
    if not isinstance(value, (list, tuple)):
        return [value] * n
    if len(value) != n:
        remedy = (
            "give a dict for all"
            if name == "options"
            else f"if it is one array for all, write numpy.asarray({name})"
        )
        raise ValueError(
            f"{name} is a list of {len(value)}, one for each network, and there are {n} networks; "
            f"{remedy}"
        )
    return list(value)


def _callbacks(value: Any, net: MLP, for_all: bool) -> list[Callback]:
    """Return the callbacks of one network's fit."""
    if callable(value):
        return of_network(value, net)
    if isinstance(value, Callback) or not isinstance(value, Iterable):
        raise TypeError(f"callbacks must be a list of callbacks or a function, got {shown(value)}")
    found = list(value)
    if found and for_all:
        raise TypeError(
            "callbacks of options for all networks must be a function from a network to the "
            "callbacks of its fit, as in lambda net: [Checkpoint(path_of(net))]"
        )
    return found


class _Lines:
    """Prints how many networks are done, and how the last one ended."""

    def __init__(self, n_networks: int) -> None:
        self.n_networks = n_networks
        self.done = count(1)
        self.lock = threading.Lock()
        self.printed = perf_counter()

    def __call__(self, i: int, outcome: Outcome) -> None:
        with self.lock:
            done = next(self.done)
            failed = isinstance(outcome, Exception)
            now = perf_counter()
            if not failed and done < self.n_networks and now < self.printed + SECONDS_A_LINE:
                return
            self.printed = now
            text = f"{type(outcome).__name__}: {outcome}" if failed else repr(outcome)
            print(f"{done}/{self.n_networks}  networks[{i}]  {text}", flush=True)


def _fit_by(executor: Executor, tasks: list[Task], report: _Lines | None) -> list[Outcome]:
    """Train by an executor, whose workers may have copies of the networks."""
    require_own([task.callbacks for task in tasks])
    order = sorted(range(len(tasks)), key=lambda i: -tasks[i].work)
    outcomes: list[Outcome] = [History(stopped_by="interrupt") for _ in tasks]
    futures: dict[int, Any] = {}
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    submit = _submitter(executor)
    losses = [0] * len(tasks)

    def begin(i: int) -> None:
        try:
            futures[i] = future = submit(tasks[i])
        except Exception as error:  # of a broken pool, or of data that cannot be sent
            outcomes[i] = error
            if report is not None:
                report(i, error)
            return
        if hasattr(future, "add_done_callback"):
            future.add_done_callback(lambda _: ended.put(i))
        else:  # its result is waited for in its turn
            ended.put(i)

    try:
        for i in order:
            begin(i)
        while futures:
            i = next_of(ended)
            outcomes[i] = _result(futures[i], tasks[i].net)
            del futures[i]
            lost = isinstance(outcomes[i], CancelledError) and _scatters(executor)
            losses[i] += lost
            if lost and losses[i] <= MOST_LOSSES:
                begin(i)
            elif report is not None:
                report(i, outcomes[i])
    except KeyboardInterrupt:
        for i, future in futures.items():
            if future.done():  # Dask's `cancel` would forget its result
                outcomes[i] = _result(future, tasks[i].net)
            else:
                future.cancel()
        warn_of_interrupt(outcomes)
    except BaseException:
        for future in futures.values():
            future.cancel()
        raise
    return outcomes


def _scatters(executor: Any) -> bool:
    """Whether data are sent to the executor's workers apart from the calls, as by Dask's client."""
    return callable(getattr(executor, "scatter", None))


def _submitter(executor: Any) -> Callable[[Task], Any]:
    """Return the function that submits a task.

    If data are sent apart, each array and dict of options is sent once for all tasks, to every
    worker.  Dask drops copies that no worker needs at the moment, and cancels what needs data whose
    last copy was on a worker that is killed: submitted again, a task gets them once more.
    """
    if not _scatters(executor):
        return lambda task: executor.submit(
            _trained, task.net, task.X, task.y, task.options, task.callbacks
        )
    sent: dict[int, Any] = {}

    def send(value: Any) -> Any:
        known = sent.get(id(value))
        if known is None or getattr(known, "status", "") in {"lost", "cancelled"}:
            # in a list, because Dask takes a dict for several things
            sent[id(value)] = executor.scatter([value], broadcast=True, hash=False)[0]
        return sent[id(value)]

    def submit(task: Task) -> Any:
        # not pure: equal tasks are fits of different networks
        return executor.submit(
            _trained,
            task.net,
            send(task.X),
            None if task.y is None else send(task.y),
            send(task.options),
            task.callbacks,
            pure=False,
        )

    return submit


class _Failure:
    """The exception that ended a fit, on its way from a worker.

    A result that cannot be unpickled breaks a whole pool of processes, and SystemExit ends a worker
    of Dask: neither is to end other networks.  An exception that does not survive pickling, because
    its class is local or cannot be called with its `args`, arrives as a RuntimeError with its text.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[type[_Failure], tuple[BaseException]]:
        error = self.error
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return _Failure, (error,)


def _trained(
    net: MLP, X: Any, y: Any, options: Mapping[str, Any], callbacks: Sequence[Callback]
) -> tuple[MLP, History | _Failure]:
    """Train in a worker; return the network there, and what came of it."""
    try:
        return net, fit_task(Task(net, X, y, options, callbacks))
    except BaseException as error:
        return net, _Failure(error)


def _result(future: Any, net: Any) -> Outcome:
    """Return what came of a network's fit, its parameters put into the caller's network.

    What is no error of the network but ends a program, SystemExit or KeyboardInterrupt, is raised.
    """
    try:
        trained, found = future.result()
    except Exception as error:  # of the executor itself: a worker was killed
        return error
    if trained is not net:
        transfer.take_over(net.state, trained.state)
        vars(net).update(vars(trained) | {"state": net.state})
    outcome: History | BaseException = found.error if isinstance(found, _Failure) else found
    if isinstance(outcome, (History, Exception)):
        return outcome
    raise outcome
