"""Build the graph of an ONNX model, with activation functions as nodes.

ONNX has an operator for most activation functions.  Runtimes implement some of these in float32
only; `FLOAT64` expresses them by operators that exist in both.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..activations import ELU, Activation

__all__ = ["Described", "Graph", "Shape", "activate"]

Shape = tuple[int | str, ...]  # text: the name of an axis of any length
Described = dict[str, tuple[np.dtype[Any], Shape]]


class Graph:
    """Nodes and constants; every result has a name, by which other nodes refer to it.

    Parameters
    ----------
    onnx : module
        The package.
    dtype : dtype
        float32 or float64, of everything but labels.
    prefix : str, default ""
        The beginning of the names of constants and results.
    """

    def __init__(self, onnx: Any, dtype: np.dtype[Any], prefix: str = "") -> None:
        self.helper, self.from_array = onnx.helper, onnx.numpy_helper.from_array
        self.string, self.int64 = onnx.TensorProto.STRING, onnx.TensorProto.INT64
        self.dtype, self.prefix = dtype, prefix
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def in_dtype(self, dtype: np.dtype[Any]) -> Graph:
        """Return this graph for computing in another dtype: what is added to one is in both."""
        other = copy.copy(self)
        other.dtype, other.prefix = dtype, f"{self.prefix}{dtype.name}_"
        return other

    def cast(self, values: str, dtype: np.dtype[Any] | None = None) -> str:
        """Add a conversion to a dtype, by default the graph's own, and return its name."""
        to = self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype or self.dtype))
        return self.add("Cast", values, to=to)

    def add(
        self, operator: str, *inputs: str | float, output: str | None = None, **attributes: Any
    ) -> str:
        """Add a node with one output and return its name.  Numbers become constants."""
        names = [value if isinstance(value, str) else self.number(value) for value in inputs]
        output = output or f"{self.prefix}{operator.lower()}_{len(self.nodes) + 1}"
        self.nodes.append(self.helper.make_node(operator, names, [output], output, **attributes))
        return output

    def sorted(self, values: str, count: str, axis: int) -> str:
        """Add a sort of all `count` values along an axis, ascending, and return its name."""
        number = len(self.nodes) + 1
        outputs = [f"{self.prefix}{result}_{number}" for result in ("sorted", "order")]
        self.nodes.append(
            self.helper.make_node("TopK", [values, count], outputs, axis=axis, largest=0)
        )
        return outputs[0]

    def columns(self, values: str, first: int, end: int) -> str:
        """Add the columns first … end − 1 of a matrix and return their name."""
        ends = [self.constant(np.array([at]), f"column_{at}") for at in (first, end, 1)]
        return self.add("Slice", values, *ends)

    def number(self, value: float) -> str:
        """Add a number to compute with and return its name."""
        return self.constant(self.dtype.type(value), f"constant_{value:.17g}")

    def constant(self, value: NDArray[Any] | np.generic, name: str) -> str:
        """Add an array, once for each name and value, and return its name in the graph.

        Where another array has the name, underscores are added to it.
        """
        stored = self.from_array(np.asarray(value), self.prefix + name)
        while self.constants.setdefault(stored.name, stored) != stored:
            stored.name += "_"
        return str(stored.name)

    def finished(self, name: str, inputs: Described, outputs: Described) -> Any:
        """Return the GraphProto."""
        return self.helper.make_graph(
            self.nodes,
            name,
            [self._described(*value) for value in inputs.items()],
            [self._described(*value) for value in outputs.items()],
            initializer=list(self.constants.values()),
        )

    def _described(self, name: str, value: tuple[np.dtype[Any], Shape]) -> Any:
        dtype, shape = value
        kind = self.string if dtype.kind == "O" else self.helper.np_dtype_to_tensor_dtype(dtype)
        return self.helper.make_tensor_value_info(name, kind, shape)


def activate(graph: Graph, f: Activation, z: str) -> str:
    """Add a = f(z) and return the name of a."""
    if graph.dtype == np.float64 and f.name in FLOAT64:
        return FLOAT64[f.name](graph, f, z)
    return FORMULAS[f.name](graph, f, z)


Formula = Callable[[Graph, Any, str], str]


def operator(name: str, attributes: Callable[[Any], dict[str, Any]] = lambda f: {}) -> Formula:
    """Return the formula of a function that ONNX has as an operator."""
    return lambda graph, f, z: graph.add(name, z, **attributes(f))


def silu(graph: Graph, f: Activation, z: str) -> str:
    """z σ(z)."""
    return graph.add("Mul", z, graph.add("Sigmoid", z))


