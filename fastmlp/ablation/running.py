"""Running a study: every variant with every seed, side by side in threads, none of them twice."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import datasets
from ..callbacks import Callback
from ..data.examples import Examples
from ..history import History, TrainingDiverged
from ..network import MLP
from ..support import checks, threads
from ..training import evaluate
from . import reporting
from .journal import Journal, Run, identity
from .study import Study, Variant, parse, read
from .summary import Results, summarize

__all__ = ["run"]

DIGITS_TO_TRAIN = 1_500  # of 1,797, as in the README; the others are the test images

Array = NDArray[Any]


def run(
    study: str | PathLike[str] | Mapping[str, Any],
    out: str | PathLike[str] | None = None,
    *,
    jobs: int | None = None,
    data: str | PathLike[str] | None = None,
    verbose: bool = False,
) -> Results:
    """Carry out an ablation study, or what is left of it.

    Parameters
    ----------
    study : path-like or mapping
        A TOML file, or what it would hold; `fastmlp.ablation.study` shows one.
    out : path-like, optional
        The folder for results, made if it is not there.  Finished runs are in its runs.jsonl: they
        are not made again, so a study goes on where it was stopped, and after an edit only what
        changed is run.  Default: beside the file, named like it without its ending.
    jobs : int, optional
        Runs side by side, each on one thread.  Default: `fastmlp.get_num_threads()`.
    data : path-like, optional
        The folder of MNIST's files, as for `fastmlp.datasets.mnist`.
    verbose : bool, default False
        Print a line for each run that finishes.

    Returns
    -------
    Results
        Figures of each variant.  They are in the folder, too: runs.csv has every run, table.md
        the table and, if matplotlib is installed, accuracy.png its picture.

    Raises
    ------
    ValueError
        If something in the study cannot be; nothing has been run or written then.

    Notes
    -----
    A run whose cost becomes infinite or NaN is a result: it is recorded as diverged.  Ctrl-C stops
    runs under way at the end of their epoch and keeps the finished ones; a kill loses no more.

    Runs are told apart by images, settings and seed, not by the version of fastmlp: remove
    runs.jsonl to have all of them made anew.
    """
    if isinstance(study, Mapping):
        if out is None:
            raise ValueError("a study given as a mapping needs a folder for its results, out=…")
        checked, folder, place = parse(study), Path(out), "study"
    else:
        checked = read(study)
        folder, place = Path(out if out is not None else Path(study).with_suffix("")), str(study)
    jobs = threads.get_num_threads() if jobs is None else checks.whole("jobs", jobs)
    verbose = checks.flag("verbose", verbose)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; the results need a folder, chosen by out")
    try:
        images = Images.load(checked, data)
        for variant in checked.variants:
            try:
                checks.normal_batches(
                    variant.settings.batch_norm,
                    len(images.X),
                    min(variant.settings.batch_size, len(images.X)),
                )
            except ValueError as error:
                raise ValueError(f"{variant}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder / "runs.jsonl") as journal:
        make(checked, images, journal, jobs, print_line if verbose else lambda line: None)
        results = summarize(checked, images.description, journal.runs)
    return reporting.write(results, folder)


@dataclass(frozen=True)
class Images:
    """What all runs are trained and tested on."""

    X: Array
    y: Array
    X_held_out: Array
    y_held_out: Array
    X_test: Array
    y_test: Array
    description: dict[str, Any]

    @classmethod
    def load(cls, study: Study, folder: str | PathLike[str] | None) -> Images:
        """Load a study's data and part it."""
        if study.data == "digits":
            if folder is not None:
                raise ValueError("the digits come with fastmlp; a folder is for data = 'mnist'")
            X, y = datasets.digits()
            m = DIGITS_TO_TRAIN
            parts: tuple[Array, ...] = X[:m], y[:m], X[m:], y[m:]
        else:
            parts = tuple(datasets.mnist(folder))
        X, y, X_test, y_test = parts
        k = study.held_out
        if k >= len(X):
            raise ValueError(
                f"study: held_out = {k} leaves none of the {len(X)} images of {study.data} to "
                f"train on"
            )
        checksum = 0
        for part in parts:
            checksum = zlib.crc32(np.ascontiguousarray(part).data, checksum)
        description = {
            "name": study.data,
            "train": len(X) - k,
            "held_out": k,
            "test": len(X_test),
            "crc32": f"{checksum:08x}",
        }
        return cls(X[k:], y[k:], X[:k], y[:k], X_test, y_test, description)


