"""Pieces of C as text: constant arrays, string literals, identifiers and functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..support import labels

__all__ = [
    "C_TYPES",
    "Array",
    "array",
    "class_names",
    "filled",
    "function",
    "identifiers",
    "literals",
    "macros",
    "string",
    "string_array",
]

Array = NDArray[Any]

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int32": "int32_t",
}
NUMBERS_PER_LINE = {"float32": 6, "float64": 4, "int8": 16, "uint8": 16, "int32": 8}

# what cannot be the name of a member: words of C and C++, and macros of the C library
RESERVED = set(
    """
    alignas alignof and and_eq asm assert auto bitand bitor bool break case catch char char8_t
    char16_t char32_t class co_await co_return co_yield compl concept const const_cast consteval
    constexpr constinit continue decltype default delete do double dynamic_cast else enum errno
    explicit export extern false final float for friend goto i386 if inline int linux long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq override private protected public
    register reinterpret_cast requires restrict return short signed sizeof static static_assert
    static_cast stderr stdin stdout struct switch template this thread_local throw true try typedef
    typeid typename typeof typeof_unqual union unix unsigned using virtual void volatile wchar_t
    while xor xor_eq
    """.split()
)
MACROS = re.compile(
    "NAN|NULL|EOF|INFINITY|HUGE|DOMAIN|SING|OVERFLOW|UNDERFLOW|PLOSS|TLOSS|BUFSIZ|I|U?INT[0-9]+_.+|"
    "(HUGE|M|FP|MATH|SIZE|PTRDIFF|WCHAR|WINT|SIG|DBL|FLT|LDBL|CHAR|EXIT|SEEK|RAND)_.+"
)


def array(name: str, values: Array, memory: str = "") -> str:
    """Return a constant array, row after row; `memory` is a qualifier of it."""
    numbers, step = literals(values), NUMBERS_PER_LINE[values.dtype.name]
    lines = [", ".join(numbers[i : i + step]) for i in range(0, len(numbers), step)]
    c_type = C_TYPES[values.dtype.name]
    return f"static const {memory}{c_type} {name}[{values.size}] = {{\n" + ",\n".join(lines) + "};"


def string_array(declaration: str, texts: Iterable[str]) -> str:
    """Return an array of strings; the declaration is that of C, without the length."""
    lines = [string(text) for text in texts]
    return f"{declaration}[{len(lines)}] = {{\n" + ",\n".join(lines) + "};"


def macros(name: str, n_in: int, n_out: int, digest: str) -> str:
    """Return the macros of a network's numbers of inputs and outputs, and of its digest."""
    values = {"N_IN": n_in, "N_OUT": n_out, "DIGEST": string(digest)}
    return "".join(f"#define {name}_{key} {value}\n" for key, value in values.items())


def class_names(name: str, classes: object, n_out: int) -> tuple[list[str], list[str]]:
    """Return the declaration and the definition of the array of class names.

    There are none if the classes have no names or not one for each, or are those of several groups.
    """
    names = labels.class_names(classes, max(n_out, 2))
    if names is None or any(isinstance(one, (list, tuple)) for one in names):
        return [], []
    declaration = f"const char *const {name}_classes"
    definition = string_array(declaration, map(str, names))
    return [f"extern {declaration}[{len(names)}];"], [f"{definition}\n"]


def literals(values: Array) -> list[str]:
    """Return numbers as C has them: the shortest decimals that are read back as the same bits."""
    suffix = "f" if values.dtype == np.float32 else ""
    return [f"{number}{suffix}" for number in np.ravel(values).astype(str)]


def string(text: str) -> str:
    """Return a text as a string literal of ASCII alone, which stands for its UTF-8."""
    characters = []
    for byte in text.encode("utf-8", "surrogatepass"):
        one = chr(byte)
        if one in '"\\?':  # ??/ and its like are other characters in C99
            one = f"\\{one}"
        characters.append(one if 32 <= byte < 127 else f"\\{byte:03o}")
    return '"' + "".join(characters) + '"'


def identifiers(names: Sequence[str]) -> list[str]:
    """Return names as different identifiers: themselves where they are such, otherwise similar."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    similar = [_identifier(name) for name in names]
    # a name that is an identifier comes first, so that no other takes it
    for i in sorted(range(len(names)), key=lambda i: similar[i] != names[i]):
        one, number = similar[i], 1
        while one in taken:
            number += 1
            one = f"{similar[i]}_{number}"
        found[i] = one
        taken.add(one)
    return [found[i] for i in range(len(names))]


def _identifier(name: str) -> str:
    """Return an identifier with the letters and digits of a name."""
    one = re.sub(r"[\W_]+", "_", name, flags=re.ASCII).strip("_")
    if not one[:1].isalpha():
        one = f"column_{one}".rstrip("_")
    return f"{one}_" if one in RESERVED or MACROS.fullmatch(one) else one


def filled(text: str, words: Mapping[str, str]) -> str:
    """Return a template with a text in place of each of its words, in their order."""
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def function(head: str, declarations: Sequence[str], statements: Sequence[str]) -> str:
    """Return the text of a function."""
    lines = [*declarations, "", *statements] if declarations else statements
    body = "".join(f"    {line}".rstrip() + "\n" for line in lines)
    return f"{head}\n{{\n{body}}}\n"
