"""To C: one file of C99 that needs the C library's <math.h> alone.

    comment ── declarations ── numbers ── functions ── NET_forward ── NET_predict

The functions are in c_parts.py.  Numbers are written in the fewest digits that read back as the
same bits, so nothing of a network is lost on paper.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fastmlp

from ..activations import Activation, Identity, Softmax
from ..losses import Quantile
from ..network import MLP
from ..support import atomic_files, checks
from . import c_parts
from .networks import plain, single
from .quantization import Quantized, quantize

__all__ = ["to_c"]

Array = NDArray[Any]

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int32": "int32_t",
}
IN_A_LINE = {"float32": 6, "float64": 4, "int8": 16, "uint8": 16, "int32": 8}  # numbers
MOST_NAMES = 500  # letters, of columns or classes in the comment

HOW_TO = (
    'Declare these in your program (in C++ within extern "C" { }) and compile this file beside it: '
    "C99, with -lm where the mathematical functions have a library of their own. x and h must not "
    "overlap."
)
MEANINGS = {  # kind: what predict gives, what h is
    "class": ("the most probable class", "the probability of each class"),
    "classes": (
        "y: the most probable class of each group, counted from 0 in it",
        "the probability of each class in its group; one group after the other",
    ),
    "yes": ("1 where h is above 1/2, else 0", "the probability of yes"),
    "yeses": ("y: 1 where h is above 1/2, else 0", "the probability of yes for each"),
    "value": ("h", "the value"),
    "values": ("y: h", "the values"),
    "quantiles": ("y: h, those of each target in ascending order", "the quantiles"),
}
MEMORY = (
    "{size:,} bytes of constants (in flash where constants stay there: ARM, ESP32, RISC-V; 8-bit "
    "AVR copies them to RAM); on the stack {stack:,} bytes for two layers in turn, and h once more "
    "in predict. Nothing is allocated and nothing kept, so several threads may call."
)
PLAIN_ACCURACY = (
    "All in {real}. A unit's sum over its n inputs differs from that of the {dtype} network in "
    "Python, whose order is another, by less than (4 + 2 sqrt(n)) 2^-{bits} (|b| + sum |w a|) in "
    "all that was measured; functions are the C library's, Python's within 4 units in the last "
    "place."
)
QUANTIZED_ACCURACY = (
    "Weights and layers in 8 bits. x is rounded to one of 256 values from {low:.6g} to {high:.6g} "
    "and cut off there, hidden layers likewise. In Python fastmlp.export.quantize gives the same "
    "network, bit for bit, to measure what that costs."
)
PLAIN_NOT_FINITE = (
    "NaN and infinities in x go through the arithmetic into h; predict gives some valid answer."
)
QUANTIZED_NOT_FINITE = (
    "Infinities in x are cut off like all else, NaN counts as the least value; h is always finite."
)


def to_c(
    net: MLP | Quantized,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    quantized: bool = False,
    calibration: ArrayLike | None = None,
) -> None:
    """Write a network as one file of C99, which computes what `forward` and `predict` do.

    The file allocates nothing, has all numbers as constants, may be called by several threads and
    needs <math.h> only.  The comment at its head says how to call it, what it takes and gives, its
    memory and its accuracy.

    Parameters
    ----------
    net : MLP or Quantized
        A trained network; batch norm is folded in, and averaged parameters are taken if it predicts
        by them.  float32 networks compute in float, float64 ones in double.
    path : path-like
        The file, which appears whole or not at all.
    name : str, optional
        What the functions' names begin with, a C identifier.  Default: the file's name without its
        ending, characters other than letters and digits becoming underscores.
    quantized : bool, default False
        Compute in 8-bit integers, in a quarter of the memory: see `quantize`.
    calibration : array-like, (m, n_in), optional
        With `quantized`: examples such as the network will see, a few hundred.

    Raises
    ------
    TypeError
        If net is something else, such as an ensemble: write its networks one by one.
    ValueError
        If name is no C identifier, or calibration is missing, not asked for, or does not fit.
    OSError
        If the file cannot be written.
    """
    if not isinstance(net, Quantized):
        net = single(net)
    name = _prefix(name, path)
    if checks.flag("quantized", quantized):
        if isinstance(net, Quantized):
            raise ValueError("net is quantized already; leave out quantized=True")
        if calibration is None:
            raise ValueError("quantized=True needs calibration, such as X_train[:1000]")
        net = quantize(net, calibration)
    elif calibration is not None:
        raise ValueError("calibration goes with quantized=True")
    program = _quantized(net) if isinstance(net, Quantized) else _plain(net)
    with atomic_files.whole(path) as file:
        for part in _parts(net, program, name):
            file.write(f"{part}\n".encode())


def _prefix(name: str | None, path: str | os.PathLike[str]) -> str:
    """The beginning of the functions' names, checked or made from the file's."""
    if name is None:
        stem = re.sub(r"\W", "_", Path(path).stem, flags=re.ASCII)
        return stem if stem[:1].isalpha() else f"net_{stem}"
    if not isinstance(name, str):
        raise TypeError(f"name must be a C identifier such as 'digits', got {name!r}")
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise ValueError(
            f"name must be a C identifier, letters, digits and underscores after a letter, got "
            f"{name!r}"
        )
    return name


@dataclass(frozen=True)
class _Program:
    """What a file consists of, as far as it depends on the arithmetic."""

    real: str  # C's type of x and h
    headers: tuple[str, ...]
    arrays: dict[str, Array]
    functions: list[str]
    body: list[str]  # of NET_forward
    stack: int  # bytes of its buffers
    accuracy: str
    not_finite: str


def _plain(net: MLP) -> _Program:
    """A network in its own arithmetic."""
    layers = [(W, b, _elementwise(f)) for W, b, f in plain(net)]
    names = _names([f for _, _, f in layers])
    buffers, units = _buffers(C_TYPES[net.dtype.name], net.sizes[1:-1])
    arrays: dict[str, Array] = {}
    calls, source = [], "x"
    for l, (W, b, f) in enumerate(layers, start=1):
        checks.finite(f"net.folded[0][{l - 1}]", W, net.dtype)
        checks.finite(f"net.folded[1][{l - 1}]", b, net.dtype)
        arrays |= {f"W{l}": W, f"b{l}": b}
        n_out, n_in = W.shape
        target = "h" if l == len(layers) else "vu"[l % 2]
        calls.append(
            f"NET_layer({source}, {n_in}, NET_W{l}, NET_b{l}, {n_out}, NET_{names[f]}, {target});"
        )
        source = target
    functions = [
        "".join(c_parts.activation(name, f) for f, name in names.items()),
        c_parts.LAYER,
    ]
    if isinstance(net.output_activation, Softmax):
        functions.append(c_parts.SOFTMAX)
        calls += _softmax(net.output_activation)
    double = net.dtype == np.float64
    return _Program(
        C_TYPES[net.dtype.name],
        ("math.h",),
        arrays,
        [c_parts.doubled(one) if double else one for one in functions],
        [*buffers, "", *calls] if buffers else calls,
        units * net.dtype.itemsize,
        PLAIN_ACCURACY.format(
            real=C_TYPES[net.dtype.name], dtype=net.dtype, bits=53 if double else 24
        ),
        PLAIN_NOT_FINITE,
    )


def _quantized(net: Quantized) -> _Program:
    """A network in 8-bit integers."""
    output = _elementwise(net.output_activation)
    first, inverse = net.roundings[0], _literals(np.asarray(net.inverse))[0]
    buffers, units = _buffers("uint8_t", net.sizes[:-1])
    arrays: dict[str, Array] = {}
    calls = [
        "for (i = 0; i < N_IN; i++)",
        f"    u[i] = NET_byte(x[i] * {inverse}, {first.low}, {first.high}, 0);",
    ]
    for l, product in enumerate(net.products, start=1):
        arrays |= {f"W{l}": product.weight, f"b{l}": product.bias, f"m{l}": product.multiplier}
        n_out, n_in = product.weight.shape
        given = f"{'vu'[l % 2]}, {n_in}, NET_W{l}, NET_b{l}, NET_m{l}, {n_out}"
        if l == len(net.products):
            calls.append(f"NET_output({given}, NET_{output.name}, h);")
        else:
            rounding, table = net.roundings[l], "0"
            if rounding.table is not None:
                arrays[f"table{l}"], table = rounding.table, f"NET_table{l}"
            ends = f"{rounding.low}, {rounding.high}"
            calls.append(f"NET_layer({given}, {ends}, {table}, {'uv'[l % 2]});")
    functions = [
        c_parts.doubled(c_parts.activation(output.name, output)),
        c_parts.BYTE,
        c_parts.SUM,
        *[c_parts.BYTE_LAYER] * (len(net.products) > 1),
        c_parts.OUTPUT_LAYER,
    ]
    if isinstance(net.output_activation, Softmax):
        functions.append(c_parts.DOUBLE_SOFTMAX)
        calls += _softmax(net.output_activation)
    step = 1 / float(net.inverse)
    return _Program(
        "float",
        ("math.h", "stdint.h"),
        arrays,
        functions,
        [*buffers, "int i;", "", *calls],
        units,
        QUANTIZED_ACCURACY.format(low=step * first.low, high=step * first.high),
        QUANTIZED_NOT_FINITE,
    )


def _elementwise(f: Activation) -> Activation:
    """f of one z: a row's softmax is computed behind the last layer, whose own f is identity."""
    return Identity() if f.name == "softmax" else f


