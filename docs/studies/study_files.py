"""Files of the studies: runs.csv with a row for each run, and the page and picture made of it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

Run = TypeVar("Run")

KINDS: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}


def write_runs(runs: Sequence[Any], path: Path) -> None:
    """Write runs, instances of one dataclass, to a CSV file with a column for each field."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, [one.name for one in fields(runs[0])], lineterminator="\n")
        rows.writeheader()
        rows.writerows(asdict(one) for one in runs)


def read_runs(kind: Callable[..., Run], path: Path) -> list[Run]:
    """Read runs that `write_runs` wrote; `kind` is their dataclass, of int, float and str."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            kind(**{one.name: KINDS[str(one.type)](row[one.name]) for one in fields(kind)})  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]


def write_page(text: str, draw: Callable[[Path], None], path: Path) -> None:
    """Write and print a page, and draw its picture beside it where matplotlib is installed."""
    path.write_text(text, encoding="utf-8")
    print(text)
    try:
        draw(path.with_suffix(".png"))
    except ImportError:
        print("no picture: matplotlib is not installed")


def new_axes() -> tuple[Any, Any]:
    """Return a figure of the studies' size, which needs no display, and its axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(7, 4.2), layout="constrained")
