"""Other kinds of networks for tables: the study behind docs/studies/tables_kinds.md.

    python docs/studies/tables_kinds.py --run      # trains, about an hour on one core
    python docs/studies/tables_kinds.py            # writes the page from runs.csv

Data and splits are those of tables.py.  A few networks of each kind suffice: with e_i the errors of
network i at the m test rows, the squared error of the mean of very many networks is the mean of
e_i · e_j / m over all pairs of different networks, and products of two kinds' errors tell what
the mean of both kinds would have.  Of classes the error is that of the second one's probability.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import exp, log
from pathlib import Path
from statistics import fmean
from time import process_time
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is loaded

import numpy as np
import tables_parts as parts
from tables import read, with_error
from tables_parts import ALL, KINDS, REPEATED, Array, Data, Kind

from fastmlp import MLP
from fastmlp.optimizers import AdamW
from fastmlp.schedules import OneCycle
from fastmlp.tabular.best_epoch import BestEpoch
from fastmlp.tabular.members import BETA_2
from fastmlp.tabular.metrics import CLASSIFICATION
from fastmlp.tabular.plan import TURNS, plan_of

PAGE = """\
# Other kinds of networks for tables

`quality="best"` of `fastmlp.tabular` predicts by the mean of 24 networks: half of them see numbers
also by a piecewise-linear code, the others by quantiles and waves of them. The study of [the
parts](tables.md) found that neither other shares of the two nor weights for each table make the
mean much better. This study asks whether networks of other kinds would: other inputs, targets,
augmentation, sizes, or all rows in training.

What counts is the error of the mean of very many networks. The products of the errors of any two
tell it without bias, so that 3 to 6 networks of each kind suffice. Tables and splits are those of
the study of the parts; the test rows of the benchmark are not used.

The figures are geometric means of ratios to the error of the default, that of `best`, ± their
standard errors over tables and repetitions. The error is the RMSE; for classes, that of the
probability. "In place": all networks are of this kind, or half of them where only one of the two
encodings has it. "In addition": as many of the kind as of the default. CPU seconds are those of
such a network relative to one of the default. Columns of the worst and the best table are of "in
place". With few networks a difference of 1.5 % on a single table is no finding.

{table}

    python docs/studies/tables_kinds.py --run

