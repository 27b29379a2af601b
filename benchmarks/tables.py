"""fastmlp against other methods on eight real tables: `python -m benchmarks.tables --help`.

For each table and split every method has a process of its own (table_methods.py) with one thread,
one after the other, in an order drawn for the split.  Each measurement is appended to a CSV file as
soon as it is there, and what the file has is not measured again.  table_report.py makes a Markdown
file of it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path

from . import ROOT, table_epoch, table_report
from .table_data import TABLES
from .table_methods import METHODS
from .table_report import Key, Measurement

COLUMNS = (
    "data", "method", "seed", "error", "logloss", "cpu_seconds", "train_rows",
    "coverage", "version", "processor",
)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    """Measure what is missing, then write the report."""
    args = arguments()
    folder: Path = args.out
    folder.mkdir(parents=True, exist_ok=True)
    rows, epochs = folder / "tables.csv", folder / "tables_epoch.json"
    if "methods" in args.parts:
        measure(args, rows)
    if "epoch" in args.parts:
        found = table_epoch.measure(args.peers_python, args.rows, args.rounds)
        epochs.write_text(json.dumps(found, indent=1) + "\n")
    known = json.loads(epochs.read_text()) if epochs.exists() else None
    report = folder / "tables.md"
    report.write_text(table_report.markdown(measurements(rows), known), encoding="utf-8")
    print(f"written: {report}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tables", description="fastmlp against other methods on tables."
    )
    add = parser.add_argument
    add("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD",
        help=f"which of: {', '.join(METHODS)} (default: all)")
    add("--data", nargs="+", choices=TABLES, default=list(TABLES), metavar="TABLE",
        help=f"which of: {', '.join(TABLES)} (default: all)")
    add("--splits", type=int, default=3, metavar="N", help="splits of each table (default: 3)")
    add("--peers-python", default=sys.executable, metavar="PATH",
        help="the Python of the environment that has the other methods (default: this one)")
    add("--parts", nargs="*", choices=("methods", "epoch"), default=("methods", "epoch"),
        help="methods: the comparison on tables; epoch: an epoch of a large table against PyTorch; "
        "without a part the report alone is written (default: both)")
    add("--rows", type=int, default=1_000_000, help="of the large table (default: 1000000)")
    add("--rounds", type=int, default=3, metavar="N", help="of the large table (default: 3)")
    add("--out", type=Path, default=ROOT / "benchmarks/results", metavar="FOLDER",
        help="for tables.csv and tables.md (default: benchmarks/results)")
    return parser.parse_args()


def measure(args: argparse.Namespace, path: Path) -> None:
    """Append what the file of measurements does not have."""
    known = measurements(path)
    for seed in range(args.splits):
        for data in args.data:
            order = [name for name in args.methods if (data, name, seed) not in known]
            random.Random(f"{data} {seed}").shuffle(order)
            for name in order:
                found = one(name, data, seed, args.peers_python)
                if found is not None:
                    append(path, {"data": data, "method": name, "seed": seed, **found})


def one(name: str, data: str, seed: int, peers_python: str) -> Measurement | None:
    """Return what a process measured; None, and a line on standard error, if it failed."""
    python = sys.executable if name.startswith("fastmlp") else peers_python
    done = subprocess.run(
        [python, "-m", "benchmarks.table_methods", name, data, str(seed)],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        print(f"{data}, {name}, split {seed}: {why}", file=sys.stderr, flush=True)
        return None
    found: Measurement = json.loads(done.stdout)
    print(f"{data}, {name}, split {seed}: error {found['error']:.4f}, "
          f"{found['cpu_seconds']:.2f} s", flush=True)
    return found


def append(path: Path, row: Measurement) -> None:
    """Add a row to the file of measurements, after its header."""
    digits = {"error": 5, "logloss": 5, "coverage": 4, "cpu_seconds": 3}
    cells = {
        name: "" if row[name] is None else round(row[name], digits[name]) if name in digits
        else row[name]
        for name in COLUMNS
    }
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(cells)


def measurements(path: Path) -> dict[Key, Measurement]:
    """Return the rows of the file of measurements; of equal keys the last counts.

    Columns after `train_rows` may be absent, from all rows or from some.
    """
    found: dict[Key, Measurement] = {}
    if not path.exists():
        return found
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, COLUMNS):
            if row["data"] == "data":
                continue  # the header
            numbers = {
                name: float(row[name]) if row[name] else None
                for name in ("error", "logloss", "cpu_seconds", "coverage")
            }
            found[row["data"], row["method"], int(row["seed"])] = {**row, **numbers}
    return found


if __name__ == "__main__":
    main()
