"""Layers in 8-bit integers with floats between them, as C: their constants and statements.

    inputs in float, or e(x) ── NET_byte ── NET_layer … ── NET_output: z of the output layer ── h

The arithmetic is that of quantization.py, the functions are in c_templates.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..activations import Identity, Softmax
from . import c_templates as templates
from .c_float import Code, buffers, encoding_code, encoding_functions, output_statements
from .c_text import Array, literals
from .quantization import Quantized

__all__ = ["bytes_code"]

FLOAT32 = np.dtype(np.float32)


def bytes_code(
    nets: Sequence[Quantized], prefixes: Sequence[str]
) -> tuple[list[str], list[Code]]:
    """Return the functions that networks in 8-bit integers call, and the code of each network.

    Parameters
    ----------
    nets : sequence of Quantized
        The networks, all with the same output activation.
    prefixes : sequence of str
        The beginning of the names of each network's constants.
    """
    functions = [*encoding_functions(nets), *_functions(nets)]
    return functions, [_code(net, prefix) for net, prefix in zip(nets, prefixes, strict=True)]


def _code(net: Quantized, prefix: str) -> Code:
    """Return the code of a network."""
    scaling, first = net.input_scaling, net.roundings[0]
    n_in = net.layers[0].weight.shape[1]
    source, names = ("u", "pq") if net.encodings else ("x", "uv")  # inputs; two buffers of bytes
    declared, units = buffers("uint8_t", [n_in, *net.sizes[1:-1]], names)
    arrays, encoding = encoding_code(net.columns, FLOAT32, prefix)
    if net.encodings:
        declared.insert(0, f"float u[{n_in}];")
        units += FLOAT32.itemsize * n_in
    scaled = f"{source}[i]"
    if scaling.inverse.ndim:
        arrays |= {f"{prefix}offset": scaling.offset, f"{prefix}inverse": scaling.inverse}
        scaled = f"({scaled} - NET_{prefix}offset[i]) * NET_{prefix}inverse[i]"
    else:
        scaled += f" * {literals(scaling.inverse)[0]}"
    calls = [
        *encoding,
        f"for (i = 0; i < {n_in}; i++)",
        f"    {names[0]}[i] = NET_byte({scaled}, {first.low}, {first.high}, 0);",
    ]
    for l, layer in enumerate(net.layers, start=1):
        own: dict[str, Array] = {"W": layer.weight, "b": layer.bias, "m": layer.multiplier}
        arrays |= {f"{prefix}{key}{l}": values for key, values in own.items()}
        n_out, n_in = layer.weight.shape
        constants = ", ".join(f"NET_{prefix}{key}{l}" for key in own)
        arguments = f"{names[1 - l % 2]}, {n_in}, {constants}, {n_out}"
        if l == len(net.layers):
            calls.append(f"NET_output({arguments}, h);")
        else:
            rounding, table = net.roundings[l], "0"
            if rounding.table is not None:
                arrays[f"{prefix}table{l}"] = rounding.table
                table = f"NET_{prefix}table{l}"
            ends = f"{rounding.low}, {rounding.high}"
            calls.append(f"NET_layer({arguments}, {ends}, {table}, {names[l % 2]});")
    f = net.output_activation
    output = output_statements(f, f"h[j] = (float)NET_{f.name}((double)h[j]);")
    return Code(arrays, [*declared, "int i;"], calls, output, units)


def _functions(nets: Sequence[Quantized]) -> list[str]:
    """Return the functions that their layers call."""
    output = nets[0].output_activation
    if isinstance(output, Softmax):
        activation = [templates.SOFTMAX_IN_DOUBLE]
    elif output == Identity():
        activation = []
    else:
        activation = [templates.in_double(templates.activation(output.name, output))]
    has_hidden = any(len(net.layers) > 1 for net in nets)
    return [
        templates.BYTE,
        templates.SUM,
        *[templates.BYTE_LAYER] * has_hidden,
        templates.OUTPUT_LAYER,
        *activation,
    ]
