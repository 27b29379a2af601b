"""Write networks as ONNX models, which ONNX Runtime and other programs run.

    X (batch, n_in) ── Gemm ── f ── Gemm ── f ── … ── probabilities (batch, n_out), label (batch,)
                                                   or variable (batch, n_out)

Inputs and outputs have the names of sklearn-onnx (without its ZipMap): `X`, `label` and
`probabilities` of classifiers, `variable` of regressors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..activations import Softmax
from ..ensemble import Ensemble
from ..losses import Quantile
from ..model.digest import model_digest
from ..network import MLP
from ..support import atomic_files, checks
from ..support.extras import imported
from ..support.labels import class_labels, group_labels
from .calibration import quantized_if_requested
from .inference import (
    is_table_model,
    members,
    metadata_of,
    table_networks,
)
from .integers import IntegerOnly
from .onnx_graph import Described, Graph, Shape, activate
from .onnx_model import (
    BATCH,
    IR_VERSION,
    OPSET,
    add_labels,
    forward,
    mean,
    model_of,
    task_of,
    with_prefixes,
)
from .onnx_quantized import add_logits
from .quantization import Quantized, refuse_float64
from .table_quantization import QuantizedTable, quantized_table_if_requested

if TYPE_CHECKING:
    from ..tabular import TabularClassifier, TabularRegressor

__all__ = ["IR_VERSION", "OPSET", "to_onnx"]

LARGEST_FILE = 2**31 - 1  # bytes: the limit of Protocol Buffers


def to_onnx(
    net: MLP | Ensemble | Quantized | TabularClassifier | TabularRegressor | QuantizedTable,
    path: str | os.PathLike[str],
    *,
    dtype: DTypeLike | None = None,
    quantized: bool = False,
    calibration: ArrayLike | None = None,
) -> None:
    """Write a network, an ensemble or a model of a table as an ONNX model.

    The input of a network is `X` (batch, n_in) with any number of rows; multiply uint8 images by
    `net.uint8_scale` before.  Batch norm is folded into the weights, dropout and noise are left
    out, and the mean over an ensemble is part of the graph.

    A model of a table has one input (batch, 1) for each column that it uses, in the table's order,
    with the column's name.  Everything between the columns and the predictions is in the graph.

    Parameters
    ----------
    net : MLP, Ensemble, Quantized, TabularClassifier, TabularRegressor or QuantizedTable
        The network, or the fitted model of a table.
    path : path-like
        The file, which appears as a whole or not at all.
    dtype : {"float32", "float64"}, optional
        Of inputs, outputs and parameters.  Default: the network's dtype, of ensembles the largest
        of their networks, and float64 for models of tables, whose networks are float32 in any case.
        Many programs other than ONNX Runtime have float32 only.
    quantized : bool, default False
        Compute in 8-bit integers, with a quarter of the memory: see Notes, `quantize` and, for
        models of tables, `quantize_table`.  Ensembles have no such form.
    calibration : array-like, (m, n_in), or DataFrame, optional
        With ``quantized=True``: a few hundred examples like those that the model will see.

    Raises
    ------
    ImportError
        Without the package onnx: ``pip install "fastmlp[onnx]"``.
    TypeError
        If ``net.metadata`` has something that JSON cannot represent; if an ensemble is to be
        quantized.
    ValueError
        If the parameters take 2 GiB or more, the limit of an ONNX file; if a parameter is beyond
        the range of dtype; if ``net.metadata`` has another value for a property of the model; if a
        model of a table is not fitted, or has dates, which float32 cannot hold to the second; if
        calibration is missing, was not requested, or does not fit the network.

    Warns
    -----
    UserWarning
        With ``quantized=True``, for the reasons of `quantize`.

    Notes
    -----
    The outputs are those of `net.predict` and `net.predict_proba`.  For classification they are
    `label` (batch,) and `probabilities` (batch, n_out); "binary_cross_entropy" with several outputs
    has labels 0 and 1 of shape (batch, n_out), a "cross_entropy" with groups has labels of shape
    (batch, n_groups).  Labels are those of ``net.metadata["classes"]`` if it has a label for each
    class, all of them text, whole numbers, floats or booleans, or with groups a list of labels for
    each group; otherwise the numbers of the classes as int64.

    For other losses the output is `variable` (batch, n_out), the quantiles of a target in ascending
    order.

    Properties of the model are `task` ("classification" or "regression"), `loss`, `uint8_scale` if
    it is not 1, `digest` (that of the float network or the model, as ``fastmlp info`` prints it),
    and the entries of `net.metadata`, such as `classes` and `columns` (the names of the inputs), as
    JSON unless they are text; an ensemble has the entries that all its networks share.

    A network in 8-bit integers is written with QuantizeLinear and DequantizeLinear (QDQ), one scale
    for each unit's weights, and takes and returns float32.  ONNX Runtime makes integer arithmetic
    of these, which is that of the C of `to_c`: z of the output layer has the same bits, and labels
    come from z.  Runtimes that compute the graph as it is written, in float32, differ from these
    by rounding.  The property `quantization` states how it agrees with the float network.
    Encodings of columns stay in float32, those of a model of a table in its dtype; their rounding
    may change a byte by one.

    Inputs of a model of a table are float64 for numbers (NaN: missing) and for dates (seconds
    since 1970 in UTC, NaN: missing), and strings for categories ("": missing), as
    `pandas.Series.astype(str)` writes text, booleans and whole numbers, without blanks at either
    end.  Outputs are float64.  An input whose column has the name of an output ends in an
    underscore.  Properties of the model are also `kinds` ("number", "category" or "date"), like
    `columns` in the order of the inputs, `estimator` and `versions`.

    Examples
    --------
    >>> fastmlp.export.to_onnx(net, "net.onnx", dtype="float32")
    >>> fastmlp.export.to_onnx(net, "net8.onnx", quantized=True, calibration=X[:500])
    """
    of_table = is_table_model(net)
    if of_table or isinstance(net, QuantizedTable):
        net = quantized_table_if_requested(net, quantized, calibration)
    elif not isinstance(net, Ensemble) or quantized or calibration is not None:
        net = quantized_if_requested(net, quantized, calibration)
    onnx = imported("onnx", "onnx")
    chosen = None if dtype is None else checks.real_dtype(dtype)
    if isinstance(net, Quantized):
        model = quantized_model(onnx, net, chosen)
    elif of_table or isinstance(net, QuantizedTable):
        if not isinstance(net, QuantizedTable):
            require_size(table_networks(net), np.dtype(np.float32))
        from .onnx_tables import table_model  # imports pandas

        model = table_model(onnx, net, chosen or np.dtype(np.float64))
    else:
        networks = members(net)
        require_size(networks, chosen or net.dtype)
        model = network_model(onnx, net, networks, chosen or net.dtype)
    content = model.SerializeToString()
    onnx.checker.check_model(content)  # a file that could not be read replaces none
    with atomic_files.whole(path) as file:
        file.write(content)


def require_size(networks: Sequence[MLP], dtype: np.dtype[Any]) -> None:
    """Raise ValueError if the networks' parameters do not fit in a file."""
    size = sum(one.n_parameters for one in networks) * dtype.itemsize
    if size > LARGEST_FILE:
        raise ValueError(
            f"the parameters take {size} bytes; an ONNX file has at most {LARGEST_FILE}"
        )


