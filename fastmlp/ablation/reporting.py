"""A finished study as files: runs.csv, table.md and, with matplotlib, accuracy.png."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from ..experiments.settings import label
from ..support import atomic_files
from .summary import Results, Row

__all__ = ["markdown", "write"]

RUNS, TABLE, PICTURE = FILES = ("runs.csv", "table.md", "accuracy.png")
COLUMNS = (
    "factor", "value", "seed", "accuracy", "validation_accuracy", "cost", "epochs", "seconds",
    "diverged",
)
MINUS = "−"


def write(results: Results, folder: Path) -> Results:
    """Write all files, replacing those of an earlier call; return the results with the plot."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for row in results.rows:
        for run in row.runs:
            figures = (getattr(run, name) for name in COLUMNS[2:])
            rows.writerow([row.variant.factor, row.variant.value, *figures])
    with atomic_files.whole(folder / RUNS) as file:
        file.write(text.getvalue().encode())
    if find_spec("matplotlib") is not None:
        from .picture import draw

        results = replace(results, picture=folder / PICTURE)
        draw(results, folder / PICTURE)
    with atomic_files.whole(folder / TABLE) as file:
        file.write(markdown(results).encode())
    return results


def markdown(results: Results) -> str:
    """Return the table as Markdown, with an explanation of its columns."""
    study, data = results.study, results.data
    base = ", ".join(f"{key} {label(value)}" for key, value in study.base.items())
    validation = f"the {data['validation']:,} before them for validation, " * bool(
        data["validation"]
    )
    lines = [
        f"# {study.title}",
        "",
        f"Base: {base}.",
        "",
        f"{data['name']}: {data['training']:,} images for training, {validation}"
        f"{data['test']:,} for testing. Seeds: {', '.join(map(str, study.seeds))}.",
        "",
        "| factor | value | test accuracy, % | difference from base | cost | seconds |",
        "|---|---|---|---|---|---|",
        *[_line(row) for row in results.rows],
        "",
        "Accuracy: mean ± standard deviation over the seeds. Difference: the mean d̄ of the seeds' "
        "differences in percentage points, and in brackets its 95% confidence interval "
        "d̄ ± t s/√n, where s is the standard deviation of the n differences and t the 0.975 "
        "quantile of Student's distribution with n − 1 degrees of freedom. Each interval is for "
        "its row alone: of twenty variants without any effect, one is expected to exclude zero. "
        "Cost: of the last epoch of training, penalty included. Seconds: of training, on one "
        "thread.",
        "",
        f"{results.n_runs} runs by `fastmlp ablate {study.name}`: {results.seconds:,.0f} seconds "
        f"of training, each run on one thread, in {results.elapsed:,.0f} seconds altogether.",
    ]
    if results.picture is not None:
        lines += ["", f"![Each variant's difference from the base]({results.picture.name})"]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    cells = (
        row.variant.factor,
        row.variant.value,
        _accuracy(row),
        _difference(row),
        "" if row.cost is None else f"{row.cost:.4g}",
        "" if row.seconds is None else f"{row.seconds:.1f}",
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _accuracy(row: Row) -> str:
    if row.mean is None:
        return "diverged"
    spread = "" if row.deviation is None else f" ± {100 * row.deviation:.2f}"
    lost = f" ({row.diverged} of {len(row.runs)} diverged)" if row.diverged else ""
    return f"{100 * row.mean:.2f}{spread}{lost}"


def _difference(row: Row) -> str:
    if row.difference is None:
        return ""
    if row.margin is None:
        return _signed(row.difference)
    low, high = row.difference - row.margin, row.difference + row.margin
    return f"{_signed(row.difference)} [{_signed(low)}, {_signed(high)}]"


def _signed(value: float) -> str:
    return f"{100 * value:+.2f}".replace("-", MINUS)
