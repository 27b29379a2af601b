"""Layers in 8-bit integers with floats between them, as C: their constants and statements.

    inputs in float ── NET_byte ── NET_layer … ── NET_output: z of the output layer ── h

The arithmetic is that of quantization.py, the functions are in c_templates.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..activations import Identity, Softmax
from . import c_templates as templates
from .c_float import Code, buffers, output_statements
from .c_text import Array, literals
from .quantization import Quantized

__all__ = ["byte_code", "byte_functions"]


def byte_code(net: Quantized, prefix: str, source: str, names: str) -> Code:
    """Return the code of a network in 8-bit integers.

    Parameters
    ----------
    net : Quantized
        The network.
    prefix : str
        The beginning of the names of its constants.
    source : str
        The name of the inputs in C.
    names : str
        The names of the two buffers of bytes, a letter each.
    """
    scaling, first = net.input_scaling, net.roundings[0]
    declared, units = buffers("uint8_t", net.sizes[:-1], names)
    arrays: dict[str, Array] = {}
    scaled = f"{source}[i]"
    if scaling.inverse.ndim:
        arrays |= {f"{prefix}offset": scaling.offset, f"{prefix}inverse": scaling.inverse}
        scaled = f"({scaled} - NET_{prefix}offset[i]) * NET_{prefix}inverse[i]"
    else:
        scaled += f" * {literals(scaling.inverse)[0]}"
    calls = [
        f"for (i = 0; i < {net.n_in}; i++)",
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


def byte_functions(nets: Sequence[Quantized]) -> list[str]:
    """Return the functions that the code of such networks with one output activation calls."""
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
