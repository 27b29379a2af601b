"""Training on a table: fit, compare with the baselines, save model, card and page.

    options → TableData → estimator → scores beside the baselines → files
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import fastmlp
from fastmlp.experiments.table_models import TableModel, fit_on
from fastmlp.experiments.table_rows import named
from fastmlp.experiments.targets import OF_TEXT
from fastmlp.support.text import printable, some_of
from fastmlp.support.user_warnings import warn_user
from fastmlp.tabular.by_value import ByValue
from fastmlp.tabular.members import Callbacks
from fastmlp.tabular.reading import require_column

from .baselines import (
    Scores,
    baseline_scores,
    better_baselines,
    model_scores,
    score_lines,
    written,
)
from .cards import writable_card, write_card
from .options import check_outputs, log_callbacks, set_threads
from .ranks import divided, is_first
from .table_card import card_of
from .table_data import TableData, read_data
from .table_settings import estimator, metric_name

MOST_SHOWN = 8  # names of columns or values in a line
SHARED = "shared model"  # of a model with --per, beside the baselines
MOST_COST = 10.0  # times that of a constant prediction; more is training that went wrong


def run_on_table(args: argparse.Namespace) -> None:
    """Train on a table."""
    set_threads(args)
    card = None if args.save is None else writable_card(args.save)
    check_outputs(
        {"--save": args.save, "the model card": card, "--html": args.html},
        {"TABLE": args.table, "--test": args.test, "--config": args.config},
    )
    if args.ranks is not None and str(args.table) == "-":
        raise ValueError("several ranks cannot read TABLE from the standard input; give a file")
    data = read_data(args)
    model = estimator(args, data.task, data.training.y)
    check_per(model, args, data)
    if not args.quiet:
        for line in about_data(data):
            print(printable(line))
        sys.stdout.flush()
    with divided(args.ranks):
        fit(model, data, log_callbacks(args.log_dir))
    if is_first(args.ranks):
        judge_and_save(args, data, model, card, quiet=args.quiet, page=args.html)


def judge_and_save(
    args: argparse.Namespace,
    data: TableData,
    model: TableModel,
    card: Path | None,
    *,
    quiet: bool = False,
    page: Path | None = None,
) -> None:
    """Print a model's scores beside those of the baselines, and write its files."""
    check_converged(model)
    scores, baselines = judged(model, data)
    if not quiet:
        for line in about_model(model):
            print(printable(line))
    columns: dict[str, Scores] = {"model": scores, **baselines}
    what = "rows that their networks were not trained on"
    if data.test is not None:
        what = f"{len(data.test):,} test rows"
    print(f"scores of the {what}:" if scores else "the table is too small for scores")
    for line in score_lines(data.task, columns) if scores else ():
        print(line)
    for note in doubts(model, data, scores, baselines):
        warn_user(note)

    contents = card_of(args, data, model, scores, baselines)
    model.metadata_ = {"label": data.label, "task": data.task, "card": contents}
    if data.decimal is not None:
        model.metadata_["decimal"] = data.decimal  # for files whose numbers allow both
    if args.save is not None:
        assert card is not None
        model.save(args.save)
        write_card(card, contents)
        print(f"saved {args.save} and {card}")
    if page is not None:
        from .table_page import write_table_page

        part = data.training if data.test is None else data.test
        write_table_page(page, model, part.X, part.y, columns, f"{data.label}, by {data.name}")
        print(f"saved {page}")


def check_per(model: TableModel, args: argparse.Namespace, data: TableData) -> None:
    """Raise ValueError if the column of ``--per`` cannot divide the rows into models."""
    if model.per is None:
        return
    if model.per == data.label:
        raise ValueError(f"--per {model.per!r} is the label; name another column")
    if args.group is not None:
        raise ValueError("--per and --group exclude each other: give one of them")
    if model.per in named((model.per,), args.drop or ()):
        raise ValueError(f"--per {model.per!r} is left out by --drop; give it in one of them alone")
    require_column(model.per, tuple(data.training.X.columns), data.name)


def about_data(data: TableData) -> list[str]:
    """Return lines that say how the table was understood."""
    said = f"{data.task}: {data.label!r} is to be predicted"
    if data.reason.startswith("as"):
        said += f", {data.reason}"
    else:
        said += f"; {data.reason}{' (--task overrides)' * (data.reason != OF_TEXT)}"
    lines = [said]
    if data.n_unlabelled:
        lines.append(f"{data.n_unlabelled:,} of {data.n_rows:,} rows have no label: left out")
    tested = "no test rows" if data.test is None else f"{len(data.test):,} for the test"
    lines.append(f"{len(data.training):,} rows for training, {tested} ({data.split})")
    return lines


