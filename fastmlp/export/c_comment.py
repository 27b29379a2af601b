"""The comment at the top of an exported C file: calls, inputs, outputs, memory and accuracy."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Softmax
from ..losses import Quantile
from ..network import MLP
from ..version import __version__
from .c_float import Code
from .c_source import Layout
from .inference import metadata_of
from .quantization import Quantized

__all__ = [
    "FLOAT_NOT_FINITE",
    "LONGEST_NAMES",
    "MEANINGS",
    "QUANTIZED_NOT_FINITE",
    "RANGES",
    "Program",
    "block",
    "comment",
    "float_accuracy",
    "how_to",
    "kind_of_prediction",
    "layers_note",
    "memory_notes",
    "names_note",
    "quantized_accuracy",
    "safe",
    "title",
]

LONGEST_NAMES = 500  # characters, of the names of columns or classes

HOW_TO = {  # by whether there is a header
    False: (
        'Declare these functions in your program (in C++ within extern "C" {{ }}) and compile '
        "{file} with it: C99{needs}. x and h must not overlap."
    ),
    True: (
        "Include this file, in C or in C++, and compile {file} with your program: C99{needs}. x "
        "and h must not overlap."
    ),
}
LIBM = ", with -lm where the mathematical functions are in a library of their own"
MEANINGS = {  # of predict and of h, by the kind of prediction
    "class": ("the most probable class", "the probability of each class"),
    "group_classes": (
        "y: the most probable class of each group, counted from 0 in the group",
        "the probability of each class within its group, group after group",
    ),
    "label": ("1 where the probability is above 1/2, otherwise 0", "the probability of class 1"),
    "labels": (
        "y: for each output 1 where the probability is above 1/2, otherwise 0",
        "the probability of 1 for each label",
    ),
    "value": ("h", "the value"),
    "values": ("y: h", "the values"),
    "quantiles": ("y: h, the quantiles of each target in ascending order", "the quantiles"),
}
FLASH = "{size:,} bytes of constants{code}; on AVR too, if GCC compiles the file as C (-std=gnu99)."
CODE = " and about 1 kB of code (Cortex-M, GCC -Os, without libraries)"
STACK = (
    "{stack:,} bytes for two consecutive layers; in predict those of h in addition, and up to 200 "
    "bytes of registers and variables (Cortex-M, without libraries). Nothing is allocated and no "
    "state is kept, so several threads may call the functions at once."
)
FLOAT_ACCURACY = (
    "All arithmetic is in {real}{rounded}. The sum of a unit with n inputs differs from that of "
    "the {dtype} network in Python, which adds in another order, by less than "
    "({units} + 2 sqrt(n)) 2^-{bits} (|b| + sum |w a|) in all measurements. The elementary "
    "functions are those of the C library; Python's are accurate to 4 units in the last place."
)
QUANTIZED_ACCURACY = (
    "Weights and layers in 8 bits: {summary}. {inputs} Hidden layers are rounded likewise, with "
    "{ranges}. fastmlp.export.quantize returns the same network in Python, bit for bit, to "
    "measure its accuracy on other examples."
)
RANGES = {  # of hidden layers, by the method of ranges.py
    "minmax": "the whole range of their values",
    "percentile": "ranges clipped at the 99.99th percentile",
    "kl": "ranges clipped by KL divergence",
}
FLOAT_NOT_FINITE = (
    "NaN and infinities in x propagate into h; predict still returns a valid answer."
)
ENCODINGS = (
    "{each}; {n_out} numbers in all, those of docs/encodings.md. Codes of levels are 0, 1, ...; "
    "any other code, such as -1, is a missing or unknown category."
)
UNITS = {  # of an encoding's size
    "piecewise_linear": "bins",
    "one_hot": "levels",
    "embedding": "levels",
    "periodic": "waves",
}
QUANTIZED_NOT_FINITE = {  # by whether columns have encodings
    False: (
        "Infinities in x are clipped like other values out of range, NaN counts as the smallest "
        "value; h is always finite."
    ),
    True: (
        "Infinities in x are encoded like other numbers; an output of an encoding that is NaN "
        "counts as its smallest value. h is always finite."
    ),
}


@dataclass(frozen=True)
class Program:
    """What the file of a network consists of, as far as it depends on the arithmetic."""

    real: str  # C's type of x and h
    headers: tuple[str, ...]
    functions: list[str]
    code: Code
    accuracy: str
    not_finite: str
    digest: str  # of the network in Python


def kind_of_prediction(net: MLP | Quantized) -> str:
    """Return what predict returns, a key of `c_templates.PREDICT`."""
    if isinstance(net.output_activation, Softmax):
        return "group_classes" if net.output_activation.groups else "class"
    if isinstance(net.loss, Quantile) and len(net.loss.quantiles) > 1:
        return "quantiles"
    single, several = ("label", "labels") if net.loss.classification else ("value", "values")
    return single if net.n_out == 1 else several


def float_accuracy(own: np.dtype[Any], dtype: np.dtype[Any]) -> str:
    """Return the statement about the accuracy of a network in floating point."""
    narrowed = dtype.itemsize < own.itemsize  # each weight is rounded once more
    return FLOAT_ACCURACY.format(
        real="float" if dtype == np.float32 else "double",
        rounded=", to which the parameters are rounded" if narrowed else "",
        dtype=own,
        units=5 if narrowed else 4,
        bits=53 if own == dtype == np.float64 else 24,
    )


def quantized_accuracy(net: Quantized) -> str:
    """Return the statement about the accuracy of a network in 8-bit integers."""
    each = "Encodings are in float; each of their outputs" if net.encodings else "Each x"
    if net.input_scaling.inverse.ndim:
        inputs = (
            f"{each} is rounded to one of 256 values from the smallest to the largest of its "
            f"column in these rows and clipped there."
        )
    else:
        first, step = net.roundings[0], 1 / net.input_scaling.inverse
        inputs = (
            f"{each} is rounded to one of 256 values from {first.low * step!s} to "
            f"{first.high * step!s} and clipped there."
        )
    return QUANTIZED_ACCURACY.format(
        summary=net.summary().replace("²", "2"), inputs=inputs, ranges=RANGES[net.ranges]
    )


def how_to(layout: Layout, needs: str) -> str:
    """Return how a program comes to call the functions, which need this beside C99."""
    file = safe(layout.path.name, LONGEST_NAMES) if layout.with_header else "this file"
    return HOW_TO[layout.with_header].format(file=file, needs=needs)


def comment(
    net: MLP | Quantized, program: Program, declarations: list[str], name: str, layout: Layout
) -> str:
    """Return the comment."""
    metadata = metadata_of(net)
    predicted, outputs = MEANINGS[kind_of_prediction(net)]
    size = sum(array.nbytes for array in program.code.arrays.values())
    scale = f"; uint8 inputs of Python are multiplied by {net.uint8_scale!r} first"
    notes = {
        "x": f"{net.n_in} inputs{names_note(metadata.get('columns'))}"
        + (scale if net.uint8_scale != 1 else ""),
        **_encodings_note(net),
        "h": f"{net.n_out} outputs, {outputs}",
        "predict": predicted + names_note(metadata.get("classes"), numbered=True),
        "layers": layers_note(net, net.n_in),
        **memory_notes(size, program.code.stack, bool(_encodings_note(net))),
        "time": f"{_multiply_adds(program.code):,} multiply-adds in the layers",
        "accuracy": program.accuracy,
        "not finite": program.not_finite,
        "digest": program.digest,
    }
    return block(title(net, name), declarations, [how_to(layout, LIBM)], notes)


def layers_note(net: MLP | Quantized, n_inputs: int) -> str:
    """Return the sizes and activations of the layers of a network with so many inputs."""
    functions = (*net.activation, net.output_activation)
    layers = [f"{n} {f.name}" for n, f in zip(net.sizes[1:], functions, strict=True)]
    return ", ".join([f"{n_inputs} inputs", *layers])


def memory_notes(size: int, stack: int, has_encodings: bool = False) -> dict[str, str]:
    """Return the notes about memory: bytes of constants, of code, and on the stack.

    The code of encodings of columns was not measured.
    """
    code = "" if has_encodings else CODE
    return {"flash": FLASH.format(size=size, code=code), "stack": STACK.format(stack=stack)}


def title(net: MLP | Quantized, name: str) -> str:
    """Return the first line."""
    sizes = "-".join(map(str, net.sizes))
    return f"{name}: a multilayer perceptron, {sizes}, by fastmlp {__version__}"


def _multiply_adds(code: Code) -> int:
    """Return the number of weights, each of which is multiplied once."""
    return sum(one.size for name, one in code.arrays.items() if re.fullmatch(r"W\d+", name))


def block(
    title: str, declarations: Sequence[str], paragraphs: Sequence[str], notes: Mapping[str, str]
) -> str:
    """Return a comment: a title, declarations, paragraphs of text or of lines of code, notes."""
    lines = [title, "", *(f"    {declaration};" for declaration in declarations), ""]
    for paragraph in paragraphs:
        is_code = "\n" in paragraph
        lines += paragraph.splitlines() if is_code else textwrap.wrap(paragraph, 92)
        lines.append("")
    for what, note in notes.items():
        lines += textwrap.wrap(note, 92, initial_indent=f"{what:<12}", subsequent_indent=" " * 12)
    return "/*" + "\n".join(f" * {line}".rstrip() for line in lines)[2:] + "\n */\n"


def _encodings_note(net: MLP | Quantized) -> dict[str, str]:
    """Return the note about the encodings of a network's columns, if there are any."""
    if not net.encodings:
        return {}
    each = ", ".join(
        f"{j} {one.name}" + (f" ({one.size} {UNITS[one.name]})" if one.size else "")
        for j, one in enumerate(net.encodings)
    )
    n_out = sum(one.n_outputs for one in net.encodings)
    shown = textwrap.shorten(each, LONGEST_NAMES, placeholder=" ...")
    return {"encodings": ENCODINGS.format(each=shown, n_out=n_out)}


def names_note(names: object, numbered: bool = False) -> str:
    """Return the names of columns or classes as text, if the network has them.

    Those of several groups of classes are lists in a list.
    """
    if not isinstance(names, (list, tuple)):
        return ""
    groups = names if all(isinstance(one, (list, tuple)) for one in names) else [names]
    shown = "; ".join(
        ", ".join(f"{i} {name}" if numbered else str(name) for i, name in enumerate(group))
        for group in groups
    )
    return f": {safe(shown, LONGEST_NAMES)}"


def safe(text: str, longest: int) -> str:
    """Return a text of limited length that may stand in a comment of C.

    It has nothing that could end the comment, begin another, be a trigraph or control a terminal.
    """
    text = re.sub(r"[^\w .,:;+=()\[\]<>-]", "_", text)
    return textwrap.shorten(text, longest, placeholder=" ...")
