"""The files of an exported program: one C file, or with a header and constants in a file each.

    NET.c           comment ── includes ── interface ── constants ── functions ── self-test
    NET.h           comment ── includes ── interface
    NET_weights.h   constants, which NET.c includes

The interface is what a program sees: macros, types and declarations.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .c_text import Array, array

__all__ = ["Layout", "Source"]

# The qualifier of constants and of pointers to them.  8-bit AVR reads flash memory by instructions
# of their own, which GCC writes for pointers to __flash or __memx.
FLASH = """\
#ifndef NET_FLASH /* where constants lie: on AVR in flash memory, beyond 64 kB -DNET_FLASH=__memx */
#ifdef __FLASH
#define NET_FLASH __flash
#else
#define NET_FLASH
#endif
#endif
"""
INTERFACE = """\
#ifdef __cplusplus
extern "C" {{
#endif

{}

#ifdef __cplusplus
}}
#endif
"""


@dataclass(frozen=True)
class Layout:
    """The names of the files of a program.

    Attributes
    ----------
    path : Path
        The C file.
    with_header : bool
        Whether the interface is a file of its own.
    with_weights : bool
        Whether the constants are a file of their own.
    """

    path: Path
    with_header: bool = False
    with_weights: bool = False

    @property
    def header(self) -> Path | None:
        """The header, if there is one: digits.h of digits.c."""
        return self.path.with_suffix(".h") if self.with_header else None

    @property
    def weights(self) -> Path | None:
        """The file of constants, if there is one: digits_weights.h of digits.c."""
        return self.path.with_name(f"{self.path.stem}_weights.h") if self.with_weights else None

    def check(self) -> None:
        """Raise ValueError if one of the files cannot be included or would replace another."""
        for file in filter(None, (self.header, self.weights)):
            if not file.name.isprintable() or set(file.name) & set('"\\'):
                raise ValueError(
                    f"C cannot include a file of the name {file.name!r}; give a path without "
                    f"quotes, backslashes and control characters"
                )
            if os.path.normcase(file) == os.path.normcase(self.path):
                raise ValueError(
                    f"{self.path}: the C file would have the name of its header; give it the "
                    f"ending .c"
                )


@dataclass(frozen=True)
class Source:
    """The parts of a program in C, without the names of its files.

    Attributes
    ----------
    name : str
        The beginning of all names.
    comment : str
        What the program is and how to call it.
    interface_headers : sequence of str
        Headers of the C library that the interface needs.
    headers : sequence of str
        Those that the functions need.
    interface : sequence of str
        Macros, types and declarations.
    definitions : sequence of str
        Public constants, which the interface declares.
    constants : sequence of (str, ndarray)
        Arrays of numbers by their names, without that of the program.
    functions : sequence of str
        The functions.
    uses_flash : bool
        Whether the functions read constants through pointers to `NET_FLASH`.
    """

    name: str
    comment: str
    interface_headers: Sequence[str]
    headers: Sequence[str]
    interface: Sequence[str]
    definitions: Sequence[str]
    constants: Sequence[tuple[str, Array]]
    functions: Sequence[str]
    uses_flash: bool = True

    def files(self, layout: Layout) -> dict[Path, Iterable[str]]:
        """Return the lines or groups of lines of each file; the C file comes last.

        Parameters
        ----------
        layout : Layout
            The files' names.
        """
        found: dict[Path, Iterable[str]] = {}
        memory = f"{self.name}_FLASH " if self.uses_flash else ""
        constants: Iterable[str] = (
            array(f"{self.name}_{key}", values, memory) for key, values in self.constants
        )
        flash = [FLASH.replace("NET_", f"{self.name}_")] if self.uses_flash else []
        interface = INTERFACE.format("\n".join(self.interface))
        if layout.weights:
            note = f"/* The constants of {layout.path.name}, which includes this file. */\n"
            found[layout.weights] = [note, *constants]
            constants = [f'#include "{layout.weights.name}"']
        if layout.header:
            guard = f"{self.name}_H"
            headers = _includes(self.interface_headers)
            opening = f"#ifndef {guard}\n#define {guard}\n"
            found[layout.header] = [self.comment, opening, *headers, interface, "#endif"]
            top = [f"/* {layout.header.name} says what this file computes. */\n"]
            own = [one for one in self.headers if one not in self.interface_headers]
            top += [f'#include "{layout.header.name}"', *_includes(own)]
        else:
            own = sorted({*self.interface_headers, *self.headers})
            top = [self.comment, *_includes(own), interface]
        found[layout.path] = _chained(
            top, self.definitions, flash, constants, [""], self.functions
        )
        return found


def _includes(headers: Sequence[str]) -> list[str]:
    """Return the lines that include headers of the C library, and an empty one."""
    return ["".join(f"#include <{one}>\n" for one in headers)] if headers else []


def _chained(*parts: Iterable[str]) -> Iterable[str]:
    for part in parts:
        yield from part