trains the networks again ({n} combinations of kind, table and repetition, with the default; the
runs are in
[runs.csv](https://github.com/fastmlp/fastmlp/blob/main/docs/studies/tables_kinds/runs.csv)), and
without `--run` computes this page from the runs. The kinds are defined in the script and in
`tables_parts.py`. For example, the default has three sums of 16 waves for each number; and a
regression with intervals as classes learns the probabilities of 100 intervals of y, softened by a
normal distribution, whose mean is the prediction. The recorded runs of three kinds (mixup, cells of
other rows, bins at random) had other random numbers than the script has now.

Of these kinds, one has a smaller error by more than twice the standard error: 256 units, by 0.2 %
at three times the time. In place of all networks or in addition to them, no kind brings 1 %.

## Learned edges of the bins

The bins of the piecewise-linear code end at quantiles. In PyTorch, with the same initial
parameters, batches and validation rows, the edges were learned too: the first one of each column
and the widths of its bins. The figures are ratios to the error with fixed edges, again of the mean
of very many networks.

{edges}

    python docs/studies/tables_edges.py

trains them again, each table in two repetitions but "learned" in one; the runs are in
[edges.csv](https://github.com/fastmlp/fastmlp/blob/main/docs/studies/tables_kinds/edges.csv).
The differences are less than twice their standard errors. Half of the networks have the code: in
the mean with networks with waves, 0.995 ± 0.003 remains at the tenfold rate: a third of the 1.5 %
that `best` would need to have 0.95 of RealMLP-TD's error. fastmlp therefore keeps edges fixed.

## Networks that share weights

In TabM (Gorishniy, Kotelnikov and Babenko 2025) k members share the weights of the hidden layers.
Member i has sᵢ ∘ W (rᵢ ∘ x) + bᵢ in each of them and an output layer of its own. TabM-mini has rᵢ
in the first layer, shared biases and no other factors. In PyTorch, eight such members were trained
in place of each network of the default, by the same plan and on the same rows; a network in this
table is the mean of its eight members. CPU seconds are those of PyTorch relative to fastmlp's.

{shared}

    python docs/studies/tables_shared.py

trains them again; the runs, of repetition 0, are in
[shared.csv](https://github.com/fastmlp/fastmlp/blob/main/docs/studies/tables_kinds/shared.csv).
One TabM has 0.93 to 0.98 of the error of one network of the default, but the means of very many
differ little: by 0.7 % with TabM in the half with the code, which is half of the 1.5 % that `best`
would need, and by nothing with waves. A TabM takes about as many multiplications as eight networks,
and three of them in place of 24 networks have 1.011 ± 0.011 of the error. With 16 members, one
TabM-mini with the code on magic and one on ames had 1.00 and 1.02 of the error of a TabM with
eight.

## What else was tried

The records of these runs are not kept; each is from repetition 0.

- RealMLP-TD's own networks, two of each table: the mean of very many of them has 1.04 of the
  default's error on phoneme and 1.00 on magic; with a weight of 0.3 beside the default's, 1.00
  on both.
- Codes of the leaves of eight trees, each fitted to the errors of those before it, as further
  one-hot inputs: 1.034 ± 0.025 in place, on four tables.
- Targets drawn halfway towards the outputs of networks that were not trained on the row: 1.007 ±
  0.007 on six tables.
- A tenth of the learning rate for waves with eight sums: 1.008 ± 0.004 in half of the networks, on
  five tables.
- A weight of 0.3 for scikit-learn's HistGradientBoosting beside the default, 1.000 ± 0.003 on
  eight tables; 0.2 for its ExtraTrees, 1.001 ± 0.003; 0.1 for the ten nearest neighbours, 1.007 ±
  0.004.
- The mean of the logits in place of that of the probabilities: 1.00 to 1.03 of the error on the
  three tables with classes; their median, 1.00 to 1.02. The median of a regression, or the mean
  without the two least and greatest outputs: 1.00 to 1.01.
- Rows of each network sampled with replacement from the 85 % that it is trained on: 1.039 ± 0.012
  in place and 1.015 ± 0.005 in addition, on magic, phoneme and ames. (Each network of the default
  already leaves out another 15 %.)
- Three schedules of 32 epochs one after the other, and the mean of the outputs in the best epoch of
  each: 1.037 ± 0.026 in place and 1.014 ± 0.009 in addition, on the same tables.
- The mean target of each category as a further number, for training rows from the other four of
  five parts of them: 1.019 in place and 1.008 in addition on ames, 0.996 and 0.998 on diamonds.
- Targets that are transformed to a normal distribution, and predictions by the mean over the errors
  at the validation rows: 1.016 ± 0.014 in place and 1.002 ± 0.006 in addition, on diamonds, ames,
  abalone and chicago. The logarithm of abalone's targets, which are skewed: 0.988 and 0.994 in
  repetition 0, 1.004 and 1.002 in repetition 1. With prices and wages themselves as targets, and
  their logarithms in place of them, 1.046 and 1.024 on ames, 1.000 and 1.000 on nlswork, 1.001 and
  0.994 on diamonds.
- Muon in place of AdamW for the hidden layers, with a rate of 0.01, in PyTorch: one network of each
  encoding on magic, phoneme and ames has 1.04 of the error of one of the default.
- Weights of up to 33 kinds for each table, chosen by half of the test rows of the repetition:
  0.970 of the default's error on this half, and 0.992 ± 0.005 on the other.

Little is left to gain for any network. On ames and chicago 1 % of the test rows have 40 % of the
squared error. All rows in training, to the last epoch, have no smaller error than 85 % with the
best epoch. And weights that look 3 % better on the rows that choose them are less than 1 % better
on others.
"""

RUNS = Path(__file__).parent / "tables_kinds" / "runs.csv"
EDGES = RUNS.with_name("edges.csv")  # by tables_edges.py
SHARED = RUNS.with_name("shared.csv")  # by tables_shared.py
FIELDS = ("kind", "data", "repetition", "networks", "seconds", "default", "in_place", "in_addition")
NETWORKS = 3  # of each kind, encoding, table and repetition; of the default twice as many


# -------------------------------------------------------------------------------- training


def train(kind: Kind, data: Data, encoding: str, seed: int, network: int) -> Array:
    """Train a network; return its errors at the test rows."""
    plan = replace(plan_of("good", data.n_rows).networks[0], **kind.plan)
    if kind.inputs is None:
        X, X_test, encodings = data.inputs(encoding)
    else:
        X, X_test, encodings = kind.inputs(data, encoding, network)
    targets, loss, n_outputs, decode = parts.default_targets(data)
    if kind.targets is not None:
        targets, loss, n_outputs, decode = kind.targets(data)
    net = MLP(
        (len(encodings), *plan.hidden, n_outputs),
        encodings=encodings,
        **{"activation": plan.activation, "loss": loss, "dropout": plan.dropout,
           "seed": 1000 * seed + network, **kind.net},
    )  # fmt: skip
    validation = data.validation[network]
    rows = np.arange(len(X)) if kind.all_rows else np.delete(np.arange(len(X)), validation)
    best = BestEpoch(
        lambda net: data.loss(decode(net.forward(X[validation])), validation), None,
        CLASSIFICATION["log_loss"],
    )  # fmt: skip
    steps = plan.epochs * -(-len(rows) // plan.batch_size)
    source: tuple[Any, ...] = (X[rows], targets[rows])
    if kind.epoch is not None:
        source = (epochs(kind.epoch, *source, encodings, 7 + network + 100 * seed),)
    net.fit(
        *source,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        optimizer=AdamW(
            OneCycle(plan.learning_rate, total_steps=steps),
            beta_2=BETA_2,
            weight_decay=plan.weight_decay,
        ),
        callbacks=() if kind.all_rows else (best,),
        n_threads=1,
        **kind.fit,
    )
    outputs, y = decode(net.forward(X_test)).astype(float), data.y[1]
    if not data.classes:
        outputs = np.clip(outputs, data.y[0].min(), data.y[0].max())
    return np.asarray(outputs - y)


def epochs(change: Any, X: Array, y: Array, encodings: Any, seed: int) -> Callable[[], Any]:
    """Return the function that makes the examples of an epoch."""
    rng = np.random.RandomState(seed)

    def chunks() -> Iterator[tuple[Array, Array]]:
        yield change(X, y, encodings, rng)

    return chunks


def products(errors: Sequence[Array], others: Sequence[Array] | None = None) -> float:
    """Return the mean product of two networks' errors: of one kind, or of two."""
    total = np.sum(errors, axis=0)
    if others is not None:
        return float(np.mean(total * np.sum(others, axis=0)) / len(errors) / len(others))
    own = np.sum(np.square(errors), axis=0)
    return float(np.mean(total**2 - own) / len(errors) / (len(errors) - 1))


def squared_error(kinds: Sequence[Sequence[Array]]) -> float:
    """Return that of the mean of very many networks, as many of each kind."""
    return float(np.mean([products(a, None if a is b else b) for a in kinds for b in kinds]))


def cells(name: str, repetition: int, found: dict[tuple[str, str], Any]) -> Iterator[Any]:
    """Yield the rows of runs.csv for a table, from (errors, seconds) by kind and encoding."""
    default = [found["default", encoding] for encoding in TURNS]
    base = [errors for errors, _ in default]
    for label in dict.fromkeys(label for label, _ in found):
        both = [found.get((label, one), of) for one, of in zip(TURNS, default, strict=True)]
        own = [errors for errors, _ in both]
        new = [i for i in range(2) if label == "default" or own[i] is not base[i]]
        seconds = sum(both[i][1] for i in new) / sum(default[i][1] for i in new)
        numbers = squared_error(base), squared_error(own), squared_error([*base, *own])
        row = (label, name, repetition, sum(len(own[i]) for i in new), f"{seconds:.2f}")
        yield dict(zip(FIELDS, (*row, *(f"{one:.6g}" for one in numbers)), strict=True))


def run() -> None:
    """Train what runs.csv lacks, and append its rows."""
    RUNS.parent.mkdir(exist_ok=True)
    done = {(row["data"], int(row["repetition"])) for row in read(RUNS)}
    wanted = [*((name, 0) for name in ALL), *((name, 1) for name in REPEATED)]
    for name, repetition in (one for one in wanted if one not in done):
        found = {
            (label, encoding): trained(
                kind, name, repetition, encoding, NETWORKS * (1 + (label == "default"))
            )
            for label, kind in KINDS.items()
            if name in kind.tables and repetition < kind.repetitions
            for encoding in kind.encodings
        }
        with RUNS.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            if file.tell() == 0:
                writer.writeheader()
            writer.writerows(cells(name, repetition, found))


def trained(
    kind: Kind, name: str, repetition: int, encoding: str, n: int
) -> tuple[list[Array], float]:
    """Train n networks; return their errors at the test rows, and the CPU seconds of each."""
    began = process_time()
    data = parts.data(name, repetition)
    errors = [train(kind, data, encoding, repetition, i) for i in range(n)]
    return errors, (process_time() - began) / n


# -------------------------------------------------------------------------------- the page


def page(rows: list[dict[str, str]]) -> str:
    """Return the page of the study."""
    return PAGE.format(
        table=table(rows),
        n=len(rows),
        edges=edges_table(read(EDGES)),
        shared=table(read(SHARED)),
    )


def table(rows: list[dict[str, str]]) -> str:
    """Return the page's table: errors relative to the default's."""
    lines = [
        "| kind | tables | in place | in addition | CPU seconds | worst table | best table |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for label in dict.fromkeys(row["kind"] for row in rows if row["kind"] != "default"):
        own = [row for row in rows if row["kind"] == label]
        in_place, in_addition = (
            [log(float(row[of]) / float(row["default"])) / 2 for row in own]
            for of in ("in_place", "in_addition")
        )
        seconds = exp(fmean(log(float(row["seconds"])) for row in own))
        by_table = {
            name: exp(fmean(x for x, row in zip(in_place, own, strict=True) if row["data"] == name))
            for name in dict.fromkeys(row["data"] for row in own)
        }
        ends = [
            f"{name} {by_table[name]:.2f}"
            for name in (
                max(by_table, key=by_table.__getitem__),
                min(by_table, key=by_table.__getitem__),
            )
        ]
        cells = (
            label,
            str(len(by_table)),
            with_error(np.array(in_place)),
            with_error(np.array(in_addition)),
            f"{seconds:.2f}",
            *ends,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def edges_table(rows: list[dict[str, str]]) -> str:
    """Return the table of learned edges: errors relative to those with fixed edges."""
    cells: dict[str, dict[tuple[str, str], float]] = {}
    for row in rows:
        cells.setdefault(row["kind"], {})[row["data"], row["repetition"]] = float(row["error"])
    fixed = cells.pop("fixed")
    names = list(dict.fromkeys(name for name, _ in fixed))
    lines = [f"| edges | {' | '.join(names)} | all |", "| --- " * (len(names) + 2) + "|"]
    for kind, errors in cells.items():
        logs = {key: log(error / fixed[key]) for key, error in errors.items()}
        means = [exp(fmean(x for key, x in logs.items() if key[0] == name)) for name in names]
        shown = " | ".join(f"{one:.3f}" for one in means)
        lines.append(f"| {kind} | {shown} | {with_error(np.array([*logs.values()]))} |")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    found.add_argument("--run", action="store_true", help="train what is not in runs.csv yet")
    return found


def main() -> None:
    """Train what is missing, and write the page."""
    if parser().parse_args().run:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        warnings.simplefilter("ignore")
        run()
    RUNS.parent.with_suffix(".md").write_text(page(read(RUNS)), encoding="utf-8")


if __name__ == "__main__":
    main()
