"""One picture of benchmarks/results/peers.json: how many times as long other libraries take.

    python -m benchmarks.overview

draws it again from the stored results, without measuring; benchmarks.peers draws it after each run.
Every case of the results is a row, and every library that was measured in it a mark.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import ROOT
from .peers_tables import PEERS, time_of

__all__ = ["picture"]

MARKS = {
    "torch": ("o", "#1f77b4"),
    "torch-compiled": ("D", "#7fb2dd"),
    "jax": ("s", "#2ca02c"),
    "scikit-learn": ("^", "#8c8c8c"),
    "onnxruntime": ("v", "#9467bd"),
}
RESULTS = ROOT / "benchmarks" / "results"


def picture(results: dict[str, Any], path: Path) -> None:
    """Write the picture: a row for each case, median ratio and quartiles of each library."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib.figure import Figure

    cases = results["cases"][::-1]
    figure = Figure(figsize=(9, 1.3 + 0.31 * len(cases)), layout="constrained")
    axes = figure.add_subplot()
    for name, (marker, color) in MARKS.items():
        rows = [row for row, case in enumerate(cases) if name in case["contenders"]]
        ratios = [cases[row]["contenders"][name]["ratio"] for row in rows]
        middle = [ratio["median"] for ratio in ratios]
        below = [ratio["median"] - ratio["low"] for ratio in ratios]
        above = [ratio["high"] - ratio["median"] for ratio in ratios]
        axes.errorbar(
            middle, rows, xerr=[below, above], fmt=marker, color=color, markersize=6,
            elinewidth=1, label=PEERS[name],
        )
    axes.axvline(1, color="#d62728", linewidth=1.5, label="fastmlp")
    axes.set_xscale("log")
    axes.set_xlim(0.9, 120)
    ticks = [1, 2, 3, 5, 10, 20, 50, 100]
    axes.set_xticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.set_yticks(range(len(cases)), map(label, cases), fontsize=8)
    axes.set_ylim(-0.6, len(cases) - 0.4)
    axes.grid(axis="both", color="0.92")
    axes.set_axisbelow(True)
    axes.set_xlabel("time divided by fastmlp's time (less is faster)", fontsize=9)
    where = results["environment"]
    axes.set_title(
        f"{where['cpu']}, {where['cpus']} CPUs, {where['date'].split()[0]}", fontsize=9
    )
    figure.legend(fontsize=8, loc="outside upper center", ncols=len(MARKS) + 1)
    figure.savefig(path, dpi=130)


def label(case: dict[str, Any]) -> str:
    """The case, its network and fastmlp's own time."""
    sizes = "-".join(map(str, case["sizes"]))
    seconds = case["contenders"]["fastmlp"]["seconds"]["median"]
    return f"{case['title']}  {sizes}  ({time_of(seconds)})"


if __name__ == "__main__":
    picture(json.loads((RESULTS / "peers.json").read_text("utf-8")), RESULTS / "overview.png")
