"""Many fits at once, each on one thread: the checked data is shared, and the largest goes first."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from .. import callbacks as callbacks_
from ..callbacks import Callback
from ..data import batches
from ..data.examples import Examples
from ..data.memory_maps import is_memory_map
from ..history import History
from ..model.spec import NetworkSpec
from ..support import checks
from ..support.keywords import guess
from ..support.user_warnings import warn_user
from .config import FitConfig, FitOptions
from .endings import Stop
from .first_reading import Trainable
from .jobs import run_jobs
from .loop import fit

__all__ = ["Outcome", "Task", "check_options", "fit_task", "fit_tasks"]

Outcome: TypeAlias = "History | Exception"

OF_EXAMPLES = frozenset(("early_stopping", "sample_weight", "validation_data"))
KEYWORDS = sorted(OF_EXAMPLES | FitOptions.__annotations__.keys())


@dataclass(frozen=True, eq=False)
class Task:
    """A network with what it is trained on, the keywords of its fit and its callbacks.

    `n_threads` among the keywords is 1 by default.
    """

    net: Trainable
    X: Any
    y: Any
    options: Mapping[str, Any]
    callbacks: Sequence[Callback] = ()

    @property
    def work(self) -> float:
        """What its time grows with: parameters × examples × epochs, as far as they are known."""
        n_rows = next(iter(getattr(self.X, "shape", ())), 1)
        epochs = self.options.get("epochs", 1)
        n_epochs = epochs if isinstance(epochs, int) else 1
        return float(n_rows * n_epochs * self.net.state.spec.n_parameters)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse what is no keyword of a fit among others, before anything is trained."""
    for name in options:
        if name in ("n_threads", "verbose"):
            raise TypeError(
                f"the options of many fits have no {name}: each network trains on one thread, "
                f"n_jobs of them at once; callbacks can report their progress"
            )
        if name not in KEYWORDS:
            raise TypeError(f"{name!r} is no keyword of MLP.fit{guess(name, KEYWORDS)}")


@dataclass
class Shared:
    """What the fits of one call have in common, made when the first of them needs it."""

    tasks: Sequence[Task]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        # Of arrays that several networks are trained on: what one network alone is trained on is
        # not kept beyond its fit.
        arrays = Counter(id(one) for task in self.tasks for one in _arrays(task))
        self.common = {one for one, count in arrays.items() if count > 1}
        self.examples: dict[tuple[int, ...], list[tuple[NetworkSpec, Examples]]] = {}
        self.configs: dict[int, list[tuple[NetworkSpec, FitConfig]]] = {}

    def examples_of(self, net: Trainable, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Return the checked examples for a network, those of another where these fit it."""
        state = net.state
        if id(X) not in self.common or is_memory_map(X):
            return batches.with_targets(state, X, y, sample_weight)
        with self.lock:
            known = self.examples.setdefault((id(X), id(y), id(sample_weight)), [])
            examples = next((one for spec, one in known if spec.reads_alike(state.spec)), None)
            if examples is None:
                examples = Examples.checked(state, X, y, sample_weight)
                known.append((state.spec, examples))
        if not state.spec.encodings:
            return examples
        return replace(examples, data=state.data(examples.X, examples.y, examples.weight))

    def config_of(self, net: Trainable, options: Mapping[str, Any]) -> FitConfig:
        """Return the checked options for a network."""
        with self.lock:
            known = self.configs.setdefault(id(options), [])
            for spec, config in known:
                if spec.sizes == net.state.spec.sizes and spec.reads_alike(net.state.spec):
                    return config
            rest = {name: one for name, one in options.items() if name not in OF_EXAMPLES}
            config = FitConfig.checked(net.state.spec, **{"n_threads": 1, **rest})
            known.append((net.state.spec, config))
            return config


def _arrays(task: Task) -> Iterator[Any]:
    yield task.X
    pair = task.options.get("validation_data")
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        yield pair[0]


def fit_task(task: Task, shared: Shared | None = None, stop: Stop | None = None) -> History:
    """Train one network, as its fit alone would."""
    net, options, X, y = task.net, task.options, task.X, task.y
    shared = shared or Shared([])
    config = shared.config_of(net, options)
    sample_weight = options.get("sample_weight")
    validation_data: Any = options.get("validation_data")
    if y is not None:
        X, y, sample_weight = shared.examples_of(net, X, y, sample_weight), None, None
    if isinstance(validation_data, (tuple, list)) and len(validation_data) == 2:
        with checks.within("validation_data"):
            validation_data = shared.examples_of(net, *validation_data)
    stopping = copy.copy(options.get("early_stopping"))  # it remembers what it has seen
    callbacks = callbacks_.of_fit(task.callbacks, stopping, config.epochs, False)
    try:
        return fit(
            net,
            X,
            y,
            config,
            sample_weight=sample_weight,
            validation_data=validation_data,
            callbacks=callbacks,
            stop=stop,
        )
    finally:
        net.state.release_workspace()  # for the next network, which finds it in the caches


def fit_tasks(
    tasks: Sequence[Task],
    n_jobs: int | None = None,
    *,
    ends_at_error: bool = False,
    report: Callable[[int, Outcome], None] | None = None,
) -> list[Outcome]:
    """Train networks side by side in Python threads, the largest first.

    Ctrl-C ends all fits within a slice of training, with a warning.

    Parameters
    ----------
    tasks : sequence of Task
        The networks, each with what it is trained on.
    n_jobs : int, optional
        Networks in training at once.  Default: `fastmlp.get_num_threads()`.
    ends_at_error : bool, default False
        Raise the first error, and end the other fits.
    report : callable, optional
        Called in the thread of a fit with its number and outcome, when it has ended.

    Returns
    -------
    list of History or Exception
        One for each task: the exception where the fit failed.
    """
    callbacks_.require_own([task.callbacks for task in tasks])
    shared = Shared(tasks)
    outcomes: list[Outcome] = [History(stopped_by="interrupt") for _ in tasks]

    def job_of(i: int) -> Callable[[Stop], None]:
        def job(stop: Stop) -> None:
            try:
                outcomes[i] = fit_task(tasks[i], shared, stop)
            except Exception as error:
                outcomes[i] = error
                if ends_at_error:
                    raise
            if report is not None:
                report(i, outcomes[i])

        return job

    order = sorted(range(len(tasks)), key=lambda i: -tasks[i].work)
    try:
        run_jobs([*map(job_of, order)], n_jobs)
    except KeyboardInterrupt:
        warn_of_interrupt(outcomes)
    return outcomes


def warn_of_interrupt(outcomes: Sequence[Outcome]) -> None:
    """Warn that Ctrl-C has ended many fits."""
    ends = ("interrupt", "")
    n_done = sum(isinstance(one, History) and one.stopped_by not in ends for one in outcomes)
    warn_user(
        f"Training interrupted, networks done: {n_done} of {len(outcomes)}; the others keep what "
        f"they have learned",
    )
