"""The nodes of the encodings of a network's columns, by the formulas of encodings.py.

X (batch, columns) ── each column by its encoding ── side by side ── a(1) (batch, n)
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np

from ..encodings import Numeric
from ..model.state import Array
from ..support import checks
from .inference import Columns
from .onnx_graph import Graph

__all__ = ["add_encodings"]


def add_encodings(graph: Graph, columns: Columns, prefix: str) -> str:
    """Add the encoded columns of X, without their factors, and return their name.

    `prefix` is the beginning of the names of the network's parameters.
    """
    numbered = list(enumerate(zip(columns.encodings, columns.parameters, strict=True)))
    blocks = []
    for numeric, run in groupby(numbered, lambda one: one[1][0] == Numeric()):
        of_run = list(run)
        if numeric:
            blocks.append(graph.columns("X", of_run[0][0], of_run[-1][0] + 1))
            continue
        for j, (encoding, own) in of_run:
            with checks.within(f"encodings[{j}]"):
                encoding.check(graph.dtype)
                arrays = {
                    name: checks.reals(name, values, graph.dtype) for name, values in own.items()
                }
            x = graph.columns("X", j, j + 1)
            blocks.append(ENCODINGS[encoding.name](graph, x, encoding, arrays, f"{prefix}{j + 1}"))
    return blocks[0] if len(blocks) == 1 else graph.add("Concat", *blocks, axis=1)


def piecewise_linear(graph: Graph, x: str, encoding: Any, p: dict[str, Array], name: str) -> str:
    """(x − b_{t−1})/(b_t − b_{t−1}), not below 0 nor above 1 except in the outermost bins."""
    b = np.array(encoding.edges, graph.dtype)[np.newaxis]
    low, high = np.zeros_like(b[:, 1:]), np.ones_like(b[:, 1:])
    low[0, 0], high[0, -1] = -np.inf, np.inf
    first, width, low_name, high_name = [
        graph.constant(values, f"{what}_{name}")
        for what, values in (
            ("edges", b[:, :-1]), ("widths", np.diff(b)), ("least", low), ("largest", high)
        )
    ]  # fmt: skip
    e = graph.add("Div", graph.add("Sub", x, first), width)
    return graph.add("Min", graph.add("Max", e, low_name), high_name)


def one_hot(graph: Graph, x: str, encoding: Any, p: dict[str, Array], name: str) -> str:
    """1 for the level that x is the code of; zeros for −1 and other numbers that are no code."""
    levels = np.arange(encoding.size, dtype=graph.dtype)[np.newaxis]
    level = graph.constant(levels, f"levels_{encoding.size}")
    return graph.cast(graph.add("Equal", graph.add("Floor", x), level))


def embedding(graph: Graph, x: str, encoding: Any, p: dict[str, Array], name: str) -> str:
    """The row of the table for the code x."""
    table = graph.constant(p["table"], f"table_{name}")
    return graph.add("MatMul", one_hot(graph, x, encoding, p, name), table)


def periodic(graph: Graph, x: str, encoding: Any, p: dict[str, Array], name: str) -> str:
    """Waves of x beside x itself: [x, V cos(2π w x + b) + c]."""
    angular = (2 * np.pi * p["frequencies"].astype(np.float64)).astype(graph.dtype)
    w, b, V, c = [
        graph.constant(values, f"{what}_{name}")
        for what, values in (
            ("angular", angular), ("phases", p["phases"]),
            ("waves", p["weight"]), ("offsets", p["bias"]),
        )
    ]  # fmt: skip
    waves = graph.add("Cos", graph.add("Add", graph.add("Mul", x, w), b))
    return graph.add("Concat", x, graph.add("Gemm", waves, V, c, transB=1), axis=1)


ENCODINGS: dict[str, Callable[[Graph, str, Any, dict[str, Array], str], str]] = {
    "piecewise_linear": piecewise_linear,
    "one_hot": one_hot,
    "embedding": embedding,
    "periodic": periodic,
}
