"""A finished study as files: runs.csv, table.md and, with matplotlib, its plot."""

from __future__ import annotations

import csv
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from ..experiments.settings import label
from ..support.atomic_files import whole_text
from .data import Metric
from .summary import Results, Row

__all__ = ["file_names", "markdown", "write"]

RUNS, TABLE = "runs.csv", "table.md"
MINUS = "−"


def file_names(metric: Metric) -> tuple[str, str, str]:
    """Return the names of the files of a study: its runs, its table and its plot."""
    return RUNS, TABLE, f"{metric.name}.png"


def write(results: Results, folder: Path) -> Results:
    """Write all files, replacing those of an earlier call; return the results with the plot."""
    metric = results.metric.name
    with whole_text(folder / RUNS) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(
            ["factor", "value", "seed", metric, f"validation_{metric}", "cost", "epochs",
             "seconds", "diverged"]
        )  # fmt: skip
        rows.writerows(
            [row.variant.factor, row.variant.value, run.seed, run.score, run.validation_score,
             run.cost, run.epochs, run.seconds, run.diverged]
            for row in results.rows
            for run in row.runs
        )  # fmt: skip
    if find_spec("matplotlib") is not None:
        from .picture import draw

        picture = folder / file_names(results.metric)[2]
        results = replace(results, picture=picture)
        draw(results, picture)
    with whole_text(folder / TABLE) as file:
        file.write(markdown(results))
    return results


def markdown(results: Results) -> str:
    """Return the table as Markdown, with an explanation of its columns."""
    study, metric = results.study, results.metric
    base = ", ".join(f"{key} {label(value)}" for key, value in study.base.items()) or "the defaults"
    percent = metric.unit == "%"
    command = f" by `fastmlp ablate {study.name}`" * bool(study.name)
    typical = next((row.mean for row in results.rows if row.mean is not None), None)
    decimals = metric.decimals(typical)
    lines = [
        f"# {study.title}",
        "",
        f"Base: {base}.",
        "",
        f"{results.data['name']}: {results.about}. Seeds: {', '.join(map(str, study.seeds))}.",
        "",
        f"| factor | value | test {metric.title}{', %' * percent} | difference from base | cost "
        f"| seconds |",
        "|---|---|---|---|---|---|",
        *[_line(row, metric.scale, decimals) for row in results.rows],
        "",
        f"{metric.title[0].upper()}{metric.title[1:]}: mean ± standard deviation over the seeds"
        f"{'; less is better' * (not metric.greater_is_better)}. Difference: the mean d̄ of the "
        f"seeds' differences{' in percentage points' * percent}, and in brackets its 95% "
        "confidence interval "
        "d̄ ± t s/√n, where s is the standard deviation of the n differences and t the 0.975 "
        "quantile of Student's distribution with n − 1 degrees of freedom. Each interval is for "
        "its row alone: of twenty variants without any effect, one is expected to exclude zero. "
        "Cost: of the last epoch of training, penalty included. Seconds: of training, on one "
        "thread.",
        "",
        f"{results.n_runs} runs{command}: {results.seconds:,.0f} seconds "
        f"of training, each run on one thread, in {results.elapsed:,.0f} seconds altogether.",
    ]
    if results.picture is not None:
        lines += ["", f"![Each variant's difference from the base]({results.picture.name})"]
    return "\n".join(lines) + "\n"


def _line(row: Row, scale: float, decimals: int) -> str:
    cells = (
        row.variant.factor,
        row.variant.value,
        _mean(row, scale, decimals),
        _difference(row, scale, decimals),
        "" if row.cost is None else f"{row.cost:.4g}",
        "" if row.seconds is None else f"{row.seconds:.1f}",
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _mean(row: Row, scale: float, decimals: int) -> str:
    if row.mean is None:
        return "diverged"
    spread = "" if row.deviation is None else f" ± {scale * row.deviation:.{decimals}f}"
    lost = f" ({row.diverged} of {len(row.runs)} diverged)" if row.diverged else ""
    return f"{scale * row.mean:.{decimals}f}{spread}{lost}"


def _difference(row: Row, scale: float, decimals: int) -> str:
    def signed(value: float) -> str:
        return f"{scale * value:+.{decimals}f}".replace("-", MINUS)

    if row.difference is None:
        return ""
    if row.margin is None:
        return signed(row.difference)
    low, high = row.difference - row.margin, row.difference + row.margin
    return f"{signed(row.difference)} [{signed(low)}, {signed(high)}]"
