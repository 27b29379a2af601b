"""The measurements of benchmarks.tables as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import geometric_mean, median
from typing import Any

from .table_data import TABLES
from .table_methods import COVERAGE, METHODS

__all__ = ["Key", "Measurement", "markdown", "ratio"]

Key = tuple[str, str, int]  # table, method, seed of the split
Measurement = dict[str, Any]
RELATIVE_TO = ("RealMLP-TD", "CatBoost", "scikit-MLP")


def markdown(found: dict[Key, Measurement], epochs: dict[str, Any] | None) -> str:
    """Return the report."""
    methods = [name for name in METHODS if any(key[1] == name for key in found)]
    parts = [about(found)]
    for other in RELATIVE_TO:
        if other in methods:
            parts.append(comparison(found, methods, other))
    parts.append(by_table(found, methods, "error", ".4f", "Error, medians over the splits"))
    parts.append(by_table(found, methods, "logloss", ".4f", "Log-loss, medians over the splits"))
    parts.append(by_table(found, methods, "cpu_seconds", ".2f",
                          "CPU seconds of fit, medians over the splits"))
    parts.append(by_table(found, methods, "coverage", ".3f",
                          f"Share of test values within the {COVERAGE:.0%} interval, medians"))
    if epochs is not None:
        parts.append(epoch(epochs))
    return "\n\n".join(part for part in parts if part) + "\n"


def about(found: dict[Key, Measurement]) -> str:
    """Return what was measured, and on what."""
    processors = sorted({row.get("processor") or "not recorded" for row in found.values()})
    versions = sorted({row["version"] for row in found.values() if row.get("version")})
    return (
        f"Processor: {'; '.join(processors)}. {', '.join(versions) or 'Versions not recorded'}.\n\n"
        "Error: the share of wrong classes, or the RMSE divided by the standard deviation of the "
        "test values. CPU seconds: processor time of `fit` on one thread. A ratio is that of the "
        "medians over the splits that both methods have; its geometric mean is over the tables."
    )


def values(found: dict[Key, Measurement], data: str, method: str, column: str) -> dict[int, float]:
    """Return a column's values by split."""
    return {
        seed: row[column]
        for (table, name, seed), row in found.items()
        if table == data and name == method and row[column] is not None
    }


def ratio(
    found: dict[Key, Measurement], method: str, other: str, column: str
) -> tuple[float | None, int]:
    """Return the geometric mean over tables of a method's median to another's.

    Returns
    -------
    mean : float or None
        None if no table has both.
    n_tables : int
    """
    ratios = []
    for data in TABLES:
        a, b = (values(found, data, name, column) for name in (method, other))
        common = sorted(a.keys() & b.keys())
        if common:
            ratios.append(median(a[seed] for seed in common) / median(b[seed] for seed in common))
    return (geometric_mean(ratios) if ratios else None), len(ratios)


def comparison(found: dict[Key, Measurement], methods: list[str], other: str) -> str:
    """Return a table of ratios to one method."""
    lines = []
    for name in methods:
        if name == other:
            continue
        cells = [ratio(found, name, other, column)
                 for column in ("error", "logloss", "cpu_seconds")]
        shown = [f"{mean:.3f} ({n})" if mean is not None else "" for mean, n in cells]
        lines.append((name, *shown))
    return section(f"Relative to {other}: geometric means (number of tables)",
                   ("method", "error", "log-loss", "CPU time"), lines)


def by_table(
    found: dict[Key, Measurement], methods: list[str], column: str, form: str, title: str
) -> str:
    """Return a table with a row for each data set; empty if there are no values."""
    lines = []
    for data in TABLES:
        medians: list[str] = []
        counts: list[int] = []
        for name in methods:
            known = values(found, data, name, column)
            medians.append(format(median(known.values()), form) if known else "")
            counts += [len(known)] if known else []
        if counts:
            splits = "–".join(map(str, sorted({min(counts), max(counts)})))
            lines.append((f"{data} ({splits})", *medians))
    if column == "coverage" and lines:
        means = []
        for name in methods:
            every = [row[column] for key, row in found.items()
                     if key[1] == name and row[column] is not None]
            means.append(f"{sum(every) / len(every):.3f}" if every else "")
        lines.append(("mean of all splits", *means))
    return section(title, ("table (splits)", *methods), lines) if lines else ""


def epoch(found: dict[str, Any]) -> str:
    """Return the comparison of an epoch with PyTorch."""
    lines = [
        (f"{threads} thread{'s' if threads != '1' else ''}",
         f"{one['fastmlp']:.2f} s", f"{one['torch']:.2f} s",
         f"{one['ratio']:.2f}× ({one['low']:.2f} to {one['high']:.2f})")
        for threads, one in found["threads"].items()
    ]
    title = (
        f"One epoch of {found['rows']:,} rows × {found['columns']} columns, network "
        f"{'-'.join(map(str, found['sizes']))}"
    )
    text = section(title, ("", "fastmlp", "PyTorch", "ratio, median (least to most)"), lines)
    return (
        f"{text}\n\nMedians of {found['rounds']} rounds, in each of which both have a turn. "
        f"{found['activation']}, dropout {found['dropout']}, AdamW, batches of "
        f"{found['batch_size']}, float32; PyTorch {found['torch']}, eager, with the fused "
        f"optimizer; fastmlp {found['fastmlp']}; {found['processor']}."
    )


def section(
    title: str, head: Iterable[str], lines: Iterable[Iterable[str]],
    row: Callable[[Iterable[str]], str] = lambda cells: f"| {' | '.join(cells)} |",
) -> str:
    """Return a heading and a table."""
    head = tuple(head)
    return "\n".join([f"## {title}", "", row(head), row(["---"] * len(head)), *map(row, lines)])