def _softmax(f: Softmax) -> list[str]:
    """The calls behind the last layer."""
    if not f.groups:
        return ["NET_softmax(h, N_OUT);"]
    return [f"NET_softmax(h + {first}, {end - first});" for first, end in f.spans]


def _names(activations: Sequence[Activation]) -> dict[Activation, str]:
    """The name in C of each activation; one with other parameters gets a number."""
    found: dict[Activation, str] = {}
    for f in activations:
        same = sum(one.name == f.name for one in found)
        found.setdefault(f, f"{f.name}_{same + 1}" if same else f.name)
    return found


def _buffers(c_type: str, widths: Sequence[int]) -> tuple[list[str], int]:
    """Declarations of what keeps layers of these widths in turn, and how many units they have."""
    sizes = [max(part) for part in (widths[::2], widths[1::2]) if part]
    declared = [f"{c_type} {name}[{size}];" for name, size in zip("uv", sizes, strict=False)]
    return declared, sum(sizes)


def _parts(net: MLP | Quantized, program: _Program, name: str) -> Iterator[str]:
    """The file's text from top to bottom."""
    kind = _kind(net)
    predict = c_parts.PREDICT[kind].replace("N_QUANTILES", str(len(net.loss.constants)))
    if isinstance(net.output_activation, Softmax):
        spans = net.output_activation.spans
        predict = predict.replace("N_GROUPS", str(len(spans)))
        predict = predict.replace("ENDS", ", ".join(str(end) for _, end in spans))
    forward = "void NET_forward(const float x[N_IN], float h[N_OUT])"
    declarations = [predict.partition("\n")[0], forward]
    body = "".join(f"    {line}".rstrip() + "\n" for line in program.body)

    def finished(text: str) -> str:
        text = text if program.real == "float" else c_parts.doubled(text)
        return c_parts.named(text, name, net.n_in, net.n_out)

    yield _comment(net, program, [finished(one) for one in declarations], name)
    yield "".join(f"#include <{header}>\n" for header in program.headers)
    yield finished("".join(f"{one};\n" for one in declarations))
    for array_name, array in program.arrays.items():
        yield _array(f"{name}_{array_name}", array)
    yield ""
    for text in program.functions:
        yield c_parts.named(text, name, net.n_in, net.n_out)
    yield finished(f"{forward}\n{{\n{body}}}\n")
    yield finished(predict).rstrip("\n")


