"""Models of tables whose networks compute in 8-bit integers.

Encodings of columns stay in floating point; their outputs a(1) are the inputs that become bytes:

    columns ── encodings: a(1) in float32 ── bytes ── layers in 8 bits ── h, averaged as before
"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..support import checks
from . import quantized_files
from .calibration import (
    quantization_requested,
    quantized_network,
    smallest_r2,
    warn_of_calibration,
)
from .inference import is_table_model, table_networks
from .quantization import Quantized
from .ranges import METHODS

__all__ = ["QuantizedTable", "quantize_table", "quantized_table_if_requested"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class QuantizedTable:
    """A model of a table in 8-bit integers, as `quantize_table` returns it and `to_c` writes it.

    Its labels, values and probabilities are those of the exported C, up to the rounding of the
    encodings, which may change a byte by one.

    Attributes
    ----------
    model : TabularClassifier or TabularRegressor
        The estimator, whose `networks_` are networks in 8-bit integers.
    digest : str
        The float model's digest.
    n_calibration : int
        Number of calibration rows.
    ranges : str
        How the ranges of hidden layers come from them: see `quantize`.
    agreement : float
        How well the model agrees with the float model on these rows: the fraction of labels that
        are the same, or the coefficient of determination R² of the values, with those of the float
        model as the truth.

    See Also
    --------
    quantize_table : Make a model of a table in 8-bit integers.
    """

    model: Any
    digest: str
    n_calibration: int
    ranges: str
    agreement: float

    @property
    def networks(self) -> list[Quantized]:
        """The networks."""
        networks: list[Quantized] = self.model.networks_
        return networks

    @property
    def is_classifier(self) -> bool:
        """Whether the model predicts classes."""
        return hasattr(self.model, "classes_")

    def save(self, path: str | os.PathLike[str], *, compress: bool = False) -> None:
        """Write the model to a file that `QuantizedTable.load` reads.

        Parameters
        ----------
        path : path-like
            The file, which appears whole or not at all; no ending is added to its name.
        compress : bool, default False
            Compress the file, without loss.

        Raises
        ------
        ValueError
            If a parameter of the estimator is an object that a file without pickle cannot keep, as
            in `TabularClassifier.save`.
        OSError
            If the file cannot be written.
        """
        compress = checks.flag("compress", compress)
        packed = [net.pack() for net in self.networks]
        quantized_files.write_table(path, self, packed, self.model._file_metadata(), compress)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model that `save` wrote.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        QuantizedTable
            The model as it was saved: it predicts the same bits.

        Raises
        ------
        ImportError
            Without the packages of ``pip install "fastmlp[tabular]"``.
        ValueError
            If the file holds another model, is damaged, or comes from a newer fastmlp.
        OSError
            If the file cannot be opened or read.
        """
        contents, metadata, entry = quantized_files.read_table(path)
        from ..tabular.loading import restored_model  # imports pandas

        networks = [Quantized.unpack(one) for one in contents]
        return cls(
            model=restored_model(path, networks, metadata),
            digest=entry["model_digest"],
            n_calibration=entry["n_calibration"],
            ranges=entry["ranges"],
            agreement=entry["agreement"],
        )

    def predict(self, X: Any) -> Array:
        """Return the label or the value of each row.

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.

        Returns
        -------
        ndarray (m,)
            Labels as in the model's `classes_`, or values in the target's unit.
        """
        predicted: Array = self.model.predict(X)
        return predicted

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : DataFrame or array-like, (m, n)
            A table with the columns of the training set.

        Returns
        -------
        ndarray (m, n_classes)
            In the order of the model's `classes_`.
        """
        if not self.is_classifier:
            raise TypeError("a TabularRegressor has no probabilities; call predict")
        probabilities: Array = self.model.predict_proba(X)
        return probabilities

    def summary(self) -> str:
        """Return a sentence about the agreement with the float model.

        Returns
        -------
        str
            The agreement and the number of calibration rows.
        """
        if self.is_classifier:
            figure = f"{100 * self.agreement:.2f} % of the labels are those of the float model"
        else:
            figure = f"R² of the values is {self.agreement:.5f} with those of the float model"
        return f"on {self.n_calibration:,} calibration rows {figure}"


def quantize_table(model: Any, table: Any, *, ranges: str = "minmax") -> QuantizedTable:
    """Return a fitted model of a table in 8-bit integers.

    Parameters
    ----------
    model : TabularClassifier or TabularRegressor
        The model.  The encodings of its columns stay in floating point, the layers of its networks
        compute in bytes.
    table : DataFrame or array-like, (m, n)
        Rows like those that it will see, with the columns of its training set, such as a few
        hundred rows of this.
    ranges : {"minmax", "percentile", "kl"}, default "minmax"
        As in `quantize`.

    Returns
    -------
    QuantizedTable
        With `predict` and `predict_proba`, which show what the integers cost in accuracy, and with
        `agreement`.

    Raises
    ------
    TypeError
        If model is no model of a table.
    ValueError
        If it is not fitted, or the table does not fit it.

    Warns
    -----
    UserWarning
        If there are few rows, fewer than 95 % of the labels are those of the float model, or R² is
        below 0.95.

    See Also
    --------
    to_c : Write the model as C.

    Examples
    --------
    >>> from fastmlp.tabular import TabularClassifier
    >>> table = X[:, 18:30]
    >>> model = TabularClassifier(quality="fast", epochs=5, random_state=0).fit(table, y)
    >>> quantized = fastmlp.export.quantize_table(model, table)
    >>> fastmlp.export.to_c(quantized, "table8.c")
    """
    quantized = _quantized_table(model, table, ranges)
    warn_of_calibration(quantized, "model")
    return quantized


def quantized_table_if_requested(
    model: Any, quantized: bool, calibration: Any, ranges: str = "minmax"
) -> Any:
    """Return the model that an export with these options writes; ValueError if they conflict."""
    if quantization_requested(model, quantized, calibration, ranges=ranges):
        model = _quantized_table(model, calibration, ranges)
        warn_of_calibration(model, "model")
    return model


def _quantized_table(model: Any, table: Any, ranges: str) -> QuantizedTable:
    """Return what `quantize_table` returns, without its warnings."""
    if not is_table_model(model):
        raise TypeError(
            f"model must be a TabularClassifier or TabularRegressor, got {model!r}; of a network "
            f"make quantize(net, X)"
        )
    from ..tabular.digest import table_digest  # imports pandas

    checks.known("ranges", ranges, METHODS)
    networks = table_networks(model)
    codes = model.encoder_.read(model._table(table, reset=False))
    inputs = {one: model.encoder_.inputs(codes, one) for one in set(model.encodings_)}
    in_bytes = copy.copy(model)
    in_bytes.networks_ = [
        quantized_network(net, inputs[encoding], False, ranges)
        for net, encoding in zip(networks, model.encodings_, strict=True)
    ]
    agreement = _agreement(model.predict(table), in_bytes.predict(table), model)
    return QuantizedTable(in_bytes, table_digest(model), len(codes.numbers), ranges, agreement)


def _agreement(exact: Array, found: Array, model: Any) -> float:
    """Return the fraction of equal labels, or R² of values."""
    if hasattr(model, "classes_"):
        return float(np.mean(exact == found))
    # from the mean on, as the networks' outputs, whose precision is that of float32
    outputs = [(values - model.target_mean_)[:, np.newaxis] for values in (found, exact)]
    return smallest_r2(*outputs)
