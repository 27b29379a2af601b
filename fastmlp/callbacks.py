"""Callbacks: the protocol by which a fit calls them, and the callbacks that fit itself uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias

from .history import History
from .support import atomic_files, checks
from .support.keywords import WithKeywords
from .support.paths import as_text
from .support.progress_bars import ProgressBar, progress_bar
from .support.text import shown
from .support.user_warnings import warn_user

__all__ = ["Callback", "Checkpoint", "EarlyStopping", "Progress", "of_network"]

# The MLP in training.  Its module imports this one, so that the class is not named here.
Network: TypeAlias = Any

ALSO = " of epochs, True, or an EarlyStopping"
# the network in whose fit a callback is, by the callback's id
IN_TRAINING: dict[int, Network] = {}
MONITORS = ("validation_cost", "validation_accuracy", "cost")


class Callback:
    """Base class of callbacks: a subclass overrides the methods it needs.

    `net` is the network in training.  A callback may predict with it, save it, change its
    parameters, and keep and restore them by `MLP.snapshot` and `MLP.restore`.  `history` is that
    of this fit, up to the epoch that just ended.

    See Also
    --------
    EarlyStopping : Stop when a figure no longer improves.
    Checkpoint : Save the network while it trains.

    Examples
    --------
    >>> class Enough(fastmlp.Callback):
    ...     def on_epoch_end(self, net, history):
    ...         return history.cost[-1] < 0.5
    >>> fastmlp.MLP((64, 100, 10)).fit(X, y, epochs=200, callbacks=[Enough()]).stopped_by
    'Enough'
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name in vars(cls):
            if name.startswith("on_") and not hasattr(Callback, name):
                warn_user(
                    f"{cls.__name__}.{name} is never called: a fit calls on_fit_begin, "
                    f"on_epoch_end and on_fit_end"
                )

    _of_one_network = False  # whether it remembers what it has seen, or writes it to one place
    _after_others = False  # whether it reads what other callbacks record at the end of an epoch

    def on_fit_begin(self, net: Network, history: History) -> None:
        """Act before the first epoch.

        Parameters
        ----------
        net : MLP
            The network in training.
        history : History
            The history of this fit, empty.
        """

    def on_epoch_end(self, net: Network, history: History) -> bool | None:
        """Act after each whole epoch and its validation.

        Parameters
        ----------
        net : MLP
            The network in training.
        history : History
            The history of this fit; its last entries are this epoch's.

        Returns
        -------
        bool or None
            True stops training.
        """

    def _epochs_at_once(self) -> int:
        """Return how many epochs may end before `on_epoch_end` is called for each of them.

        It then stops training after the last of them at the earliest, and does not read the
        network's parameters before.
        """
        return 1

    def on_fit_end(self, net: Network, history: History) -> None:
        """Act after the last epoch, also when an error or Ctrl-C has ended the fit.

        It is called for every callback of the fit, whatever another one raises.

        Parameters
        ----------
        net : MLP
            The network in training.
        history : History
            The history of this fit.
        """


