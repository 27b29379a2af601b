"""Write networks as ONNX models, which ONNX Runtime and other programs run.

    X (batch, n_in) ── Gemm ── f ── Gemm ── f ── … ── probabilities (batch, n_out), label (batch,)
                                                   or variable (batch, n_out)

Inputs and outputs have the names of sklearn-onnx (without its ZipMap): `X`, `label` and
`probabilities` of classifiers, `variable` of regressors.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..activations import Softmax
from ..losses import Quantile
from ..support import atomic_files
from ..support.extras import imported
from ..support.labels import class_labels
from .inference import is_table_model, members, metadata_of, table_networks
from .onnx_graph import Described, Graph, Shape
from .onnx_model import (
    BATCH,
    IR_VERSION,
    OPSET,
    add_labels,
    forward,
    mean,
    model_of,
    with_prefixes,
)

if TYPE_CHECKING:
    from ..ensemble import Ensemble
    from ..network import MLP
    from ..tabular import TabularClassifier, TabularRegressor

__all__ = ["IR_VERSION", "OPSET", "to_onnx"]

LARGEST_FILE = 2**31 - 1  # bytes: the limit of Protocol Buffers


def to_onnx(
    net: MLP | Ensemble | TabularClassifier | TabularRegressor, path: str | os.PathLike[str]
) -> None:
    """Write a network, an ensemble or a model of a table as an ONNX model.

    The input of a network is `X` (batch, n_in) with any number of rows, in the network's dtype;
    multiply uint8 images by `net.uint8_scale` before.  Batch norm is folded into the weights,
    dropout and noise are left out, and the mean over an ensemble is part of the graph.

    A model of a table has one input (batch, 1) for each column that it uses, in the table's order,
    with the column's name.  Everything between the columns and the predictions is in the graph.

    Parameters
    ----------
    net : MLP, Ensemble, TabularClassifier or TabularRegressor
        The network, or the fitted model of a table.
    path : path-like
        The file, which appears as a whole or not at all.

    Raises
    ------
    ImportError
        Without the package onnx: ``pip install "fastmlp[onnx]"``.
    TypeError
        If ``net.metadata`` has something that JSON cannot represent.
    ValueError
        If the parameters take 2 GiB or more, the limit of an ONNX file; if a model of a table is
        not fitted.

    Notes
    -----
    The outputs are those of `net.predict` and `net.predict_proba`.  For classification they are
    `label` (batch,) and `probabilities` (batch, n_out); "binary_cross_entropy" with several outputs
    has labels 0 and 1 of shape (batch, n_out), a "cross_entropy" with groups has labels of shape
    (batch, n_groups).  Labels are those of ``net.metadata["classes"]`` if it has a label for each
    class, all of them text, whole numbers, floats or booleans, or with groups a list of labels for
    each group; otherwise the numbers of the classes as int64.

    For other losses the output is `variable` (batch, n_out), the quantiles of a target in ascending
    order.  The entries of `net.metadata` become properties of the model, as JSON unless they are
    text; an ensemble has the entries that all its networks share.

    Inputs of a model of a table are float64 for numbers (NaN: missing) and for dates (seconds
    since 1970 in UTC, NaN: missing), and strings for categories ("": missing), as
    `pandas.Series.astype(str)` writes text, booleans and whole numbers, without blanks at either
    end.  Outputs are float64.  An input whose column has the name of an output ends in an
    underscore.  Properties of the model are `columns`, `kinds` ("number", "category" or "date"),
    both in the order of the inputs, `classes`, `estimator` and `versions`.
    """
    of_table = is_table_model(net)
    networks = table_networks(net) if of_table else members(net)
    onnx = imported("onnx", "onnx")
    dtype = np.result_type(*[one.dtype for one in networks])
    size = sum(one.n_parameters for one in networks) * dtype.itemsize
    if size > LARGEST_FILE:
        raise ValueError(
            f"the parameters take {size} bytes; an ONNX file has at most {LARGEST_FILE}"
        )
    if of_table:
        from .onnx_tables import table_model  # imports pandas

        model = table_model(onnx, net)
    else:
        model = network_model(onnx, net, networks)
    content = model.SerializeToString()
    onnx.checker.check_model(content)  # a file that could not be read replaces none
    with atomic_files.whole(path) as file:
        file.write(content)


def network_model(onnx: Any, net: MLP | Ensemble, networks: Sequence[MLP]) -> Any:
    """Return the ModelProto of a network or an ensemble."""
    graph, metadata = Graph(onnx, net.dtype), metadata_of(net)
    h = mean(graph, [forward(graph, one, prefix) for one, prefix in with_prefixes(networks)])
    if net.loss.classification:
        outputs = add_classes(graph, net, metadata.get("classes"), h)
    else:
        outputs = add_values(graph, net, h)
    inputs: Described = {"X": (net.dtype, (BATCH, net.n_in))}
    proto = graph.finished(f"fastmlp_{net.loss.name}", inputs, outputs)
    return model_of(onnx, proto, repr(net), metadata)


def add_values(graph: Graph, net: MLP | Ensemble, h: str) -> Described:
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
    return {"variable": (net.dtype, (BATCH, n_out))}


def add_classes(graph: Graph, net: MLP | Ensemble, classes: object, h: str) -> Described:
    """Add the probabilities and the labels of a classification."""
    n_out = net.n_out
    graph.add("Identity", h, output="probabilities")
    described: Described = {"probabilities": (net.dtype, (BATCH, n_out))}
    if net.loss.groups:
        return {"label": add_group_labels(graph, net.loss.groups, classes, h), **described}
    if net.loss.name == "cross_entropy":
        label = graph.add("ArgMax", h, axis=1, keepdims=0)
    else:
        label = graph.add("Cast", graph.add("Greater", h, 0.5), to=graph.int64)
        if n_out == 1:
            label = graph.add("Squeeze", label, graph.constant(np.array([1]), "output_axis"))
    single = net.loss.single_label(n_out)  # otherwise 0 or 1 for each output
    labels = class_labels(classes, max(n_out, 2)) if single else None
    label_type = add_labels(graph, labels, label)
    return {"label": (label_type, (BATCH,) if single else (BATCH, n_out)), **described}


def add_group_labels(
    graph: Graph, groups: Sequence[int], classes: object, h: str
) -> tuple[np.dtype[Any], Shape]:
    """Add the label of each group of classes, (batch, n_groups); return their type and shape."""
    spans = Softmax(groups).spans
    if not isinstance(classes, (list, tuple)) or len(classes) != len(groups):
        classes = [None] * len(groups)
    labels = [
        class_labels(of_group, size) for of_group, size in zip(classes, groups, strict=True)
    ]
    types = {None if one is None else one.dtype for one in labels}
    columns = []
    for k, (one, span) in enumerate(zip(labels, spans, strict=True), start=1):
        column = graph.add("ArgMax", graph.columns(h, *span), axis=1, keepdims=1)
        if one is not None and len(types) == 1:
            column = graph.add("Gather", graph.constant(one, f"classes_{k}"), column)
        columns.append(column)
    graph.add("Concat", *columns, axis=1, output="label")
    shared = types.pop() if len(types) == 1 else None
    return shared or np.dtype(np.int64), (BATCH, len(groups))
