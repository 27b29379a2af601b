"""The plot of a study: how much each variant differs from the base, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from ..plotting.canvas import COLORS
from ..support import atomic_files
from .summary import Results, Row

__all__ = ["draw"]


def draw(results: Results, path: Path) -> None:
    """Write the plot: for each variant a row with a dot for each seed, mean and interval."""
    base, *rows = results.rows
    metric, scale = results.metric, results.metric.scale
    decimals = metric.decimals(base.mean)
    beyond = f".{max(0, decimals - 1)}f"  # format of differences that are beyond the limits
    low, high = limits(rows, scale)
    figure = Figure(figsize=(8, 1.2 + 0.28 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="#888888", linewidth=1)
    factors = list(dict.fromkeys(row.variant.factor for row in rows))
    for place, row in enumerate(rows):
        # the colors alternate between factors, so that the rows of a factor are seen as a group
        color = COLORS[factors.index(row.variant.factor) % 2]
        note: dict[str, Any] = {"color": color, "va": "center", "fontsize": 8}
        if row.difference is None:
            axes.annotate(" diverged", (0, place), **note)
            continue
        difference = scale * row.difference
        if difference < low:
            axes.annotate(f" ← {difference:{beyond}}", (low, place), **note)
            continue
        if difference > high:
            axes.annotate(f"{difference:{beyond}} → ", (high, place), ha="right", **note)
            continue
        axes.plot(
            [scale * one for one in row.differences],
            [place] * len(row.differences),
            linestyle="",
            marker="o",
            markersize=4,
            alpha=0.35,
            color=color,
        )
        axes.errorbar(
            difference,
            place,
            xerr=None if row.margin is None else scale * row.margin,
            marker="|",
            markersize=10,
            capsize=3,
            color=color,
        )
    names = [str(row.variant) for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8, parse_math=False)  # a $ is a $
    axes.set_xlim(low, high)
    axes.set_ylim(len(rows) - 0.4, -0.6)  # in the table's order, from top to bottom
    axes.grid(axis="x", alpha=0.3)
    of_base = ""
    if base.mean is not None:
        of_base = f" of {scale * base.mean:.{decimals}f}{metric.unit}"
    axes.set_xlabel(
        f"test {metric.title} minus the base's{of_base},\n"
        f"{'' if metric.greater_is_better else 'less is better, '}"
        f"{'percentage points, ' * (metric.unit == '%')}with 95% interval",
        fontsize=9,
    )
    axes.set_title(results.study.title, fontsize=10, parse_math=False)
    with atomic_files.whole(path) as file:
        figure.savefig(file, dpi=120, format="png")


def limits(rows: Sequence[Row], scale: float) -> tuple[float, float]:
    """Return the limits of the axis, which leave out means that are far beyond the others.

    Otherwise a single variant that does not learn would make all the others look the same.  Values
    are shown times `scale`.
    """
    sizes = [abs(scale * row.difference) for row in rows if row.difference is not None]
    most = 10 * median(sizes) if sizes else 0.0
    ends = [0.0]
    for row in rows:
        if row.difference is not None and abs(scale * row.difference) <= most:
            margin = row.margin or 0.0
            ends += [scale * (row.difference - margin), scale * (row.difference + margin)]
            ends += [scale * one for one in row.differences]
    space = 0.05 * (max(ends) - min(ends)) or 1.0
    return min(ends) - space, max(ends) + space
