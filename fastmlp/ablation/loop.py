"""The loop over the runs of a study: each variant with each seed, several runs at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..callbacks import Callback
from ..data.examples import Examples
from ..experiments.toml import located
from ..history import TrainingDiverged
from ..network import MLP
from ..support import atomic_files, checks, threads
from ..support.text import printable
from ..training import evaluate, side_by_side
from . import reporting
from .data import Images
from .journal import Journal, Run, identity
from .study import Study, Variant, parse, read
from .summary import Results, summarize

__all__ = ["run"]

Array = NDArray[Any]

JOURNAL = "runs.jsonl"


def run(
    study: str | PathLike[str] | Mapping[str, Any],
    out: str | PathLike[str] | None = None,
    *,
    n_jobs: int | None = None,
    data: str | PathLike[str] | None = None,
    verbose: bool = False,
) -> Results:
    """Run an ablation study, or continue an interrupted one.

    Parameters
    ----------
    study : path-like or mapping
        A TOML file, or its contents as a mapping; `fastmlp.ablation.study` has an example.
    out : path-like, optional
        The folder for the results, created if it does not exist.  Finished runs are recorded in
        its file runs.jsonl and not repeated: an interrupted study continues where it stopped, and
        after a change to the study only what is new is run.  Default: a folder beside the file,
        with the file's name without its ending.
    n_jobs : int, optional
        Number of runs at a time, each on one thread.  Default: `fastmlp.get_num_threads()`.
    data : path-like, optional
        The folder of MNIST's files, as for `fastmlp.datasets.mnist`.
    verbose : bool, default False
        Print a line for each finished run.

    Returns
    -------
    Results
        Figures of each variant.  They are also written to the folder: runs.csv has every run,
        table.md the table and, if matplotlib is installed, accuracy.png its plot.

    Raises
    ------
    ValueError
        If the study has a mistake; then nothing has been run or written.

    Notes
    -----
    A run whose cost becomes infinite or NaN is a result: it is recorded as diverged.  Ctrl-C stops
    the current runs at the end of their epoch and keeps the finished ones.  Even if the process is
    killed, no finished run is lost.

    Runs are identified by images, settings and seed, not by the version of fastmlp: delete
    runs.jsonl to repeat all of them.
    """
    if isinstance(study, Mapping):
        if out is None:
            raise ValueError("a study given as a mapping needs a folder for its results, out=…")
        checked, folder, place = parse(study), Path(out), "study"
    else:
        folder, place = Path(out if out is not None else Path(study).with_suffix("")), str(study)
        for name in (JOURNAL, *reporting.FILES):
            atomic_files.require_different((name, folder / name), ("the study", study))
        checked = read(study)
    n_jobs = threads.get_num_threads() if n_jobs is None else checks.whole("n_jobs", n_jobs)
    verbose = checks.flag("verbose", verbose)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; the results need a folder, chosen by out")
    with located(place):
        images = Images.load(checked.data, checked.validation_images, data)
        for variant in checked.variants:
            with located(str(variant)):
                checks.normal_batches(
                    variant.settings.batch_norm,
                    len(images.X),
                    min(variant.settings.batch_size, len(images.X)),
                )
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder / JOURNAL) as journal:
        run_missing(checked, images, journal, n_jobs, print_line if verbose else lambda line: None)
        results = summarize(checked, images.description, journal.runs)
    return reporting.write(results, folder)


def run_missing(
    study: Study, images: Images, journal: Journal, n_jobs: int, report: Callable[[str], None]
) -> None:
    """Make the runs of a study that the journal does not have.

    They are made seed by seed, so that there is soon a result of every variant.
    """
    wanted = {
        identity(images.description, variant.settings.to_json(), seed): (variant, seed)
        for seed in study.seeds
        for variant in reversed(study.variants)  # of variants with equal settings the first
    }
    missing = [pair for key, pair in wanted.items() if key not in journal.runs]
    missing.sort(key=lambda pair: (study.seeds.index(pair[1]), study.variants.index(pair[0])))
    n_before = len(wanted) - len(missing)
    if n_before > 0:
        report(f"{n_before} of {len(wanted)} runs are there already")
    def job(variant: Variant, seed: int) -> Callable[[Callback], Run | None]:
        def work(stop: Callback) -> Run | None:
            made = one_run(study, images, variant, seed, stop)
            if made is not None:
                journal.add(made)
            return made

        return work

    n_finished = count(n_before + 1)

    def report_run(i: int, made: Run | None) -> None:
        if made is not None:
            variant, seed = missing[i]
            report(f"{next(n_finished)}/{len(wanted)}  {variant}, seed {seed}: {_outcome(made)}")

    side_by_side([job(*pair) for pair in missing], n_jobs, report_run)


def one_run(
    study: Study, images: Images, variant: Variant, seed: int, stop: Callback
) -> Run | None:
    """Train and test one network on this thread; return None if `stop` ended it before its end."""
    settings = variant.settings
    net = settings.network(*study.sizes, seed)
    began, started = time.time(), time.perf_counter()
    diverged = None
    try:
        history = settings.fit(net, images.X, images.y, n_threads=1, callbacks=[stop])
        if history.epochs < settings.epochs:
            return None
    except TrainingDiverged as error:
        history, diverged = error.history, str(error)
    seconds = time.perf_counter() - started
    accuracy = validation_accuracy = None
    if diverged is None:
        accuracy = measure(net, images.X_test, images.y_test)
        if study.validation_images:
            validation_accuracy = measure(net, images.X_validation, images.y_validation)
    return Run(
        data=images.description,
        settings=settings.to_json(),
        seed=seed,
        accuracy=accuracy,
        validation_accuracy=validation_accuracy,
        cost=history.cost[-1] if diverged is None else None,
        epochs=history.epochs,
        began=round(began, 3),
        seconds=round(seconds, 4),
        diverged=diverged,
    )


def measure(net: MLP, X: Array, y: Array) -> float:
    """Return the fraction of images that are predicted correctly, computed on this thread."""
    accuracy = evaluate(net.state, Examples.checked(net.state, X, y), 1)[1]
    assert accuracy is not None  # the loss is a classifier's
    return accuracy


def print_line(line: str) -> None:
    """Print at once, also into a pipe."""
    print(printable(line), flush=True)


def _outcome(run: Run) -> str:
    if run.accuracy is None:
        return f"diverged in epoch {run.epochs + 1}"
    return f"accuracy {run.accuracy:.4f}, {run.seconds:.1f} s"
