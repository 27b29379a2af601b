"""Carrying out a recipe, or what is left of it.

A checkpoint is the network's own file as `MLP.save` writes it, optimizer's state included, with the
run's identity and history among its metadata.  It is written after whole epochs only, and the
schedule is laid over all epochs, not over those of one call of fit: so a run that was stopped
anywhere ends with the bits of one that was not.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..ablation.settings import TRAINING
from ..callbacks import Callback, Checkpoint
from ..ensemble import Ensemble
from ..history import History
from ..loading import load
from ..network import MLP
from ..optimizers import Optimizer
from ..schedules import Schedule
from ..support import checks
from ..training import side_by_side
from .recipe import Recipe, read

__all__ = ["Outcome", "carry_out", "train"]

MOST_SAVES = 20  # checkpoints of a run, unless `Checkpoint.every` says otherwise
KEY = "checkpoint"  # of a checkpoint's metadata

Pair = tuple[checks.Examples, ArrayLike]


@dataclass(frozen=True)
class Outcome:
    """What came of a recipe.

    Attributes
    ----------
    recipe : Recipe
    seed : int
    model : MLP or Ensemble
    histories : list of History
        One for each network, epochs before a resumption included.
    seconds : float
        That training took, in earlier processes up to their last checkpoint too.
    resumed : list of int
        Epochs that each network had behind it at the beginning.
    """

    recipe: Recipe
    seed: int
    model: MLP | Ensemble
    histories: list[History]
    seconds: float
    resumed: list[int]


def train(
    recipe: str | os.PathLike[str] | Recipe,
    X: checks.Examples,
    y: ArrayLike,
    *,
    seed: int = 0,
    n_threads: int | None = None,
    validation_data: Pair | None = None,
    verbose: bool = False,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
) -> tuple[MLP | Ensemble, History | list[History]]:
    """Train as a recipe says.

    Parameters
    ----------
    recipe : str, path-like or Recipe
        One of `names()`, a TOML file, or what `read` returned.
    X, y : array-like
        Of a classification, as in `MLP.fit`; as many classes as y has columns, or its greatest
        label and one.
    seed : int, default 0
        Of the network.  The networks of a committee of n have the seeds n · seed, n · seed + 1, ….
    n_threads : int, optional
        Most threads; for a committee, networks in training at once, each on one thread.  No bit
        of the result depends on it.  Default: `fastmlp.get_num_threads()`.
    validation_data : (X, y), optional
        Examples to evaluate after each epoch.
    verbose : bool, default False
        Show a line for each epoch.
    checkpoint : path-like or fastmlp.Checkpoint, optional
        A file that is written at most 20 times during training (or as often as a Checkpoint says)
        and after it, and where it exists, gone on from.  The networks of a committee have files
        of their own, with .1, .2, … behind the name.

    Returns
    -------
    (MLP, History) or (Ensemble, list of History)
        The latter for a committee.

    Raises
    ------
    ValueError
        Also if the checkpoint is of another recipe, seed or data.

    Examples
    --------
    >>> recipe = {
    ...     "name": "small", "description": "For the digits.",
    ...     "network": {"hidden": [32]}, "training": {"epochs": 3},
    ... }
    >>> net, history = fastmlp.recipes.train(fastmlp.recipes.parse(recipe), X, y)
    >>> net.sizes
    (64, 32, 10)
    """
    found = carry_out(
        recipe,
        X,
        y,
        seed=seed,
        n_threads=n_threads,
        validation_data=validation_data,
        verbose=verbose,
        checkpoint=checkpoint,
    )
    single = isinstance(found.model, MLP)
    return found.model, found.histories[0] if single else found.histories


def carry_out(
    recipe: str | os.PathLike[str] | Recipe,
    X: checks.Examples,
    y: ArrayLike,
    *,
    seed: int = 0,
    n_threads: int | None = None,
    validation_data: Pair | None = None,
    verbose: bool = False,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
) -> Outcome:
    """Do what `train` does, and return all that is known of it."""
    started = perf_counter()
    if not isinstance(recipe, Recipe):
        recipe = read(recipe)
    seed = checks.whole("seed", seed, least=0)
    sizes = _sizes(X, y, validation_data)
    checks.flag("verbose", verbose)
    kept = None if checkpoint is None else _checkpoint(checkpoint, recipe)
    data = {} if kept is None else _checksums(X, y, validation_data)
    size = recipe.committee
    members = [
        _Member.begun(
            recipe,
            sizes,
            size * seed + k,
            None if kept is None else replace(kept, path=_path(kept, k, size)),
            data,
            f"network {k + 1}/{size}  " if size > 1 else "",
        )
        for k in range(size)
    ]
    resumed = [member.earlier.epochs for member in members]
    before = max(member.seconds for member in members)

    def clock() -> float:
        return before + perf_counter() - started

    def job(member: _Member, n_threads: int | None) -> Callable[[Callback], History]:
        return lambda stop: member.train(
            X, y, validation_data, clock, n_threads, [stop] if size > 1 else [], verbose
        )

    if size == 1:
        histories = [job(members[0], n_threads)(Callback())]
    else:
        histories = side_by_side([job(member, 1) for member in members], n_threads)
    nets = [member.net for member in members]
    model = nets[0] if size == 1 else Ensemble(nets)
    return Outcome(recipe, seed, model, histories, clock(), resumed)


@dataclass
class _Member:
    """One network in training, and what is known of it from before."""

    recipe: Recipe
    net: MLP
    earlier: History
    seconds: float  # of training before
    checkpoint: Checkpoint | None
    identity: dict[str, Any]
    title: str

    @classmethod
    def begun(
        cls,
        recipe: Recipe,
        sizes: tuple[int, int],
        seed: int,
        checkpoint: Checkpoint | None,
        data: dict[str, Any],
        title: str,
    ) -> _Member:
        """A new network, or that of the checkpoint if there is one."""
        identity = json.loads(json.dumps({**recipe.plain, "seed": seed, **data}))
        net, earlier, seconds = None, History(), 0.0
        if checkpoint is not None and os.path.exists(checkpoint.path):
            net, earlier, seconds = _resume(checkpoint.path, identity)
        if net is None:
            net = recipe.settings.network(*sizes, seed)
        return cls(recipe, net, earlier, seconds, checkpoint, identity, title)

    def train(
        self,
        X: checks.Examples,
        y: ArrayLike,
        validation_data: Pair | None,
        clock: Callable[[], float],
        n_threads: int | None,
        callbacks: list[Callback],
        verbose: bool,
    ) -> History:
        """Make the epochs that are left; the history of all."""
        settings = self.recipe.settings
        options = {key: getattr(settings, key) for key in TRAINING}
        n_examples = _shape(X)[0]
        n_batches = -(-n_examples // min(settings.batch_size, n_examples))
        options["optimizer"] = _over(settings.optimizer, settings.epochs * n_batches)
        options["epochs"] = settings.epochs - self.earlier.epochs
        if options["epochs"] > 0:
            if verbose:
                callbacks = [_Lines(settings.epochs, self.earlier.epochs, self.title), *callbacks]
            if self.checkpoint is not None:
                callbacks = [_Keeper(self, clock), *callbacks]
            try:
                self.net.fit(
                    X,
                    y,
                    validation_data=validation_data,
                    n_threads=n_threads,
                    callbacks=callbacks,
                    **options,
                )
            finally:
                self.net.history = _joined(self.earlier, self.net.history)
        else:
            self.net.history = replace(self.earlier, stopped_by="epochs")
        return self.net.history


@dataclass
class _Keeper(Callback):
    """Writes the checkpoint.

    Not `Checkpoint` itself, which also writes at the end of a fit that an error or Ctrl-C ended:
    in the middle of an epoch, from where no bits could be the same.
    """

    member: _Member
    clock: Callable[[], float]

    def on_epoch_end(self, net: MLP, history: History) -> None:
        """Write it if it is due, and after the last epoch."""
        member, checkpoint = self.member, self.member.checkpoint
        assert checkpoint is not None
        whole = _joined(member.earlier, history)
        if whole.epochs % checkpoint.every and whole.epochs < member.recipe.settings.epochs:
            return
        metadata = net.metadata
        entry = {
            "identity": member.identity,
            "history": asdict(whole),
            "seconds": self.clock(),
        }
        net.metadata = {**metadata, KEY: entry}
        try:
            net.save(checkpoint.path)
        finally:
            net.metadata = metadata


@dataclass
class _Lines(Callback):
    """A line for each epoch, numbered over all processes that a run took."""

    epochs: int
    before: int
    title: str

    def on_fit_begin(self, net: MLP, history: History) -> None:
        """Say where a resumed run goes on."""
        if self.before:
            print(f"{self.title}resumed after epoch {self.before}", flush=True)

    def on_epoch_end(self, net: MLP, history: History) -> None:
        """Print the epoch's line at once."""
        figures = "  ".join(
            f"{name.replace('_', ' ')} {getattr(history, name)[-1]:.6g}"
            for name in ("cost", "validation_cost", "validation_accuracy")
            if getattr(history, name)
        )
        number = f"{self.before + history.epochs:>{len(str(self.epochs))}}/{self.epochs}"
        print(f"{self.title}epoch {number}  {figures}  {history.seconds[-1]:.2f} s", flush=True)