def network_model(
    onnx: Any, net: MLP | Ensemble, networks: Sequence[MLP], dtype: np.dtype[Any]
) -> Any:
    """Return the ModelProto of a network or an ensemble."""
    graph, metadata = Graph(onnx, dtype), metadata_of(net)
    h = mean(graph, [forward(graph, one, prefix) for one, prefix in with_prefixes(networks)])
    if net.loss.classification:
        outputs = add_classes(graph, net, metadata.get("classes"), h)
    else:
        outputs = add_values(graph, net, h)
    digest = model_digest([one.state for one in networks])
    return whole_model(onnx, graph, net, outputs, metadata, digest)


def quantized_model(onnx: Any, net: Quantized, dtype: np.dtype[Any] | None) -> Any:
    """Return the ModelProto of a network in 8-bit integers."""
    if isinstance(net, IntegerOnly):
        raise ValueError(
            "a network without floating point can only be written as C; quantize it without "
            "integer_only=True"
        )
    refuse_float64(dtype)
    graph = Graph(onnx, np.dtype(np.float32))
    z = add_logits(graph, net)
    h = activate(graph, net.output_activation, z)
    if net.loss.classification:
        outputs = add_classes(graph, net, net.metadata.get("classes"), h, z)
    else:
        outputs = add_values(graph, net, h)
    quantization = f"8-bit integers; {net.summary()}"
    return whole_model(onnx, graph, net, outputs, net.metadata, net.digest, quantization)


