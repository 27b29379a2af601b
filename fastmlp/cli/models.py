"""Models in files: networks, ensembles, and models of tables, also in 8-bit integers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp import MLP, Ensemble, loading
from fastmlp.export import Quantized, QuantizedTable
from fastmlp.model import files, headers

if TYPE_CHECKING:
    from fastmlp.experiments.table_models import TableModel


def load_any(path: Path) -> MLP | Ensemble | TableModel | Quantized | QuantizedTable:
    """Return the model of a file, whatever kind it is."""
    try:
        return _load_float(path)
    except headers.QuantizedTableContents:
        return QuantizedTable.load(path)
    except headers.QuantizedContents:
        return Quantized.load(path)


def _load_float(path: Path) -> MLP | Ensemble | TableModel:
    unpacked = files.read_npz(path)
    if not files.holds_table(unpacked):
        return loading.from_unpacked(unpacked)
    from fastmlp.tabular.loading import whole_model  # needs the extra tabular

    return whole_model(path, *unpacked)


def load_predictor(path: Path) -> MLP | Ensemble | Quantized | TableModel:
    """Return the model of a file, of a table's model in 8-bit integers its estimator."""
    model = load_any(path)
    if isinstance(model, QuantizedTable):
        estimator: TableModel = model.model
        return estimator
    return model


def load_table_model(path: Path, command: str) -> TableModel:
    """Return the model of a table in a file; `command` is for no other."""
    model = load_predictor(path)
    if isinstance(model, (MLP, Ensemble, Quantized)):
        raise ValueError(
            f"{path} holds a network, not a model of a table; fastmlp {command} is for what "
            f"fastmlp train TABLE saves"
        )
    return model
