"""Networks in floating point, and in 8-bit integers with floats between them, as C.

    x ── NET_logits: z of the output layer ── NET_forward: h ── NET_predict

The layers in floating point come from c_float.py, the functions from c_templates.py, the comment
from c_comment.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..activations import Identity, Softmax
from ..model.digest import model_digest
from ..network import MLP
from . import c_comment, c_float
from . import c_templates as templates
from .c_comment import Program
from .c_float import Code
from .c_source import Layout, Source
from .c_text import C_TYPES, Array, class_names, function, literals, macros
from .inference import metadata_of
from .quantization import Quantized

__all__ = ["float_program", "network_source", "quantized_program"]


def float_program(net: MLP, dtype: np.dtype[Any]) -> Program:
    """Return a network in floating point."""
    functions, (code,) = c_float.networks_code([net], dtype, [""])
    return Program(
        real=C_TYPES[dtype.name],
        headers=("math.h",),
        functions=functions,
        code=code,
        accuracy=c_comment.float_accuracy(net.dtype, dtype),
        not_finite=c_comment.FLOAT_NOT_FINITE,
        digest=model_digest(net.state),
    )


def quantized_program(net: Quantized) -> Program:
    """Return a network in 8-bit integers."""
    output, scaling, first = net.output_activation, net.input_scaling, net.roundings[0]
    buffers, units = c_float.buffers("uint8_t", net.sizes[:-1])
    arrays: dict[str, Array] = {}
    if scaling.inverse.ndim:
        arrays |= {"offset": scaling.offset, "inverse": scaling.inverse}
        scaled = "(x[i] - NET_offset[i]) * NET_inverse[i]"
    else:
        scaled = f"x[i] * {literals(scaling.inverse)[0]}"
    calls = [
        "for (i = 0; i < N_IN; i++)",
        f"    u[i] = NET_byte({scaled}, {first.low}, {first.high}, 0);",
    ]
    for l, layer in enumerate(net.layers, start=1):
        arrays |= {f"W{l}": layer.weight, f"b{l}": layer.bias, f"m{l}": layer.multiplier}
        n_out, n_in = layer.weight.shape
        arguments = f"{'vu'[l % 2]}, {n_in}, NET_W{l}, NET_b{l}, NET_m{l}, {n_out}"
        if l == len(net.layers):
            calls.append(f"NET_output({arguments}, h);")
        else:
            rounding, table = net.roundings[l], "0"
            if rounding.table is not None:
                arrays[f"table{l}"], table = rounding.table, f"NET_table{l}"
            ends = f"{rounding.low}, {rounding.high}"
            calls.append(f"NET_layer({arguments}, {ends}, {table}, {'uv'[l % 2]});")
    if isinstance(output, Softmax):
        activation = templates.SOFTMAX_IN_DOUBLE
    elif output == Identity():
        activation = ""
    else:
        activation = templates.in_double(templates.activation(output.name, output))
    return Program(
        real="float",
        headers=("math.h", "stdint.h"),
        functions=[
            templates.BYTE,
            templates.SUM,
            *[templates.BYTE_LAYER] * (len(net.layers) > 1),
            templates.OUTPUT_LAYER,
            *[activation] * bool(activation),
        ],
        code=Code(
            arrays,
            [*buffers, "int i;"],
            calls,
            c_float.output_statements(output, f"h[j] = (float)NET_{output.name}((double)h[j]);"),
            units,
        ),
        accuracy=c_comment.quantized_accuracy(net),
        not_finite=c_comment.QUANTIZED_NOT_FINITE,
        digest=net.digest,
    )


def network_source(net: MLP | Quantized, program: Program, name: str, layout: Layout) -> Source:
    """Return the parts of a network's program.

    Parameters
    ----------
    net : MLP or Quantized
        The network.
    program : Program
        What it computes.
    name : str
        The beginning of all names.
    layout : Layout
        The names of the files, for the comment.
    """
    code = program.code
    predict = templates.predict(net, c_comment.kind_of_prediction(net))
    forward = "void NET_forward(const float x[N_IN], float h[N_OUT])"

    def finished(text: str) -> str:
        text = text if program.real == "float" else templates.in_double(text)
        return templates.with_names(text, name, net.n_in, net.n_out)

    declarations = [finished(one) for one in (predict.partition("\n")[0], forward)]
    metadata = net.metadata if isinstance(net, Quantized) else metadata_of(net)
    declared_classes, classes = class_names(name, metadata.get("classes"))
    functions = [
        templates.with_names(text, name, net.n_in, net.n_out) for text in program.functions
    ]
    if net.loss.classification:
        logits = "static void NET_logits(const float *x, float *h)"
        functions += [
            "/* z of the output layer */",
            finished(function(logits, code.declarations, code.logits)),
            finished(function(forward, code.index, ["NET_logits(x, h);", *code.output])),
        ]
    else:
        declared = [*code.declarations, *code.index]
        functions.append(finished(function(forward, declared, [*code.logits, *code.output])))
    return Source(
        name=name,
        comment=c_comment.comment(net, program, declarations, name, layout),
        interface_headers=[],
        headers=program.headers,
        interface=[
            macros(name, net.n_in, net.n_out, program.digest),
            *(f"{declaration};" for declaration in declarations),
            *declared_classes,
        ],
        definitions=classes,
        constants=list(code.arrays.items()),
        functions=[*functions, finished(predict).rstrip("\n")],
    )
