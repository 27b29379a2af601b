"""To ONNX: one file that ONNX Runtime and others run, in float32 or float64.

    X (m, n_in) ── Gemm ── f ── Gemm ── f ── … ── probabilities (m, n_out), label (m,)
                                               or variable (m, n_out)

Names of inputs and outputs are those of sklearn-onnx (without its ZipMap): `X`, `label` and
`probabilities` of classifiers, `variable` of what predicts values.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import fastmlp

from ..activations import Softmax
from ..losses import Quantile
from ..model.files import to_json
from ..support import atomic_files
from ..support.extras import imported
from .networks import members, plain
from .onnx_graph import Described, Graph, Shape, activate

if TYPE_CHECKING:
    from ..ensemble import Ensemble
    from ..network import MLP

__all__ = ["IR_VERSION", "OPSET", "to_onnx"]

OPSET = 13  # the oldest whose Softmax is along one axis: what reads newer ones reads this
IR_VERSION = 7  # of the file's structure, the one that came with it (ONNX 1.8, 2020)
LARGEST = 2**31 - 1  # bytes of a file: Protocol Buffers' limit


def to_onnx(net: MLP | Ensemble, path: str | os.PathLike[str]) -> None:
    """Write a network or an ensemble as an ONNX model.

    The input is `X` (m, n_in) of any number of rows, in the network's dtype; uint8 images are to
    be scaled before.  Batch norm is folded into the weights, dropout and noise are gone, and an
    ensemble's mean is part of the graph.

    Parameters
    ----------
    net : MLP or Ensemble
        The network.
    path : path-like
        The file, which appears whole or not at all.

    Raises
    ------
    ImportError
        Without the package onnx: ``pip install "fastmlp[onnx]"``.
    ValueError
        If the parameters take 2 GiB or more, which no single ONNX file can hold.

    Notes
    -----
    The outputs are what `net.predict` and `net.predict_proba` return.  For classification these
    are `label`, int64 (m,), and `probabilities` (m, n_out); "binary_cross_entropy" with several
    outputs has (m, n_out) labels of 0 and 1, a "cross_entropy" with groups (m, n_groups).  Where
    ``net.metadata["classes"]`` names the classes, all by text or all by whole numbers, as
    ``fastmlp train`` has it, or has a list of names for each group, the labels are those names.
    Otherwise the output is `variable` (m, n_out), quantiles of a target in ascending order.  The
    entries of `net.metadata` become properties of the model, what is not text as JSON.
    """
    networks = members(net)
    onnx = imported("onnx", "onnx")
    size = sum(one.n_parameters for one in networks) * net.dtype.itemsize
    if size > LARGEST:
        raise ValueError(f"the parameters take {size} bytes; an ONNX file holds {LARGEST} at most")
    graph = Graph(onnx, net.dtype)
    h = mean(graph, [forward(graph, one, prefix) for one, prefix in numbered(networks)])
    outputs = classes(graph, net, h) if net.loss.classification else values(graph, net, h)
    model = onnx.helper.make_model(
        graph.made(f"fastmlp_{net.loss.name}", {"X": (net.dtype, (None, net.n_in))}, outputs),
        producer_name="fastmlp",
        producer_version=fastmlp.__version__,
        doc_string=repr(net),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.helper.set_model_props(model, properties(net.metadata))
    with atomic_files.whole(path) as file:
        file.write(model.SerializeToString())


def numbered(networks: Sequence[MLP]) -> list[tuple[MLP, str]]:
    """Each network with what the names of its parameters begin with."""
    if len(networks) == 1:
        return [(networks[0], "")]
    return [(net, f"network_{i}_") for i, net in enumerate(networks, start=1)]


def forward(graph: Graph, net: MLP, prefix: str) -> str:
    """Add a network; returns the name of its output activations."""
    a = "X"
    for l, (weight, bias, f) in enumerate(plain(net), start=1):
        W = graph.constant(weight.astype(graph.dtype), f"{prefix}weight_{l}")
        b = graph.constant(bias.astype(graph.dtype), f"{prefix}bias_{l}")
        a = activate(graph, f, graph.add("Gemm", a, W, b, transB=1))  # a Wᵀ + b
    return a


def mean(graph: Graph, outputs: Sequence[str]) -> str:
    """Add the mean of several networks' outputs."""
    if len(outputs) == 1:
        return outputs[0]
    return graph.add("Div", graph.add("Sum", *outputs), float(len(outputs)))


