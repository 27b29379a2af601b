"""fastmlp against its peers, interleaved in one run: `python -m benchmarks.peers --help`.

For each case every contender gets a process (worker.py), peers one for one thread and one for all.
A round is: measure the machine, then give each of them one turn, in an order drawn for the round.
What is compared are the turns of the same round; what is reported is the median over the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import math
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from . import ROOT, machine, overview, peers_tables
from .cases import CASES, Case, make_data
from .contenders import CONTENDERS
from .worker import Worker, WorkerFailed

SETTLE = 2.0  # seconds before the first round: a dozen processes have just been started
PAUSE = 0.3  # seconds between turns, after which no thread of the last one spins any more
BUSY = "while True: pass"  # the other process
Way = tuple[str, int | None]  # contender and threads, None being its own choice


def main() -> None:
    """Run the cases and write what they showed."""
    args = arguments()
    folder: Path = args.out
    folder.mkdir(parents=True, exist_ok=True)
    installed = ["fastmlp"]
    for peer in args.peers:
        missing = [module for module in CONTENDERS[peer].needs if not find_spec(module)]
        if missing:
            print(f"{peer}: left out, not installed: {', '.join(missing)}")
        else:
            installed.append(peer)
    results = {"environment": environment(), "seconds_a_turn": args.seconds, "cases": []}
    for name in args.cases:
        case = CASES[name]
        results["cases"].append(measure(case, installed, args.pairs, args.seconds))
        (folder / "peers.json").write_text(json.dumps(results, indent=1) + "\n")
        (folder / "peers.md").write_text(peers_tables.markdown(results))
        print(peers_tables.line(results["cases"][-1]), flush=True)
    if find_spec("matplotlib"):
        peers_tables.picture(results, folder / "peers.png")
        overview.picture(results, folder / "overview.png")
    else:
        print("no picture: matplotlib is not installed")
    print(f"written: {folder}")


def arguments() -> argparse.Namespace:
    cases, peers = list(CASES), [name for name in CONTENDERS if name != "fastmlp"]
    which = "which of: {} (default: all{})"
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description="fastmlp against its peers, interleaved."
    )
    add = parser.add_argument
    add("--cases", nargs="+", choices=cases, default=cases, metavar="CASE",
        help=which.format(", ".join(cases), ""))
    add("--peers", nargs="*", choices=peers, default=peers, metavar="PEER",
        help=which.format(", ".join(peers), " that are installed"))
    add("--pairs", type=int, default=7, metavar="N",
        help="rounds, in each of which everyone has a turn (default: 7)")
    add("--seconds", type=float, default=1.0, help="of a turn (default: 1)")
    add("--out", type=Path, default=ROOT / "benchmarks/results", metavar="FOLDER",
        help="for peers.json, peers.md and peers.png (default: benchmarks/results)")
    return parser.parse_args()


def measure(case: Case, installed: list[str], pairs: int, seconds: float) -> dict[str, Any]:
    """All rounds of a case."""
    load_before = load_average()
    ways: list[Way] = [("fastmlp", None)]
    counts = sorted({1, machine.CPUS})
    ways += [(name, n) for name in installed if name in ("fastmlp", *case.peers) for n in counts]
    failed: dict[str, str] = {}
    proofs: dict[Way, dict[str, Any]] = {}
    rounds: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory()), "data.npz")
        np.savez(path, **make_data(case))
        workers = {way: Worker(way[0], case.name, path, way[1]) for way in ways}
        for worker in workers.values():
            stack.callback(worker.close)
        for worker in workers.values():  # none computes while others import their libraries
            with contextlib.suppress(WorkerFailed):  # it fails again below
                worker.ask("start")
        for way, worker in workers.items():
            try:
                proofs[way] = worker.ask("prepare", seconds=seconds)
            except WorkerFailed as error:
                failed[f"{way[0]}, {way[1]} threads"] = str(error)
        time.sleep(SETTLE)
        for number in range(pairs):
            one = {"machine": conditions(case.dtype), "quiet": turns(workers, proofs, number)}
            if case.busy:
                with busy_process():
                    one["busy"] = turns(workers, proofs, number)
            rounds.append(one)
    if ("fastmlp", None) not in proofs:
        raise SystemExit(f"{case.name}: fastmlp failed: {failed}")
    return summary(case, rounds, proofs, failed, [load_before, load_average()])


def turns(
    workers: dict[Way, Worker], ready: dict[Way, dict[str, Any]], number: int
) -> dict[Way, dict[str, Any]]:
    """One turn for each, in the order of this round."""
    found = {}
    for way in random.Random(number).sample(list(ready), len(ready)):
        time.sleep(PAUSE)
        found[way] = workers[way].ask("turn")
    return found


def conditions(dtype: str) -> dict[str, float]:
    """The machine just now."""
    time.sleep(PAUSE)
    return {
        "peak_one": machine.peak(dtype, 1),
        "peak_all": machine.peak(dtype, machine.CPUS),
        "latency": machine.latency(),
    }


def summary(
    case: Case,
    rounds: list[dict[str, Any]],
    proofs: dict[Way, dict[str, Any]],
    failed: dict[str, str],
    load: list[float | None],
) -> dict[str, Any]:
    """Medians over the rounds, each contender by its best number of threads."""
    main = "busy" if case.busy else "quiet"

    def column(way: Way, key: str = "seconds", when: str = main) -> np.ndarray:
        return np.array([one[when][way][key] for one in rounds])

    def best(name: str, when: str = main) -> Way:
        counts = [way for way in proofs if way[0] == name and way[1] is not None]
        return min(counts, key=lambda way: float(np.median(column(way, when=when))))

    ours: Way = ("fastmlp", None)
    peak = max(one["machine"]["peak_all"] for one in rounds)  # what disturbs it only lowers it
    contenders = {}
    for name in dict.fromkeys(way[0] for way in proofs):
        way = ours if name == "fastmlp" else best(name)
        contenders[name] = {
            "threads": way[1] or "default",
            "seconds": spread(column(way)),
            "fraction_of_peak": spread(case.operations / column(way) / peak),
            "ratio": spread(column(way) / column(ours)),
            "cpus": spread(column(way, "cpus")),
            **rightness(case, name, proofs[way], proofs[ours]),
            "turns": {
                str(threads or "default"): list(column((kind, threads)))
                for kind, threads in proofs
                if kind == name
            },
        }
        if case.busy:  # against its best in quiet, with another number of threads if need be
            in_quiet = ours if name == "fastmlp" else best(name, "quiet")
            quiet = column(in_quiet, when="quiet")
            contenders[name]["quiet_seconds"] = spread(quiet)
            contenders[name]["busy_slowdown"] = spread(column(way) / quiet)
    choice = spread(column(ours) / column(best("fastmlp")))
    return {
        "name": case.name,
        "title": case.title,
        "sizes": case.sizes,
        "batch": case.batch,
        "optimizer": None if case.predicts else case.optimizer,
        "dtype": case.dtype,
        "unit": "call" if case.predicts else "step",
        "operations": case.operations,
        "rounds": len(rounds),
        "machine": {
            key: spread(np.array([one["machine"][key] for one in rounds]))
            for key in rounds[0]["machine"]
        },
        "load_average": load,
        "default_threads_vs_better": choice,
        "contenders": contenders,
        "failed": failed,
    }


def rightness(
    case: Case, name: str, proof: dict[str, Any], ours: dict[str, Any]
) -> dict[str, Any]:
    """Whether it computed what it should.

    Training: from the same parameters over the same batches in the same order, twice, the cost
    falls, and is fastmlp's within 1 % (rounding alone, so usually far less).  scikit-learn
    trains one sigmoid where there are two classes: another path to the same end, within 20 %; so
    are steps with other units dropped.
    Prediction: the labels that NumPy finds in float64, but for ties that rounding decides.
    """
    if case.predicts:
        return {"agreement": proof["agreement"], "right": proof["agreement"] > 0.999}
    costs = np.array(proof["costs"])
    away = float(np.max(np.abs(costs / np.array(ours["costs"]) - 1)))
    other_path = case.dropout > 0 or (name == "scikit-learn" and case.sizes[-1] == 2)
    allowed = 0.2 if other_path else 0.01
    right = bool(costs[1] < costs[0] and away < allowed)
    return {"costs": proof["costs"], "cost_away": away, "right": right}


def spread(values: np.ndarray) -> dict[str, float | None]:
    """Median and quartiles."""
    low, middle, high = (float(x) for x in np.percentile(values, [25, 50, 75]))
    if math.isnan(middle):
        return {"median": None, "low": None, "high": None}
    return {"median": middle, "low": low, "high": high}


@contextlib.contextmanager
def busy_process() -> Iterator[None]:
    """Another process that never sleeps."""
    process = subprocess.Popen([sys.executable, "-S", "-c", BUSY])
    try:
        time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


def load_average() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def report_memory() -> int | None:
    """Most resident memory of the whole process `fastmlp report`, in bytes."""
    if not hasattr(os, "wait4"):
        return None
    command = [sys.executable, "-m", "fastmlp", "report", "--epochs", "1"]
    mnist = str(Path(__file__).parent / "mnist")
    process = subprocess.Popen([*command, "--data", mnist], stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit if process.returncode == 0 else None


def environment() -> dict[str, Any]:
    """What ran, on what."""
    memory = report_memory()  # first: a child's figure begins with its parent's

    import fastmlp

    packages = {}
    for package in ("numpy", "scipy", "torch", "jax", "scikit-learn", "onnxruntime"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[package] = importlib.metadata.version(package)
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": machine.cpu_name(),
        "cpus": machine.CPUS,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "fastmlp": {
            "version": fastmlp.__version__,
            "commit": commit(),
            "isa": fastmlp.kernels.isa,
            "openmp": fastmlp.kernels.openmp(),
        },
        "packages": packages,
        "report_memory": memory,
    }


def commit() -> str | None:
    """The source tree's commit, with + where it has been changed since."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True
        )
    except OSError:
        return None
    return found.stdout.strip() or None


if __name__ == "__main__":
    main()
