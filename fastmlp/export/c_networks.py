"""Networks in floating point, and in 8-bit integers with floats between them, as C.

    x ── NET_logits: z of the output layer ── NET_forward: h ── NET_predict

The layers in floating point come from c_float.py, the functions from c_templates.py, the comment
from c_comment.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.digest import model_digest
from ..network import MLP
from . import c_comment, c_float
from . import c_templates as templates
from .c_bytes import bytes_code
from .c_comment import Program
from .c_source import Layout, Source
from .c_text import C_TYPES, class_names, function, macros
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
    functions, (code,) = bytes_code([net], [""])
    return Program(
        real="float",
        headers=("math.h", "stdint.h"),
        functions=functions,
        code=code,
        accuracy=c_comment.quantized_accuracy(net),
        not_finite=c_comment.QUANTIZED_NOT_FINITE[bool(net.encodings)],
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
    classes = metadata_of(net).get("classes")
    declared_classes, class_array = class_names(name, classes, net.n_out)
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
        definitions=class_array,
        constants=list(code.arrays.items()),
        functions=[*functions, finished(predict).rstrip("\n")],
    )