def gelu(graph: Graph, f: Activation, z: str) -> str:
    """z Φ(z) with Φ(z) = ½ (1 + erf(z/√2))."""
    erf = graph.add("Erf", graph.add("Mul", z, math.sqrt(0.5)))
    return graph.add("Mul", graph.add("Mul", z, 0.5), graph.add("Add", erf, 1.0))


def mish(graph: Graph, f: Activation, z: str) -> str:
    """z tanh(log(1 + eᶻ)) = z n/(n + 2) with u = eᶻ, n = u(u + 2); from z = 40 on it is z."""
    u = graph.add("Exp", graph.add("Min", z, 40.0))
    n = graph.add("Mul", u, graph.add("Add", u, 2.0))
    return graph.add("Mul", z, graph.add("Div", n, graph.add("Add", n, 2.0)))


def leaky_relu(graph: Graph, f: Any, z: str) -> str:
    """max(z, 0) + slope · min(z, 0)."""
    low = graph.add("Mul", graph.add("Min", z, 0.0), f.slope)
    return graph.add("Add", graph.add("Relu", z), low)


def softplus(graph: Graph, f: Activation, z: str) -> str:
    """max(z, 0) + log(1 + e^−|z|)."""
    e = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    return graph.add("Add", graph.add("Relu", z), graph.add("Log", graph.add("Add", e, 1.0)))


def elu(graph: Graph, f: Any, z: str) -> str:
    """max(z, 0) + α (e^min(z, 0) − 1)."""
    low = graph.add("Sub", graph.add("Exp", graph.add("Min", z, 0.0)), 1.0)
    return graph.add("Add", graph.add("Relu", z), graph.add("Mul", low, f.alpha))


def selu(graph: Graph, f: Activation, z: str) -> str:
    """1.0507… · ELU(z; α = 1.6732…)."""
    return graph.add("Mul", elu(graph, ELU(SELU_ALPHA), z), SELU_SCALE)


def gelu_without_erf(graph: Graph, f: Activation, z: str) -> str:
    """z Φ(z), with Φ by the midpoint rule, accurate to 1e-15.

    Φ(z) = σ(2πz/s) − (s z/π) e^(−z²/2) Σ_n e^(−u_n²/2) / (u_n² + z²),   u_n = (n + ½) s

    summed from n = 0 (Hunter and Regan 1972, Math. Comp. 26).  The error of the infinite sum is
    of the order e^(−2π²/s²), 3e-18 for s = 0.7; the terms after the 13th are smaller.
    """
    s = 0.7
    u = (np.arange(13) + 0.5) * s
    points = graph.constant(u**2, "normal_points")  # (13,)
    weights = graph.constant(s / np.pi * np.exp(-(u**2) / 2), "normal_weights")  # (13,)
    last = graph.constant(np.array([2]), "normal_axis")
    square = graph.add("Mul", z, z)
    terms = graph.add("Reciprocal", graph.add("Add", graph.add("Unsqueeze", square, last), points))
    density = graph.add("Exp", graph.add("Mul", square, -0.5))
    tail = graph.add("Mul", graph.add("Mul", z, density), graph.add("MatMul", terms, weights))
    step = graph.add("Sigmoid", graph.add("Mul", z, 2 * np.pi / s))
    return graph.add("Mul", z, graph.add("Sub", step, tail))


def softmax(graph: Graph, f: Any, z: str) -> str:
    """Softmax of each row, or of each group of its columns."""
    if not f.groups:
        return graph.add("Softmax", z, axis=1)
    parts = [graph.add("Softmax", graph.columns(z, *span), axis=1) for span in f.spans]
    return graph.add("Concat", *parts, axis=1)


SELU_SCALE = 1.0507009873554804934193349852946  # Klambauer et al. 2017, equation 14
SELU_ALPHA = 1.6732632423543772848170429916717

FORMULAS: dict[str, Formula] = {
    "identity": lambda graph, f, z: z,
    "sigmoid": operator("Sigmoid"),
    "relu": operator("Relu"),
    "leaky_relu": operator("LeakyRelu", lambda f: {"alpha": float(f.slope)}),
    "tanh": operator("Tanh"),
    "softplus": operator("Softplus"),
    "elu": operator("Elu", lambda f: {"alpha": float(f.alpha)}),
    "selu": operator("Selu"),  # whose default attributes are the two constants
    "silu": silu,
    "gelu": gelu,
    "mish": mish,
    "exponential": operator("Exp"),
    "softmax": softmax,
}

FLOAT64: dict[str, Formula] = {
    "leaky_relu": leaky_relu,
    "softplus": softplus,
    "elu": elu,
    "selu": selu,
    "gelu": gelu_without_erf,
}
