"""The loop over the runs of a study: each variant with each seed, several runs at a time."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Mapping
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any

from ..experiments import toml
from ..experiments.toml import located
from ..history import TrainingDiverged
from ..support import atomic_files, checks, threads
from ..support.paths import as_text
from ..support.text import printable
from ..training import Stop, run_jobs
from . import reporting
from .data import Figures, Metric, StudyData
from .images import Images
from .journal import Journal, Run, identity
from .study import Study, Variant, parse, read
from .summary import Results, summarize

__all__ = ["run"]

JOURNAL = "runs.jsonl"
NO_LABEL = "the study is of images; for a table give it the key label, a column"


def run(
    study: str | PathLike[str] | Mapping[str, Any],
    out: str | PathLike[str] | None = None,
    *,
    n_jobs: int | None = None,
    data: Any = None,
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
    data : path-like or DataFrame of pandas or polars, optional
        The folder of MNIST's files, as for `fastmlp.datasets.mnist`; or the table, in place of the
        file that the study names.
    verbose : bool, default False
        Print a line for each finished run.

    Returns
    -------
    Results
        Figures of each variant.  They are also written to the folder: runs.csv has every run,
        table.md the table and, if matplotlib is installed, a PNG file named after the metric, such
        as accuracy.png, its plot.

    Raises
    ------
    ValueError
        If the study has a mistake; then nothing has been run or written.

    Notes
    -----
    A run whose cost becomes infinite or NaN is a result: it is recorded as diverged.  Ctrl-C stops
    the current runs at the end of their epoch and keeps the finished ones.  Even if the process is
    killed, no finished run is lost.

    Runs are identified by data, settings and seed, not by the version of fastmlp: delete
    runs.jsonl to repeat all of them.
    """
    if out is not None:
        out = as_text(out, "out")
    if isinstance(study, Mapping):
        if out is None:
            raise ValueError("a study given as a mapping needs a folder for its results, out=…")
        if hasattr(data, "columns") and "label" not in toml.table("study", study.get("study", {})):
            raise ValueError(f"study: {NO_LABEL}")
        checked, folder, place, beside = parse(study), Path(out), "study", Path()
    else:
        study = Path(as_text(study, "study"))
        folder, place = Path(out if out is not None else study.with_suffix("")), str(study)
        checked, beside = read(study), Path(study).parent
    n_jobs = threads.get_num_threads() if n_jobs is None else checks.whole("n_jobs", n_jobs)
    verbose = checks.flag("verbose", verbose)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; the results need a folder, chosen by out")
    with located(place):
        examples = load(checked, beside, data)
        for variant in checked.variants:
            with located(str(variant)):
                examples.check(variant.settings)
    inputs = [] if isinstance(study, Mapping) else [("the study", Path(study))]
    if checked.table is not None:
        inputs.append(("the table", beside / checked.data))
    for name in (JOURNAL, *reporting.file_names(examples.metric)):
        atomic_files.require_different((name, folder / name), *inputs)
    folder.mkdir(parents=True, exist_ok=True)
    report = print_line if verbose else lambda line: None
    with Journal(folder / JOURNAL) as journal, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*columns are not used")  # of a table, in every run
        run_missing(checked, examples, journal, n_jobs, report)
        results = summarize(checked, examples, journal.runs)
    return reporting.write(results, folder)


def load(study: Study, folder: Path, given: Any) -> StudyData:
    """Return the data of a study.

    Parameters
    ----------
    study : Study
        The study.
    folder : Path
        What the name of a table is relative to.
    given : path-like, DataFrame or None
        The argument `data` of `run`.
    """
    is_table = hasattr(given, "columns")
    if study.table is None:
        if is_table:
            raise ValueError(NO_LABEL)
        return Images.load(study.data, study.validation_images, given)
    if given is not None and not is_table:
        raise ValueError("a folder is for data = 'mnist'; the study is of a table")
    from ..experiments.table_rows import all_but
    from ..tabular.reading import read_columns
    from .tables import TableData

    if given is None:
        if not study.data:
            raise ValueError("data is missing: the table's file")
        used = all_but(study.table["drop"])
        given = read_columns(folder / study.data, used=used, label=study.table["label"])
    return TableData.load(Path(study.data).name or "table", given, **study.table)


def run_missing(
    study: Study, data: StudyData, journal: Journal, n_jobs: int, report: Callable[[str], None]
) -> None:
    """Make the runs of a study that the journal does not have.

    They are made seed by seed, so that there is soon a result of every variant.
    """
    wanted = {
        identity(data.description, variant.settings.to_json(), seed): (variant, seed)
        for seed in study.seeds
        for variant in reversed(study.variants)  # of variants with equal settings the first
    }
    missing = [pair for key, pair in wanted.items() if key not in journal.runs]
    missing.sort(key=lambda pair: (study.seeds.index(pair[1]), study.variants.index(pair[0])))
    n_before = len(wanted) - len(missing)
    if n_before > 0:
        report(f"{n_before} of {len(wanted)} runs are there already")
    n_finished, lock = count(n_before + 1), threading.Lock()

    def job_of(pair: tuple[Variant, int]) -> Callable[[Stop], None]:
        variant, seed = pair

        def job(stop: Stop) -> None:
            made = one_run(data, variant, seed, stop)
            if made is None:
                return
            journal.add(made)
            with lock:
                outcome = _outcome(data.metric, made)
                report(f"{next(n_finished)}/{len(wanted)}  {variant}, seed {seed}: {outcome}")

        return job

    run_jobs([*map(job_of, missing)], n_jobs)


def one_run(data: StudyData, variant: Variant, seed: int, stop: Stop) -> Run | None:
    """Train and test a model on this thread; return None if `stop` ended it before its end."""
    began, started = time.time(), time.perf_counter()
    diverged = None
    try:
        model = data.train(variant.settings, seed, stop)
    except TrainingDiverged as error:
        model, n_epochs, diverged = None, error.history.epochs, str(error)
    seconds = time.perf_counter() - started
    if diverged is not None:
        figures = Figures(None, None, None, n_epochs)
    elif model is None:
        return None
    else:
        figures = data.figures(model, seed)
    return Run(
        data=data.description,
        settings=variant.settings.to_json(),
        seed=seed,
        **figures._asdict(),
        began=round(began, 3),
        seconds=round(seconds, 4),
        diverged=diverged,
    )


def print_line(line: str) -> None:
    """Print at once, also into a pipe."""
    print(printable(line), flush=True)


def _outcome(metric: Metric, run: Run) -> str:
    if run.score is None:
        return f"diverged in epoch {run.epochs + 1}"
    score = f"{run.score:.4f}" if metric.unit == "%" else f"{run.score:.6g}"
    return f"{metric.title} {score}, {run.seconds:.1f} s"
