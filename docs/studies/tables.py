"""What each part of the models of tables brings: the study behind docs/studies/tables.md.

    python docs/studies/tables.py --run            # trains, about half an hour on one core
    python docs/studies/tables.py                  # writes the page from runs.csv

Eight tables from packages of the index (benchmarks/table_data.py).  Of each table only the training
part of split 0 is used: a quarter of it, another one in each repetition, tests the models that are
trained on the other rows.  A variant changes one parameter of the estimators' default.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import warnings
from collections import defaultdict
from pathlib import Path
from time import process_time
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is loaded

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from fastmlp.tabular import TabularClassifier, TabularRegressor
from fastmlp.tabular.metrics import CLASSIFICATION, REGRESSION

PAGE = """\
# What the models of tables are made of

`fastmlp.tabular` trains several networks on a table, each without 15 % of the rows, and predicts
by their mean. The default has four networks of three layers of 128 units (SiLU), dropout 0.15,
AdamW with a one-cycle schedule up to 0.005 and weight decay 0.05, and 96 epochs, of which the
one with the best log-loss or RMSE on the network's own validation rows is kept. Two of the
networks see numbers scaled robustly and by a piecewise-linear code, the other two by their
quantiles and learned waves of them.

This study changes one part at a time. The tables are the eight of [the
benchmark](https://github.com/fastmlp/fastmlp/blob/main/benchmarks/table_data.py); only the
training part of the first split is used, of which a quarter, another one in each of
{repetitions} repetitions, tests the models. Each figure is the geometric mean of the ratios to
the default, ± its standard error over tables and repetitions; a difference of less than twice
that is no finding. The error is the share of wrong classes, or the RMSE; log-loss is that of the
three tables with classes.

{table}

    python docs/studies/tables.py --run

trains the models again ({n} of them, on one thread; the runs are in
[runs.csv](https://github.com/fastmlp/fastmlp/blob/main/docs/studies/tables/runs.csv)), and
without `--run` computes this page from the runs.

One choice was made by earlier runs of the same kind, whose records are not kept: the log-loss that
chooses an epoch is that at the best temperature, because the model's probabilities are mended by a
temperature afterwards.

## What did not make `quality="best"` better

`best` has 24 networks of the default's kind. The following was tried to make its error smaller;
none of it did by more than twice the standard error. The records of these runs are not kept.

- An exponential moving average of the parameters (decay 0.98), which predicts and of which the
  best epoch is kept, in place of the parameters: error 1.003 ± 0.006 and log-loss 1.005 ± 0.008
  relative to the default.
- In runs where only epochs after the first 30 % of the schedule were candidates, in both of what
  is compared, and with 12 networks: 5 % of the rows for validation in place of 15 %: error 1.005 ±
  0.004, log-loss 0.997 ± 0.008. The same with one epoch for all networks, the best of their
  outputs together: error 0.997 ± 0.004, log-loss 0.984 ± 0.008. In the mean, a
  quarter for the networks with the piecewise-linear code in place of a half: error 0.997 ± 0.006
  and, with 5 % for validation, 0.989 ± 0.007; log-loss 1.008 ± 0.005 and 1.001 ± 0.006.
- In such runs with 4 to 6 networks: networks that see 80 % of the columns each, error 1.040 ±
  0.016; bins at the thresholds of decision trees, 1.020 ± 0.010; Huber's loss on the five
  regressions, 1.001 ± 0.005; the half of the columns that matter most, on the four tables with
  the most columns, 1.020 ± 0.011; 128 bins, 1.11 ± 0.04 on five tables.
- A choice for each table: among all variants in the table above but that of 8 networks, the one
  with the least log-loss or RMSE in the other repetition has an error of {choice} relative
  to the default. Which of the good variants is the best on a table is mostly chance.
- Weights of six kinds of networks, chosen for each table: with the piecewise-linear code, with
  quantiles and waves, with both at once, with numbers alone, with the code and weight decay 0.5,
  with waves and tanh. Of each kind three networks were trained for 32 epochs, in one repetition.
  The products of their errors tell the squared error of the mean of 24 networks with any weights.
  With the weights of least squared error on the validation rows, its root (of classes, that of the
  Brier score) was 0.995 ± 0.002 of that of two equal halves as in `best`, and 0.997 ± 0.002 with
  weights drawn towards those halves. Even the weights that are the best on the test rows
  themselves had 0.989 ± 0.002: no choice of weights could bring more. Nor does a factor and a
  constant for the mean of a regression, by the validation rows: 0.998 to 1.002 on each table.

The predictions of 12 networks with a weight of 0.6 and of scikit-learn's HistGradientBoosting with
0.4 had 0.994 of the networks' error: 0.97 to 0.99 on magic, chicago, ames and nlswork, 1.03 on
phoneme. A model of another kind, too, would add little on these tables.

[Networks of 23 other kinds](tables_kinds.md), with other inputs, targets, augmentation, sizes or
rows, bring no more: a study of its own.
"""

RUNS = Path(__file__).parent / "tables" / "runs.csv"
FIELDS = ("variant", "data", "repetition", "error", "log_loss", "seconds")
REPETITIONS = 2

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "1 network": {"n_members": 1},
    "2 networks": {"n_members": 2},
    "8 networks": {"n_members": 8},
    "numbers alone": {"encoding": "raw"},
    "piecewise-linear code": {"encoding": "piecewise_linear"},
    "quantiles": {"encoding": "quantile"},
    "quantiles and waves": {"encoding": "periodic"},
    "ReLU": {"activation": "relu"},
    "Mish": {"activation": "mish"},
    "tanh": {"activation": "tanh"},
    "24 epochs": {"epochs": 24},
    "48 epochs": {"epochs": 48},
    "192 epochs": {"epochs": 192},
    "64 units": {"hidden_layer_sizes": (64, 64, 64)},
    "256 units": {"hidden_layer_sizes": (256, 256, 256)},
    "2 layers": {"hidden_layer_sizes": (128, 128)},
    "learning rate 0.002": {"learning_rate": 0.002},
    "learning rate 0.01": {"learning_rate": 0.01},
    "no dropout": {"dropout": 0.0},
    "dropout 0.3": {"dropout": 0.3},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "no weight decay": {"weight_decay": 0.0},
    "weight decay 0.2": {"weight_decay": 0.2},
    "weight decay 0.5": {"weight_decay": 0.5},
    "epoch by error or MAE": {"metric": ("error", "mae")},
}


def options_of(variant: str, classification: bool) -> dict[str, Any] | None:
    """Return the parameters of a variant; None where it changes nothing."""
    options = dict(VARIANTS[variant])
    if "metric" in options:
        options["metric"] = options["metric"][not classification]
    if "label_smoothing" in options and not classification:
        return None
    return options


def one_run(variant: str, name: str, repetition: int) -> dict[str, Any] | None:
    """Train and test one model."""
    from benchmarks import table_data

    whole = table_data.read(name)
    X, y, _, _ = table_data.split(whole, seed=0)
    classification = whole.classification
    options = options_of(variant, classification)
    if options is None:
        return None
    train, test = train_test_split(
        np.arange(len(y)),
        test_size=0.25,
        random_state=1000 + repetition,
        stratify=y if classification else None,
    )
    kind = TabularClassifier if classification else TabularRegressor
    model = kind(random_state=repetition, n_threads=1, **options)
    began = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X.iloc[train], y[train])
    seconds = process_time() - began
    if classification:
        p = model.predict_proba(X.iloc[test])
        error = CLASSIFICATION["error"].measure(y[test], p, None)
        log_loss = f"{CLASSIFICATION['log_loss'].measure(y[test], p, None):.5f}"
    else:
        h = model.predict(X.iloc[test])
        error, log_loss = REGRESSION["rmse"].measure(y[test], h, None) / y[test].std(), ""
    return dict(zip(FIELDS, (variant, name, repetition, f"{error:.5f}", log_loss,
                             f"{seconds:.2f}"), strict=True))


def run() -> None:
    """Run what is not in runs.csv yet, variant by variant."""
    from benchmarks import table_data

    RUNS.parent.mkdir(exist_ok=True)
    done = {(r["variant"], r["data"], int(r["repetition"])) for r in read()}
    with RUNS.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for variant in VARIANTS:
            for repetition in range(REPETITIONS):
                for name in table_data.TABLES:
                    if (variant, name, repetition) not in done:
                        row = one_run(variant, name, repetition)
                        if row is not None:
                            writer.writerow(row)
                            file.flush()


def read(path: Path = RUNS) -> list[dict[str, str]]:
    """Return the rows of runs.csv; none if there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def page(rows: list[dict[str, str]]) -> str:
    """Return the page of the study."""
    return PAGE.format(
        repetitions=REPETITIONS, table=table(rows), n=len(rows), choice=choice(rows)
    )


def table(rows: list[dict[str, str]]) -> str:
    """Return the page's table: geometric means relative to the default, with their errors."""
    cells: dict[str, dict[tuple[str, str], dict[str, str]]] = defaultdict(dict)
    for row in rows:
        cells[row["variant"]][row["data"], row["repetition"]] = row
    base = cells["default"]
    lines = [
        "| variant | error | log-loss | CPU seconds | worst table | best table |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for variant in (name for name in VARIANTS if name in cells):
        found = cells[variant]
        error, per = ratio(found, base, "error")
        log_loss, _ = ratio(found, base, "log_loss")
        seconds, _ = ratio(found, base, "seconds")
        worst, best = max(per, key=per.__getitem__), min(per, key=per.__getitem__)
        lines.append(
            f"| {variant} | {error} | {log_loss} | {seconds.split(' ')[0]} | "
            f"{worst} {per[worst]:.2f} | {best} {per[best]:.2f} |"
        )
    return "\n".join(lines)


def choice(rows: list[dict[str, str]]) -> str:
    """Return the relative error of the variants that are the best in the other repetition."""
    cells = {(row["data"], int(row["repetition"]), row["variant"]): row for row in rows}
    logs = []
    for data, repetition, variant in cells:
        if variant == "default":
            others = {
                name: float(row["log_loss"] or row["error"])
                for (one, other, name), row in cells.items()
                if one == data and other != repetition and name != "8 networks"
            }
            chosen = min(others, key=others.__getitem__)
            errors = [float(cells[data, repetition, name]["error"]) for name in (chosen, variant)]
            logs.append(np.log(errors[0] / errors[1]))
    return with_error(np.array(logs))


def with_error(logs: NDArray[np.float64]) -> str:
    """Return the geometric mean of ratios, whose logarithms are given, ± its standard error."""
    mean = np.exp(logs.mean())
    return f"{mean:.3f} ± {logs.std(ddof=1) / np.sqrt(len(logs)) * mean:.3f}"


def ratio(
    found: dict[tuple[str, str], dict[str, str]],
    base: dict[tuple[str, str], dict[str, str]],
    field: str,
) -> tuple[str, dict[str, float]]:
    """Return the geometric mean of the ratios to the default ± its standard error, and by table."""
    logs = defaultdict(list)
    for key, row in found.items():
        if row[field] and base[key][field]:
            logs[key[0]].append(np.log(float(row[field]) / float(base[key][field])))
    if not logs:
        return "", {}
    means = {name: float(np.exp(np.mean(own))) for name, own in logs.items()}
    return with_error(np.concatenate(list(logs.values()))), means


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    found.add_argument("--run", action="store_true", help="train what is not in runs.csv yet")
    return found


def main() -> None:
    """Train what is missing, and write the page."""
    if parser().parse_args().run:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        run()
    RUNS.parent.with_suffix(".md").write_text(page(read()), encoding="utf-8")


if __name__ == "__main__":
    main()
