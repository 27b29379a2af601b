"""The digest of a model of a table."""

from __future__ import annotations

from ..model.digest import model_digest
from .base import BaseTabular

__all__ = ["table_digest"]

# what computes a prediction besides the networks, of entries of the model's file
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
    entry = model._to_json()
    description = {name: entry[name] for name in COMPUTED if name in entry}
    return model_digest([net.state for net in model.networks_], description)