def _resume(path: str | os.PathLike[str], identity: dict[str, Any]) -> tuple[MLP, History, float]:
    """Network, history and seconds of training of a checkpoint, if it is of this very run."""
    net = load(path)
    entry = net.metadata.pop(KEY, None)
    if not isinstance(net, MLP) or not isinstance(entry, dict):
        raise ValueError(
            f"{os.fspath(path)} is a model, but no checkpoint of a recipe; give another file"
        )
    for key, wanted in identity.items():
        there = entry["identity"].get(key)
        if there != wanted:
            what = f"its {key} is {there!r}, not {wanted!r}"
            if isinstance(wanted, dict):  # too long to show whole
                there = there if isinstance(there, dict) else {}
                other = [one for one in wanted if there.get(one) != wanted[one]]
                what = f"its {key} differ in {', '.join(other)}"
            raise ValueError(
                f"{os.fspath(path)} is the checkpoint of another run: {what}. Give another file, "
                f"or remove this one to begin anew"
            )
    return net, History(**entry["history"]), float(entry["seconds"])


def _joined(first: History, then: History) -> History:
    """One history after the other."""
    lists = {
        field.name: getattr(first, field.name) + getattr(then, field.name)
        for field in fields(History)
        if field.name != "stopped_by"
    }
    return History(**lists, stopped_by=then.stopped_by)