def _kind(net: MLP | Quantized) -> str:
    """What predict gives, a key of `c_parts.PREDICT`."""
    if isinstance(net.output_activation, Softmax):
        return "classes" if net.output_activation.groups else "class"
    if isinstance(net.loss, Quantile) and len(net.loss.quantiles) > 1:
        return "quantiles"
    one, several = ("yes", "yeses") if net.loss.classification else ("value", "values")
    return one if net.n_out == 1 else several


def _array(name: str, array: Array) -> str:
    """A constant array, row after row."""
    numbers, step = _literals(array), IN_A_LINE[array.dtype.name]
    lines = [", ".join(numbers[i : i + step]) for i in range(0, len(numbers), step)]
    c_type = C_TYPES[array.dtype.name]
    return f"static const {c_type} {name}[{array.size}] = {{\n" + ",\n".join(lines) + "};"


def _literals(array: Array) -> list[str]:
    """Numbers as C has them: the shortest decimals that are read back as the same bits."""
    suffix = "f" if array.dtype == np.float32 else ""
    return [f"{one}{suffix}" for one in np.ravel(array).astype(str)]


def _comment(net: MLP | Quantized, program: _Program, declarations: list[str], name: str) -> str:
    """The comment at the head of the file."""
    kind, n_out = _kind(net), net.n_out
    size = sum(one.nbytes for one in program.arrays.values())
    functions = (*net.activation, net.output_activation)
    layers = [f"{n} {f.name}" for n, f in zip(net.sizes[1:], functions, strict=True)]
    notes = {
        "x": f"{net.n_in} inputs{_listed(net.metadata.get('columns'))}; what Python takes as "
        f"bytes is to be multiplied by {net.uint8_scale:.9g}",
        "h": f"{n_out} outputs, {MEANINGS[kind][1]}",
        "predict": MEANINGS[kind][0] + _listed(net.metadata.get("classes"), numbered=True),
        "layers": f"{net.n_in} inputs, " + ", ".join(layers),
        "memory": MEMORY.format(size=size, stack=program.stack),
        "accuracy": program.accuracy,
        "not finite": program.not_finite,
    }
    lines = [
        f"{name}: a multilayer perceptron, {'-'.join(map(str, net.sizes))}, by fastmlp "
        f"{fastmlp.__version__}",
        "",
        *(f"    {one};" for one in declarations),
        "",
        *textwrap.wrap(HOW_TO, 92),
        "",
    ]
    for what, note in notes.items():
        lines += textwrap.wrap(note, 92, initial_indent=f"{what:<12}", subsequent_indent=" " * 12)
    return "/*" + "\n".join(f" * {line}".rstrip() for line in lines)[2:] + "\n */\n"


def _listed(names: object, numbered: bool = False) -> str:
    """The names of columns or classes in the words of the comment, where the network knows them.

    Those of several groups of classes are lists in a list.
    """
    if not isinstance(names, (list, tuple)):
        return ""
    groups = names if all(isinstance(one, (list, tuple)) for one in names) else [names]
    shown = "; ".join(
        ", ".join(f"{i} {one}" if numbered else str(one) for i, one in enumerate(group))
        for group in groups
    )
    # nothing that could end the comment, begin another or be a trigraph
    text = re.sub(r"[^\w .,:;+=()\[\]<>-]", "_", shown)
    return f": {textwrap.shorten(text, MOST_NAMES, placeholder=' ...')}"
