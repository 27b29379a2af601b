"""The results of benchmarks.peers as a line, a Markdown table and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["line", "markdown", "picture"]

PEERS = {
    "torch": "PyTorch",
    "torch-compiled": "PyTorch compiled",
    "jax": "JAX",
    "scikit-learn": "scikit-learn",
    "onnxruntime": "ONNX Runtime",
}
Result = dict[str, Any]


def time_of(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def number(found: dict[str, float | None], scale: float = 1.0, form: str = ".2f") -> str:
    return "?" if found["median"] is None else format(found["median"] * scale, form)


def between(found: dict[str, float], form: str = ".2f") -> str:
    """Median and quartiles."""
    return f"{found['median']:{form}} ({found['low']:{form}} to {found['high']:{form}})"


def line(case: Result) -> str:
    """A case in one line, for the terminal."""
    ours = case["contenders"]["fastmlp"]
    parts = [f"{case['name']}: {time_of(ours['seconds']['median'])}"]
    parts.append(f"{number(ours['fraction_of_peak'])} of peak")
    for name, found in case["contenders"].items():
        if name != "fastmlp":
            parts.append(f"{name} {between(found['ratio'])}×")
        if "busy_slowdown" in found:
            parts.append(f"{name} {between(found['busy_slowdown'])}× slower beside a busy process")
        if not found["right"]:
            parts.append(f"{name} WRONG")
    parts.append(f"default threads {number(case['default_threads_vs_better'])}× the better")
    return ", ".join(parts + [f"{way} failed: {why}" for way, why in case["failed"].items()])


def markdown(results: Result) -> str:
    """The table for people, with what it was measured on."""
    where, cases = results["environment"], results["cases"]
    peers = [name for name in PEERS if any(name in case["contenders"] for case in cases)]
    titles = ["work", "network", "fastmlp", "of FMA peak", *(PEERS[name] for name in peers)]
    titles += ["default threads", "peak", "latency", "load"]
    rows = [titles, ["---"] * len(titles)]
    for case in cases:
        ours = case["contenders"]["fastmlp"]
        cells = [case["title"], "-".join(map(str, case["sizes"]))]
        low, high = ours["seconds"]["low"], ours["seconds"]["high"]
        cells.append(
            f"**{time_of(ours['seconds']['median'])}** ({time_of(low)} to {time_of(high)})"
        )
        cells.append(number(ours["fraction_of_peak"]))
        for name in peers:
            cells.append(versus(case["contenders"].get(name)))
        load = [x for x in case["load_average"] if x is not None]
        cells += [
            f"{number(case['default_threads_vs_better'])}×",
            f"{number(case['machine']['peak_one'], 1e-9, '.0f')}, "
            f"{number(case['machine']['peak_all'], 1e-9, '.0f')} GFLOP/s",
            f"{number(case['machine']['latency'], 1e9, '.0f')} ns",
            " to ".join(f"{x:.1f}" for x in load) or "?",
        ]
        rows.append(cells)
    ours = where["fastmlp"]
    text = [
        f"{where['cpu']}, {where['cpus']} CPUs, {where['system']}; Python {where['python']}, "
        + ", ".join(f"{name} {version}" for name, version in where["packages"].items())
        + f"; fastmlp {ours['version']} ({ours['commit'] or 'no commit'}), {ours['isa']} kernels; "
        f"{where['date']}.",
        "",
        "fastmlp: time of a step, or call of predict, median and quartiles over "
        f"{' or '.join(sorted({str(case['rounds']) for case in cases}))} rounds. Of FMA peak: the "
        "dense arithmetic of a step, over its time, to the speed of multiply-adds on registers, "
        "all threads; above 1 where zeros are skipped. Peers: how many times as long they take, "
        "with their better number of threads, (1) or all; median of the rounds' ratios, and "
        "quartiles. Default threads: time to that of the better of one thread and all. Peak: one "
        "thread, all. Latency: of a cache line between two cores. Load: average before and after, "
        "this benchmark's own work in it.",
        "",
        *("| " + " | ".join(cells) + " |" for cells in rows),
        "",
    ]
    for case in cases:
        if "busy_slowdown" in case["contenders"]["fastmlp"]:
            slower = (
                f"{PEERS.get(name, name)} {between(found['busy_slowdown'])}×"
                for name, found in case["contenders"].items()
            )
            text += [f"Slower beside a busy process: {', '.join(slower)}.", ""]
        wrong = [name for name, found in case["contenders"].items() if not found["right"]]
        if wrong:
            text += [f"{case['title']}: the results of {', '.join(wrong)} were not right.", ""]
        text += [f"{case['title']}: {way} failed: {why}\n" for way, why in case["failed"].items()]
    if where["report_memory"]:
        text += [f"Peak memory of `fastmlp report`: {where['report_memory'] / 1e6:.0f} MB.", ""]
    return "\n".join(text)


def versus(found: Result | None) -> str:
    return f"{between(found['ratio'])}× ({found['threads']})" if found else ""


def picture(results: Result, path: Path) -> None:
    """Bars for each case: speed as a multiple of the dense limit's, which is the line."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib.figure import Figure

    cases = [
        case
        for case in results["cases"]
        if case["contenders"]["fastmlp"]["fraction_of_peak"]["median"] is not None
    ][::-1]
    if not cases:
        print("no picture: the peak is unknown without a C compiler")
        return
    names = ["fastmlp", *PEERS]
    colors = ["#d62728", "#1f77b4", "#7fb2dd", "#2ca02c", "#8c8c8c", "#9467bd"]
    height = 0.84 / max(len(case["contenders"]) for case in cases)
    figure = Figure(figsize=(9, 1.2 + 0.95 * len(cases)), layout="constrained")
    axes = figure.add_subplot()
    labelled = set()
    for row, case in enumerate(cases):
        there = [name for name in names if name in case["contenders"]]
        for place, name in enumerate(there):
            found = case["contenders"][name]
            speed = found["fraction_of_peak"]
            y = row + (len(there) / 2 - place - 0.5) * height
            low, middle, high = speed["low"], speed["median"], speed["high"]
            axes.barh(
                y,
                middle,
                height * 0.92,
                color=colors[names.index(name)],
                label=None if name in labelled else PEERS.get(name, name),
                xerr=[[middle - low], [high - middle]],
                error_kw={"elinewidth": 0.8, "ecolor": "black"},
            )
            text = time_of(found["seconds"]["median"])
            if name != "fastmlp":
                text += f"  ({found['ratio']['median']:.3g}×)"
            where = {"textcoords": "offset points", "va": "center", "fontsize": 7}
            where["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            axes.annotate(text, (high, y), (4, 0), **where)
            labelled.add(name)
    axes.axvline(1, color="black", linewidth=1, linestyle="--")
    top = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "fontsize": 8}
    axes.annotate("dense limit", (1, 1), (3, -9), **top)
    axes.set_xscale("log")
    axes.set_xlim(right=axes.get_xlim()[1] * 4)
    axes.set_yticks(
        range(len(cases)),
        [case["title"] + "\n" + "-".join(map(str, case["sizes"])) for case in cases],
        fontsize=8,
    )
    axes.set_ylim(-0.6, len(cases) - 0.4)
    axes.set_xlabel(
        "speed, as a multiple of the dense limit: all multiply-adds at the FMA peak\n"
        "(at each bar the time of a step or call, and how many times fastmlp's it is)",
        fontsize=8,
    )
    environment = results["environment"]
    axes.set_title(f"{environment['cpu']}, {environment['cpus']} CPUs", fontsize=8)
    figure.legend(fontsize=8, loc="outside upper center", ncols=len(names))
    figure.savefig(path, dpi=150)