def _over(optimizer: Optimizer, steps: int) -> Optimizer:
    """The optimizer with its schedule laid over so many steps, if it has no length of its own."""
    schedule = optimizer.learning_rate
    if isinstance(schedule, Schedule) and getattr(schedule, "total_steps", 0) is None:
        return replace(optimizer, learning_rate=replace(schedule, **{"total_steps": steps}))
    return optimizer


def _checkpoint(given: str | os.PathLike[str] | Checkpoint, recipe: Recipe) -> Checkpoint:
    """Where and how often to save."""
    if not isinstance(given, Checkpoint):
        given = Checkpoint(os.fspath(given), max(1, recipe.settings.epochs // MOST_SAVES))
    folder = Path(given.path).parent
    if not folder.is_dir():  # now, not after the first epochs
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(folder))
    return given


def _path(checkpoint: Checkpoint, k: int, size: int) -> str:
    """The file of a network of a committee."""
    return f"{os.fspath(checkpoint.path)}.{k + 1}" if size > 1 else os.fspath(checkpoint.path)


def _shape(X: Any) -> tuple[int, ...]:
    """Of an array, a sparse matrix or nested lists."""
    return tuple(X.shape) if hasattr(X, "shape") else np.shape(checks.array("X", X))


def _sizes(X: Any, y: ArrayLike, validation_data: Pair | None) -> tuple[int, int]:
    """Numbers of inputs and classes."""
    shape = _shape(X)
    if len(shape) != 2:
        raise ValueError(f"X has shape {shape}; expected (m, n), one example a row")
    if validation_data is not None and (
        not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2
    ):
        raise TypeError(f"validation_data must be a pair (X, y), got {type(validation_data)}")
    targets = [checks.array("y", y)]
    if validation_data is not None:
        targets.append(checks.array("validation_data: y", validation_data[1]))
    if targets[0].ndim == 2:
        return shape[1], targets[0].shape[1]
    return shape[1], max(int(one.max(initial=0)) for one in targets) + 1


def _checksums(X: checks.Examples, y: ArrayLike, validation_data: Pair | None) -> dict[str, Any]:
    """What tells one set of examples from another."""
    def of(X: Any, y: ArrayLike) -> str:
        if hasattr(X, "tocsr"):
            rows = X.tocsr()
            parts = [rows.data, rows.indices, rows.indptr]
        else:
            parts = [checks.array("X", X)]
        checksum = 0
        for one in (*parts, checks.array("y", y)):
            checksum = zlib.crc32(np.ascontiguousarray(one).view(np.uint8).data, checksum)
        return f"{_shape(X)[0]} examples, {checksum:08x}"

    return {
        "data": of(X, y),
        "validation_data": None if validation_data is None else of(*validation_data),
    }
