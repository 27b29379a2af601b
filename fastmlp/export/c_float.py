"""Networks in floating point as C: their constants and the statements that compute them.

    x ── e(x) ── s ∘ e(x) ── f(W a + b) ── … ── z of the output layer ── h

The activations of successive layers lie in two buffers, u and v, in turns.  The weights of a layer
are written row by row; those of a large layer in blocks of outputs, for which compilers write
vector instructions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from ..activations import Activation, Identity, Softmax
from ..encodings import Numeric, PiecewiseLinear
from ..network import MLP
from ..support import checks
from . import c_templates as templates
from .c_text import C_TYPES, Array
from .inference import Columns, inference_columns, layers_after_encodings
from .quantization import Quantized

__all__ = [
    "Code",
    "blocks_of_outputs",
    "buffers",
    "encoding_code",
    "encoding_functions",
    "networks_code",
    "output_statements",
]

BLOCK = 32  # outputs whose sums stay in registers: 8 of the 16 registers of SSE2
LARGE = 2**14  # weights; smaller layers are as fast row by row, and smaller on a microcontroller


@dataclass(frozen=True)
class Code:
    """What computes one network."""

    arrays: dict[str, Array]
    declarations: list[str]  # of the variables of `logits`
    logits: list[str]  # statements that write z of the output layer to h
    output: list[str]  # statements that turn it into h = f(z)
    stack: int  # bytes of the buffers and of a block's sums

    @property
    def index(self) -> list[str]:
        """The declaration of the variable of `output`, if it has one."""
        return ["int j;"] if any("[j]" in line for line in self.output) else []


def networks_code(
    nets: Sequence[MLP], dtype: np.dtype[Any], prefixes: Sequence[str]
) -> tuple[list[str], list[Code]]:
    """Return the functions that networks call, and the code of each network.

    Parameters
    ----------
    nets : sequence of MLP
        The networks.
    dtype : dtype
        float32 or float64, in which they compute.
    prefixes : sequence of str
        The beginning of the names of each network's constants.

    Raises
    ------
    ValueError
        If a parameter is beyond the range of dtype.
    """
    functions: list[Activation] = []  # f of the output layer comes last
    for net in nets:
        functions += [*net.activation, Identity()]
        if not isinstance(net.output_activation, Softmax):
            functions.append(net.output_activation)
    names = _function_names(functions)
    softmax = any(isinstance(net.output_activation, Softmax) for net in nets)
    texts = [
        "".join(templates.activation(name, f) for f, name in names.items()),
        *encoding_functions(nets),
        templates.LAYER,
        *[templates.WIDE_LAYER.replace("BLOCK", str(BLOCK))] * any(map(_has_wide_layer, nets)),
        *[templates.SOFTMAX] * softmax,
    ]
    codes = [_code(net, dtype, names, prefix) for net, prefix in zip(nets, prefixes, strict=True)]
    if dtype == np.float64:
        texts = [templates.in_double(text) for text in texts]
    return texts, codes


def encoding_functions(nets: Sequence[MLP | Quantized]) -> list[str]:
    """Return the functions that the encodings of networks call."""
    kinds = {one.name for net in nets for one in net.encodings}
    return [
        *[templates.CODE] * bool(kinds & {"one_hot", "embedding"}),
        *[text for kind, text in templates.ENCODINGS.items() if kind in kinds],
    ]


def _is_wide(W: Array) -> bool:
    """Return whether a layer's weights are written in blocks of outputs."""
    return len(W) >= BLOCK and W.size >= LARGE


def _has_wide_layer(net: MLP) -> bool:
    return any(_is_wide(layer.weight) for layer in layers_after_encodings(net))


def blocks_of_outputs(W: Array) -> Array:
    """Return weights in blocks of outputs, each input by input, then the rows of other outputs."""
    n_out, n_in = W.shape
    whole = n_out - n_out % BLOCK
    blocks = W[:whole].reshape(-1, BLOCK, n_in).transpose(0, 2, 1)
    return np.concatenate([blocks.ravel(), W[whole:].ravel()])