@dataclass
class EarlyStopping(WithKeywords, Callback):
    """Stop training when a figure of the history has stopped improving.

    Parameters
    ----------
    patience : int, default 10
        Number of epochs without improvement after which training stops.
    min_delta : float, default 0.0
        The least change of the figure that counts as an improvement.
    monitor : {"validation_cost", "validation_accuracy", "cost"}, default "validation_cost"
        The figure, one of `History`.
    restore_best : bool, default True
        At the end of the fit, restore the parameters of the best epoch.  The optimizer's state
        stays that of the last epoch.

    Attributes
    ----------
    best_epoch : int
        The epoch with the best figure of the latest fit, counted from 1; 0 if there is none.

    Examples
    --------
    >>> stopping = fastmlp.EarlyStopping(patience=3, monitor="validation_accuracy")
    >>> history = net.fit(X, y, epochs=100, validation_data=0.2, early_stopping=stopping)
    >>> history.stopped_by
    'EarlyStopping'
    """

    _of_one_network = True

    patience: int = 10
    min_delta: float = 0.0
    monitor: str = "validation_cost"
    restore_best: bool = True

    def __post_init__(self) -> None:
        checks.whole("patience", self.patience)
        checks.number("min_delta", self.min_delta, "[0, inf)")
        checks.flag("restore_best", self.restore_best)
        checks.known("monitor", self.monitor, MONITORS)
        self._reset()

    def _reset(self) -> None:
        self.best_epoch = 0
        self._best = inf
        self._parameters: object = None

    def on_fit_begin(self, net: Network, history: History) -> None:
        self._reset()

    def on_epoch_end(self, net: Network, history: History) -> bool:
        figure = getattr(history, self.monitor)[-1]
        loss = -figure if self.monitor == "validation_accuracy" else figure
        if loss < self._best - self.min_delta:
            self._best = loss
            self.best_epoch = history.epochs
            if self.restore_best:
                self._parameters = net.snapshot()
        return history.epochs - self.best_epoch >= self.patience

    def on_fit_end(self, net: Network, history: History) -> None:
        if self._parameters is not None:
            net.restore(self._parameters)
            self._parameters = None


@dataclass(frozen=True)
class Checkpoint(WithKeywords, Callback):
    """Save the network, with its optimizer's state, while it trains.

    Each save replaces the file as a whole: whatever happens, a whole file is there.  The last save
    is made when training ends, unless it ends within an epoch (by Ctrl-C, `max_seconds` or an
    error): the file then stays at the last whole epoch that was saved, so that training resumed
    from it gives the bits of training that was not interrupted.  A file that cannot be written,
    such as one in a folder that is missing, is an error before training.

    Parameters
    ----------
    path : path-like
        The file; no ending is added to its name.
    every : int, default 1
        Number of epochs from one save to the next.

    See Also
    --------
    MLP.save : Save a network at any time.

    Examples
    --------
    >>> history = net.fit(X, y, epochs=4, callbacks=[fastmlp.Checkpoint("net.npz", every=2)])
    >>> fastmlp.load("net.npz").epochs == net.epochs
    True
    """

    _of_one_network = True

    path: str | os.PathLike[str]
    every: int = 1

    def __post_init__(self) -> None:
        as_text(self.path)
        checks.whole("every", self.every)

    def on_fit_begin(self, net: Network, history: History) -> None:
        atomic_files.require_writable(self.path)  # an error now, not after hours of training

    def on_epoch_end(self, net: Network, history: History) -> None:
        if history.epochs % self.every == 0:
            net.save(self.path, with_optimizer=True)

    def on_fit_end(self, net: Network, history: History) -> None:
        # neither an untrained network over an earlier run's, nor half an epoch as a whole one
        if history.epochs > 0 and history.unfinished_batches == 0:
            net.save(self.path, with_optimizer=True)


class Progress(Callback):
    """Show the figures of each epoch, as ``fit(verbose=True)`` does.

    In a notebook, and in a terminal if rich is installed, a progress bar shows those of the last
    epoch.  Otherwise a line is printed for each epoch.

    Parameters
    ----------
    epochs : int
        The greatest number of epochs of the fit.

    See Also
    --------
    MLP.fit : ``verbose=True`` adds this callback.
    """

    _of_one_network = True

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._bar: ProgressBar | None = None

    def on_fit_begin(self, net: Network, history: History) -> None:
        self._bar = progress_bar(self.epochs)

    def on_epoch_end(self, net: Network, history: History) -> None:
        if self._bar is not None:
            self._bar.update(history.epochs, history.seconds[-1], _last_figures(history))

    def on_fit_end(self, net: Network, history: History) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _last_figures(history: History) -> str:
    """The last epoch's cost, validation cost and accuracy, in at most 54 characters."""
    text = f"cost {history.cost[-1]:.4g}"
    if history.validation_cost:
        text += f"  validation cost {history.validation_cost[-1]:.4g}"
    if history.validation_accuracy:
        text += f", accuracy {history.validation_accuracy[-1]:.4f}"
    return text


