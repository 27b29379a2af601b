"""The page about a model of a table that ``--html`` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from numpy.typing import NDArray

import fastmlp.plotting.table_page
from fastmlp.experiments.table_models import TableModel, task_of
from fastmlp.support.atomic_files import whole_text

from .baselines import SHOWN, Scores, written
from .table_settings import metric_name

MOST_CURVES = 6
MOST_ROWS = 5_000  # over which importances are computed


def write_table_page(
    path: Path,
    model: TableModel,
    X: pd.DataFrame,
    y: NDArray,  # type: ignore[type-arg]
    scores: Mapping[str, Scores],
    title: str,
    importances: pd.DataFrame | None = None,
    curves: Sequence[pd.DataFrame] | None = None,
) -> None:
    """Write the page about a model and the rows that it is evaluated on."""
    if importances is None:
        importances = model.feature_importances(
            X[:MOST_ROWS], y[:MOST_ROWS], metric=metric_name(model)
        )
    if curves is None:
        chosen = importances["column"].head(MOST_CURVES)
        curves = [model.partial_dependence(X, name) for name in chosen]
    names = SHOWN[task_of(model)]
    rows = [
        (shown, *(written(name, column.get(name)) for column in scores.values()))
        for shown, name in names.items()
    ]
    card = dict(model.metadata_.get("card") or {})
    configuration = {
        **{f"data: {name}": value for name, value in card.get("data", {}).items()},
        **{
            name: value
            for name, value in model.get_params().items()
            if value is not None
        },
        **({"command": card["command"]} if "command" in card else {}),
    }
    text = fastmlp.plotting.table_page.table_page(
        model,
        X,
        y,
        title=title,
        scores=(("", *scores), rows),
        importances=importances,
        dependence=curves,
        configuration=configuration,
    )
    with whole_text(path) as file:
        file.write(text)
