"""Models of tables whose networks compute in 8-bit integers.

Encodings of columns stay in floating point; their outputs a(1) are the inputs that become bytes:

    columns ── encodings: a(1) in float32 ── bytes ── layers in 8 bits ── h, averaged as before
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import steps
from ..network import MLP
from ..support import checks
from .calibration import LOW_AGREEMENT, quantize
from .inference import (
    inference_encodings,
    is_table_model,
    layers_after_encodings,
    table_networks,
)
from .quantization import Quantized
from .ranges import METHODS

__all__ = ["EncodedNetwork", "QuantizedTable", "quantize_table"]

Array = NDArray[Any]


@dataclass(frozen=True)
class EncodedNetwork:
    """A network in 8-bit integers after the encodings of a float network's columns."""

    net: MLP
    layers: Quantized

    @classmethod
    def of(cls, net: MLP, X: Array, ranges: str) -> EncodedNetwork:
        """Return a float network in 8-bit integers, calibrated by rows of its columns."""
        after = layers_after_encodings(net)
        plain = MLP(
            (after[0].weight.shape[1], *net.sizes[1:]),
            activation=net.activation,
            output_activation=net.output_activation,
            loss=net.loss,
            dtype=net.dtype,
        )
        plain.set_parameters([one.weight for one in after], [one.bias for one in after])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the agreement of the whole model counts
            return cls(net, quantize(plain, encoded(net, X), ranges=ranges))

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return self.net.n_out

    def forward(self, X: Array) -> Array:
        """Return the output activations of rows of the network's columns."""
        return self.layers.forward(encoded(self.net, X))


def encoded(net: MLP, X: Array) -> NDArray[np.float32]:
    """Return a(1) of rows of a network's columns."""
    return steps.encode(X, net.encodings, *inference_encodings(net)).astype(np.float32)


class QuantizedTable:
    """A model of a table in 8-bit integers: ``quantize_table(model, table)``.

    Its labels, values and probabilities are those of the exported C, up to the rounding of the
    encodings, which may change a byte by one.

    Parameters
    ----------
    model : TabularClassifier or TabularRegressor
        The fitted float model.
    table : DataFrame or array-like, (m, n)
        The calibration rows.
    ranges : str
        How the ranges of hidden layers come from them: see `quantize`.

    Attributes
    ----------
    model : TabularClassifier or TabularRegressor
        The float model.
    networks : list of EncodedNetwork
        The networks in 8-bit integers.
    n_calibration : int
        Number of calibration rows.
    agreement : float
        How well the model agrees with the float model on these rows: the fraction of labels that
        are the same, or the coefficient of determination R² of the values, with those of the float
        model as the truth.
    """

    def __init__(self, model: Any, table: Any, ranges: str) -> None:
        networks = table_networks(model)
        self.model = model
        codes = model.encoder_.read(model._table(table, reset=False))
        inputs = {one: model.encoder_.inputs(codes, one) for one in set(model.encodings_)}
        self.networks = [
            EncodedNetwork.of(net, inputs[encoding], ranges)
            for net, encoding in zip(networks, model.encodings_, strict=True)
        ]
        self._in_bytes = copy.copy(model)
        self._in_bytes.networks_ = self.networks
        self.n_calibration = len(codes.numbers)
        exact, found = model.predict(table), self.predict(table)
        if self.is_classifier:
            self.agreement = float(np.mean(exact == found))
        else:
            error, variance = np.mean((exact - found) ** 2), np.var(exact)
            self.agreement = float(1 - error / variance) if variance > 0 else float(error == 0)

    @property
    def is_classifier(self) -> bool:
        """Whether the model predicts classes."""
        return hasattr(self.model, "classes_")

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
        predicted: Array = self._in_bytes.predict(X)
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
        probabilities: Array = self._in_bytes.predict_proba(X)
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
        If fewer than 95 % of the labels are those of the float model, or R² is below 0.95.

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
    if not is_table_model(model):
        raise TypeError(
            f"model must be a TabularClassifier or TabularRegressor, got {model!r}; of a network "
            f"make quantize(net, X)"
        )
    checks.known("ranges", ranges, METHODS)
    found = QuantizedTable(model, table, ranges)
    if not found.agreement >= LOW_AGREEMENT:
        warnings.warn(
            f"the 8-bit model differs from the float model: {found.summary()}; export it without "
            f"quantization",
            stacklevel=2,
        )
    return found
