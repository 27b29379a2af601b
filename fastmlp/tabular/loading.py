"""Reading of a model of a table from its file.

The file is that of an ensemble (fastmlp/model/files.py), without pickle.  Its metadata have
everything beside the networks under the key "table".
"""

from __future__ import annotations

import os
from typing import Any

from ..model import files
from ..network import MLP
from ..support import checks
from .classifier import TabularClassifier
from .parameters import restored
from .regressor import TabularRegressor

__all__ = ["load", "restored_model", "whole_model"]

ESTIMATORS = {kind.__name__: kind for kind in (TabularClassifier, TabularRegressor)}


def load(path: str | os.PathLike[str]) -> TabularClassifier | TabularRegressor:
    """Read a model that `TabularClassifier.save` or `TabularRegressor.save` wrote.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    TabularClassifier or TabularRegressor
        It predicts the same bits as the model that was saved, and has equal parameters.

    Raises
    ------
    ValueError
        If the file holds no model of a table, is damaged, or comes from a newer fastmlp.
    """
    unpacked = files.read_npz(path)
    if not files.holds_table(unpacked):
        raise ValueError(
            f"{os.fspath(path)} holds a network, not a model of a table; fastmlp.load reads it"
        )
    return whole_model(path, *unpacked)


def whole_model(
    path: str | os.PathLike[str], states: list[Any], metadata: dict[str, Any]
) -> TabularClassifier | TabularRegressor:
    """Return the model whose networks and metadata were read from a file."""
    return restored_model(path, [MLP.from_state(*unpacked) for unpacked in states], metadata)


def restored_model(
    path: str | os.PathLike[str], networks: list[Any], metadata: dict[str, Any]
) -> TabularClassifier | TabularRegressor:
    """Return the model of a file's networks and metadata; ValueError if they are no whole model.

    Networks are `MLP` or, of a model in 8-bit integers, `Quantized`.
    """
    try:
        entry = metadata["table"]
        kind = ESTIMATORS[checks.known("estimator", entry["estimator"], ESTIMATORS)]
        model = kind(**{name: restored(value) for name, value in entry["parameters"].items()})
        others = {key: value for key, value in metadata.items() if key != "table"}
        model._restore(entry, networks)
        model.metadata_ = others
        return model
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"{os.fspath(path)} does not hold a whole model of a table: {error!r}"
        ) from None
