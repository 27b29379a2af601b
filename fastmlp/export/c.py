"""Write a network as C: one file of C99 that needs only the C library's <math.h>.

    comment ── declarations ── constants ── functions ── NET_forward ── NET_predict

The functions are in c_templates.py, the comment in c_comment.py.  Numbers are written with the
fewest digits that are read back as the same bits, so the file loses nothing of the network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..activations import Activation, Identity, Softmax
from ..losses import Quantile
from ..network import MLP
from ..support import atomic_files, checks
from . import c_comment
from . import c_templates as templates
from .c_comment import Array, Program
from .calibration import quantize
from .inference import inference_layers, require_mlp
from .quantization import Quantized

__all__ = ["to_c"]

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int32": "int32_t",
}
NUMBERS_PER_LINE = {"float32": 6, "float64": 4, "int8": 16, "uint8": 16, "int32": 8}


def to_c(
    net: MLP | Quantized,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    dtype: DTypeLike | None = None,
    quantized: bool = False,
    calibration: ArrayLike | None = None,
) -> None:
    """Write a network as one file of C99 with the functions `forward` and `predict`.

    The file allocates no memory, stores all numbers as constants, may be called by several threads
    at once and needs only <math.h>.  The comment at its top says how to call the functions, what
    they take and return, how much memory they need and how accurate they are.

    Parameters
    ----------
    net : MLP or Quantized
        A trained network; batch norm is folded in, and averaged parameters are used if the network
        predicts with them.
    path : path-like
        The file, which appears as a whole or not at all.
    name : str, optional
        The beginning of the functions' names, a C identifier.  Default: the name of the file
        without its extension, with underscores for other characters than letters and digits.
    dtype : {"float32", "float64"}, optional
        Compute in float or in double.  Default: the network's dtype.
    quantized : bool, default False
        Compute in 8-bit integers, with a quarter of the memory: see `quantize`.
    calibration : array-like, (m, n_in), optional
        With ``quantized=True``: a few hundred examples like those that the network will see.

    Raises
    ------
    TypeError
        If net is neither, for example an ensemble: write its networks one by one.
    ValueError
        If name is not a C identifier; if a parameter is beyond the range of dtype; if calibration
        is missing, was not requested, or does not fit the network.
    OSError
        If the file cannot be written.

    Warns
    -----
    UserWarning
        With ``quantized=True``, for the reasons of `quantize`.

    See Also
    --------
    quantize : The 8-bit form in Python, to measure its accuracy.

    Examples
    --------
    >>> fastmlp.export.to_c(net, "digits.c")
    >>> fastmlp.export.to_c(net, "digits8.c", quantized=True, calibration=X[:500])
    """
    if not isinstance(net, Quantized):
        net = require_mlp(net)
    name = _prefix(name, path)
    if checks.flag("quantized", quantized):
        if isinstance(net, Quantized):
            raise ValueError("net is quantized already; leave out quantized=True")
        if calibration is None:
            raise ValueError("quantized=True needs calibration, such as X_train[:1000]")
        net = quantize(net, calibration)
    elif calibration is not None:
        raise ValueError("calibration needs quantized=True")
    if isinstance(net, Quantized):
        if dtype is not None and checks.real_dtype(dtype) != np.float32:
            raise ValueError(f"a quantized network takes and returns float32, got dtype {dtype!r}")
        program = _quantized_program(net)
    else:
        program = _float_program(net, net.dtype if dtype is None else checks.real_dtype(dtype))
    with atomic_files.whole(path) as file:
        for part in _parts(net, program, name):
            file.write(f"{part}\n".encode())


def _prefix(name: str | None, path: str | os.PathLike[str]) -> str:
    """Return the beginning of the functions' names, checked or made from the file's name."""
    if name is None:
        stem = re.sub(r"\W", "_", Path(path).stem, flags=re.ASCII)
        return stem if stem[:1].isalpha() else f"net_{stem}"
    if not isinstance(name, str):
        raise TypeError(f"name must be a C identifier such as 'digits', got {name!r}")
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise ValueError(
            f"name must be a C identifier, a letter followed by letters, digits and underscores, "
            f"got {name!r}"
        )
    return name


def _float_program(net: MLP, dtype: np.dtype[Any]) -> Program:
    """Return a network in floating point."""
    layers = []
    for l, (W, b, f) in enumerate(inference_layers(net), start=1):
        checks.finite(f"W({l})", W, dtype)
        checks.finite(f"b({l})", b, dtype)
        layers.append((W.astype(dtype), b.astype(dtype), f))
    output = layers[-1][2]
    functions = [*(f for _, _, f in layers[:-1]), Identity()]  # f of the output layer comes last
    names = _function_names([*functions, *([] if isinstance(output, Softmax) else [output])])
    real = C_TYPES[dtype.name]
    buffers, units = _buffers(real, net.sizes[1:-1])
    arrays: dict[str, Array] = {}
    calls, source = [], "x"
    for l, (W, b, _) in enumerate(layers, start=1):
        arrays |= {f"W{l}": W, f"b{l}": b}
        n_out, n_in = W.shape
        target = "h" if l == len(layers) else "vu"[l % 2]
        f_name = names[functions[l - 1]]
        calls.append(
            f"NET_layer({source}, {n_in}, NET_W{l}, NET_b{l}, {n_out}, NET_{f_name}, {target});"
        )
        source = target
    code = [
        "".join(templates.activation(name, f) for f, name in names.items()),
        templates.LAYER,
        *[templates.SOFTMAX] * isinstance(output, Softmax),
    ]
    return Program(
        real=real,
        headers=("math.h",),
        arrays=arrays,
        functions=[templates.in_double(text) if real == "double" else text for text in code],
        declarations=buffers,
        logits=calls,
        output=_output_calls(output, f"h[j] = NET_{names.get(output)}(h[j]);"),
        stack=units * dtype.itemsize,
        accuracy=c_comment.float_accuracy(net.dtype, dtype),
        not_finite=c_comment.FLOAT_NOT_FINITE,
    )


def _quantized_program(net: Quantized) -> Program:
    """Return a network in 8-bit integers."""
    output, scaling, first = net.output_activation, net.input_scaling, net.roundings[0]
    buffers, units = _buffers("uint8_t", net.sizes[:-1])
    arrays: dict[str, Array] = {}
    if scaling.inverse.ndim:
        arrays |= {"offset": scaling.offset, "inverse": scaling.inverse}
        scaled = "(x[i] - NET_offset[i]) * NET_inverse[i]"
    else:
        scaled = f"x[i] * {_literals(scaling.inverse)[0]}"
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
        function = templates.SOFTMAX_IN_DOUBLE
    elif output == Identity():
        function = ""
    else:
        function = templates.in_double(templates.activation(output.name, output))
    return Program(
        real="float",
        headers=("math.h", "stdint.h"),
        arrays=arrays,
        functions=[
            templates.BYTE,
            templates.SUM,
            *[templates.BYTE_LAYER] * (len(net.layers) > 1),
            templates.OUTPUT_LAYER,
            *[function] * bool(function),
        ],
        declarations=[*buffers, "int i;"],
        logits=calls,
        output=_output_calls(output, f"h[j] = (float)NET_{output.name}((double)h[j]);"),
        stack=units,
        accuracy=c_comment.quantized_accuracy(net),
        not_finite=c_comment.QUANTIZED_NOT_FINITE,
    )


def _output_calls(f: Activation, statement: str) -> list[str]:
    """Return the lines that turn z in h into h = f(z)."""
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


def _buffers(c_type: str, widths: Sequence[int]) -> tuple[list[str], int]:
    """Return the declarations of two buffers for layers of these widths, and their total size."""
    sizes = [max(part) for part in (widths[::2], widths[1::2]) if part]
    declared = [f"{c_type} {name}[{size}];" for name, size in zip("uv", sizes, strict=False)]
    return declared, sum(sizes)


def _parts(net: MLP | Quantized, program: Program, name: str) -> Iterator[str]:
    """Yield the file's text from top to bottom."""
    predict = templates.PREDICT[c_comment.kind_of_prediction(net)]
    if isinstance(net.loss, Quantile):
        predict = predict.replace("N_QUANTILES", str(len(net.loss.quantiles)))
    if isinstance(net.output_activation, Softmax):
        spans = net.output_activation.spans
        predict = predict.replace("N_GROUPS", str(len(spans)))
        predict = predict.replace("ENDS", ", ".join(str(end) for _, end in spans))
    forward = "void NET_forward(const float x[N_IN], float h[N_OUT])"
    declarations = [predict.partition("\n")[0], forward]

    def finished(text: str) -> str:
        text = text if program.real == "float" else templates.in_double(text)
        return templates.with_names(text, name, net.n_in, net.n_out)

    yield c_comment.comment(net, program, [finished(one) for one in declarations], name)
    yield "".join(f"#include <{header}>\n" for header in program.headers)
    yield finished("".join(f"{declaration};\n" for declaration in declarations))
    for array_name, array in program.arrays.items():
        yield _array(f"{name}_{array_name}", array)
    yield ""
    for text in program.functions:
        yield templates.with_names(text, name, net.n_in, net.n_out)
    index = ["int j;"] if any("[j]" in line for line in program.output) else []
    if net.loss.classification:
        logits = "static void NET_logits(const float *x, float *h)"
        yield "/* z of the output layer */"
        yield finished(_function(logits, program.declarations, program.logits))
        yield finished(_function(forward, index, ["NET_logits(x, h);", *program.output]))
    else:
        declared = [*program.declarations, *index]
        yield finished(_function(forward, declared, [*program.logits, *program.output]))
    yield finished(predict).rstrip("\n")


def _function(head: str, declarations: Sequence[str], statements: Sequence[str]) -> str:
    """Return the text of a function."""
    lines = [*declarations, "", *statements] if declarations else statements
    body = "".join(f"    {line}".rstrip() + "\n" for line in lines)
    return f"{head}\n{{\n{body}}}\n"


def _array(name: str, array: Array) -> str:
    """Return a constant array, row after row."""
    numbers, step = _literals(array), NUMBERS_PER_LINE[array.dtype.name]
    lines = [", ".join(numbers[i : i + step]) for i in range(0, len(numbers), step)]
    c_type = C_TYPES[array.dtype.name]
    return f"static const {c_type} {name}[{array.size}] = {{\n" + ",\n".join(lines) + "};"


def _literals(array: Array) -> list[str]:
    """Return numbers as C has them: the shortest decimals that are read back as the same bits."""
    suffix = "f" if array.dtype == np.float32 else ""
    return [f"{number}{suffix}" for number in np.ravel(array).astype(str)]