def whole_model(
    onnx: Any,
    graph: Graph,
    net: MLP | Ensemble | Quantized,
    outputs: Described,
    metadata: Mapping[str, Any],
    digest: str,
    quantization: str | None = None,
) -> Any:
    """Return the ModelProto of a graph with input X and these outputs."""
    inputs: Described = {"X": (graph.dtype, (BATCH, net.n_in))}
    proto = graph.finished(f"fastmlp_{net.loss.name}", inputs, outputs)
    own = {
        "task": task_of(net.loss.classification),
        "loss": net.loss.name,
        "uint8_scale": None if net.uint8_scale == 1 else net.uint8_scale,
        "digest": digest,
        "quantization": quantization,
    }
    return model_of(onnx, proto, repr(net), own, metadata)


def add_values(graph: Graph, net: MLP | Ensemble | Quantized, h: str) -> Described:
    """Add the predictions of a regression."""
    n_out = net.n_out
    if isinstance(net.loss, Quantile):  # sort each target's, h (batch, targets × quantiles)
        n_quantiles = len(net.loss.quantiles)
        # 0: as many rows as there are, also none at all
        by_target = graph.constant(np.array([0, n_out // n_quantiles, n_quantiles]), "split_shape")
        count = graph.constant(np.array([n_quantiles]), "quantile_count")
        whole = graph.constant(np.array([0, n_out]), "whole_shape")
        h = graph.sorted(graph.add("Reshape", h, by_target), count, axis=2)
        h = graph.add("Reshape", h, whole)
    graph.add("Identity", h, output="variable")
    return {"variable": (graph.dtype, (BATCH, n_out))}


def add_classes(
    graph: Graph, net: MLP | Ensemble | Quantized, classes: object, h: str, z: str | None = None
) -> Described:
    """Add the probabilities and the labels of a classification: by h, or by z if it is given."""
    n_out, decisive, threshold = net.n_out, z or h, 0.0 if z else 0.5
    graph.add("Identity", h, output="probabilities")
    described: Described = {"probabilities": (graph.dtype, (BATCH, n_out))}
    if net.loss.groups:
        return {"label": add_group_labels(graph, net.loss.groups, classes, decisive), **described}
    if net.loss.name == "cross_entropy":
        label = graph.add("ArgMax", decisive, axis=1, keepdims=0)
    else:
        label = graph.add("Cast", graph.add("Greater", decisive, threshold), to=graph.int64)
        if n_out == 1:
            label = graph.add("Squeeze", label, graph.constant(np.array([1]), "output_axis"))
    single = net.loss.single_label(n_out)  # otherwise 0 or 1 for each output
    labels = class_labels(classes, max(n_out, 2)) if single else None
    label_type = add_labels(graph, labels, label)
    return {"label": (label_type, (BATCH,) if single else (BATCH, n_out)), **described}


def add_group_labels(
    graph: Graph, groups: Sequence[int], classes: object, decisive: str
) -> tuple[np.dtype[Any], Shape]:
    """Add the label of each group of classes, (batch, n_groups); return their type and shape."""
    spans, labels = Softmax(groups).spans, group_labels(classes, groups)
    types = {None if one is None else one.dtype for one in labels}
    columns = []
    for k, (one, span) in enumerate(zip(labels, spans, strict=True), start=1):
        column = graph.add("ArgMax", graph.columns(decisive, *span), axis=1, keepdims=1)
        if one is not None and len(types) == 1:
            column = graph.add("Gather", graph.constant(one, f"classes_{k}"), column)
        columns.append(column)
    graph.add("Concat", *columns, axis=1, output="label")
    shared = types.pop() if len(types) == 1 else None
    return shared or np.dtype(np.int64), (BATCH, len(groups))
