"""The digest of a model of a table."""

from __future__ import annotations

from typing import Any

from ..model.digest import model_digest
from .base import BaseTabular

__all__ = ["table_digest"]

# of the entries of a model's file
COMPUTED = ("estimator", "encoder", "encodings", "classes", "temperature", "target")


def table_digest(model: BaseTabular) -> str:
    """Return the SHA-256 of a fitted model, see `model_digest`.

    Parameters
    ----------
    model : TabularClassifier or TabularRegressor
        The model.

    Returns
    -------
    str
        64 hexadecimal digits, of the networks and of what encodes their inputs and scales their
        outputs.
    """
    return model_digest([net.state for net in model.networks_], _described(model._to_json()))


def _described(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what computes a prediction besides the networks, of an entry of the model's file."""
    found = {name: entry[name] for name in COMPUTED if name in entry}
    if "by_value" in entry:
        by_value = entry["by_value"]
        models = {value: _described(own) for value, own in by_value["models"].items()}
        found["by_value"] = {
            "column": by_value["column"],
            "kinds": by_value["kinds"],
            "shared": _described(by_value["shared"]),
            "models": models,
        }
    return found
