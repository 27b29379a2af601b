"""The model card of a model of a table: its data, scores, parameters and networks."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import Any

import fastmlp
from fastmlp import kernels
from fastmlp.experiments.table_models import TableModel
from fastmlp.tabular.by_value import ByValue
from fastmlp.tabular.parameters import shown
from fastmlp.tabular.saving import versions

from .baselines import Scores
from .clock import process_seconds
from .table_data import TableData

PASSWORD = re.compile(r"(://[^\s/:@]+:)[^\s@]+@")  # in the URL of a database


def card_of(
    args: argparse.Namespace,
    data: TableData,
    model: TableModel,
    scores: Scores,
    baselines: dict[str, Scores],
) -> dict[str, Any]:
    """Return the model card, which the model's file holds too."""
    seconds, since = process_seconds()
    return {
        "task": data.task,
        "label": data.label,
        "command": PASSWORD.sub(r"\1***@", shlex.join(["fastmlp", *args.argv])),
        "data": {
            "file": data.name,
            "rows": data.n_rows,
            "rows without a label": data.n_unlabelled,
            "training rows": len(data.training),
            "test rows": 0 if data.test is None else len(data.test),
            "test rows are": data.split,
        },
        "columns": dict(model.encoder_.kinds),
        "columns not used": dict(model.encoder_.dropped),
        **({} if model.by_value_ is None else {"models of values": values_card(model.by_value_)}),
        "classes": [str(one) for one in getattr(model, "classes_", ())],
        "scores": scores,
        "baselines": baselines,
        "scores of validation rows": dict(model.validation_scores_),
        "parameters": {name: shown(value) for name, value in model.get_params().items()},
        "networks": networks_card(model),
        "seed": args.seed,
        "versions": versions(),
        "instruction set": kernels.isa,
        "threads": fastmlp.get_num_threads(),
        "seconds": {f"since {since}": round(seconds, 3)},
    }


def networks_card(model: TableModel) -> list[dict[str, Any]]:
    """Return what the card says of each network; of the shared model's with ``--per``."""
    if model.by_value_ is not None:
        return networks_card(model.by_value_.shared)
    return [
        {"layers": list(net.sizes), "parameters": net.n_parameters, "epochs": n, "epoch kept": best}
        for net, n, best in zip(model.networks_, model.n_epochs_, model.best_epochs_, strict=True)
    ]


def values_card(by_value: ByValue) -> dict[str, Any]:
    """Return what the card says of the values of the column of ``--per``."""
    return {
        "column": by_value.column,
        "values": {
            value: {
                "networks": len(model.networks_),
                "scores of validation rows": model.validation_scores_,
            }
            for value, model in by_value.models.items()
        },
        "predicted by the shared model": dict(by_value.reasons),
    }
