"""The nodes of networks in 8-bit integers: quantize and dequantize operators (QDQ).

    p ── QuantizeLinear ── DequantizeLinear ──┐
               weights ── DequantizeLinear ── Gemm ── p
                biases ── DequantizeLinear ──┘

p is in the steps of quantization.py, in which the scale of activations is 1 and that of a unit's
weights its multiplier.  ONNX Runtime makes one QGemm of each row of these nodes, whose sums are
integers and whose single multiplication in float32 is that of the exported C: p has the same bits.
"""

from __future__ import annotations

import numpy as np

from ..model.state import Array
from .integer_layers import ByteRounding
from .onnx_graph import Graph
from .onnx_model import add_columns
from .quantization import Quantized

__all__ = ["add_logits"]


def add_logits(graph: Graph, net: Quantized, prefix: str = "", encoded: str | None = None) -> str:
    """Add z of the output layer of a network, and return its name.

    It is that of X, or of encoded columns as `forward` takes them.
    """
    scaling, p = net.input_scaling, add_columns(graph, net.columns, prefix, encoded)
    if scaling.inverse.ndim:
        p = graph.add("Sub", p, graph.constant(scaling.offset, f"{prefix}input_offset"))
    p = graph.add("Mul", p, graph.constant(scaling.inverse, f"{prefix}input_inverse"))
    for l, (rounding, layer) in enumerate(zip(net.roundings, net.layers, strict=True), start=1):
        zero = 0 if rounding.table is not None else -rounding.low
        q = add_bytes(graph, p, rounding, f"{prefix}bytes_{l}")
        a = graph.add("DequantizeLinear", q, 1.0, add_zero(graph, zero))
        # the bias of quantization.py contains −zero Σ w
        bias = layer.bias + zero * layer.weight.sum(axis=1, dtype=np.int32)
        W = add_parameter(graph, layer.weight, layer.multiplier, f"{prefix}weight_{l}")
        b = add_parameter(graph, bias, layer.multiplier, f"{prefix}bias_{l}")
        p = graph.add("Gemm", a, W, b, transB=1)
    return p


def add_parameter(graph: Graph, values: Array, multiplier: Array, name: str) -> str:
    """Add weights (n_out, n_in) or biases (n_out,) as reals, by a scale for each unit.

    ONNX Runtime makes a QGemm only where there is a zero point, although 0 is its default.
    """
    stored, scale, zero = [
        graph.constant(array, f"{name}{ending}")
        for array, ending in (
            (values, ""), (multiplier, "_scale"), (np.zeros(len(values), values.dtype), "_zero")
        )
    ]  # fmt: skip
    return graph.add("DequantizeLinear", stored, scale, zero, axis=0)


def add_bytes(graph: Graph, p: str, rounding: ByteRounding, table_name: str) -> str:
    """Add the bytes that enter a layer; clipping them is ReLU, whose zero is the lowest byte."""
    if rounding.table is None:
        return graph.add("QuantizeLinear", p, 1.0, add_zero(graph, -rounding.low))
    # Max and Min in place of Clip, before which ONNX Runtime makes no QGemm
    clipped = graph.add("Min", graph.add("Max", p, rounding.low), rounding.high)
    k = graph.add("Sub", graph.add("Round", clipped), rounding.low)
    # in float32 and then quantized, so that ONNX Runtime sees bytes before the next Gemm
    table = graph.constant(rounding.table.astype(np.float32), table_name)
    a = graph.add("Gather", table, graph.cast(k, np.dtype(np.int64)))
    return graph.add("QuantizeLinear", a, 1.0, add_zero(graph, 0))


def add_zero(graph: Graph, zero: int) -> str:
    """Add the byte that stands for 0, and return its name."""
    return graph.constant(np.uint8(zero), f"zero_{zero}")
