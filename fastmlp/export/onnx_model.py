"""What ONNX models of networks and of tables have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..model.files import to_json
from ..model.state import Array
from ..network import MLP
from ..support import checks
from ..support.text import quoted
from ..version import __version__
from .inference import Columns, inference_columns, layers_after_encodings
from .onnx_encodings import add_encodings
from .onnx_graph import Graph, activate

__all__ = [
    "BATCH",
    "IR_VERSION",
    "OPSET",
    "add_columns",
    "add_labels",
    "forward",
    "mean",
    "model_of",
    "task_of",
    "with_prefixes",
]

OPSET = 13  # the first whose Softmax operates along one axis; newer runtimes read it too
ML_OPSET = 2  # of ONNX-ML, whose LabelEncoder turns texts into numbers
IR_VERSION = 7  # of the file's structure, that of ONNX 1.8 (2020) like the opset
BATCH = "batch"  # the name of the axis of examples


def with_prefixes(networks: Sequence[Any]) -> list[tuple[Any, str]]:
    """Return each network with the beginning of the names of its parameters."""
    if len(networks) == 1:
        return [(networks[0], "")]
    return [(net, f"network_{i}_") for i, net in enumerate(networks, start=1)]


def forward(graph: Graph, net: MLP, prefix: str, encoded: str | None = None) -> str:
    """Add a network, of X or of encoded columns, and return the name of its outputs."""
    a = add_columns(graph, inference_columns(net), prefix, encoded)
    for l, (weight, bias, f) in enumerate(layers_after_encodings(net), start=1):
        weight = checks.reals(f"W({l})", weight, graph.dtype)
        bias = checks.reals(f"b({l})", bias, graph.dtype)
        W = graph.constant(weight, f"{prefix}weight_{l}")
        b = graph.constant(bias, f"{prefix}bias_{l}")
        a = activate(graph, f, graph.add("Gemm", a, W, b, transB=1))  # a Wᵀ + b
    return a


def add_columns(
    graph: Graph, columns: Columns, prefix: str, encoded: str | None = None
) -> str:
    """Add a(1) of a network, of X or of encoded columns without their factors; return its name."""
    a = encoded or (add_encodings(graph, columns, prefix) if columns.encodings else "X")
    if columns.scale is None:
        return a
    scale = checks.reals("input_scale", columns.scale, graph.dtype)
    return graph.add("Mul", a, graph.constant(scale, f"{prefix}input_scale"))  # s ∘ e(x)


def mean(graph: Graph, outputs: Sequence[str]) -> str:
    """Add the mean of the outputs of several networks; return its name."""
    if len(outputs) == 1:
        return outputs[0]
    return graph.add("Div", graph.add("Sum", *outputs), float(len(outputs)))


def add_labels(graph: Graph, labels: Array | None, numbers: str) -> np.dtype[Any]:
    """Add the output "label" from numbers of classes; return its type, int64 without labels."""
    if labels is None:
        graph.add("Identity", numbers, output="label")
        return np.dtype(np.int64)
    graph.add("Gather", graph.constant(labels, "classes"), numbers, output="label")
    return labels.dtype


def task_of(classification: bool) -> str:
    """Return the name of the task, a property of the model."""
    return "classification" if classification else "regression"


def model_of(
    onnx: Any,
    graph: Any,
    description: str,
    own: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> Any:
    """Return the ModelProto of a GraphProto, with properties of its own and a user's metadata."""
    opsets = {node.domain: ML_OPSET if node.domain else OPSET for node in graph.node}
    model = onnx.helper.make_model(
        graph,
        producer_name="fastmlp",
        producer_version=__version__,
        doc_string=description,
        opset_imports=[onnx.helper.make_opsetid(*opset) for opset in opsets.items()],
        ir_version=IR_VERSION,
    )
    onnx.helper.set_model_props(model, properties(own, metadata))
    return model


def properties(own: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return what a model has of its own, where not None, and metadata, as texts.

    ValueError if an entry of the metadata has the name of a property and says otherwise: a reader
    could not know which of them the model means.
    """
    given = {str(name): _as_text(value) for name, value in metadata.items()}
    found = {name: _as_text(value) for name, value in own.items() if value is not None}
    for name in own:
        if name in given and given[name] != found.get(name):
            raise ValueError(
                f"the metadata has an entry {name!r}, {quoted(given[name])}, which is the name of "
                f"a property of ONNX models; rename the entry"
            )
    return found | given


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else to_json(value)