def fit(model: TableModel, data: TableData, callbacks: Callbacks | None) -> None:
    """Fit the model, without the warning of columns left out, which `about_model` lists."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*columns are not used")
        try:
            fit_on(data.training, model, callbacks)
        except fastmlp.TrainingDiverged as error:
            message = f"training diverged, and nothing was saved: {error}"
            raise fastmlp.TrainingDiverged(message, history=error.history) from None
        except ValueError as error:  # of cells that cannot be read
            raise ValueError(f"{data.name}: {error}") from None
    for note in data.notes:
        warn_user(note)


def check_converged(model: TableModel) -> None:
    """Raise TrainingDiverged if a network is far worse than the same prediction for every row.

    Equal probabilities of K classes cost log K, the mean of a standardized target 1/2 at most.  The
    cost of a network is that of the epoch that was kept, on the rows that it was trained on.
    """
    if model.by_value_ is not None:  # fit has replaced those of values that diverged
        model = model.by_value_.shared
    classes = getattr(model, "classes_", ())
    constant = math.log(len(classes)) if len(classes) else 0.5
    kept = zip(model.networks_, model.best_epochs_, strict=True)
    for number, (net, epoch) in enumerate(kept, start=1):
        cost = net.history.cost[epoch - 1]
        if not cost < MOST_COST * constant:
            raise fastmlp.TrainingDiverged(
                f"training did not converge, and nothing was saved: the cost of network {number} "
                f"is {cost:.4g}, that of the same prediction for every row {constant:.4g}; give a "
                f"lower --learning-rate",
                history=net.history,
            )


def judged(model: TableModel, data: TableData) -> tuple[Scores, dict[str, Scores]]:
    """Return the scores of the model and of the baselines."""
    if data.test is None:
        return dict(model.validation_scores_), {}
    training, test = data.training, data.test
    baselines = baseline_scores(model, training.X, training.y, test.X, test.y)
    if model.by_value_ is not None and model.by_value_.models:
        baselines[SHARED] = model_scores(model.by_value_.shared, test.X, test.y)
    return model_scores(model, test.X, test.y), baselines


def about_model(model: TableModel) -> list[str]:
    """Return lines about columns, networks and the epochs that were kept."""
    encoder = model.encoder_
    kinds = list(encoder.kinds.values())
    counted = [
        f"{kinds.count(kind)} {word if kinds.count(kind) != 1 else one}"
        for kind, one, word in (
            ("number", "number", "numbers"),
            ("category", "category", "categories"),
            ("date", "date", "dates"),
        )
        if kind in kinds
    ]
    lines = [f"columns in use: {', '.join(counted)}"]
    if encoder.dropped:
        lines.append(f"columns not used: {with_reasons(encoder.dropped)}")
    n = len(model.networks_)
    if model.by_value_ is not None:
        return [*lines, *about_values(model.by_value_), f"{n:,} networks in all"]
    epochs = ", ".join(
        f"{best} of {n}" for best, n in zip(model.best_epochs_, model.n_epochs_, strict=True)
    )
    lines.append(f"{n} network{'s' * (n > 1)}; epoch kept: {epochs}")
    return lines


def about_values(by_value: ByValue) -> list[str]:
    """Return lines about the values of the column of ``--per``."""
    n, reasons = len(by_value.models), by_value.reasons
    lines = [f"{n:,} of {n + len(reasons):,} values of {by_value.column!r} have their own model"]
    if reasons:
        lines.append(f"values that the shared model predicts: {with_reasons(reasons)}")
    return lines


def with_reasons(reasons: Mapping[str, str]) -> str:
    """Return names and the reason of each as text, of many the first ones."""
    some = [f"{name!r}, {reason}" for name, reason in [*reasons.items()][:MOST_SHOWN]]
    return some_of(some, len(reasons), "; ")


def doubts(
    model: TableModel, data: TableData, scores: Scores, baselines: dict[str, Scores]
) -> list[str]:
    """Return what speaks against the model, a line each."""
    notes = []
    by_value = model.by_value_
    of_all_rows = model if by_value is None else by_value.shared
    n_networks, n_epochs = len(of_all_rows.networks_), min(of_all_rows.n_epochs_)
    planned = of_all_rows.plan_.networks
    if model.time_limit is not None and (
        n_networks < len(planned) or n_epochs < planned[0].epochs
    ):
        notes.append(
            f"--time-limit {model.time_limit:g} allowed {n_networks} of {len(planned)} "
            f"networks{' of the shared model' * (by_value is not None)}, of {n_epochs} "
            f"of {planned[0].epochs} epochs: the model may not have converged"
        )
    metric = metric_name(model)
    for name in better_baselines(metric, scores, baselines):
        notes.append(
            f"the model did not beat the baseline: {name} has {metric} "
            f"{written(metric, baselines[name][metric])} on the test rows, the model "
            f"{written(metric, scores[metric])}"
        )
    return notes