def of_fit(
    callbacks: Iterable[Callback],
    early_stopping: bool | int | EarlyStopping | None,
    epochs: int,
    verbose: bool,
) -> list[Callback]:
    """Return all callbacks of a fit from its arguments, each checked."""
    if isinstance(callbacks, Callback):
        raise TypeError(f"callbacks must be a list of callbacks, got one: write [{callbacks!r}]")
    own = checks.items("callbacks", callbacks)
    for i, callback in enumerate(own):
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks[{i}] must be an object of a subclass of fastmlp.Callback, got "
                f"{shown(callback)}"
            )
    progress = [Progress(epochs)] if checks.flag("verbose", verbose) else []
    return [*_early_stopping(early_stopping), *own, *progress]


def require_function(callbacks: object) -> None:
    """Refuse an argument `callbacks` of several networks that is no function of a network."""
    if callbacks is not None and not callable(callbacks):
        raise TypeError(
            f"callbacks must be a function from a network to its callbacks, got {shown(callbacks)}"
        )


def of_network(function: Callable[[Network], Iterable[Callback]], net: Network) -> list[Callback]:
    """Return the callbacks of a network's fit, of an argument `callbacks` that is a function.

    Parameters
    ----------
    function : callable
        Called with the network.
    net : MLP
        The network.

    Returns
    -------
    list of Callback
        What it returned; each entry is checked when the fit begins.
    """
    found = function(net)
    if isinstance(found, Callback) or not isinstance(found, Iterable):
        raise TypeError(
            f"the function callbacks must return a list of callbacks for a network, got {found!r}"
        )
    return list(found)


def require_own(callbacks: Sequence[Sequence[Callback]]) -> None:
    """Refuse a callback of several networks that remembers what it has seen of one.

    Parameters
    ----------
    callbacks : sequence of sequences
        The callbacks of each network.
    """
    found: dict[int, int] = {}
    for i, own in enumerate(callbacks):
        for callback in own:
            if isinstance(callback, Callback) and callback._of_one_network:
                first = found.setdefault(id(callback), i)
                if first != i:
                    raise ValueError(
                        f"networks[{first}] and networks[{i}] have one {type(callback).__name__} "
                        f"in common, which remembers what it has seen: make one for each"
                    )


@contextmanager
def claimed(callbacks: Sequence[Callback], net: Network) -> Iterator[None]:
    """Keep callbacks that remember what they have seen from fits of other networks meanwhile.

    Parameters
    ----------
    callbacks : sequence of Callback
        The callbacks of the fit.
    net : MLP
        The network in training.

    Raises
    ------
    RuntimeError
        If one of them is in a fit of another network, which has not ended.
    """
    own = [callback for callback in callbacks if callback._of_one_network]
    try:
        for callback in own:
            other: Network = IN_TRAINING.setdefault(id(callback), net)
            if other is not net and other.state.training_lock.held:
                raise RuntimeError(
                    f"this {type(callback).__name__} is in a fit of another network, which has "
                    f"not ended, and remembers what it has seen: make one for each"
                )
            IN_TRAINING[id(callback)] = net  # Ctrl-C may have kept a fit from removing it
        yield
    finally:
        for callback in own:
            if IN_TRAINING.get(id(callback)) is net:
                del IN_TRAINING[id(callback)]


def _early_stopping(wanted: bool | int | EarlyStopping | None) -> list[EarlyStopping]:
    """The callback that fit's argument `early_stopping` stands for."""
    if wanted is None or wanted is False:
        return []
    if wanted is True:
        return [EarlyStopping()]
    if isinstance(wanted, EarlyStopping):
        return [wanted]
    return [EarlyStopping(patience=checks.whole("early_stopping", wanted, otherwise=ALSO))]