def make(
    study: Study, images: Images, journal: Journal, jobs: int, tell: Callable[[str], None]
) -> None:
    """Make the runs of a study that are not in the journal yet.

    Seed by seed, so that there is something of every variant early.
    """
    wanted = {
        identity(images.description, variant.settings.plain, seed): (variant, seed)
        for seed in study.seeds
        for variant in reversed(study.variants)  # of variants with equal settings the first
    }
    left = [pair for key, pair in wanted.items() if key not in journal.runs]
    left.sort(key=lambda pair: (study.seeds.index(pair[1]), study.variants.index(pair[0])))
    if len(left) < len(wanted):
        tell(f"{len(wanted) - len(left)} of {len(wanted)} runs are there already")
    stop = threading.Event()

    def work(variant: Variant, seed: int) -> Run | None:
        if stop.is_set():
            return None
        made = one_run(study, images, variant, seed, stop)
        if made is not None:
            journal.add(made)
        return made

    with ThreadPoolExecutor(jobs, "fastmlp-ablation") as pool:
        futures = {pool.submit(work, *pair): pair for pair in left}
        try:
            for number, future in enumerate(as_completed(futures), len(wanted) - len(left) + 1):
                made = future.result()
                if made is not None:
                    variant, seed = futures[future]
                    tell(f"{number}/{len(wanted)}  {variant}, seed {seed}: {_outcome(made)}")
        finally:
            stop.set()  # after an error or Ctrl-C: runs under way are lost, none begins


def one_run(
    study: Study, images: Images, variant: Variant, seed: int, stop: threading.Event
) -> Run | None:
    """Train and test one network on this thread; None if it was told to stop before the end."""
    settings = variant.settings
    net = settings.network(*study.sizes, seed)
    began, started = time.time(), time.perf_counter()
    diverged = None
    try:
        history = settings.fit(net, images.X, images.y, [Stop(stop)])
        if history.epochs < settings.epochs:
            return None
    except TrainingDiverged as error:
        history, diverged = error.history, str(error)
    seconds = time.perf_counter() - started
    accuracy = held_out_accuracy = None
    if diverged is None:
        accuracy = measure(net, images.X_test, images.y_test)
        if study.held_out:
            held_out_accuracy = measure(net, images.X_held_out, images.y_held_out)
    return Run(
        data=images.description,
        settings=settings.plain,
        seed=seed,
        accuracy=accuracy,
        held_out_accuracy=held_out_accuracy,
        cost=history.cost[-1] if diverged is None else None,
        epochs=history.epochs,
        began=round(began, 3),
        seconds=round(seconds, 4),
        diverged=diverged,
    )


def measure(net: MLP, X: Array, y: Array) -> float:
    """Return the part of images that is predicted right, on this thread."""
    accuracy = evaluate(net.state, Examples.checked(net.state, X, y), 1)[1]
    assert accuracy is not None  # a classifier's
    return accuracy


class Stop(Callback):
    """Ends training after the epoch in which an event is set."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        """Whether to stop."""
        return self.event.is_set()


def print_line(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


def _outcome(run: Run) -> str:
    if run.accuracy is None:
        return f"diverged in epoch {run.epochs + 1}"
    return f"accuracy {run.accuracy:.4f}, {run.seconds:.1f} s"