def _code(net: MLP, dtype: np.dtype[Any], names: dict[Activation, str], prefix: str) -> Code:
    """Return the code of a network that calls activations by these names."""
    layers = layers_after_encodings(net)
    widths = net.sizes[1:-1]
    if net.encodings:
        widths = (layers[0].weight.shape[1], *widths)  # a(1) needs a buffer too
    own = ["uv"[i % 2] for i in range(len(widths))]
    places = [*([] if net.encodings else ["x"]), *own, "h"]
    arrays, calls = encoding_code(inference_columns(net), dtype, prefix)
    functions = [*net.activation, Identity()]
    for l, (W, b, _) in enumerate(layers, start=1):
        checks.finite(f"W({l})", W, dtype)
        checks.finite(f"b({l})", b, dtype)
        n_out, n_in = W.shape
        wide = _is_wide(W)
        laid_out = blocks_of_outputs(W) if wide else W
        arrays |= {f"{prefix}W{l}": laid_out.astype(dtype), f"{prefix}b{l}": b.astype(dtype)}
        calls.append(
            f"NET_{'wide_' * wide}layer({places[l - 1]}, {n_in}, NET_{prefix}W{l}, "
            f"NET_{prefix}b{l}, {n_out}, NET_{names[functions[l - 1]]}, {places[l]});"
        )
    declarations, units = buffers(C_TYPES[dtype.name], widths)
    if any(line.startswith("for (i") for line in calls):
        declarations.append("int i;")
    output = net.output_activation
    return Code(
        arrays,
        declarations,
        calls,
        output_statements(output, f"h[j] = NET_{names.get(output)}(h[j]);"),
        (units + BLOCK * _has_wide_layer(net)) * dtype.itemsize,
    )


def encoding_code(
    columns: Columns, dtype: np.dtype[Any], prefix: str
) -> tuple[dict[str, Array], list[str]]:
    """Return the constants of columns' encodings, and the statements from x to a(1) in u."""
    constants: dict[str, list[Array]] = {"edges": [], "tables": [], "waves": []}
    calls: list[str] = []
    k = 0  # the next number of a(1)

    def place(kind: str, *values: Any) -> str:
        """Append constants; return where they begin."""
        first = sum(one.size for one in constants[kind])
        constants[kind] += [np.ravel(one).astype(dtype) for one in values]
        return f"NET_{prefix}{kind}" + (f" + {first}" if first else "")

    numbered = list(enumerate(zip(columns.encodings, columns.parameters, strict=True)))
    for numeric, run in groupby(numbered, lambda one: one[1][0] == Numeric()):
        of_run = list(run)
        if numeric and len(of_run) > 1:
            j, n = of_run[0][0], len(of_run)
            calls += [f"for (i = 0; i < {n}; i++)", f"    u[{k} + i] = x[{j} + i];"]
            k += n
            continue
        for j, (encoding, own) in of_run:
            for name, values in own.items():
                with checks.within(f"encodings[{j}]"):
                    checks.finite(name, values, dtype)
            n, target = encoding.size, f"u + {k}" if k else "u"
            match encoding.name:
                case "numeric":
                    calls.append(f"u[{k}] = x[{j}];")
                case "piecewise_linear":
                    assert isinstance(encoding, PiecewiseLinear)
                    with checks.within(f"encodings[{j}]"):
                        encoding.check(dtype)
                    edges = place("edges", np.array(encoding.edges))
                    calls.append(f"NET_piecewise_linear(x[{j}], {edges}, {n}, {target});")
                case "one_hot":
                    calls.append(f"NET_one_hot(x[{j}], {n}, {target});")
                case "embedding":
                    table = place("tables", own["table"])
                    calls.append(
                        f"NET_embedding(x[{j}], {table}, {n}, {encoding.n_outputs}, {target});"
                    )
                case "periodic":
                    names = ("frequencies", "phases", "weight", "bias")
                    waves = place("waves", *[own[name] for name in names])
                    calls.append(
                        f"NET_periodic(x[{j}], {waves}, {n}, {encoding.n_outputs - 1}, {target});"
                    )
            k += encoding.n_outputs
    arrays = {
        f"{prefix}{kind}": np.concatenate(values) for kind, values in constants.items() if values
    }
    if columns.scale is not None:
        checks.finite("input_scale", columns.scale, dtype)
        arrays[f"{prefix}scale"] = columns.scale.astype(dtype)
        calls += [f"for (i = 0; i < {k}; i++)", f"    u[i] *= NET_{prefix}scale[i];"]
    return arrays, calls


def output_statements(f: Activation, statement: str) -> list[str]:
    """Return the lines that turn z in h into h = f(z); the statement does so for one h[j]."""
    if isinstance(f, Softmax):
        if not f.groups:
            return ["NET_softmax(h, N_OUT);"]
        return [f"NET_softmax(h + {first}, {end - first});" for first, end in f.spans]
    return [] if f == Identity() else ["for (j = 0; j < N_OUT; j++)", f"    {statement}"]


def _function_names(activations: Sequence[Activation]) -> dict[Activation, str]:
    """Return the name in C of each activation; a second one with other parameters is numbered."""
    names: dict[Activation, str] = {}
    for f in activations:
        same = sum(other.name == f.name for other in names)
        names.setdefault(f, f"{f.name}_{same + 1}" if same else f.name)
    return names


def buffers(c_type: str, widths: Sequence[int], names: str = "uv") -> tuple[list[str], int]:
    """Return the declarations of two buffers for layers of these widths, and their total size."""
    sizes = [max(part) for part in (widths[::2], widths[1::2]) if part]
    declared = [f"{c_type} {name}[{size}];" for name, size in zip(names, sizes, strict=False)]
    return declared, sum(sizes)
