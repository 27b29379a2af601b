"""Models in files: networks, ensembles, and models of tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp import MLP, Ensemble, loading
from fastmlp.export import Quantized, QuantizedTable
from fastmlp.model import files, headers

if TYPE_CHECKING:
    from fastmlp.experiments.table_models import TableModel


def load_any(path: Path) -> MLP | Ensemble | TableModel:
    """Return the model of a file, whatever kind it is."""
    unpacked = files.read_npz(path, None)
    if not loading.holds_table(unpacked):
        return loading.from_unpacked(unpacked)
    from fastmlp.tabular.loading import whole_model  # needs the extra tabular

    return whole_model(path, *unpacked)


def load_any_or_quantized(
    path: Path,
) -> MLP | Ensemble | TableModel | Quantized | QuantizedTable:
    """Return the model of a file, which may also be one in 8-bit integers."""
    try:
        return load_any(path)
    except headers.QuantizedTableContents:
        return QuantizedTable.load(path)
    except headers.QuantizedContents:
        return Quantized.load(path)


def load_table_model(path: Path, command: str) -> TableModel:
    """Return the model of a table in a file; `command` is for no other."""
    model = load_any(path)
    if isinstance(model, (MLP, Ensemble)):
        raise ValueError(
            f"{path} holds a network, not a model of a table; fastmlp {command} is for what "
            f"fastmlp train TABLE saves"
        )
    return model