def values(graph: Graph, net: MLP | Ensemble, h: str) -> Described:
    """Add what a network predicts that does not classify."""
    n_out = net.n_out
    if isinstance(net.loss, Quantile):  # a target's quantiles ascend, h (m, targets × quantiles)
        n_quantiles = len(net.loss.quantiles)
        split = graph.constant(np.array([0, -1, n_quantiles]), "split_shape")  # 0: as it is
        count = graph.constant(np.array([n_quantiles]), "quantile_count")
        whole = graph.constant(np.array([0, n_out]), "whole_shape")
        h = graph.sorted(graph.add("Reshape", h, split), count, axis=2)
        h = graph.add("Reshape", h, whole)
    graph.add("Identity", h, output="variable")
    return {"variable": (net.dtype, (None, n_out))}


def classes(graph: Graph, net: MLP | Ensemble, h: str) -> Described:
    """Add the probabilities, and the labels that they say."""
    n_out = net.n_out
    graph.add("Identity", h, output="probabilities")
    described: Described = {"probabilities": (net.dtype, (None, n_out))}
    if net.loss.groups:
        return {"label": of_groups(graph, net, h, net.loss.groups), **described}
    if net.loss.name == "cross_entropy":
        label = graph.add("ArgMax", h, axis=1, keepdims=0)
    else:
        label = graph.add("Cast", graph.add("Greater", h, 0.5), to=graph.int64)
        if n_out == 1:
            label = graph.add("Squeeze", label, graph.constant(np.array([1]), "output_axis"))
    one = net.loss.single_label(n_out)  # else yes or no for each output
    names = class_names(net.metadata.get("classes"), max(n_out, 2)) if one else None
    if names is None:
        graph.add("Identity", label, output="label")
    else:
        graph.add("Gather", graph.constant(names, "classes"), label, output="label")
    label_type = np.dtype(np.int64) if names is None else names.dtype
    return {"label": (label_type, (None,) if one else (None, n_out)), **described}


def of_groups(
    graph: Graph, net: MLP | Ensemble, h: str, groups: Sequence[int]
) -> tuple[np.dtype[Any], Shape]:
    """Add the label of each group of classes, (m, n_groups); returns their type and shape."""
    spans = Softmax(groups).spans
    given = net.metadata.get("classes")
    if not isinstance(given, (list, tuple)) or len(given) != len(groups):
        given = [None] * len(groups)
    names = [class_names(one, size) for one, size in zip(given, groups, strict=True)]
    types = {None if one is None else one.dtype for one in names}
    labels = []
    for k, (one, span) in enumerate(zip(names, spans, strict=True)):
        label = graph.add("ArgMax", graph.columns(h, *span), axis=1, keepdims=1)
        if one is not None and len(types) == 1:
            label = graph.add("Gather", graph.constant(one, f"classes_{k + 1}"), label)
        labels.append(label)
    graph.add("Concat", *labels, axis=1, output="label")
    found = types.pop() if len(types) == 1 else None
    return found or np.dtype(np.int64), (None, len(groups))


def class_names(given: object, count: int) -> NDArray[Any] | None:
    """Names of so many classes as labels are written, text or int64; None if they are not such."""
    if not isinstance(given, (list, tuple)) or len(given) != count:
        return None
    if all(isinstance(one, str) for one in given):
        return np.array(given, object)
    if all(type(one) is int and abs(one) < 2**63 for one in given):
        return np.array(given, np.int64)
    return None


def properties(metadata: dict[str, Any]) -> dict[str, str]:
    """A network's metadata as the texts that a model's properties are."""
    return {
        str(name): one if isinstance(one, str) else to_json(one) for name, one in metadata.items()
    }
